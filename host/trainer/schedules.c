/* SPDX-License-Identifier: Apache-2.0
 * trainer/schedules.c: learning rates over time. A schedule counts epochs or optimizer steps; one that looks at a metric
 * advances when that metric is fresh. */
#include "trainer/session.h"

#include <math.h>
#include <string.h>

/* How often a schedule will advance in the whole run; -1: not known. */
static int64_t total_of(const session *s, const schedule *x)
{
    int64_t intervals = strcmp(x->options.interval, "step") == 0 ? s->stepping_batches : s->options.max_epochs;
    if (strcmp(x->options.interval, "epoch") == 0 && intervals < 0 && s->stepping_batches >= 0 && s->train_batches > 0) {
        int64_t k = s->options.accumulate_grad_batches, steps = (s->train_batches + k - 1) / k;
        intervals = (s->stepping_batches + steps - 1) / steps;
    }
    return intervals < 0 ? -1 : intervals / x->options.frequency;
}

/* New rates for the optimizer's groups, at x->count. */
static lth_status apply(session *s, schedule *x, double metric, bool advance, error *e)
{
    optimizer *o = &s->optimizers.at[x->optimizer];
    for (uint32_t g = 0; g < o->group_count; g++) {
        if (!o->groups[g].lr)
            continue;
        lth_schedule at = { sizeof at, g, o->groups[g].base_lr, *o->groups[g].lr, x->count, total_of(s, x), metric };
        if (advance && x->table->advance) {
            component_enter(x->who, "advance");
            if (component_result(x->who, "advance", x->table->advance(x->who->self, &at), e) != LTH_OK)
                return e->status;
        }
        advance = false; /* once, whatever the number of groups */
        component_enter(x->who, "rate");
        double rate = x->table->rate(x->who->self, &at);
        component_leave();
        if (!(rate >= 0) || isinf(rate))
            return error_set(e, LTH_INVALID, "[%s] gives a learning rate of %g for group %u of [%s], at count %lld",
                             x->who->title, rate, (unsigned)g, o->title, (long long)x->count);
        *o->groups[g].lr = rate;
    }
    return LTH_OK;
}

lth_status schedules_start(session *s, error *e)
{
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        if (apply(s, &s->optimizers.schedules[i], NAN, false, e) != LTH_OK)
            return e->status;
    return LTH_OK;
}

lth_status schedules_resume(session *s, error *e)
{
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        if (!s->optimizers.schedules[i].table->needs_metric &&
            apply(s, &s->optimizers.schedules[i], NAN, false, e) != LTH_OK)
            return e->status;
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

lth_status schedules_advance(session *s, schedule_moment moment, bool looks_at_metric, error *e)
{
    const char *interval = moment == SCHEDULE_STEP ? "step" : "epoch";
    int64_t done = moment == SCHEDULE_STEP ? s->loop.global_step : s->loop.epoch + 1;
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        schedule *x = &s->optimizers.schedules[i];
        double metric = NAN;
        if (strcmp(x->options.interval, interval) != 0 || (x->table->needs_metric != 0) != looks_at_metric ||
            done % x->options.frequency != 0)
            continue;
        lth_status status = looks_at_metric ? monitored(s, x, &metric, e) : LTH_OK;
        if (status == LTH_END)
            continue;
        if (status != LTH_OK)
            return status;
        x->count++;
        if (apply(s, x, metric, true, e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}
