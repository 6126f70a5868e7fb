/* SPDX-License-Identifier: Apache-2.0
 * What a datamodule offers, taken in as the host would. */
#ifndef TEST_DATA_FIXTURE_H
#define TEST_DATA_FIXTURE_H

#include "plugin_fixture.h"

enum { OFFER_FIELDS = 4 };

typedef struct offer {
    lth_data data; /* what setup gets; first */
    lth_field fields[OFFER_FIELDS];
    uint32_t field_count;
    lth_dataset datasets[LTH_STAGE_SANITY];
    void *contexts[LTH_STAGE_SANITY];
    lth_status status;
    lth_stage stage; /* that setup is told of */
} offer;

/* Calls the datamodule's setup, for training unless a stage is given; its status. */
lth_status offer_take(offer *o, plugin *datamodule);
lth_status offer_take_stage(offer *o, plugin *datamodule, lth_stage stage);
const lth_field *offer_field(const offer *o, const char *name);

/* Rows [first, first + count) of a stage: `x` (floats, or what it is declared as) and `y`. The caller frees both. Seed and
 * epoch: those of the run, 0 unless given. */
typedef struct rows { float *x; void *y; } rows;
rows offer_fetch(const offer *o, lth_stage stage, int64_t first, int64_t count);
rows offer_fetch_keyed(const offer *o, lth_stage stage, int64_t first, int64_t count, uint64_t seed, int64_t epoch);
void rows_free(rows *r);

#endif
