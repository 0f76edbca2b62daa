#!/bin/bash
# Runs every fuzz target with libFuzzer from its kept corpus: fuzz.sh SECONDS_EACH
# What is found stays in build-fuzz/found; new inputs in build-fuzz/corpus.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz.sh SECONDS_EACH}
CC=clang scripts/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false || {
    echo "FAILED build"
    exit 1
}
mkdir -p build-fuzz/found
exit_status=0

one() { # target
    local name=${1##*/fuzz-} log
    log=build-fuzz/$name.log
    mkdir -p "build-fuzz/corpus/$name"
    if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="build-fuzz/found/$name-" -print_final_stats=1 \
        "build-fuzz/corpus/$name" "test/fuzz/corpus/$name" >"$log" 2>&1; then
        echo "ok $name: $(grep -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+') inputs"
    else
        tail -40 "$log"
        echo "FAILED $name (build-fuzz/found)"
        return 1
    fi
}

running=()
for target in build-fuzz/test/fuzz/fuzz-*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    one "$target" &
    running+=($!)
    if [ ${#running[@]} = 2 ]; then
        for pid in "${running[@]}"; do wait "$pid" || exit_status=1; done
        running=()
    fi
done
for pid in "${running[@]}"; do wait "$pid" || exit_status=1; done
exit $exit_status
