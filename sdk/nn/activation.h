/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/activation.h: activations beside those that are ops (lth_relu, lth_gelu, lth_gelu_tanh, lth_silu, lth_sigmoid,
 * lth_tanh, lth_softplus, lth_softmax of tensor.h). Pointwise: any shape -> the same shape; values and the choice of subgradient
 * at kinks are those of torch.nn.functional. [main]
 *
 * An exponential is only taken where it is used: a branch that `where` discards would otherwise turn an infinity into a
 * NaN gradient. */
#ifndef LTHOST_NN_ACTIVATION_H
#define LTHOST_NN_ACTIVATION_H

#include "check.h"
#include "init.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* x where x > 0, else slope x (Maas et al. 2013). */
static inline lth_tensor lth_leaky_relu_(lth_tensor x, double slope, const char *file, uint32_t line)
{
    return lth_where(lth_gt(x, 0), x, lth_mul(x, slope));
}

/* x where x > 0, else weight x; weight: a tensor that broadcasts to x, usually a parameter (He et al. 2015). */
static inline lth_tensor lth_prelu_(lth_tensor x, lth_tensor weight, const char *file, uint32_t line)
{
    return lth_where(lth_gt(x, 0), x, lth_mul(x, weight));
}

typedef struct lth_prelu_layer {
    lth_parameter weight; /* (count) */
    int64_t count;
} lth_prelu_layer;

typedef struct lth_prelu_args {
    int64_t count LTH_ZERO;          /* slopes: 1, or one a channel */
    const lth_init *weight LTH_ZERO; /* default 0.25 */
} lth_prelu_args;

static inline lth_prelu_layer lth_prelu_new_(lth_setup *s, const char *name, const lth_prelu_args *a, const char *file,
                                             uint32_t line)
{
    lth_prelu_layer l = { { 0, 0 }, a->count };
    if (a->count < 1) {
        s->api->fail(s, file, line, "a PReLU has one slope, or one a channel");
        return l;
    }
    s->api->module(s, name, "PReLU");
    lth_enter(s, name);
    l.weight = lth_parameter_new(s, "weight", LTH_SHAPE(a->count), a->weight ? a->weight : lth_init_constant(0.25));
    lth_leave(s);
    return l;
}

/* x (N, C, ...) -> the same shape; with one slope x has any shape. */
static inline lth_tensor lth_prelu_apply_(const lth_prelu_layer *l, lth_tensor x, const char *file, uint32_t line)
{
    int64_t dim[LTH_MAX_RANK] = { -1, 1, 1, 1, 1, 1, 1, 1 };
    if (!x.trace)
        return x;
    if (!l->weight.id)
        return lth_nn_fail_(x, file, line, "this PReLU was never made: call lth_prelu_new in configure");
    if (l->count > 1 && lth_dim(x, 1) != l->count)
        return lth_nn_fail_(x, file, line, "a PReLU of (N, %lld, ...) was given %s", (long long)l->count, lth_shape_text_(x).at);
    lth_tensor weight = lth_parameter_value(x, l->weight);
    if (l->count > 1 && lth_rank(x) > 2)
        weight = lth_op_dims_(LTH_OP_RESHAPE, weight, dim, (uint64_t)lth_rank(x) - 1, file, line);
    return lth_prelu_(x, weight, file, line);
}

/* Leaky with a slope drawn for each element between low and high, in training; else with their mean (Xu et al. 2015). */
static inline lth_tensor lth_rrelu_(lth_tensor x, double low, double high, const char *file, uint32_t line)
{
    if (!lth_training(x))
        return lth_leaky_relu_(x, (low + high) / 2, file, line);
    return lth_prelu_(x, lth_add(lth_mul(lth_uniform(x, lth_shape_of(x)), high - low), low), file, line);
}

/* x above the threshold, else value. */
static inline lth_tensor lth_threshold_(lth_tensor x, double threshold, double value, const char *file, uint32_t line)
{
    return lth_where(lth_gt(x, threshold), x, value);
}

/* low below low, high above high, x between; gradient 0 at both ends. */
static inline lth_tensor lth_hardtanh_(lth_tensor x, double low, double high, const char *file, uint32_t line)
{
    return lth_where(lth_le(x, low), low, lth_where(lth_ge(x, high), high, x));
}

/* x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2016). */
static inline lth_tensor lth_elu_(lth_tensor x, double alpha, const char *file, uint32_t line)
{
    lth_tensor positive = lth_gt(x, 0);
    return lth_where(positive, x, lth_mul(lth_expm1(lth_where(positive, 0, x)), alpha));
}

/* Self-normalising ELU; the constants are those of Klambauer et al. 2017. */
static inline lth_tensor lth_selu_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_mul(lth_elu_(x, 1.6732632423543772848170429916717, file, line), 1.0507009873554804934193349852946);
}

/* x where x > 0, else alpha (exp(x / alpha) - 1) (Barron 2017). */
static inline lth_tensor lth_celu_(lth_tensor x, double alpha, const char *file, uint32_t line)
{
    lth_tensor positive = lth_gt(x, 0);
    return lth_where(positive, x, lth_mul(lth_expm1(lth_div(lth_where(positive, 0, x), alpha)), alpha));
}

/* log(1 + exp(beta x)) / beta; x itself where beta x > threshold. */
static inline lth_tensor lth_softplus_scaled_(lth_tensor x, double beta, double threshold, const char *file, uint32_t line)
{
    lth_tensor z = lth_mul(x, beta);
    return lth_where(lth_gt(z, threshold), x, lth_div(lth_softplus(z), beta));
}

/* x tanh(softplus(x)) (Misra 2019). */
static inline lth_tensor lth_mish_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_mul(x, lth_tanh(lth_softplus(x)));
}

