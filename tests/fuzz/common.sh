# SPDX-License-Identifier: Apache-2.0
# What run.sh, coverage.sh and planted.sh share: the targets, what each aims at, and how one is built and run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The files of the parser that a target aims at.
declare -A aims=(
    [run_file]="host/config/ini.c host/config/config.c host/config/expand.c host/config/quote.c host/config/value.c host/config/number.c host/config/schema.c host/config/resolved.c"
    [plugin_manifest]="host/registry/manifest_read.c host/registry/manifest.c host/config/ini.c"
    [safetensors]="host/trainer/safetensors_read.c"
    [checkpoint]="host/trainer/checkpoint_manifest.c host/trainer/state_io.c host/trainer/metrics_state.c host/data/loader_state.c host/util/json.c"
    [csv]="plugins/datamodules/csv/reader.c plugins/datamodules/csv/frame.c plugins/datamodules/csv/text_list.c plugins/datamodules/csv/csv.c"
    [idx]="plugins/datamodules/idx/file.c plugins/datamodules/idx/idx.c"
    [text]="plugins/datamodules/text/tokens.c plugins/datamodules/text/text.c"
    [digits]="plugins/datamodules/digits/digits.c"
)
targets=(run_file plugin_manifest safetensors checkpoint csv idx text digits)

build=build-fuzz
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 LLVM_PROFILE_FILE=/dev/null

known()
{
    [ -n "${aims[${1:-}]:-}" ] && return
    echo "usage: $0 TARGET ...; targets: ${targets[*]}" >&2
    exit 2
}

# build_target PROGRAM
build_target()
{
    [ -f $build/build.ninja ] || cmake --preset fuzz >/dev/null
    cmake --build $build --target "$1" >$build/log 2>&1 || { tail -30 $build/log >&2; exit 1; }
}

# fuzz PROGRAM SEEDS FOLDER ARGUMENT...: begins with the seeds and with what FOLDER holds, which gets what is new. What asks for
# more than 64 MiB at once, takes more than 1 GiB or ten seconds is a finding, too.
fuzz()
{
    local program=$build/bin/$1 seeds=$2 corpus=$3
    shift 3
    mkdir -p "$corpus"
    "$program" -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=10 -max_len=4096 -dict=tests/fuzz/words.dict -verbosity=1 \
        -artifact_prefix="$corpus-" "$@" "$corpus" "$seeds"
}
