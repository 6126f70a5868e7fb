/* SPDX-License-Identifier: Apache-2.0
 * trainer/safetensors_write.c */
#include "safetensors.h"

#include "util/memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const safetensors_types[LTH_DTYPE_COUNT] = { NULL, "F32", "F64", "BF16", "F16", "I64", "I32", "U8", "BOOL", "I8" };

static int by_size_then_name(const void *a, const void *b)
{
    const safetensors_tensor *x = *(const safetensors_tensor *const *)a, *y = *(const safetensors_tensor *const *)b;
    int64_t size_x = lth_dtype_size(x->shape.dtype), size_y = lth_dtype_size(y->shape.dtype);
    return size_x != size_y ? (size_x < size_y) - (size_x > size_y) : strcmp(x->name, y->name);
}

static lth_status bytes_of(const safetensors_tensor *t, int64_t *bytes, error *e)
{
    const lth_shape *s = &t->shape;
    if (s->dtype >= LTH_DTYPE_COUNT || !safetensors_types[s->dtype] || s->rank < 0 || s->rank > LTH_MAX_RANK)
        return error_set(e, LTH_INVALID, "tensor '%s' has no shape that can be written", t->name);
    int64_t product = lth_dtype_size(s->dtype);
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dim[i] < 0 || __builtin_mul_overflow(product, s->dim[i], &product))
            return error_set(e, LTH_INVALID, "tensor '%s' has no shape that can be written", t->name);
    *bytes = product;
    return LTH_OK;
}

static lth_status describe(json_t *header, const safetensors_tensor *t, int64_t begin, int64_t end, error *e)
{
    if (json_object_get(header, t->name))
        return error_set(e, LTH_INVALID, "the name '%s' is given to two tensors", t->name);
    json_t *dims = json_array();
    for (int32_t i = 0; i < t->shape.rank; i++)
        json_array_append_new(dims, json_integer(t->shape.dim[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", safetensors_types[t->shape.dtype], "shape", dims, "data_offsets",
                              (json_int_t)begin, (json_int_t)end);
    if (json_object_set_new(header, t->name, entry))
        return error_set(e, LTH_INVALID, "the tensor name '%s' is not UTF-8", t->name);
    return LTH_OK;
}

static lth_status describe_notes(json_t *header, const safetensors_note *notes, uint32_t count, error *e)
{
    json_t *object = json_pack("{s:s}", "format", "pt");
    json_object_set_new(header, "__metadata__", object);
    for (uint32_t i = 0; i < count; i++) {
        if (json_object_get(object, notes[i].key))
            return error_set(e, LTH_INVALID, "the note '%s' of a safetensors file is given twice", notes[i].key);
        if (json_object_set_new(object, notes[i].key, json_string(notes[i].value)))
            return error_set(e, LTH_INVALID, "the note '%s' of a safetensors file is not UTF-8", notes[i].key);
    }
    return LTH_OK;
}

/* The header's text, padded with blanks so that the tensors begin at a multiple of 8. */
static lth_status render(const safetensors_tensor *const *order, uint32_t count, const safetensors_note *notes,
                         uint32_t note_count, char **text, size_t *size, error *e)
{
    json_t *header = json_object();
    lth_status status = describe_notes(header, notes, note_count, e);
    int64_t begin = 0;
    for (uint32_t i = 0; i < count && !status; i++) {
        int64_t bytes = 0, end = 0;
        status = bytes_of(order[i], &bytes, e);
        if (!status && __builtin_add_overflow(begin, bytes, &end))
            status = error_set(e, LTH_INVALID, "tensor '%s': the file would be larger than 2^63 bytes", order[i]->name);
        if (!status)
            status = describe(header, order[i], begin, end, e);
        begin = end;
    }
    char *bare = status ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (!bare)
        return status ? status : error_set(e, LTH_NO_MEMORY, "no memory for a safetensors header");
    size_t length = strlen(bare), padded = (length + 7) / 8 * 8;
    if (padded > SAFETENSORS_HEADER_LIMIT)
        status = error_set(e, LTH_INVALID, "the names of %u tensors do not fit into a safetensors header", count);
    *text = memory_resize(bare, padded);
    memset(*text + length, ' ', padded - length);
    *size = padded;
    return status;
}

static lth_status put_all(const safetensors_tensor *const *order, uint32_t count, const char *text, size_t size,
                          safetensors_put put, void *context, error *e)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)size >> (8 * i));
    lth_status status = put(context, length, sizeof length, e);
    if (!status)
        status = put(context, text, size, e);
    for (uint32_t i = 0; i < count && !status; i++) {
        int64_t bytes = 0;
        status = bytes_of(order[i], &bytes, e);
        if (!status && bytes)
            status = put(context, order[i]->data, (size_t)bytes, e);
    }
    return status;
}

lth_status safetensors_write(const safetensors_tensor *tensors, uint32_t count, const safetensors_note *notes,
                             uint32_t note_count, safetensors_put put, void *context, error *e)
{
    const safetensors_tensor **order = memory_new((count + 1) * sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = &tensors[i];
    qsort(order, count, sizeof *order, by_size_then_name);
    char *text = NULL;
    size_t size = 0;
    lth_status status = render(order, count, notes, note_count, &text, &size, e);
    if (!status)
        status = put_all(order, count, text, size, put, context, e);
    free(text);
    free(order);
    return status;
}
