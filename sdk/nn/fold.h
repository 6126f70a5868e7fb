/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/fold.h: windows as columns, channels as pixels, and what undoes a pool: torch.nn.Unfold, Fold, PixelShuffle,
 * PixelUnshuffle, MaxUnpool and LPPool. x is (N, C, spatial...), as in lthost/image.h. [main] */
#ifndef LTHOST_NN_FOLD_H
#define LTHOST_NN_FOLD_H

#include "check.h"

#include <lthost/image.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* ---- Pixels (Shi et al. 2016, "Real-time single image and video super-resolution") ---- */

/* (N, C r r, H, W) -> (N, C, H r, W r) */
static inline lth_tensor lth_pixel_shuffle_(lth_tensor x, int64_t r, const char *file, uint32_t line)
{
    int64_t N = lth_dim(x, 0), C = lth_dim(x, 1), H = lth_dim(x, 2), W = lth_dim(x, 3);
    if (!x.trace)
        return x;
    if (lth_rank(x) != 4 || r < 1 || C % (r * r) != 0)
        return lth_nn_fail_(x, file, line, "pixel_shuffle by %lld wants (N, C r r, H, W), got %s", (long long)r,
                            lth_shape_text_(x).at);
    C /= r * r;
    return lth_reshape(lth_permute(lth_reshape(x, N, C, r, r, H, W), 0, 1, 4, 2, 5, 3), N, C, H * r, W * r);
}
#define lth_pixel_shuffle(x, factor) lth_pixel_shuffle_((x), (factor), LTH_HERE)

/* (N, C, H r, W r) -> (N, C r r, H, W) */
static inline lth_tensor lth_pixel_unshuffle_(lth_tensor x, int64_t r, const char *file, uint32_t line)
{
    int64_t N = lth_dim(x, 0), C = lth_dim(x, 1), H = lth_dim(x, 2), W = lth_dim(x, 3);
    if (!x.trace)
        return x;
    if (lth_rank(x) != 4 || r < 1 || H % r != 0 || W % r != 0)
        return lth_nn_fail_(x, file, line, "pixel_unshuffle by %lld wants (N, C, H r, W r), got %s", (long long)r,
                            lth_shape_text_(x).at);
    return lth_reshape(lth_permute(lth_reshape(x, N, C, H / r, r, W / r, r), 0, 1, 3, 5, 2, 4), N, C * r * r, H / r, W / r);
}
#define lth_pixel_unshuffle(x, factor) lth_pixel_unshuffle_((x), (factor), LTH_HERE)

/* ---- Windows ---- */

/* Weights (C k, 1, kernel...) that pick each of a window's k elements. */
static inline lth_tensor lth_window_weights_(lth_tensor near_, int32_t axes, int64_t C, const int64_t *kernel, const char *file,
                                             uint32_t line)
{
    lth_shape each = { LTH_I64, 2, { 1, 1 } }, weights = { LTH_DTYPE_NONE, 2 + axes, { 0, 1 } },
              all = { LTH_DTYPE_NONE, 3, { C, 0, 0 } };
    for (int32_t i = 0; i < axes; i++) {
        weights.dim[2 + i] = kernel[i];
        each.dim[0] *= kernel[i];
    }
    each.dim[1] = all.dim[1] = all.dim[2] = each.dim[0];
    weights.dim[0] = C * each.dim[0];
    lth_tensor one_hot = lth_cast(lth_eq(lth_iota(near_, &each, 0), lth_iota(near_, &each, 1)), lth_dtype_of(near_));
    return lth_reshape_to(lth_expand_to(one_hot, &all), &weights);
}

/* The call of a convolution that has one group a channel. False: refused. */
static inline bool lth_window_call_(lth_tensor x, int32_t axes, int64_t C, const lth_pool_args *a, lth_conv_args *call,
                                    int64_t *kernel, const char *file, uint32_t line)
{
    *call = LTH_VALUE(lth_conv_args, .groups = C);
    for (int32_t i = 0; i < axes; i++) {
        kernel[i] = lth_spatial_(a->kernel, a->kernel_of, i, 0);
        call->stride_of[i] = lth_spatial_(a->stride, a->stride_of, i, 1);
        call->padding_of[i] = lth_spatial_(a->padding, a->padding_of, i, 0);
        call->end_padding_of[i] = a->end_padding_of[i];
        call->dilation_of[i] = lth_spatial_(a->dilation, a->dilation_of, i, 1);
    }
    bool kernels = axes > 0;
    for (int32_t i = 0; i < axes; i++)
        kernels &= kernel[i] > 0;
    for (int32_t i = axes; i < LTH_SPATIAL; i++)
        kernels &= !a->kernel_of[i] && !a->stride_of[i] && !a->padding_of[i] && !a->end_padding_of[i] && !a->dilation_of[i];
    if (kernels && C > 0 && !a->indices && a->ceil_mode <= 0 && a->exclude_padding <= 0)
        return true;
    lth_nn_fail_(x, file, line,
                 "fold and unfold want (N, C) with spatial axes, a kernel of 1 at least, lists no longer than the axes, and none "
                 "of a pool's other options; "
                 "got %s",
                 lth_shape_text_(x).at);
    return false;
}

