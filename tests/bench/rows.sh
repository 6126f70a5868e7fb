#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rows.sh LTHOST PLUGINS SOURCE SCRATCH: what packaging/bench.sh measures is in order: each row of rows.ini has a run file that
# `lthost check` accepts, each run file a row, each model fits on a page or two, and the clock tells of every step.
set -euo pipefail
lthost=$1 plugins=$2 source=$3 scratch=$4
wrong=0
complain() { echo "$*" >&2; wrong=1; }

for file in "$source"/rows/*.ini; do
    grep -qx "file = $(basename "$file" .ini)" "$source/rows.ini" || complain "$file: no row of rows.ini measures it"
    "$lthost" check --plugin-dir "$plugins" "$file" >/dev/null || complain "$file: lthost check refuses it"
done
for name in $(sed -n 's/^file = //p' "$source/rows.ini" | sort -u); do
    [ -f "$source/rows/$name.ini" ] || complain "rows.ini: there is no rows/$name.ini"
done
for model in "$source"/models/*/; do
    lines=$(cat "$model"*.[ch] | wc -l)
    [ "$lines" -le 150 ] || complain "$model: $lines lines, more than 150"
done

mkdir -p "$scratch"
rm -rf "$scratch"/*
"$lthost" run --plugin-dir "$plugins" "$source/rows/mlp_tiny.ini" trainer.max_steps=2 run.dir="$scratch/runs" \
    callback.bench_clock.path="$scratch/clock" callback.bench_clock.losses=2 callback.bench_clock.save=true \
    trainer.enable_checkpointing=true 2>/dev/null
[ "$(grep -c '^loss [0-9.]*$' "$scratch/clock")" = 2 ] || complain "the clock did not tell two losses: $(cat "$scratch/clock")"
grep -Eqx 'ends [0-9]+ [0-9]+' "$scratch/clock" || complain "the clock did not tell when two steps ended: $(cat "$scratch/clock")"
[ -f "$scratch/runs/mlp_tiny/version_0/checkpoints/initial/model.safetensors" ] || complain "the initial weights were not kept"
exit $wrong
