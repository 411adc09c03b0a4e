#!/bin/sh
# Installs an emulator of AWS that others wrote into a Python environment of its own.
#   setup.sh ministack|localstack
# The last line on stdout is the path of that environment's python; everything else goes to stderr.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${LOCAL_AWS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/provision/local-aws}
python=${PYTHON:-python3}
requirements=$here/${1:?ministack or localstack}.txt

if [ ! -e "$requirements" ]; then
    printf 'There is no endpoint %s: ministack or localstack.\n' "$1" >&2
    exit 1
fi
# Another set of requirements, or another Python, is another environment.
hash=$( (cat "$requirements"; "$python" -VV) | sha256sum | cut -c1-16)
venv=$home/$1-$hash
mkdir -p "$home"
exec 9>"$home/lock-$1"
if command -v flock >/dev/null; then flock 9; fi
if [ ! -e "$venv/complete" ]; then
    printf 'making the Python environment %s\n' "$venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2
    touch "$venv/complete"
fi
printf '%s\n' "$venv/bin/python"
