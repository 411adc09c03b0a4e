#!/bin/sh
# Starts the local AWS in the background and waits until it answers. What it needs is set up first.
#   start.sh [--port N] [--time-scale N | --no-waits] [--control-plane-only] [...]
# State is in .local-aws/ of the checkout (or $LOCAL_AWS_DIR): `. .local-aws/env` points the AWS tools at it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${LOCAL_AWS_DIR:-$(cd "$here/../.." && pwd)/.local-aws}
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-eu-central-1}}

say() { printf '%s\n' "$*" >&2; }
# When a process began, in ticks since boot: with its number, its identity. Nothing for one that has ended.
began() { sed -n '/.*) [ZX]/!s/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

if [ -e "$dir/pid" ]; then
    read -r pid since <"$dir/pid"
    if [ "$(began "$pid")" = "$since" ]; then
        say "the local AWS runs already: $(sed -n 's/^export AWS_ENDPOINT_URL=//p' "$dir/env") (process $pid)"
        exit 0
    fi
    rm -f "$dir/pid" "$dir/env"
fi

python=$("$here/setup.sh" | tail -n 1)
port=0
case " $* " in *" --port"*) port= ;; esac
mkdir -p "$dir"
: >"$dir/log"
cd "$here"
# Nothing of the caller's AWS settings is for the emulator itself.
setsid env -u AWS_ENDPOINT_URL -u AWS_PROFILE PYTHONUNBUFFERED=1 \
    "$python" -m local_aws ${port:+--port "$port"} --state-dir "$dir/state" "$@" \
    >>"$dir/log" 2>&1 </dev/null &
pid=$!
printf '%s %s\n' "$pid" "$(began "$pid")" >"$dir/pid"

waited=0
url=
while [ -z "$url" ]; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -gt 600 ]; then
        say "the local AWS did not start:"
        tail -n 20 "$dir/log" >&2
        kill "$pid" 2>/dev/null || true
        rm -f "$dir/pid"
        exit 1
    fi
    sleep 0.1
    waited=$((waited + 1))
    url=$(sed -n 's/^local AWS ready on //p' "$dir/log")
done
curl -fsS "$url/_local/health" >/dev/null

# The AWS CLI of the emulator's environment: Debian's own is too old to know AWS_ENDPOINT_URL.
mkdir -p "$dir/bin"
ln -sf "$(dirname "$python")/aws" "$dir/bin/aws"

cat >"$dir/env" <<END
export AWS_ENDPOINT_URL=$url
export AWS_REGION=$region
export AWS_DEFAULT_REGION=$region
export AWS_ACCESS_KEY_ID=local
export AWS_SECRET_ACCESS_KEY=local
export AWS_EC2_METADATA_DISABLED=true
export LOCAL_AWS_CA_FILE="$dir/state/dataplane/authority/ca.pem"
unset AWS_PROFILE AWS_SESSION_TOKEN
case ":\$PATH:" in *":$dir/bin:"*) ;; *) export PATH="$dir/bin:\$PATH" ;; esac
END
say "local AWS on $url (process $pid, log $dir/log)"
say "use it with:  . $dir/env"
