/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_shape.c: ops that move elements. Their gradients move them back. */
#include "engine/ops.h"

#include <string.h>

/* ---- Shape rules ---- */

static bool dims_in_range(op_shapes *s, lth_attr_dims *a)
{
    if (a->rank < 0 || a->rank > LTH_MAX_RANK)
        return op_refuse(s, "%d dimensions, at most %d are possible", a->rank, LTH_MAX_RANK);
    a->reserved = 0;
    for (int32_t i = a->rank; i < LTH_MAX_RANK; i++)
        if (a->dim[i] != 0)
            a->dim[i] = 0;
    return true;
}

static lth_shape shape_of_dims(lth_dtype dtype, const lth_attr_dims *a)
{
    lth_shape shape = { dtype, a->rank, { 0 } };
    memcpy(shape.dim, a->dim, sizeof shape.dim);
    return shape;
}

/* Fills in the dimension that is -1. */
static bool resolve_unknown(op_shapes *s, lth_attr_dims *a, int64_t count)
{
    lth_shape asked = shape_of_dims(s->operands[0]->dtype, a), known = asked;
    int32_t unknown = -1;
    for (int32_t i = 0; i < a->rank; i++) {
        if (a->dim[i] == -1 && unknown >= 0)
            return op_refuse(s, "%s: only one dimension may be -1", op_shape_text(&asked).text);
        if (a->dim[i] == -1)
            unknown = i, known.dim[i] = 1;
    }
    if (unknown < 0)
        return true;
    if (!op_checks_size(s, &known))
        return false;
    int64_t rest = lth_shape_count(&known);
    if (rest == 0 || count % rest != 0)
        return op_refuse(s, "%s has %lld elements: no number in place of -1 makes %s of them", op_shape_text(s->operands[0]).text,
                         (long long)count, op_shape_text(&asked).text);
    a->dim[unknown] = count / rest;
    return true;
}

static bool shape_reshape(op_shapes *s)
{
    lth_attr_dims *a = s->attributes;
    int64_t count = lth_shape_count(s->operands[0]);
    if (!dims_in_range(s, a) || !resolve_unknown(s, a, count))
        return false;
    s->results[0] = shape_of_dims(s->operands[0]->dtype, a);
    if (!op_checks_size(s, &s->results[0]))
        return false;
    int64_t made = lth_shape_count(&s->results[0]);
    return made == count || op_refuse(s, "%s has %lld elements, %s has %lld", op_shape_text(s->operands[0]).text,
                                      (long long)count, op_shape_text(&s->results[0]).text, (long long)made);
}

static bool shape_permute(op_shapes *s)
{
    lth_attr_dims *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!dims_in_range(s, a))
        return false;
    if (a->rank != x->rank)
        return op_refuse(s, "%d axes listed for %s, which has %d", a->rank, op_shape_text(x).text, x->rank);
    lth_shape to = { x->dtype, x->rank, { 0 } };
    uint32_t seen = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (!op_axis(s, &a->dim[i], x->rank))
            return false;
        if (seen >> a->dim[i] & 1)
            return op_refuse(s, "axis %lld is listed twice", (long long)a->dim[i]);
        seen |= 1u << a->dim[i];
        to.dim[i] = x->dim[a->dim[i]];
    }
    s->results[0] = to;
    return true;
}

static bool shape_expand(op_shapes *s)
{
    lth_attr_dims *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!dims_in_range(s, a))
        return false;
    lth_shape to = shape_of_dims(x->dtype, a);
    if (!op_checks_size(s, &to))
        return false;
    bool fits = x->rank <= to.rank;
    for (int32_t i = 0; fits && i < x->rank; i++) {
        int64_t d = x->dim[i];
        fits = d == 1 || d == to.dim[to.rank - x->rank + i];
    }
    s->results[0] = to;
    return fits || op_refuse(s, "%s does not broadcast to %s: only dimensions of 1 can be widened", op_shape_text(x).text,
                             op_shape_text(&to).text);
}

