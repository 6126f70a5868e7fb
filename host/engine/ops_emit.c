/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_emit.c: what gradients and decompositions are written with. */
#include "engine/ops.h"

#include <string.h>

uint32_t op_emit(op_rule *r, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size)
{
    for (uint32_t i = 0; i < count; i++)
        if (operands[i] == LTH_NO_VALUE)
            return LTH_NO_VALUE;
    return graph_emit_broadcast(r->g, op, operands, count, attributes, size, r->site, r->error);
}

uint32_t op_1(op_rule *r, uint32_t op, uint32_t a) { return op_emit(r, op, &a, 1, NULL, 0); }

uint32_t op_2(op_rule *r, uint32_t op, uint32_t a, uint32_t b)
{
    uint32_t in[2] = { a, b };
    return op_emit(r, op, in, 2, NULL, 0);
}

uint32_t op_where(op_rule *r, uint32_t c, uint32_t a, uint32_t b)
{
    uint32_t in[3] = { c, a, b };
    return op_emit(r, LTH_OP_WHERE, in, 3, NULL, 0);
}

uint32_t op_number_like(op_rule *r, uint32_t x, double number)
{
    return x == LTH_NO_VALUE ? x : r->constant(r, number, op_dtype_of(r, x));
}

uint32_t op_2n(op_rule *r, uint32_t op, uint32_t x, double number) { return op_2(r, op, x, op_number_like(r, x, number)); }

uint32_t op_filled(op_rule *r, const lth_shape *shape, double number)
{
    lth_shape to = *shape;
    return op_expand(r, r->constant(r, number, shape->dtype), &to);
}

uint32_t op_cast(op_rule *r, uint32_t x, lth_dtype dtype)
{
    lth_attr_dtype a = { dtype, 0 };
    return x == LTH_NO_VALUE || op_dtype_of(r, x) == dtype ? x : op_emit(r, LTH_OP_CAST, &x, 1, &a, sizeof a);
}

uint32_t op_accumulate(op_rule *r, uint32_t a, uint32_t b)
{
    return a == LTH_NO_VALUE ? b : b == LTH_NO_VALUE ? a : op_add(r, a, b);
}

static uint32_t to_dims(op_rule *r, uint32_t op, uint32_t x, const lth_shape *to)
{
    if (x == LTH_NO_VALUE || op_same_dims(op_shape_of(r, x), to))
        return x;
    lth_attr_dims a = { to->rank, 0, { 0 } };
    memcpy(a.dim, to->dim, sizeof a.dim);
    return op_emit(r, op, &x, 1, &a, sizeof a);
}

uint32_t op_reshape(op_rule *r, uint32_t x, const lth_shape *to) { return to_dims(r, LTH_OP_RESHAPE, x, to); }
uint32_t op_expand(op_rule *r, uint32_t x, const lth_shape *to) { return to_dims(r, LTH_OP_EXPAND, x, to); }

uint32_t op_slice_axis(op_rule *r, uint32_t x, int64_t axis, int64_t start, int64_t length)
{
    if (x == LTH_NO_VALUE)
        return x;
    lth_attr_slice a = { { 0 }, { 0 }, { 0 } };
    const lth_shape *s = op_shape_of(r, x);
    for (int32_t i = 0; i < s->rank; i++)
        a.length[i] = s->dim[i], a.step[i] = 1;
    a.start[axis] = start;
    a.length[axis] = length;
    return op_emit(r, LTH_OP_SLICE, &x, 1, &a, sizeof a);
}

uint32_t op_concat(op_rule *r, const uint32_t *parts, uint32_t count, int64_t axis)
{
    lth_attr_axis a = { axis };
    return op_emit(r, LTH_OP_CONCAT, parts, count, &a, sizeof a);
}

uint32_t op_reduce(op_rule *r, uint32_t op, uint32_t x, uint32_t axes, bool keep)
{
    lth_attr_reduce a = { axes, keep };
    return op_emit(r, op, &x, 1, &a, sizeof a);
}

uint32_t op_restore_axes(op_rule *r, uint32_t y, const lth_shape *from, uint32_t axes)
{
    lth_shape to = *from;
    for (int32_t i = 0; i < to.rank; i++)
        if (axes >> i & 1)
            to.dim[i] = 1;
    return op_reshape(r, y, &to);
}

uint32_t op_sum_to(op_rule *r, uint32_t x, const lth_shape *to)
{
    if (x == LTH_NO_VALUE)
        return x;
    lth_shape shape = *to, from = *op_shape_of(r, x);
    int32_t more = from.rank - shape.rank;
    uint32_t axes = 0;
    for (int32_t i = 0; i < from.rank; i++)
        if (i < more || (shape.dim[i - more] == 1 && from.dim[i] != 1))
            axes |= 1u << i;
    return axes ? op_reshape(r, op_reduce(r, LTH_OP_SUM, x, axes, false), &shape) : x;
}

uint32_t op_matmul(op_rule *r, uint32_t a, uint32_t b, bool transpose_a, bool transpose_b)
{
    lth_attr_matmul at = { transpose_a, transpose_b, LTH_DTYPE_NONE, 0 };
    uint32_t in[2] = { a, b };
    return op_emit(r, LTH_OP_MATMUL, in, 2, &at, sizeof at);
}

uint32_t op_one_hot(op_rule *r, uint32_t target, const lth_shape *logits)
{
    if (target == LTH_NO_VALUE)
        return target;
    lth_attr_shape classes = { *logits, logits->rank - 1 };
    lth_shape column = *logits;
    classes.shape.dtype = op_dtype_of(r, target);
    column.dim[logits->rank - 1] = 1;
    return op_2(r, LTH_OP_EQ, op_emit(r, LTH_OP_IOTA, NULL, 0, &classes, sizeof classes), op_reshape(r, target, &column));
}

/* exp(-|x|): never above 1. */
static uint32_t exp_of_minus_abs(op_rule *r, uint32_t x) { return op_1(r, LTH_OP_EXP, op_neg(r, op_1(r, LTH_OP_ABS, x))); }

uint32_t op_stable_sigmoid(op_rule *r, uint32_t x)
{
    uint32_t e = exp_of_minus_abs(r, x), one = op_number_like(r, x, 1);
    return op_div(r, op_where(r, op_2n(r, LTH_OP_GE, x, 0), one, e), op_add(r, e, one));
}

uint32_t op_stable_softplus(op_rule *r, uint32_t x)
{
    return op_add(r, op_2n(r, LTH_OP_MAXIMUM, x, 0), op_1(r, LTH_OP_LOG1P, exp_of_minus_abs(r, x)));
}
