/* SPDX-License-Identifier: Apache-2.0
 * data/module.c */
#include "module.h"

#include "util/memory.h"
#include "util/str.h"

#include <stdlib.h>
#include <string.h>

const char *data_stage_name(lth_stage s)
{
    static const char *const names[] = { "train", "validate", "test", "predict", "sanity" };
    return s < sizeof names / sizeof *names ? names[s] : "unknown";
}

data_module *data_open(const data_args *args, error *e)
{
    const lth_int_list *buckets = &args->options->buckets;
    for (int64_t i = 1; i < buckets->count; i++)
        if (buckets->at[i] <= buckets->at[i - 1]) {
            error_set(e, LTH_INVALID, "[data] buckets must ascend: %lld stands after %lld", (long long)buckets->at[i],
                      (long long)buckets->at[i - 1]);
            return NULL;
        }
    data_module *m = memory_new(sizeof *m);
    m->args = *args;
    m->args.identity = args->identity ? str_dup(args->identity) : NULL;
    if (m->args.world < 1)
        m->args.world = 1;
    return m;
}

void data_close(data_module *m)
{
    if (!m)
        return;
    data_declared_free(&m->declared);
    free((char *)m->args.identity);
    free(m->infos);
    free(m);
}

/* The model was made for the fields of the first setup; a later one may not change them. */
static bool same_field(const data_field *a, const data_field *b)
{
    return strcmp(a->name, b->name) == 0 && memcmp(&a->shape, &b->shape, sizeof a->shape) == 0 &&
           a->num_classes == b->num_classes;
}

static lth_status check_same_fields(const data_declared *before, const data_declared *now, error *e)
{
    size_t i = 0;
    while (i < before->field_count && i < now->field_count && same_field(&before->fields[i], &now->fields[i]))
        i++;
    if (i == before->field_count && i == now->field_count)
        return LTH_OK;
    const data_field *f = i < now->field_count ? &now->fields[i] : &before->fields[i];
    return error_set(e, LTH_INVALID, "the datamodule declares the field '%s' otherwise than in an earlier setup", f->name);
}

/* Datasets of stages that the new setup did not give stay. */
static void keep_datasets(data_declared *before, data_declared *now)
{
    for (int s = 0; s < DATA_STAGES; s++)
        if (!now->sets[s].count) {
            free(now->sets[s].at);
            now->sets[s] = before->sets[s];
            before->sets[s] = (data_sets) { 0 };
        }
}

static void make_infos(data_module *m)
{
    const data_declared *d = &m->declared;
    m->infos = memory_resize(m->infos, d->field_count * sizeof *m->infos);
    for (size_t i = 0; i < d->field_count; i++) {
        const data_field *f = &d->fields[i];
        m->infos[i] = (lth_field_info) { sizeof(lth_field_info), 0, f->name, f->shape, f->num_classes };
    }
}

lth_status data_setup(data_module *m, lth_stage stage, error *e)
{
    data_declared now;
    lth_status status = data_collect(&m->args, stage, &now, e);
    if (status)
        return status;
    if (m->is_set_up)
        status = check_same_fields(&m->declared, &now, e);
    if (status) {
        data_declared_free(&now);
        return status;
    }
    keep_datasets(&m->declared, &now);
    data_declared_free(&m->declared);
    m->declared = now;
    m->is_set_up = true;
    make_infos(m);
    return LTH_OK;
}

uint32_t data_fields(data_module *m, const lth_field_info **out)
{
    *out = m->infos;
    return (uint32_t)m->declared.field_count;
}

uint32_t data_dataset_count(data_module *m, lth_stage stage)
{
    stage = data_stage_of(stage);
    return stage < DATA_STAGES ? (uint32_t)m->declared.sets[stage].count : 0;
}
