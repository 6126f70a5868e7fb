/* SPDX-License-Identifier: Apache-2.0
 * trainer/metrics_state.c: metrics in a checkpoint: sums of a running epoch, and callback_metrics. */
#include "trainer/metrics.h"

#include <string.h>

static const char *const loops[METRICS_LOOPS] = { "train", "validation", "test" };

static json_t *entry_to_json(const metrics_entry *entry)
{
    const metrics_log *as = &entry->as;
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "name", as->name, "on_step",
                     as->on_step, "on_epoch", as->on_epoch, "prog_bar", as->prog_bar, "logger", as->logger, "reduce",
                     (int)as->reduce, "sum", json_from_f64(entry->sum), "weight", json_from_f64(entry->weight), "least",
                     json_from_f64(entry->least), "greatest", json_from_f64(entry->greatest), "last", json_from_f64(entry->last),
                     "count", (json_int_t)entry->count, "told", (json_int_t)entry->told);
}

json_t *metrics_to_json(const metrics *m)
{
    json_t *root = json_object(), *values = json_array();
    for (int loop = 0; loop < METRICS_LOOPS; loop++) {
        json_t *list = json_array();
        for (size_t i = 0; i < m->tables[loop].count; i++)
            json_array_append_new(list, entry_to_json(m->tables[loop].by_step_name[i]));
        json_object_set_new(root, loops[loop], list);
    }
    for (size_t i = 0; i < m->value_count; i++)
        if (m->sorted[i]->present)
            json_array_append_new(values,
                                  json_pack("{s:s, s:o, s:i}", "name", m->sorted[i]->shown.name, "value",
                                            json_from_f64(m->sorted[i]->shown.value), "flags", (int)m->sorted[i]->shown.flags));
    json_object_set_new(root, "callback_metrics", values);
    return root;
}

/* An object's number; *right becomes false where there is none. */
static double number(const json_t *o, const char *key, bool *right)
{
    double value = 0;
    *right = json_to_f64(json_object_get(o, key), &value) && *right;
    return value;
}

static lth_status entry_from_json(metrics *m, metrics_loop loop, const json_t *o, error *e)
{
    bool right = json_is_string(json_object_get(o, "name")) && json_is_integer(json_object_get(o, "count"));
    metrics_log log = { .name = json_string_value(json_object_get(o, "name")), .place = "an earlier run" };
    log.on_step = json_is_true(json_object_get(o, "on_step"));
    log.on_epoch = json_is_true(json_object_get(o, "on_epoch"));
    log.prog_bar = json_is_true(json_object_get(o, "prog_bar"));
    log.logger = json_is_true(json_object_get(o, "logger"));
    log.reduce = (lth_reduce_fx)json_integer_value(json_object_get(o, "reduce"));
    metrics_entry *entry = right ? metrics_entry_for(m, loop, &log, e) : NULL;
    if (!entry)
        return error_set(e, LTH_INVALID, "metrics of the checkpoint: an entry is not as it should be");
    entry->sum = number(o, "sum", &right);
    entry->weight = number(o, "weight", &right);
    entry->least = number(o, "least", &right);
    entry->greatest = number(o, "greatest", &right);
    entry->last = number(o, "last", &right);
    entry->count = (uint64_t)json_integer_value(json_object_get(o, "count"));
    entry->told = (uint64_t)json_integer_value(json_object_get(o, "told"));
    return right ? LTH_OK : error_set(e, LTH_INVALID, "metrics of the checkpoint: '%s' lacks a number", log.name);
}

lth_status metrics_from_json(metrics *m, const json_t *from, error *e)
{
    size_t i;
    json_t *item;
    for (int loop = 0; loop < METRICS_LOOPS; loop++)
        json_array_foreach(json_object_get(from, loops[loop]), i,
                           item) if (entry_from_json(m, (metrics_loop)loop, item, e) != LTH_OK) return LTH_INVALID;
    json_array_foreach(json_object_get(from, "callback_metrics"), i, item)
    {
        bool right = json_is_string(json_object_get(item, "name"));
        double value = number(item, "value", &right);
        if (!right)
            return error_set(e, LTH_INVALID, "metrics of the checkpoint: a value is not as it should be");
        metrics_value *v = metrics_value_for(m, json_string_value(json_object_get(item, "name")));
        v->shown.value = value;
        v->shown.flags = (uint32_t)json_integer_value(json_object_get(item, "flags"));
        v->present = true;
    }
    return LTH_OK;
}
