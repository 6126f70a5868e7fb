/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_pool.c: pooling. A mean over windows is linear along each axis by itself, so it is products with a matrix for
 * every axis; that is its decomposition. */
#include "engine/ops_conv.h"

/* ---- Shape rules ---- */

static op_window window_of(const lth_attr_pool *a, int32_t axis)
{
    return (op_window) { a->kernel[axis], a->stride[axis], a->low[axis], a->high[axis], a->dilation[axis] };
}

static bool check_flags(op_shapes *s, uint32_t known)
{
    lth_attr_pool *a = s->attributes;
    if (a->flags & ~known)
        return op_refuse(s, "flags 0x%x do not belong to it", a->flags & ~known);
    if (a->flags & LTH_POOL_ADAPTIVE && a->flags != LTH_POOL_ADAPTIVE)
        return op_refuse(s, "an adaptive pool has neither padding nor a ceil mode");
    a->reserved = 0;
    return true;
}

/* What the attributes say of axes that there are not, and of what an adaptive pool does not have. */
static void settle(lth_attr_pool *a, int32_t axes, bool sized)
{
    bool adaptive = (a->flags & LTH_POOL_ADAPTIVE) != 0;
    for (int32_t i = 0; i < OP_IMAGE_AXES; i++) {
        if (i >= axes || adaptive)
            a->kernel[i] = a->stride[i] = a->low[i] = a->high[i] = a->dilation[i] = 0;
        if (i >= axes || !(adaptive || sized))
            a->size[i] = 0;
    }
}

/* The first element that a window beginning at `start` sees, of those not before x. */
static int64_t first_seen(const op_window *w, int64_t start)
{
    return start < 0 ? start + (-start + w->dilation - 1) / w->dilation * w->dilation : start;
}

/* Every window has an element of x: the first reaches it, the last begins in it, and none steps over it. */
static bool windows_see_x(op_shapes *s, const op_window *w, int32_t axis, int64_t in, int64_t out)
{
    int64_t before = (w->low + w->stride - 1) / w->stride, blind = -1; /* windows that begin before x */
    if (first_seen(w, -w->low) + w->low >= w->kernel * w->dilation)
        blind = 0;
    else if ((out - 1) * w->stride - w->low >= in)
        blind = out - 1;
    for (int64_t o = 0; in < w->dilation && blind < 0 && o < before && o < out && o < w->dilation; o++)
        if (first_seen(w, o * w->stride - w->low) >= in)
            blind = o;
    return blind < 0 ||
           op_refuse(s, "window %lld along spatial axis %d would lie in the padding alone (%lld and %lld around %lld elements)",
                     (long long)blind, axis, (long long)w->low, (long long)w->high, (long long)in);
}

static bool pooled(op_shapes *s, int32_t axis, int64_t in, bool see_x, int64_t *out)
{
    const lth_attr_pool *a = s->attributes;
    if (a->flags & LTH_POOL_ADAPTIVE) {
        if (in < 1 || *out < 1 || in > OP_IMAGE_MOST || *out > OP_IMAGE_MOST)
            return op_refuse(s, "spatial axis %d: %lld elements cannot be pooled to %lld", axis, (long long)in, (long long)*out);
        return true;
    }
    op_window w = window_of(a, axis);
    return op_windows(s, &w, axis, in, (a->flags & LTH_POOL_CEIL) != 0, out) && (!see_x || windows_see_x(s, &w, axis, in, *out));
}

static bool shape_pool(op_shapes *s, uint32_t known, uint32_t see_x)
{
    lth_attr_pool *a = s->attributes;
    const lth_shape *x = s->operands[0];
    int32_t axes = op_image_axes(s, 0, "x");
    if (!axes || !op_needs_float(s, 0) || !check_flags(s, known))
        return false;
    settle(a, axes, false);
    s->results[0] = *x;
    for (int32_t i = 0; i < axes; i++) {
        int64_t *out = &s->results[0].dim[OP_IMAGE_LEAD + i];
        *out = a->size[i];
        if (!pooled(s, i, x->dim[OP_IMAGE_LEAD + i], (a->flags & see_x) == see_x, out))
            return false;
    }
    return op_checks_size(s, &s->results[0]);
}

bool op_shape_max_pool(op_shapes *s)
{
    if (!shape_pool(s, LTH_POOL_ADAPTIVE | LTH_POOL_CEIL, 0))
        return false;
    s->results[1] = s->results[0];
    s->results[1].dtype = LTH_I64;
    return op_checks_size(s, &s->results[1]);
}

