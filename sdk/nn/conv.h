/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/conv.h: convolutions and transposed convolutions of signals, images and volumes. Names, shapes and initial
 * distributions are those of torch.nn.Conv1d, 2d, 3d and ConvTranspose1d, 2d, 3d. [main] */
#ifndef LTHOST_NN_CONV_H
#define LTHOST_NN_CONV_H

#include "check.h"
#include "init.h"

#include <lthost/image.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_conv_layer {
    lth_parameter weight LTH_ZERO; /* (out, in / groups, kernel...); transposed: (in, out / groups, kernel...) */
    lth_parameter bias LTH_ZERO;   /* (out); id 0: none */
    int64_t in LTH_ZERO, out LTH_ZERO;
    int32_t axes LTH_ZERO, transposed LTH_ZERO;
    uint32_t padding_mode LTH_ZERO, reserved LTH_ZERO;
    lth_conv_args call LTH_ZERO; /* stride and all else, as lth_conv takes it */
} lth_conv_layer;

typedef struct lth_conv_layer_args {
    int64_t kernel LTH_ZERO;
    int64_t stride LTH_ZERO;                 /* default 1 */
    int64_t padding LTH_ZERO;                /* before and after each axis */
    int64_t dilation LTH_ZERO;               /* default 1 */
    int64_t groups LTH_ZERO;                 /* default 1; as many as channels: depthwise */
    int64_t kernel_of[LTH_SPATIAL] LTH_ZERO; /* lists, one number an axis, in place of those above (image.h) */
    int64_t stride_of[LTH_SPATIAL] LTH_ZERO;
    int64_t padding_of[LTH_SPATIAL] LTH_ZERO;
    int64_t dilation_of[LTH_SPATIAL] LTH_ZERO;
    int64_t output_padding LTH_ZERO; /* transposed: so many more at the end of each axis */
    int64_t output_padding_of[LTH_SPATIAL] LTH_ZERO;
    int32_t same LTH_ZERO;          /* 1: as much padding as keeps the size (stride 1) */
    uint32_t padding_mode LTH_ZERO; /* LTH_PAD_ZEROS, _REFLECT, _REPLICATE, _CIRCULAR; transposed: zeros alone */
    int32_t no_bias LTH_ZERO;
    int32_t reserved LTH_ZERO;
    const lth_init *weight LTH_ZERO; /* default: uniform in +-1/sqrt(fan in), as PyTorch */
    const lth_init *bias LTH_ZERO;   /* default: the same */
} lth_conv_layer_args;

/* The weight's shape, and how many inputs one output sums over: as torch counts them, of the weight's own second axis. */
static inline double lth_conv_fan_in_(const lth_conv_layer *l, const lth_conv_layer_args *a, lth_shape *weight)
{
    int64_t groups = l->call.groups;
    weight->rank = 2 + l->axes;
    weight->dim[0] = l->transposed ? l->in : l->out;
    weight->dim[1] = (l->transposed ? l->out : l->in) / groups;
    double fan = (double)weight->dim[1];
    for (int32_t i = 0; i < l->axes; i++) {
        weight->dim[2 + i] = lth_spatial_(a->kernel, a->kernel_of, i, 0);
        fan *= (double)weight->dim[2 + i];
    }
    return fan > 0 ? fan : 1;
}

/* What is wrong with the options; NULL: nothing. */
static inline const char *lth_conv_layer_fault_(const lth_conv_layer *l, const lth_conv_layer_args *a)
{
    int64_t groups = l->call.groups;
    if (l->in < 1 || l->out < 1 || groups < 1 || l->in % groups != 0 || l->out % groups != 0)
        return "a convolution: channels in and out must be multiples of the number of groups, all at least 1";
    for (int32_t i = 0; i < l->axes; i++)
        if (lth_spatial_(a->kernel, a->kernel_of, i, 0) < 1)
            return "a convolution: the kernel must be 1 at least in each axis";
    for (int32_t i = l->axes; i < LTH_SPATIAL; i++)
        if (a->kernel_of[i] || a->stride_of[i] || a->padding_of[i] || a->dilation_of[i] || a->output_padding_of[i])
            return "a convolution: an option's list names more axes than it has";
    if (l->transposed && (a->padding_mode != LTH_PAD_ZEROS || a->same > 0))
        return "a transposed convolution: .padding_mode is zeros alone, and there is no .same";
    if (a->padding_mode > LTH_PAD_CIRCULAR)
        return "a convolution: .padding_mode is one of LTH_PAD_ZEROS, _REFLECT, _REPLICATE, _CIRCULAR";
    return NULL;
}

