#!/bin/bash
# Makes a manual page of documents: man.sh PAGE.SECTION "what it is" FILE.md… >page
# The documents stay the only text; here they get the frame that man asks for.
set -euo pipefail

page=${1:?usage: man.sh PAGE.SECTION WHAT FILE.md…} what=$2
name=${page%.*}
shift 2

{
    printf '# NAME\n\n%s - %s\n\n' "$name" "$what"
    for file in "$@"; do
        # Links go to documents that man does not have: their text stays.
        sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' "$file"
        echo
    done
} | pandoc -f gfm -t man -s --lua-filter="$(dirname "$0")/man.lua" -M hyphenate=false \
    -M title="${name^^}" -M section="${page##*.}" -M footer=Writ -M header=Writ
