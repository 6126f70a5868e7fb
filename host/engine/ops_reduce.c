/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_reduce.c: reductions over axes. In the comments x is the operand, y the result, d its gradient. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

/* ---- Shape rules ---- */

/* Elements that are reduced to one. */
static int64_t reduced_count(const lth_shape *x, uint32_t axes)
{
    int64_t n = 1;
    for (int32_t i = 0; i < x->rank; i++)
        n *= axes >> i & 1 ? x->dim[i] : 1;
    return n;
}

static lth_shape without_axes(const lth_shape *x, uint32_t axes, bool keep)
{
    lth_shape to = { x->dtype, 0, { 0 } };
    for (int32_t i = 0; i < x->rank; i++)
        if (!(axes >> i & 1))
            to.dim[to.rank++] = x->dim[i];
        else if (keep)
            to.dim[to.rank++] = 1;
    return to;
}

static bool shape_reduce(op_shapes *s)
{
    lth_attr_reduce *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (x->rank < 32 && a->axes >> x->rank)
        return op_refuse(s, "the axes asked for (bits 0x%x) are more than the %d of %s", a->axes, x->rank, op_shape_text(x).text);
    if (a->axes == 0 && x->rank > 0)
        return op_refuse(s, "no axis given of the %d of %s", x->rank, op_shape_text(x).text);
    a->keep = a->keep != 0;
    s->results[0] = without_axes(x, a->axes, a->keep);
    return true;
}

static bool shape_float(op_shapes *s) { return op_needs_float(s, 0) && shape_reduce(s); }

/* Of no elements there is no greatest; an empty result is fine. */
static bool shape_extremum(op_shapes *s)
{
    const lth_attr_reduce *a = s->attributes;
    if (!op_needs_number(s, 0) || !shape_reduce(s))
        return false;
    return reduced_count(s->operands[0], a->axes) > 0 || lth_shape_count(&s->results[0]) == 0 ||
           op_refuse(s, "a reduction of %s over no elements has no value", op_shape_text(s->operands[0]).text);
}

static bool shape_logsumexp(op_shapes *s) { return op_needs_float(s, 0) && shape_extremum(s); }

static bool shape_arg(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!op_needs_number(s, 0) || !op_axis(s, &a->axis, x->rank))
        return false;
    s->results[0] = without_axes(x, 1u << a->axis, false);
    s->results[0].dtype = LTH_I64;
    return x->dim[a->axis] > 0 || lth_shape_count(&s->results[0]) == 0 ||
           op_refuse(s, "axis %lld of %s has no elements to choose from", (long long)a->axis, op_shape_text(x).text);
}

static bool shape_all_finite(op_shapes *s)
{
    s->results[0] = op_scalar_shape(LTH_BOOL);
    return op_needs_float(s, 0);
}

/* ---- Gradients and decompositions ---- */

/* A value of the result's shape, ready to broadcast against x. */
static uint32_t against_x(op_rule *r, uint32_t y)
{
    const lth_attr_reduce *a = r->attributes;
    lth_shape x = *op_operand_shape(r, 0);
    return op_restore_axes(r, y, &x, a->axes);
}

static uint32_t over_x(op_rule *r, uint32_t y)
{
    lth_shape x = *op_operand_shape(r, 0);
    return op_expand(r, against_x(r, y), &x);
}

static double count_of(const op_rule *r)
{
    const lth_attr_reduce *a = r->attributes;
    return (double)reduced_count(op_operand_shape(r, 0), a->axes);
}

static void grad_sum(op_rule *r) { r->d_operands[0] = over_x(r, r->d_results[0]); }
static void grad_mean(op_rule *r) { r->d_operands[0] = over_x(r, op_2n(r, LTH_OP_DIV, r->d_results[0], count_of(r))); }

static void decompose_mean(op_rule *r)
{
    const lth_attr_reduce *a = r->attributes;
    uint32_t sum = op_reduce(r, LTH_OP_SUM, r->operands[0], a->axes, a->keep);
    r->outputs[0] = op_2n(r, LTH_OP_DIV, sum, count_of(r));
}

/* d / (number of winners) to each x that equals y; NaN to all where y is NaN, since none does. */
static void grad_extremum(op_rule *r)
{
    const lth_attr_reduce *a = r->attributes;
    uint32_t x = r->operands[0];
    uint32_t won = op_cast(r, op_2(r, LTH_OP_EQ, x, against_x(r, r->results[0])), op_dtype_of(r, x));
    uint32_t winners = op_reduce(r, LTH_OP_SUM, won, a->axes, a->keep);
    r->d_operands[0] = op_mul(r, won, over_x(r, op_div(r, r->d_results[0], winners)));
}

/* The products of pairs of a row: a level of the tree by which grad_prod multiplies. An odd last element stays alone. */
typedef struct level {
    uint32_t a, b; /* the halves (R, n / 2) */
    int64_t count; /* n */
} level;

static uint32_t multiply_pairs(op_rule *r, uint32_t x, level *l)
{
    int64_t half = l->count / 2;
    l->a = op_slice_axis(r, x, 1, 0, half);
    l->b = op_slice_axis(r, x, 1, half, half);
    uint32_t parts[2] = { op_mul(r, l->a, l->b), LTH_NO_VALUE };
    if (l->count % 2 == 0)
        return parts[0];
    parts[1] = op_slice_axis(r, x, 1, 2 * half, 1);
    return op_concat(r, parts, 2, 1);
}

