/* SPDX-License-Identifier: Apache-2.0
 * lthost/image.h: convolution, pooling, padding and resampling of signals, images and volumes. Layers with parameters are in
 * nn/conv.h.
 *
 * x is (N, C, in...) with 1 to 3 spatial axes: (N, C, L), (N, C, H, W) or (N, C, D, H, W). An option without a suffix holds for
 * every spatial axis; with the suffix _of it is a list, one number an axis: .stride = 2, or .stride_of = { 2, 1 }. Where a list
 * is given (one of its numbers is not 0) the other is not looked at; a 0 in it is the default.
 *
 * All functions: [main], during a step function or a recorded hook; errors are sticky, as everywhere (tensor.h). */
#ifndef LTHOST_IMAGE_H
#define LTHOST_IMAGE_H

#include "tensor.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

enum { LTH_SPATIAL = 3 };

/* One option of every axis. */
static inline int64_t lth_spatial_(int64_t all, const int64_t *of, int32_t axis, int64_t otherwise)
{
    int64_t value = of[0] || of[1] || of[2] ? of[axis] : all;
    return value ? value : otherwise;
}

/* Elements after an axis that has `low` before it: as many, unless end[axis] says otherwise; -1: none. */
static inline int64_t lth_end_padding_(int64_t low, const int64_t *end, int32_t axis)
{
    return end[axis] == 0 ? low : end[axis] < 0 ? 0 : end[axis];
}

/* Number of spatial axes; 0 where x is no image, as the op will say. */
static inline int32_t lth_spatial_axes_(lth_tensor x)
{
    int32_t axes = lth_rank(x) - 2;
    return axes >= 1 && axes <= LTH_SPATIAL ? axes : 0;
}

/* Whether no list names an axis that x lacks. */
static inline bool lth_lists_fit_(lth_tensor x, const int64_t *const *lists, uint32_t count, const char *file, uint32_t line)
{
    char text[120];
    int32_t axes = lth_spatial_axes_(x);
    for (uint32_t l = 0; l < count; l++)
        for (int32_t i = axes; axes > 0 && i < LTH_SPATIAL; i++)
            if (lists[l][i]) {
                snprintf(text, sizeof text, "an option's list names more axes than the %d spatial ones of x", (int)axes);
                x.trace->api->fail(x.trace, file, line, text);
                return false;
            }
    return true;
}

/* ---- Convolution ---- */

typedef struct lth_conv_args {
    lth_tensor weight LTH_ZERO;
    lth_tensor bias LTH_ZERO;  /* (K); none: none is added */
    int64_t stride LTH_ZERO;   /* default 1 */
    int64_t padding LTH_ZERO;  /* zeros before and after each axis */
    int64_t dilation LTH_ZERO; /* default 1 */
    int64_t groups LTH_ZERO;   /* default 1 */
    int64_t stride_of[LTH_SPATIAL] LTH_ZERO;
    int64_t padding_of[LTH_SPATIAL] LTH_ZERO;
    int64_t end_padding_of[LTH_SPATIAL] LTH_ZERO; /* after each axis, where it is not as before it; -1: none */
    int64_t dilation_of[LTH_SPATIAL] LTH_ZERO;
    int64_t output_padding LTH_ZERO; /* lth_conv_transpose: so many more at the end of each axis */
    int64_t output_padding_of[LTH_SPATIAL] LTH_ZERO;
    int32_t same LTH_ZERO; /* 1: as much padding as keeps x's size (stride 1); the odd one goes to the end */
    int32_t reserved LTH_ZERO;
} lth_conv_args;

/* The attributes, with as much padding as `same` asks for. False: refused. */
static inline bool lth_conv_attributes_(lth_tensor x, const lth_conv_args *a, lth_attr_conv *to, const char *file, uint32_t line)
{
    const lth_shape *w = lth_shape_of(a->weight);
    const int64_t *const lists[] = { a->stride_of, a->padding_of, a->end_padding_of, a->dilation_of, a->output_padding_of };
    if (!lth_lists_fit_(x, lists, 5, file, line))
        return false;
    to->groups = a->groups ? a->groups : 1;
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++) {
        to->stride[i] = lth_spatial_(a->stride, a->stride_of, i, 1);
        to->dilation[i] = lth_spatial_(a->dilation, a->dilation_of, i, 1);
        to->low[i] = lth_spatial_(a->padding, a->padding_of, i, 0);
        to->high[i] = lth_end_padding_(to->low[i], a->end_padding_of, i);
        if (a->same > 0 && w->rank == lth_rank(x)) {
            int64_t total = to->dilation[i] * (w->dim[2 + i] - 1);
            if (to->stride[i] != 1 || to->low[i] || to->high[i]) {
                x.trace->api->fail(x.trace, file, line, "conv: .same wants a stride of 1 and no padding of its own");
                return false;
            }
            to->low[i] = total / 2;
            to->high[i] = total - total / 2;
        }
    }
    return true;
}

