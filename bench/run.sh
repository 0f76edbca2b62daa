#!/bin/bash
# Everything that is measured: the proxies side by side, then each room by itself.
# Options go to compare.py: --rounds N, --seconds N, --without-caddy, --keep.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh build-bench -Dbench=true -Dtests=false

echo "== side by side"
python3 -B bench/compare.py --writ build-bench/src/app/writ "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for program in build-bench/bench/bench-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    echo
    echo "== ${program##*/}"
    arguments=()
    # It leaves its log for a look; here it goes with the rest.
    if [ "${program##*/}" = bench-audit ]; then arguments=(1000000 "$work"); fi
    (cd "$work" && "$OLDPWD/$program" "${arguments[@]}")
done
