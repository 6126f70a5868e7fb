/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_unary.c: pointwise ops of one operand. In the comments x is the operand, y the result, d its gradient. */
#include "engine/ops.h"

#include <math.h>

#define SQRT_HALF 0.70710678118654752440         /* 1 / sqrt(2) */
#define SQRT_2_OVER_PI 0.79788456080286535588    /* sqrt(2 / pi) */
#define TWO_OVER_SQRT_PI 1.12837916709551257390  /* 2 / sqrt(pi) */
#define ONE_OVER_SQRT_2PI 0.39894228040143267794 /* 1 / sqrt(2 pi) */
#define GELU_CUBE 0.044715                       /* of the tanh approximation */

static bool shape_same(op_shapes *s)
{
    s->results[0] = *s->operands[0];
    return true;
}

static bool shape_float(op_shapes *s) { return op_needs_float(s, 0) && shape_same(s); }
static bool shape_number(op_shapes *s) { return op_needs_number(s, 0) && shape_same(s); }
static bool shape_not(op_shapes *s) { return op_needs_bool(s, 0) && shape_same(s); }

static bool shape_isfinite(op_shapes *s)
{
    if (!shape_float(s))
        return false;
    s->results[0].dtype = LTH_BOOL;
    return true;
}

static bool shape_cast(op_shapes *s)
{
    lth_attr_dtype *a = s->attributes;
    lth_shape to = *s->operands[0];
    to.dtype = a->dtype;
    a->reserved = 0;
    s->results[0] = to;
    return op_checks_size(s, &to);
}

/* d times f. */
static void times(op_rule *r, uint32_t f) { r->d_operands[0] = op_mul(r, r->d_results[0], f); }

static void grad_neg(op_rule *r) { r->d_operands[0] = op_neg(r, r->d_results[0]); }
static void grad_exp(op_rule *r) { times(r, r->results[0]); }
static void grad_log(op_rule *r) { r->d_operands[0] = op_div(r, r->d_results[0], r->operands[0]); }
static void grad_sin(op_rule *r) { times(r, op_1(r, LTH_OP_COS, r->operands[0])); }
static void grad_cos(op_rule *r) { times(r, op_neg(r, op_1(r, LTH_OP_SIN, r->operands[0]))); }
static void grad_abs(op_rule *r) { times(r, op_1(r, LTH_OP_SIGN, r->operands[0])); }
static void grad_log1p(op_rule *r) { r->d_operands[0] = op_div(r, r->d_results[0], op_plus(r, r->operands[0], 1)); }
static void grad_expm1(op_rule *r) { times(r, op_plus(r, r->results[0], 1)); }
static void grad_square(op_rule *r) { times(r, op_scale(r, r->operands[0], 2)); }
static void grad_cast(op_rule *r) { r->d_operands[0] = op_cast(r, r->d_results[0], op_operand_shape(r, 0)->dtype); }

/* 1 - y y */
static uint32_t one_minus_square(op_rule *r, uint32_t y) { return op_sub(r, op_number_like(r, y, 1), op_mul(r, y, y)); }

static void grad_sqrt(op_rule *r) { r->d_operands[0] = op_div(r, op_scale(r, r->d_results[0], 0.5), r->results[0]); }
static void grad_tanh(op_rule *r) { times(r, one_minus_square(r, r->results[0])); }

/* -y y y / 2 */
static void grad_rsqrt(op_rule *r)
{
    uint32_t y = r->results[0];
    times(r, op_scale(r, op_mul(r, op_mul(r, y, y), y), -0.5));
}

/* exp(-x x factor) */
static uint32_t bell(op_rule *r, uint32_t x, double factor) { return op_1(r, LTH_OP_EXP, op_scale(r, op_mul(r, x, x), -factor)); }

static void grad_erf(op_rule *r) { times(r, op_scale(r, bell(r, r->operands[0], 1), TWO_OVER_SQRT_PI)); }

static void grad_reciprocal(op_rule *r) { times(r, op_neg(r, op_mul(r, r->results[0], r->results[0]))); }
static void decompose_reciprocal(op_rule *r) { r->outputs[0] = op_div(r, op_number_like(r, r->operands[0], 1), r->operands[0]); }

static void decompose_square(op_rule *r) { r->outputs[0] = op_mul(r, r->operands[0], r->operands[0]); }

/* y (1 - y) */
static void grad_sigmoid(op_rule *r)
{
    uint32_t y = r->results[0];
    times(r, op_mul(r, y, op_sub(r, op_number_like(r, y, 1), y)));
}
static void decompose_sigmoid(op_rule *r) { r->outputs[0] = op_stable_sigmoid(r, r->operands[0]); }

