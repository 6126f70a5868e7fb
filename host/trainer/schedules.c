/* SPDX-License-Identifier: Apache-2.0
 * trainer/schedules.c: learning rates over time. A schedule counts epochs or optimizer steps; one that looks at a metric
 * advances when that metric is fresh, one with interval = manual when the model says so. The warm-up before a schedule is the
 * same for all of them, and made here. */
#include "trainer/session.h"

#include <math.h>
#include <string.h>

/* How often a schedule will advance in the whole run, at least once; -1: not known. */
static int64_t total_of(const session *s, const schedule *x)
{
    int64_t intervals = strcmp(x->options.interval, "step") == 0    ? s->stepping_batches
                        : strcmp(x->options.interval, "epoch") == 0 ? s->options.max_epochs
                                                                    : -1;
    if (strcmp(x->options.interval, "epoch") == 0 && intervals < 0 && s->stepping_batches >= 0 && s->train_batches > 0) {
        int64_t k = s->options.accumulate_grad_batches, steps = (s->train_batches + k - 1) / k;
        intervals = (s->stepping_batches + steps - 1) / steps;
    }
    int64_t total = intervals / x->options.frequency - x->options.warmup;
    return intervals < 0 ? -1 : total > 1 ? total : 1;
}

/* What the plugin is told: its own counts begin when the warm-up is over. */
static lth_schedule place_of(const session *s, const schedule *x, uint32_t group, double metric)
{
    const optimizer_group *g = &s->optimizers.at[x->optimizer].groups[group];
    int64_t count = x->count > x->options.warmup ? x->count - x->options.warmup : 0;
    return (lth_schedule) { .struct_size = sizeof(lth_schedule),
                            .group = group,
                            .base = g->base_lr,
                            .current = count > 0 && g->lr ? *g->lr : g->base_lr,
                            .count = count,
                            .total = total_of(s, x),
                            .metric = metric,
                            .warmup = x->options.warmup };
}

static lth_status fail(const schedule *x, error *e, const char *what, double value, const lth_schedule *at)
{
    error_set(e, LTH_INVALID, "[%s] gives a %s of %g for group %u of its optimizer, at count %lld", x->who->title, what, value,
              (unsigned)at->group, (long long)at->count);
    component_add_fault(x->who, e);
    return LTH_INVALID;
}

/* The warm-up, then the plugin: as torch's SequentialLR([LinearLR(warmup_start, total_iters=warmup), ...], [warmup]). During
 * the warm-up the plugin is asked for what it will begin with, so that its faults come out before the training. */
static lth_status set_rate(const schedule *x, optimizer_group *g, const lth_schedule *at, error *e)
{
    const scheduler_options *o = &x->options;
    component_enter(x->who, "rate");
    double rate = x->table->rate(x->who->self, at);
    bool right = rate >= 0 && !isinf(rate);
    lth_status status = right ? LTH_OK : fail(x, e, "learning rate", rate, at);
    component_leave();
    if (status == LTH_OK && x->count < o->warmup)
        rate = g->base_lr * (o->warmup_start + (1 - o->warmup_start) * (double)x->count / (double)o->warmup);
    if (status == LTH_OK)
        *g->lr = rate;
    return status;
}

/* NaN leaves it as it is. */
static lth_status set_momentum(const schedule *x, optimizer_group *g, lth_schedule at, error *e)
{
    if (!x->table->momentum)
        return LTH_OK;
    at.base = g->base_momentum;
    at.current = g->momentum ? *g->momentum : NAN;
    component_enter(x->who, "momentum");
    double momentum = x->table->momentum(x->who->self, &at);
    bool right = isnan(momentum) || (g->momentum && momentum >= 0 && momentum <= 1);
    lth_status status = right ? LTH_OK : fail(x, e, "momentum", momentum, &at);
    component_leave();
    if (right && !isnan(momentum))
        *g->momentum = momentum;
    return status;
}

enum { RATES = 1, MOMENTA = 2 };

/* New numbers for the optimizer's groups, at x->count. */
static lth_status apply(session *s, schedule *x, double metric, unsigned what, error *e)
{
    optimizer *o = &s->optimizers.at[x->optimizer];
    for (uint32_t g = 0; g < o->group_count; g++) {
        if (!o->groups[g].lr)
            continue;
        const lth_schedule at = place_of(s, x, g, metric);
        if ((what & RATES && set_rate(x, &o->groups[g], &at, e) != LTH_OK) ||
            (what & MOMENTA && set_momentum(x, &o->groups[g], at, e) != LTH_OK))
            return e->status;
    }
    return LTH_OK;
}

