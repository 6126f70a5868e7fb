/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_norm.c: rules of the norms. Each is y = (x - mean) s with s = 1 / sqrt(var + eps), over the n elements of some axes;
 * of the RMS norm the mean is 0. */
#include "engine/ops.h"

/* ---- Shape rules ---- */

static bool number_and_eps(op_shapes *s) { return op_needs_float(s, 0) && op_same_dtypes(s, 0) && op_needs_scalar(s, 1, "eps"); }

/* Results: x's shape; its leading axes, those that are not normalized over. */
bool shape_layer_norm(op_shapes *s)
{
    const lth_attr_axis *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!number_and_eps(s))
        return false;
    if (a->axis < 1 || a->axis > x->rank)
        return op_refuse(s, "normalizes over the last %lld axes of %s, which has %d", (long long)a->axis, op_shape_text(x).text,
                         x->rank);
    lth_shape lead = { x->dtype, x->rank - (int32_t)a->axis, { 0 } };
    int64_t n = 1;
    for (int32_t i = 0; i < x->rank; i++)
        if (i < lead.rank)
            lead.dim[i] = x->dim[i];
        else
            n *= x->dim[i];
    s->results[0] = *x;
    s->results[1] = lead;
    return n > 0 || lth_shape_count(&lead) == 0 ||
           op_refuse(s, "the last %lld axes of %s have no elements", (long long)a->axis, op_shape_text(x).text);
}

/* Results: x's shape, (C), (C). */
bool shape_batch_norm(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!number_and_eps(s) || !op_axis(s, &a->axis, x->rank))
        return false;
    if (x->rank < 2)
        return op_refuse(s, "%s has no axes beside that of its channels: nothing to normalize over", op_shape_text(x).text);
    int64_t C = x->dim[a->axis];
    s->results[0] = *x;
    s->results[1] = s->results[2] = (lth_shape) { x->dtype, 1, { C } };
    return C == 0 || lth_shape_count(x) > 0 ||
           op_refuse(s, "%s has %lld channels of no elements", op_shape_text(x).text, (long long)C);
}

/* ---- What the gradients share. In the comments d is the gradient of y. ---- */

typedef struct norm {
    uint32_t axes; /* normalized over */
    double n;
    bool centred;
} norm;

static norm norm_over(const op_rule *r, uint32_t axes, bool centred)
{
    const lth_shape *x = op_operand_shape(r, 0);
    norm m = { axes, 1, centred };
    for (int32_t i = 0; i < x->rank; i++)
        m.n *= axes >> i & 1 ? (double)x->dim[i] : 1;
    return m;
}

static norm trailing(const op_rule *r, bool centred)
{
    const lth_attr_axis *a = r->attributes;
    int32_t rank = op_operand_shape(r, 0)->rank;
    return norm_over(r, (1u << rank) - (1u << (rank - a->axis)), centred);
}

static norm all_but_channels(const op_rule *r)
{
    const lth_attr_axis *a = r->attributes;
    return norm_over(r, ((1u << op_operand_shape(r, 0)->rank) - 1) & ~(1u << a->axis), true);
}

static uint32_t mean_kept(op_rule *r, uint32_t x, const norm *m)
{
    return op_2n(r, LTH_OP_DIV, op_reduce(r, LTH_OP_SUM, x, m->axes, true), m->n);
}

/* A value of the axes that are left, so that it broadcasts against x. */
static uint32_t restore(op_rule *r, uint32_t v, const norm *m)
{
    lth_shape x = *op_operand_shape(r, 0);
    return op_restore_axes(r, v, &x, m->axes);
}

/* By x, from y: s (d - mean(d) - y mean(d y)). */
static uint32_t by_x_from_y(op_rule *r, uint32_t s, const norm *m)
{
    uint32_t d = r->d_results[0], y = r->results[0];
    uint32_t inner = m->centred ? op_sub(r, d, mean_kept(r, d, m)) : d;
    return op_mul(r, s, op_sub(r, inner, op_mul(r, y, mean_kept(r, op_mul(r, d, y), m))));
}

