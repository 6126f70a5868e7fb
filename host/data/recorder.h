/* SPDX-License-Identifier: Apache-2.0
 * data/recorder.h: what a stream's `save` wrote, kept until a checkpoint wants it. Inside host/data alone.
 *
 * A stream runs ahead of the batches that training has seen, so its state is recorded now and then as it goes; a
 * checkpoint takes a record that is not too new. Memory is used again. */
#ifndef DATA_RECORDER_H
#define DATA_RECORDER_H

#include "util/arena.h"
#include "util/error.h"

#include <lthost/state.h>

typedef struct record {
    struct record *next;
    enum { RECORD_I64, RECORD_F64, RECORD_STRING, RECORD_BYTES, RECORD_TENSOR } type;
    const char *key;
    int64_t i64;
    double f64;
    const void *data;
    uint64_t size;
    lth_shape shape;
} record;

typedef struct recorder {
    lth_writer abi; /* the first member */
    arena memory;
    record *first, **end;
} recorder;

/* Empty, ready to be handed to a `save`. */
void recorder_begin(recorder *r);
void recorder_free(recorder *r);
/* Writes all of it to another writer, each key with the prefix in front. */
void recorder_replay(const recorder *r, const char *prefix, lth_writer *w);

/* A reader that sees the keys of another one which begin with a prefix, without it. Borrows both. */
typedef struct prefix_reader {
    lth_reader abi; /* the first member */
    lth_reader *inner;
    const char *prefix;
    arena memory;
} prefix_reader;
void prefix_reader_begin(prefix_reader *r, lth_reader *inner, const char *prefix);
void prefix_reader_end(prefix_reader *r);

#endif
