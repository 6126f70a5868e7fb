/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"

#include <lthost/custom.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_KEY = ACCEL_KEY_RESULT, MANY = ACCEL_ANY_COUNT };

static const accel_op ops[] = {
    { LTH_OP_INPUT, "input", ACCEL_MEMORY_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_slot) },
    { LTH_OP_STATE, "state", ACCEL_MEMORY_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_state) },
    { LTH_OP_SCALAR, "scalar", ACCEL_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_slot) },
    { LTH_OP_IOTA, "iota", ACCEL_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_shape) },
    { LTH_OP_UNIFORM, "uniform", ACCEL_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_random) },
    { LTH_OP_NORMAL, "normal", ACCEL_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_random) },
    { LTH_OP_INTEGER, "integer", ACCEL_LEAF, 0, 0, 1, NO_KEY, sizeof(lth_attr_integer) },

    { LTH_OP_NEG, "neg", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_EXP, "exp", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_LOG, "log", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SQRT, "sqrt", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_RSQRT, "rsqrt", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SIN, "sin", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_COS, "cos", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_TANH, "tanh", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_ERF, "erf", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_ABS, "abs", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SIGN, "sign", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_FLOOR, "floor", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_CEIL, "ceil", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_ROUND, "round", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_LOG1P, "log1p", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_EXPM1, "expm1", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_RECIPROCAL, "reciprocal", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SQUARE, "square", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SIGMOID, "sigmoid", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_RELU, "relu", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_GELU, "gelu", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_GELU_TANH, "gelu_tanh", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SILU, "silu", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_SOFTPLUS, "softplus", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_NOT, "not", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_ISFINITE, "isfinite", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_CAST, "cast", ACCEL_POINTWISE, 1, 1, 1, 0, sizeof(lth_attr_dtype) },
    { LTH_OP_STOP_GRADIENT, "stop_gradient", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_GELU_SLOPE, "gelu_slope", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_GELU_TANH_SLOPE, "gelu_tanh_slope", ACCEL_POINTWISE, 1, 1, 1, 0, 0 },
    { LTH_OP_ADD, "add", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_SUB, "sub", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_MUL, "mul", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_DIV, "div", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_POW, "pow", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_MAXIMUM, "maximum", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_MINIMUM, "minimum", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_EQ, "eq", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_NE, "ne", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_LT, "lt", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_LE, "le", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_GT, "gt", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_GE, "ge", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_AND, "and", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_OR, "or", ACCEL_POINTWISE, 2, 2, 1, 0, 0 },
    { LTH_OP_WHERE, "where", ACCEL_POINTWISE, 3, 3, 1, 1, 0 },

    { LTH_OP_RESHAPE, "reshape", ACCEL_SHAPE, 1, 1, 1, 0, sizeof(lth_attr_dims) },
    { LTH_OP_PERMUTE, "permute", ACCEL_SHAPE, 1, 1, 1, 0, sizeof(lth_attr_dims) },
    { LTH_OP_EXPAND, "expand", ACCEL_SHAPE, 1, 1, 1, 0, sizeof(lth_attr_dims) },
    { LTH_OP_SLICE, "slice", ACCEL_SHAPE, 1, 1, 1, 0, sizeof(lth_attr_slice) },
    { LTH_OP_PAD, "pad", ACCEL_SHAPE, 2, 2, 1, 0, sizeof(lth_attr_pad) },
    { LTH_OP_CONCAT, "concat", ACCEL_SHAPE, 1, MANY, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_SLICE_AT, "slice_at", ACCEL_SHAPE, 2, 2, 1, 0, sizeof(lth_attr_window) },
    { LTH_OP_UPDATE_AT, "update_at", ACCEL_SHAPE, 3, 3, 1, 0, sizeof(lth_attr_window) },
    { LTH_OP_FLIP, "flip", ACCEL_SHAPE, 1, 1, 1, 0, sizeof(lth_attr_axis) },

    { LTH_OP_SUM, "sum", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },
    { LTH_OP_MEAN, "mean", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },
    { LTH_OP_MAX, "max", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },
    { LTH_OP_MIN, "min", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },
    { LTH_OP_PROD, "prod", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },
    { LTH_OP_ARGMAX, "argmax", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_ARGMIN, "argmin", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_ALL_FINITE, "all_finite", ACCEL_REDUCTION, 1, 1, 1, 0, 0 },
    { LTH_OP_LOGSUMEXP, "logsumexp", ACCEL_REDUCTION, 1, 1, 1, 0, sizeof(lth_attr_reduce) },

    { LTH_OP_MATMUL, "matmul", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_matmul) },
    { LTH_OP_GATHER, "gather", ACCEL_KERNEL, 2, 2, 1, 0, 0 },
    { LTH_OP_SCATTER_ADD, "scatter_add", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_GATHER_ALONG, "gather_along", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_SCATTER_ALONG, "scatter_along", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_scatter) },

    { LTH_OP_CONV, "conv", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_conv) },
    { LTH_OP_CONV_DATA_GRAD, "conv_data_grad", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_conv) },
    { LTH_OP_CONV_WEIGHT_GRAD, "conv_weight_grad", ACCEL_KERNEL, 2, 2, 1, 0, sizeof(lth_attr_conv) },
    { LTH_OP_MAX_POOL, "max_pool", ACCEL_KERNEL, 1, 1, 2, 0, sizeof(lth_attr_pool) },
    { LTH_OP_AVG_POOL, "avg_pool", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_pool) },
    { LTH_OP_AVG_POOL_GRAD, "avg_pool_grad", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_pool) },
    { LTH_OP_RESIZE, "resize", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_resize) },
    { LTH_OP_RESIZE_GRAD, "resize_grad", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_resize) },

    { LTH_OP_SOFTMAX, "softmax", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_LOG_SOFTMAX, "log_softmax", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_axis) },
    { LTH_OP_CROSS_ENTROPY, "cross_entropy", ACCEL_KERNEL, 2, 2, 2, 0, 0 },
    { LTH_OP_CROSS_ENTROPY_GRAD, "cross_entropy_grad", ACCEL_KERNEL, 4, 4, 1, 0, 0 },
    { LTH_OP_LAYER_NORM, "layer_norm", ACCEL_KERNEL, 2, 2, 2, 0, sizeof(lth_attr_axis) },
    { LTH_OP_DROPOUT, "dropout", ACCEL_POINTWISE, 2, 2, 1, 0, sizeof(lth_attr_random) },

    { LTH_OP_BATCH_NORM, "batch_norm", ACCEL_KERNEL, 2, 2, 3, 0, sizeof(lth_attr_axis) },
    { LTH_OP_RMS_NORM, "rms_norm", ACCEL_KERNEL, 2, 2, 2, 0, sizeof(lth_attr_axis) },
    { LTH_OP_ATTENTION, "attention", ACCEL_KERNEL, 4, 6, 2, 0, sizeof(lth_attr_attention) },
    { LTH_OP_ATTENTION_GRAD, "attention_grad", ACCEL_KERNEL, 7, 9, 3, 0, sizeof(lth_attr_attention) },
    { LTH_OP_ROTARY, "rotary", ACCEL_KERNEL, 3, 3, 1, 0, sizeof(lth_attr_rotary) },
    { LTH_OP_CUMSUM, "cumsum", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_cumulative) },
    { LTH_OP_ARGSORT, "argsort", ACCEL_KERNEL, 1, 1, 1, 0, sizeof(lth_attr_sort) },
    { LTH_OP_RNN, "rnn", ACCEL_KERNEL, 6, 7, 3, 0, sizeof(lth_attr_rnn) },
    { LTH_OP_RNN_STEPS, "rnn_steps", ACCEL_KERNEL, 5, 6, 4, 1, sizeof(lth_attr_rnn) },
    { LTH_OP_RNN_STEPS_GRAD, "rnn_steps_grad", ACCEL_KERNEL, 6, 8, 4, 1, sizeof(lth_attr_rnn) },
    { LTH_OP_LOOP, "loop", ACCEL_KERNEL, 1, MANY, MANY, 0, sizeof(lth_attr_loop) },
    { LTH_OP_LOOP_END, "loop_end", ACCEL_KERNEL, 1, MANY, MANY, 0, sizeof(lth_attr_loop) },

    { LTH_OP_CUSTOM, "custom", ACCEL_KERNEL, 1, LTH_CUSTOM_OPERANDS, MANY, 0, sizeof(lth_attr_custom) },

    { LTH_OP_ASSIGN, "assign", ACCEL_EFFECT, 1, 1, 0, 0, sizeof(lth_attr_state) },
    { LTH_OP_OUTPUT, "output", ACCEL_EFFECT, 1, 1, 0, 0, sizeof(lth_attr_slot) },
    { LTH_OP_PRINT, "print", ACCEL_EFFECT, 1, 1, 0, 0, sizeof(lth_attr_text) },
    { LTH_OP_ASSERT, "assert", ACCEL_EFFECT, 1, 1, 0, 0, sizeof(lth_attr_text) },
};

