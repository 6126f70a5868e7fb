/* SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void take_field(lth_data *d, const lth_field *field)
{
    offer *o = (offer *)d;
    cr_assert_lt(o->field_count, OFFER_FIELDS);
    o->fields[o->field_count++] = *field;
}

static void take_dataset(lth_data *d, lth_stage stage, const lth_dataset *dataset, void *context)
{
    offer *o = (offer *)d;
    cr_assert_lt(stage, LTH_STAGE_SANITY);
    o->datasets[stage] = *dataset;
    o->contexts[stage] = context;
}

static lth_stage setup_stage(lth_data *d)
{
    return ((offer *)d)->stage;
}

static lth_status take_failure(lth_data *d, lth_status status, const char *message)
{
    (void)message;
    ((offer *)d)->status = status;
    return status;
}

lth_status offer_take(offer *o, plugin *datamodule) { return offer_take_stage(o, datamodule, LTH_STAGE_TRAIN); }

lth_status offer_take_stage(offer *o, plugin *datamodule, lth_stage stage)
{
    static const lth_data_api api = { .struct_size = sizeof api, .field = take_field, .dataset = take_dataset, .stage = setup_stage,
                                      .fail = take_failure };
    memset(o, 0, sizeof *o);
    o->data.api = &api;
    o->stage = stage;
    const lth_datamodule *table = datamodule->table;
    return table->setup(datamodule->self, &o->data);
}

const lth_field *offer_field(const offer *o, const char *name)
{
    for (uint32_t i = 0; i < o->field_count; i++)
        if (strcmp(o->fields[i].name, name) == 0)
            return &o->fields[i];
    return NULL;
}

typedef struct batch { lth_batch head; const rows *rows; int64_t epoch; uint64_t seed; } batch;

static void *batch_field(lth_batch *b, const char *name, lth_shape *shape)
{
    (void)shape;
    const rows *r = ((batch *)b)->rows;
    return strcmp(name, "x") == 0 ? r->x : strcmp(name, "y") == 0 ? r->y : NULL;
}

static int64_t batch_epoch(lth_batch *b) { return ((batch *)b)->epoch; }
static uint64_t batch_seed(lth_batch *b) { return ((batch *)b)->seed; }

rows offer_fetch(const offer *o, lth_stage stage, int64_t first, int64_t count) { return offer_fetch_keyed(o, stage, first, count, 0, 0); }

rows offer_fetch_keyed(const offer *o, lth_stage stage, int64_t first, int64_t count, uint64_t seed, int64_t epoch)
{
    static const lth_batch_api api = { .struct_size = sizeof api, .field = batch_field, .epoch = batch_epoch, .seed = batch_seed };
    const lth_field *x = offer_field(o, "x"), *y = offer_field(o, "y");
    rows r = { calloc((size_t)(count * lth_shape_count(&x->shape)), 8), calloc((size_t)(count * lth_shape_count(&y->shape)), 8) };
    batch b = { { &api }, &r, epoch, seed };
    int64_t *indices = malloc((size_t)count * sizeof *indices);
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    cr_assert_leq(first + count, o->datasets[stage].length);
    cr_assert_eq(o->datasets[stage].fetch(o->contexts[stage], indices, count, &b.head), LTH_OK);
    free(indices);
    return r;
}

void rows_free(rows *r)
{
    free(r->x);
    free(r->y);
}
