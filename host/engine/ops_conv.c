/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_conv.c: convolution and its gradients, of which each is the others' gradient; and the table of its family.
 *
 * With o = (i + low - dilation k) / stride, whole and in range, i a place in x, k in the kernel and o in the result:
 *     CONV           y[o] = sum over k of x[i] w[k]
 *     DATA_GRAD      x[i] = sum over k of d[o] w[k]
 *     WEIGHT_GRAD    w[k] = sum over o of x[i] d[o] */
#include "engine/ops_conv.h"

/* ---- Shape rules ---- */

int32_t op_image_axes(op_shapes *s, uint32_t i, const char *name)
{
    const lth_shape *x = s->operands[i];
    int32_t axes = x->rank - OP_IMAGE_LEAD;
    if (axes >= 1 && axes <= OP_IMAGE_AXES)
        return axes;
    op_refuse(s, "%s is (N, C) with 1 to 3 spatial axes after them, got %s: lth_reshape it", name, op_shape_text(x).text);
    return 0;
}

bool op_windows(op_shapes *s, const op_window *w, int32_t axis, int64_t in, bool ceil, int64_t *out)
{
    if (w->kernel < 1 || w->stride < 1 || w->dilation < 1 || w->low < 0 || w->high < 0)
        return op_refuse(
            s,
            "spatial axis %d has kernel %lld, stride %lld, dilation %lld (at least 1 each) and padding %lld and %lld "
            "(at least 0)",
            axis, (long long)w->kernel, (long long)w->stride, (long long)w->dilation, (long long)w->low, (long long)w->high);
    if (w->kernel > OP_IMAGE_MOST || w->stride > OP_IMAGE_MOST || in > OP_IMAGE_MOST || w->dilation > OP_IMAGE_APART ||
        w->low > OP_IMAGE_APART || w->high > OP_IMAGE_APART)
        return op_refuse(s, "spatial axis %d has a kernel, stride or length above 2^30, or padding or dilation above 2^24", axis);
    int64_t reach = w->dilation * (w->kernel - 1) + 1, padded = in + w->low + w->high, room = padded - reach;
    int64_t last = ceil ? room + w->stride - 1 : room;
    if (last < 0)
        return op_refuse(s, "spatial axis %d has %lld elements, %lld with padding, but a kernel reaches over %lld", axis,
                         (long long)in, (long long)padded, (long long)reach);
    *out = last / w->stride + 1;
    if (ceil && *out > 1 && (*out - 1) * w->stride >= in + w->low) /* it would begin beyond x */
        --*out;
    return true;
}

/* Types, and what the attributes say of axes that there are not. */
static bool check_operands(op_shapes *s, int32_t *axes)
{
    lth_attr_conv *a = s->attributes;
    const lth_shape *first = s->operands[0];
    if (!op_same_dtypes(s, 0) || !op_needs_float(s, 0) || !(*axes = op_image_axes(s, 0, "the first operand")))
        return false;
    if (s->operands[1]->rank != first->rank)
        return op_refuse(s, "%s and %s have different numbers of axes", op_shape_text(first).text,
                         op_shape_text(s->operands[1]).text);
    if (a->groups < 1 || a->groups > OP_IMAGE_MOST)
        return op_refuse(s, "%lld groups, must be 1 to 2^30", (long long)a->groups);
    bool widens = a->result == LTH_F32 && (first->dtype == LTH_BF16 || first->dtype == LTH_F16);
    if (a->result != LTH_DTYPE_NONE && a->result != first->dtype && !widens)
        return op_refuse(s, "operands of %s have no convolution of %s", lth_dtype_name(first->dtype), lth_dtype_name(a->result));
    a->result = widens ? LTH_F32 : LTH_DTYPE_NONE;
    a->reserved = 0;
    for (int32_t i = *axes; i < OP_IMAGE_AXES; i++) {
        a->stride[i] = a->dilation[i] = 1;
        a->low[i] = a->high[i] = a->size[i] = 0;
    }
    return true;
}

