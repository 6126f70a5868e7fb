/* SPDX-License-Identifier: Apache-2.0
 * data/collect.c: what a datamodule's setup declares, checked as it comes. The first mistake is kept. */
#include "module.h"

#include "util/memory.h"
#include "util/str.h"

#include <stdlib.h>
#include <string.h>

typedef struct collector {
    lth_data abi; /* the first member: what the module holds is its address */
    data_declared *out;
    lth_stage stage;
    error error;
} collector;

static collector *collector_of(lth_data *d) { return (collector *)d; }

bool data_fits(lth_dtype type, double value)
{
    static const struct {
        double least, most;
    } of[LTH_DTYPE_COUNT] = { [LTH_I64] = { -0x1p63, 0x1p62 },
                              [LTH_I32] = { -0x1p31, 0x1p31 - 1 },
                              [LTH_U8] = { 0, 255 },
                              [LTH_BOOL] = { 0, 1 },
                              [LTH_I8] = { -128, 127 } };
    if (type == LTH_F32 || type == LTH_F64)
        return true;
    if (lth_dtype_is_float(type))
        return value == 0;
    return value >= of[type].least && value <= of[type].most && value == (double)(int64_t)value;
}

/* The axis that varies, -1 for none, -2 where the shape is none. */
static int32_t varying_axis(const lth_shape *s)
{
    int32_t axis = -1;
    if (s->dtype == LTH_DTYPE_NONE || s->dtype >= LTH_DTYPE_COUNT || s->rank < 0 || s->rank >= LTH_MAX_RANK)
        return -2;
    for (int32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] != -1 && s->dim[i] < 1)
            return -2;
        if (s->dim[i] == -1 && axis >= 0)
            return -2;
        if (s->dim[i] == -1)
            axis = i;
    }
    return axis;
}

static data_field *add_field(collector *c, const char *name)
{
    data_declared *d = c->out;
    for (size_t i = 0; i < d->field_count; i++)
        if (strcmp(d->fields[i].name, name) == 0) {
            error_set(&c->error, LTH_INVALID, "the field '%s' is declared twice", name);
            return NULL;
        }
    d->fields = memory_grow(d->fields, &d->field_capacity, d->field_count + 1, sizeof *d->fields);
    data_field *f = &d->fields[d->field_count++];
    *f = (data_field) { .name = arena_copy_text(&d->memory, name), .varying = -1, .length_of = -1 };
    return f;
}

static void declare_field(lth_data *data, const lth_field *given)
{
    collector *c = collector_of(data);
    lth_field field = { 0 };
    memcpy(&field, given, given->struct_size < sizeof field ? given->struct_size : sizeof field);
    if (!field.name || !*field.name) {
        error_set(&c->error, LTH_INVALID, "a field has no name");
        return;
    }
    int32_t varying = varying_axis(&field.shape);
    if (varying == -2) {
        error_set(
            &c->error, LTH_INVALID,
            "the field '%s' has no shape that a sample can have: an element type, at most %d axes, each at least 1 or, once, -1",
            field.name, LTH_MAX_RANK - 1);
        return;
    }
    if (!data_fits(field.shape.dtype, field.pad)) {
        error_set(&c->error, LTH_INVALID, "the field '%s' cannot be padded with %g: no %s has that value", field.name, field.pad,
                  lth_dtype_name(field.shape.dtype));
        return;
    }
    data_field *f = add_field(c, field.name);
    if (!f)
        return;
    for (int32_t i = 0; i < field.shape.rank; i++)
        f->shape.dim[i] = field.shape.dim[i];
    f->shape.dtype = field.shape.dtype;
    f->shape.rank = field.shape.rank;
    f->num_classes = field.num_classes;
    f->pad = field.pad;
    f->varying = varying;
    if (varying < 0)
        return;
    int32_t of = (int32_t)(f - c->out->fields);
    data_field *length = add_field(c, arena_format(&c->out->memory, "%s_length", field.name));
    if (length) {
        length->shape = (lth_shape) { .dtype = LTH_I64 };
        length->length_of = of;
    }
}

/* What is missing in a dataset's table, or NULL. */
static const char *mistake_of(const lth_dataset *t)
{
    if (!t->fetch && !t->next)
        return "has neither fetch nor next";
    if (t->fetch && t->next)
        return "has both fetch and next: it is either map-style or stream-style";
    if (t->fetch && t->length < 0)
        return "has a fetch and no length";
    if (t->next && (!t->decode || !t->rewind))
        return "has next, and not decode and rewind with it";
    if (!t->save != !t->load)
        return "has only one of save and load";
    return NULL;
}

static void declare_dataset(lth_data *data, lth_stage stage, const lth_dataset *table, void *context)
{
    collector *c = collector_of(data);
    data_set set = { .context = context };
    stage = data_stage_of(stage);
    if (stage >= DATA_STAGES) {
        error_set(&c->error, LTH_INVALID, "a dataset is given for stage %u, which there is not", stage);
        return;
    }
    memcpy(&set.table, table, table->struct_size < sizeof set.table ? table->struct_size : sizeof set.table);
    const char *mistake = mistake_of(&set.table);
    if (mistake) {
        error_set(&c->error, LTH_INVALID, "the %s dataset %s", data_stage_name(stage), mistake);
        return;
    }
    data_sets *sets = &c->out->sets[stage];
    sets->at = memory_grow(sets->at, &sets->capacity, sets->count + 1, sizeof *sets->at);
    sets->at[sets->count++] = set;
}

static lth_stage stage_of(lth_data *data) { return collector_of(data)->stage; }

static lth_status fail(lth_data *data, lth_status status, const char *message)
{
    return error_set(&collector_of(data)->error, status ? status : LTH_ERROR, "%s", message);
}

void data_declared_free(data_declared *d)
{
    for (int i = 0; i < DATA_STAGES; i++)
        free(d->sets[i].at);
    free(d->fields);
    arena_free(&d->memory);
    *d = (data_declared) { 0 };
}

lth_status data_collect(const data_args *args, lth_stage stage, data_declared *out, error *e)
{
    static const lth_data_api api = { sizeof api, 0, declare_field, declare_dataset, stage_of, fail };
    collector c = { .abi = { &api }, .out = out, .stage = stage };
    *out = (data_declared) { 0 };
    lth_status status = args->module->setup(args->self, &c.abi);
    if (c.error.status)
        status = error_set(e, c.error.status, "%s", c.error.text);
    else if (status)
        error_set(e, status, "the datamodule's setup failed");
    else if (!out->field_count)
        status = error_set(e, LTH_INVALID, "the datamodule declares no field");
    if (status)
        data_declared_free(out);
    return status;
}
