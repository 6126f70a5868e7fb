#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bf16.sh LTHOST DATA [MODEL...]: trains the supervised models on real data for 200 steps, three seeds, in fp32 and in bf16-mixed,
# and compares the mean training loss of steps 151 to 200: bf16-mixed's is to be at most 1 % above fp32's. By hand: it takes a while.
# Three seeds are few: over 16 seeds the autoencoder's two losses are 0.4 % apart, and a single seed's -4 to +8 %.
# DATA: the folder of tinyshakespeare.txt and mnist-10k/. SEEDS, THREADS: other than "0 1 2" and one thread, by the environment.
set -euo pipefail
read -ra seeds <<<"${SEEDS:-0 1 2}"
here=$(cd "$(dirname "$0")" && pwd)
lthost=$(realpath "$1") data=$(realpath "$2") models=$here/../../../plugins/models
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

declare -A run=(
    [resnet]="$here/mnist.ini data.images=$data/mnist-10k/t10k-images-idx3-ubyte.gz data.labels=$data/mnist-10k/t10k-labels-idx1-ubyte.gz"
    [lstm]="$models/lstm/run.ini"
    [gpt]="$here/shakespeare.ini data.path=$data/tinyshakespeare.txt"
    [encoder]="$models/encoder/run.ini"
    [autoencoder]="$models/autoencoder/run.ini"
    [llama]="$models/llama/run.ini data.path=$data/tinyshakespeare.txt"
)

# losses MODEL PRECISION SEED: the training losses of steps 151 to 200, a line each
losses()
{
    # shellcheck disable=SC2086 # a run file and its settings
    "$lthost" fit ${run[$1]} run.name="$1-$2-$3" run.dir="$scratch" run.seed="$3" run.threads="${THREADS:-1}" \
        trainer.precision="$2" trainer.max_epochs=-1 trainer.max_steps=200 trainer.limit_val_batches=0 trainer.log_every_n_steps=1 trainer.enable_checkpointing=false \
        callback.checkpoint.enabled=false >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "train_loss") at = i; next }
             $at != "" && ++step > 150 { print $at }
             END { exit step != 200 }' "$scratch/$1-$2-$3/version_0/metrics.csv"
}

[ $# -gt 0 ] || set -- resnet lstm gpt encoder autoencoder llama
status=0
for model in "$@"; do
    for precision in 32-true bf16-mixed; do
        for seed in "${seeds[@]}"; do losses "$model" "$precision" "$seed"; done >"$scratch/$precision"
    done
    awk -v model="$model" -v n=$((50 * ${#seeds[@]})) 'FNR == 1 { file++ } { sum[file] += $1; count[file]++ }
        END { a = sum[1] / count[1]; b = sum[2] / count[2]; away = 100 * (b / a - 1)
              printf "%-12s fp32 %.5f  bf16-mixed %.5f  %+.2f %%\n", model, a, b, away
              exit !(count[1] == n && count[2] == n && away < 1) }' "$scratch/32-true" "$scratch/bf16-mixed" || status=1
done
exit $status
