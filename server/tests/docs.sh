#!/bin/sh
# Opens /docs of a game-server in a headless Chromium, holds that every operation is drawn, and keeps a picture.
#   docs.sh GAME_SERVER PICTURE
set -eu

server=${1:?the program} picture=${2:?where the picture goes}
port=${PORT:-18088}
page=http://127.0.0.1:$port/docs/
directory=$(mktemp -d)
GAME_DATA_DIR=$directory GAME_PORT=$port GAME_METRICS_PORT=0 GAME_LOG=error "$server" &
child=$!
trap 'kill $child; wait $child || true; rm -rf "$directory"' EXIT
until curl -fs -o "$directory/live" "http://127.0.0.1:$port/livez"; do
    kill -0 $child
    sleep 0.1
done

browser() { chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=15000 "$@" "$page" 2>/dev/null; }
browser --window-size=1280,2400 --screenshot="$picture"
drawn=$(browser --dump-dom | grep -o 'class="opblock opblock-[a-z]*"' | wc -l)
curl -fs "http://127.0.0.1:$port/openapi.json" >"$directory/openapi.json"
described=$(grep -o '"operationId"' "$directory/openapi.json" | wc -l)
printf '%s of %s operations are drawn; %s\n' "$drawn" "$described" "$picture"
[ "$drawn" = "$described" ]