/* y (N, K, ...) + bias (K) */
static inline lth_tensor lth_add_channel_bias_(lth_tensor y, lth_tensor bias, const char *file, uint32_t line)
{
    int64_t dim[LTH_MAX_RANK] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    int32_t rank = lth_rank(y);
    if (lth_is_none(bias) || rank < 3)
        return y;
    dim[1] = -1;
    return lth_add(y, lth_op_dims_(LTH_OP_RESHAPE, bias, dim, (uint64_t)rank, file, line));
}

static inline lth_tensor lth_conv_(lth_tensor x, const lth_conv_args *a, const char *file, uint32_t line)
{
    lth_attr_conv at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, LTH_DTYPE_NONE, 0 };
    lth_tensor in[2] = { x, a->weight };
    if (!x.trace)
        return x;
    if (a->output_padding || a->output_padding_of[0] || a->output_padding_of[1] || a->output_padding_of[2])
        return x.trace->api->fail(x.trace, file, line, "conv: .output_padding is lth_conv_transpose's");
    if (!lth_conv_attributes_(x, a, &at, file, line))
        return lth_none();
    return lth_add_channel_bias_(lth_op_(LTH_OP_CONV, in, 2, &at, sizeof at, file, line), a->bias, file, line);
}
/* x (N, C, in...), w (K, C / groups, kernel...) -> (N, K, out...): cross-correlation, as torch's conv1d, conv2d and conv3d.
 * out = (in + padding before and after - dilation (kernel - 1) - 1) / stride + 1, rounded down.
 * lth_conv(x, w); options follow: .bias, .stride, .padding, .dilation, .groups, ..., .same = 1 */
#define lth_conv(x, ...) lth_conv_((x), LTH_REF(lth_conv_args, .weight = __VA_ARGS__), LTH_HERE)

/* The length of a transposed convolution's axis, and how much of it the kernel does not reach: zeros at the end, where
 * .output_padding is more than a stride hides. high: the padding for which that length gives `out` again. */
static inline int64_t lth_transposed_length_(lth_attr_conv *at, int32_t i, int64_t out, int64_t kernel, int64_t more,
                                             int64_t *beyond)
{
    int64_t full = (out - 1) * at->stride[i] + at->dilation[i] * (kernel - 1) + 1, size = full - at->low[i] - at->high[i] + more;
    int64_t reached = full - at->low[i] + at->stride[i] - 1; /* with no padding at the end */
    *beyond = size > reached ? size - reached : 0;
    size -= *beyond;
    at->high[i] = full - at->low[i] - size;
    if (at->high[i] < 0)
        at->high[i] = 0;
    return size;
}

static inline lth_tensor lth_conv_transpose_(lth_tensor x, const lth_conv_args *a, const char *file, uint32_t line)
{
    lth_attr_conv at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, LTH_DTYPE_NONE, 0 };
    lth_attr_pad pad = { { 0 }, { 0 } };
    lth_tensor in[2] = { x, a->weight };
    bool pads = false;
    if (!x.trace)
        return x;
    if (a->same > 0)
        return x.trace->api->fail(x.trace, file, line, "conv_transpose: .same is lth_conv's: say .padding and .output_padding");
    if (!lth_conv_attributes_(x, a, &at, file, line))
        return lth_none();
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++) {
        int64_t more = lth_spatial_(a->output_padding, a->output_padding_of, i, 0);
        if (more < 0 || (more > 0 && more >= at.stride[i] && more >= at.dilation[i]))
            return x.trace->api->fail(x.trace, file, line,
                                      "conv_transpose: .output_padding must be less than the stride or the dilation");
        at.size[i] = lth_transposed_length_(&at, i, lth_dim(x, 2 + i), lth_dim(a->weight, 2 + i), more, &pad.high[2 + i]);
        pads |= pad.high[2 + i] > 0;
    }
    lth_tensor y = lth_op_(LTH_OP_CONV_DATA_GRAD, in, 2, &at, sizeof at, file, line);
    if (pads) {
        lth_tensor both[2] = { y, x.trace->api->scalar(x.trace, 0, lth_dtype_of(y), file, line) };
        y = lth_op_(LTH_OP_PAD, both, 2, &pad, sizeof pad, file, line);
    }
    return lth_add_channel_bias_(y, a->bias, file, line);
}
/* x (N, C, in...), w (C, K / groups, kernel...) -> (N, K, out...): the gradient of a convolution by its input, as torch's
 * conv_transpose1d, 2d and 3d. out = (in - 1) stride - padding before and after + dilation (kernel - 1) + 1 + output_padding.
 * lth_conv_transpose(x, w); options follow, as lth_conv's but for .same */
