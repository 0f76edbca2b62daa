#!/bin/bash
# Builds the Debian package of this tree as it lies here (of what git knows, where there is
# git): deb.sh [DIR] leaves DIR/writ_VERSION_ARCH.deb (build/deb) and fails on what lintian
# calls an error.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${1:-build/deb}
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
rm -rf "$dir"
mkdir -p "$dir/writ-$version"
dir=$(realpath "$dir")
log=$dir/build.log

files() {
    git ls-files -z 2>/dev/null || find . \( -path './build*' -o -name node_modules -o -name .git \) -prune -o -type f -print0
}

files | tar --null --files-from=- --create | tar --extract --directory "$dir/writ-$version"
cd "$dir/writ-$version"
mv packaging/debian debian
packaged=$(dpkg-parsechangelog --show-field Version)
if [ "$packaged" != "$version" ]; then
    echo "packaging/debian/changelog says $packaged, meson.build $version" >&2
    exit 1
fi
if ! dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi
cd "$dir"
rm -rf "writ-$version"
# The project has no mail address of its own yet.
lintian --fail-on error --allow-root \
    --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog ./*.changes
ls "$dir"/writ_*.deb