/* By eps, from y and, where they are results, from s: the sum of -s s (sum(d y) + s d_s) / 2. */
static uint32_t by_eps(op_rule *r, uint32_t s, uint32_t d_s, const norm *m)
{
    lth_shape scalar = op_scalar_shape(op_operand_shape(r, 0)->dtype);
    uint32_t dy = op_mul(r, r->d_results[0], r->results[0]), sum = dy;
    if (dy != LTH_NO_VALUE)
        sum = op_reduce(r, LTH_OP_SUM, dy, m->axes, true);
    uint32_t each = op_mul(r, op_mul(r, s, s), op_accumulate(r, sum, op_mul(r, s, d_s)));
    return op_sum_to(r, op_scale(r, each, -0.5), &scalar);
}

/* ---- Layer and RMS norm: results y and s ---- */

/* By x, from s: -s s y d_s / n. */
static void grad_of_rows(op_rule *r, const norm *m)
{
    uint32_t s = restore(r, r->results[1], m), ds = restore(r, r->d_results[1], m);
    uint32_t per_row = op_2n(r, LTH_OP_DIV, op_mul(r, op_mul(r, s, s), ds), -m->n);
    r->d_operands[0] = op_accumulate(r, by_x_from_y(r, s, m), op_mul(r, r->results[0], per_row));
    r->d_operands[1] = by_eps(r, s, ds, m);
}

void grad_layer_norm(op_rule *r)
{
    norm m = trailing(r, true);
    grad_of_rows(r, &m);
}

void grad_rms_norm(op_rule *r)
{
    norm m = trailing(r, false);
    grad_of_rows(r, &m);
}

static void decompose_rows(op_rule *r, const norm *m)
{
    uint32_t x = r->operands[0];
    uint32_t centred = m->centred ? op_sub(r, x, mean_kept(r, x, m)) : x;
    uint32_t variance = mean_kept(r, op_mul(r, centred, centred), m);
    uint32_t s = op_1(r, LTH_OP_RSQRT, op_add(r, variance, r->operands[1]));
    lth_shape lead = *op_operand_shape(r, 0);
    lead.rank -= (int32_t)((const lth_attr_axis *)r->attributes)->axis;
    r->outputs[0] = op_mul(r, centred, s);
    r->outputs[1] = op_reshape(r, s, &lead);
}

void decompose_layer_norm(op_rule *r)
{
    norm m = trailing(r, true);
    decompose_rows(r, &m);
}

void decompose_rms_norm(op_rule *r)
{
    norm m = trailing(r, false);
    decompose_rows(r, &m);
}

/* ---- Batch norm: results y, mean and var ---- */

/* By x, from the mean: d_mean / n; from the variance: 2 (x - mean) d_var / n. */
void grad_batch_norm(op_rule *r)
{
    norm m = all_but_channels(r);
    lth_shape x = *op_operand_shape(r, 0);
    uint32_t mean = restore(r, r->results[1], &m), variance = restore(r, r->results[2], &m);
    uint32_t s = op_1(r, LTH_OP_RSQRT, op_add(r, variance, r->operands[1]));
    uint32_t d_mean = restore(r, r->d_results[1], &m), d_variance = restore(r, r->d_results[2], &m);
    uint32_t from_mean = d_mean == LTH_NO_VALUE ? d_mean : op_expand(r, op_2n(r, LTH_OP_DIV, d_mean, m.n), &x);
    uint32_t from_variance = op_mul(r, op_sub(r, r->operands[0], mean), op_scale(r, d_variance, 2 / m.n));
    r->d_operands[0] = op_accumulate(r, op_accumulate(r, by_x_from_y(r, s, &m), from_mean), from_variance);
    r->d_operands[1] = by_eps(r, s, LTH_NO_VALUE, &m);
}

void decompose_batch_norm(op_rule *r)
{
    norm m = all_but_channels(r);
    lth_shape channels = { LTH_F32, 1, { op_operand_shape(r, 0)->dim[((const lth_attr_axis *)r->attributes)->axis] } };
    uint32_t mean = mean_kept(r, r->operands[0], &m), centred = op_sub(r, r->operands[0], mean);
    uint32_t variance = mean_kept(r, op_mul(r, centred, centred), &m);
    r->outputs[0] = op_mul(r, centred, op_1(r, LTH_OP_RSQRT, op_add(r, variance, r->operands[1])));
    r->outputs[1] = op_reshape(r, mean, &channels);
    r->outputs[2] = op_reshape(r, variance, &channels);
}