static bool shape_slice(op_shapes *s)
{
    lth_attr_slice *a = s->attributes;
    lth_shape to = *s->operands[0];
    for (int32_t i = 0; i < LTH_MAX_RANK; i++) {
        if (i >= to.rank) {
            a->start[i] = a->length[i] = a->step[i] = 0;
            continue;
        }
        int64_t start = a->start[i], length = a->length[i], step = a->step[i], last;
        if (step < 1)
            return op_refuse(s, "axis %d: a step of %lld, at least 1 is needed (lth_flip turns an axis round)", i,
                             (long long)step);
        if (length < 0)
            return op_refuse(s, "axis %d: a length of %lld, the slice ends before its start at %lld", i, (long long)length,
                             (long long)start);
        bool over = length > 0 && (__builtin_mul_overflow(length - 1, step, &last) ||
                                   __builtin_add_overflow(last, start, &last) || last >= to.dim[i]);
        if (start < 0 || start > to.dim[i] || over)
            return op_refuse(s, "axis %d: %lld elements from %lld in steps of %lld reach beyond its %lld", i, (long long)length,
                             (long long)start, (long long)step, (long long)to.dim[i]);
        if (length < 2)
            a->step[i] = 1;
        to.dim[i] = length;
    }
    s->results[0] = to;
    return true;
}

static bool shape_pad(op_shapes *s)
{
    lth_attr_pad *a = s->attributes;
    lth_shape to = *s->operands[0];
    if (!op_same_dtypes(s, 0) || !op_needs_scalar(s, 1, "the value"))
        return false;
    for (int32_t i = 0; i < LTH_MAX_RANK; i++) {
        if (i >= to.rank) {
            a->low[i] = a->high[i] = 0;
            continue;
        }
        if (a->low[i] < 0 || a->high[i] < 0)
            return op_refuse(s, "axis %d: %lld before and %lld after: neither may be negative (lth_slice cuts)", i,
                             (long long)a->low[i], (long long)a->high[i]);
        if (__builtin_add_overflow(to.dim[i], a->low[i], &to.dim[i]) || __builtin_add_overflow(to.dim[i], a->high[i], &to.dim[i]))
            return op_refuse(s, "axis %d would be longer than 64 bits can count", i);
    }
    s->results[0] = to;
    return op_checks_size(s, &to);
}

static bool shape_concat(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    lth_shape to = *s->operands[0];
    if (!op_same_dtypes(s, 0) || !op_axis(s, &a->axis, to.rank))
        return false;
    for (uint32_t i = 1; i < s->count; i++) {
        lth_shape part = *s->operands[i];
        int64_t length = part.rank == to.rank ? part.dim[a->axis] : 0;
        part.dim[a->axis] = to.dim[a->axis];
        if (!op_same_dims(&part, &to))
            return op_refuse(s, "%s and %s differ in more than axis %lld", op_shape_text(s->operands[0]).text,
                             op_shape_text(s->operands[i]).text, (long long)a->axis);
        if (__builtin_add_overflow(to.dim[a->axis], length, &to.dim[a->axis]))
            return op_refuse(s, "axis %lld would be longer than 64 bits can count", (long long)a->axis);
    }
    s->results[0] = to;
    return op_checks_size(s, &to);
}

static bool window_start(op_shapes *s, uint32_t i)
{
    lth_dtype t = s->operands[i]->dtype;
    return op_needs_scalar(s, i, "the start") &&
           (t == LTH_I64 || op_refuse(s, "the start must be i64, got %s: lth_cast it", lth_dtype_name(t)));
}

static bool shape_slice_at(op_shapes *s)
{
    lth_attr_window *a = s->attributes;
    lth_shape to = *s->operands[0];
    if (!window_start(s, 1) || !op_axis(s, &a->axis, to.rank))
        return false;
    if (a->length < 0 || a->length > to.dim[a->axis])
        return op_refuse(s, "%lld elements of axis %lld, which has %lld", (long long)a->length, (long long)a->axis,
                         (long long)to.dim[a->axis]);
    to.dim[a->axis] = a->length;
    s->results[0] = to;
    return true;
}

