/* SPDX-License-Identifier: Apache-2.0
 * engine/autodiff_loop.c: the gradient of a loop is a loop in the other direction.
 *
 * It has the same number of turns and the same indices. A turn computes the forward body again, from what was carried into that
 * turn (which the forward loop stacks) and from the original sequences, and takes its vector-Jacobian product. Carried: the
 * derivatives by what the forward loop carries, and for each value from outside that the body reads the sum of the derivatives
 * by it. Stacked: the derivatives by the parts of sequences. Values from outside enter the copied body by a reshape of their
 * own, so that the derivative by them is partial even where one is computed from another. */
#include "engine/autodiff.h"

#include <string.h>

typedef struct list {
    uint32_t *at;
    uint32_t count;
} list;

static void put(list *l, uint32_t value) { l->at[l->count++] = value; }

typedef struct loop {
    autodiff_pass *p;
    graph *g;
    op_rule rule;
    arena memory;
    lth_attr_loop forward;
    uint32_t region, begin, end; /* of the forward loop */
    uint32_t inside, results;    /* first values of LOOP and of LOOP_END */
    list captures;               /* values from outside on the path */
    list carried, sequences;     /* of the backward loop: initial values; sequences */
    uint32_t *map;               /* a value of the forward loop -> its value in the backward body */
    uint32_t *d_carried; /* by what the forward loop carries: which of the backward loop's carried it is, or LTH_NO_VALUE */
    uint32_t *d_stack;   /* by stack, then by what is carried (its carried-in stack): which sequence, or LTH_NO_VALUE */
    uint32_t first;      /* of the backward LOOP's results */
} loop;

static bool floating(const loop *l, uint32_t value) { return lth_dtype_is_float(graph_shape(l->g, value)->dtype); }

static uint32_t operand_of(const graph *g, uint32_t node, uint32_t i) { return g->operands[g->nodes[node].first_operand + i]; }

static uint32_t begin_of(const graph *g, uint32_t end) { return g->values[operand_of(g, end, 0)].node; }

/* ---- The path ---- */

bool autodiff_mark_loop(autodiff_pass *p, uint32_t end, uint32_t *again)
{
    const graph *g = p->g;
    const lth_node *n = &g->nodes[end];
    const lth_attr_loop *a = (const void *)(g->attributes + n->attributes);
    uint32_t begin = begin_of(g, end), slot = g->nodes[begin].first_value + 1, read = a->carried + a->stacked;
    bool grown = false;
    for (uint32_t i = 0; i < a->carried; i++) {
        if (p->on_path[operand_of(g, end, 1 + i)] && !p->on_path[slot + i])
            p->on_path[slot + i] = grown = true;
        p->on_path[n->first_value + i] = p->on_path[n->first_value + read + i] = p->on_path[slot + i];
    }
    for (uint32_t i = a->carried; i < read; i++)
        p->on_path[n->first_value + i] = p->on_path[operand_of(g, end, 1 + i)];
    *again = begin + 1;
    return grown;
}

/* ---- What the backward loop begins with ---- */

static void find_captures(loop *l)
{
    const graph *g = l->g;
    uint32_t most = 0;
    for (uint32_t i = l->begin + 1; i <= l->end; i++)
        most += g->nodes[i].operand_count;
    l->captures.at = arena_array(&l->memory, most, sizeof *l->captures.at);
    for (uint32_t i = l->begin + 1; i <= l->end; i++)
        for (uint32_t k = 0; k < g->nodes[i].operand_count; k++) {
            uint32_t v = operand_of(g, i, k);
            if (g->values[v].node >= l->begin || !l->p->on_path[v] || !floating(l, v) || l->map[v] != LTH_NO_VALUE)
                continue;
            put(&l->captures, v);
            l->map[v] = v; /* met; its copy in the body takes this place */
        }
}

static uint32_t zeros_like(loop *l, uint32_t value)
{
    lth_shape shape = *graph_shape(l->g, value);
    return op_filled(&l->rule, &shape, 0);
}

static uint32_t or_zeros(loop *l, uint32_t gradient, uint32_t like)
{
    return gradient == LTH_NO_VALUE ? zeros_like(l, like) : gradient;
}

static void find_carried(loop *l)
{
    for (uint32_t i = 0; i < l->forward.carried; i++) {
        uint32_t last = l->results + i;
        l->d_carried[i] = LTH_NO_VALUE;
        if (!l->p->on_path[last])
            continue;
        l->d_carried[i] = l->carried.count;
        put(&l->carried, or_zeros(l, l->p->gradient[last], last));
    }
    for (uint32_t i = 0; i < l->captures.count; i++)
        put(&l->carried, zeros_like(l, l->captures.at[i]));
}