static inline lth_conv_layer lth_conv_layer_new_(lth_setup *s, const char *name, int32_t axes, int32_t transposed, int64_t in,
                                                 int64_t out, const lth_conv_layer_args *a, const char *file, uint32_t line)
{
    lth_conv_layer l =
        LTH_VALUE(lth_conv_layer, .in = in, .out = out, .axes = axes, .transposed = transposed, .padding_mode = a->padding_mode);
    char type[32];
    l.call = LTH_VALUE(lth_conv_args, .stride = a->stride, .padding = a->padding, .dilation = a->dilation,
                       .groups = a->groups ? a->groups : 1, .output_padding = a->output_padding, .same = a->same);
    for (int32_t i = 0; i < LTH_SPATIAL; i++) {
        l.call.stride_of[i] = a->stride_of[i];
        l.call.padding_of[i] = a->padding_of[i];
        l.call.dilation_of[i] = a->dilation_of[i];
        l.call.output_padding_of[i] = a->output_padding_of[i];
    }
    const char *fault = lth_conv_layer_fault_(&l, a);
    if (fault) {
        s->api->fail(s, file, line, fault);
        return l;
    }
    lth_shape weight = { LTH_DTYPE_NONE, 0, { 0 } };
    const double bound = 1 / sqrt(lth_conv_fan_in_(&l, a, &weight));
    const lth_init initial = { LTH_INIT_UNIFORM, 0, -bound, bound, NULL };
    snprintf(type, sizeof type, "Conv%s%dd", transposed ? "Transpose" : "", (int)axes);
    s->api->module(s, name, type);
    lth_enter(s, name);
    l.weight = lth_parameter_new(s, "weight", &weight, a->weight ? a->weight : &initial);
    if (!a->no_bias)
        l.bias = lth_parameter_new(s, "bias", LTH_SHAPE(out), a->bias ? a->bias : &initial);
    lth_leave(s);
    return l;
}

/* Padding that is not of zeros goes around x first. */
static inline lth_tensor lth_conv_layer_pad_(const lth_conv_layer *l, lth_tensor x, lth_conv_args *call, const char *file,
                                             uint32_t line)
{
    lth_attr_conv at = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, LTH_DTYPE_NONE, 0 };
    lth_padding_args pad = LTH_VALUE(lth_padding_args, .mode = l->padding_mode);
    if (!lth_conv_attributes_(x, call, &at, file, line))
        return lth_none();
    bool any = false;
    for (int32_t i = 0; i < l->axes; i++) {
        pad.padding_of[i] = at.low[i];
        pad.end_padding_of[i] = at.high[i] ? at.high[i] : -1;
        any |= at.low[i] > 0 || at.high[i] > 0;
        call->padding_of[i] = 0;
    }
    call->padding = 0;
    call->same = 0;
    return any ? lth_pad_spatial_(x, &pad, file, line) : x;
}

/* x (N, in, spatial...) -> (N, out, spatial...) */
static inline lth_tensor lth_conv_layer_apply_(const lth_conv_layer *l, lth_tensor x, const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    if (!l->weight.id)
        return lth_nn_fail_(x, file, line, "this convolution was never made: call lth_conv2d_new, say, in configure");
    if (lth_rank(x) != 2 + l->axes || lth_dim(x, 1) != l->in)
        return lth_nn_fail_(x, file, line, "a convolution of (N, %lld) and %d spatial axes was given %s", (long long)l->in,
                            (int)l->axes, lth_shape_text_(x).at);
    lth_conv_args call = l->call;
    call.weight = lth_parameter_value(x, l->weight);
    call.bias = l->bias.id ? lth_parameter_value(x, l->bias) : lth_none();
    if (l->transposed)
        return lth_conv_transpose_(x, &call, file, line);
    if (l->padding_mode != LTH_PAD_ZEROS)
        x = lth_conv_layer_pad_(l, x, &call, file, line);
    return lth_conv_(x, &call, file, line);
}

typedef lth_conv_layer lth_conv1d, lth_conv2d, lth_conv3d, lth_conv_transpose1d, lth_conv_transpose2d, lth_conv_transpose3d;

#pragma pop_macro("LTH_HERE")
#define LTH_CONV_LAYER_(s, name, axes, transposed, in, out, ...)                                                             \
    lth_conv_layer_new_((s), (name), (axes), (transposed), (in), (out), LTH_REF(lth_conv_layer_args, .kernel = __VA_ARGS__), \
                        LTH_HERE)
/* m->conv1 = lth_conv2d_new(s, "conv1", in, out, 3); options follow: .stride, .padding, .dilation, .groups, .kernel_of = { 3, 5 }
 * and so on, .same = 1, .padding_mode, .no_bias = 1, .weight, .bias (initial values) */
#define lth_conv1d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 1, 0, in, out, __VA_ARGS__)
#define lth_conv2d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 2, 0, in, out, __VA_ARGS__)
#define lth_conv3d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 3, 0, in, out, __VA_ARGS__)
/* The same, and .output_padding = 1 */
#define lth_conv_transpose1d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 1, 1, in, out, __VA_ARGS__)
#define lth_conv_transpose2d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 2, 1, in, out, __VA_ARGS__)
#define lth_conv_transpose3d_new(s, name, in, out, ...) LTH_CONV_LAYER_(s, name, 3, 1, in, out, __VA_ARGS__)
/* Of any of them: x (N, in, spatial...) -> (N, out, spatial...) */
#define lth_conv_apply(l, x) lth_conv_layer_apply_((l), (x), LTH_HERE)

LTH_END_C
#endif