static bool shape_update_at(op_shapes *s)
{
    lth_attr_window *a = s->attributes;
    const lth_shape *x = s->operands[0], *part = s->operands[1];
    if (x->dtype != part->dtype)
        return op_refuse(s, "%s and %s differ in element type: lth_cast one of them", lth_dtype_name(x->dtype),
                         lth_dtype_name(part->dtype));
    if (!window_start(s, 2) || !op_axis(s, &a->axis, x->rank))
        return false;
    lth_shape wanted = *x;
    wanted.dim[a->axis] = a->length;
    if (a->length < 0 || a->length > x->dim[a->axis] || !op_same_dims(part, &wanted))
        return op_refuse(s, "a part %s does not fit into %s along axis %lld", op_shape_text(part).text, op_shape_text(x).text,
                         (long long)a->axis);
    s->results[0] = *x;
    return true;
}

static bool shape_flip(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    s->results[0] = *s->operands[0];
    return op_axis(s, &a->axis, s->operands[0]->rank);
}

/* ---- Gradients: d is the result's ---- */

static void grad_reshape(op_rule *r)
{
    lth_shape x = *op_operand_shape(r, 0);
    r->d_operands[0] = op_reshape(r, r->d_results[0], &x);
}

static void grad_permute(op_rule *r)
{
    const lth_attr_dims *a = r->attributes;
    lth_attr_dims back = { a->rank, 0, { 0 } };
    for (int32_t i = 0; i < a->rank; i++)
        back.dim[a->dim[i]] = i;
    r->d_operands[0] = op_emit(r, LTH_OP_PERMUTE, &r->d_results[0], 1, &back, sizeof back);
}

static void grad_expand(op_rule *r)
{
    lth_shape x = *op_operand_shape(r, 0);
    r->d_operands[0] = op_sum_to(r, r->d_results[0], &x);
}

/* Puts step - 1 zeros after each element of an axis. */
static uint32_t spread(op_rule *r, uint32_t d, int32_t axis, int64_t step)
{
    lth_shape shape = *op_shape_of(r, d), split = { shape.dtype, 4, { 1, shape.dim[axis], 1, 1 } };
    for (int32_t i = 0; i < shape.rank; i++)
        if (i != axis)
            split.dim[i < axis ? 0 : 3] *= shape.dim[i];
    lth_attr_pad zeros = { { 0 }, { 0, 0, step - 1 } };
    uint32_t in[2] = { op_reshape(r, d, &split), op_number_like(r, d, 0) };
    shape.dim[axis] *= step;
    return op_reshape(r, op_emit(r, LTH_OP_PAD, in, 2, &zeros, sizeof zeros), &shape);
}

/* d at the places it came from, zeros elsewhere. */
static void grad_slice(op_rule *r)
{
    const lth_attr_slice *a = r->attributes;
    lth_shape x = *op_operand_shape(r, 0);
    lth_attr_pad around = { { 0 }, { 0 } };
    uint32_t d = r->d_results[0];
    for (int32_t i = 0; i < x.rank && d != LTH_NO_VALUE; i++) {
        int64_t length = a->length[i];
        if (a->step[i] > 1) { /* the last element needs no zeros after it */
            d = spread(r, d, i, a->step[i]);
            length = (length - 1) * a->step[i] + 1;
            d = op_slice_axis(r, d, i, 0, length);
        }
        around.low[i] = a->start[i];
        around.high[i] = x.dim[i] - a->start[i] - length;
    }
    uint32_t in[2] = { d, op_number_like(r, d, 0) };
    r->d_operands[0] = op_emit(r, LTH_OP_PAD, in, 2, &around, sizeof around);
}

