#!/bin/sh
# Makes .venv hold exactly what a lock says: finds a Python, makes the environment, installs with hashes checked.
#
#     scripts/setup.sh LOCK STAMP
#
# The stamp is written at the end; the Makefile names it after the lock's checksum, so that all this happens once per lock.
set -eu
lock=$1
stamp=$2

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is needed and none was found on PATH; PYTHON=/path/to/python names one that lies elsewhere." >&2
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian keeps Python's own venv module in a package apart.
need_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package="python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if command -v apt-get >/dev/null; then
        { as_root apt-get install -y -qq "$package" || { as_root apt-get update -qq && as_root apt-get install -y -qq "$package"; }; } >/dev/null 2>&1 || true
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    echo "Python's venv module is missing; on Debian and Ubuntu it comes with: sudo apt-get install $package" >&2
    return 1
}

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    need_venv_module "$python"
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

echo "Installing what $lock names into .venv (once, about a minute)"
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
touch "$stamp"
