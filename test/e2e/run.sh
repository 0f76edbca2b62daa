#!/bin/sh
# run.sh [file…] - the end-to-end tests against build/writ (or $WRIT), one file at
# a time, so that each has the machine for its timings.
set -eu
[ -z "${WRIT:-}" ] || WRIT=$(realpath "$WRIT")
export WRIT="${WRIT:-}"
[ -n "$WRIT" ] || unset WRIT
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- *.test.mjs
failed=
for file in "$@"; do
    node --test "$file" || failed="$failed $file"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
