#!/bin/bash
# Starts the example service and Writ in front of it, issues a first token, prints
# what to try, and stays until Ctrl-C. Everything lives under build/example.
set -euo pipefail
cd "$(dirname "$0")/.."

writ=build/writ
home=build/example
pids=()

stop() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
}
trap stop EXIT
trap 'echo; exit 0' INT TERM

fail() {
    echo "make run: $1" >&2
    exit 1
}

wait_for() { # URL, what, log
    for _ in $(seq 100); do
        curl -s -o /dev/null "$1" && return 0
        for pid in "${pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || { cat "$3" >&2; fail "$2 did not start"; }
        done
        sleep 0.1
    done
    cat "$3" >&2
    fail "$2 did not answer"
}

for port in 9000 7800 7880; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        fail "port $port is taken; stop what listens there, or change examples/orders/*.yaml"
    fi
done

mkdir -p "$home"
cp examples/orders/writ.yaml examples/orders/policy.yaml "$home/"

python3 examples/orders/orders.py 9000 >"$home/orders.log" 2>&1 &
pids+=($!)
wait_for http://127.0.0.1:9000/v1/orders "the example service" "$home/orders.log"

"$writ" serve --config "$home/writ.yaml" >"$home/writ.log" 2>&1 &
pids+=($!)
wait_for http://127.0.0.1:7800/healthz "Writ" "$home/writ.log"

issued=$("$writ" token issue --config "$home/writ.yaml" --subject amara --ttl 8h --name "first token" -o json)
token=$(jq -r .token <<<"$issued")
id=$(jq -r .id <<<"$issued")

cat <<TXT

Writ stands in front of a small orders service, and amara has a token for 8 hours.

Allowed: amara's role reads orders.

  curl -H "Authorization: Bearer $token" http://127.0.0.1:7880/orders/v1/orders/42

Refused: nothing gives amara the right to delete one.

  curl -X DELETE -H "Authorization: Bearer $token" http://127.0.0.1:7880/orders/v1/orders/42

Then, in another terminal here:

  $writ can $id orders:DELETE:/v1/orders/42 --config $home/writ.yaml    # why, and what would allow it
  $writ token revoke $id --config $home/writ.yaml                       # and try the first line again
  $writ audit search --config $home/writ.yaml                           # all of it was written down

The API is at http://127.0.0.1:7800 (its description: /openapi.json), the audit in
$home/data/audit, the policy in $home/policy.yaml. Ctrl-C stops both.
TXT
wait -n "${pids[@]}" || true
fail "a process ended: see $home/writ.log and $home/orders.log"
