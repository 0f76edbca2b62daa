#!/bin/bash
# Runs tests and counts them: test.sh ci|asan|tsan|soak
#   ci    everything at a size for every submission
#   asan  unit and end to end with AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan  the unit tests of the rooms that have threads, with ThreadSanitizer
#   soak  everything at full counts
# The last line is "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

mode=${1:?usage: test.sh ci|asan|tsan|soak}
passed=0 failed=0 skipped=0
started=$SECONDS

# Sanitizers stop at the first finding, and a leak is one.
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/scripts/tsan.supp

step() { printf '\n== %s (%ds)\n' "$1" $((SECONDS - started)); }

build() { # directory, meson options
    if ! scripts/build.sh "$@"; then
        failed=$((failed + 1))
        return 1
    fi
}

count_meson() { # directory
    local log=$1/meson-logs/testlog.json
    [ -f "$log" ] || { failed=$((failed + 1)); return; }
    passed=$((passed + $(grep -c '"result": "OK"' "$log")))
    skipped=$((skipped + $(grep -c '"result": "SKIP"' "$log")))
    failed=$((failed + $(grep -cE '"result": "(FAIL|ERROR|TIMEOUT|INTERRUPT|UNEXPECTEDPASS)"' "$log")))
}

unit() { # directory, time-out multiplier, test names…
    local dir=$1 times=$2
    shift 2
    rm -f "$dir/meson-logs/testlog.json"
    meson test -C "$dir" --no-rebuild --print-errorlogs -t "$times" "$@"
    count_meson "$dir"
}

threaded() { # directory: the names of the tests that have threads
    meson test -C "$1" --list 2>/dev/null | grep -oE '(net|fetch|world|meter|audit|http|gateway|proof|crypto|authority|sql)/[a-z_]+$' | grep -v '^fuzz/'
}

e2e() { # program
    local log
    log=$(mktemp)
    WRIT=$1 test/e2e/run.sh 2>&1 | tee "$log"
    passed=$((passed + $(awk '/^(#|ℹ) pass /{n+=$3} END{print n+0}' "$log")))
    skipped=$((skipped + $(awk '/^(#|ℹ) skipped /{n+=$3} END{print n+0}' "$log")))
    failed=$((failed + $(awk '/^(#|ℹ) (fail|cancelled) /{n+=$3} END{print n+0}' "$log")))
    grep -qE '^(#|ℹ) pass ' "$log" || failed=$((failed + 1))
    rm -f "$log"
}

lines() { # a command that prints "ok …" and "FAILED …"
    local log
    log=$(mktemp)
    "$@" 2>&1 | tee "$log"
    passed=$((passed + $(grep -c '^ok ' "$log")))
    failed=$((failed + $(grep -c '^FAILED ' "$log")))
    grep -q '^ok ' "$log" || failed=$((failed + 1))
    rm -f "$log"
}

run_plain() {
    step "unit"
    build build && ln -sf src/app/writ build/writ && unit build 1
}

run_asan() {
    step "unit, AddressSanitizer and UndefinedBehaviorSanitizer"
    build build-asan -Db_sanitize=address,undefined -Db_lundef=false || return
    unit build-asan 4
    step "end to end, AddressSanitizer and UndefinedBehaviorSanitizer"
    e2e "$PWD/build-asan/src/app/writ"
}

run_tsan() {
    step "unit, ThreadSanitizer"
    build build-tsan -Db_sanitize=thread -Db_lundef=false || return
    # shellcheck disable=SC2046
    unit build-tsan 6 $(threaded build-tsan)
}

case "$mode" in
ci)
    run_plain
    run_asan
    run_tsan
    step "fuzz"
    lines scripts/fuzz.sh 5
    ;;
asan) run_asan ;;
tsan) run_tsan ;;
soak)
    export WRIT_KILLS=200 WRIT_E2E_KILLS=200 WRIT_SOAK=1
    run_plain
    step "end to end, at full counts"
    e2e "$PWD/build/writ"
    run_asan
    run_tsan
    step "fuzz"
    lines scripts/fuzz.sh 120
    step "the Debian package, on a clean Debian"
    lines make deb-test
    step "the model of the fleet"
    lines make model
    step "the examples of compose and Helm"
    lines make examples
    ;;
*)
    echo "test.sh: unknown mode $mode" >&2
    exit 2
    ;;
esac

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
