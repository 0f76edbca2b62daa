#!/bin/bash
# Searches docs/model/revocation.pml to its end with spin: model.sh. Prints "ok …" or
# "FAILED …" per line: the protocol holds, and each variant with something taken out does not.
set -uo pipefail
cd "$(dirname "$0")/.."

model=$PWD/docs/model/revocation.pml
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

search() { # what spin is told; prints what the verifier says
    (
        cd "$dir" && spin -a "$@" "$model" >spin.log &&
            gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c && ./pan -m1000000 -w26
    ) 2>&1
}

verdict() { # what; good; what was found
    if [ "$2" = true ]; then
        echo "ok $1"
    else
        echo "FAILED $1"
        sed 's/^/    /' <<<"$3"
        failed=1
    fi
}

holds() { # what; what spin is told
    local what=$1 found states
    shift
    found=$(search "$@")
    states=$(grep -oE '[0-9]+ states, stored' <<<"$found")
    # Cut short by a limit, it has shown nothing.
    if grep -q 'errors: 0' <<<"$found" && ! grep -qE 'not completed|max search depth|out of memory' <<<"$found"; then
        verdict "$what: ${states%, stored}" true
    else
        verdict "$what" false "$found"
    fi
}

fails() { # what; what spin is told
    local what=$1 found good=false
    shift
    found=$(search "$@")
    grep -q 'assertion violated' <<<"$found" && good=true
    verdict "$what" $good "$found"
}

fails "found: the lease counts from the answer to the beat" -DNODES=1 -DWITHOUT_SENDING
fails "found: no margin for a slow clock" -DNODES=1 -DWITHOUT_MARGIN
fails "found: the look before the beat" -DNODES=1 -DWITHOUT_ORDER
fails "found: a beat that tells what lanes don't enforce yet" -DNODES=1 -DWITHOUT_LANES
fails "found: a node that leaves the list while its lanes work" -DNODES=1 -DWITHOUT_STAYING
fails "found: a fence that ignores a newer beat" -DNODES=1 -DWITHOUT_BEATS
fails "reached: confirmed by a node that has applied it" -DNODES=1 -DNEVER_APPLIED
fails "reached: confirmed by a fence around a node that lives" -DNODES=1 -DNEVER_FENCED
fails "reached: confirmed after a node has left" -DNODES=1 -DNEVER_LEFT
holds "confirmed means enforced, one node, leases of three ticks" -DNODES=1 -DLEASE=3
holds "confirmed means enforced, two nodes" -DNODES=2
exit $failed