/* 0 below -3, 1 above 3, x / 6 + 1/2 between. */
static inline lth_tensor lth_hardsigmoid_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_where(lth_le(x, -3), 0, lth_where(lth_ge(x, 3), 1, lth_add(lth_div(x, 6), 0.5)));
}

/* 0 below -3, x above 3, x (x + 3) / 6 between (Howard et al. 2019). */
static inline lth_tensor lth_hardswish_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_where(lth_le(x, -3), 0, lth_where(lth_ge(x, 3), x, lth_div(lth_mul(x, lth_add(x, 3)), 6)));
}

/* log(sigmoid(x)), without overflow. */
static inline lth_tensor lth_logsigmoid_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_neg(lth_softplus(lth_neg(x)));
}

/* x / (1 + |x|) */
static inline lth_tensor lth_softsign_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_div(x, lth_add(lth_abs(x), 1));
}

/* x where |x| > lambda, else 0. */
static inline lth_tensor lth_hardshrink_(lth_tensor x, double lambda, const char *file, uint32_t line)
{
    return lth_where(lth_gt(lth_abs(x), lambda), x, 0);
}

/* x moved towards 0 by lambda, 0 where |x| <= lambda. */
static inline lth_tensor lth_softshrink_(lth_tensor x, double lambda, const char *file, uint32_t line)
{
    return lth_where(lth_gt(lth_abs(x), lambda), lth_sub(x, lth_mul(lth_sign(x), lambda)), 0);
}

/* x - tanh(x) */
static inline lth_tensor lth_tanhshrink_(lth_tensor x, const char *file, uint32_t line) { return lth_sub(x, lth_tanh(x)); }

/* Gated linear unit (Dauphin et al. 2017): the first half of `axis` times the sigmoid of the second. (..., 2 n, ...) ->
 * (..., n, ...) */
static inline lth_tensor lth_glu_(lth_tensor x, int32_t axis, const char *file, uint32_t line)
{
    int64_t n = lth_dim(x, axis);
    if (n % 2)
        return lth_nn_fail_(x, file, line, "lth_glu halves an axis of even length; axis %d of %s is odd", (int)axis,
                            lth_shape_text_(x).at);
    return lth_mul(lth_slice(x, axis, 0, n / 2), lth_sigmoid(lth_slice(x, axis, n / 2, n)));
}

/* Gated units of two tensors of one shape (Shazeer 2020): the gate's activation times the other. What one linear layer made of
 * both is taken apart by lth_slice. */
static inline lth_tensor lth_swiglu_(lth_tensor gate, lth_tensor x, const char *file, uint32_t line)
{
    return lth_mul(lth_silu(gate), x);
}
static inline lth_tensor lth_geglu_(lth_tensor gate, lth_tensor x, const char *file, uint32_t line)
{
    return lth_mul(lth_gelu(gate), x);
}
static inline lth_tensor lth_reglu_(lth_tensor gate, lth_tensor x, const char *file, uint32_t line)
{
    return lth_mul(lth_relu(gate), x);
}

#pragma pop_macro("LTH_HERE")
#define lth_leaky_relu(x, slope) lth_leaky_relu_((x), (slope), LTH_HERE)
#define lth_prelu(x, weight) lth_prelu_((x), (weight), LTH_HERE)
/* m->act = lth_prelu_new(s, "act", 1), or as many as channels; .weight = lth_init_constant(0.1) */
#define lth_prelu_new(s, name, ...) lth_prelu_new_((s), (name), LTH_REF(lth_prelu_args, .count = __VA_ARGS__), LTH_HERE)
#define lth_prelu_apply(l, x) lth_prelu_apply_((l), (x), LTH_HERE)
#define lth_rrelu(x, low, high) lth_rrelu_((x), (low), (high), LTH_HERE)
#define lth_threshold(x, threshold, value) lth_threshold_((x), (threshold), (value), LTH_HERE)
#define lth_hardtanh(x, low, high) lth_hardtanh_((x), (low), (high), LTH_HERE)
#define lth_relu6(x) lth_hardtanh_((x), 0, 6, LTH_HERE)
#define lth_elu(x, alpha) lth_elu_((x), (alpha), LTH_HERE)
#define lth_selu(x) lth_selu_((x), LTH_HERE)
#define lth_celu(x, alpha) lth_celu_((x), (alpha), LTH_HERE)
#define lth_softplus_scaled(x, beta, threshold) lth_softplus_scaled_((x), (beta), (threshold), LTH_HERE)
#define lth_mish(x) lth_mish_((x), LTH_HERE)
#define lth_hardsigmoid(x) lth_hardsigmoid_((x), LTH_HERE)
#define lth_hardswish(x) lth_hardswish_((x), LTH_HERE)
#define lth_logsigmoid(x) lth_logsigmoid_((x), LTH_HERE)
#define lth_softsign(x) lth_softsign_((x), LTH_HERE)
#define lth_hardshrink(x, lambda) lth_hardshrink_((x), (lambda), LTH_HERE)
#define lth_softshrink(x, lambda) lth_softshrink_((x), (lambda), LTH_HERE)
#define lth_tanhshrink(x) lth_tanhshrink_((x), LTH_HERE)
#define lth_softmin(x, axis) lth_softmax(lth_neg(x), (axis))
#define lth_swiglu(gate, x) lth_swiglu_((gate), (x), LTH_HERE)
#define lth_geglu(gate, x) lth_geglu_((gate), (x), LTH_HERE)
#define lth_reglu(gate, x) lth_reglu_((gate), (x), LTH_HERE)
#define lth_glu(x, axis) lth_glu_((x), (axis), LTH_HERE)

LTH_END_C
#endif
