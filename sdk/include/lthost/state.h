/* SPDX-License-Identifier: Apache-2.0
 * lthost/state.h: how a component keeps state across a checkpoint.
 *
 * What `save` writes is in the checkpoint under the section's name (state.json; tensors in a safetensors file); `load`
 * reads it back by key, in any order. Both calls come on [main], between steps. Values are exact: i64 and f64 keep
 * every bit, NaN and infinities too. */
#ifndef LTHOST_STATE_H
#define LTHOST_STATE_H

#include "base.h"

LTH_BEGIN_C

typedef struct lth_writer lth_writer;
typedef struct lth_reader lth_reader;

typedef struct lth_writer_api {
    uint32_t struct_size, reserved;
    void (*put_i64)(lth_writer *w, const char *key, int64_t value);
    void (*put_f64)(lth_writer *w, const char *key, double value);
    void (*put_string)(lth_writer *w, const char *key, const char *value);
    void (*put_bytes)(lth_writer *w, const char *key, const void *data, uint64_t size);
    void (*put_tensor)(lth_writer *w, const char *key, const lth_shape *shape, const void *data);
} lth_writer_api;
struct lth_writer { const lth_writer_api *api; };

/* A missing key or one of another type answers false and leaves the value as it was. */
typedef struct lth_reader_api {
    uint32_t struct_size, reserved;
    bool (*get_i64)(lth_reader *r, const char *key, int64_t *value);
    bool (*get_f64)(lth_reader *r, const char *key, double *value);
    /* Lives until `load` returns. */
    bool (*get_string)(lth_reader *r, const char *key, const char **value);
    bool (*get_bytes)(lth_reader *r, const char *key, const void **data, uint64_t *size);
    bool (*get_tensor)(lth_reader *r, const char *key, lth_shape *shape, const void **data);
} lth_reader_api;
struct lth_reader { const lth_reader_api *api; };

static inline void lth_put_i64(lth_writer *w, const char *key, int64_t v) { w->api->put_i64(w, key, v); }
static inline void lth_put_f64(lth_writer *w, const char *key, double v) { w->api->put_f64(w, key, v); }
static inline void lth_put_string(lth_writer *w, const char *key, const char *v) { w->api->put_string(w, key, v); }
static inline bool lth_get_i64(lth_reader *r, const char *key, int64_t *v) { return r->api->get_i64(r, key, v); }
static inline bool lth_get_f64(lth_reader *r, const char *key, double *v) { return r->api->get_f64(r, key, v); }
static inline bool lth_get_string(lth_reader *r, const char *key, const char **v) { return r->api->get_string(r, key, v); }

LTH_END_C
#endif
