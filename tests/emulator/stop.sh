#!/bin/sh
# Stops the local AWS that start.sh started, and every process of its data plane; fails if one is left.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${LOCAL_AWS_DIR:-$(cd "$here/../.." && pwd)/.local-aws}
exec "${PYTHON:-python3}" "$here/stop.py" "$dir"