bool op_shape_avg_pool(op_shapes *s)
{
    return shape_pool(s, LTH_POOL_ADAPTIVE | LTH_POOL_EXCLUDE_PADDING | LTH_POOL_CEIL, LTH_POOL_EXCLUDE_PADDING);
}

bool op_shape_avg_pool_grad(op_shapes *s)
{
    lth_attr_pool *a = s->attributes;
    const lth_shape *d = s->operands[0];
    int32_t axes = op_image_axes(s, 0, "the gradient");
    if (!axes || !op_needs_float(s, 0) || !check_flags(s, LTH_POOL_ADAPTIVE | LTH_POOL_EXCLUDE_PADDING | LTH_POOL_CEIL))
        return false;
    settle(a, axes, true);
    s->results[0] = *d;
    for (int32_t i = 0; i < axes; i++) {
        int64_t out = d->dim[OP_IMAGE_LEAD + i], expected = out;
        if (!pooled(s, i, a->size[i], (a->flags & LTH_POOL_EXCLUDE_PADDING) != 0, &expected))
            return false;
        if (expected != out)
            return op_refuse(s, "spatial axis %d: %lld elements give %lld outputs, but the operand has %lld", i,
                             (long long)a->size[i], (long long)expected, (long long)out);
        s->results[0].dim[OP_IMAGE_LEAD + i] = a->size[i];
    }
    return op_checks_size(s, &s->results[0]);
}

/* ---- Gradients ---- */

/* (N, C, spatial...) as (N, C, their product). */
static uint32_t flat(op_rule *r, uint32_t x)
{
    if (x == LTH_NO_VALUE)
        return x;
    lth_shape s = *op_shape_of(r, x);
    for (int32_t i = OP_IMAGE_LEAD + 1; i < s.rank; i++)
        s.dim[OP_IMAGE_LEAD] *= s.dim[i];
    s.rank = OP_IMAGE_LEAD + 1;
    return op_reshape(r, x, &s);
}

/* To where the greatest were found. */
void op_grad_max_pool(op_rule *r)
{
    lth_shape x = *op_operand_shape(r, 0);
    uint32_t in[2] = { flat(r, r->d_results[0]), flat(r, r->results[1]) };
    lth_attr_scatter a = { OP_IMAGE_LEAD, 1 };
    for (int32_t i = OP_IMAGE_LEAD; i < x.rank; i++)
        a.length *= x.dim[i];
    r->d_operands[0] = op_reshape(r, op_emit(r, LTH_OP_SCATTER_ALONG, in, 2, &a, sizeof a), &x);
}

static uint32_t pool_like(op_rule *r, uint32_t op, bool sized, const lth_shape *size)
{
    lth_attr_pool a = *(const lth_attr_pool *)r->attributes;
    for (int32_t i = 0; i < size->rank - OP_IMAGE_LEAD; i++)
        a.size[i] = sized ? size->dim[OP_IMAGE_LEAD + i] : 0;
    return op_emit(r, op, &r->d_results[0], 1, &a, sizeof a);
}

void op_grad_avg_pool(op_rule *r)
{
    lth_shape x = *op_operand_shape(r, 0);
    r->d_operands[0] = pool_like(r, LTH_OP_AVG_POOL_GRAD, true, &x);
}

void op_grad_avg_pool_grad(op_rule *r)
{
    const lth_attr_pool *a = r->attributes;
    lth_shape y = *op_operand_shape(r, 0);
    r->d_operands[0] = pool_like(r, LTH_OP_AVG_POOL, (a->flags & LTH_POOL_ADAPTIVE) != 0, &y);
}

/* ---- Decompositions ---- */

uint32_t op_matrix_iota(op_rule *r, int32_t axis, int64_t in, int64_t out)
{
    lth_attr_shape a = { { LTH_I64, 2, { in, out } }, axis };
    return op_emit(r, LTH_OP_IOTA, NULL, 0, &a, sizeof a);
}

/* x with axes `a` and `b` exchanged. */
static uint32_t exchange(op_rule *r, uint32_t x, int32_t a, int32_t b)
{
    if (x == LTH_NO_VALUE || a == b)
        return x;
    lth_attr_dims p = { op_shape_of(r, x)->rank, 0, { 0 } };
    for (int32_t i = 0; i < p.rank; i++)
        p.dim[i] = i == a ? b : i == b ? a : i;
    return op_emit(r, LTH_OP_PERMUTE, &x, 1, &p, sizeof p);
}