/* The rows are in order of code. */
static int by_code(const void *code, const void *row)
{
    uint32_t a = *(const uint32_t *)code, b = ((const accel_op *)row)->code;
    return a < b ? -1 : a > b;
}

const accel_op *accel_op_find(uint32_t code)
{
    return bsearch(&code, ops, sizeof ops / sizeof *ops, sizeof *ops, by_code);
}

lth_dtype accel_node_dtype(const lth_graph *g, const lth_node *n)
{
    const accel_op *op = accel_op_find(n->op);
    if (!op)
        return LTH_DTYPE_NONE;
    return op->key == ACCEL_KEY_RESULT ? lth_node_shape(g, n, 0)->dtype : lth_node_operand_shape(g, n, op->key)->dtype;
}

LTH_PRINTF(3, 4)
static bool refuse(accel_error *e, uint32_t node, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    e->node = node;
    vsnprintf(e->text, sizeof e->text, format, a);
    va_end(a);
    return false;
}

/* Whether `outer` is `inner` or lies around it. */
static bool encloses(const lth_graph *g, uint32_t outer, uint32_t inner)
{
    while (inner != outer && inner != 0)
        inner = lth_graph_region(g, inner)->parent;
    return inner == outer;
}

/* The two nodes of a loop: results as the attributes say, and what is carried in one shape all the way. */
static bool check_loop(const lth_graph *g, uint32_t region, const lth_node *begin, const lth_node *end, accel_error *e)
{
    const lth_region *r = lth_graph_region(g, region);
    uint32_t last = r->first_node + r->node_count;
    if (begin->attributes_size < sizeof(lth_attr_loop) || end->attributes_size < sizeof(lth_attr_loop))
        return refuse(e, r->first_node, "loop: attributes are missing");
    const lth_attr_loop *a = lth_node_attributes(g, begin);
    if (memcmp(a, lth_node_attributes(g, end), sizeof *a) != 0 || a->length < 0 || a->reverse > 1)
        return refuse(e, r->first_node, "loop: its attributes are not valid here");
    uint64_t in = 1 + (uint64_t)a->carried + a->sequences, out = 1 + (uint64_t)a->carried + a->stacked;
    if (begin->operand_count != in || begin->value_count != in || end->operand_count != out ||
        end->value_count != out - 1 + a->carried || lth_node_operand(g, end, 0) != begin->first_value)
        return refuse(e, last, "loop: operands or results do not agree with the attributes");
    for (uint32_t i = 0; i <= a->carried; i++)
        if (memcmp(lth_node_operand_shape(g, begin, i), lth_node_shape(g, begin, i), sizeof(lth_shape)) != 0 ||
            memcmp(lth_node_operand_shape(g, end, i), lth_node_shape(g, begin, i), sizeof(lth_shape)) != 0)
            return refuse(e, last, "loop: what is carried changes its shape");
    if (lth_node_shape(g, begin, 0)->dtype != LTH_I64 || lth_node_shape(g, begin, 0)->rank != 0)
        return refuse(e, r->first_node, "loop: the number of turns is no i64");
    return true;
}