/* Whether `in` elements give the `out` windows that the operand has. */
static bool fits(op_shapes *s, int32_t axis, int64_t in, int64_t kernel, int64_t out)
{
    const lth_attr_conv *a = s->attributes;
    op_window w = { kernel, a->stride[axis], a->low[axis], a->high[axis], a->dilation[axis] };
    int64_t expected = 0;
    if (!op_windows(s, &w, axis, in, false, &expected))
        return false;
    return expected == out || op_refuse(s, "spatial axis %d: %lld elements give %lld outputs, but the operand has %lld", axis,
                                        (long long)in, (long long)expected, (long long)out);
}

static bool result(op_shapes *s, int64_t n, int64_t channels, const int64_t *spatial, int32_t axes)
{
    const lth_attr_conv *a = s->attributes;
    lth_shape to = { a->result ? a->result : s->operands[0]->dtype, OP_IMAGE_LEAD + axes, { n, channels } };
    for (int32_t i = 0; i < axes; i++)
        to.dim[OP_IMAGE_LEAD + i] = spatial[i];
    s->results[0] = to;
    return op_checks_size(s, &to);
}

/* Whether K outputs fall into the groups. */
static bool outputs_in_groups(op_shapes *s, int64_t K)
{
    const lth_attr_conv *a = s->attributes;
    return K % a->groups == 0 ||
           op_refuse(s, "%lld output channels do not divide into %lld groups", (long long)K, (long long)a->groups);
}

static bool shape_conv(op_shapes *s)
{
    lth_attr_conv *a = s->attributes;
    const lth_shape *x = s->operands[0], *w = s->operands[1];
    int64_t out[OP_IMAGE_AXES];
    int32_t axes;
    if (!check_operands(s, &axes))
        return false;
    if (x->dim[1] % a->groups != 0 || x->dim[1] / a->groups != w->dim[1])
        return op_refuse(s, "x %s has %lld channels, but the weight %s wants %lld in each of %lld groups", op_shape_text(x).text,
                         (long long)x->dim[1], op_shape_text(w).text, (long long)w->dim[1], (long long)a->groups);
    for (int32_t i = 0; i < axes; i++) {
        op_window v = { w->dim[OP_IMAGE_LEAD + i], a->stride[i], a->low[i], a->high[i], a->dilation[i] };
        if (!op_windows(s, &v, i, x->dim[OP_IMAGE_LEAD + i], false, &out[i]))
            return false;
        a->size[i] = 0;
    }
    return outputs_in_groups(s, w->dim[0]) && result(s, x->dim[0], w->dim[0], out, axes);
}

static bool shape_data_grad(op_shapes *s)
{
    const lth_attr_conv *a = s->attributes;
    const lth_shape *d = s->operands[0], *w = s->operands[1];
    int32_t axes;
    if (!check_operands(s, &axes))
        return false;
    if (d->dim[1] != w->dim[0])
        return op_refuse(s, "%s has %lld channels, but the weight %s has %lld outputs", op_shape_text(d).text,
                         (long long)d->dim[1], op_shape_text(w).text, (long long)w->dim[0]);
    for (int32_t i = 0; i < axes; i++)
        if (!fits(s, i, a->size[i], w->dim[OP_IMAGE_LEAD + i], d->dim[OP_IMAGE_LEAD + i]))
            return false;
    int64_t C = 0;
    if (__builtin_mul_overflow(w->dim[1], a->groups, &C))
        return op_refuse(s, "%lld groups are more than there are channels", (long long)a->groups);
    return outputs_in_groups(s, w->dim[0]) && result(s, d->dim[0], C, a->size, axes);
}

static bool shape_weight_grad(op_shapes *s)
{
    const lth_attr_conv *a = s->attributes;
    const lth_shape *x = s->operands[0], *d = s->operands[1];
    int32_t axes;
    if (!check_operands(s, &axes))
        return false;
    if (x->dim[0] != d->dim[0])
        return op_refuse(s, "x %s and %s differ in N", op_shape_text(x).text, op_shape_text(d).text);
    if (x->dim[1] % a->groups != 0)
        return op_refuse(s, "%lld channels do not divide into %lld groups", (long long)x->dim[1], (long long)a->groups);
    for (int32_t i = 0; i < axes; i++)
        if (!fits(s, i, x->dim[OP_IMAGE_LEAD + i], a->size[i], d->dim[OP_IMAGE_LEAD + i]))
            return false;
    return outputs_in_groups(s, d->dim[1]) && result(s, d->dim[1], x->dim[1] / a->groups, a->size, axes);
}

