/* SPDX-License-Identifier: Apache-2.0
 * data/stream.h: a stream-style dataset as references for one rank's batches, and where it stands. Inside host/data alone.
 *
 * Rank r of W takes the r-th of every W references. A group of W that the end cuts short is left out in training, so that
 * all ranks have equally many samples. One thread at a time. */
#ifndef DATA_STREAM_H
#define DATA_STREAM_H

#include "module.h"
#include "recorder.h"

enum { STREAM_SNAPSHOTS = 2 };

typedef struct stream {
    data_set set;
    int32_t rank, world;
    bool training, drop_last;
    int64_t batch_size;
    int64_t interval; /* batches from one snapshot to the next; more than may be in flight */
    int64_t calls;    /* of `next`, since the epoch's start */
    bool ended;
    lth_reference *pending; /* read ahead, to know which batch is the last */
    int64_t pending_count;
    struct stream_snapshot {
        recorder record;
        int64_t calls;
        bool taken;
    } snapshots[STREAM_SNAPSHOTS];
    int newest;
    int64_t batches_since;
    int64_t loaded_epoch, loaded_batches; /* where `load` left the stream; -1: nowhere */
} stream;

void stream_init(stream *s, const data_set *set, const data_args *args, bool training, int64_t batch_size, int64_t in_flight);
void stream_free(stream *s);
/* Goes to batch `batches` of an epoch. */
lth_status stream_start(stream *s, int64_t epoch, int64_t batches, error *e);
/* The references of the next batch; *count is 0 at the end. */
lth_status stream_draw(stream *s, lth_reference *out, int64_t *count, bool *last, error *e);
/* Writes the newest snapshot that is not beyond batch `batches`, if there is one. */
void stream_save(const stream *s, int64_t batches, lth_writer *w);
/* Takes up what stream_save wrote; the next stream_start there need not begin at the start. */
lth_status stream_load(stream *s, int64_t epoch, int64_t batches, lth_reader *r, error *e);

#endif
