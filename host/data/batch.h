/* SPDX-License-Identifier: Apache-2.0
 * data/batch.h: the memory of one batch, used again for the next: what `fetch` and `decode` fill. Inside host/data alone.
 *
 * One thread at a time; the loader sees to it. */
#ifndef DATA_BATCH_H
#define DATA_BATCH_H

#include "module.h"

/* Memory of a field. Behind its `size` bytes lies a guard that a fetch must leave alone. */
typedef struct batch_room {
    unsigned char *at;
    size_t size, capacity;
} batch_room;

typedef struct batch {
    lth_batch abi; /* the first member: what a dataset holds is its address */
    data_batch view;
    const data_field *fields; /* borrowed */
    uint32_t field_count;
    const char **names;
    lth_shape *shapes;
    void **data;
    batch_room *rooms;
    int64_t *indices;          /* of a map-style dataset's samples */
    int64_t *sizes;            /* of them, where the dataset tells */
    lth_reference *references; /* of a stream */
    int64_t epoch;
    uint64_t seed;
    bool is_filled; /* by every fetch, but for varying fields: need not be cleared before */
    bool filling; /* a fetch is running: only then may it ask for fields */
    int64_t allocations;
    error error;
} batch;

/* rows: the most that it will hold; stream: it holds references, not indices. fields are borrowed until batch_free. */
void batch_init(batch *b, const data_field *fields, uint32_t field_count, int64_t rows, uint64_t seed, bool stream);
void batch_free(batch *b);

/* Makes room for `rows` samples, zeroed or padded (is_filled: only where the room is new). varying: the dimension of varying fields, -1: the dataset is to reshape
 * them; with sizes their lengths are b->sizes. */
lth_status batch_begin(batch *b, int64_t rows, int64_t varying, bool with_sizes);
/* After the fetch: were guards left alone and varying fields shaped? Gives b->error where one is wrong. */
lth_status batch_end(batch *b);

#endif
