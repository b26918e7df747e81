#!/bin/sh
# Installs a lock's packages into .venv: finds a Python, makes the environment, and installs with hashes checked.
#
#     scripts/setup.sh LOCK STAMP
#
# The stamp is written at the end. The Makefile names it after the lock's checksum, so this runs only once per lock.
set -eu
lock=$1
stamp=$2

usable() {
    [ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
        && .venv/bin/python -m pip --version >/dev/null 2>&1
}

if ! usable; then
    python=$(scripts/find_python.sh)
    echo "Making .venv with $("$python" --version), $python"
    "$python" -m venv --clear .venv
fi

echo "Installing what $lock names into .venv (once, about a minute)"
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
touch "$stamp"
