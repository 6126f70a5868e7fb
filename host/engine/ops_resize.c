/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_resize.c: resampling, linear along each axis by itself: element o comes from the place num / den of its axis,
 * whole numbers both, so that no rounding decides which neighbours are taken. */
#include "engine/ops_conv.h"

/* ---- Shape rules ---- */

static bool shape(op_shapes *s, bool gradient)
{
    lth_attr_resize *a = s->attributes;
    const lth_shape *x = s->operands[0];
    int32_t axes = op_image_axes(s, 0, gradient ? "the gradient" : "x");
    if (!axes || !op_needs_float(s, 0))
        return false;
    if (a->mode > LTH_RESIZE_LINEAR_ALIGNED)
        return op_refuse(s, "mode %u; 0 to %d are there: nearest, nearest exact, linear, linear with aligned corners", a->mode,
                         LTH_RESIZE_LINEAR_ALIGNED);
    a->reserved = 0;
    s->results[0] = *x;
    for (int32_t i = 0; i < OP_IMAGE_AXES; i++) {
        int64_t given = i < axes ? x->dim[OP_IMAGE_LEAD + i] : 0;
        *(gradient ? &a->size[i] : &a->from[i]) = given;
        if (i >= axes) {
            a->size[i] = a->from[i] = 0;
            continue;
        }
        if (a->from[i] < 1 || a->size[i] < 1 || a->from[i] > OP_IMAGE_MOST || a->size[i] > OP_IMAGE_MOST)
            return op_refuse(s, "spatial axis %d: %lld elements cannot be resized to %lld", i, (long long)a->from[i],
                             (long long)a->size[i]);
        s->results[0].dim[OP_IMAGE_LEAD + i] = gradient ? a->from[i] : a->size[i];
    }
    return op_checks_size(s, &s->results[0]);
}

bool op_shape_resize(op_shapes *s) { return shape(s, false); }
bool op_shape_resize_grad(op_shapes *s) { return shape(s, true); }

/* ---- Gradients ---- */

void op_grad_resize(op_rule *r)
{
    r->d_operands[0] = op_emit(r, LTH_OP_RESIZE_GRAD, &r->d_results[0], 1, r->attributes, sizeof(lth_attr_resize));
}

void op_grad_resize_grad(op_rule *r)
{
    r->d_operands[0] = op_emit(r, LTH_OP_RESIZE, &r->d_results[0], 1, r->attributes, sizeof(lth_attr_resize));
}

/* ---- Decompositions ---- */

/* Row i, column o: how much of element i goes into element o. */
static uint32_t weight_matrix(op_rule *r, int32_t axis, int64_t in, int64_t out, lth_dtype dtype)
{
    const lth_attr_resize *a = r->attributes;
    uint32_t i = op_matrix_iota(r, 0, in, out), o = op_matrix_iota(r, 1, in, out), num, den;
    (void)axis;
    switch (a->mode) {
    case LTH_RESIZE_NEAREST:
        num = op_scale(r, o, (double)in), den = op_number_like(r, o, (double)out);
        break;
    case LTH_RESIZE_LINEAR_ALIGNED:
        num = op_scale(r, o, (double)(in - 1)), den = op_number_like(r, o, (double)(out > 1 ? out - 1 : 1));
        break;
    default: /* (o + 1/2) in / out, less 1/2 where it is linear */
        num = op_scale(r, op_plus(r, op_scale(r, o, 2), 1), (double)in), den = op_number_like(r, o, 2 * (double)out);
        if (a->mode == LTH_RESIZE_LINEAR)
            num = op_2n(r, LTH_OP_MAXIMUM, op_plus(r, num, (double)-out), 0);
    }
    uint32_t left = op_div(r, num, den), one = op_cast(r, op_2(r, LTH_OP_EQ, i, left), dtype);
    if (a->mode == LTH_RESIZE_NEAREST || a->mode == LTH_RESIZE_NEAREST_EXACT)
        return one;
    uint32_t rest = op_cast(r, op_sub(r, num, op_mul(r, left, den)), dtype), part = op_div(r, rest, op_cast(r, den, dtype));
    uint32_t right = op_2n(r, LTH_OP_MINIMUM, op_plus(r, left, 1), (double)(in - 1));
    uint32_t other = op_cast(r, op_2(r, LTH_OP_EQ, i, right), dtype);
    return op_add(r, op_mul(r, one, op_sub(r, op_number_like(r, part, 1), part)), op_mul(r, other, part));
}

static void through(op_rule *r, const int64_t *size, bool transposed)
{
    lth_shape to = *op_operand_shape(r, 0);
    for (int32_t i = OP_IMAGE_LEAD; i < to.rank; i++)
        to.dim[i] = size[i - OP_IMAGE_LEAD];
    r->outputs[0] = op_through_axes(r, weight_matrix, &to, transposed);
}

void op_decompose_resize(op_rule *r) { through(r, ((const lth_attr_resize *)r->attributes)->size, false); }
void op_decompose_resize_grad(op_rule *r) { through(r, ((const lth_attr_resize *)r->attributes)->from, true); }
