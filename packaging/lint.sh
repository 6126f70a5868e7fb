#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh [BUILD]: clang-tidy and cppcheck over everything that the build folder compiles (default: build/).
# .clang-tidy and packaging/cppcheck.txt say what is off, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

need "${build_packages[@]}" "${test_packages[@]}" "${lint_packages[@]}"
folder=${1:-build}
[ -f "$folder/compile_commands.json" ] || build release -DLTHOST_BUILD_TESTS=ON

mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$folder/compile_commands.json" | sort -u |
    grep -E "^$PWD/(host|sdk|plugins|strategies|loggers)/.*\.c\$")
echo "linting ${#files[@]} files"
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$folder" --quiet
printf '%s\n' "${files[@]}" >"$folder/lint.list"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
    --suppressions-list=packaging/cppcheck.txt -I sdk/include -I "$folder/sdk/include" -I host -D__x86_64__ \
    -DLTHOST_VERSION='""' -DLTHOST_PLUGIN_INSTALL_DIR='""' --file-list="$folder/lint.list"
echo "lint: nothing found"
