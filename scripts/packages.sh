#!/bin/bash
# Installs the Debian packages that a task needs, and nothing when they are there.
set -euo pipefail

build="gcc libc6-dev make meson ninja-build pkg-config re2c libuv1-dev liburing-dev libssl-dev libjansson-dev
       libyaml-dev libsqlite3-dev libpq-dev libcurl4-openssl-dev zlib1g-dev libpg-query-dev postgresql-server-dev-15 libcmocka-dev ca-certificates"
run="curl python3 jq"
test="clang libclang-rt-14-dev llvm nodejs npm nginx-light openssl python3 curl jq sqlite3 procps
      postgresql postgresql-client redis-server redis-tools python3-psycopg2
      docker.io containerd runc podman conmon busybox-static bsdutils strace"
bench="nginx-light haproxy caddy wrk openssl python3 curl jq procps postgresql postgresql-client
       postgresql-contrib pgbouncer redis-server redis-tools"

deb="build-essential debhelper dpkg-dev fakeroot lintian pandoc"
examples="docker-compose golang-go golang-github-masterminds-sprig-dev golang-yaml.v2-dev python3-yaml openssl"
model="spin gcc libc6-dev"
deb_test="debootstrap util-linux iproute2"

case "${1:?usage: packages.sh build|test|bench|deb|deb-test|model|examples}" in
build) wanted="$build $run" ;;
test) wanted="$build $run $test" ;;
bench) wanted="$build $run $bench" ;;
deb) wanted="$build $deb" ;;
examples) wanted="$build $run $examples" ;;
model) wanted="$model" ;;
deb-test) wanted="$build $run $deb $deb_test" ;;
*) echo "packages.sh: unknown task $1" >&2; exit 2 ;;
esac

missing=
for name in $wanted; do
    # A node from elsewhere than Debian will do.
    if [ "$name" = nodejs ] && command -v node >/dev/null; then continue; fi
    if [ "$name" = npm ] && command -v npm >/dev/null; then continue; fi
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
done
install_missing() {
    local as_root='' log
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "Please install, as root:$missing" >&2; exit 1; }
        as_root=sudo
    fi
    echo "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $as_root apt-get update -qq && $as_root env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    rm -f "$log"
}
[ -z "$missing" ] || install_missing

# The standard clients that the end-to-end tests bring: exactly those of the lock file.
[ "$1" = test ] || exit 0
cd "$(dirname "$0")/../test/e2e"
cmp -s package-lock.json node_modules/.lock-installed && exit 0
echo "Installing: npm packages of test/e2e"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.lock-installed