/* What was carried into each turn, the original sequences, then the gradients of stacks. */
static void find_sequences(loop *l)
{
    uint32_t carried = l->forward.carried, stacked = l->forward.stacked;
    for (uint32_t i = 0; i < carried; i++)
        put(&l->sequences, l->results + carried + stacked + i);
    for (uint32_t i = 0; i < l->forward.sequences; i++)
        put(&l->sequences, operand_of(l->g, l->begin, 1 + carried + i));
    for (uint32_t i = 0; i < stacked + carried; i++) {
        uint32_t gradient = l->p->gradient[l->results + carried + i];
        l->d_stack[i] = gradient == LTH_NO_VALUE ? LTH_NO_VALUE : l->sequences.count;
        if (gradient != LTH_NO_VALUE)
            put(&l->sequences, gradient);
    }
}

static bool begin_backward(loop *l)
{
    lth_attr_loop a = { l->forward.length, l->carried.count, l->sequences.count, 0, !l->forward.reverse };
    uint32_t count = 1 + a.carried + a.sequences, *operands = arena_array(&l->memory, count, sizeof *operands);
    operands[0] = operand_of(l->g, l->begin, 0);
    memcpy(operands + 1, l->carried.at, a.carried * sizeof *operands);
    memcpy(operands + 1 + a.carried, l->sequences.at, a.sequences * sizeof *operands);
    for (uint32_t i = 0; i < count; i++)
        if (operands[i] == LTH_NO_VALUE)
            return false;
    l->first = graph_loop_begin(l->g, &a, operands, l->rule.site, l->p->error);
    return l->first != LTH_NO_VALUE;
}

/* ---- Its body ---- */

static uint32_t part(const loop *l, uint32_t sequence) { return l->first + 1 + l->carried.count + sequence; }

/* The forward body once more. */
static bool copy_body(loop *l)
{
    graph *g = l->g;
    uint32_t inner = l->forward.carried + l->forward.sequences, backward = g->region;
    uint32_t *regions = arena_array(&l->memory, g->region_count, sizeof *regions);
    memset(regions, 0, g->region_count * sizeof *regions);
    regions[l->region] = backward;
    l->map[l->inside] = l->first;
    for (uint32_t i = 0; i < inner; i++)
        l->map[l->inside + 1 + i] = part(l, i);
    for (uint32_t i = 0; i < l->captures.count; i++) {
        lth_attr_dims same = { graph_shape(g, l->captures.at[i])->rank, 0, { 0 } };
        memcpy(same.dim, graph_shape(g, l->captures.at[i])->dim, sizeof same.dim);
        uint32_t copy = op_emit(&l->rule, LTH_OP_RESHAPE, &l->captures.at[i], 1, &same, sizeof same);
        if (copy == LTH_NO_VALUE)
            return false;
        l->map[l->captures.at[i]] = copy;
    }
    for (uint32_t i = l->begin + 1; i < l->end; i++)
        autodiff_copy_node(g, i, l->map, regions, &l->memory); /* what is not on the path is read from outside here, too */
    g->region = backward;
    return true;
}

static uint32_t copy_of(const loop *l, uint32_t value) { return l->map[value] == LTH_NO_VALUE ? value : l->map[value]; }

/* Next values and parts of the copied body, with the derivatives that reach them. */
static void find_outputs(loop *l, list *outputs, list *seeds)
{
    for (uint32_t i = 0; i < l->forward.carried + l->forward.stacked; i++) {
        bool is_carried = i < l->forward.carried;
        uint32_t d = is_carried ? l->d_carried[i] : l->d_stack[i - l->forward.carried], from = operand_of(l->g, l->end, 1 + i);
        if (d == LTH_NO_VALUE || !l->p->on_path[from])
            continue;
        put(outputs, copy_of(l, from));
        put(seeds, is_carried ? l->first + 1 + d : part(l, d));
    }
}

/* What is differentiated by: what was carried in, parts of sequences, captures; `which` of the three lists' places it is. */
static void find_wrt(loop *l, list *wrt, list *which)
{
    uint32_t inner = l->forward.carried + l->forward.sequences;
    for (uint32_t i = 0; i < inner; i++)
        if (l->p->on_path[l->inside + 1 + i])
            put(wrt, l->map[l->inside + 1 + i]), put(which, i);
    for (uint32_t i = 0; i < l->captures.count; i++)
        put(wrt, l->map[l->captures.at[i]]), put(which, inner + i);
}

static list new_list(loop *l, size_t most) { return (list) { arena_array(&l->memory, most, sizeof(uint32_t)), 0 }; }