#define lth_conv_transpose(x, ...) lth_conv_transpose_((x), LTH_REF(lth_conv_args, .weight = __VA_ARGS__), LTH_HERE)

/* ---- Pooling ---- */

typedef struct lth_pool_args {
    int64_t kernel LTH_ZERO;
    int64_t stride LTH_ZERO; /* default: the kernel's size */
    int64_t padding LTH_ZERO;
    int64_t dilation LTH_ZERO; /* default 1 */
    int64_t kernel_of[LTH_SPATIAL] LTH_ZERO;
    int64_t stride_of[LTH_SPATIAL] LTH_ZERO;
    int64_t padding_of[LTH_SPATIAL] LTH_ZERO;
    int64_t end_padding_of[LTH_SPATIAL] LTH_ZERO; /* after each axis, where it is not as before it; -1: none */
    int64_t dilation_of[LTH_SPATIAL] LTH_ZERO;
    lth_tensor *indices LTH_ZERO;     /* lth_max_pool: where each was found, i64, counted through the spatial axes */
    int32_t ceil_mode LTH_ZERO;       /* 1: a last window may reach beyond the padding */
    int32_t exclude_padding LTH_ZERO; /* 1, lth_avg_pool: the mean is of x's elements alone (torch: count_include_pad=False) */
} lth_pool_args;

static inline lth_tensor lth_pool_(uint32_t op, lth_tensor x, const lth_pool_args *a, const char *file, uint32_t line)
{
    lth_attr_pool at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, 0 };
    if (!x.trace)
        return x;
    if (a->indices)
        *a->indices = lth_none();
    if (op == LTH_OP_MAX_POOL ? a->exclude_padding > 0 : a->indices != NULL)
        return x.trace->api->fail(x.trace, file, line,
                                  a->indices ? "avg_pool: .indices is lth_max_pool's"
                                             : "max_pool: .exclude_padding is lth_avg_pool's");
    const int64_t *const lists[] = { a->kernel_of, a->stride_of, a->padding_of, a->end_padding_of, a->dilation_of };
    if (!lth_lists_fit_(x, lists, 5, file, line))
        return lth_none();
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++) {
        at.kernel[i] = lth_spatial_(a->kernel, a->kernel_of, i, 0);
        at.stride[i] = lth_spatial_(a->stride, a->stride_of, i, at.kernel[i]);
        at.low[i] = lth_spatial_(a->padding, a->padding_of, i, 0);
        at.high[i] = lth_end_padding_(at.low[i], a->end_padding_of, i);
        at.dilation[i] = lth_spatial_(a->dilation, a->dilation_of, i, 1);
    }
    at.flags =
        (a->ceil_mode > 0 ? (uint32_t)LTH_POOL_CEIL : 0u) | (a->exclude_padding > 0 ? (uint32_t)LTH_POOL_EXCLUDE_PADDING : 0u);
    lth_tensor y = lth_op1_(op, x, &at, sizeof at, file, line);
    if (a->indices && y.trace)
        *a->indices = y.trace->api->result(y.trace, y, 1);
    return y;
}
/* The greatest element of each window, the first of equals; NaN wins. x (N, C, in...) -> (N, C, out...), out as lth_conv's.
 * lth_max_pool(x, 2); options follow: .stride, .padding, .dilation, ..., .indices = &where, .ceil_mode = 1 */
#define lth_max_pool(x, ...) lth_pool_(LTH_OP_MAX_POOL, (x), LTH_REF(lth_pool_args, .kernel = __VA_ARGS__), LTH_HERE)
/* The mean of each window. lth_avg_pool(x, 2); options follow, as lth_max_pool's but for .indices, and .exclude_padding = 1 */
#define lth_avg_pool(x, ...) lth_pool_(LTH_OP_AVG_POOL, (x), LTH_REF(lth_pool_args, .kernel = __VA_ARGS__), LTH_HERE)

