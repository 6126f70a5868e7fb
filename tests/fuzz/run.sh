#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh TARGET [SECONDS]: fuzzes the parser for that long (600). What it keeps is in build-fuzz/corpus/TARGET; an input that
# ends it is build-fuzz/corpus/TARGET-crash-...: mend the parser, then put the input among seeds/TARGET.
. "$(dirname "$0")/common.sh"
known "${1:-}"
build_target "fuzz_$1"
fuzz "fuzz_$1" "tests/fuzz/seeds/$1" "$build/corpus/$1" -max_total_time="${2:-600}" -print_final_stats=1