static inline lth_tensor lth_unfold_(lth_tensor x, const lth_pool_args *a, const char *file, uint32_t line)
{
    lth_conv_args call;
    int64_t kernel[LTH_SPATIAL] = { 0 };
    int32_t axes = lth_spatial_axes_(x);
    if (!x.trace || !lth_window_call_(x, axes, lth_dim(x, 1), a, &call, kernel, file, line))
        return lth_none();
    call.weight = lth_window_weights_(x, axes, lth_dim(x, 1), kernel, file, line);
    return lth_flatten(lth_conv_(x, &call, file, line), 2);
}
/* The windows of x (N, C, in...) as columns (N, C k, L): k elements of each window, L windows.
 * lth_unfold(x, 3); options follow: .stride (default 1), .padding, .dilation, and their lists */
#define lth_unfold(x, ...) lth_unfold_((x), LTH_REF(lth_pool_args, .kernel = __VA_ARGS__), LTH_HERE)

static inline lth_tensor lth_fold_(lth_tensor x, const lth_shape *size, const lth_pool_args *a, const char *file, uint32_t line)
{
    lth_conv_args call;
    lth_attr_conv at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, LTH_DTYPE_NONE, 0 };
    int64_t kernel[LTH_SPATIAL] = { 0 }, k = 1, C;
    int32_t axes = size->rank > LTH_SPATIAL ? 0 : size->rank;
    lth_shape windows = { LTH_DTYPE_NONE, 2 + axes, { 0 } };
    for (int32_t i = 0; i < axes; i++)
        k *= lth_spatial_(a->kernel, a->kernel_of, i, 0);
    C = k > 0 && lth_dim(x, 1) % k == 0 ? lth_dim(x, 1) / k : 0;
    if (!x.trace || !lth_window_call_(x, lth_rank(x) == 3 ? axes : 0, C, a, &call, kernel, file, line))
        return lth_none();
    windows.dim[0] = lth_dim(x, 0);
    windows.dim[1] = lth_dim(x, 1);
    at.groups = C;
    for (int32_t i = 0; i < axes; i++) {
        at.stride[i] = call.stride_of[i];
        at.dilation[i] = call.dilation_of[i];
        at.low[i] = call.padding_of[i];
        at.high[i] = lth_end_padding_(at.low[i], call.end_padding_of, i);
        at.size[i] = size->dim[i];
        int64_t room = size->dim[i] + at.low[i] + at.high[i] - at.dilation[i] * (kernel[i] - 1) - 1;
        windows.dim[2 + i] = room < 0 || at.stride[i] < 1 ? 0 : room / at.stride[i] + 1;
    }
    lth_tensor in[2] = { lth_reshape_to(x, &windows), lth_window_weights_(x, axes, C, kernel, file, line) };
    return lth_op_(LTH_OP_CONV_DATA_GRAD, in, 2, &at, sizeof at, file, line);
}
/* Columns (N, C k, L) added up where their windows lie in (N, C, size...): what unfold's gradient is.
 * lth_fold(x, LTH_SHAPE(H, W), 3); options as lth_unfold's */
#define lth_fold(x, size, ...) lth_fold_((x), (size), LTH_REF(lth_pool_args, .kernel = __VA_ARGS__), LTH_HERE)

/* ---- Pools ---- */

static inline lth_tensor lth_max_unpool_(lth_tensor x, lth_tensor indices, const lth_shape *size, const char *file, uint32_t line)
{
    lth_shape to = *lth_shape_of(x);
    lth_attr_scatter at = { 2, 1 };
    if (!x.trace)
        return x;
    if (size->rank != to.rank - 2 || to.rank < 3)
        return lth_nn_fail_(x, file, line, "max_unpool: the size lists one length for each spatial axis of %s",
                            lth_shape_text_(x).at);
    for (int32_t i = 0; i < size->rank; i++) {
        to.dim[2 + i] = size->dim[i];
        at.length *= size->dim[i];
    }
    lth_tensor in[2] = { lth_flatten(x, 2), lth_flatten(indices, 2) };
    return lth_reshape_to(lth_op_(LTH_OP_SCATTER_ALONG, in, 2, &at, sizeof at, file, line), &to);
}
/* x (N, C, out...) at the places that lth_max_pool gave as .indices, zeros elsewhere: (N, C, size...). What two windows share is
 * added. */
#define lth_max_unpool(x, indices, size) lth_max_unpool_((x), (indices), (size), LTH_HERE)

static inline lth_tensor lth_lp_pool_(lth_tensor x, double p, const lth_pool_args *a, const char *file, uint32_t line)
{
    double count = 1;
    lth_pool_args plain = *a;
    if (!x.trace)
        return x;
    if (!(p > 0))
        return lth_nn_fail_(x, file, line, "lp_pool: the power must be above 0");
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++)
        count *= (double)lth_spatial_(a->kernel, a->kernel_of, i, 0);
    lth_tensor sum = lth_mul(lth_pool_(LTH_OP_AVG_POOL,
                                       p == 1   ? x
                                       : p == 2 ? lth_square(x)
                                                : lth_pow(x, p),
                                       &plain, file, line),
                             count);
    return p == 1 ? sum : lth_pow(lth_maximum(sum, 0.0), 1 / p);
}
/* (sum of x^p)^(1 / p) over each window, as torch's LPPool: 0 where the sum is below 0. lth_lp_pool(x, 2, 3); options follow, as
 * lth_avg_pool's. */
#define lth_lp_pool(x, p, ...) lth_lp_pool_((x), (p), LTH_REF(lth_pool_args, .kernel = __VA_ARGS__), LTH_HERE)

#pragma pop_macro("LTH_HERE")
LTH_END_C
#endif
