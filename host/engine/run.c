/* SPDX-License-Identifier: Apache-2.0
 * engine/run.c: running a plan, and what to say when it fails. */
#include "engine/internal.h"
#include "util/clock.h"

#include <stdatomic.h>
#include <string.h>

/* ---- What runs, for the report of a crash: a signal handler has nothing else to look at than the process's own ---- */

static _Atomic(const plan *) running;
static _Atomic(const volatile uint32_t *) running_node;

bool engine_running_op(engine_running *out)
{
    const plan *p = atomic_load(&running);
    const volatile uint32_t *at = atomic_load(&running_node);
    uint32_t node = p && at ? *at : LTH_NO_VALUE;
    if (!p || node >= p->graph.node_count)
        return false;
    const lth_node *n = &p->graph.nodes[node];
    const lth_site *s = &p->graph.sites[n->site];
    *out = (engine_running) { describe_op(&p->graph, n), s->file ? s->file : "?", s->line };
    return true;
}

/* ---- Running ---- */

const void *plan_value(engine *g, const plan *p, uint32_t value)
{
    return p->eager ? eager_value(p->eager, value)
                    : g->options.accelerator->value_data(g->options.accelerator_self, p->compiled, value);
}

/* Points the plan's inputs at the batch and at what earlier segments kept. */
static bool bind_inputs(engine *g, plan *p, error *e)
{
    const engine_step *s = &g->step;
    for (uint32_t i = 0; i < p->field_count; i++) {
        p->inputs[i] = s->args.fields[i].data;
        if (!p->inputs[i] && s->fields[i] != LTH_NO_VALUE && lth_shape_count(&s->args.fields[i].shape) > 0) {
            error_set(e, LTH_INVALID, "field '%s' of the batch has no data", s->args.fields[i].name);
            return false;
        }
    }
    for (size_t i = 0; i < p->kept_count; i++)
        p->inputs[p->field_count + i] = plan_value(g, s->segments[p->kept[i].segment].plan, p->kept[i].value);
    return true;
}

static lth_status explain(engine *g, plan *p, const lth_bindings *bindings, const lth_run_result *result, lth_status status,
                          error *e)
{
    if (result->failed_node >= p->graph.node_count)
        return error_set(e, status, "accelerator '%s' failed: %s", g->options.accelerator->id,
                         result->message[0] ? result->message : "it does not say why");
    const lth_node *n = &p->graph.nodes[result->failed_node];
    const lth_site *s = &p->graph.sites[n->site];
    if (n->op != LTH_OP_ASSERT)
        return error_set(e, status, "%s at %s:%u: %s", describe_op(&p->graph, n), s->file, s->line, result->message);
    const lth_attr_text *text = (const void *)(p->graph.attributes + n->attributes);
    if (!(n->flags & LTH_NODE_GUARD))
        return error_set(e, LTH_CHECK, "assertion failed at %s:%u: %.64s", s->file, s->line, text->text);
    error why = { 0 };
    nonfinite_explain(g, p, bindings, result->failed_node, &why);
    return error_set(e, LTH_CHECK, "%.64s%s%s", text->text, why.status ? ": " : "", why.text);
}

lth_status plan_run(engine *g, plan *p, void *const *outputs, error *e)
{
    if (p->record_scalars)
        memcpy(p->scalars, g->trace.scalars, p->record_scalars * sizeof *p->scalars);
    if (!bind_inputs(g, p, e))
        return e->status;
    lth_bindings bindings = {
        .struct_size = sizeof bindings,
        .inputs = p->inputs,
        .outputs = outputs,
        .arenas = g->state.memory,
        .scalars = p->scalars,
        .seed = g->options.seed,
        .step = g->step.args.step,
        .stream = g->step.args.stream,
        .print = engine_print,
        .print_context = g,
        .times = p->times,
    };
    lth_run_result result;
    result.struct_size = sizeof result;
    result.failed_node = LTH_NO_VALUE;
    result.message[0] = '\0';
    atomic_store(&running_node, p->eager ? eager_running_node(p->eager) : &result.failed_node);
    atomic_store(&running, p);
    int64_t began = g->options.profile ? clock_nanoseconds() : 0;
    lth_status status = p->eager ? eager_run(g, p->eager, &bindings, &result)
                                 : g->options.accelerator->run(g->options.accelerator_self, p->compiled, &bindings, &result);
    if (g->options.profile) {
        p->runs++;
        p->nanoseconds += (uint64_t)(clock_nanoseconds() - began);
    }
    atomic_store(&running, NULL);
    bindings.times = NULL; /* they are this plan's launches; what explains a failure runs others */
    return status ? explain(g, p, &bindings, &result, status, e) : LTH_OK;
}
