#!/bin/bash
# Makes the generated parts of docs/ from the program itself: docs.sh [WRIT]
# docs.sh --check [WRIT] changes nothing and fails when one is out of date, or when
# docs/api.md leaves a path of the API out.
set -euo pipefail
cd "$(dirname "$0")/.."

check=
[ "${1:-}" = --check ] && { check=1; shift; }
writ=${1:-build/writ}
failed=0

put() { # file; the new text on standard input
    local new
    new=$(mktemp)
    cat >"$new"
    if [ -z "$check" ]; then
        cat "$new" >"$1"
    elif ! diff -u "$1" "$new" >&2; then
        echo "$1 is out of date: make docs" >&2
        failed=1
    fi
    rm -f "$new"
}

# "usage: writ token issue …" begins a section of that name.
sections() {
    awk '
        /^usage: writ / || /^everywhere:/ {
            if (open) print "```\n"
            name = $0
            sub(/^usage: /, "", name)
            sub(/ (\[|ID|RIGHT|FILE|TOKEN|bash).*/, "", name)
            print (/^everywhere:/ ? "## Options of every command" : "## " name) "\n\n```"
            open = 1
            blank = 0
        }
        /^$/ { blank++; next }
        { for (; blank > 0; blank--) if (open) print ""; if ($0 != "everywhere:") print }
        END { if (open) print "```" }'
}

{
    cat <<'TXT'
# Commands

Made from the program's own help by `make docs`. Exit status: 0 done, 1 refused or failed, 2 wrong
usage; `writ can` also knows 3, could not ask. Durations are `30s`, `10m`, `1h`, `7d`. What takes a
time takes `2026-12-31T08:00:00Z`; `--since`, `--until` and `--issued-before` also take a duration ago.

The commands ask the running authority at its local socket, as root or as the user that it runs as.
With `--url` and a token in `WRIT_TOKEN` they ask over HTTP, and may what the token may.
`token attenuate`, `token public`, `token check`, `token expression` and `policy test` with files
need no authority;
`audit verify` does without one when none runs.

TXT
    { "$writ" serve --help; echo; "$writ" config --help; echo; "$writ" help --all; } | sections
} | put docs/cli.md

{
    cat <<'TXT'
# Configuration

`writ serve` reads `./writ.yaml`, or `--config FILE`. The file is YAML without anchors, aliases and
tags. Dots below are levels: `limits.max_ttl: 2d` is written

```yaml
limits:
  max_ttl: 2d
```

Paths are relative to the file that names them. `writ serve --check` reads the file and names every
fault at once, with line and column; `writ config show` prints what is in force, defaults included.
On `SIGHUP` or `writ reload` the file is read again: what is marked so is taken over, together with the
policy files and certificates; for the rest a restart is needed, which the log says. A wrong file
changes nothing.

A listener that is not on a loopback address and has no `tls` does not start, unless `insecure: true`
says that this is meant.

TXT
    "$writ" config reference
} | put docs/configuration.md

while read -r method path; do
    grep -qF "$method $path" docs/api.md || {
        echo "docs/api.md says nothing of: $method $path" >&2
        failed=1
    }
done < <(grep -oE '\{ "(GET|POST|PUT|DELETE)", "[^"]+"' src/authority/routes.c |
    sed -E 's/\{ "([A-Z]+)", "([^"]+)"/\1 \2/')
exit $failed
