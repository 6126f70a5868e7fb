/* SPDX-License-Identifier: Apache-2.0
 * data/batch.c */
#include "batch.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, GUARD_SIZE = 64, GUARD_BYTE = 0xA5 };

static batch *batch_of(lth_batch *b) { return (batch *)b; }

/* ---- Memory ---- */

static lth_status make_room(batch *b, uint32_t i)
{
    batch_room *r = &b->rooms[i];
    const lth_shape *shape = &b->shapes[i];
    int64_t size = lth_dtype_size(shape->dtype), whole;
    bool fits = true;
    for (int32_t k = 0; k < shape->rank; k++)
        fits = fits && !__builtin_mul_overflow(size, shape->dim[k] < 0 ? 0 : shape->dim[k], &size);
    fits = fits && !__builtin_add_overflow(size, GUARD_SIZE + ALIGNMENT, &whole);
    if (fits && (size_t)whole > r->capacity) {
        free(r->at);
        r->capacity = ((size_t)whole + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        r->at = aligned_alloc(ALIGNMENT, r->capacity);
        r->capacity = r->at ? r->capacity : 0;
        b->allocations++;
    }
    if (!fits || !r->at)
        return error_set(&b->error, LTH_NO_MEMORY, "no memory for the field '%s' of a batch of %lld", b->fields[i].name,
                         (long long)b->view.size);
    r->size = (size_t)size;
    b->data[i] = r->at;
    memset(r->at + r->size, GUARD_BYTE, GUARD_SIZE);
    return LTH_OK;
}

/* Writes `value` as one element. */
static void put_element(lth_dtype type, double value, void *out)
{
    switch (type) {
    case LTH_F32:
        *(float *)out = (float)value;
        break;
    case LTH_F64:
        *(double *)out = value;
        break;
    case LTH_I64:
        *(int64_t *)out = (int64_t)value;
        break;
    case LTH_I32:
        *(int32_t *)out = (int32_t)value;
        break;
    case LTH_I8:
        *(int8_t *)out = (int8_t)value;
        break;
    case LTH_F16:
    case LTH_BF16:
        *(uint16_t *)out = 0;
        break; /* data_fits lets no other value pass */
    default:
        *(uint8_t *)out = (uint8_t)value;
        break;
    }
}

/* Fills with zero, or a varying field with its pad. */
static void clear(batch *b, uint32_t i)
{
    const data_field *f = &b->fields[i];
    batch_room *r = &b->rooms[i];
    size_t element = (size_t)lth_dtype_size(f->shape.dtype);
    if (f->varying < 0 || f->pad == 0) {
        memset(r->at, 0, r->size);
        return;
    }
    for (size_t at = 0; at < r->size; at += element)
        put_element(f->shape.dtype, f->pad, r->at + at);
}

static lth_status shape_field(batch *b, uint32_t i, int64_t varying)
{
    const data_field *f = &b->fields[i];
    lth_shape *s = &b->shapes[i];
    *s = (lth_shape) { .dtype = f->shape.dtype, .rank = f->shape.rank + 1 };
    s->dim[0] = b->view.size;
    for (int32_t k = 0; k < f->shape.rank; k++)
        s->dim[k + 1] = k == f->varying ? varying : f->shape.dim[k];
    int64_t before = b->allocations;
    lth_status status = make_room(b, i);
    if (!status && (!b->is_filled || f->varying >= 0 || b->allocations > before))
        clear(b, i);
    return status;
}

lth_status batch_begin(batch *b, int64_t rows, int64_t varying, bool with_sizes)
{
    lth_status status = LTH_OK;
    b->view.size = rows;
    for (uint32_t i = 0; i < b->field_count && !status; i++)
        status = shape_field(b, i, varying);
    for (uint32_t i = 0; i < b->field_count && !status; i++)
        for (int64_t k = 0; b->fields[i].length_of >= 0 && k < rows; k++)
            ((int64_t *)b->data[i])[k] = with_sizes ? b->sizes[k] : -1; /* -1: the dataset did not tell */
    b->filling = !status;
    return status;
}

/* Lengths that the dataset left open are the whole dimension. */
static void end_lengths(batch *b, uint32_t i)
{
    const data_field *of = &b->fields[b->fields[i].length_of];
    int64_t whole = b->shapes[b->fields[i].length_of].dim[of->varying + 1];
    for (int64_t k = 0; k < b->view.size; k++)
        if (((int64_t *)b->data[i])[k] < 0)
            ((int64_t *)b->data[i])[k] = whole;
}

lth_status batch_end(batch *b)
{
    unsigned char guard[GUARD_SIZE];
    memset(guard, GUARD_BYTE, sizeof guard);
    b->filling = false;
    for (uint32_t i = 0; i < b->field_count; i++) {
        const data_field *f = &b->fields[i];
        if (memcmp(b->rooms[i].at + b->rooms[i].size, guard, GUARD_SIZE) != 0)
            return error_set(&b->error, LTH_ERROR, "the dataset wrote beyond the end of the field '%s'", f->name);
        if (f->varying >= 0 && b->view.size && b->shapes[i].dim[f->varying + 1] < 0)
            return error_set(
                &b->error, LTH_INVALID,
                "the field '%s' has a varying dimension: the dataset must tell each sample's `size`, or reshape the field",
                f->name);
        if (f->length_of >= 0)
            end_lengths(b, i);
    }
    return LTH_OK;
}

/* ---- What a dataset sees ---- */

static int64_t index_of(const batch *b, const char *name)
{
    for (uint32_t i = 0; name && i < b->field_count; i++)
        if (strcmp(b->fields[i].name, name) == 0)
            return i;
    return -1;
}

static void *field(lth_batch *batch, const char *name, lth_shape *shape)
{
    struct batch *b = batch_of(batch);
    int64_t i = index_of(b, name);
    if (i < 0 || !b->filling)
        return NULL;
    if (shape)
        *shape = b->shapes[i];
    return b->data[i];
}

static void *refuse(batch *b, const char *name, const char *why)
{
    error_set(&b->error, LTH_INVALID, "the dataset cannot reshape the field '%s': %s", name ? name : "", why);
    return NULL;
}

static void *reshape(lth_batch *batch, const char *name, const lth_shape *shape)
{
    struct batch *b = batch_of(batch);
    int64_t i = index_of(b, name);
    if (i < 0 || !b->filling)
        return refuse(b, name, "there is no such field");
    const data_field *f = &b->fields[i];
    if (shape->dtype != LTH_DTYPE_NONE && shape->dtype != f->shape.dtype)
        return refuse(b, name, "it has another element type");
    if (shape->rank != f->shape.rank + 1 || shape->dim[0] != b->view.size)
        return refuse(b, name, "the batch axis comes first and stays, the others stay as many");
    for (int32_t k = 0; k < f->shape.rank; k++)
        if (k == f->varying ? shape->dim[k + 1] < 0 : shape->dim[k + 1] != f->shape.dim[k])
            return refuse(b, name, "only a dimension that is declared as -1 can change");
    if (f->varying < 0)
        return b->data[i];
    return shape_field(b, (uint32_t)i, shape->dim[f->varying + 1]) ? NULL : b->data[i];
}

static lth_status fail(lth_batch *batch, lth_status status, const char *message)
{
    return error_set(&batch_of(batch)->error, status ? status : LTH_ERROR, "%s", message);
}

static int64_t epoch_of(lth_batch *batch) { return batch_of(batch)->epoch; }

static uint64_t seed_of(lth_batch *batch) { return batch_of(batch)->seed; }

/* ---- Life ---- */

void batch_init(batch *b, const data_field *fields, uint32_t field_count, int64_t rows, uint64_t seed, bool stream)
{
    static const lth_batch_api api = { sizeof api, 0, field, reshape, fail, epoch_of, seed_of };
    *b = (batch) { .abi = { &api }, .fields = fields, .field_count = field_count, .seed = seed };
    b->names = memory_new(field_count * sizeof *b->names);
    b->shapes = memory_new(field_count * sizeof *b->shapes);
    b->data = memory_new(field_count * sizeof *b->data);
    b->rooms = memory_new(field_count * sizeof *b->rooms);
    if (stream) {
        b->references = memory_new((size_t)rows * sizeof *b->references);
    } else {
        b->indices = memory_new((size_t)rows * sizeof *b->indices);
        b->sizes = memory_new((size_t)rows * sizeof *b->sizes);
    }
    for (uint32_t i = 0; i < field_count; i++)
        b->names[i] = fields[i].name;
    b->view = (data_batch) { .field_count = field_count, .names = b->names, .shapes = b->shapes, .data = b->data };
}

void batch_free(batch *b)
{
    for (uint32_t i = 0; b->rooms && i < b->field_count; i++)
        free(b->rooms[i].at);
    free(b->names);
    free(b->shapes);
    free(b->data);
    free(b->rooms);
    free(b->indices);
    free(b->sizes);
    free(b->references);
    *b = (batch) { 0 };
}