/* d where y > 0, so that x need not be kept; a NaN lets d through, so that it is not hidden. */
static void grad_relu(op_rule *r)
{
    uint32_t y = r->results[0], d = r->d_results[0];
    r->d_operands[0] = op_where(r, op_2n(r, LTH_OP_LE, y, 0), op_number_like(r, d, 0), d);
}
static void decompose_relu(op_rule *r) { r->outputs[0] = op_2n(r, LTH_OP_MAXIMUM, r->operands[0], 0); }

/* Phi(x), the normal distribution's: (1 + erf(x / sqrt 2)) / 2 */
static uint32_t normal_cdf(op_rule *r, uint32_t x)
{
    return op_scale(r, op_plus(r, op_1(r, LTH_OP_ERF, op_scale(r, x, SQRT_HALF)), 1), 0.5);
}

/* phi(x), its density: exp(-x x / 2) / sqrt(2 pi) */
static uint32_t normal_density(op_rule *r, uint32_t x) { return op_scale(r, bell(r, x, 0.5), ONE_OVER_SQRT_2PI); }

static void grad_gelu(op_rule *r) { times(r, op_1(r, LTH_OP_GELU_SLOPE, r->operands[0])); }
static void decompose_gelu(op_rule *r) { r->outputs[0] = op_mul(r, r->operands[0], normal_cdf(r, r->operands[0])); }

/* phi(x) (2 - x x) */
static void grad_gelu_slope(op_rule *r)
{
    uint32_t x = r->operands[0];
    times(r, op_mul(r, normal_density(r, x), op_sub(r, op_number_like(r, x, 2), op_mul(r, x, x))));
}
/* Phi(x) + x phi(x) */
static void decompose_gelu_slope(op_rule *r)
{
    uint32_t x = r->operands[0];
    r->outputs[0] = op_add(r, normal_cdf(r, x), op_mul(r, x, normal_density(r, x)));
}

/* The argument of GELU_TANH's tanh is u = c x (1 + GELU_CUBE x x) with c = sqrt(2 / pi). t = tanh(u). */
static uint32_t gelu_tanh(op_rule *r, uint32_t x, uint32_t square)
{
    uint32_t slope = op_plus(r, op_scale(r, square, SQRT_2_OVER_PI * GELU_CUBE), SQRT_2_OVER_PI);
    return op_1(r, LTH_OP_TANH, op_mul(r, x, slope));
}
/* u' = c + 3 c GELU_CUBE x x */
static uint32_t gelu_tanh_inner_slope(op_rule *r, uint32_t square)
{
    return op_plus(r, op_scale(r, square, 3 * SQRT_2_OVER_PI * GELU_CUBE), SQRT_2_OVER_PI);
}

static void grad_gelu_tanh(op_rule *r) { times(r, op_1(r, LTH_OP_GELU_TANH_SLOPE, r->operands[0])); }
static void decompose_gelu_tanh(op_rule *r)
{
    uint32_t x = r->operands[0];
    r->outputs[0] = op_mul(r, op_scale(r, x, 0.5), op_plus(r, gelu_tanh(r, x, op_mul(r, x, x)), 1));
}

/* (1 - t t) (u' (1 - x t u') + x u'' / 2), u'' = 6 c GELU_CUBE x */
static void grad_gelu_tanh_slope(op_rule *r)
{
    uint32_t x = r->operands[0], square = op_mul(r, x, x), t = gelu_tanh(r, x, square), slope = gelu_tanh_inner_slope(r, square);
    uint32_t bent = op_sub(r, op_number_like(r, x, 1), op_mul(r, op_mul(r, x, t), slope));
    uint32_t sum = op_add(r, op_mul(r, slope, bent), op_scale(r, square, 3 * SQRT_2_OVER_PI * GELU_CUBE));
    times(r, op_mul(r, one_minus_square(r, t), sum));
}
/* (1 + t) / 2 + x / 2 (1 - t t) u' */
static void decompose_gelu_tanh_slope(op_rule *r)
{
    uint32_t x = r->operands[0], square = op_mul(r, x, x), t = gelu_tanh(r, x, square);
    uint32_t curve = op_mul(r, op_mul(r, op_scale(r, x, 0.5), one_minus_square(r, t)), gelu_tanh_inner_slope(r, square));
    r->outputs[0] = op_add(r, op_scale(r, op_plus(r, t, 1), 0.5), curve);
}

/* s + y (1 - s) with s = sigmoid(x) */
static void grad_silu(op_rule *r)
{
    uint32_t s = op_1(r, LTH_OP_SIGMOID, r->operands[0]);
    times(r, op_add(r, s, op_mul(r, r->results[0], op_sub(r, op_number_like(r, s, 1), s))));
}
static void decompose_silu(op_rule *r) { r->outputs[0] = op_mul(r, r->operands[0], op_stable_sigmoid(r, r->operands[0])); }

