/* SPDX-License-Identifier: Apache-2.0
 * data/module.h: a datamodule as its setup declared it: fields and datasets. Inside host/data alone. */
#ifndef DATA_MODULE_H
#define DATA_MODULE_H

#include "data.h"
#include "util/arena.h"

enum { DATA_STAGES = 4 };

typedef struct data_field {
    const char *name;
    lth_shape shape; /* of one sample; -1 varies */
    int64_t num_classes;
    double pad;
    int32_t varying;   /* the axis of the sample that varies; -1: none */
    int32_t length_of; /* the host's own `<name>_length`: index of that field; -1: a declared one */
} data_field;

typedef struct data_set {
    lth_dataset table; /* zeroed where the plugin's is shorter */
    void *context;
} data_set;

typedef struct data_sets {
    data_set *at;
    size_t count, capacity;
} data_sets;

/* What one call of setup declares. */
typedef struct data_declared {
    data_field *fields;
    size_t field_count, field_capacity;
    data_sets sets[DATA_STAGES];
    arena memory;
} data_declared;

struct data_module {
    data_args args;
    data_declared declared;
    lth_field_info *infos;
    bool is_set_up;
};

/* The stage whose datasets serve this one: the sanity check validates. */
static inline lth_stage data_stage_of(lth_stage s) { return s == LTH_STAGE_SANITY ? (lth_stage)LTH_STAGE_VALIDATE : s; }

/* Around calls of the dataset: args.entering and args.explain. `e`: what came of them. */
static inline void data_enter(const data_module *m, const char *hook)
{
    if (m->args.entering)
        m->args.entering(m->args.thread_context, hook);
}
static inline void data_leave(const data_module *m, error *e)
{
    if (e && e->status != LTH_OK && m->args.explain)
        m->args.explain(m->args.thread_context, e);
    data_enter(m, NULL);
}

/* "train", "validate", ...: for messages and names of threads. */
const char *data_stage_name(lth_stage s);

/* Runs the module's setup and checks what it declares; on an error *out holds nothing. */
lth_status data_collect(const data_args *args, lth_stage stage, data_declared *out, error *e);
void data_declared_free(data_declared *d);

/* Whether `value` is one of the type's own: a pad of 0.5 is no i64. */
bool data_fits(lth_dtype type, double value);

#endif