/* What lies within goes to x, the sum of what lies without to the value. */
static void grad_pad(op_rule *r)
{
    const lth_attr_pad *a = r->attributes;
    lth_shape x = *op_operand_shape(r, 0);
    uint32_t d = r->d_results[0], zero = op_number_like(r, d, 0);
    lth_attr_slice within = { { 0 }, { 0 }, { 0 } };
    for (int32_t i = 0; i < x.rank; i++)
        within.start[i] = a->low[i], within.length[i] = x.dim[i], within.step[i] = 1;
    r->d_operands[0] = op_emit(r, LTH_OP_SLICE, &d, 1, &within, sizeof within);
    uint32_t in[2] = { op_filled(r, &x, 0), op_number_like(r, d, 1) };
    uint32_t outside = op_2n(r, LTH_OP_GT, op_emit(r, LTH_OP_PAD, in, 2, a, sizeof *a), 0);
    lth_shape scalar = op_scalar_shape(x.dtype);
    r->d_operands[1] = op_sum_to(r, op_where(r, outside, d, zero), &scalar);
}

static void grad_concat(op_rule *r)
{
    const lth_attr_axis *a = r->attributes;
    int64_t start = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        int64_t length = op_operand_shape(r, i)->dim[a->axis];
        r->d_operands[i] = op_slice_axis(r, r->d_results[0], a->axis, start, length);
        start += length;
    }
}

static void grad_slice_at(op_rule *r)
{
    lth_shape x = *op_operand_shape(r, 0);
    uint32_t in[3] = { op_filled(r, &x, 0), r->d_results[0], r->operands[1] };
    r->d_operands[0] = op_emit(r, LTH_OP_UPDATE_AT, in, 3, r->attributes, sizeof(lth_attr_window));
}

static void grad_update_at(op_rule *r)
{
    lth_shape part = *op_operand_shape(r, 1);
    uint32_t in[3] = { r->d_results[0], op_filled(r, &part, 0), r->operands[2] }, at[2] = { r->d_results[0], r->operands[2] };
    r->d_operands[0] = op_emit(r, LTH_OP_UPDATE_AT, in, 3, r->attributes, sizeof(lth_attr_window));
    r->d_operands[1] = op_emit(r, LTH_OP_SLICE_AT, at, 2, r->attributes, sizeof(lth_attr_window));
}

static void grad_flip(op_rule *r)
{
    r->d_operands[0] = op_emit(r, LTH_OP_FLIP, &r->d_results[0], 1, r->attributes, sizeof(lth_attr_axis));
}

#define MOVES(code, name, from, to, attributes, shape, gradient)                                \
    {                                                                                           \
        code, name, OP_PRIMITIVE, from, to, 1, false, sizeof(attributes), shape, gradient, NULL \
    }

const op_info ops_shape[] = {
    MOVES(LTH_OP_RESHAPE, "reshape", 1, 1, lth_attr_dims, shape_reshape, grad_reshape),
    MOVES(LTH_OP_PERMUTE, "permute", 1, 1, lth_attr_dims, shape_permute, grad_permute),
    MOVES(LTH_OP_EXPAND, "expand", 1, 1, lth_attr_dims, shape_expand, grad_expand),
    MOVES(LTH_OP_SLICE, "slice", 1, 1, lth_attr_slice, shape_slice, grad_slice),
    MOVES(LTH_OP_PAD, "pad", 2, 2, lth_attr_pad, shape_pad, grad_pad),
    MOVES(LTH_OP_CONCAT, "concat", 1, OP_ANY_NUMBER, lth_attr_axis, shape_concat, grad_concat),
    MOVES(LTH_OP_SLICE_AT, "slice_at", 2, 2, lth_attr_window, shape_slice_at, grad_slice_at),
    MOVES(LTH_OP_UPDATE_AT, "update_at", 3, 3, lth_attr_window, shape_update_at, grad_update_at),
    MOVES(LTH_OP_FLIP, "flip", 1, 1, lth_attr_axis, shape_flip, grad_flip),
};
