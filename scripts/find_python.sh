#!/bin/sh
# Prints the Python that .venv should be made with: $PYTHON if it is set, else the first one that can be used.
#
# One that was built with optimisation (a distribution's, or configured with --enable-optimizations) goes before one that was not,
# as pyenv's are unless told otherwise: the servers need a sixth less of the processor with it.
set -eu

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

optimised() {
    "$1" -c 'import sys, sysconfig; sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))' 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian keeps Python's own venv module in a package apart.
has_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package=$(venv_package "$1")
    if command -v apt-get >/dev/null; then
        { as_root apt-get install -y -qq "$package" || { as_root apt-get update -qq && as_root apt-get install -y -qq "$package"; }; } >/dev/null 2>&1 || true
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

venv_package() {
    "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

without_venv=
for wanted in optimised new_enough; do
    for candidate in ${PYTHON:-python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if command -v "$candidate" >/dev/null && new_enough "$candidate" && $wanted "$candidate"; then
            if has_venv_module "$candidate"; then
                command -v "$candidate"
                exit
            fi
            without_venv=$candidate
        fi
    done
done
if [ -n "$without_venv" ]; then
    echo "Python's venv module is missing; on Debian and Ubuntu it comes with: sudo apt-get install $(venv_package "$without_venv")" >&2
else
    echo "Python 3.11 or newer is needed and none was found on PATH; PYTHON=/path/to/python names one that lies elsewhere." >&2
fi
exit 1
