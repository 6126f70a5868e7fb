/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/batch_norm.h: batch normalisation (Ioffe, Szegedy 2015) and instance normalisation (Ulyanov et al. 2016) with running
 * statistics. Names, shapes and arithmetic are those of torch.nn.BatchNorm1d, 2d, 3d and InstanceNorm1d, 2d, 3d. [main]
 *
 * Statistics are buffers: they are updated by every training batch, also by each part of a step whose gradients are accumulated,
 * and become the model's when the step has succeeded. On several ranks each normalises by its own part of the batch. */
#ifndef LTHOST_NN_BATCH_NORM_H
#define LTHOST_NN_BATCH_NORM_H

#include "norm.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_batch_norm {
    lth_parameter weight LTH_ZERO, bias LTH_ZERO; /* (C) each; id 0: none */
    lth_buffer running_mean LTH_ZERO;             /* (C); id 0: every batch, in evaluation too, is normalised by its own */
    lth_buffer running_var LTH_ZERO;              /* (C) */
    lth_buffer num_batches_tracked LTH_ZERO;      /* i64, rank 0; an instance norm never counts, as torch's */
    int64_t channels LTH_ZERO;
    double eps LTH_ZERO;
    double momentum LTH_ZERO;  /* what of a batch goes into the running statistics; 0: they are the mean over all batches */
    int32_t axes LTH_ZERO;     /* spatial ones */
    int32_t instance LTH_ZERO; /* 1: each sample by itself */
} lth_batch_norm;
typedef lth_batch_norm lth_batch_norm1d, lth_batch_norm2d, lth_batch_norm3d;
typedef lth_batch_norm lth_instance_norm1d, lth_instance_norm2d, lth_instance_norm3d;

typedef struct lth_batch_norm_args {
    int64_t channels LTH_ZERO;
    double eps LTH_ZERO;          /* default 1e-5 */
    double momentum LTH_ZERO;     /* default 0.1 */
    int32_t cumulative LTH_ZERO;  /* 1: running statistics are the mean over all batches (torch: momentum=None) */
    int32_t no_affine LTH_ZERO;   /* 1: neither weight nor bias */
    int32_t no_tracking LTH_ZERO; /* 1: no running statistics */
    int32_t reserved LTH_ZERO;
} lth_batch_norm_args;

typedef struct lth_instance_norm_args {
    int64_t channels LTH_ZERO;
    double eps LTH_ZERO;       /* default 1e-5 */
    double momentum LTH_ZERO;  /* default 0.1 */
    int32_t affine LTH_ZERO;   /* 1: weight and bias */
    int32_t tracking LTH_ZERO; /* 1: running statistics, the mean of the samples', for evaluation */
} lth_instance_norm_args;

static inline lth_batch_norm lth_batch_norm_new_(lth_setup *s, const char *name, int32_t axes, int32_t instance,
                                                 const lth_batch_norm_args *a, const char *file, uint32_t line)
{
    lth_batch_norm n =
        LTH_VALUE(lth_batch_norm, .channels = a->channels, .eps = a->eps > 0 ? a->eps : 1e-5, .axes = axes, .instance = instance);
    const lth_shape number = { LTH_I64, 0, { 0 } };
    char type[24];
    n.momentum = a->cumulative > 0 ? 0 : a->momentum != 0 ? a->momentum : 0.1;
    if (a->channels < 1 || !(a->eps >= 0) || !(n.momentum >= 0 && n.momentum <= 1) || (a->cumulative > 0 && a->momentum != 0)) {
        s->api->fail(
            s, file, line,
            "a norm of channels: there is one at least, .eps is not negative, and .momentum is in (0, 1], or .cumulative");
        return n;
    }
    snprintf(type, sizeof type, "%sNorm%dd", instance ? "Instance" : "Batch", (int)axes);
    s->api->module(s, name, type);
    lth_enter(s, name);
    if (!a->no_affine) {
        n.weight = lth_parameter_new(s, "weight", LTH_SHAPE(n.channels), lth_init_constant(1));
        n.bias = lth_parameter_new(s, "bias", LTH_SHAPE(n.channels), lth_init_constant(0));
    }
    if (!a->no_tracking) {
        n.running_mean = lth_buffer_new(s, "running_mean", LTH_SHAPE(n.channels), lth_init_constant(0));
        n.running_var = lth_buffer_new(s, "running_var", LTH_SHAPE(n.channels), lth_init_constant(1));
        n.num_batches_tracked = lth_buffer_new(s, "num_batches_tracked", &number, lth_init_constant(0));
    }
    lth_leave(s);
    return n;
}

