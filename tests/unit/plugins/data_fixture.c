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

static lth_stage train_stage(lth_data *d)
{
    (void)d;
    return LTH_STAGE_TRAIN;
}

static lth_status take_failure(lth_data *d, lth_status status, const char *message)
{
    (void)message;
    ((offer *)d)->status = status;
    return status;
}

lth_status offer_take(offer *o, plugin *datamodule)
{
    static const lth_data_api api = { .struct_size = sizeof api, .field = take_field, .dataset = take_dataset, .stage = train_stage,
                                      .fail = take_failure };
    memset(o, 0, sizeof *o);
    o->data.api = &api;
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

typedef struct batch { lth_batch head; const rows *rows; } batch;

static void *batch_field(lth_batch *b, const char *name, lth_shape *shape)
{
    (void)shape;
    const rows *r = ((batch *)b)->rows;
    return strcmp(name, "x") == 0 ? r->x : strcmp(name, "y") == 0 ? r->y : NULL;
}

rows offer_fetch(const offer *o, lth_stage stage, int64_t first, int64_t count)
{
    static const lth_batch_api api = { .struct_size = sizeof api, .field = batch_field };
    const lth_field *x = offer_field(o, "x"), *y = offer_field(o, "y");
    rows r = { calloc((size_t)(count * lth_shape_count(&x->shape)), sizeof(float)), calloc((size_t)(count * lth_shape_count(&y->shape)), 8) };
    batch b = { { &api }, &r };
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
