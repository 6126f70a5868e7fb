/* SPDX-License-Identifier: Apache-2.0
 * A run: leaves are bound, nodes run in order, and only when all have succeeded do effects take place. */
#include "plan.h"

#include <lthost/accel/clock.h>
#include <lthost/accel/plain/convert.h>
#include <math.h>
#include <string.h>

static lth_status fail(lth_run_result *result, uint32_t node, const char *message)
{
    if (result) {
        result->failed_node = node;
        snprintf(result->message, sizeof result->message, "%s", message);
    }
    return LTH_CHECK;
}

static void copy_value(const lth_plan *p, void *to, const void *from, uint32_t value)
{
    int64_t bytes = accel_value_bytes(p->graph, value);
    if (bytes)                           /* then both are bound: bind_leaf and check_targets have seen to it */
        memcpy(to, from, (size_t)bytes); // NOLINT(clang-analyzer-core.NonNullParamChecker)
}

static char *state_at(const lth_bindings *b, const lth_attr_state *a, lth_dtype dtype)
{
    return (char *)b->arenas[a->arena] + a->offset * lth_dtype_size(dtype);
}

/* Points at the bound memory; with KEEP_ALL takes a copy, as that memory changes after the run. */
static lth_status bind_leaf(lth_plan *p, uint32_t node, const lth_bindings *b, lth_run_result *result)
{
    const lth_node *n = lth_graph_node(p->graph, node);
    const void *a = lth_node_attributes(p->graph, n);
    uint32_t v = n->first_value;
    const void *memory;
    if (n->op == LTH_OP_INPUT)
        memory = b->inputs[((const lth_attr_slot *)a)->slot];
    else
        memory = b->arenas[((const lth_attr_state *)a)->arena] ? state_at(b, a, lth_node_shape(p->graph, n, 0)->dtype) : NULL;
    if (!memory && accel_value_bytes(p->graph, v))
        return fail(result, node, n->op == LTH_OP_INPUT ? "the input is not bound" : "the arena is not bound");
    if (ref_plan_is_bound(p, v))
        p->data[v] = (void *)memory; /* never written: kernels see operands as const */
    else
        copy_value(p, p->data[v], memory, v);
    return LTH_OK;
}

/* A loop makes no numbers: what it hands on has been checked where it was made. */
static lth_status hand_infinities_on(lth_plan *p, const lth_node *n)
{
    const lth_graph *g = p->graph;
    const accel_loop *l = &p->loops[accel_loop_region(g, n)];
    const lth_node *begin = lth_graph_node(g, l->begin), *end = lth_graph_node(g, l->end);
    bool given = false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        given |= p->infinite[lth_node_operand(g, n, i)];
    for (uint32_t i = 0; given && i < begin->value_count; i++)
        p->infinite[begin->first_value + i] = true;
    for (uint32_t i = 0; given && i < end->value_count; i++)
        p->infinite[end->first_value + i] = true;
    return LTH_OK;
}

/* A value may hold an infinity that the user gave as a number (a mask's -inf), that stands for what sees nothing, or that came
 * from one; any other number that is not finite was made by this node. */
static lth_status check_finite(lth_plan *p, uint32_t node, lth_run_result *result)
{
    const lth_graph *g = p->graph;
    const lth_node *n = lth_graph_node(g, node);
    bool given = n->op == LTH_OP_SCALAR;
    if (accel_is_of_loop(n->op))
        return hand_infinities_on(p, n);
    for (uint32_t i = 0; i < n->operand_count; i++)
        given |= p->infinite[lth_node_operand(g, n, i)];
    for (uint32_t r = 0; r < n->value_count; r++) {
        uint32_t v = n->first_value + r;
        const lth_shape *s = &lth_graph_value(g, v)->shape;
        p->infinite[v] = false;
        for (int64_t i = 0, count = lth_dtype_is_float(s->dtype) ? lth_shape_count(s) : 0; i < count; i++) {
            double x = plain_load_float(s->dtype, p->data[v], i);
            if (isfinite(x))
                continue;
            if (isnan(x) || !(given || accel_sees_nothing(n, r, x))) {
                char text[80];
                snprintf(text, sizeof text, "element %lld of the result is %s", (long long)i,
                         isnan(x) ? "nan"
                         : x > 0  ? "inf"
                                  : "-inf");
                return fail(result, node, text);
            }
            p->infinite[v] = true;
        }
    }
    return LTH_OK;
}

/* A node of 16-bit values by the f32 kernel. */
static bool run_wide(const lth_plan *p, uint32_t node, void *const *out, const lth_bindings *b, char *message)
{
    const lth_node *n = lth_graph_node(p->graph, node);
    plain_wide_call w;
    plain_wide_enter(p->graph, n, p->operands, out, p->scratch[node], &w);
    plain_call call = { p->wide, n, w.in, w.out, b, message, 1 };
    if (!p->kernels[node](&call))
        return false;
    plain_wide_leave(p->graph, n, &w, out);
    return true;
}

