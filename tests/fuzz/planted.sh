#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# planted.sh [TARGET...]: each target finds the bug of planted/TARGET.sed within a minute, from those seeds that do not show it.
. "$(dirname "$0")/common.sh"
status=0
for target in "${@:-${targets[@]}}"; do
    known "$target"
    build_target "fuzz_${target}_planted"
    corpus=$(mktemp -d)
    mkdir "$corpus/seeds"
    for seed in tests/fuzz/seeds/"$target"/*; do
        "$build/bin/fuzz_${target}_planted" "$seed" >/dev/null 2>&1 && cp "$seed" "$corpus/seeds"
    done
    began=$(date +%s%N)
    if fuzz "fuzz_${target}_planted" "$corpus/seeds" "$corpus/new" -max_total_time=60 >$build/log 2>&1; then
        echo "$target: the planted bug was not found within a minute"
        status=1
    else
        echo "$target: found after $((($(date +%s%N) - began) / 1000000)) ms, with $(ls "$corpus/seeds" | wc -l) seeds: $(grep -a -m1 -E 'ERROR|runtime error|finding' $build/log)"
    fi
    rm -rf "$corpus"
done
exit $status
