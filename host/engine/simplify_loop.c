/* SPDX-License-Identifier: Apache-2.0
 * engine/simplify_loop.c: what of a loop is needed, and the loop without the rest.
 *
 * A stack is needed if it is read; a sequence, if the body needs its part; what is carried, if its last value or the stack of
 * what was carried in is read, or if something that the body needs reads it, which may be in the turn before. */
#include "engine/simplify.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* A loop's two nodes. */
typedef struct loop {
    const graph *in;
    const bool *needed;
    const lth_node *begin, *end;
    lth_attr_loop a;
} loop;

static loop loop_of(const graph *in, const lth_node *n, const bool *needed)
{
    loop l = { .in = in, .needed = needed };
    if (n->op == LTH_OP_LOOP) {
        l.begin = n;
        l.end = &in->nodes[graph_loop_end_node(in, n->region)];
    } else {
        l.end = n;
        l.begin = &in->nodes[in->values[in->operands[n->first_operand]].node];
    }
    memcpy(&l.a, in->attributes + n->attributes, sizeof l.a);
    return l;
}

static bool needs_carried(const loop *l, uint32_t i)
{
    uint32_t last = l->end->first_value + i;
    return l->needed[last] || l->needed[last + l->a.carried + l->a.stacked] || l->needed[l->begin->first_value + 1 + i];
}

static bool needs_sequence(const loop *l, uint32_t i) { return l->needed[l->begin->first_value + 1 + l->a.carried + i]; }

static bool needs_stack(const loop *l, uint32_t i) { return l->needed[l->end->first_value + l->a.carried + i]; }

static uint32_t operand(const loop *l, const lth_node *n, uint32_t i) { return l->in->operands[n->first_operand + i]; }

void simplify_need_end(const graph *in, const lth_node *n, bool *needed)
{
    loop l = loop_of(in, n, needed);
    needed[operand(&l, n, 0)] = true;
    for (uint32_t i = 0; i < l.a.carried; i++)
        if (needs_carried(&l, i))
            needed[operand(&l, n, 1 + i)] = true;
    for (uint32_t i = 0; i < l.a.stacked; i++)
        if (needs_stack(&l, i))
            needed[operand(&l, n, 1 + l.a.carried + i)] = true;
}

bool simplify_need_begin(const graph *in, const lth_node *n, bool *needed)
{
    loop l = loop_of(in, n, needed);
    bool again = false;
    needed[operand(&l, n, 0)] = true;
    for (uint32_t i = 0; i < l.a.carried; i++) {
        if (!needs_carried(&l, i))
            continue;
        uint32_t next = operand(&l, l.end, 1 + i);
        again = again || !needed[next];
        needed[next] = needed[operand(&l, n, 1 + i)] = true;
    }
    for (uint32_t i = 0; i < l.a.sequences; i++)
        if (needs_sequence(&l, i))
            needed[operand(&l, n, 1 + l.a.carried + i)] = true;
    return again;
}

/* ---- Copying ---- */

typedef struct copy {
    uint32_t *operands, *results; /* values of in */
    uint32_t operand_count, result_count;
    lth_attr_loop a;
} copy;

static void keep_operand(copy *c, uint32_t v) { c->operands[c->operand_count++] = v; }
static void keep_result(copy *c, uint32_t v) { c->results[c->result_count++] = v; }

static void choose_of_begin(const loop *l, copy *c)
{
    uint32_t first = l->begin->first_value;
    keep_operand(c, operand(l, l->begin, 0)), keep_result(c, first);
    for (uint32_t i = 0; i < l->a.carried; i++)
        if (needs_carried(l, i))
            keep_operand(c, operand(l, l->begin, 1 + i)), keep_result(c, first + 1 + i);
    for (uint32_t i = l->a.carried; i < l->a.carried + l->a.sequences; i++)
        if (needs_sequence(l, i - l->a.carried))
            keep_operand(c, operand(l, l->begin, 1 + i)), keep_result(c, first + 1 + i);
}

static void choose_of_end(const loop *l, copy *c)
{
    uint32_t first = l->end->first_value, stacks = first + l->a.carried, carried_in = stacks + l->a.stacked;
    keep_operand(c, operand(l, l->end, 0));
    for (uint32_t i = 0; i < l->a.carried; i++)
        if (needs_carried(l, i))
            keep_operand(c, operand(l, l->end, 1 + i)), keep_result(c, first + i);
    for (uint32_t i = 0; i < l->a.stacked; i++)
        if (needs_stack(l, i))
            keep_operand(c, operand(l, l->end, 1 + l->a.carried + i)), keep_result(c, stacks + i);
    for (uint32_t i = 0; i < l->a.carried; i++)
        if (needs_carried(l, i))
            keep_result(c, carried_in + i);
}

static void count(const loop *l, lth_attr_loop *a)
{
    a->carried = a->sequences = a->stacked = 0;
    for (uint32_t i = 0; i < l->a.carried; i++)
        a->carried += needs_carried(l, i);
    for (uint32_t i = 0; i < l->a.sequences; i++)
        a->sequences += needs_sequence(l, i);
    for (uint32_t i = 0; i < l->a.stacked; i++)
        a->stacked += needs_stack(l, i);
}

void simplify_copy_loop(const graph *in, const lth_node *n, const bool *needed, graph *out, uint32_t *map)
{
    loop l = loop_of(in, n, needed);
    copy c = { .operands = memory_new((size_t)n->operand_count * sizeof *c.operands + 1),
               .results = memory_new((size_t)n->value_count * sizeof *c.results + 1),
               .a = l.a };
    count(&l, &c.a);
    if (n->op == LTH_OP_LOOP)
        choose_of_begin(&l, &c);
    else
        choose_of_end(&l, &c);
    lth_shape *shapes = graph_shapes(out, c.result_count);
    for (uint32_t i = 0; i < c.result_count; i++)
        shapes[i] = in->values[c.results[i]].shape;
    for (uint32_t i = 0; i < c.operand_count; i++)
        c.operands[i] = map[c.operands[i]];
    out->region = n->region;
    uint32_t first = graph_append(out, n->op, c.operands, c.operand_count, &c.a, sizeof c.a, n->site, shapes, c.result_count);
    out->nodes[out->node_count - 1].flags = n->flags;
    for (uint32_t i = 0; i < c.result_count; i++)
        map[c.results[i]] = first + i;
    free(c.operands);
    free(c.results);
}
