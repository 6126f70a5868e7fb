/* SPDX-License-Identifier: Apache-2.0
 * engine/nonfinite.c: where a non-finite gradient came from.
 *
 * The step is run again without its effects, a kernel a node, every value kept. An infinity that the author gave as a number
 * (a mask's), that stands for a query which sees no key, or that came from one of those is no fault by itself; any other number
 * that is not finite is. Then the way back is walked from the check that failed, along faults, and along given infinities
 * where an infinity has no other reason: the first op on it is the one to blame; a leaf means that data, state or a number
 * was bad already. Of a loop's body the last turn alone is there to look at: where the way ends at the loop itself, another run
 * checks node after node. */
#include "engine/internal.h"
#include "engine/op_table.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>

typedef struct search {
    engine *engine;
    plan *plan;
    graph clean; /* the plan's graph without effects: those have no results, so values keep their ids */
    lth_plan *run;
    uint8_t *fault;   /* by value: FINITE, ... */
    bool *on_the_way; /* by value */
    bool in_body;     /* what was found is of a loop's body, in a turn before the last */
} search;

enum { FINITE, GIVEN, FAULT };

typedef struct range {
    double low, high;        /* of the finite elements */
    int64_t not_finite, nan; /* how many are not, and of these */
} range;

static range range_of(const search *s, uint32_t value)
{
    range r = { INFINITY, -INFINITY, 0, 0 };
    const lth_shape *shape = graph_shape(&s->clean, value);
    const engine_options *o = &s->engine->options;
    const void *data = lth_dtype_is_float(shape->dtype) ? o->accelerator->value_data(o->accelerator_self, s->run, value) : NULL;
    for (int64_t i = 0, n = data ? lth_shape_count(shape) : 0; i < n; i++) {
        double x = engine_element(data, shape->dtype, i);
        if (!isfinite(x)) {
            r.not_finite++;
            r.nan += isnan(x);
            continue;
        }
        r.low = x < r.low ? x : r.low;
        r.high = x > r.high ? x : r.high;
    }
    return r;
}

/* Compiles the graph without effects and runs it. */
static lth_status run_clean(search *s, uint32_t flags, const lth_bindings *bindings, lth_run_result *result)
{
    const engine_options *o = &s->engine->options;
    lth_graph view;
    graph_view(&s->clean, &view);
    lth_compile_args args = { .struct_size = sizeof args, .flags = flags, .graph = &view };
    *result = (lth_run_result) { .struct_size = sizeof *result, .failed_node = LTH_NO_VALUE };
    lth_status status = o->accelerator->compile(o->accelerator_self, &args, &s->run);
    return status ? status : o->accelerator->run(o->accelerator_self, s->run, bindings, result);
}

static void release_run(search *s)
{
    const engine_options *o = &s->engine->options;
    if (s->run && o->accelerator->release)
        o->accelerator->release(o->accelerator_self, s->run);
    s->run = NULL;
}

static bool run_for_values(search *s, const lth_bindings *bindings)
{
    const graph *in = &s->plan->graph;
    lth_run_result result;
    uint32_t *map = memory_new(in->value_count * sizeof *map + 1);
    graph_copy_frame(in, &s->clean);
    s->clean.output_count = 0;
    for (uint32_t i = 0; i < in->node_count; i++)
        if (in->nodes[i].value_count > 0)
            graph_copy_node(in, i, &s->clean, map);
    free(map);
    return run_clean(s, LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL, bindings, &result) == LTH_OK;
}

static bool is_of_loop(const lth_node *n) { return n->op == LTH_OP_LOOP || n->op == LTH_OP_LOOP_END; }

static const lth_node *loop_of(const graph *g, const lth_node *n)
{
    return n->op == LTH_OP_LOOP ? n : &g->nodes[g->values[g->operands[n->first_operand]].node];
}

/* The node of the loop's body that makes the first number which is not finite; `origin`, the loop's, where none is found. */
static uint32_t find_in_body(search *s, uint32_t origin, const lth_bindings *bindings)
{
    lth_run_result result;
    const lth_region *body = &s->clean.regions[loop_of(&s->clean, &s->clean.nodes[origin])->region];
    release_run(s);
    lth_status status = run_clean(s, LTH_COMPILE_NO_FUSION | LTH_COMPILE_CHECK_FINITE, bindings, &result);
    s->in_body =
        status == LTH_CHECK && result.failed_node >= body->first_node && result.failed_node < body->first_node + body->node_count;
    return s->in_body ? result.failed_node : origin;
}

static uint8_t worst_operand(const search *s, const lth_node *n)
{
    uint8_t worst = FINITE;
    for (uint32_t k = 0; k < n->operand_count; k++) {
        uint8_t operand = s->fault[s->clean.operands[n->first_operand + k]];
        worst = operand > worst ? operand : worst;
    }
    return worst;
}

static void find_faults(search *s)
{
    for (uint32_t i = 0; i < s->clean.node_count; i++) {
        const lth_node *n = &s->clean.nodes[i];
        uint8_t worst = n->op == LTH_OP_SCALAR ? GIVEN : worst_operand(s, n);
        for (uint32_t k = 0; k < n->value_count; k++) {
            range r = range_of(s, n->first_value + k);
            bool given = worst == GIVEN || (worst == FINITE && n->op == LTH_OP_ATTENTION && k == 1); /* a log-sum-exp */
            s->fault[n->first_value + k] = !r.not_finite ? FINITE : r.nan || !given ? FAULT : GIVEN;
        }
    }
}

