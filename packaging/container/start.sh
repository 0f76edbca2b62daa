#!/bin/sh
# Starts Writ in a container. A key that the fleet shares and the database's password come as
# secrets that belong to somebody else; Writ and libpq want files of their own, mode 0600.
set -eu
umask 077

secrets=${WRIT_SECRETS:-/run/secrets}
data=${WRIT_DATA:-/var/lib/writ}
# A mounted volume may be writable by a group; what is below it is Writ's alone.
mkdir -p "$data"

if [ -f "$secrets/key" ]; then
    # Another key would shut this node out of its own store: it is never replaced.
    if [ -f "$data/key" ] && ! cmp -s "$secrets/key" "$data/key"; then
        echo "start.sh: $data/key is another key than $secrets/key" >&2
        exit 1
    fi
    [ -f "$data/key" ] || cp "$secrets/key" "$data/key"
fi
if [ -f "$secrets/db_password" ]; then
    # In a password file ':' and '\' are written with a '\' before them.
    printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$secrets/db_password")" >"$data/pgpass"
fi
exec /usr/bin/writ serve --config /etc/writ/writ.yaml "$@"
