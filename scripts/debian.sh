#!/bin/sh
# Installs a command from a Debian package if that is possible without asking. Otherwise it says in one line what is skipped.
#
#     scripts/debian.sh COMMAND PACKAGE "what is skipped without it"
set -u
command=$1
package=$2
skipped=$3
PATH=$PATH:/usr/sbin:/sbin

# Debian keeps PostgreSQL's programs in a folder for each version, off the PATH.
there() {
    for found in "$(command -v "$command")" /usr/lib/postgresql/*/bin/"$command"; do
        [ -x "$found" ] && return 0
    done
    return 1
}

there && exit 0

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    echo "Installing Debian's $package"
    install="as_root apt-get install -y -qq --no-install-recommends $package"
    { $install || { as_root apt-get update -qq && $install; }; } >/dev/null 2>&1
    there && exit 0
fi
echo "$command is not installed, so $skipped; on Debian and Ubuntu it comes with: sudo apt-get install $package"