/* ---- Gradients. d is the result's gradient, in the operands' own type. ---- */

static uint32_t conv_like(op_rule *r, uint32_t op, uint32_t a, uint32_t b, const lth_shape *sized)
{
    lth_attr_conv t = *(const lth_attr_conv *)r->attributes;
    uint32_t in[2] = { a, b };
    t.result = LTH_DTYPE_NONE;
    for (int32_t i = 0; sized && i < sized->rank - OP_IMAGE_LEAD; i++)
        t.size[i] = sized->dim[OP_IMAGE_LEAD + i];
    return op_emit(r, op, in, 2, &t, sizeof t);
}

static uint32_t d_of(op_rule *r) { return op_cast(r, r->d_results[0], op_operand_shape(r, 0)->dtype); }

static void grad_conv(op_rule *r)
{
    uint32_t d = d_of(r), x = r->operands[0], w = r->operands[1];
    lth_shape x_shape = *op_shape_of(r, x), w_shape = *op_shape_of(r, w);
    r->d_operands[0] = conv_like(r, LTH_OP_CONV_DATA_GRAD, d, w, &x_shape);
    r->d_operands[1] = conv_like(r, LTH_OP_CONV_WEIGHT_GRAD, x, d, &w_shape);
}

/* (y, w) -> x's shape: d is as x. */
static void grad_data_grad(op_rule *r)
{
    uint32_t d = d_of(r), y = r->operands[0], w = r->operands[1];
    lth_shape w_shape = *op_shape_of(r, w);
    r->d_operands[0] = conv_like(r, LTH_OP_CONV, d, w, NULL);
    r->d_operands[1] = conv_like(r, LTH_OP_CONV_WEIGHT_GRAD, d, y, &w_shape);
}

/* (x, y) -> w's shape: d is as w. */
static void grad_weight_grad(op_rule *r)
{
    uint32_t d = d_of(r), x = r->operands[0], y = r->operands[1];
    lth_shape x_shape = *op_shape_of(r, x);
    r->d_operands[0] = conv_like(r, LTH_OP_CONV_DATA_GRAD, y, d, &x_shape);
    r->d_operands[1] = conv_like(r, LTH_OP_CONV, x, d, NULL);
}

#define CONV(code, name, shape, gradient)                                                      \
    {                                                                                          \
        code, name, OP_PRIMITIVE, 2, 2, 1, false, sizeof(lth_attr_conv), shape, gradient, NULL \
    }

const op_info ops_conv[] = {
    CONV(LTH_OP_CONV, "conv", shape_conv, grad_conv),
    CONV(LTH_OP_CONV_DATA_GRAD, "conv_data_grad", shape_data_grad, grad_data_grad),
    CONV(LTH_OP_CONV_WEIGHT_GRAD, "conv_weight_grad", shape_weight_grad, grad_weight_grad),
    { LTH_OP_MAX_POOL, "max_pool", OP_PRIMITIVE, 1, 1, 2, false, sizeof(lth_attr_pool), op_shape_max_pool, op_grad_max_pool,
      NULL },
    { LTH_OP_AVG_POOL, "avg_pool", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_pool), op_shape_avg_pool, op_grad_avg_pool,
      op_decompose_avg_pool },
    { LTH_OP_AVG_POOL_GRAD, "avg_pool_grad", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_pool), op_shape_avg_pool_grad,
      op_grad_avg_pool_grad, op_decompose_avg_pool_grad },
    { LTH_OP_RESIZE, "resize", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_resize), op_shape_resize, op_grad_resize,
      op_decompose_resize },
    { LTH_OP_RESIZE_GRAD, "resize_grad", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_resize), op_shape_resize_grad,
      op_grad_resize_grad, op_decompose_resize_grad },
};