/* x's axis through a matrix, as a product of tables. */
static uint32_t along(op_rule *r, uint32_t x, int32_t axis, uint32_t matrix, int64_t length, bool transposed)
{
    int32_t last = op_shape_of(r, x)->rank - 1;
    uint32_t turned = exchange(r, x, axis, last);
    if (turned == LTH_NO_VALUE || matrix == LTH_NO_VALUE)
        return LTH_NO_VALUE;
    lth_shape s = *op_shape_of(r, turned), table = { s.dtype, 2, { 1, s.dim[last] } };
    for (int32_t i = 0; i < last; i++)
        table.dim[0] *= s.dim[i];
    s.dim[last] = length;
    uint32_t product = op_matmul(r, op_reshape(r, turned, &table), matrix, false, transposed);
    return exchange(r, op_reshape(r, product, &s), axis, last);
}

uint32_t op_through_axes(op_rule *r, op_axis_matrix *matrix, const lth_shape *to, bool transposed)
{
    lth_shape from = *op_operand_shape(r, 0);
    lth_dtype dtype = from.dtype == LTH_F64 ? LTH_F64 : LTH_F32; /* a short type would round every weight */
    uint32_t y = op_cast(r, r->operands[0], dtype);
    for (int32_t i = OP_IMAGE_LEAD; i < from.rank && y != LTH_NO_VALUE; i++) {
        int64_t in = transposed ? to->dim[i] : from.dim[i], out = transposed ? from.dim[i] : to->dim[i];
        y = along(r, y, i, matrix(r, i - OP_IMAGE_LEAD, in, out, dtype), to->dim[i], transposed);
    }
    return op_cast(r, y, from.dtype);
}

static uint32_t both(op_rule *r, uint32_t a, uint32_t b) { return op_2(r, LTH_OP_AND, a, b); }

/* Row i, column o: 1 / (elements of window o) where i is in it, else 0. */
static uint32_t mean_matrix(op_rule *r, int32_t axis, int64_t in, int64_t out, lth_dtype dtype)
{
    const lth_attr_pool *a = r->attributes;
    op_window w = window_of(a, axis);
    uint32_t i = op_matrix_iota(r, 0, in, out), o = op_matrix_iota(r, 1, in, out), inside, count = LTH_NO_VALUE;
    if (a->flags & LTH_POOL_ADAPTIVE) {
        uint32_t start = op_2n(r, LTH_OP_DIV, op_scale(r, o, (double)in), (double)out);
        uint32_t end = op_2n(r, LTH_OP_DIV, op_plus(r, op_scale(r, o, (double)in), (double)(in + out - 1)), (double)out);
        inside = both(r, op_2(r, LTH_OP_GE, i, start), op_2(r, LTH_OP_LT, i, end));
    } else {
        uint32_t start = op_plus(r, op_scale(r, o, (double)w.stride), (double)-w.low), t = op_sub(r, i, start);
        inside = both(r, op_2n(r, LTH_OP_GE, t, 0), op_2n(r, LTH_OP_LT, t, (double)(w.kernel * w.dilation)));
        if (w.dilation > 1)
            inside = both(r, inside,
                          op_2(r, LTH_OP_EQ, t, op_scale(r, op_2n(r, LTH_OP_DIV, t, (double)w.dilation), (double)w.dilation)));
        if (!(a->flags & LTH_POOL_EXCLUDE_PADDING)) { /* up to the end of the padding */
            uint32_t room = op_plus(r, op_neg(r, start), (double)(in + w.high + w.dilation - 1));
            count = op_2n(r, LTH_OP_MINIMUM, op_2n(r, LTH_OP_DIV, room, (double)w.dilation), (double)w.kernel);
        }
    }
    uint32_t one = op_cast(r, inside, dtype);
    return op_div(r, one, count == LTH_NO_VALUE ? op_reduce(r, LTH_OP_SUM, one, 1, true) : op_cast(r, count, dtype));
}

/* The shape that the op's own rule gives. */
static lth_shape result_shape(const op_rule *r, bool (*rule)(op_shapes *))
{
    lth_attr_pool a = *(const lth_attr_pool *)r->attributes;
    const lth_shape *x = op_operand_shape(r, 0);
    lth_shape results[2] = { *x, *x };
    op_shapes s = { &x, 1, sizeof a, &a, results, r->error };
    rule(&s);
    return results[0];
}

void op_decompose_avg_pool(op_rule *r)
{
    lth_shape y = result_shape(r, op_shape_avg_pool);
    r->outputs[0] = op_through_axes(r, mean_matrix, &y, false);
}

void op_decompose_avg_pool_grad(op_rule *r)
{
    lth_shape x = result_shape(r, op_shape_avg_pool_grad);
    r->outputs[0] = op_through_axes(r, mean_matrix, &x, true);
}
