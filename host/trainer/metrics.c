/* SPDX-License-Identifier: Apache-2.0
 * trainer/metrics.c: names, steps, epochs. Saving and loading: metrics_state.c. */
#include "trainer/metrics.h"

#include "util/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_init(metrics *m) { *m = (metrics) { 0 }; }

void metrics_free(metrics *m)
{
    for (int i = 0; i < METRICS_LOOPS; i++) {
        map_free(&m->tables[i].by_name);
        free(m->tables[i].by_step_name);
        free(m->tables[i].by_epoch_name);
    }
    for (int i = 0; i < 2; i++)
        free(m->steps[i].at);
    map_free(&m->values);
    free(m->sorted);
    free(m->listed);
    free(m->row_names);
    free(m->row_values);
    arena_free(&m->memory);
}

/* ---- Names ---- */

metrics_value *metrics_value_for(metrics *m, const char *name)
{
    metrics_value *v = map_get(&m->values, name);
    if (v)
        return v;
    v = arena_alloc(&m->memory, sizeof *v);
    v->shown.name = arena_copy_text(&m->memory, name);
    map_put(&m->values, name, v);
    m->sorted = memory_grow(m->sorted, &m->value_capacity, m->value_count + 1, sizeof *m->sorted);
    m->listed = memory_grow(m->listed, &m->listed_capacity, m->value_count + 1, sizeof *m->listed);
    size_t at = m->value_count++;
    for (; at > 0 && strcmp(m->sorted[at - 1]->shown.name, name) > 0; at--)
        m->sorted[at] = m->sorted[at - 1];
    m->sorted[at] = v;
    return v;
}

static void insert_sorted(metrics_entry **list, size_t count, metrics_entry *entry, bool by_step)
{
    const char *name = by_step ? entry->step_name : entry->epoch_name;
    size_t at = count;
    for (; at > 0 && strcmp(by_step ? list[at - 1]->step_name : list[at - 1]->epoch_name, name) > 0; at--)
        list[at] = list[at - 1];
    list[at] = entry;
}

static const char *place_of(const metrics_log *log, char out[300])
{
    static const char *const reductions[] = { "mean", "sum", "min", "max", "last" };
    char where[160];
    if (log->file)
        snprintf(where, sizeof where, "%s:%u", log->file, (unsigned)log->line);
    else
        snprintf(where, sizeof where, "%s", log->place ? log->place : "a hook");
    snprintf(out, 300, "%s (%s%s%s, %s)", where,
             log->on_step && log->on_epoch ? "on_step and on_epoch"
             : log->on_step                ? "on_step"
                                           : "on_epoch",
             log->prog_bar ? ", prog_bar" : "", log->logger ? "" : ", no logger",
             log->reduce < 5 ? reductions[log->reduce] : "?");
    return out;
}

/* Two entries of a loop may not meet under one name: 'loss' on both, and another 'loss_step'. */
static lth_status check_clash(const metrics_table *t, const metrics_entry *entry, error *e)
{
    char a[300], b[300];
    for (size_t i = 0; i < t->count; i++) {
        const metrics_entry *other = t->by_step_name[i];
        bool clash = strcmp(entry->step_name, other->step_name) == 0 || strcmp(entry->step_name, other->epoch_name) == 0 ||
                     strcmp(entry->epoch_name, other->epoch_name) == 0 || strcmp(entry->epoch_name, other->step_name) == 0;
        if (clash)
            return error_set(e, LTH_INVALID, "two metrics would have one name: '%s', logged at %s, and '%s', logged at %s",
                             other->as.name, place_of(&other->as, a), entry->as.name, place_of(&entry->as, b));
    }
    return LTH_OK;
}

static lth_status check_name(const char *name, error *e)
{
    if (!name || !name[0])
        return error_set(e, LTH_INVALID, "a metric needs a name");
    if (strlen(name) > 200)
        return error_set(e, LTH_INVALID, "the metric's name '%.40s...' is longer than 200 bytes", name);
    if (strcmp(name, "epoch") == 0 || strcmp(name, "step") == 0)
        return error_set(e, LTH_INVALID, "every row has a column '%s' already: log the metric under another name", name);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ')
            return error_set(e, LTH_INVALID, "the metric's name '%s' holds a control character", name);
    return LTH_OK;
}

