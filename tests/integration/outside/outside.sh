#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# outside.sh BUILD SCRATCH CC CXX GENERATOR: what is installed serves authors outside the tree, also after it was moved.
# A model by plain cc and pkg-config, a model in C++20, one with an op of its own, a datamodule, a callback and a logger by
# find_package(lthost) are built against the installed SDK, dropped into one folder, and train together.
set -euo pipefail
build=$1 scratch=$2 cc=$3 cxx=$4 generator=$5
here=$(cd "$(dirname "$0")" && pwd)
unset LTHOST_PLUGIN_PATH LTHOST_PLUGIN_SYSTEM_PATH CFLAGS CXXFLAGS LDFLAGS PKG_CONFIG_LIBDIR
export XDG_DATA_HOME=$scratch/data
umask 022

fail()
{
    echo "outside: $*" >&2
    exit 1
}

rm -rf "$scratch"
mkdir -p "$scratch/plugins/plane"
cmake --install "$build" --prefix "$scratch/installed" >/dev/null
mv "$scratch/installed" "$scratch/moved"
prefix=$scratch/moved
lthost=$prefix/bin/lthost
if grep -rlI "$scratch/installed" "$prefix/lib" "$prefix/include"; then
    fail "the files above remember where they were installed first"
fi

# By hand: the compiler and pkg-config.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
flags=$(pkg-config --cflags --libs lthost-sdk)
# shellcheck disable=SC2086 # flags are words
"$cc" -std=c11 -O2 -Wall -Wextra -Werror "$here/plane/plane.c" $flags -o "$scratch/plugins/plane/plane.so"
"$lthost" manifest "$scratch/plugins/plane/plane.so" --output "$scratch/plugins/plane/plugin.ini"

# By CMake; `install` puts them where the hand-made one lies.
for project in curve bump waves tally lines; do
    cmake -G "$generator" -S "$here/$project" -B "$scratch/$project" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$scratch/by-cmake" >/dev/null
    cmake --build "$scratch/$project" >/dev/null
    cmake --install "$scratch/$project" >/dev/null
    mv "$scratch/by-cmake/lib/lthost/plugins/$project" "$scratch/plugins/"
done
[ -f "$scratch/plugins/waves/weights.txt" ] || fail "the datamodule's own file was not installed"

for plugin in "$scratch"/plugins/*/*.so; do
    exported=$(nm -D --defined-only "$plugin" | awk '{print $3}')
    [ "$exported" = lth_plugin_entry_v1 ] || fail "$plugin exports: $exported"
done
for name in plane curve bump waves tally lines; do
    "$lthost" plugins why "$name" --plugin-dir "$scratch/plugins" >"$scratch/why" || { cat "$scratch/why"; fail "$name is not found"; }
done

# They train together: each model fits the plane, the callback counts, the logger writes.
cd "$scratch"
for model in plane curve bump; do
    "$lthost" run "$here/run.ini" --plugin-dir "$scratch/plugins" model.use=$model run.dir="$scratch/runs" run.name=$model
    folder=$(dirname "$(find "$scratch/runs" -name lines.txt -path "*$model*" | head -n 1)")
    [ "$(cat "$folder/tally.txt")" = 320 ] || fail "$model: the callback did not count 20 epochs of 16 batches"
    awk -v model=$model '$2 == "val_loss" { n++; if (n == 1) first = $3; last = $3 }
        END { if (n < 20 || last > first / 2) { print model ": val_loss went from " first " to " last " in " n " rows"; exit 1 } }' \
        "$folder/lines.txt"
done
"$lthost" plan "$here/run.ini" --plugin-dir "$scratch/plugins" model.use=bump >plan.txt
grep -q "bump.gauss" plan.txt || fail "the plan does not show the author's op"
echo "outside: six projects built against a moved prefix trained together"
