/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_nn.c: ops of neural networks. All are composites: kernels of their own are faster, not different. The
 * rules of layer norm are in ops_norm.c. */
#include "engine/ops.h"

/* ---- Shape rules ---- */

static bool shape_softmax(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    s->results[0] = *s->operands[0];
    return op_needs_float(s, 0) && op_axis(s, &a->axis, s->operands[0]->rank);
}

static bool logits_and_target(op_shapes *s)
{
    const lth_shape *logits = s->operands[0], *target = s->operands[1];
    if (!op_needs_float(s, 0))
        return false;
    if (logits->rank != 2)
        return op_refuse(s, "logits are (N, C), got %s: lth_reshape them to (-1, C)", op_shape_text(logits).text);
    if (logits->dim[1] == 0 && logits->dim[0] > 0)
        return op_refuse(s, "logits %s have no classes", op_shape_text(logits).text);
    if (target->rank != 1 || target->dim[0] != logits->dim[0])
        return op_refuse(s, "logits %s want a target (%lld) of class indices, got %s", op_shape_text(logits).text,
                         (long long)logits->dim[0], op_shape_text(target).text);
    return op_needs_index(s, 1);
}

static bool shape_cross_entropy(op_shapes *s)
{
    if (!logits_and_target(s))
        return false;
    s->results[0] = (lth_shape) { s->operands[0]->dtype, 1, { s->operands[0]->dim[0] } };
    s->results[1] = s->results[0];
    return true;
}

static bool shape_cross_entropy_grad(op_shapes *s)
{
    if (!logits_and_target(s))
        return false;
    const lth_shape *logits = s->operands[0];
    for (uint32_t i = 2; i < 4; i++)
        if (s->operands[i]->dtype != logits->dtype || s->operands[i]->rank != 1 || s->operands[i]->dim[0] != logits->dim[0])
            return op_refuse(s, "logits %s %s want (%lld) of that type as operand %u, got %s %s", lth_dtype_name(logits->dtype),
                             op_shape_text(logits).text, (long long)logits->dim[0], i, lth_dtype_name(s->operands[i]->dtype),
                             op_shape_text(s->operands[i]).text);
    s->results[0] = *logits;
    return true;
}

static bool shape_dropout(op_shapes *s)
{
    lth_attr_random *a = s->attributes;
    if (!op_needs_float(s, 0) || !op_same_dtypes(s, 0) || !op_needs_scalar(s, 1, "the probability"))
        return false;
    a->shape = s->results[0] = *s->operands[0];
    a->reserved = 0;
    return true;
}

/* ---- Softmax. In the comments y is the result, d its gradient. ---- */

static uint32_t axis_bit(const op_rule *r)
{
    const lth_attr_axis *a = r->attributes;
    return 1u << a->axis;
}

/* y (d - sum(d y)) */
static void grad_softmax(op_rule *r)
{
    uint32_t y = r->results[0], d = r->d_results[0];
    uint32_t sum = op_reduce(r, LTH_OP_SUM, op_mul(r, d, y), axis_bit(r), true);
    r->d_operands[0] = op_mul(r, y, op_sub(r, d, sum));
}

/* d - exp(y) sum(d) */
static void grad_log_softmax(op_rule *r)
{
    uint32_t d = r->d_results[0], sum = op_reduce(r, LTH_OP_SUM, d, axis_bit(r), true);
    r->d_operands[0] = op_sub(r, d, op_mul(r, op_1(r, LTH_OP_EXP, r->results[0]), sum));
}

/* x less the greatest along the axes: what exp can take without overflow. */
static uint32_t less_maximum(op_rule *r, uint32_t x, uint32_t axes)
{
    return op_sub(r, x, op_reduce(r, LTH_OP_MAX, x, axes, true));
}

static bool has_no_elements(const op_rule *r) { return lth_shape_count(op_operand_shape(r, 0)) == 0; }

static void decompose_softmax(op_rule *r)
{
    if (has_no_elements(r)) {
        r->outputs[0] = r->operands[0];
        return;
    }
    uint32_t e = op_1(r, LTH_OP_EXP, less_maximum(r, r->operands[0], axis_bit(r)));
    r->outputs[0] = op_div(r, e, op_reduce(r, LTH_OP_SUM, e, axis_bit(r), true));
}

static void decompose_log_softmax(op_rule *r)
{
    if (has_no_elements(r)) {
        r->outputs[0] = r->operands[0];
        return;
    }
    uint32_t x = less_maximum(r, r->operands[0], axis_bit(r));
    uint32_t sum = op_reduce(r, LTH_OP_SUM, op_1(r, LTH_OP_EXP, x), axis_bit(r), true);
    r->outputs[0] = op_sub(r, x, op_1(r, LTH_OP_LOG, sum));
}

/* ---- Cross-entropy ---- */

/* v (N) as (N, 1), to broadcast against the logits. */
static uint32_t as_column(op_rule *r, uint32_t v)
{
    lth_shape column = { LTH_F32, 2, { op_operand_shape(r, 0)->dim[0], 1 } };
    return op_reshape(r, v, &column);
}

static uint32_t softmax_of(op_rule *r, uint32_t log_sum_exp)
{
    return op_1(r, LTH_OP_EXP, op_sub(r, r->operands[0], as_column(r, log_sum_exp)));
}