static metrics_entry *entry_new(metrics *m, metrics_table *t, const metrics_log *log, error *e)
{
    if (check_name(log->name, e) != LTH_OK)
        return NULL;
    metrics_entry *entry = arena_alloc(&m->memory, sizeof *entry);
    entry->as = *log;
    entry->as.name = arena_copy_text(&m->memory, log->name);
    entry->as.place = arena_copy_text(&m->memory, log->place);
    bool forked = log->on_step && log->on_epoch;
    entry->step_name = forked ? arena_format(&m->memory, "%s_step", log->name) : entry->as.name;
    entry->epoch_name = forked ? arena_format(&m->memory, "%s_epoch", log->name) : entry->as.name;
    if (check_clash(t, entry, e) != LTH_OK)
        return NULL;
    entry->value = metrics_value_for(m, entry->as.name);
    entry->step_value = forked ? metrics_value_for(m, entry->step_name) : entry->value;
    entry->epoch_value = forked ? metrics_value_for(m, entry->epoch_name) : entry->value;
    t->by_step_name = memory_grow(t->by_step_name, &t->capacity, t->count + 1, sizeof(metrics_entry *));
    t->by_epoch_name = memory_grow(t->by_epoch_name, &t->epoch_capacity, t->count + 1, sizeof(metrics_entry *));
    insert_sorted(t->by_step_name, t->count, entry, true);
    insert_sorted(t->by_epoch_name, t->count, entry, false);
    t->count++;
    m->row_names = memory_grow(m->row_names, &m->row_capacity, t->count, sizeof *m->row_names);
    m->row_values = memory_grow(m->row_values, &m->row_value_capacity, t->count, sizeof *m->row_values);
    map_put(&t->by_name, entry->as.name, entry);
    return entry;
}

static bool same_switches(const metrics_log *a, const metrics_log *b)
{
    return a->on_step == b->on_step && a->on_epoch == b->on_epoch && a->prog_bar == b->prog_bar && a->logger == b->logger &&
           a->reduce == b->reduce;
}

metrics_entry *metrics_entry_for(metrics *m, metrics_loop loop, const metrics_log *log, error *e)
{
    metrics_table *t = &m->tables[loop];
    metrics_entry *entry = log->name ? map_get(&t->by_name, log->name) : NULL;
    return entry ? entry : entry_new(m, t, log, e);
}

lth_status metrics_add(metrics *m, metrics_loop loop, const metrics_log *log, error *e)
{
    metrics_entry *entry = metrics_entry_for(m, loop, log, e);
    if (!entry)
        return LTH_INVALID;
    if (!same_switches(&entry->as, log)) {
        char a[300], b[300];
        return error_set(e, LTH_INVALID, "'%s' is logged twice with other switches: at %s and at %s", log->name,
                         place_of(&entry->as, a), place_of(log, b));
    }
    if (!entry->as.file && log->file) { /* it came from a checkpoint, which knows no places */
        entry->as.file = log->file;
        entry->as.line = log->line;
    }
    metrics_step *s = &m->steps[m->running];
    s->at = memory_grow(s->at, &s->capacity, s->count + 1, sizeof *s->at);
    s->at[s->count++] = (metrics_pending) { entry, log->weight, log->number, log->slot, log->is_number };
    return LTH_OK;
}

/* ---- Steps ---- */

static void show(metrics_value *v, double value, uint32_t flags)
{
    v->shown.value = value;
    v->shown.flags = flags;
    v->present = true;
}

static void accumulate(metrics_entry *entry, double value, double weight)
{
    entry->sum += entry->as.reduce == LTH_REDUCE_SUM ? value : value * weight;
    entry->weight += weight;
    entry->least = entry->count == 0 || value < entry->least || isnan(value) ? value : entry->least;
    entry->greatest = entry->count == 0 || value > entry->greatest || isnan(value) ? value : entry->greatest;
    entry->last = value;
    entry->count++;
}

/* Some metrics are nan by right (the recall of a class that never came), so the run goes on. */
static void tell_nan(const metrics *m, metrics_entry *entry, const char *over, double value)
{
    char where[300], text[700];
    if (!isnan(value) || entry->told_nan || !m->warn)
        return;
    entry->told_nan = true;
    snprintf(text, sizeof text, "the metric '%s' of %s is nan, logged at %s", entry->as.name, over, place_of(&entry->as, where));
    m->warn(m->context, text);
}

static void settle_one(const metrics *m, metrics_step *s, const metrics_pending *p, double value)
{
    metrics_entry *entry = p->entry;
    const metrics_log *as = &entry->as;
    uint32_t flags = (as->prog_bar ? LTH_METRIC_PROG_BAR : 0u) | (as->logger ? LTH_METRIC_LOGGER : 0u) | LTH_METRIC_STEP;
    if (as->on_epoch)
        accumulate(entry, value, p->weight);
    if (!as->on_step)
        return;
    tell_nan(m, entry, "a step", value);
    entry->newest = value;
    entry->stamp = s->stamp;
    if (s->loop != METRICS_TRAIN) /* callbacks see of evaluation the epoch's values alone */
        return;
    if (entry->step_value != entry->value)
        show(entry->value, value, flags & ~(uint32_t)LTH_METRIC_PROG_BAR);
    show(entry->step_value, value, flags);
}

static void read_step(metrics *m, metrics_step *s)
{
    for (; s->settled < s->count; s->settled++) {
        const metrics_pending *p = &s->at[s->settled];
        if (!p->is_number && !s->has_ticket)
            return; /* the step has not run yet */
        settle_one(m, s, p, p->is_number ? p->number : m->read(m->context, s->ticket, p->slot));
    }
}