static inline lth_batch_norm lth_instance_norm_new_(lth_setup *s, const char *name, int32_t axes, const lth_instance_norm_args *a,
                                                    const char *file, uint32_t line)
{
    const lth_batch_norm_args as_batch =
        LTH_VALUE(lth_batch_norm_args, .channels = a->channels, .eps = a->eps, .momentum = a->momentum,
                  .no_affine = !(a->affine > 0), .no_tracking = !(a->tracking > 0));
    return lth_batch_norm_new_(s, name, axes, 1, &as_batch, file, line);
}

/* x by the mean and the biased variance of each index of `axis`, over all other axes: (x - mean) / sqrt(var + eps). mean, var:
 * where they go, (C) each; NULL: nowhere. */
#define lth_batch_normalize(x, axis, eps, mean, var) lth_batch_normalize_((x), (axis), (eps), (mean), (var), LTH_HERE)
static inline lth_tensor lth_batch_normalize_(lth_tensor x, int64_t axis, double eps, lth_tensor *mean, lth_tensor *var,
                                              const char *file, uint32_t line)
{
    if (mean)
        *mean = lth_none();
    if (var)
        *var = lth_none();
    if (!x.trace)
        return x;
    lth_attr_axis at = { axis };
    lth_tensor in[2] = { x, x.trace->api->scalar(x.trace, eps, lth_dtype_of(x), file, line) };
    lth_tensor y = lth_op_(LTH_OP_BATCH_NORM, in, 2, &at, sizeof at, file, line);
    if (mean && y.trace)
        *mean = y.trace->api->result(y.trace, y, 1);
    if (var && y.trace)
        *var = y.trace->api->result(y.trace, y, 2);
    return y;
}

static inline void lth_track_(lth_buffer running, lth_tensor batch, lth_tensor share, const char *file, uint32_t line)
{
    lth_tensor before = lth_mul(lth_buffer_value(batch, running), lth_sub(1, share));
    lth_assign(running, lth_add(before, lth_mul(batch, share)));
}

/* A batch's statistics into the running ones: its mean, and its variance made an unbiased one of `count` elements. */
static inline void lth_batch_norm_track_(const lth_batch_norm *n, lth_tensor mean, lth_tensor var, int64_t count,
                                         const char *file, uint32_t line)
{
    lth_tensor share = lth_none(), batch = lth_stop_gradient(mean);
    lth_tensor unbiased = lth_mul(lth_stop_gradient(var), (double)count / (double)(count - 1));
    if (!n->instance) {
        lth_tensor batches = lth_add(lth_buffer_value(mean, n->num_batches_tracked), 1);
        lth_assign(n->num_batches_tracked, batches);
        if (n->momentum == 0)
            share = lth_reciprocal(lth_cast(batches, lth_dtype_of(mean)));
    } else {
        batch = lth_mean_axis(lth_reshape(batch, -1, n->channels), 0, 0); /* of the samples */
        unbiased = lth_mean_axis(lth_reshape(unbiased, -1, n->channels), 0, 0);
    }
    if (n->momentum > 0)
        share = mean.trace->api->scalar(mean.trace, n->momentum, lth_dtype_of(mean), file, line);
    lth_track_(n->running_mean, batch, share, file, line);
    lth_track_(n->running_var, unbiased, share, file, line);
}

/* By its own statistics, which are tracked in training. */
static inline lth_tensor lth_batch_norm_own_(const lth_batch_norm *n, lth_tensor x, const char *file, uint32_t line)
{
    lth_shape samples = { LTH_DTYPE_NONE, 3, { 1, lth_dim(x, 0) * n->channels, 1 } };
    int64_t each = 1;
    lth_tensor mean, var;
    for (int32_t i = 2; i < lth_rank(x); i++)
        each *= lth_dim(x, i);
    int64_t count = n->instance ? each : each * lth_dim(x, 0);
    if (count == 1)
        return lth_nn_fail_(x, file, line, "a norm of channels by statistics of %s: one element a %s has none",
                            lth_shape_text_(x).at, n->instance ? "sample and channel" : "channel");
    samples.dim[2] = each;
    lth_tensor y = lth_batch_normalize(n->instance ? lth_reshape_to(x, &samples) : x, 1, n->eps, &mean, &var);
    if (n->running_mean.id && lth_training(x) && y.trace)
        lth_batch_norm_track_(n, mean, var, count, file, line);
    return n->instance ? lth_reshape_to(y, lth_shape_of(x)) : y;
}

