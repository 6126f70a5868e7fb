/* SPDX-License-Identifier: Apache-2.0
 * engine/widen_sums.c: sums that are f32 anyway are not rounded to 16 bits on their way.
 *
 * A product of bf16 adds up in f32, is rounded to bf16, and where it is a weight's gradient is cast to f32 again. Here the
 * product's result becomes f32 and the cast goes; so do sums of such products (of a weight used twice, of the steps of a
 * recurrence), what a broadcast parameter's gradient is summed over, and reshapes between. */
#include "engine/ops.h"
#include "engine/passes.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct widening {
    const graph *in;
    graph *out;
    uint32_t *map;
    bool *sums; /* by value: 16 bits, and made of a product or a sum by what can be f32 as well */
    bool *wide; /* by value: becomes f32 */
    error *error;
} widening;

static bool is_16_bit(lth_dtype t) { return t == LTH_BF16 || t == LTH_F16; }

static bool is_product(uint32_t op)
{
    return op == LTH_OP_MATMUL || op == LTH_OP_CONV || op == LTH_OP_CONV_DATA_GRAD || op == LTH_OP_CONV_WEIGHT_GRAD;
}

/* Adds up its operands, which may as well be f32. */
static bool is_sum(uint32_t op)
{
    return op == LTH_OP_SUM || op == LTH_OP_SCATTER_ADD || op == LTH_OP_SCATTER_ALONG || op == LTH_OP_ADD;
}

/* Hands elements on. */
static bool moves(uint32_t op) { return op == LTH_OP_RESHAPE || op == LTH_OP_PERMUTE; }

static void find_sums(widening *w)
{
    for (uint32_t i = 0; i < w->in->node_count; i++) {
        const lth_node *n = &w->in->nodes[i];
        if (n->value_count != 1 || !is_16_bit(graph_shape(w->in, n->first_value)->dtype))
            continue;
        bool of_sums = false;
        for (uint32_t k = 0; k < n->operand_count; k++)
            of_sums |= w->sums[w->in->operands[n->first_operand + k]];
        bool adds = is_product(n->op) || (is_sum(n->op) && n->op != LTH_OP_ADD);
        w->sums[n->first_value] = adds || ((n->op == LTH_OP_ADD || moves(n->op)) && of_sums);
    }
}

static bool casts_to_f32(const graph *g, const lth_node *n)
{
    return n->op == LTH_OP_CAST && graph_shape(g, n->first_value)->dtype == LTH_F32;
}

/* From the end: a value is wide where all that read it are casts to f32, or wide themselves. */
static void find_wide(widening *w)
{
    bool *kept = memory_new(w->in->value_count * sizeof *kept + 1), *read = memory_new(w->in->value_count * sizeof *read + 1);
    for (uint32_t i = w->in->node_count; i-- > 0;) {
        const lth_node *n = &w->in->nodes[i];
        uint32_t v = n->first_value;
        bool wide = n->value_count == 1 && w->sums[v] && read[v] && !kept[v];
        if (wide)
            w->wide[v] = true;
        bool takes_wide = casts_to_f32(w->in, n) || (wide && !is_product(n->op));
        for (uint32_t k = 0; k < n->operand_count; k++) {
            read[w->in->operands[n->first_operand + k]] = true;
            kept[w->in->operands[n->first_operand + k]] |= !takes_wide;
        }
    }
    free(kept);
    free(read);
}

/* The operand in f32. */
static uint32_t as_f32(widening *w, const lth_node *n, uint32_t operand)
{
    uint32_t value = w->map[operand];
    if (!is_16_bit(graph_shape(w->out, value)->dtype))
        return value;
    lth_attr_dtype to = { LTH_F32, 0 };
    lth_shape shape = *graph_shape(w->out, value);
    shape.dtype = LTH_F32;
    w->out->region = n->region;
    value = graph_append(w->out, LTH_OP_CAST, &value, 1, &to, sizeof to, n->site, &shape, 1);
    w->out->nodes[w->out->node_count - 1].flags = n->flags;
    return value;
}

static void copy_wide(widening *w, uint32_t node)
{
    const lth_node *n = &w->in->nodes[node];
    uint32_t operands[OP_MAX_COMPOSITE];
    for (uint32_t k = 0; k < n->operand_count; k++) {
        uint32_t operand = w->in->operands[n->first_operand + k];
        operands[k] = is_product(n->op) ? w->map[operand] : as_f32(w, n, operand);
    }
    graph_copy_node(w->in, node, w->out, w->map);
    lth_node *copy = &w->out->nodes[w->out->node_count - 1];
    memcpy(w->out->operands + copy->first_operand, operands, n->operand_count * sizeof *operands);
    w->out->values[copy->first_value].shape.dtype = LTH_F32;
    if (n->op == LTH_OP_MATMUL)
        ((lth_attr_matmul *)(void *)(w->out->attributes + copy->attributes))->result = LTH_F32;
    else if (is_product(n->op))
        ((lth_attr_conv *)(void *)(w->out->attributes + copy->attributes))->result = LTH_F32;
}

bool widen_sums(const graph *in, graph *out, uint32_t *map, error *e)
{
    widening w = { .in = in, .out = out, .error = e };
    size_t values = in->value_count;
    w.map = map ? map : memory_new(values * sizeof *w.map + 1);
    w.sums = memory_new(values + 1);
    w.wide = memory_new(values + 1);
    find_sums(&w);
    find_wide(&w);
    graph_copy_frame(in, out);
    for (uint32_t i = 0; i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        if (n->value_count == 1 && w.wide[n->first_value])
            copy_wide(&w, i);
        else if (casts_to_f32(in, n) && w.wide[in->operands[n->first_operand]])
            w.map[n->first_value] = w.map[in->operands[n->first_operand]];
        else
            graph_copy_node(in, i, out, w.map);
    }
    out->region = 0;
    free(w.sums);
    free(w.wide);
    if (!map)
        free(w.map);
    return true;
}
