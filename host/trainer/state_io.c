/* SPDX-License-Identifier: Apache-2.0
 * trainer/state_io.c */
#include "state_io.h"

#include "util/json.h"
#include "util/memory.h"
#include "util/str.h"

#include <math.h>
#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>

enum { BASE64 = sodium_base64_VARIANT_ORIGINAL };

/* ---- Writing ---- */

static state_writer *writer_of(lth_writer *w) { return (state_writer *)w; } /* abi is its first member */

/* Takes `value` over. */
static void put(lth_writer *writer, const char *key, json_t *value)
{
    state_writer *w = writer_of(writer);
    if (w->error.status)
        ; /* nothing of it will be used */
    else if (!key || !*key)
        error_set(&w->error, LTH_INVALID, "a value of the state has no key");
    else if (json_object_get(w->object, key))
        error_set(&w->error, LTH_INVALID, "the key '%s' is written twice", key);
    else if (!value || json_object_set(w->object, key, value))
        error_set(&w->error, LTH_INVALID, "the key '%s', or its value, is not UTF-8", key);
    json_decref(value);
}

static void put_i64(lth_writer *w, const char *key, int64_t value) { put(w, key, json_integer(value)); }

static void put_f64(lth_writer *w, const char *key, double value)
{
    json_t *v = json_from_f64(value);
    put(w, key, isfinite(value) ? v : json_pack("{s:o}", "f64", v));
}

static void put_string(lth_writer *w, const char *key, const char *value) { put(w, key, json_string(value ? value : "")); }

static void put_bytes(lth_writer *w, const char *key, const void *data, uint64_t size)
{
    size_t room = sodium_base64_encoded_len((size_t)size, BASE64);
    char *text = malloc(room);
    if (!text) {
        error_set(&writer_of(w)->error, LTH_NO_MEMORY, "no memory for the %llu bytes of '%s'", (unsigned long long)size,
                  key ? key : "");
        return;
    }
    sodium_bin2base64(text, room, data, (size_t)size, BASE64);
    put(w, key, json_pack("{s:s}", "bytes", text));
    free(text);
}

static bool is_dense(const lth_shape *s)
{
    int64_t bytes = s ? lth_dtype_size(s->dtype) : 0;
    if (!bytes || s->rank < 0 || s->rank > LTH_MAX_RANK)
        return false;
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dim[i] < 0 || __builtin_mul_overflow(bytes, s->dim[i], &bytes))
            return false;
    return true;
}

static void put_tensor(lth_writer *writer, const char *key, const lth_shape *shape, const void *data)
{
    state_writer *w = writer_of(writer);
    if (!is_dense(shape)) {
        error_set(&w->error, LTH_INVALID, "the tensor '%s' has no shape that can be written", key ? key : "");
        return;
    }
    if (!w->put_tensor) {
        error_set(&w->error, LTH_UNSUPPORTED, "'%s': tensors cannot be kept here", key ? key : "");
        return;
    }
    char *name = str_format("%s/%s", w->prefix, key ? key : "");
    put(writer, key, json_pack("{s:s}", "tensor", name));
    if (!w->error.status)
        w->put_tensor(w->context, name, shape, data, &w->error);
    free(name);
}

void state_writer_begin(state_writer *w, json_t *object, const char *prefix, state_put_tensor put_a_tensor, void *context)
{
    static const lth_writer_api api = { sizeof api, 0, put_i64, put_f64, put_string, put_bytes, put_tensor };
    *w = (state_writer) { .abi = { &api }, .object = object, .prefix = prefix, .put_tensor = put_a_tensor, .context = context };
}

lth_status state_writer_end(state_writer *w, error *e)
{
    return w->error.status ? error_set(e, w->error.status, "%s", w->error.text) : LTH_OK;
}

/* ---- Reading ---- */

static state_reader *reader_of(lth_reader *r) { return (state_reader *)r; }

static const json_t *value_of(lth_reader *r, const char *key) { return key ? json_object_get(reader_of(r)->object, key) : NULL; }

/* The content of {"<tag>": content}. */
static const json_t *tagged(lth_reader *r, const char *key, const char *tag)
{
    const json_t *v = value_of(r, key);
    return json_object_size(v) == 1 ? json_object_get(v, tag) : NULL;
}

static bool get_i64(lth_reader *r, const char *key, int64_t *value)
{
    const json_t *v = value_of(r, key);
    if (!json_is_integer(v))
        return false;
    *value = json_integer_value(v);
    return true;
}

static bool get_f64(lth_reader *r, const char *key, double *value)
{
    const json_t *v = value_of(r, key), *special = tagged(r, key, "f64");
    return json_is_real(v) ? json_to_f64(v, value) : json_is_string(special) && json_to_f64(special, value);
}

static bool get_string(lth_reader *r, const char *key, const char **value)
{
    const char *text = json_string_value(value_of(r, key));
    if (text)
        *value = text;
    return text != NULL;
}

static bool get_bytes(lth_reader *r, const char *key, const void **data, uint64_t *size)
{
    const json_t *v = tagged(r, key, "bytes");
    if (!json_is_string(v))
        return false;
    size_t length = json_string_length(v), got = 0, room = length / 4 * 3 + 1;
    unsigned char *bytes = arena_alloc(&reader_of(r)->memory, room);
    if (sodium_base642bin(bytes, room, json_string_value(v), length, NULL, &got, NULL, BASE64))
        return false;
    *data = bytes;
    *size = got;
    return true;
}

static bool get_tensor(lth_reader *reader, const char *key, lth_shape *shape, const void **data)
{
    state_reader *r = reader_of(reader);
    const char *name = json_string_value(tagged(reader, key, "tensor"));
    int64_t index = name && r->tensors ? safetensors_find(r->tensors, name) : -1;
    if (name && index < 0)
        error_set(&r->error, LTH_INVALID, "'%s' tells of a tensor '%s' that the checkpoint does not have", key, name);
    if (index < 0)
        return false;
    const safetensors_tensor *t = safetensors_at(r->tensors, (uint32_t)index);
    size_t bytes = (size_t)(lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype));
    void *at = arena_aligned(&r->memory, bytes ? bytes : 1, 64);
    if (safetensors_read(r->tensors, (uint32_t)index, at, &r->error))
        return false;
    *shape = t->shape;
    *data = at;
    return true;
}

void state_reader_begin(state_reader *r, const json_t *object, safetensors_file *tensors)
{
    static const lth_reader_api api = { sizeof api, 0, get_i64, get_f64, get_string, get_bytes, get_tensor };
    *r = (state_reader) { .abi = { &api }, .object = object, .tensors = tensors };
}

lth_status state_reader_end(state_reader *r, error *e)
{
    arena_free(&r->memory);
    return r->error.status ? error_set(e, r->error.status, "%s", r->error.text) : LTH_OK;
}