static void emit_step(metrics *m, metrics_step *s)
{
    const metrics_table *t = &m->tables[s->loop];
    uint32_t count = 0;
    for (size_t i = 0; s->wants_row && s->stamp && i < t->count; i++) {
        const metrics_entry *entry = t->by_step_name[i];
        if (!entry->as.on_step || !entry->as.logger || entry->stamp != s->stamp)
            continue;
        m->row_names[count] = entry->step_name;
        m->row_values[count++] = entry->newest;
    }
    if (count > 0)
        m->emit(m->context, &(lth_metrics_row) { sizeof(lth_metrics_row), count, s->step, s->epoch, s->batch, s->wall_time,
                                                 m->row_names, m->row_values });
    s->wants_row = false;
    s->count = s->settled = 0;
}

void metrics_step_begin(metrics *m, metrics_loop loop, int64_t epoch, int64_t batch)
{
    m->running ^= 1;
    metrics_step *s = &m->steps[m->running];
    *s = (metrics_step) {
        .loop = loop, .stamp = ++m->stamps, .epoch = epoch, .batch = batch, .at = s->at, .capacity = s->capacity
    };
}

void metrics_step_ran(metrics *m, uint64_t ticket)
{
    m->steps[m->running].ticket = ticket;
    m->steps[m->running].has_ticket = true;
}

void metrics_step_end(metrics *m, int64_t step, bool wants_row, double wall_time)
{
    metrics_step *s = &m->steps[m->running];
    s->step = step;
    s->wants_row = wants_row;
    s->wall_time = wall_time;
}

void metrics_settle(metrics *m)
{
    metrics_step *s = &m->steps[m->running ^ 1];
    read_step(m, s);
    emit_step(m, s);
}

void metrics_read_all(metrics *m)
{
    read_step(m, &m->steps[m->running ^ 1]);
    read_step(m, &m->steps[m->running]);
}

void metrics_drain(metrics *m)
{
    metrics_settle(m);
    metrics_step *s = &m->steps[m->running];
    read_step(m, s);
    emit_step(m, s);
}

/* ---- Epochs ---- */

static void forget(metrics_entry *entry)
{
    entry->sum = entry->weight = entry->least = entry->greatest = entry->last = 0;
    entry->count = entry->told = 0;
}

void metrics_epoch_begin(metrics *m, metrics_loop loop)
{
    for (size_t i = 0; i < m->tables[loop].count; i++)
        forget(m->tables[loop].by_step_name[i]);
}

static double reduced(const metrics_entry *entry)
{
    switch (entry->as.reduce) {
    case LTH_REDUCE_SUM:
        return entry->sum;
    case LTH_REDUCE_MIN:
        return entry->least;
    case LTH_REDUCE_MAX:
        return entry->greatest;
    case LTH_REDUCE_LAST:
        return entry->last;
    default:
        return entry->sum / entry->weight;
    }
}

void metrics_epoch_end(metrics *m, metrics_loop loop, const lth_metrics_row *row)
{
    metrics_drain(m);
    const metrics_table *t = &m->tables[loop];
    uint32_t count = 0;
    for (size_t i = 0; i < t->count; i++) {
        metrics_entry *entry = t->by_epoch_name[i];
        const metrics_log *as = &entry->as;
        if (!as->on_epoch || entry->count == 0)
            continue;
        uint32_t flags = (as->prog_bar ? LTH_METRIC_PROG_BAR : 0u) | (as->logger ? LTH_METRIC_LOGGER : 0u) | LTH_METRIC_EPOCH;
        double value = reduced(entry);
        if (entry->epoch_value != entry->value)
            show(entry->value, value, flags & ~(uint32_t)LTH_METRIC_PROG_BAR);
        show(entry->epoch_value, value, flags);
        if (!row || !as->logger || entry->told == entry->count)
            continue;
        entry->told = entry->count;
        tell_nan(m, entry, "an epoch", value);
        m->row_names[count] = entry->epoch_name;
        m->row_values[count++] = value;
    }
    if (count == 0)
        return;
    lth_metrics_row whole = *row;
    whole.struct_size = sizeof whole;
    whole.count = count;
    whole.names = m->row_names;
    whole.values = m->row_values;
    m->emit(m->context, &whole);
}

/* ---- callback_metrics ---- */

void metrics_keep(metrics *m)
{
    for (size_t i = 0; i < m->value_count; i++) {
        m->sorted[i]->kept = m->sorted[i]->shown.value;
        m->sorted[i]->kept_present = m->sorted[i]->present;
    }
}

void metrics_restore(metrics *m)
{
    for (size_t i = 0; i < m->value_count; i++) {
        m->sorted[i]->shown.value = m->sorted[i]->kept;
        m->sorted[i]->present = m->sorted[i]->kept_present;
    }
}

bool metrics_find(metrics *m, const char *name, double *value)
{
    metrics_read_all(m);
    const metrics_value *v = map_get(&m->values, name);
    if (!v || !v->present)
        return false;
    *value = v->shown.value;
    return true;
}

uint32_t metrics_list(metrics *m, const lth_metric **out)
{
    metrics_read_all(m);
    uint32_t count = 0;
    for (size_t i = 0; i < m->value_count; i++)
        if (m->sorted[i]->present)
            m->listed[count++] = m->sorted[i]->shown;
    *out = m->listed;
    return count;
}
