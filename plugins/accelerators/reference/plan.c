/* SPDX-License-Identifier: Apache-2.0
 * From graph to plan: kernels are looked up, and every value gets its place in one block of memory. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static bool has_no_kernel(uint32_t op)
{
    return accel_is_of_loop(op) || op == LTH_OP_INPUT || op == LTH_OP_STATE || op == LTH_OP_ASSIGN || op == LTH_OP_OUTPUT ||
           op == LTH_OP_PRINT;
}

bool ref_plan_is_bound(const lth_plan *p, uint32_t value)
{
    uint32_t op = lth_graph_node(p->graph, lth_graph_value(p->graph, value)->node)->op;
    return !(p->flags & LTH_COMPILE_KEEP_ALL) && (op == LTH_OP_INPUT || op == LTH_OP_STATE);
}

/* An ASSIGN whose value is state itself: another ASSIGN may write that state first (a swap). */
static bool needs_staging(const lth_plan *p, const lth_node *n)
{
    if (n->op != LTH_OP_ASSIGN || p->flags & LTH_COMPILE_KEEP_ALL)
        return false;
    uint32_t value = lth_node_operand(p->graph, n, 0);
    return lth_graph_node(p->graph, lth_graph_value(p->graph, value)->node)->op == LTH_OP_STATE;
}

static bool choose_kernels(lth_plan *p, accel_error *e)
{
    const lth_graph *g = p->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        lth_dtype dtype = accel_node_dtype(g, n);
        p->max_operands = n->operand_count > p->max_operands ? n->operand_count : p->max_operands;
        if (has_no_kernel(n->op))
            continue;
        p->kernels[i] = plain_find_wide(n->op, dtype);
        if (!p->kernels[i]) {
            e->node = i;
            snprintf(e->text, sizeof e->text, "%s of %s is not supported", accel_op_find(n->op)->name, lth_dtype_name(dtype));
            return false;
        }
    }
    return true;
}

static void extend(accel_buffer *b, uint32_t first, uint32_t last)
{
    b->first = first < b->first ? first : b->first;
    b->last = last > b->last ? last : b->last;
}

/* What a loop holds between its turns, and what it writes bit by bit, lives as long as it. Stacks that nobody reads (they are
 * seen by their lives) are not stored. */
static void find_lives_of_loop(lth_plan *p, const accel_loop *l)
{
    const lth_graph *g = p->graph;
    const lth_node *begin = lth_graph_node(g, l->begin), *end = lth_graph_node(g, l->end);
    for (uint32_t i = 0; i < begin->value_count; i++)
        extend(&p->buffers[begin->first_value + i], l->begin, l->end);
    for (uint32_t i = 0; i < end->value_count; i++) {
        accel_buffer *b = &p->buffers[end->first_value + i];
        if (accel_loop_is_stack(g, end, i) && b->last == l->end)
            b->size = 0;
        else if (accel_loop_is_stack(g, end, i))
            extend(b, l->begin, b->last);
    }
    p->buffers[g->value_count + l->end] = (accel_buffer) { accel_loop_staging(g, l, NULL, NULL), l->end, l->end, 0 };
}

/* Effects of the commit read their value after the last node. */
static void find_lives(lth_plan *p)
{
    const lth_graph *g = p->graph;
    bool keep = p->flags & LTH_COMPILE_KEEP_ALL;
    for (uint32_t v = 0; v < g->value_count; v++) {
        uint32_t node = lth_graph_value(g, v)->node;
        p->buffers[v].size = ref_plan_is_bound(p, v) ? 0 : accel_value_bytes(g, v);
        p->buffers[v].first = keep ? 0 : node;
        p->buffers[v].last = keep ? g->node_count : node;
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        for (uint32_t k = 0; k < n->operand_count; k++) {
            uint32_t v = lth_node_operand(g, n, k), read = n->value_count ? accel_loop_last_read(g, v, i) : g->node_count;
            extend(&p->buffers[v], p->buffers[v].first, read);
        }
        if (needs_staging(p, n))
            p->buffers[g->value_count + i] =
                (accel_buffer) { accel_value_bytes(g, lth_node_operand(g, n, 0)), g->node_count, g->node_count, 0 };
        if (plain_is_wide(g, n))
            p->buffers[g->value_count + g->node_count + i] = (accel_buffer) { plain_wide_bytes(g, n), i, i, 0 };
    }
    for (uint32_t r = 1; r < g->region_count; r++)
        find_lives_of_loop(p, &p->loops[r]);
}

