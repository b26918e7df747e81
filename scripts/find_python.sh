#!/bin/sh
# Prints the Python to make .venv with: $PYTHON if it is set, otherwise the first usable one.
#
# A Python built with optimisation (a distribution's, or one configured with --enable-optimizations) is preferred: with it, the servers
# need a sixth less processor time. By default, pyenv builds without optimisation.
set -eu

new_enough() {
    command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

optimised() {
    "$1" -c 'import sys, sysconfig; sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

found() {
    command -v "$1"
    exit
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian has Python's venv module in a separate package.
install_venv() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if command -v apt-get >/dev/null; then
        { as_root apt-get install -y -qq "$package" || { as_root apt-get update -qq && as_root apt-get install -y -qq "$package"; }; } >/dev/null 2>&1 || true
    fi
    has_venv "$1" && return
    echo "Python's venv module is missing; on Debian and Ubuntu it comes with: sudo apt-get install $package" >&2
    return 1
}

if [ -n "${PYTHON:-}" ]; then
    new_enough "$PYTHON" || { echo "PYTHON is $PYTHON, which is not Python 3.11 or newer." >&2; exit 1; }
    has_venv "$PYTHON" || install_venv "$PYTHON"
    found "$PYTHON"
fi

without_venv=
for good in optimised true; do
    for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python; do
        if new_enough "$candidate" && "$good" "$candidate"; then
            if has_venv "$candidate"; then found "$candidate"; fi
            without_venv=${without_venv:-$candidate}
        fi
    done
done
if [ -n "$without_venv" ]; then
    install_venv "$without_venv"
    found "$without_venv"
fi
echo "Python 3.11 or newer is needed, but none was found on PATH; set PYTHON=/path/to/python to use one elsewhere." >&2
exit 1