/* x (N, C, spatial...) -> the same shape: (x - mean) / sqrt(var + eps) * weight + bias, by the batch's own mean and biased
 * variance in training, and where nothing is tracked; else by the running ones. Of one spatial axis it may have none: (N, C). */
static inline lth_tensor lth_batch_norm_apply_(const lth_batch_norm *n, lth_tensor x, const char *file, uint32_t line)
{
    int32_t spatial = lth_rank(x) - 2;
    bool table = n->axes == 1 && !n->instance && spatial == 0;
    if (!x.trace)
        return x;
    if (n->channels < 1)
        return lth_nn_fail_(x, file, line, "this norm was never made: call lth_batch_norm2d_new, say, in configure");
    if ((spatial != n->axes && !table) || lth_dim(x, 1) != n->channels)
        return lth_nn_fail_(x, file, line, "a norm of (N, %lld) and %d spatial axes was given %s", (long long)n->channels,
                            (int)n->axes, lth_shape_text_(x).at);
    if (lth_training(x) || !n->running_mean.id)
        return lth_affine_channels_(lth_batch_norm_own_(n, x, file, line), n->weight, n->bias, file, line);
    lth_tensor scale = lth_rsqrt(lth_add(lth_buffer_value(x, n->running_var), n->eps));
    lth_tensor centred = lth_sub(x, lth_of_channels_(lth_buffer_value(x, n->running_mean), x, file, line));
    return lth_affine_channels_(lth_mul(centred, lth_of_channels_(scale, x, file, line)), n->weight, n->bias, file, line);
}

#pragma pop_macro("LTH_HERE")
/* m->bn = lth_batch_norm2d_new(s, "bn", channels); options follow: .eps, .momentum, .cumulative = 1, .no_affine = 1, .no_tracking
 * = 1 */
#define LTH_BATCH_NORM_NEW_(s, name, axes, ...) \
    lth_batch_norm_new_((s), (name), (axes), 0, LTH_REF(lth_batch_norm_args, .channels = __VA_ARGS__), LTH_HERE)
#define lth_batch_norm1d_new(s, name, ...) LTH_BATCH_NORM_NEW_(s, name, 1, __VA_ARGS__)
#define lth_batch_norm2d_new(s, name, ...) LTH_BATCH_NORM_NEW_(s, name, 2, __VA_ARGS__)
#define lth_batch_norm3d_new(s, name, ...) LTH_BATCH_NORM_NEW_(s, name, 3, __VA_ARGS__)
/* x (N, channels, spatial...), of 1d also (N, channels) -> the same shape */
#define lth_batch_norm_apply(n, x) lth_batch_norm_apply_((n), (x), LTH_HERE)

/* m->in = lth_instance_norm2d_new(s, "in", channels); options follow: .eps, .momentum, .affine = 1, .tracking = 1 */
#define LTH_INSTANCE_NORM_NEW_(s, name, axes, ...) \
    lth_instance_norm_new_((s), (name), (axes), LTH_REF(lth_instance_norm_args, .channels = __VA_ARGS__), LTH_HERE)
#define lth_instance_norm1d_new(s, name, ...) LTH_INSTANCE_NORM_NEW_(s, name, 1, __VA_ARGS__)
#define lth_instance_norm2d_new(s, name, ...) LTH_INSTANCE_NORM_NEW_(s, name, 2, __VA_ARGS__)
#define lth_instance_norm3d_new(s, name, ...) LTH_INSTANCE_NORM_NEW_(s, name, 3, __VA_ARGS__)
/* x (N, channels, spatial...) -> the same shape */
#define lth_instance_norm_apply(n, x) lth_batch_norm_apply_((n), (x), LTH_HERE)

LTH_END_C
#endif