static bool check_region(const lth_graph *g, uint32_t region, accel_error *e)
{
    const lth_region *r = lth_graph_region(g, region);
    if (r->kind != LTH_REGION_LOOP)
        return refuse(e, r->first_node, "regions of kind %u are unknown here", r->kind);
    if ((uint64_t)r->first_node + r->node_count >= g->node_count || !r->node_count)
        return refuse(e, LTH_NO_VALUE, "loop: its nodes lie outside the graph");
    uint32_t last = r->first_node + r->node_count;
    const lth_node *begin = lth_graph_node(g, r->first_node), *end = lth_graph_node(g, last);
    if (begin->op != LTH_OP_LOOP || begin->region != region || end->op != LTH_OP_LOOP_END || end->region != r->parent)
        return refuse(e, r->first_node, "loop: it does not begin with its loop, or end before its loop_end");
    for (uint32_t i = r->first_node; i < last; i++)
        if (!encloses(g, region, lth_graph_node(g, i)->region))
            return refuse(e, i, "loop: another region's node stands in its body");
    return check_loop(g, region, begin, end, e);
}

/* Values are read where they are visible, regions have their nodes. After the nodes themselves have been looked at. */
static bool check_regions(const lth_graph *g, accel_error *e)
{
    uint32_t loops = 0, ends = 0;
    for (uint32_t i = 1; i < g->region_count; i++)
        if (lth_graph_region(g, i)->parent >= i)
            return refuse(e, LTH_NO_VALUE, "region %u stands before its parent", i);
    for (uint32_t i = 1; i < g->region_count; i++)
        if (!check_region(g, i, e))
            return false;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        loops += n->op == LTH_OP_LOOP;
        ends += n->op == LTH_OP_LOOP_END;
        for (uint32_t k = 0; k < n->operand_count; k++) {
            uint32_t from = lth_graph_node(g, lth_graph_value(g, lth_node_operand(g, n, k))->node)->region;
            bool ends_it = n->op == LTH_OP_LOOP_END && from && lth_graph_region(g, from)->parent == n->region;
            if (!encloses(g, from, n->region) && !ends_it)
                return refuse(e, i, "operand %u is of the body of a loop that has ended", k);
        }
        if (n->region && !n->value_count)
            return refuse(e, i, "effects are not supported in a loop's body");
    }
    return loops + 1 == g->region_count && ends == loops ? true : refuse(e, LTH_NO_VALUE, "a loop without its region");
}

