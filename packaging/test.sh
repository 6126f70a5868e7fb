#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that must hold before a change lands: all tests as users build it, all tests under the address and
# undefined-behaviour sanitizers, and a build by clang; warnings are errors in all three.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

need "${build_packages[@]}" "${test_packages[@]}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check PRESET: builds it and runs its tests; keeps the last lines for the end.
check()
{
    echo "== $1: build"
    build "$1" -DLTHOST_BUILD_TESTS=ON
    echo "== $1: test"
    ctest --preset "$1" -j "$(nproc)" | tee "$scratch/log"
    { echo "$1:"; sed -n '/tests passed/,$p' "$scratch/log"; } >>"$scratch/summary"
}

check release
check debug
echo "== clang: build"
build clang -DLTHOST_BUILD_TESTS=ON
echo "clang: built without a warning" >>"$scratch/summary"

echo
cat "$scratch/summary"
