/* SPDX-License-Identifier: Apache-2.0
 * engine/loop.c: the two nodes that hold a loop's body between them. */
#include "engine/graph.h"
#include "engine/ops.h"

#include <stdio.h>
#include <string.h>

static bool same_shape(const lth_shape *a, const lth_shape *b) { return a->dtype == b->dtype && op_same_dims(a, b); }

/* "f32 (3, 4)": two of them may stand in one message. */
typedef struct typed_text {
    char text[240];
} typed_text;

static typed_text typed(const lth_shape *s)
{
    typed_text t;
    snprintf(t.text, sizeof t.text, "%s %s", lth_dtype_name(s->dtype), op_shape_text(s).text);
    return t;
}

static bool begin_is_right(const graph *g, const lth_attr_loop *loop, const uint32_t *operands, error *e)
{
    const lth_shape *count = graph_shape(g, operands[0]);
    if (loop->length < 0)
        return error_set(e, LTH_INVALID, "loop: a length of %lld", (long long)loop->length) == LTH_OK;
    if (loop->reverse > 1)
        return error_set(e, LTH_INVALID, "loop: unknown flags %u", loop->reverse) == LTH_OK;
    if (count->dtype != LTH_I64 || count->rank != 0)
        return error_set(e, LTH_INVALID, "loop: the number of turns is an i64 of rank 0, this one is %s: lth_index gives one",
                         typed(count).text) == LTH_OK;
    for (uint32_t i = 0; i < loop->sequences; i++) {
        const lth_shape *s = graph_shape(g, operands[1 + loop->carried + i]);
        if (s->rank == 0 || s->dim[0] != loop->length)
            return error_set(e, LTH_INVALID, "loop: sequence %u is %s; its first dimension must be the loop's length %lld", i,
                             typed(s).text, (long long)loop->length) == LTH_OK;
    }
    return true;
}

static lth_shape without_first_axis(const lth_shape *s)
{
    lth_shape part = { s->dtype, s->rank - 1, { 0 } };
    memcpy(part.dim, s->dim + 1, (size_t)part.rank * sizeof *part.dim);
    return part;
}

static lth_shape with_first_axis(const lth_shape *s, int64_t length)
{
    lth_shape whole = { s->dtype, s->rank + 1, { length } };
    memcpy(whole.dim + 1, s->dim, (size_t)s->rank * sizeof *s->dim);
    return whole;
}

uint32_t graph_loop_begin(graph *g, const lth_attr_loop *loop, const uint32_t *operands, uint32_t site, error *e)
{
    if (!begin_is_right(g, loop, operands, e))
        return LTH_NO_VALUE;
    uint32_t count = 1 + loop->carried + loop->sequences;
    lth_shape *shapes = graph_shapes(g, count);
    shapes[0] = (lth_shape) { LTH_I64, 0, { 0 } };
    for (uint32_t i = 1; i < count; i++)
        shapes[i] = i <= loop->carried ? *graph_shape(g, operands[i]) : without_first_axis(graph_shape(g, operands[i]));
    graph_open_region(g, LTH_REGION_LOOP);
    return graph_append(g, LTH_OP_LOOP, operands, count, loop, sizeof *loop, site, shapes, count);
}

/* What is stacked gets one dimension more. */
static bool end_is_right(const graph *g, const lth_attr_loop *loop, const uint32_t *operands, uint32_t stacked, error *e)
{
    for (uint32_t i = 0; i < loop->carried; i++) {
        const lth_shape *is = graph_shape(g, operands[1 + i]), *was = graph_shape(g, operands[0] + 1 + i);
        if (!same_shape(is, was))
            return error_set(e, LTH_INVALID, "loop: carried value %u was %s as the loop began, a turn hands on %s", i,
                             typed(was).text, typed(is).text) == LTH_OK;
    }
    if (loop->carried + stacked == 0)
        return error_set(e, LTH_INVALID, "loop: it neither carries nor stacks anything, so nothing comes of it") == LTH_OK;
    for (uint32_t i = 0; i < loop->carried + stacked; i++)
        if (graph_shape(g, operands[1 + i])->rank == LTH_MAX_RANK)
            return error_set(e, LTH_INVALID, "loop: %s %u has %d dimensions; %d are the most here",
                             i < loop->carried ? "carried value" : "part", i < loop->carried ? i : i - loop->carried,
                             LTH_MAX_RANK, LTH_MAX_RANK - 1) == LTH_OK;
    return true;
}

uint32_t graph_loop_end(graph *g, const uint32_t *operands, uint32_t stacked, uint32_t site, error *e)
{
    lth_attr_loop *own = (void *)(g->attributes + g->nodes[g->values[operands[0]].node].attributes), loop = *own;
    if (!end_is_right(g, &loop, operands, stacked, e))
        return LTH_NO_VALUE;
    loop.stacked = own->stacked = stacked;
    uint32_t carried = loop.carried, read = carried + stacked, results = read + carried;
    lth_shape *shapes = graph_shapes(g, results);
    for (uint32_t i = 0; i < read; i++) {
        const lth_shape *s = graph_shape(g, operands[1 + i]);
        shapes[i] = i < carried ? *s : with_first_axis(s, loop.length);
    }
    for (uint32_t i = 0; i < carried; i++)
        shapes[read + i] = with_first_axis(graph_shape(g, operands[0] + 1 + i), loop.length);
    graph_close_region(g);
    return graph_append(g, LTH_OP_LOOP_END, operands, 1 + read, &loop, sizeof loop, site, shapes, results);
}

uint32_t graph_loop_end_node(const graph *g, uint32_t region)
{
    const lth_region *r = &g->regions[region];
    uint32_t after = r->first_node + r->node_count;
    return after < g->node_count && g->nodes[after].op == LTH_OP_LOOP_END ? after : g->node_count;
}