/* Spatial sizes from a shape that lists one for all axes, or one an axis; a 0 is x's own. False: refused. */
static inline bool lth_sizes_(const char *name, lth_tensor x, const lth_shape *shape, int64_t *size, const char *file,
                              uint32_t line)
{
    char text[160];
    int32_t axes = lth_spatial_axes_(x);
    if (shape->rank != 1 && shape->rank != axes) {
        snprintf(text, sizeof text, "%s: %d sizes for %d spatial axes: list one for all, or one an axis", name, (int)shape->rank,
                 (int)axes);
        x.trace->api->fail(x.trace, file, line, text);
        return false;
    }
    for (int32_t i = 0; i < axes; i++) {
        size[i] = shape->dim[shape->rank == 1 ? 0 : i];
        size[i] = size[i] ? size[i] : lth_dim(x, 2 + i);
    }
    return true;
}

static inline lth_tensor lth_adaptive_pool_(uint32_t op, lth_tensor x, const lth_shape *size, lth_tensor *indices,
                                            const char *file, uint32_t line)
{
    lth_attr_pool at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, LTH_POOL_ADAPTIVE, 0 };
    if (indices)
        *indices = lth_none();
    if (!x.trace)
        return x;
    if (!lth_sizes_(op == LTH_OP_MAX_POOL ? "adaptive_max_pool" : "adaptive_avg_pool", x, size, at.size, file, line))
        return lth_none();
    lth_tensor y = lth_op1_(op, x, &at, sizeof at, file, line);
    if (indices && y.trace)
        *indices = y.trace->api->result(y.trace, y, 1);
    return y;
}
/* Pools to a size: window o of an axis covers floor(o in / out) to ceil((o + 1) in / out). size: LTH_SHAPE(1), for every axis,
 * or LTH_SHAPE(7, 5); 0 is x's own. */
#define lth_adaptive_avg_pool(x, size) lth_adaptive_pool_(LTH_OP_AVG_POOL, (x), (size), NULL, LTH_HERE)
#define lth_adaptive_max_pool(x, size) lth_adaptive_pool_(LTH_OP_MAX_POOL, (x), (size), NULL, LTH_HERE)
/* With where each was found: i64, counted through the spatial axes. */
#define lth_adaptive_max_pool_indices(x, size, indices) lth_adaptive_pool_(LTH_OP_MAX_POOL, (x), (size), (indices), LTH_HERE)

/* ---- Resampling ---- */

static inline lth_tensor lth_resize_(lth_tensor x, const lth_shape *size, uint32_t mode, const char *file, uint32_t line)
{
    lth_attr_resize at = { { 0 }, { 0 }, mode, 0 };
    if (!x.trace)
        return x;
    if (!lth_sizes_("resize", x, size, at.size, file, line))
        return lth_none();
    return lth_op1_(LTH_OP_RESIZE, x, &at, sizeof at, file, line);
}
/* x (N, C, in...) -> (N, C, size...), as torch's interpolate(size=...). mode: LTH_RESIZE_NEAREST, _NEAREST_EXACT, _LINEAR
 * (linear, bilinear or trilinear by x's axes), _LINEAR_ALIGNED (align_corners=True). size as lth_adaptive_avg_pool's. */
#define lth_resize(x, size, mode) lth_resize_((x), (size), (mode), LTH_HERE)

static inline lth_tensor lth_upsample_(lth_tensor x, double factor, uint32_t mode, const char *file, uint32_t line)
{
    lth_attr_resize at = { { 0 }, { 0 }, mode, 0 };
    if (!x.trace)
        return x;
    if (!(factor > 0 && factor <= 1 << 20))
        return x.trace->api->fail(x.trace, file, line, "upsample: the factor must be above 0");
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++)
        at.size[i] = (int64_t)floor((double)lth_dim(x, 2 + i) * factor);
    return lth_op1_(LTH_OP_RESIZE, x, &at, sizeof at, file, line);
}
/* Every spatial axis becomes `factor` times as long, rounded down. Where the factor is not whole, places are those of the
 * rounded size: torch's recompute_scale_factor=True. */
#define lth_upsample(x, factor, mode) lth_upsample_((x), (factor), (mode), LTH_HERE)

/* ---- Padding ---- */

enum { LTH_PAD_ZEROS = 0, LTH_PAD_REFLECT = 1, LTH_PAD_REPLICATE = 2, LTH_PAD_CIRCULAR = 3 };

