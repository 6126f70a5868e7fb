#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# recompute.sh LTHOST MODELS SCRATCH: gpt and llama train to the same losses, digit by digit, with gradient checkpointing and
# without, in each precision; with it the plan's working memory is lower.
set -euo pipefail
lthost=$1 models=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
for i in $(seq 200); do echo "Line $i of a text that is short, and says $((i * i % 97)) things."; done >text.txt

fail()
{
    echo "recompute: $*" >&2
    exit 1
}

# memory MODEL ON: working memory in bytes, as `plan` tells it
memory()
{
    "$lthost" plan "$models/$1/run.ini" "${settings[@]}" "model.gradient_checkpointing=$2" |
        sed -nE 's/^working memory ([0-9.e+]+) ([kMG]?)B .*/\1 \2/p' |
        awk 'NR == 1 { scale["k"] = 1e3; scale["M"] = 1e6; scale["G"] = 1e9; print int($1 * ($2 in scale ? scale[$2] : 1)) }'
}

# losses NAME ON SETTING...: ten steps of $model
losses()
{
    local name=$1 on=$2
    shift 2
    "$lthost" fit "$models/$model/run.ini" "${settings[@]}" model.gradient_checkpointing=$on trainer.max_steps=10 "$@" \
        trainer.limit_val_batches=0 trainer.log_every_n_steps=1 trainer.enable_checkpointing=false callback.checkpoint.enabled=false \
        run.dir=runs run.name=$name-$on >log 2>&1 || { cat log; fail "$name"; }
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "train_loss") at = i; next } $at != "" { print $at }' \
        "runs/$name-$on/version_0/metrics.csv" >"$name-$on.losses"
    [ "$(wc -l <"$name-$on.losses")" = 10 ] || fail "$name: no ten steps were logged"
}

# same NAME SETTING...
same()
{
    for on in false true; do losses "$1" $on "${@:2}"; done
    cmp "$1-false.losses" "$1-true.losses" || fail "$1: other losses with checkpoints"
}

for model in gpt llama; do
    settings=(data.path=text.txt data.batch_size=4 model.layers=4 model.width=32 model.heads=2)
    [ $model = llama ] || settings+=(model.dropout=0.1)
    same $model
    for on in false true; do memory $model $on >"$model-$on.memory"; done
    [ "$(cat $model-true.memory)" -lt $(($(cat $model-false.memory) * 3 / 4)) ] ||
        fail "$model: $(cat $model-true.memory) bytes with checkpoints, $(cat $model-false.memory) without"
    echo "$model: $(cat $model-false.memory) bytes, with checkpoints $(cat $model-true.memory)"
    # A fused chain of 16 bits is rounded where it ends, and that is elsewhere with checkpoints.
    settings+=(model.layers=2)
    same $model-bf16-mixed --no-fusion trainer.precision=bf16-mixed
    same $model-bf16-true --no-fusion trainer.precision=bf16-true
    same $model-16-mixed trainer.accelerator=reference trainer.precision=16-mixed
done
