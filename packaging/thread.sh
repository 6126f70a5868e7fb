#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# thread.sh: all of lthost under the thread sanitizer, in build-thread/: the demo on four loader threads, with the csv logger's
# thread, the watch's, a checkpoint every few steps and validation in mid-epoch, on `reference` and on two threads of `cpu`; the
# same with a stream; interrupted by SIGINT and resumed. A race in any of it fails. About three minutes of two cores with an empty
# ccache, then twenty seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/dependencies.sh
need "${build_packages[@]}" "${test_packages[@]}"
cmake --preset thread -DLTHOST_BUILD_TESTS=ON >/dev/null
plugins=(mlp digits digits_on_threads survivor csv_logger reference cpu single adamw cosine checkpoint early_stopping progress summary
    lr_monitor)
cmake --build build-thread --target lthost "${plugins[@]/%/_files}" >build-thread/log || { tail -50 build-thread/log >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LTHOST_PLUGIN_SYSTEM_PATH=$PWD/build-thread/lib/lthost/plugins TSAN_OPTIONS=second_deadlock_stack=1
export LTHOST_PLUGIN_PATH=$PWD/build-thread/tests/threads:$PWD/build-thread/tests/plugins
lthost=$PWD/build-thread/bin/lthost
cd "$scratch"
cat >run.ini <<'END'
[trainer]
max_epochs = 4
log_every_n_steps = 1
val_check_interval = 0.5
hook_timeout = 600
[model]
use = mlp
hidden = 16
[data]
use = digits
batch_size = 32
workers = 4
[optimizer]
use = adamw
[scheduler]
use = cosine
interval = step
[callback.checkpoint]
every_n_train_steps = 5
[callback.early_stopping]
monitor = val_loss
patience = 50
[callback.lr_monitor]
[logger.csv]
END
sed 's/^use = digits/use = survivor_stream/; s/^val_check_interval.*//' run.ini >stream.ini

# expect STATUS WHAT: the last run's words hold no report, and it ended so.
expect()
{
    if [ "$status" -ne "$1" ] || grep -q 'ThreadSanitizer' out; then
        cat out >&2
        echo "thread: $2 ended with $status" >&2
        exit 1
    fi
    echo "$2: no race"
}

# run WHAT ARGUMENT...
run()
{
    local what=$1
    shift
    status=0
    "$lthost" "$@" >out 2>&1 || status=$?
    expect 0 "$what"
}

"$lthost" plugins why digits | grep -A 1 digits_on_threads | grep -q used || { echo "thread: the samples are not fetched on threads" >&2; exit 1; }
run "reference" fit run.ini run.name=reference trainer.accelerator=reference
run "cpu on 2 threads" fit run.ini run.name=cpu trainer.accelerator=cpu run.threads=2
run "a stream" fit stream.ini run.name=stream trainer.accelerator=reference trainer.max_steps=100

"$lthost" fit run.ini run.name=stopped trainer.accelerator=reference trainer.max_epochs=1000 >out 2>&1 &
process=$!
for _ in $(seq 600); do
    compgen -G 'runs/stopped/version_0/checkpoints/*/manifest.json' >found && break
    sleep 0.1
done
kill -INT $process
status=0
wait $process || status=$?
expect 130 "SIGINT"
run "its resume" fit run.ini run.name=stopped trainer.accelerator=reference trainer.max_epochs=1000 trainer.max_steps=400 --resume last
echo "thread: nothing found"