typedef struct lth_padding_args {
    uint32_t mode LTH_ZERO;
    uint32_t reserved LTH_ZERO;
    int64_t padding LTH_ZERO; /* elements before and after each spatial axis */
    int64_t padding_of[LTH_SPATIAL] LTH_ZERO;
    int64_t end_padding_of[LTH_SPATIAL] LTH_ZERO; /* after each axis, where it is not as before it; -1: none */
    double value LTH_ZERO;                        /* of LTH_PAD_ZEROS: another number */
} lth_padding_args;

/* What stands before (or after) an axis of n elements. */
static inline lth_tensor lth_margin_(lth_tensor x, int32_t axis, uint32_t mode, int64_t count, bool end, const char *file,
                                     uint32_t line)
{
    int64_t n = lth_dim(x, axis);
    if (mode == LTH_PAD_CIRCULAR)
        return end ? lth_slice(x, axis, 0, count) : lth_slice(x, axis, n - count, n);
    if (mode == LTH_PAD_REFLECT)
        return lth_flip(end ? lth_slice(x, axis, n - 1 - count, n - 1) : lth_slice(x, axis, 1, 1 + count), axis);
    lth_shape to = *lth_shape_of(x);
    to.dim[axis] = count;
    return lth_expand_to(end ? lth_slice(x, axis, n - 1, n) : lth_slice(x, axis, 0, 1), &to);
}

static inline lth_tensor lth_pad_axis_(lth_tensor x, int32_t axis, uint32_t mode, int64_t low, int64_t high, const char *file,
                                       uint32_t line)
{
    int64_t n = lth_dim(x, axis), most = mode == LTH_PAD_REFLECT ? n - 1 : mode == LTH_PAD_CIRCULAR ? n : INT64_MAX;
    lth_tensor parts[3];
    uint32_t count = 0;
    if (low < 0 || high < 0 || low > most || high > most || n < 1) {
        char text[200];
        snprintf(text, sizeof text, "pad: %lld before and %lld after an axis of %lld elements: %s", (long long)low,
                 (long long)high, (long long)n,
                 mode == LTH_PAD_REFLECT ? "a reflection has one element less than the axis" : "there are not as many to take");
        return x.trace->api->fail(x.trace, file, line, text);
    }
    if (low > 0)
        parts[count++] = lth_margin_(x, axis, mode, low, false, file, line);
    parts[count++] = x;
    if (high > 0)
        parts[count++] = lth_margin_(x, axis, mode, high, true, file, line);
    return count > 1 ? lth_concat(parts, count, axis) : x;
}

static inline lth_tensor lth_pad_spatial_(lth_tensor x, const lth_padding_args *a, const char *file, uint32_t line)
{
    lth_attr_pad at = { { 0 }, { 0 } };
    if (!x.trace)
        return x;
    if (!lth_spatial_axes_(x))
        return x.trace->api->fail(x.trace, file, line, "pad: x is (N, C) with 1 to 3 spatial axes after them");
    if (a->mode > LTH_PAD_CIRCULAR)
        return x.trace->api->fail(x.trace, file, line, "pad: the mode is one of LTH_PAD_ZEROS, _REFLECT, _REPLICATE, _CIRCULAR");
    const int64_t *const lists[] = { a->padding_of, a->end_padding_of };
    if (!lth_lists_fit_(x, lists, 2, file, line))
        return lth_none();
    for (int32_t i = 0; i < lth_spatial_axes_(x); i++) {
        at.low[2 + i] = lth_spatial_(a->padding, a->padding_of, i, 0);
        at.high[2 + i] = lth_end_padding_(at.low[2 + i], a->end_padding_of, i);
        if (a->mode != LTH_PAD_ZEROS)
            x = lth_pad_axis_(x, 2 + i, a->mode, at.low[2 + i], at.high[2 + i], file, line);
        if (!x.trace)
            return x;
    }
    if (a->mode != LTH_PAD_ZEROS)
        return x;
    lth_tensor in[2] = { x, x.trace->api->scalar(x.trace, a->value, lth_dtype_of(x), file, line) };
    return lth_op_(LTH_OP_PAD, in, 2, &at, sizeof at, file, line);
}
/* x with more elements around its spatial axes, as torch's pad. LTH_PAD_ZEROS (or .value), _REFLECT (without the edge itself),
 * _REPLICATE (the edge again), _CIRCULAR (from the other end).
 * lth_pad_spatial(x, LTH_PAD_REFLECT, .padding = 1); or .padding_of = { 1, 2 }, .end_padding_of, .value */
#define lth_pad_spatial(x, ...) lth_pad_spatial_((x), LTH_REF(lth_padding_args, .mode = __VA_ARGS__), LTH_HERE)

#pragma pop_macro("LTH_HERE")
LTH_END_C
#endif
