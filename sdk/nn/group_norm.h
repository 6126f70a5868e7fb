/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/group_norm.h: group normalisation (Wu, He 2018) and local response normalisation (Krizhevsky et al. 2012), as
 * torch.nn.GroupNorm and LocalResponseNorm. [main] */
#ifndef LTHOST_NN_GROUP_NORM_H
#define LTHOST_NN_GROUP_NORM_H

#include "norm.h"

#include <lthost/image.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_group_norm {
    lth_parameter weight, bias; /* (C) each; id 0: none */
    int64_t groups, channels;
    double eps;
} lth_group_norm;

typedef struct lth_group_norm_args {
    int64_t channels LTH_ZERO;
    double eps LTH_ZERO;        /* default 1e-5 */
    int32_t no_affine LTH_ZERO; /* 1: neither weight nor bias */
    int32_t reserved LTH_ZERO;
} lth_group_norm_args;

static inline lth_group_norm lth_group_norm_new_(lth_setup *s, const char *name, int64_t groups, const lth_group_norm_args *a,
                                                 const char *file, uint32_t line)
{
    lth_group_norm n = { { 0, 0 }, { 0, 0 }, groups, a->channels, a->eps > 0 ? a->eps : 1e-5 };
    if (groups < 1 || a->channels < 1 || a->channels % groups != 0 || !(a->eps >= 0)) {
        s->api->fail(s, file, line,
                     "a group norm: channels must be a multiple of the number of groups, and .eps is not negative");
        return n;
    }
    s->api->module(s, name, "GroupNorm");
    lth_enter(s, name);
    if (!a->no_affine) {
        n.weight = lth_parameter_new(s, "weight", LTH_SHAPE(n.channels), lth_init_constant(1));
        n.bias = lth_parameter_new(s, "bias", LTH_SHAPE(n.channels), lth_init_constant(0));
    }
    lth_leave(s);
    return n;
}

/* x (N, C, ...) -> the same shape: each sample's groups of C / groups neighbouring channels by themselves, as a layer norm. */
static inline lth_tensor lth_group_norm_apply_(const lth_group_norm *n, lth_tensor x, const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    if (n->groups < 1)
        return lth_nn_fail_(x, file, line, "this group norm was never made: call lth_group_norm_new in configure");
    if (lth_rank(x) < 2 || lth_dim(x, 1) != n->channels)
        return lth_nn_fail_(x, file, line, "a group norm of (N, %lld, ...) was given %s", (long long)n->channels,
                            lth_shape_text_(x).at);
    int64_t each = n->channels / n->groups;
    for (int32_t i = 2; i < lth_rank(x); i++)
        each *= lth_dim(x, i);
    lth_tensor y = lth_standardize(lth_reshape(x, lth_dim(x, 0), n->groups, each), 1, n->eps);
    return lth_affine_channels_(lth_reshape_to(y, lth_shape_of(x)), n->weight, n->bias, file, line);
}

typedef struct lth_local_response_args {
    int64_t size LTH_ZERO;
    double alpha LTH_ZERO; /* default 1e-4 */
    double beta LTH_ZERO;  /* default 0.75 */
    double k LTH_ZERO;     /* default 1 */
} lth_local_response_args;

/* The mean of x x over size / 2 channels before, the channel itself and (size - 1) / 2 after it: a pool along the channels. */
static inline lth_tensor lth_local_response_norm_(lth_tensor x, const lth_local_response_args *a, const char *file, uint32_t line)
{
    lth_pool_args window = LTH_VALUE(lth_pool_args, .stride = 1);
    int64_t each = 1;
    if (!x.trace)
        return x;
    if (lth_rank(x) < 2 || a->size < 1)
        return lth_nn_fail_(x, file, line, "local_response_norm: x is (N, C, ...) and the size 1 at least, got %s and %lld",
                            lth_shape_text_(x).at, (long long)a->size);
    for (int32_t i = 2; i < lth_rank(x); i++)
        each *= lth_dim(x, i);
    window.kernel_of[0] = a->size;
    window.kernel_of[1] = 1;
    window.padding_of[0] = a->size / 2;
    window.end_padding_of[0] = a->size > 2 ? (a->size - 1) / 2 : -1;
    lth_tensor squares = lth_reshape(lth_square(x), lth_dim(x, 0), 1, lth_dim(x, 1), each);
    lth_tensor near_ = lth_reshape_to(lth_pool_(LTH_OP_AVG_POOL, squares, &window, file, line), lth_shape_of(x));
    lth_tensor divisor = lth_add(lth_mul(near_, a->alpha != 0 ? a->alpha : 1e-4), a->k != 0 ? a->k : 1);
    return lth_div(x, lth_pow(divisor, a->beta != 0 ? a->beta : 0.75));
}

#pragma pop_macro("LTH_HERE")
/* m->gn = lth_group_norm_new(s, "gn", groups, channels); options follow: .eps = 1e-6, .no_affine = 1 */
#define lth_group_norm_new(s, name, groups, ...) \
    lth_group_norm_new_((s), (name), (groups), LTH_REF(lth_group_norm_args, .channels = __VA_ARGS__), LTH_HERE)
#define lth_group_norm_apply(n, x) lth_group_norm_apply_((n), (x), LTH_HERE)

/* x (N, C, ...) -> the same shape: x / (k + alpha mean(x x))^beta, the mean over `size` neighbouring channels, those beyond the
 * ends counted as 0. lth_local_response_norm(x, 5); options follow: .alpha, .beta, .k */
#define lth_local_response_norm(x, ...) \
    lth_local_response_norm_((x), LTH_REF(lth_local_response_args, .size = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