/* One advance: the plugin takes in the metric, once for all groups. */
static lth_status advance(session *s, schedule *x, double metric, error *e)
{
    x->count++;
    if (x->table->advance && x->count > x->options.warmup) {
        const lth_schedule at = place_of(s, x, 0, metric);
        component_enter(x->who, "advance");
        if (component_result(x->who, "advance", x->table->advance(x->who->self, &at), e) != LTH_OK)
            return e->status;
    }
    return apply(s, x, metric, RATES | MOMENTA, e);
}

lth_status schedules_start(session *s, error *e)
{
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        schedule *x = &s->optimizers.schedules[i];
        const optimizer *o = &s->optimizers.at[x->optimizer];
        bool any = false;
        for (uint32_t g = 0; g < o->group_count; g++)
            any = any || o->groups[g].lr;
        if (!any)
            return error_set(e, LTH_INVALID, "[%s] has nothing to move: '%s' has no learning rate that may change", x->who->title,
                             o->id);
        if (apply(s, x, NAN, RATES | MOMENTA, e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}

lth_status schedules_resume(session *s, bool same_run_file, error *e)
{
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        bool moves_on = same_run_file || s->optimizers.schedules[i].table->needs_metric;
        if (apply(s, &s->optimizers.schedules[i], NAN, moves_on ? MOMENTA : RATES | MOMENTA, e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}

/* The metrics there are, for a message. */
static void list_metrics(session *s, str *out)
{
    const lth_metric *metrics;
    uint32_t count = metrics_list(&s->metrics, &metrics);
    for (uint32_t i = 0; i < count; i++)
        str_printf(out, "%s%s", i ? ", " : "", metrics[i].name);
    if (count == 0)
        str_append(out, "none yet");
}

/* The metric that a schedule looks at. LTH_END: there is none, and that is allowed. */
static lth_status monitored(session *s, const schedule *x, double *metric, error *e)
{
    if (metrics_find(&s->metrics, x->options.monitor, metric))
        return LTH_OK;
    if (!x->options.strict)
        return LTH_END;
    str names = { 0 };
    list_metrics(s, &names);
    error_set(e, LTH_INVALID, "[%s] monitor = %s: nothing of that name was logged; there are: %s", x->who->title,
              x->options.monitor, str_text(&names));
    str_free(&names);
    return LTH_INVALID;
}

/* One advance, on the metric where it looks at one. */
static lth_status advance_now(session *s, schedule *x, error *e)
{
    double metric = NAN;
    lth_status status = x->table->needs_metric ? monitored(s, x, &metric, e) : LTH_OK;
    return status == LTH_END ? LTH_OK : status != LTH_OK ? status : advance(s, x, metric, e);
}

lth_status schedules_advance(session *s, schedule_moment moment, bool looks_at_metric, error *e)
{
    const char *interval = moment == SCHEDULE_STEP ? "step" : "epoch";
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        schedule *x = &s->optimizers.schedules[i];
        const optimizer *o = &s->optimizers.at[x->optimizer];
        int64_t done = moment == SCHEDULE_STEP ? o->steps : s->loop.epoch + 1;
        bool due = moment != SCHEDULE_STEP || o->updated_at == s->loop.batches;
        if (strcmp(x->options.interval, interval) == 0 && (x->table->needs_metric != 0) == looks_at_metric && due &&
            done % x->options.frequency == 0 && advance_now(s, x, e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}

lth_status schedules_advance_by_hand(session *s, uint32_t index, error *e)
{
    bool any = false;
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        schedule *x = &s->optimizers.schedules[i];
        if (x->optimizer != index || strcmp(x->options.interval, "manual") != 0)
            continue;
        any = true;
        if (!s->step.record_only && advance_now(s, x, e) != LTH_OK)
            return e->status;
    }
    return any ? LTH_OK
               : error_set(e, LTH_INVALID, "lth_scheduler_step: [%s] has no scheduler with interval = manual",
                           s->optimizers.at[index].title);
}
