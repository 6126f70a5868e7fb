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
} offer;

/* Calls the datamodule's setup; its status. */
lth_status offer_take(offer *o, plugin *datamodule);
const lth_field *offer_field(const offer *o, const char *name);

/* Rows [first, first + count) of a stage: `x` as floats, `y` as it is declared. The caller frees both. */
typedef struct rows { float *x; void *y; } rows;
rows offer_fetch(const offer *o, lth_stage stage, int64_t first, int64_t count);
void rows_free(rows *r);

#endif
