/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/norm.h: norms over the last axes: torch.nn.LayerNorm (Ba, Kiros, Hinton 2016) and RMSNorm (Zhang, Sennrich 2019).
 * Norms of channels are in batch_norm.h and group_norm.h. [main] */
#ifndef LTHOST_NN_NORM_H
#define LTHOST_NN_NORM_H

#include "check.h"
#include "init.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_layer_norm {
    lth_parameter weight, bias; /* of the shape `over` each; id 0: none */
    lth_shape over;             /* sizes of the axes that are normalised over, x's last ones */
    double eps;                 /* 0: the distance from 1 to the next number of x's type */
    int32_t rms, reserved;      /* 1: an RMS norm */
} lth_layer_norm;
typedef lth_layer_norm lth_rms_norm;

typedef struct lth_layer_norm_args {
    int64_t size LTH_ZERO;           /* of the last axis */
    const lth_shape *shape LTH_ZERO; /* of several, in place of that */
    double eps LTH_ZERO;             /* default: layer norm 1e-5; RMS norm the distance from 1 to the next number of x's type */
    int32_t no_affine LTH_ZERO;      /* 1: neither weight nor bias */
    int32_t no_bias LTH_ZERO;        /* 1: a weight alone, as an RMS norm always has */
} lth_layer_norm_args;

static inline lth_layer_norm lth_layer_norm_new_(lth_setup *s, const char *name, int32_t rms, const lth_layer_norm_args *a,
                                                 const char *file, uint32_t line)
{
    lth_layer_norm n = { { 0, 0 }, { 0, 0 }, { LTH_DTYPE_NONE, 1, { a->size } }, a->eps, rms, 0 };
    bool sized = true;
    if (a->shape)
        n.over = *a->shape;
    n.over.dtype = LTH_DTYPE_NONE;
    for (int32_t i = 0; i < n.over.rank; i++)
        sized = sized && n.over.dim[i] > 0;
    if (!sized || n.over.rank < 1 || !(a->eps >= 0)) {
        s->api->fail(s, file, line,
                     "a norm: it is over one axis at least, of one element at least each, and .eps is not negative");
        return n;
    }
    if (!rms && a->eps == 0)
        n.eps = 1e-5;
    s->api->module(s, name, rms ? "RMSNorm" : "LayerNorm");
    lth_enter(s, name);
    if (!a->no_affine)
        n.weight = lth_parameter_new(s, "weight", &n.over, lth_init_constant(1));
    if (!a->no_affine && !a->no_bias && !rms)
        n.bias = lth_parameter_new(s, "bias", &n.over, lth_init_constant(0));
    lth_leave(s);
    return n;
}

static inline double lth_machine_epsilon_(lth_dtype t)
{
    return t == LTH_F64 ? 0x1p-52 : t == LTH_F32 ? 0x1p-23 : t == LTH_F16 ? 0x1p-10 : 0x1p-7;
}

/* x / sqrt(mean(x x) + eps) over the last `axes` axes. */
#define lth_rms_normalize(x, axes, eps) lth_rms_normalize_((x), (axes), (eps), LTH_HERE)
static inline lth_tensor lth_rms_normalize_(lth_tensor x, int64_t axes, double eps, const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    lth_attr_axis at = { axes };
    lth_tensor in[2] = { x, x.trace->api->scalar(x.trace, eps, lth_dtype_of(x), file, line) };
    return lth_op_(LTH_OP_RMS_NORM, in, 2, &at, sizeof at, file, line);
}

static inline bool lth_ends_in_(const lth_shape *x, const lth_shape *over)
{
    bool same = x->rank >= over->rank;
    for (int32_t i = 0; same && i < over->rank; i++)
        same = x->dim[x->rank - over->rank + i] == over->dim[i];
    return same;
}

/* x (..., over...) -> the same shape: (x - mean) / sqrt(var + eps) * weight + bias, biased variance; of an RMS norm x /
 * sqrt(mean(x x) + eps) * weight. */
static inline lth_tensor lth_layer_norm_apply_(const lth_layer_norm *n, lth_tensor x, const char *file, uint32_t line)
{
    const char *const name = n->rms ? "an RMS norm" : "a layer norm";
    if (!x.trace)
        return x;
    if (n->over.rank < 1)
        return lth_nn_fail_(x, file, line, "this norm was never made: call lth_layer_norm_new or lth_rms_norm_new in configure");
    if (!lth_ends_in_(lth_shape_of(x), &n->over))
        return lth_nn_fail_(x, file, line, "%s over (..., %s was given %s", name, lth_shape_text_of_(&n->over).at + 1,
                            lth_shape_text_(x).at);
    double eps = n->eps > 0 ? n->eps : lth_machine_epsilon_(lth_dtype_of(x));
    lth_tensor y = n->rms ? lth_rms_normalize(x, n->over.rank, eps) : lth_standardize(x, n->over.rank, eps);
    if (n->weight.id)
        y = lth_mul(y, lth_parameter_value(x, n->weight));
    return n->bias.id ? lth_add(y, lth_parameter_value(x, n->bias)) : y;
}

/* v (C) against x (N, C, ...): (C, 1, ...). */
static inline lth_tensor lth_of_channels_(lth_tensor v, lth_tensor x, const char *file, uint32_t line)
{
    int64_t dim[LTH_MAX_RANK] = { -1, 1, 1, 1, 1, 1, 1, 1 };
    int32_t rank = lth_rank(x);
    return rank > 2 ? lth_op_dims_(LTH_OP_RESHAPE, v, dim, (uint64_t)rank - 1, file, line) : v;
}

/* y (N, C, ...) * weight (C) + bias (C), where there are such. */
static inline lth_tensor lth_affine_channels_(lth_tensor y, lth_parameter weight, lth_parameter bias, const char *file,
                                              uint32_t line)
{
    lth_tensor near_ = y;
    if (weight.id)
        y = lth_mul(y, lth_of_channels_(lth_parameter_value(near_, weight), near_, file, line));
    return bias.id ? lth_add(y, lth_of_channels_(lth_parameter_value(near_, bias), near_, file, line)) : y;
}

#pragma pop_macro("LTH_HERE")
/* m->ln = lth_layer_norm_new(s, "ln", size); options follow: .eps = 1e-6, .no_affine = 1, .no_bias = 1. Over several axes:
 * lth_layer_norm_over_new(s, "ln", LTH_SHAPE(C, H, W)) */
#define lth_layer_norm_new(s, name, ...) \
    lth_layer_norm_new_((s), (name), 0, LTH_REF(lth_layer_norm_args, .size = __VA_ARGS__), LTH_HERE)
#define lth_layer_norm_over_new(s, name, ...) \
    lth_layer_norm_new_((s), (name), 0, LTH_REF(lth_layer_norm_args, .shape = __VA_ARGS__), LTH_HERE)
#define lth_layer_norm_apply(n, x) lth_layer_norm_apply_((n), (x), LTH_HERE)
#define lth_rms_norm_new(s, name, ...) \
    lth_layer_norm_new_((s), (name), 1, LTH_REF(lth_layer_norm_args, .size = __VA_ARGS__), LTH_HERE)
#define lth_rms_norm_over_new(s, name, ...) \
    lth_layer_norm_new_((s), (name), 1, LTH_REF(lth_layer_norm_args, .shape = __VA_ARGS__), LTH_HERE)
#define lth_rms_norm_apply(n, x) lth_layer_norm_apply_((n), (x), LTH_HERE)

LTH_END_C
#endif