static bool check_slot(const char *name, uint32_t slot, uint32_t count, uint32_t node, accel_error *e)
{
    return slot < count || refuse(e, node, "%s: slot %u, but there are %u", name, slot, count);
}

static bool check_state(const lth_graph *g, const char *name, const lth_attr_state *a, const lth_shape *s, uint32_t node, accel_error *e)
{
    if (a->arena >= g->arena_count)
        return refuse(e, node, "%s: arena %u, but there are %u", name, a->arena, g->arena_count);
    const lth_arena_info *arena = &g->arenas[a->arena];
    if (arena->dtype != s->dtype)
        return refuse(e, node, "%s: %s in arena %s of %s", name, lth_dtype_name(s->dtype), arena->name, lth_dtype_name(arena->dtype));
    if (a->offset < 0 || a->offset + lth_shape_count(s) > arena->count)
        return refuse(e, node, "%s: elements %lld.. of arena %s, which has %lld", name, (long long)a->offset, arena->name,
                      (long long)arena->count);
    return true;
}

/* An author's op: its table is there, and what it was recorded with. */
static bool check_custom(const lth_graph *g, const lth_node *n, uint32_t node, accel_error *e)
{
    const lth_attr_custom *a = lth_node_attributes(g, n);
    if (a->index >= g->custom_count || a->size > n->attributes_size - sizeof *a)
        return refuse(e, node, "custom: op %u, but there are %u", a->index, g->custom_count);
    return (n->value_count && n->value_count <= LTH_CUSTOM_RESULTS) || refuse(e, node, "custom: %u results", n->value_count);
}

