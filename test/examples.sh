#!/bin/bash
# The examples of compose and Helm are what they should be: examples.sh [WRIT]. Prints "ok …" or
# "FAILED …" per line. What runs here is Debian's: docker-compose reads the compose file, a small
# program with the template library of Helm renders the chart, and Writ checks the configurations.
set -uo pipefail
cd "$(dirname "$0")/.."

writ=$(realpath "${1:-build/writ}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

check() { # what; the command that must succeed
    local what=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        echo "ok $what"
    else
        echo "FAILED $what"
        sed 's/^/    /' "$dir/log"
        failed=1
    fi
}

export GO111MODULE=off GOFLAGS='' GOPATH=/usr/share/gocode GOCACHE=$dir/cache
check "the program that renders the chart" go build -o "$dir/render" test/chart/render.go
render() { "$dir/render" examples/helm/writ "$@"; }
refuses() { # words; values that are laid over the good ones
    echo "$2" >"$dir/more.yaml"
    ! render test/chart/values.yaml "$dir/more.yaml" >"$dir/out" 2>&1 && grep -qF "$1" "$dir/out"
}
looks() { # values…
    render "$@" >"$dir/objects" && python3 test/chart/look.py "$dir" <"$dir/objects"
}

cp -r examples/compose "$dir/"
check "secrets.sh makes what the nodes share" "$dir/compose/secrets.sh"
check "and never again over it" bash -c "! '$dir/compose/secrets.sh'"
check "the compose file" docker-compose -f examples/compose/compose.yaml config --quiet
check "the compose nodes' configuration" "$writ" serve --check --config "$dir/compose/writ.yaml"

check "the chart's objects" looks test/chart/values.yaml
check "the chart's configuration" "$writ" serve --check --config "$dir/writ.yaml"
check "a chart without TLS says that it means it" refuses 'or say clear: true' 'tls: {secretName: ""}'
check "a chart without a store" refuses store.url 'store: {url: ""}'
check "a chart without a key" refuses secretName: 'secretName: ""'
printf 'tls: {secretName: ""}\nclear: true\ndoors: {postgres: false, redis: false}\nnetwork: {clients: [], administrators: []}\n' >"$dir/bare.yaml"
check "a chart behind a mesh, for nobody" looks test/chart/values.yaml "$dir/bare.yaml"
check "its configuration" "$writ" serve --check --config "$dir/writ.yaml"
if command -v helm >/dev/null; then
    check "helm lint" helm lint -f test/chart/values.yaml examples/helm/writ
fi
exit $failed