/* From the loss by an op of its own; from the log-sum-exp the softmax. */
static void grad_cross_entropy(op_rule *r)
{
    uint32_t lse = r->results[1], in[4] = { r->operands[0], r->operands[1], lse, r->d_results[0] };
    uint32_t from_loss = op_emit(r, LTH_OP_CROSS_ENTROPY_GRAD, in, 4, NULL, 0), from_lse = LTH_NO_VALUE;
    if (r->d_results[1] != LTH_NO_VALUE)
        from_lse = op_mul(r, softmax_of(r, lse), as_column(r, r->d_results[1]));
    r->d_operands[0] = op_accumulate(r, from_loss, from_lse);
}

/* With z = logits - max: loss = log(sum(exp(z))) - z[target], which does not lose digits when logits are large. */
static void decompose_cross_entropy(op_rule *r)
{
    uint32_t logits = r->operands[0];
    lth_shape column = { LTH_F32, 1, { op_operand_shape(r, 0)->dim[0] } };
    if (has_no_elements(r)) {
        column.dtype = op_operand_shape(r, 0)->dtype;
        r->outputs[0] = r->outputs[1] = op_filled(r, &column, 0);
        return;
    }
    uint32_t max = op_reduce(r, LTH_OP_MAX, logits, 2, true), z = op_sub(r, logits, max);
    uint32_t log = op_1(r, LTH_OP_LOG, op_reduce(r, LTH_OP_SUM, op_1(r, LTH_OP_EXP, z), 2, true));
    uint32_t in[2] = { z, as_column(r, r->operands[1]) };
    lth_attr_axis classes = { 1 };
    uint32_t chosen = op_emit(r, LTH_OP_GATHER_ALONG, in, 2, &classes, sizeof classes);
    r->outputs[0] = op_reshape(r, op_sub(r, log, chosen), &column);
    r->outputs[1] = op_reshape(r, op_add(r, max, log), &column);
}

/* softmax - one hot */
static uint32_t probability_error(op_rule *r, uint32_t softmax)
{
    lth_shape logits = *op_operand_shape(r, 0);
    uint32_t hot = op_one_hot(r, r->operands[1], &logits);
    return op_sub(r, softmax, op_where(r, hot, op_number_like(r, softmax, 1), op_number_like(r, softmax, 0)));
}

static void decompose_cross_entropy_grad(op_rule *r)
{
    uint32_t error = probability_error(r, softmax_of(r, r->operands[2]));
    r->outputs[0] = op_mul(r, error, as_column(r, r->operands[3]));
}

/* The op is (p - hot) g with p = exp(logits - lse): by logits d p g, by lse its negative sum, by g the sum of d (p - hot). */
static void grad_cross_entropy_grad(op_rule *r)
{
    uint32_t d = r->d_results[0], p = softmax_of(r, r->operands[2]);
    r->d_operands[0] = op_mul(r, op_mul(r, d, p), as_column(r, r->operands[3]));
    r->d_operands[2] = op_neg(r, op_reduce(r, LTH_OP_SUM, r->d_operands[0], 2, false));
    r->d_operands[3] = op_reduce(r, LTH_OP_SUM, op_mul(r, d, probability_error(r, p)), 2, false);
}

/* ---- Dropout ---- */

/* The same mask again; by p, d y / (1 - p). */
static void grad_dropout(op_rule *r)
{
    uint32_t d = r->d_results[0], p = r->operands[1], in[2] = { d, p };
    lth_shape scalar = *op_operand_shape(r, 1);
    r->d_operands[0] = op_emit(r, LTH_OP_DROPOUT, in, 2, r->attributes, sizeof(lth_attr_random));
    uint32_t sum = op_sum_to(r, op_mul(r, d, r->results[0]), &scalar);
    r->d_operands[1] = op_div(r, sum, op_sub(r, op_number_like(r, p, 1), p));
}

/* The mask is drawn in f32 or better, so that a short type drops as often as it should. */
static void decompose_dropout(op_rule *r)
{
    uint32_t x = r->operands[0], p = r->operands[1];
    lth_attr_random a = *(const lth_attr_random *)r->attributes;
    if (a.shape.dtype != LTH_F64)
        a.shape.dtype = LTH_F32;
    uint32_t uniform = op_emit(r, LTH_OP_UNIFORM, NULL, 0, &a, sizeof a);
    uint32_t kept = op_2(r, LTH_OP_GE, uniform, op_cast(r, p, a.shape.dtype));
    uint32_t scaled = op_div(r, x, op_sub(r, op_number_like(r, p, 1), p));
    r->outputs[0] = op_where(r, kept, scaled, op_number_like(r, x, 0));
}

const op_info ops_nn[] = {
    { LTH_OP_SOFTMAX, "softmax", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_axis), shape_softmax, grad_softmax,
      decompose_softmax },
    { LTH_OP_LOG_SOFTMAX, "log_softmax", OP_COMPOSITE, 1, 1, 1, false, sizeof(lth_attr_axis), shape_softmax, grad_log_softmax,
      decompose_log_softmax },
    { LTH_OP_CROSS_ENTROPY, "cross_entropy", OP_COMPOSITE, 2, 2, 2, false, 0, shape_cross_entropy, grad_cross_entropy,
      decompose_cross_entropy },
    { LTH_OP_CROSS_ENTROPY_GRAD, "cross_entropy_grad", OP_COMPOSITE, 4, 4, 1, false, 0, shape_cross_entropy_grad,
      grad_cross_entropy_grad, decompose_cross_entropy_grad },
    { LTH_OP_LAYER_NORM, "layer_norm", OP_COMPOSITE, 2, 2, 2, false, sizeof(lth_attr_axis), shape_layer_norm, grad_layer_norm,
      decompose_layer_norm },
    { LTH_OP_DROPOUT, "dropout", OP_COMPOSITE, 2, 2, 1, false, sizeof(lth_attr_random), shape_dropout, grad_dropout,
      decompose_dropout },
};