static bool check_places(const lth_graph *g, const accel_op *op, const lth_node *n, uint32_t node, accel_error *e)
{
    const void *a = lth_node_attributes(g, n);
    switch (n->op) {
    case LTH_OP_INPUT: return check_slot(op->name, ((const lth_attr_slot *)a)->slot, g->input_count, node, e);
    case LTH_OP_OUTPUT: return check_slot(op->name, ((const lth_attr_slot *)a)->slot, g->output_count, node, e);
    case LTH_OP_SCALAR: return check_slot(op->name, ((const lth_attr_slot *)a)->slot, g->scalar_count, node, e);
    case LTH_OP_STATE: return check_state(g, op->name, a, lth_node_shape(g, n, 0), node, e);
    case LTH_OP_ASSIGN: return check_state(g, op->name, a, lth_node_operand_shape(g, n, 0), node, e);
    case LTH_OP_CUSTOM: return check_custom(g, n, node, e);
    default: return true;
    }
}

static bool check_node(const lth_graph *g, uint32_t node, accel_error *e)
{
    const lth_node *n = lth_graph_node(g, node);
    const accel_op *op = accel_op_find(n->op);
    if (!op)
        return refuse(e, node, "op %u is unknown here", n->op);
    if (n->region >= g->region_count)
        return refuse(e, node, "%s: region %u, but there are %u", op->name, n->region, g->region_count);
    if (n->operand_count < op->min_operands || (op->max_operands != ACCEL_ANY_COUNT && n->operand_count > op->max_operands))
        return refuse(e, node, "%s has %u operands", op->name, n->operand_count);
    if (n->value_count != op->results && op->results != ACCEL_ANY_COUNT)
        return refuse(e, node, "%s has %u results, not %u", op->name, n->value_count, op->results);
    if (n->attributes_size < op->attributes_size)
        return refuse(e, node, "%s has %u bytes of attributes, not %u", op->name, n->attributes_size, op->attributes_size);
    if ((uint64_t)n->first_operand + n->operand_count > g->operand_count || (uint64_t)n->first_value + n->value_count > g->value_count ||
        (uint64_t)n->attributes + n->attributes_size > g->attributes_size)
        return refuse(e, node, "%s: operands, results or attributes lie outside the graph", op->name);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t v = lth_node_operand(g, n, i);
        if (v >= g->value_count || lth_graph_value(g, v)->node >= node)
            return refuse(e, node, "%s: operand %u is not made before it is read", op->name, i);
    }
    for (uint32_t i = 0; i < n->value_count; i++) {
        const lth_value *v = lth_graph_value(g, n->first_value + i);
        if (v->node != node || v->shape.rank < 0 || v->shape.rank > LTH_MAX_RANK || !lth_dtype_size(v->shape.dtype))
            return refuse(e, node, "%s: result %u has no valid shape", op->name, i);
    }
    return check_places(g, op, n, node, e);
}

bool accel_check_graph(const lth_graph *g, accel_error *e)
{
    e->node = LTH_NO_VALUE;
    for (uint32_t i = 0; i < g->node_count; i++)
        if (!check_node(g, i, e))
            return false;
    return check_regions(g, e);
}

/* ---- Copying ---- */

static size_t align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Copies `count` elements that stand `stride` apart into dense ones of `size`; a newer host's may be longer than ours. */
static void *copy_table(char **at, const void *from, uint32_t count, uint32_t stride, size_t size)
{
    char *to = *at;
    size_t part = stride < size ? stride : size;
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + i * size, (const char *)from + (size_t)i * stride, part);
    *at += align8(count * size);
    return to;
}