static lth_status run_node(lth_plan *p, uint32_t node, const lth_bindings *b, lth_run_result *result)
{
    const lth_graph *g = p->graph;
    const lth_node *n = lth_graph_node(g, node);
    char message[PLAIN_MESSAGE] = "";
    if (!p->kernels[node])
        return n->value_count ? bind_leaf(p, node, b, result) : LTH_OK;
    for (uint32_t i = 0; i < n->operand_count; i++)
        p->operands[i] = p->data[lth_node_operand(g, n, i)];
    void *const *out = p->data + n->first_value;
    plain_call call = { g, n, p->operands, out, b, message, 1 };
    bool ok = p->scratch[node] ? run_wide(p, node, out, b, message) : p->kernels[node](&call);
    return ok ? LTH_OK : fail(result, node, message);
}

/* ---- Loops ---- */

typedef struct loop_place {
    const lth_plan *plan;
    const accel_loop *loop;
} loop_place;

static const lth_node *loop_node(const loop_place *at, bool end)
{
    return lth_graph_node(at->plan->graph, end ? at->loop->end : at->loop->begin);
}

static const void *loop_operand(void *context, bool end, uint32_t index)
{
    const loop_place *at = context;
    return at->plan->data[lth_node_operand(at->plan->graph, loop_node(at, end), index)];
}

static void *loop_result(void *context, bool end, uint32_t index)
{
    const loop_place *at = context;
    return at->plan->data[loop_node(at, end)->first_value + index];
}

/* Runs a LOOP or a LOOP_END; returns the node that comes next. */
static uint32_t turn(lth_plan *p, uint32_t node, lth_bindings *b)
{
    const lth_node *n = lth_graph_node(p->graph, node);
    accel_loop *l = &p->loops[accel_loop_region(p->graph, n)];
    loop_place at = { p, l };
    accel_loop_memory m = { &at, loop_operand, loop_result, p->staging[l->end] };
    bool runs =
        n->op == LTH_OP_LOOP ? accel_loop_begin(l, p->graph, &m, &b->stream) : accel_loop_next(l, p->graph, &m, &b->stream);
    return runs ? l->begin + 1 : l->end + 1;
}

/* ---- The commit ---- */

static bool is_of_commit(uint32_t op) { return op == LTH_OP_OUTPUT || op == LTH_OP_PRINT || op == LTH_OP_ASSIGN; }

/* Outputs and prints read before state is written, and so does every ASSIGN that copies state. */
static void commit(lth_plan *p, const lth_bindings *b)
{
    const lth_graph *g = p->graph;
    uint64_t since = b->times ? accel_clock() : 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        uint32_t v = n->operand_count ? lth_node_operand(g, n, 0) : 0;
        if (n->op == LTH_OP_OUTPUT)
            copy_value(p, b->outputs[((const lth_attr_slot *)lth_node_attributes(g, n))->slot], p->data[v], v);
        else if (n->op == LTH_OP_PRINT && b->print)
            b->print(b->print_context, ((const lth_attr_text *)lth_node_attributes(g, n))->text, &lth_graph_value(g, v)->shape,
                     p->data[v]);
        else if (n->op == LTH_OP_ASSIGN && p->staging[i])
            copy_value(p, p->staging[i], p->data[v], v);
        if (b->times && is_of_commit(n->op) && n->op != LTH_OP_ASSIGN)
            since = accel_clock_note(&b->times[i], since);
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        if (n->op != LTH_OP_ASSIGN)
            continue;
        uint32_t v = lth_node_operand(g, n, 0);
        copy_value(p, state_at(b, lth_node_attributes(g, n), lth_graph_value(g, v)->shape.dtype),
                   p->staging[i] ? p->staging[i] : p->data[v], v);
        if (b->times)
            since = accel_clock_note(&b->times[i], since);
    }
}

/* Whether everything that the commit writes to is there, so that it cannot fail half-way. */
static lth_status check_targets(const lth_plan *p, const lth_bindings *b, lth_run_result *result)
{
    const lth_graph *g = p->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        const void *a = lth_node_attributes(g, n);
        if (!n->operand_count || !accel_value_bytes(g, lth_node_operand(g, n, 0)))
            continue;
        if (n->op == LTH_OP_OUTPUT && !b->outputs[((const lth_attr_slot *)a)->slot])
            return fail(result, i, "the output is not bound");
        if (n->op == LTH_OP_ASSIGN && !b->arenas[((const lth_attr_state *)a)->arena])
            return fail(result, i, "the arena is not bound");
    }
    return LTH_OK;
}

lth_status ref_plan_run(lth_plan *p, const lth_bindings *b, lth_run_result *result)
{
    if (result) {
        result->failed_node = LTH_NO_VALUE;
        result->message[0] = 0;
    }
    lth_status status = check_targets(p, b, result);
    lth_bindings own = accel_own_bindings(b);
    uint64_t since = own.times ? accel_clock() : 0;
    for (uint32_t i = 0, next; i < p->graph->node_count && !status; i = next) {
        bool of_loop = accel_is_of_loop(lth_graph_node(p->graph, i)->op);
        if (result) /* where a crash would be */
            *(volatile uint32_t *)&result->failed_node = i;
        next = of_loop ? turn(p, i, &own) : i + 1;
        status = of_loop ? LTH_OK : run_node(p, i, &own, result);
        if (own.times && !is_of_commit(lth_graph_node(p->graph, i)->op))
            since = accel_clock_note(&own.times[i], since);
        if (!status && p->flags & LTH_COMPILE_CHECK_FINITE)
            status = check_finite(p, i, result);
    }
    if (status)
        return status;
    if (result)
        result->failed_node = LTH_NO_VALUE;
    commit(p, &own);
    return LTH_OK;
}
