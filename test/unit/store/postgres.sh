#!/bin/bash
# Runs a test with a PostgreSQL server of its own, in WRIT_TEST_STORE_URL.
set -euo pipefail

test=$(realpath "$1"); shift
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1) || true
[ -n "$bin" ] || { echo "skipped: no PostgreSQL server is installed"; exit 77; }
place=$(mktemp -d /tmp/writ-store-pg-XXXXXX)
as=()
if [ "$(id -u)" = 0 ]; then # the server refuses to run as root
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$place"
fi
stop() {
    (cd "$place" && "${as[@]}" "$bin/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1) || true
    rm -rf "$place"
}
trap stop EXIT
cd "$place"
"${as[@]}" "$bin/initdb" -D "$place/data" -U postgres -A trust --no-sync -E UTF8 --no-locale >/dev/null
"${as[@]}" "$bin/pg_ctl" -w -D "$place/data" -l "$place/log" \
    -o "-c listen_addresses='' -c unix_socket_directories=$place -c fsync=off" start >/dev/null
WRIT_TEST_STORE_URL="postgresql:///postgres?host=$place&user=postgres" "$test" "$@"
