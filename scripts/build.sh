#!/bin/bash
# Configures (once) and builds a directory: build.sh DIR [meson option…]
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${1:?usage: build.sh DIR [meson option…]}
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -f "$dir/build.ninja" ] && ! meson setup "$dir" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
if ! ninja -C "$dir" >"$log" 2>&1; then
    grep -v '^\[' "$log" >&2 || cat "$log" >&2
    exit 1
fi
