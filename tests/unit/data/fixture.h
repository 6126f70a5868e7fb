/* SPDX-License-Identifier: Apache-2.0
 * A datamodule for the tests of host/data: each sample tells its own index, so that what a batch holds can be read from it. */
#ifndef TESTS_DATA_FIXTURE_H
#define TESTS_DATA_FIXTURE_H

#include "data/data.h"

#include <stdatomic.h>

/* What the dataset does; zeros are the plain case. */
typedef struct fixture {
    int64_t length;      /* samples, of each stage */
    bool stream;         /* next and decode in place of fetch */
    bool unknown_length; /* of a stream */
    bool can_save;       /* of a stream */
    bool varies;         /* a field "t" of length size_of(i), holding i in each place, padded with -7 */
    bool collates;       /* the dataset has no size and reshapes "t" by itself */
    bool cheap, fills;   /* the flags */
    int64_t skips;       /* samples from this one on leave "x" alone; 0: none */
    double (*weight)(void *context, int64_t index);
    int64_t fails_at; /* a sample whose fetch fails; 0: none */
    bool overruns;    /* writes one byte too many */
    int64_t delay;    /* microseconds a fetch, by sample: so threads end out of order */
    int32_t rank, world;
    uint64_t seed;
    data_options options;

    data_module *module;
    atomic_long fetched, started, nexts;
    int64_t position; /* of the stream */
    int64_t stream_epoch;
} fixture;

/* Sizes 1..9, different from neighbour to neighbour. */
int64_t size_of(int64_t index);

/* The default options, by the table itself. */
data_options default_options(void);

/* Opens and sets up; the tests own *f and close it. */
void fixture_open(fixture *f);
void fixture_close(fixture *f);
data_loader *fixture_loader(fixture *f, lth_stage stage);

/* The samples that an epoch gives from a position on, at most `room`; returns how many. Batch sizes go to `sizes` where that is
 * not NULL, ended by 0. */
int64_t epoch_samples(data_loader *l, int64_t epoch, int64_t position, int64_t *out, int64_t room, int64_t *sizes);
/* The same for the rest of an epoch that is under way. */
int64_t rest_samples(data_loader *l, int64_t *out, int64_t room, int64_t *sizes);

const void *field_of(const data_batch *b, const char *name, lth_shape *shape);

/* An lth_writer and lth_reader over a list of i64 values and strings. */
typedef struct memory_state {
    lth_writer writer;
    lth_reader reader;
    struct {
        char key[48], text[24];
        int64_t value;
    } at[32];
    int count;
} memory_state;
void memory_state_begin(memory_state *m);

#endif
