#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# abi.sh OLD NEW: what a plugin can see of the ABI, compared between two trees, as a report to be read: a source tree of lthost, or
# a prefix that one was installed to. Exit status 0: nothing has changed; 1: something has, read on; 2: the comparison failed.
#
#   git worktree add ../before v0.1.0 && packaging/abi.sh ../before .
#
# abidiff compares types that are compiled with debugging information, so each tree's headers are compiled into a library whose
# one symbol leads to every table. Nothing is suppressed: slots added at a table's end are listed, too, and are right there; an
# offset, a type or an order that has changed is not. (tests/abi fails for those already: this is for what changes on purpose.)
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/packaging/dependencies.sh"
[ $# -eq 2 ] || { sed -n '3,5s/^# //p' "$0" >&2; exit 2; }
need gcc libc6-dev abigail-tools

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# library TREE OUT: every struct of the tree's headers behind one exported symbol.
library()
{
    local include=
    for include in "$1/sdk/include" "$1/include"; do
        [ -f "$include/lthost/lthost.h" ] && break
        include=
    done
    [ "$include" ] || { echo "abi: $1 has no lthost/lthost.h, neither in sdk/include nor in include" >&2; exit 2; }
    {
        echo '#include <lthost/lthost.h>'
        echo 'struct lth_abi {'
        sed -n 's/^\(typedef \)\{0,1\}\(struct lth_[a-z0-9_]*[a-z0-9]\) {.*/\2/p' "$include"/lthost/*.h | sort -u |
            while read -r name; do echo "    $name *${name#struct };"; done
        echo '};'
        echo '__attribute__((visibility("default"))) struct lth_abi lth_abi_;'
    } >"$scratch/abi.c"
    gcc -std=c11 -g -fPIC -shared -fvisibility=hidden -w -I"$include" "$scratch/abi.c" -o "$2"
}

library "$1" "$scratch/old.so"
library "$2" "$scratch/new.so"
status=0
abidiff "$scratch/old.so" "$scratch/new.so" || status=$?
case $status in
0) echo "abi: nothing has changed" ;;
*[13579]) echo "abi: abidiff failed" >&2; exit 2 ;;
*) exit 1 ;;
esac
