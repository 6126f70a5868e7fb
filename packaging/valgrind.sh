#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh: the demo under valgrind: two epochs, a third by a resume, an evaluation of the best checkpoint. It fails at the first
# run with an invalid access, a use of what was never set, or a definite leak. OpenBLAS and oneDNN are held to AVX2, as valgrind
# knows no more; tests/valgrind.supp says what of the C library is passed over. About a minute of one core.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh
need "${build_packages[@]}" valgrind
build release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OPENBLAS_CORETYPE=Haswell ONEDNN_MAX_CPU_ISA=AVX2 LTHOST_PLUGIN_SYSTEM_PATH=$PWD/build/lib/lthost/plugins
unset LTHOST_PLUGIN_PATH

# check ARGUMENT...: lthost with them, under valgrind.
check()
{
    echo "== lthost $*"
    valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --error-exitcode=99 \
        --suppressions=tests/valgrind.supp --log-file="$scratch/log" \
        build/bin/lthost "$@" run.dir="$scratch/runs" trainer.enable_progress_bar=false >"$scratch/out" 2>&1 &&
        [ ! -s "$scratch/log" ] || { cat "$scratch/out" "$scratch/log" >&2; echo "valgrind: lthost $1 is not clean" >&2; exit 1; }
}

run=plugins/models/mlp/run.ini
check fit $run trainer.max_epochs=2
check fit $run --resume last trainer.max_epochs=3
check validate $run --ckpt best
echo "valgrind: nothing found"
