/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/norm.h: layer normalisation (Ba, Kiros, Hinton 2016), as torch.nn.LayerNorm over the last axis. [main] */
#ifndef LTHOST_NN_NORM_H
#define LTHOST_NN_NORM_H

#include "check.h"
#include "init.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_layer_norm {
    lth_parameter weight, bias; /* (size) each; id 0: none */
    int64_t size;
    double eps;
} lth_layer_norm;

typedef struct lth_layer_norm_args {
    int64_t size LTH_ZERO;
    double eps LTH_ZERO;       /* default 1e-5 */
    int32_t no_affine LTH_ZERO; /* 1: neither weight nor bias */
    int32_t no_bias LTH_ZERO;   /* 1: a weight alone */
} lth_layer_norm_args;

static inline lth_layer_norm lth_layer_norm_new_(lth_setup *s, const char *name, const lth_layer_norm_args *a, const char *file,
                                                 uint32_t line)
{
    lth_layer_norm n = { { 0, 0 }, { 0, 0 }, a->size, a->eps > 0 ? a->eps : 1e-5 };
    s->api->module(s, name, "LayerNorm");
    lth_enter(s, name);
    if (!a->no_affine)
        n.weight = lth_parameter_new(s, "weight", LTH_SHAPE(a->size), lth_init_constant(1));
    if (!a->no_affine && !a->no_bias)
        n.bias = lth_parameter_new(s, "bias", LTH_SHAPE(a->size), lth_init_constant(0));
    lth_leave(s);
    return n;
}

/* x (..., size) -> the same shape: (x - mean) / sqrt(var + eps) * weight + bias, biased variance. */
static inline lth_tensor lth_layer_norm_apply_(const lth_layer_norm *n, lth_tensor x, const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    if (n->size < 1)
        return lth_nn_fail_(x, file, line, "this layer norm was never made: call lth_layer_norm_new in configure");
    if (lth_dim(x, -1) != n->size)
        return lth_nn_fail_(x, file, line, "a layer norm over (..., %lld) was given %s", (long long)n->size, lth_shape_text_(x).at);
    lth_tensor y = lth_standardize(x, 1, n->eps);
    if (n->weight.id)
        y = lth_mul(y, lth_parameter_value(x, n->weight));
    return n->bias.id ? lth_add(y, lth_parameter_value(x, n->bias)) : y;
}

#pragma pop_macro("LTH_HERE")
/* m->ln = lth_layer_norm_new(s, "ln", size); options follow: .eps = 1e-6, .no_affine = 1, .no_bias = 1 */
#define lth_layer_norm_new(s, name, ...) lth_layer_norm_new_((s), (name), LTH_REF(lth_layer_norm_args, .size = __VA_ARGS__), LTH_HERE)
#define lth_layer_norm_apply(n, x) lth_layer_norm_apply_((n), (x), LTH_HERE)

LTH_END_C
#endif