lth_graph *accel_graph_copy(const lth_graph *g)
{
    size_t bytes = align8(sizeof *g) + align8(g->node_count * sizeof *g->nodes) + align8(g->value_count * sizeof *g->values) +
                   align8(g->operand_count * sizeof *g->operands) + align8(g->attributes_size) +
                   align8(g->region_count * sizeof *g->regions) +
                   align8(g->arena_count * sizeof *g->arenas) + align8(g->custom_count * sizeof *g->customs);
    char *at = calloc(1, bytes);
    if (!at)
        return NULL;
    lth_graph *c = (lth_graph *)at;
    at += align8(sizeof *c);
    memcpy(c, g, g->struct_size < sizeof *c ? g->struct_size : sizeof *c);
    c->struct_size = sizeof *c;
    c->nodes = copy_table(&at, g->nodes, g->node_count, g->node_stride, sizeof *c->nodes);
    c->values = copy_table(&at, g->values, g->value_count, g->value_stride, sizeof *c->values);
    c->operands = copy_table(&at, g->operands, g->operand_count, sizeof *c->operands, sizeof *c->operands);
    c->attributes = copy_table(&at, g->attributes, g->attributes_size, 1, 1);
    c->regions = copy_table(&at, g->regions, g->region_count, g->region_stride, sizeof *c->regions);
    lth_arena_info *arenas = copy_table(&at, g->arenas, g->arena_count, sizeof *c->arenas, sizeof *c->arenas);
    for (uint32_t i = 0; i < g->arena_count; i++)
        arenas[i].name = "";
    c->arenas = arenas;
    c->customs = copy_table(&at, g->customs, g->custom_count, sizeof *c->customs, sizeof *c->customs);
    c->node_stride = sizeof *c->nodes;
    c->value_stride = sizeof *c->values;
    c->region_stride = sizeof *c->regions;
    c->sites = NULL;
    c->site_count = 0;
    return c;
}

/* ---- Cost ---- */