static void mark_operands(search *s, const lth_node *n, uint8_t met)
{
    for (uint32_t k = 0; k < n->operand_count; k++) {
        uint32_t operand = s->clean.operands[n->first_operand + k];
        s->on_the_way[operand] = s->on_the_way[operand] || s->fault[operand] >= met;
    }
}

/* Marks the way back from `value`; returns the first node on it, in the order of the step. */
static uint32_t find_origin(search *s, uint32_t value)
{
    uint32_t origin = LTH_NO_VALUE;
    s->on_the_way[value] = true;
    for (uint32_t i = s->clean.node_count; i-- > 0;) {
        const lth_node *n = &s->clean.nodes[i];
        uint8_t met = FINITE;
        for (uint32_t v = n->first_value; v < n->first_value + n->value_count; v++)
            if (s->on_the_way[v] && s->fault[v] > met)
                met = s->fault[v];
        if (met == FINITE)
            continue;
        origin = i;
        mark_operands(s, n, met);
        if (n->op == LTH_OP_LOOP_END) /* with no turn, its results are what the loop began with */
            mark_operands(s, loop_of(&s->clean, n), met);
    }
    return origin;
}

/* The author's op that a node of the backward pass was derived from. */
static const char *forward_op(const search *s, const lth_site *site)
{
    const graph *record = &s->plan->record;
    for (uint32_t i = 0; i < record->node_count; i++) {
        const lth_site *other = &record->sites[record->nodes[i].site];
        const op_info *info = op_find(record->nodes[i].op);
        if (other->line == site->line && other->file == site->file && info && info->gradient &&
            record->nodes[i].op != LTH_OP_EXPAND)
            return describe_op(record, &record->nodes[i]);
    }
    return NULL;
}

static void tell_leaf(const search *s, const lth_node *n, error *e)
{
    const graph *in = &s->clean;
    const void *at = in->attributes + n->attributes;
    range r = range_of(s, n->first_value);
    if (n->op == LTH_OP_INPUT) {
        uint32_t slot = ((const lth_attr_slot *)at)->slot;
        const char *name = slot < s->plan->field_count ? s->plan->field_names[slot] : "(a value of an earlier segment)";
        error_set(e, LTH_CHECK, "field '%s' of the batch holds %lld non-finite elements", name, (long long)r.not_finite);
    } else if (n->op == LTH_OP_STATE) {
        const lth_attr_state *state = at;
        const char *name = state_name_at(s->engine, state->arena, state->offset);
        error_set(e, LTH_CHECK, "'%s' held %lld non-finite elements before this step",
                  name ? name : s->engine->state.arenas[state->arena].name, (long long)r.not_finite);
    } else {
        const lth_site *site = &in->sites[n->site];
        error_set(e, LTH_CHECK, "the number given at %s:%u is not finite", site->file, site->line);
    }
}

static void tell_op(const search *s, const lth_node *n, error *e)
{
    const graph *in = &s->clean;
    const lth_site *site = &in->sites[n->site];
    const char *forward = n->flags & LTH_NODE_GRADIENT ? forward_op(s, site) : NULL;
    str text = { 0 };
    str_printf(&text, "the first non-finite value came from `%s`", describe_op(in, n));
    if (n->flags & LTH_NODE_GRADIENT)
        str_printf(&text, " in the gradient of %s%s%s at %s:%u", forward ? "`" : "what is", forward ? forward : "",
                   forward ? "`" : "", site->file, site->line);
    else
        str_printf(&text, " at %s:%u", site->file, site->line);
    if (s->in_body)
        str_append(&text, ", in the body of a loop");
    for (uint32_t i = 0; i < n->operand_count && i < 4 && !s->in_body && !is_of_loop(n); i++) {
        range r = range_of(s, in->operands[n->first_operand + i]);
        if (r.low == r.high)
            str_printf(&text, "%s operand %u is %.6g", i ? "," : ";", i + 1, r.low);
        else if (r.low < r.high)
            str_printf(&text, "%s operand %u is in [%.6g, %.6g]", i ? "," : ";", i + 1, r.low, r.high);
        if (r.not_finite > r.nan)
            str_printf(&text, "%s operand %u has infinities", i || r.low <= r.high ? "," : ";", i + 1);
    }
    error_set(e, LTH_CHECK, "%s", str_text(&text));
    str_free(&text);
}

void nonfinite_explain(engine *g, plan *p, const lth_bindings *bindings, uint32_t guard, error *e)
{
    search s = { .engine = g, .plan = p };
    graph_init(&s.clean);
    s.fault = memory_new(p->graph.value_count + 1);
    s.on_the_way = memory_new((p->graph.value_count + 1) * sizeof *s.on_the_way);
    /* The guard asserts ALL_FINITE of a vector, or that first of two. */
    const graph *in = &p->graph;
    const lth_node *all_finite = &in->nodes[in->values[in->operands[in->nodes[guard].first_operand]].node];
    if (all_finite->op == LTH_OP_OR)
        all_finite = &in->nodes[in->values[in->operands[all_finite->first_operand]].node];
    if (run_for_values(&s, bindings) && all_finite->operand_count == 1) {
        find_faults(&s);
        uint32_t origin = find_origin(&s, in->operands[all_finite->first_operand]);
        if (origin != LTH_NO_VALUE && is_of_loop(&s.clean.nodes[origin]))
            origin = find_in_body(&s, origin, bindings);
        const lth_node *n = origin == LTH_NO_VALUE ? NULL : &s.clean.nodes[origin];
        if (n && n->op < LTH_OP_NEG)
            tell_leaf(&s, n, e);
        else if (n)
            tell_op(&s, n, e);
    }
    release_run(&s);
    graph_free(&s.clean);
    free(s.fault);
    free(s.on_the_way);
}
