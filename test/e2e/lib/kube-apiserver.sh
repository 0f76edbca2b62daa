#!/bin/sh
# Builds a real kube-apiserver (1.20) from Debian's own source package, once, into the cache
# where test/e2e/kubernetes.test.mjs looks for it. About five minutes of one core.
#
#   apt-get install golang-go etcd-server dpkg-dev
#   test/e2e/lib/kube-apiserver.sh
set -eu

out=${WRIT_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/writ/kubernetes}
[ -x "$out/kube-apiserver" ] && { echo "$out/kube-apiserver is there"; exit 0; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/go/src/k8s.io" "$out"
cd "$work"

# The source, by an apt state of its own: the system's lists stay as they are.
. /etc/os-release
echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" > sources.list
apt='-o Dir::Etc::sourcelist='$work'/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists='$work'/lists'
apt-get $apt update -qq
apt-get $apt source --download-only -qq kubernetes
dpkg-source --no-check -x kubernetes_*.dsc "$work/go/src/k8s.io/kubernetes" > /dev/null

# The package has no generated OpenAPI definitions, and vendors what generates them.
export GOPATH=$work/go GO111MODULE=off GOPROXY=off GOFLAGS= GOCACHE=$work/cache
cd "$GOPATH/src/k8s.io/kubernetes"
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
packages=$(grep -rl --include='*.go' '^// +k8s:openapi-gen=' cmd pkg staging vendor | sed 's|/[^/]*$||' |
    sed 's|^vendor/||; s|^staging/src/||; /^k8s.io\//!s|^|k8s.io/kubernetes/|' | sort -u | paste -sd,)
"$work/openapi-gen" -h /dev/null -O zz_generated.openapi -i "$packages" \
    -p k8s.io/kubernetes/pkg/generated/openapi -r "$work/violations" > "$work/openapi.log" 2>&1 ||
    { tail -5 "$work/openapi.log" >&2; exit 1; }
go build -o "$out/kube-apiserver.new" ./cmd/kube-apiserver
mv "$out/kube-apiserver.new" "$out/kube-apiserver"
echo "$out/kube-apiserver"
