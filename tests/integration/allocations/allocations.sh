#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# allocations.sh LTHOST COUNT_LIBRARY PLUGINS SCRATCH TRACES: in the demo's run no step allocates once each plan is compiled: not
# the host, no plugin, no loader thread, no logger. With a log row at every step and a learning-rate monitor besides. Nor does
# one of the models whose run files are in TRACES, in each precision, nor one that logs metrics.
set -euo pipefail
lthost=$1 count=$2 plugins=$3 scratch=$4 traces=$5
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

# run NAME SETTING...: the demo's run file and what a setting changes.
run() { count_in "$plugins/../demo.ini" "$@"; }

# count_in RUN_FILE NAME SETTING...
count_in()
{
    local file=$1 name=$2
    shift 2
    COUNT_FILE=$scratch/$name LD_PRELOAD=$count "$lthost" run "$file" --plugin-dir "$plugins" run.dir=runs \
        run.name="$name" trainer.max_epochs=6 callback.probe.from_epoch=3 callback.lr_monitor.logging_interval=step "$@" >"$name.log" 2>&1 ||
        { cat "$name.log" >&2; exit 1; }
    [ -s "$name" ] || { echo "allocations: $name: nothing was counted" >&2; exit 1; }
    tail -n 1 "$name" | sed "s/^/$name: /"
    grep -q '^windows 3 own 0 library' "$name" || { echo "allocations: $name: these allocate in steady steps:" >&2; cat "$name" >&2; exit 1; }
}

run demo
run every_step trainer.log_every_n_steps=1
run loader_threads trainer.log_every_n_steps=1 data.workers=2
run accumulating trainer.log_every_n_steps=1 trainer.accumulate_grad_batches=3
run reference trainer.accelerator=reference
for file in "$traces"/*.ini; do
    name=$(basename "$file" .ini)
    count_in "$file" "$name"
    count_in "$file" "$name-reference" trainer.accelerator=reference
    for precision in bf16-mixed bf16-true; do
        count_in "$file" "$name-$precision" trainer.precision=$precision
    done
    count_in "$file" "$name-16-mixed" trainer.precision=16-mixed trainer.accelerator=reference
done

# Metrics that gather, with validation inside the window. Checkpoints are no part of a step; the logger's thread would be
# epochs behind a run as short as this, and is counted above.
cat >scored.ini <<'END'
[trainer]
accelerator = cpu
val_check_interval = 0.5
[model]
use = scored
[data]
use = scored_data
batch_size = 5
[optimizer]
use = adamw
[callback.checkpoint]
enabled = false
[logger.csv]
enabled = false
END
count_in scored.ini scored
count_in scored.ini scored-reference trainer.accelerator=reference

# The count can see: in the first epoch plans are compiled inside the window.
COUNT_FILE=$scratch/first LD_PRELOAD=$count "$lthost" run "$plugins/../demo.ini" --plugin-dir "$plugins" run.dir=runs run.name=first \
    trainer.max_epochs=1 callback.probe.from_epoch=0 trainer.accumulate_grad_batches=3 >first.log 2>&1
grep -q '^windows 1 own [1-9]' first || { echo "allocations: compiling a plan was not seen to allocate" >&2; exit 1; }
