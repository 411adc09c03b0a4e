#!/bin/sh
# Installs Schemathesis into a Python environment of its own.
# The last line on stdout is the path of its program; everything else goes to stderr.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${XDG_CACHE_HOME:-$HOME/.cache}/provision/schemathesis
python=${PYTHON:-python3}

# Another set of requirements, or another Python, is another environment.
hash=$( (cat "$here/requirements.txt"; "$python" -VV) | sha256sum | cut -c1-16)
venv=$home/venv-$hash
mkdir -p "$home"
exec 9>"$home/lock"
if command -v flock >/dev/null; then flock 9; fi
if [ ! -e "$venv/complete" ]; then
    printf 'making the Python environment %s\n' "$venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    touch "$venv/complete"
fi
printf '%s\n' "$venv/bin/schemathesis"