static uint32_t back_to_pairs(op_rule *r, uint32_t d, const level *l)
{
    int64_t half = l->count / 2, odd = l->count % 2;
    uint32_t pair = odd ? op_slice_axis(r, d, 1, 0, half) : d;
    uint32_t parts[3] = { op_mul(r, pair, l->b), op_mul(r, pair, l->a), odd ? op_slice_axis(r, d, 1, half, 1) : LTH_NO_VALUE };
    return op_concat(r, parts, odd ? 3 : 2, 1);
}

/* The operand's axes in another order: those that stay, then those that are reduced. */
static lth_attr_dims reduced_last(const lth_shape *x, uint32_t axes)
{
    lth_attr_dims order = { x->rank, 0, { 0 } };
    int32_t n = 0;
    for (uint32_t reduced = 0; reduced < 2; reduced++)
        for (int32_t i = 0; i < x->rank; i++)
            if ((axes >> i & 1) == reduced)
                order.dim[n++] = i;
    return order;
}

/* The product of all others, for each x: not d y / x, which fails at zeros. The product is taken again as a tree of pairs,
 * whose gradients need no division, are right wherever zeros are, and can be differentiated again. */
static void grad_prod(op_rule *r)
{
    const lth_attr_reduce *a = r->attributes;
    lth_shape x = *op_operand_shape(r, 0), moved = x;
    lth_attr_dims order = reduced_last(&x, a->axes), back = order;
    for (int32_t i = 0; i < x.rank; i++)
        moved.dim[i] = x.dim[order.dim[i]], back.dim[order.dim[i]] = i;
    int64_t n = reduced_count(&x, a->axes), rows = 1;
    for (int32_t i = 0; i < x.rank; i++)
        rows *= a->axes >> i & 1 ? 1 : x.dim[i];
    if (n == 0 || rows == 0) {
        r->d_operands[0] = op_filled(r, &x, 0);
        return;
    }
    lth_shape table = { x.dtype, 2, { rows, n } }, column = { x.dtype, 2, { rows, 1 } };
    uint32_t v = op_reshape(r, op_emit(r, LTH_OP_PERMUTE, &r->operands[0], 1, &order, sizeof order), &table);
    uint32_t d = op_reshape(r, r->d_results[0], &column);
    level levels[64];
    uint32_t depth = 0;
    for (; n > 1; n = (n + 1) / 2) {
        levels[depth].count = n;
        v = multiply_pairs(r, v, &levels[depth++]);
    }
    while (depth > 0)
        d = back_to_pairs(r, d, &levels[--depth]);
    d = op_reshape(r, d, &moved);
    r->d_operands[0] = op_emit(r, LTH_OP_PERMUTE, &d, 1, &back, sizeof back);
}

/* x less its maximum m, which is put right where it is not finite: log-sum-exp of -inf alone is -inf. */
static uint32_t finite_or_zero(op_rule *r, uint32_t m)
{
    return op_where(r, op_1(r, LTH_OP_ISFINITE, m), m, op_number_like(r, m, 0));
}

/* d softmax(x), which is 0 where all x are -inf, and NaN where one is inf. */
static void grad_logsumexp(op_rule *r)
{
    uint32_t nothing = op_2n(r, LTH_OP_EQ, r->results[0], -INFINITY);
    uint32_t y = against_x(r, op_where(r, nothing, op_number_like(r, r->results[0], 0), r->results[0]));
    uint32_t softmax = op_1(r, LTH_OP_EXP, op_sub(r, r->operands[0], y));
    r->d_operands[0] = op_mul(r, over_x(r, r->d_results[0]), softmax);
}

static void decompose_logsumexp(op_rule *r)
{
    const lth_attr_reduce *a = r->attributes;
    uint32_t m = finite_or_zero(r, op_reduce(r, LTH_OP_MAX, r->operands[0], a->axes, a->keep));
    uint32_t e = op_1(r, LTH_OP_EXP, op_sub(r, r->operands[0], against_x(r, m)));
    r->outputs[0] = op_add(r, m, op_1(r, LTH_OP_LOG, op_reduce(r, LTH_OP_SUM, e, a->axes, a->keep)));
}

#define REDUCTION(code, name, kind, attributes, shape, gradient, decompose)      \
    {                                                                            \
        code, name, kind, 1, 1, 1, false, attributes, shape, gradient, decompose \
    }

const op_info ops_reduce[] = {
    REDUCTION(LTH_OP_SUM, "sum", OP_PRIMITIVE, sizeof(lth_attr_reduce), shape_reduce, grad_sum, NULL),
    REDUCTION(LTH_OP_MEAN, "mean", OP_COMPOSITE, sizeof(lth_attr_reduce), shape_float, grad_mean, decompose_mean),
    REDUCTION(LTH_OP_MAX, "max", OP_PRIMITIVE, sizeof(lth_attr_reduce), shape_extremum, grad_extremum, NULL),
    REDUCTION(LTH_OP_MIN, "min", OP_PRIMITIVE, sizeof(lth_attr_reduce), shape_extremum, grad_extremum, NULL),
    REDUCTION(LTH_OP_PROD, "prod", OP_PRIMITIVE, sizeof(lth_attr_reduce), shape_float, grad_prod, NULL),
    REDUCTION(LTH_OP_ARGMAX, "argmax", OP_PRIMITIVE, sizeof(lth_attr_axis), shape_arg, NULL, NULL),
    REDUCTION(LTH_OP_ARGMIN, "argmin", OP_PRIMITIVE, sizeof(lth_attr_axis), shape_arg, NULL, NULL),
    REDUCTION(LTH_OP_ALL_FINITE, "all_finite", OP_PRIMITIVE, 0, shape_all_finite, NULL, NULL),
    REDUCTION(LTH_OP_LOGSUMEXP, "logsumexp", OP_COMPOSITE, sizeof(lth_attr_reduce), shape_logsumexp, grad_logsumexp,
              decompose_logsumexp),
};
