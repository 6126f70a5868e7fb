/* SPDX-License-Identifier: Apache-2.0
 * data/stream.c */
#include "stream.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

static const char prefix[] = "stream.";

void stream_init(stream *s, const data_set *set, const data_args *args, bool training, int64_t batch_size, int64_t in_flight)
{
    *s = (stream) { .set = *set, .rank = args->rank, .world = args->world, .training = training, .batch_size = batch_size };
    s->drop_last = training && args->options->drop_last;
    s->interval = in_flight + 2 > 64 ? in_flight + 2 : 64;
    s->loaded_epoch = s->loaded_batches = -1;
    s->pending = memory_new((size_t)(2 * batch_size) * sizeof *s->pending);
}

void stream_free(stream *s)
{
    free(s->pending);
    for (int i = 0; i < STREAM_SNAPSHOTS; i++)
        recorder_free(&s->snapshots[i].record);
    *s = (stream) { 0 };
}

static lth_status call_next(stream *s, lth_reference *out, error *e)
{
    lth_status status = s->set.table.next(s->set.context, out);
    if (status == LTH_END)
        s->ended = true;
    else if (status)
        error_set(e, status, "the dataset's next failed");
    else
        s->calls++;
    return status;
}

/* One reference for each rank; keeps this one's. LTH_END where there is none for it. */
static lth_status read_row(stream *s, lth_reference *mine, error *e)
{
    bool have = false;
    for (int32_t rank = 0; rank < s->world; rank++) {
        lth_reference r;
        lth_status status = call_next(s, &r, e);
        if (status == LTH_END && have && !s->training)
            return LTH_OK;
        if (status)
            return status;
        if (rank == s->rank) {
            *mine = r;
            have = true;
        }
    }
    return LTH_OK;
}

static lth_status take_snapshot(stream *s, error *e)
{
    if (!s->set.table.save)
        return LTH_OK;
    s->newest = (s->newest + 1) % STREAM_SNAPSHOTS;
    struct stream_snapshot *n = &s->snapshots[s->newest];
    recorder_begin(&n->record);
    n->calls = s->calls;
    n->taken = true;
    s->batches_since = 0;
    lth_status status = s->set.table.save(s->set.context, &n->record.abi);
    return status ? error_set(e, status, "the dataset's save failed") : LTH_OK;
}

static void forget_snapshots(stream *s)
{
    for (int i = 0; i < STREAM_SNAPSHOTS; i++)
        s->snapshots[i].taken = false;
}

lth_status stream_start(stream *s, int64_t epoch, int64_t batches, error *e)
{
    lth_reference unused;
    lth_status status = LTH_OK;
    if (s->loaded_epoch != epoch || s->loaded_batches != batches) {
        forget_snapshots(s);
        s->calls = 0;
        s->ended = false;
        status = s->set.table.rewind(s->set.context, epoch);
        if (status)
            return error_set(e, status, "the dataset's rewind failed");
    }
    s->loaded_epoch = -1;
    s->pending_count = 0;
    s->batches_since = 0;
    int64_t batch = s->batch_size * s->world, target = batches * batch;
    while (!status && s->calls < target)
        status = call_next(s, &unused, e);
    if (status == LTH_END) /* only the last batch may have been a short one */
        status = s->calls > target - batch
                     ? LTH_OK
                     : error_set(e, LTH_INVALID, "the stream ended after %lld samples; it had %lld batches of %lld before",
                                 (long long)s->calls, (long long)batches, (long long)batch);
    return status;
}

lth_status stream_draw(stream *s, lth_reference *out, int64_t *count, bool *last, error *e)
{
    lth_status status = s->batches_since++ >= s->interval ? take_snapshot(s, e) : LTH_OK;
    /* With drop_last the last batch is known by the next one not being full. */
    int64_t wanted = s->batch_size + (s->drop_last ? s->batch_size : 1);
    while (!status && !s->ended && s->pending_count < wanted) {
        status = read_row(s, &s->pending[s->pending_count], e);
        if (!status)
            s->pending_count++;
        else if (status == LTH_END)
            status = LTH_OK;
    }
    *count = status ? 0 : s->pending_count < s->batch_size ? s->pending_count : s->batch_size;
    if (s->drop_last && *count < s->batch_size)
        *count = 0;
    memcpy(out, s->pending, (size_t)*count * sizeof *out);
    s->pending_count -= *count;
    memmove(s->pending, s->pending + *count, (size_t)s->pending_count * sizeof *s->pending);
    *last = s->ended && s->pending_count < (s->drop_last ? s->batch_size : 1);
    return status;
}

/* ---- State ---- */

void stream_save(const stream *s, int64_t batches, lth_writer *w)
{
    const struct stream_snapshot *best = NULL;
    for (int i = 0; i < STREAM_SNAPSHOTS; i++) {
        const struct stream_snapshot *n = &s->snapshots[i];
        if (n->taken && n->calls <= batches * s->batch_size * s->world && (!best || n->calls > best->calls))
            best = n;
    }
    if (!best)
        return; /* from the epoch's start, then */
    lth_put_i64(w, "stream_calls", best->calls);
    recorder_replay(&best->record, prefix, w);
}

lth_status stream_load(stream *s, int64_t epoch, int64_t batches, lth_reader *r, error *e)
{
    int64_t calls;
    s->loaded_epoch = -1;
    if (!s->set.table.load || !lth_get_i64(r, "stream_calls", &calls) || calls < 0 || calls > batches * s->batch_size * s->world)
        return LTH_OK; /* stream_start goes there from the start */
    lth_status status = s->set.table.rewind(s->set.context, epoch);
    prefix_reader below;
    prefix_reader_begin(&below, r, prefix);
    if (!status)
        status = s->set.table.load(s->set.context, &below.abi);
    prefix_reader_end(&below);
    if (status)
        return error_set(e, status, "the dataset could not take up its saved state");
    forget_snapshots(s);
    s->calls = calls;
    s->ended = false;
    s->loaded_epoch = epoch;
    s->loaded_batches = batches;
    return take_snapshot(s, e); /* the next checkpoint may come before another one is due */
}