static void grad_softplus(op_rule *r) { times(r, op_1(r, LTH_OP_SIGMOID, r->operands[0])); }
static void decompose_softplus(op_rule *r) { r->outputs[0] = op_stable_softplus(r, r->operands[0]); }

#define UNARY(code, name, kind, shape, gradient, decompose)            \
    {                                                                  \
        code, name, kind, 1, 1, 1, true, 0, shape, gradient, decompose \
    }

const op_info ops_unary[] = {
    UNARY(LTH_OP_NEG, "neg", OP_PRIMITIVE, shape_number, grad_neg, NULL),
    UNARY(LTH_OP_EXP, "exp", OP_PRIMITIVE, shape_float, grad_exp, NULL),
    UNARY(LTH_OP_LOG, "log", OP_PRIMITIVE, shape_float, grad_log, NULL),
    UNARY(LTH_OP_SQRT, "sqrt", OP_PRIMITIVE, shape_float, grad_sqrt, NULL),
    UNARY(LTH_OP_RSQRT, "rsqrt", OP_PRIMITIVE, shape_float, grad_rsqrt, NULL),
    UNARY(LTH_OP_SIN, "sin", OP_PRIMITIVE, shape_float, grad_sin, NULL),
    UNARY(LTH_OP_COS, "cos", OP_PRIMITIVE, shape_float, grad_cos, NULL),
    UNARY(LTH_OP_TANH, "tanh", OP_PRIMITIVE, shape_float, grad_tanh, NULL),
    UNARY(LTH_OP_ERF, "erf", OP_PRIMITIVE, shape_float, grad_erf, NULL),
    UNARY(LTH_OP_ABS, "abs", OP_PRIMITIVE, shape_number, grad_abs, NULL),
    UNARY(LTH_OP_SIGN, "sign", OP_PRIMITIVE, shape_number, NULL, NULL),
    UNARY(LTH_OP_FLOOR, "floor", OP_PRIMITIVE, shape_float, NULL, NULL),
    UNARY(LTH_OP_CEIL, "ceil", OP_PRIMITIVE, shape_float, NULL, NULL),
    UNARY(LTH_OP_ROUND, "round", OP_PRIMITIVE, shape_float, NULL, NULL),
    UNARY(LTH_OP_LOG1P, "log1p", OP_PRIMITIVE, shape_float, grad_log1p, NULL),
    UNARY(LTH_OP_EXPM1, "expm1", OP_PRIMITIVE, shape_float, grad_expm1, NULL),
    UNARY(LTH_OP_RECIPROCAL, "reciprocal", OP_COMPOSITE, shape_float, grad_reciprocal, decompose_reciprocal),
    UNARY(LTH_OP_SQUARE, "square", OP_COMPOSITE, shape_float, grad_square, decompose_square),
    UNARY(LTH_OP_SIGMOID, "sigmoid", OP_COMPOSITE, shape_float, grad_sigmoid, decompose_sigmoid),
    UNARY(LTH_OP_RELU, "relu", OP_COMPOSITE, shape_float, grad_relu, decompose_relu),
    UNARY(LTH_OP_GELU, "gelu", OP_COMPOSITE, shape_float, grad_gelu, decompose_gelu),
    UNARY(LTH_OP_GELU_TANH, "gelu_tanh", OP_COMPOSITE, shape_float, grad_gelu_tanh, decompose_gelu_tanh),
    UNARY(LTH_OP_SILU, "silu", OP_COMPOSITE, shape_float, grad_silu, decompose_silu),
    UNARY(LTH_OP_SOFTPLUS, "softplus", OP_COMPOSITE, shape_float, grad_softplus, decompose_softplus),
    UNARY(LTH_OP_NOT, "not", OP_PRIMITIVE, shape_not, NULL, NULL),
    UNARY(LTH_OP_ISFINITE, "isfinite", OP_PRIMITIVE, shape_isfinite, NULL, NULL),
    { LTH_OP_CAST, "cast", OP_PRIMITIVE, 1, 1, 1, true, sizeof(lth_attr_dtype), shape_cast, grad_cast, NULL },
    UNARY(LTH_OP_STOP_GRADIENT, "stop_gradient", OP_PRIMITIVE, shape_same, NULL, NULL),
    UNARY(LTH_OP_GELU_SLOPE, "gelu_slope", OP_COMPOSITE, shape_float, grad_gelu_slope, decompose_gelu_slope),
    UNARY(LTH_OP_GELU_TANH_SLOPE, "gelu_tanh_slope", OP_COMPOSITE, shape_float, grad_gelu_tanh_slope, decompose_gelu_tanh_slope),
};