/* The derivatives by the body's values, by place as in find_wrt. */
static uint32_t *differentiate_body(loop *l)
{
    size_t most = (size_t)l->forward.carried + l->forward.sequences + l->captures.count,
           read = (size_t)l->forward.carried + l->forward.stacked;
    list outputs = new_list(l, read), seeds = new_list(l, read), wrt = new_list(l, most), which = new_list(l, most);
    uint32_t *d = arena_array(&l->memory, most, sizeof *d), *found = arena_array(&l->memory, most, sizeof *found);
    find_outputs(l, &outputs, &seeds);
    find_wrt(l, &wrt, &which);
    memset(d, 0xff, most * sizeof *d); /* LTH_NO_VALUE */
    if (!autodiff_vjp(l->g, l->p->c, outputs.at, seeds.at, outputs.count, wrt.at, wrt.count, found, l->p->error))
        return NULL;
    for (uint32_t i = 0; i < wrt.count; i++)
        d[which.at[i]] = found[i];
    return d;
}

/* ---- What it ends with ---- */

static bool end_backward(loop *l, const uint32_t *d)
{
    uint32_t carried = l->forward.carried, inner = carried + l->forward.sequences;
    list operands = new_list(l, 1 + (size_t)l->carried.count + l->forward.sequences);
    put(&operands, l->first);
    for (uint32_t i = 0; i < carried; i++) {
        uint32_t stack = l->d_stack[l->forward.stacked + i];
        if (l->d_carried[i] == LTH_NO_VALUE)
            continue;
        uint32_t sum = op_accumulate(&l->rule, d[i], stack == LTH_NO_VALUE ? LTH_NO_VALUE : part(l, stack));
        put(&operands, or_zeros(l, sum, l->inside + 1 + i));
    }
    for (uint32_t i = 0; i < l->captures.count; i++)
        put(&operands, op_accumulate(&l->rule, l->first + 1 + l->carried.count - l->captures.count + i, d[inner + i]));
    uint32_t stacked = 0;
    for (uint32_t i = carried; i < inner; i++)
        if (l->p->on_path[l->inside + 1 + i])
            put(&operands, or_zeros(l, d[i], l->inside + 1 + i)), stacked++;
    for (uint32_t i = 0; i < operands.count; i++)
        if (operands.at[i] == LTH_NO_VALUE)
            return false;
    l->results = graph_loop_end(l->g, operands.at, stacked, l->rule.site, l->p->error);
    return l->results != LTH_NO_VALUE;
}

static void reach(loop *l, uint32_t value, uint32_t d)
{
    if (l->p->on_path[value])
        l->p->gradient[value] = op_accumulate(&l->rule, l->p->gradient[value], d);
}

static void hand_on(loop *l)
{
    uint32_t carried = l->forward.carried, at = l->results + l->carried.count;
    for (uint32_t i = 0; i < carried; i++)
        if (l->d_carried[i] != LTH_NO_VALUE)
            reach(l, operand_of(l->g, l->begin, 1 + i), l->results + l->d_carried[i]);
    for (uint32_t i = 0; i < l->captures.count; i++)
        reach(l, l->captures.at[i], at - l->captures.count + i);
    for (uint32_t i = carried; i < carried + l->forward.sequences; i++)
        if (l->p->on_path[l->inside + 1 + i])
            reach(l, operand_of(l->g, l->begin, 1 + i), at++);
}

static bool differentiate(loop *l)
{
    graph *g = l->g;
    size_t carried = l->forward.carried, stacked = l->forward.stacked;
    l->map = arena_array(&l->memory, g->value_count, sizeof *l->map);
    memset(l->map, 0xff, g->value_count * sizeof *l->map); /* LTH_NO_VALUE */
    find_captures(l);
    l->carried = new_list(l, carried + l->captures.count);
    l->sequences = new_list(l, 2 * carried + l->forward.sequences + stacked);
    l->d_carried = arena_array(&l->memory, carried, sizeof *l->d_carried);
    l->d_stack = arena_array(&l->memory, carried + stacked, sizeof *l->d_stack);
    find_carried(l);
    find_sequences(l);
    if (!begin_backward(l) || !copy_body(l))
        return false;
    const uint32_t *d = differentiate_body(l);
    if (!d || !end_backward(l, d))
        return false;
    hand_on(l);
    return l->p->error->status == LTH_OK;
}

bool autodiff_loop(autodiff_pass *p, uint32_t end)
{
    graph *g = p->g;
    uint32_t begin = begin_of(g, end);
    loop l = { .p = p, .g = g, .rule = autodiff_rule(p, g->nodes[begin].site), .begin = begin, .end = end };
    memcpy(&l.forward, g->attributes + g->nodes[end].attributes, sizeof l.forward);
    l.region = g->nodes[begin].region;
    l.inside = g->nodes[begin].first_value;
    l.results = g->nodes[end].first_value;
    bool ok = differentiate(&l);
    arena_free(&l.memory);
    return ok;
}