static int64_t largest_count(const lth_graph *g, const lth_node *n)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        most = most > lth_shape_count(lth_node_operand_shape(g, n, i)) ? most : lth_shape_count(lth_node_operand_shape(g, n, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        most = most > lth_shape_count(lth_node_shape(g, n, i)) ? most : lth_shape_count(lth_node_shape(g, n, i));
    return most;
}

/* Two for each pair of an element of the result and a term of its sum; terms that fall on padding are counted. */
static double conv_flops(const lth_graph *g, const lth_node *n)
{
    bool forward = n->op == LTH_OP_CONV;
    const lth_shape *y = forward ? lth_node_shape(g, n, 0) : lth_node_operand_shape(g, n, n->op == LTH_OP_CONV_WEIGHT_GRAD);
    const lth_shape *w = n->op == LTH_OP_CONV_WEIGHT_GRAD ? lth_node_shape(g, n, 0) : lth_node_operand_shape(g, n, 1);
    return w->dim[0] ? 2.0 * (double)lth_shape_count(y) * (double)(lth_shape_count(w) / w->dim[0]) : 0;
}

/* The products with w_hh (G H, H), of which every step has one. */
static double steps_flops(const lth_graph *g, const lth_node *n)
{
    const lth_shape *h0 = lth_node_operand_shape(g, n, 1);
    const lth_shape *gates = n->op == LTH_OP_RNN_STEPS ? lth_node_operand_shape(g, n, 0) : lth_node_shape(g, n, 0);
    return 2.0 * (double)lth_shape_count(gates) * (double)h0->dim[1];
}

/* Two products of queries and keys, and five on the way back; under causality those of the pairs that see each other. */
static double attention_flops(const lth_graph *g, const lth_node *n)
{
    const lth_shape *q = lth_node_operand_shape(g, n, 0), *v = lth_node_operand_shape(g, n, 2);
    double T = (double)q->dim[2], S = (double)v->dim[2], D = (double)q->dim[3], E = (double)v->dim[3], pairs = T * S;
    if (((const lth_attr_attention *)lth_node_attributes(g, n))->flags & LTH_ATTENTION_CAUSAL)
        pairs = T <= S ? T * (S - T) + T * (T + 1) / 2 : S * (S + 1) / 2;
    double channels = n->op == LTH_OP_ATTENTION ? D + E : 3 * D + 2 * E;
    return 2 * (double)(q->dim[0] * q->dim[1]) * pairs * channels;
}

double accel_node_flops(const lth_graph *g, const lth_node *n)
{
    const accel_op *op = accel_op_find(n->op);
    if (!op || op->class == ACCEL_MEMORY_LEAF || op->class == ACCEL_SHAPE || op->class == ACCEL_EFFECT || n->op == LTH_OP_LOOP ||
        n->op == LTH_OP_LOOP_END)
        return 0;
    if (n->op >= LTH_OP_CONV && n->op <= LTH_OP_CONV_WEIGHT_GRAD)
        return conv_flops(g, n);
    if (n->op == LTH_OP_RNN_STEPS || n->op == LTH_OP_RNN_STEPS_GRAD)
        return steps_flops(g, n);
    if (n->op == LTH_OP_ATTENTION || n->op == LTH_OP_ATTENTION_GRAD)
        return attention_flops(g, n);
    if (n->op != LTH_OP_MATMUL)
        return (double)largest_count(g, n);
    const lth_shape *a = lth_node_operand_shape(g, n, 0);
    const lth_attr_matmul *t = lth_node_attributes(g, n);
    return 2.0 * (double)lth_shape_count(lth_node_shape(g, n, 0)) * (double)a->dim[a->rank - (t->transpose_a ? 2 : 1)];
}

int64_t accel_node_bytes(const lth_graph *g, const lth_node *n)
{
    const accel_op *op = accel_op_find(n->op);
    if (!op || op->class == ACCEL_MEMORY_LEAF)
        return 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        bytes += accel_value_bytes(g, lth_node_operand(g, n, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        bytes += accel_value_bytes(g, n->first_value + i);
    if (n->op == LTH_OP_ASSIGN || n->op == LTH_OP_OUTPUT)
        bytes *= 2; /* read and written */
    return bytes;
}

/* ---- Text ---- */

typedef struct text { char *at; size_t size, used; } text;

LTH_PRINTF(2, 3)
static void put(text *t, const char *format, ...)
{
    if (t->used + 1 >= t->size)
        return;
    va_list a;
    va_start(a, format);
    int n = vsnprintf(t->at + t->used, t->size - t->used, format, a);
    va_end(a);
    if (n > 0)
        t->used += (size_t)n;
}

static void put_shape(text *t, const lth_shape *s)
{
    put(t, "(");
    for (int32_t i = 0; i < s->rank; i++)
        put(t, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    put(t, ") %s", lth_dtype_name(s->dtype));
}

void accel_node_text(const lth_graph *g, uint32_t node, char *out, size_t size)
{
    text t = { out, size, 0 };
    const lth_node *n = lth_graph_node(g, node);
    const accel_op *op = accel_op_find(n->op);
    if (size)
        out[0] = 0;
    if (n->value_count)
        put(&t, "%%%u = ", n->first_value);
    if (n->op == LTH_OP_CUSTOM)
        put(&t, "%.48s", ((const lth_attr_custom *)lth_node_attributes(g, n))->name);
    else
        put(&t, "%s", op ? op->name : "?");
    for (uint32_t i = 0; i < n->operand_count; i++) {
        put(&t, i ? ", %%%u " : " %%%u ", lth_node_operand(g, n, i));
        put_shape(&t, lth_node_operand_shape(g, n, i));
    }
    for (uint32_t i = 0; i < n->value_count; i++) {
        put(&t, i ? ", " : " -> ");
        put_shape(&t, lth_node_shape(g, n, i));
    }
}