static bool is_row_of_turns(const lth_graph *g, uint32_t v)
{
    const lth_node *n = lth_graph_node(g, lth_graph_value(g, v)->node);
    return accel_loop_is_stack(g, n, v - n->first_value);
}

static lth_status place_values(lth_plan *p)
{
    const lth_graph *g = p->graph;
    accel_memory memory;
    find_lives(p);
    if (accel_plan_memory(p->buffers, g->value_count + 2 * g->node_count, &memory))
        return LTH_NO_MEMORY;
    p->block = aligned_alloc(ACCEL_ALIGNMENT, (size_t)(memory.planned ? memory.planned : ACCEL_ALIGNMENT));
    if (!p->block)
        return LTH_NO_MEMORY;
    for (uint32_t v = 0; v < g->value_count; v++)
        p->data[v] = p->buffers[v].size || !is_row_of_turns(g, v) ? p->block + p->buffers[v].offset : NULL;
    for (uint32_t i = 0; i < g->node_count; i++) {
        if (p->buffers[g->value_count + i].size || needs_staging(p, lth_graph_node(g, i)))
            p->staging[i] = p->block + p->buffers[g->value_count + i].offset;
        if (plain_is_wide(g, lth_graph_node(g, i)))
            p->scratch[i] = p->block + p->buffers[g->value_count + g->node_count + i].offset;
    }
    p->info.memory = memory.planned;
    p->info.memory_unshared = memory.unshared;
    return LTH_OK;
}

static void count_work(lth_plan *p)
{
    const lth_graph *g = p->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        p->info.kernel_count += p->kernels[i] || n->op == LTH_OP_ASSIGN || n->op == LTH_OP_OUTPUT;
        double runs = accel_loop_runs(g, n->region);
        p->info.flops += runs * accel_node_flops(g, n);
        p->info.bytes_moved += (int64_t)(runs * (double)accel_node_bytes(g, n));
    }
}

static lth_status build(lth_plan *p, accel_error *e)
{
    size_t nodes = p->graph->node_count, values = p->graph->value_count;
    p->kernels = calloc(nodes + 1, sizeof *p->kernels);
    p->data = calloc(values + 1, sizeof *p->data);
    p->staging = calloc(nodes + 1, sizeof *p->staging);
    p->scratch = calloc(nodes + 1, sizeof *p->scratch);
    p->infinite = calloc(values + 1, 1);
    p->buffers = calloc(2 * nodes + values + 1, sizeof *p->buffers);
    p->loops = accel_loops_of(p->graph);
    if (!p->loops || !p->kernels || !p->data || !p->staging || !p->scratch || !p->infinite || !p->buffers)
        return LTH_NO_MEMORY;
    if (!choose_kernels(p, e))
        return LTH_UNSUPPORTED;
    p->operands = calloc((size_t)p->max_operands + 1, sizeof *p->operands);
    if (!p->operands || place_values(p))
        return LTH_NO_MEMORY;
    count_work(p);
    return LTH_OK;
}

lth_status ref_plan_new(const lth_graph *g, uint32_t flags, lth_plan **out, accel_error *e)
{
    const uint32_t known = LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL | LTH_COMPILE_CHECK_FINITE;
    *out = NULL;
    *e = (accel_error) { LTH_NO_VALUE, "" };
    if (flags & ~known) {
        snprintf(e->text, sizeof e->text, "flags 0x%x of compile are unknown here", flags & ~known);
        return LTH_UNSUPPORTED;
    }
    if (!accel_check_graph(g, e))
        return LTH_UNSUPPORTED;
    lth_plan *p = calloc(1, sizeof *p);
    lth_status status = LTH_NO_MEMORY;
    if (p && (p->graph = accel_graph_copy(g)) && (p->wide = plain_wide_graph(g))) {
        p->flags = flags;
        p->info.struct_size = sizeof p->info;
        status = build(p, e);
    }
    if (status == LTH_NO_MEMORY)
        snprintf(e->text, sizeof e->text, "no memory for a plan of %u nodes", g->node_count);
    if (status)
        ref_plan_free(p);
    else
        *out = p;
    return status;
}

void ref_plan_free(lth_plan *p)
{
    if (!p)
        return;
    free(p->graph);
    free(p->wide);
    free(p->kernels);
    free(p->data);
    free(p->staging);
    free(p->loops);
    free(p->scratch);
    free(p->infinite);
    free(p->operands);
    free(p->buffers);
    free(p->block);
    free(p);
}
