#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh [TARGET...]: which share of the lines of each parser its seeds, and what run.sh has kept, reach. MISSING=1 shows
# those that they do not.
. "$(dirname "$0")/common.sh"
status=0
for target in "${@:-${targets[@]}}"; do
    known "$target"
    build_target "fuzz_$target"
    profile=$build/$target.profraw
    LLVM_PROFILE_FILE=$profile fuzz "fuzz_$target" "tests/fuzz/seeds/$target" "$build/corpus/$target" -runs=0 >$build/log 2>&1
    llvm-profdata-14 merge -o "$profile.data" "$profile"
    llvm-cov-14 export -summary-only -instr-profile="$profile.data" "$build/bin/fuzz_$target" | sed 's/{"filename"/\n&/g' |
        sed -n 's/^{"filename":"\([^"]*\)".*"lines":{"count":\([0-9]*\),"covered":\([0-9]*\).*/\1 \2 \3/p' |
        awk -v target="$target" -v files="${aims[$target]}" '
            function row(name, covered, count) { printf "%-16s %-40s %5d of %5d lines %5.1f %%\n", target, name, covered, count, 100 * covered / count }
            { sub(/^.*\.\.\//, "", $1) } # the build folder stands before it
            index(" " files " ", " " $1 " ") { row($1, $3, $2); count += $2; covered += $3 }
            END { row("all", covered, count); exit covered < 0.9 * count }' || status=1
    if [ -n "${MISSING:-}" ]; then
        read -ra files <<<"${aims[$target]}"
        llvm-cov-14 show -instr-profile="$profile.data" "$build/bin/fuzz_$target" "${files[@]/#/$PWD/$build/../}" |
            grep -E '^(/|  *[0-9]+\|  *0\|)' || true
    fi
done
exit $status
