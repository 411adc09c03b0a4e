#!/bin/sh
# Installs what the benchmark needs and is not there yet: Debian packages.
set -eu

has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

missing=
want() { has "$1" || missing="$missing $2"; }
want mariadbd mariadb-server-core
want mariadb-install-db mariadb-server-core
want mariadb mariadb-client-core
want redis-server redis-server
want redis-benchmark redis-tools
want sysbench sysbench
want wrk wrk
[ -n "$missing" ] || exit 0

missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ' | sed 's/ $//')
if [ "$(id -u)" = 0 ]; then
    as_root=
elif has sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "The benchmark needs these Debian packages: $missing" >&2
    echo "Install them (as root) with:  apt-get install $missing" >&2
    exit 1
fi
echo "installing $missing" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing >&2
