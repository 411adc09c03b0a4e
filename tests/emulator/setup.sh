#!/bin/sh
# Installs what the local AWS needs and is not there yet: Debian packages, and a Python environment of its own.
# The last line on stdout is the path of that environment's python; everything else goes to stderr.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${LOCAL_AWS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/provision/local-aws}
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }
# Daemons live in sbin, which is not on everybody's path.
has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

missing=
want() { has "$1" || missing="$missing $2"; }
want mariadbd mariadb-server-core
want mariadb-install-db mariadb-server-core
want mariadb mariadb-client-core
want redis-server redis-server
want redis-cli redis-tools
want haproxy haproxy
want bwrap bubblewrap
want setpriv util-linux
want curl curl
want "$python" python3
if has "$python" && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing="$missing python3-venv"
fi
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ' | sed 's/ $//')

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif has sudo && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        as_root=no
    fi
    if [ "$as_root" = no ] || ! has apt-get; then
        say "The local AWS needs these Debian packages: $missing"
        say "Install them (as root) with:  apt-get install $missing"
        exit 1
    fi
    say "installing $missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing >&2
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "The local AWS needs Python 3.11 or later; $python is $("$python" --version). Name another with PYTHON=..."
    exit 1
fi

# Another set of requirements, or another Python, is another environment.
hash=$( (cat "$here/requirements.txt"; "$python" -VV) | sha256sum | cut -c1-16)
venv=$home/venv-$hash
mkdir -p "$home"
exec 9>"$home/lock"
if has flock; then flock 9; fi
if [ ! -e "$venv/complete" ]; then
    say "making the Python environment $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    touch "$venv/complete"
fi
printf '%s\n' "$venv/bin/python"
