#!/bin/bash
# The Debian package on a clean Debian: deb.sh PACKAGE.deb, as root. Installs it with its
# dependencies into a root of its own, starts it as its user, lets one request through and
# refuses another, upgrades, removes and purges it. Prints "ok …" or "FAILED …" per line.
set -uo pipefail

deb=$(realpath "${1:?usage: deb.sh PACKAGE.deb}")
mirror=${MIRROR:-http://deb.debian.org/debian}
self=$(realpath "$0")
[ "$(id -u)" = 0 ] || { echo "deb.sh: debootstrap and chroot need root" >&2; exit 2; }

# In namespaces of its own nothing is left over, mounts and processes included.
if [ -z "${WRIT_DEB_INSIDE:-}" ]; then
    root=$(mktemp -d)
    trap 'rm -rf "$root" "$root.log"' EXIT
    chmod 755 "$root"
    WRIT_DEB_INSIDE=$root unshare --mount --pid --fork --kill-child --mount-proc "$self" "$deb"
    exit
fi
root=$WRIT_DEB_INSIDE
failed=0

check() { # what; the command that must succeed
    local what=$1
    shift
    if "$@" >"$root.log" 2>&1; then
        echo "ok $what"
    else
        echo "FAILED $what"
        sed 's/^/    /' "$root.log"
        failed=1
    fi
}
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }
# What a package may leave its mark on without leaving anything.
files() {
    find "$root" -xdev \( -path "$root/proc" -o -path "$root/var/log" -o -path "$root/var/cache" \
        -o -path "$root/var/lib/apt" -o -path "$root/var/lib/dpkg" -o -path "$root/run" -o -path "$root/tmp" \) -prune \
        -o -printf '%P\n' | grep -vE '^(etc/ld\.so\.cache|etc/(passwd|group|shadow|gshadow)-)$' | sort
}
owner_is() { [ "$(inside stat -c '%U:%G %a' "$1")" = "$2" ]; }
answer_is() { # status; path; curl's options
    local status=$1 path=$2
    shift 2
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$@" "http://127.0.0.1:7880$path")" = "$status" ]
}
answers() { # URL: in ten seconds, with 200
    for _ in $(seq 100); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' "$1")" = 200 ] && return
        sleep 0.1
    done
    return 1
}

debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || {
    tail "$root.log"
    echo "FAILED debootstrap"
    exit 1
}
mount -t proc proc "$root/proc"
cp "$deb" "$root/tmp/writ.deb"
check "the package lists are read" apt update
before=$(files)

# --- installed ------------------------------------------------------------------------------

check "it installs with its dependencies, nothing recommended" \
    apt install --no-install-recommends -y /tmp/writ.deb
check "the program runs" inside writ version
check "its state is its own" owner_is /var/lib/writ "writ:writ 700"
check "its configuration is read by root and itself" owner_is /etc/writ "root:writ 750"
check "upstreams' credentials too" owner_is /etc/writ/secrets "root:writ 750"
check "its user can't log in" inside grep -q '^writ:.*:/usr/sbin/nologin$' /etc/passwd
check "the shipped configuration is well formed" inside writ serve --check --config /etc/writ/writ.yaml
check "the unit is where systemd looks" test -f "$root/lib/systemd/system/writ.service"
check "bash completion is a script" bash -n "$root/usr/share/bash-completion/completions/writ"
for page in man1/writ.1 man5/writ.yaml.5 man5/writ-policy.5; do
    # A minimal Debian image leaves manual pages out; the package has them.
    check "manual page $page" sh -c "dpkg-deb -c '$deb' | grep -q '/usr/share/man/$page.gz'"
done

# --- started, alone on this network ---------------------------------------------------------

cat >"$root/etc/writ/policy.yaml" <<'YAML'
upstreams:
  files: {type: http, url: "http://127.0.0.1:9000"}
roles:
  reader:
    allow: ["files:GET:/open/**"]
subjects:
  amara: {type: user, roles: [reader]}
YAML
mkdir -p "$root/tmp/www/open" "$root/tmp/www/shut"
echo hello | tee "$root/tmp/www/open/a" >"$root/tmp/www/shut/a"

# shellcheck disable=SC2317
served() {
    local token id pid status
    ip link set lo up
    python3 -m http.server -b 127.0.0.1 -d "$root/tmp/www" 9000 >/dev/null 2>&1 &
    chroot --userspec=writ:writ "$root" /usr/bin/writ serve --config /etc/writ/writ.yaml 2>"$root/tmp/writ.log" &
    pid=$!
    check "the service answers" answers http://127.0.0.1:9000/open/a
    check "it serves as its user" answers http://127.0.0.1:7800/readyz
    token=$(inside writ token issue --subject amara -o json)
    id=$(jq -r .id <<<"$token")
    token=$(jq -r .token <<<"$token")
    check "root gets a token without naming a configuration" test "${#token}" -gt 20
    check "nobody else does" not inside setpriv --reuid=nobody --regid=nogroup --clear-groups \
        writ token issue --subject amara
    check "what the token is for is let through" answer_is 200 /files/open/a -H "Authorization: Bearer $token"
    check "what it is not for is refused" answer_is 403 /files/shut/a -H "Authorization: Bearer $token"
    check "without a token nothing is let through" answer_is 401 /files/open/a
    sed -i 's#/open/#/shut/#' "$root/etc/writ/policy.yaml"
    kill -HUP $pid
    sleep 1
    check "SIGHUP takes a policy over" answer_is 200 /files/shut/a -H "Authorization: Bearer $token"
    check "and what it took away" answer_is 403 /files/open/a -H "Authorization: Bearer $token"
    check "a revocation" inside writ token revoke "$id"
    check "holds" answer_is 401 /files/shut/a -H "Authorization: Bearer $token"
    check "the audit verifies" inside writ audit verify
    kill -TERM $pid
    wait $pid
    status=$?
    check "SIGTERM ends it in order" test $status = 0
    [ "$status" = 0 ] || sed 's/^/    /' "$root/tmp/writ.log"
    kill %1
    return $failed
}
not() { ! "$@"; }
export -f served check inside answer_is answers not
root=$root failed=$failed unshare --net bash -c served || failed=1

# --- upgraded, removed, purged -----------------------------------------------------------------

echo "# mine" >>"$root/etc/writ/writ.yaml"
inside chown root:root /etc/writ
check "it installs again" inside dpkg -i /tmp/writ.deb
check "an administrator's file is kept" grep -q '^# mine' "$root/etc/writ/writ.yaml"
check "an administrator's mode is kept" owner_is /etc/writ "root:root 750"
check "it is removed" apt remove -y writ
check "the keys and the audit stay" test -f "$root/var/lib/writ/key" -a -d "$root/var/lib/writ/audit"
check "the configuration stays" test -f "$root/etc/writ/writ.yaml"
check "it is purged" apt purge -y --autoremove writ
check "nothing is left" diff <(echo "$before") <(files)
check "not even its user" not inside getent passwd writ
exit $failed
