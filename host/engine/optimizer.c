/* SPDX-License-Identifier: Apache-2.0
 * engine/optimizer.c: the trainer's half of a step, recorded as symbols: gradients, their sums, clipping, updates. Cheap per
 * step; what the symbols stand for is worked out once a plan (expand.c, update.c). */
#include "engine/internal.h"
#include "engine/loss_scale.h"

#include <string.h>

static state_optimizer *find(engine *g, int32_t optimizer, const char *file, uint32_t line)
{
    if (!g->trace.recording || g->trace.error.status || !trace_outside_loops(&g->trace, "an optimizer's step", file, line))
        return NULL;
    if (optimizer >= 0 && (size_t)optimizer < g->state.optimizer_count)
        return &g->state.optimizers[optimizer];
    trace_fail(&g->trace, file, line, "there is no optimizer %d; the run has %zu", (int)optimizer, g->state.optimizer_count);
    return NULL;
}

/* The status of a step whose recording failed. */
static lth_status failed(const engine *g) { return g->trace.error.status ? g->trace.error.status : LTH_INVALID; }

/* A list of `count` tensors from the value `first` on. */
static const lth_tensor *tensors_from(engine *g, uint32_t first, uint32_t count)
{
    lth_tensor *list = arena_array(&g->trace.memory, count, sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        list[i] = trace_tensor(&g->trace, first + i);
    return list;
}

/* The shapes of an optimizer's parameters, in its order. */
static const lth_shape *shapes_of(const state_optimizer *o) { return o->group_count ? o->groups[0].shapes : NULL; }

lth_site engine_place(engine *g, lth_tensor x)
{
    trace *t = &g->trace;
    bool known = t->recording && x.trace == &t->head && x.generation == t->generation && x.node < t->graph->value_count;
    return known ? t->graph->sites[t->graph->nodes[t->graph->values[x.node].node].site] : (lth_site) { "(host)", 0, 0 };
}

lth_status engine_gradients(engine *g, int32_t optimizer, lth_tensor loss, const lth_tensor **out, uint32_t *count,
                            const char *file, uint32_t line)
{
    trace *t = &g->trace;
    const state_optimizer *o = find(g, optimizer, file, line);
    uint32_t value = o ? trace_value(t, loss, "the loss", file, line) : LTH_NO_VALUE;
    if (value == LTH_NO_VALUE)
        return failed(g);
    const lth_shape *shape = graph_shape(t->graph, value);
    if (shape->rank != 0 || !lth_dtype_is_float(shape->dtype)) {
        char text[128];
        describe_shape(shape, text, sizeof text);
        trace_fail(t, file, line, "the loss must be one floating number (rank 0); it is %s: reduce it, with lth_mean say", text);
        return failed(g);
    }
    uint32_t site = graph_site(t->graph, file, line);
    uint32_t *ids = trace_ids(t, (size_t)o->parameter_count + 1);
    ids[0] = value;
    uint32_t n = 1;
    for (size_t k = 0; k < o->group_count; k++)
        for (uint32_t i = 0; i < o->groups[k].count; i++)
            ids[n++] = trace_parameter(t, o->groups[k].parameters[i], site);
    const trace_sums at = { (uint32_t)optimizer, 0 };
    uint32_t first = graph_append(t->graph, LTH_OP_GRAD, ids, n, &at, sizeof at, site, shapes_of(o), n - 1);
    *out = tensors_from(g, first, o->parameter_count);
    *count = o->parameter_count;
    return LTH_OK;
}

/* Puts the gradients' values into ids[0..n), after checking that each has its parameter's shape. */
static bool gather(engine *g, const state_optimizer *o, const lth_tensor *gradients, uint32_t *ids, const char *file,
                   uint32_t line)
{
    uint32_t n = 0;
    for (size_t k = 0; k < o->group_count; k++)
        for (uint32_t i = 0; i < o->groups[k].count; i++, n++) {
            ids[n] = trace_value(&g->trace, gradients[n], "a gradient", file, line);
            if (ids[n] == LTH_NO_VALUE)
                return false;
            const lth_shape *shape = graph_shape(g->trace.graph, ids[n]), *wanted = &o->groups[k].shapes[i];
            if (memcmp(shape, wanted, sizeof *shape) != 0) {
                char is[128], must_be[128];
                describe_shape(shape, is, sizeof is);
                describe_shape(wanted, must_be, sizeof must_be);
                trace_fail(&g->trace, file, line, "the gradient of '%s' is %s; the parameter is %s",
                           g->state.parameters.at[o->groups[k].parameters[i]].name, is, must_be);
                return false;
            }
        }
    return true;
}

/* A symbol over all gradients: op(gradients..., numbers...) -> as many of the same shapes (0 with `effect`). Returns its first
 * result, LTH_NO_VALUE on an error. */
static uint32_t over_all(engine *g, uint32_t op, int32_t optimizer, uint32_t flags, const lth_tensor *gradients,
                         const double *numbers, uint32_t number_count, bool effect, const char *file, uint32_t line)
{
    trace *t = &g->trace;
    const state_optimizer *o = &g->state.optimizers[optimizer];
    uint32_t n = o->parameter_count, site = graph_site(t->graph, file, line);
    uint32_t *ids = trace_ids(t, (size_t)n + number_count);
    if (!gather(g, o, gradients, ids, file, line))
        return LTH_NO_VALUE;
    for (uint32_t i = 0; i < number_count; i++)
        ids[n + i] = trace_scalar(t, numbers[i], LTH_DTYPE_NONE, site);
    trace_sums at = { (uint32_t)optimizer, flags };
    return graph_append(t->graph, op, ids, n + number_count, &at, sizeof at, site, shapes_of(o), effect ? 0 : n);
}

/* Whether the accumulators that a call needs are there. */
static bool has_accumulators(engine *g, const char *file, uint32_t line)
{
    if (!g->state.accumulates)
        trace_fail(&g->trace, file, line, "gradients are to be accumulated, but engine_allocate made no accumulators");
    return g->state.accumulates;
}

lth_status engine_total(engine *g, int32_t optimizer, const lth_tensor *gradients, const engine_update_args *args,
                        const lth_tensor **out, const char *file, uint32_t line)
{
    const state_optimizer *o = find(g, optimizer, file, line);
    if (!o || (args->add_accumulated && !has_accumulators(g, file, line)))
        return failed(g);
    bool divide = args->divisor != 0 && args->divisor != 1;
    *out = gradients;
    if (!divide && !args->add_accumulated)
        return LTH_OK;
    uint32_t flags = (divide ? TRACE_DIVIDE : 0) | (args->add_accumulated ? TRACE_ADD : 0);
    uint32_t first = over_all(g, TRACE_OP_TOTAL, optimizer, flags, gradients, &args->divisor, divide, false, file, line);
    if (first == LTH_NO_VALUE)
        return failed(g);
    *out = tensors_from(g, first, o->parameter_count);
    return LTH_OK;
}

lth_status engine_accumulate(engine *g, int32_t optimizer, const lth_tensor *gradients, const engine_update_args *args,
                             const char *file, uint32_t line)
{
    if (!find(g, optimizer, file, line) || !has_accumulators(g, file, line))
        return failed(g);
    bool divide = args->divisor != 0 && args->divisor != 1;
    uint32_t flags = (divide ? TRACE_DIVIDE : 0) | (args->add_accumulated ? TRACE_ADD : 0) | (args->guard ? TRACE_GUARD : 0);
    uint32_t ok = over_all(g, TRACE_OP_ACCUMULATE, optimizer, flags, gradients, &args->divisor, divide, true, file, line);
    return ok == LTH_NO_VALUE ? failed(g) : LTH_OK;
}

/* One UPDATE a group: (gradients..., parameters..., hyperparameters...) -> the new parameters. */
static void update_group(engine *g, int32_t optimizer, uint32_t group, const uint32_t *gradients, uint32_t site)
{
    trace *t = &g->trace;
    const state_group *p = &g->state.optimizers[optimizer].groups[group];
    uint32_t count = 2 * p->count + p->hyper_count;
    uint32_t *ids = arena_array(&t->memory, count, sizeof *ids);
    for (uint32_t i = 0; i < p->count; i++) {
        ids[i] = gradients[i];
        ids[p->count + i] = trace_parameter(t, p->parameters[i], site);
    }
    for (uint32_t i = 0; i < p->hyper_count; i++)
        ids[2 * p->count + i] = trace_scalar(t, state_hyper_value(p, &p->hypers[i]), LTH_DTYPE_NONE, site);
    lth_attr_update at = { (uint32_t)optimizer, group };
    uint32_t first = graph_append(t->graph, LTH_OP_UPDATE, ids, count, &at, sizeof at, site, p->shapes, p->count);
    for (uint32_t i = 0; i < p->count; i++)
        g->step.parameters[p->parameters[i]] = first + i;
}

lth_status engine_update(engine *g, int32_t optimizer, const lth_tensor *totals, const engine_update_args *args, const char *file,
                         uint32_t line)
{
    trace *t = &g->trace;
    const state_optimizer *o = find(g, optimizer, file, line);
    if (!o)
        return failed(g);
    uint32_t n = o->parameter_count, *ids = arena_array(&t->memory, n, sizeof *ids);
    double numbers[2];
    uint32_t number_count = 0;
    if (args->clip_norm > 0)
        numbers[number_count++] = args->clip_norm;
    if (args->clip_value > 0)
        numbers[number_count++] = args->clip_value;
    uint32_t flags = (args->guard ? TRACE_GUARD : 0) | (args->clip_norm > 0 ? TRACE_CLIP_NORM : 0) |
                     (args->clip_value > 0 ? TRACE_CLIP_VALUE : 0) | (loss_scale_is_used(g) ? TRACE_SCALED : 0);
    if (flags) {
        uint32_t first = over_all(g, TRACE_OP_CLIP, optimizer, flags, totals, numbers, number_count, false, file, line);
        if (first == LTH_NO_VALUE)
            return failed(g);
        for (uint32_t i = 0; i < n; i++)
            ids[i] = first + i;
    } else if (!gather(g, o, totals, ids, file, line)) {
        return failed(g);
    }
    uint32_t site = graph_site(t->graph, file, line), done = 0;
    for (uint32_t k = 0; k < o->group_count; k++) {
        update_group(g, optimizer, k, ids + done, site);
        done += o->groups[k].count;
    }
    return LTH_OK;
}
