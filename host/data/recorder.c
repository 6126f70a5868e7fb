/* SPDX-License-Identifier: Apache-2.0
 * data/recorder.c */
#include "recorder.h"

/* ---- Recording ---- */

static record *add(lth_writer *w, const char *key, int type)
{
    recorder *r = (recorder *)w;
    record *new = arena_alloc(&r->memory, sizeof *new);
    new->type = type;
    new->key = arena_copy_text(&r->memory, key);
    *r->end = new;
    r->end = &new->next;
    return new;
}

static const void *copy(lth_writer *w, const void *data, uint64_t size)
{
    return size ? arena_copy(&((recorder *)w)->memory, data, size) : NULL;
}

static void put_i64(lth_writer *w, const char *key, int64_t value) { add(w, key, RECORD_I64)->i64 = value; }

static void put_f64(lth_writer *w, const char *key, double value) { add(w, key, RECORD_F64)->f64 = value; }

static void put_string(lth_writer *w, const char *key, const char *value)
{
    add(w, key, RECORD_STRING)->data = arena_copy_text(&((recorder *)w)->memory, value);
}

static void put_bytes(lth_writer *w, const char *key, const void *data, uint64_t size)
{
    record *r = add(w, key, RECORD_BYTES);
    r->data = copy(w, data, size);
    r->size = size;
}

static void put_tensor(lth_writer *w, const char *key, const lth_shape *shape, const void *data)
{
    record *r = add(w, key, RECORD_TENSOR);
    r->data = copy(w, data, (uint64_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype)));
    r->shape = *shape;
}

void recorder_begin(recorder *r)
{
    static const lth_writer_api api = { sizeof api, 0, put_i64, put_f64, put_string, put_bytes, put_tensor };
    arena_reset(&r->memory);
    r->abi.api = &api;
    r->first = NULL;
    r->end = &r->first;
}

void recorder_free(recorder *r) { arena_free(&r->memory); }

void recorder_replay(const recorder *r, const char *prefix, lth_writer *w)
{
    arena memory = { 0 };
    for (const record *i = r->first; i; i = i->next) {
        const char *key = arena_format(&memory, "%s%s", prefix, i->key);
        switch (i->type) {
        case RECORD_I64:
            w->api->put_i64(w, key, i->i64);
            break;
        case RECORD_F64:
            w->api->put_f64(w, key, i->f64);
            break;
        case RECORD_STRING:
            w->api->put_string(w, key, i->data);
            break;
        case RECORD_BYTES:
            w->api->put_bytes(w, key, i->data, i->size);
            break;
        case RECORD_TENSOR:
            w->api->put_tensor(w, key, &i->shape, i->data);
            break;
        }
    }
    arena_free(&memory);
}

/* ---- Reading below a prefix ---- */

static lth_reader *inner(lth_reader *r) { return ((prefix_reader *)r)->inner; }

static const char *below(lth_reader *r, const char *key)
{
    prefix_reader *p = (prefix_reader *)r;
    return arena_format(&p->memory, "%s%s", p->prefix, key);
}

static bool get_i64(lth_reader *r, const char *key, int64_t *value)
{
    return inner(r)->api->get_i64(inner(r), below(r, key), value);
}

static bool get_f64(lth_reader *r, const char *key, double *value)
{
    return inner(r)->api->get_f64(inner(r), below(r, key), value);
}

static bool get_string(lth_reader *r, const char *key, const char **value)
{
    return inner(r)->api->get_string(inner(r), below(r, key), value);
}

static bool get_bytes(lth_reader *r, const char *key, const void **data, uint64_t *size)
{
    return inner(r)->api->get_bytes(inner(r), below(r, key), data, size);
}

static bool get_tensor(lth_reader *r, const char *key, lth_shape *shape, const void **data)
{
    return inner(r)->api->get_tensor(inner(r), below(r, key), shape, data);
}

void prefix_reader_begin(prefix_reader *r, lth_reader *from, const char *prefix)
{
    static const lth_reader_api api = { sizeof api, 0, get_i64, get_f64, get_string, get_bytes, get_tensor };
    *r = (prefix_reader) { .abi = { &api }, .inner = from, .prefix = prefix };
}

void prefix_reader_end(prefix_reader *r) { arena_free(&r->memory); }
