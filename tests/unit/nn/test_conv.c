/* SPDX-License-Identifier: Apache-2.0
 * Convolution, pooling, padding and resampling: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

/* An option that is a list, one number an axis; 0 where there is none. */
static void list(const module_trial *t, const char *name, int64_t *to)
{
    const json_t *value = json_object_get(t->options, name);
    for (size_t i = 0; i < json_array_size(value) && i < LTH_SPATIAL; i++)
        to[i] = json_integer_value(json_array_get(value, i));
}

static bool says(const module_trial *t, const char *name, const char *word)
{
    return strcmp(module_word(t, name, ""), word) == 0;
}

static uint32_t padding_mode(const char *word)
{
    static const char *const words[] = { "zeros", "reflect", "replicate", "circular" };
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return LTH_PAD_ZEROS;
}

static lth_status make_conv(void *self, lth_setup *s, int32_t axes, int32_t transposed)
{
    module_trial *t = self;
    lth_conv_layer_args a = { .groups = (int64_t)module_option(t, "groups", 1),
                              .no_bias = !module_option(t, "bias", 1),
                              .same = says(t, "padding", "same"),
                              .padding_mode = padding_mode(module_word(t, "padding_mode", "zeros")) };
    int64_t in = (int64_t)module_option(t, "in_channels", 0), out = (int64_t)module_option(t, "out_channels", 0);
    list(t, "kernel_size", a.kernel_of);
    list(t, "stride", a.stride_of);
    list(t, "padding", a.padding_of);
    list(t, "dilation", a.dilation_of);
    list(t, "output_padding", a.output_padding_of);
    *(lth_conv_layer *)(void *)t->layer.bytes = lth_conv_layer_new_(s, "m", axes, transposed, in, out, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_conv1d(void *self, lth_setup *s) { return make_conv(self, s, 1, 0); }
static lth_status make_conv2d(void *self, lth_setup *s) { return make_conv(self, s, 2, 0); }
static lth_status make_conv3d(void *self, lth_setup *s) { return make_conv(self, s, 3, 0); }
static lth_status make_conv_transpose1d(void *self, lth_setup *s) { return make_conv(self, s, 1, 1); }
static lth_status make_conv_transpose2d(void *self, lth_setup *s) { return make_conv(self, s, 2, 1); }
static lth_status make_conv_transpose3d(void *self, lth_setup *s) { return make_conv(self, s, 3, 1); }

static void run_conv(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_conv_apply((const lth_conv_layer *)(void *)t->layer.bytes, module_input(t, "input"));
}

static lth_pool_args pool_args(const module_trial *t)
{
    lth_pool_args a = { .ceil_mode = (int32_t)module_option(t, "ceil_mode", 0),
                        .exclude_padding = !module_option(t, "count_include_pad", 1) };
    list(t, "kernel_size", a.kernel_of);
    list(t, "stride", a.stride_of);
    list(t, "padding", a.padding_of);
    list(t, "dilation", a.dilation_of);
    return a;
}

static lth_shape size_of(const module_trial *t, const char *name)
{
    lth_shape s = { LTH_DTYPE_NONE, (int32_t)json_array_size(json_object_get(t->options, name)), { 0 } };
    list(t, name, s.dim);
    return s;
}

static void run_max_pool(module_trial *t, lth_tensor *outputs)
{
    lth_pool_args a = pool_args(t);
    outputs[0] = lth_pool_(LTH_OP_MAX_POOL, module_input(t, "input"), &a, LTH_HERE);
}

static void run_avg_pool(module_trial *t, lth_tensor *outputs)
{
    lth_pool_args a = pool_args(t);
    outputs[0] = lth_pool_(LTH_OP_AVG_POOL, module_input(t, "input"), &a, LTH_HERE);
}

static void run_adaptive_avg_pool(module_trial *t, lth_tensor *outputs)
{
    lth_shape size = size_of(t, "output_size");
    outputs[0] = lth_adaptive_avg_pool(module_input(t, "input"), &size);
}

static void run_adaptive_max_pool(module_trial *t, lth_tensor *outputs)
{
    lth_shape size = size_of(t, "output_size");
    outputs[0] = lth_adaptive_max_pool(module_input(t, "input"), &size);
}

static void run_interpolate(module_trial *t, lth_tensor *outputs)
{
    uint32_t mode = says(t, "mode", "nearest")                 ? LTH_RESIZE_NEAREST
                    : says(t, "mode", "nearest-exact")         ? LTH_RESIZE_NEAREST_EXACT
                    : module_option(t, "align_corners", 0) > 0 ? LTH_RESIZE_LINEAR_ALIGNED
                                                               : LTH_RESIZE_LINEAR;
    double factor = module_option(t, "scale_factor", 0);
    lth_shape size = size_of(t, "size");
    outputs[0] =
        factor > 0 ? lth_upsample(module_input(t, "input"), factor, mode) : lth_resize(module_input(t, "input"), &size, mode);
}

/* torch lists pairs, the last axis first. */
static void run_pad(module_trial *t, lth_tensor *outputs)
{
    const json_t *pad = json_object_get(t->options, "pad");
    lth_padding_args a = { .mode = padding_mode(module_word(t, "mode", "")), .value = module_option(t, "value", 0) };
    for (size_t i = 0; i < 2; i++) {
        int64_t end = json_integer_value(json_array_get(pad, 2 * i + 1));
        a.padding_of[1 - i] = json_integer_value(json_array_get(pad, 2 * i));
        a.end_padding_of[1 - i] = end ? end : -1;
    }
    outputs[0] = lth_pad_spatial_(module_input(t, "input"), &a, LTH_HERE);
}

static void run_pixel_shuffle(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_pixel_shuffle(module_input(t, "input"), (int64_t)module_option(t, "upscale_factor", 0));
}

static void run_pixel_unshuffle(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_pixel_unshuffle(module_input(t, "input"), (int64_t)module_option(t, "downscale_factor", 0));
}

static void run_unfold(module_trial *t, lth_tensor *outputs)
{
    lth_pool_args a = pool_args(t);
    outputs[0] = lth_unfold_(module_input(t, "input"), &a, LTH_HERE);
}

static void run_fold(module_trial *t, lth_tensor *outputs)
{
    lth_pool_args a = pool_args(t);
    lth_shape size = size_of(t, "output_size");
    outputs[0] = lth_fold_(module_input(t, "input"), &size, &a, LTH_HERE);
}

Test(nn_conv, layers_and_functions_have_the_values_and_gradients_of_torch)
{
    static const module_row rows[] = {
        { "Conv1d", make_conv1d, run_conv },
        { "Conv2d", make_conv2d, run_conv },
        { "Conv3d", make_conv3d, run_conv },
        { "ConvTranspose1d", make_conv_transpose1d, run_conv },
        { "ConvTranspose2d", make_conv_transpose2d, run_conv },
        { "ConvTranspose3d", make_conv_transpose3d, run_conv },
        { "max_pool", make_nothing, run_max_pool },
        { "avg_pool", make_nothing, run_avg_pool },
        { "adaptive_avg_pool", make_nothing, run_adaptive_avg_pool },
        { "adaptive_max_pool", make_nothing, run_adaptive_max_pool },
        { "interpolate", make_nothing, run_interpolate },
        { "pad", make_nothing, run_pad },
        { "pixel_shuffle", make_nothing, run_pixel_shuffle },
        { "pixel_unshuffle", make_nothing, run_pixel_unshuffle },
        { "unfold", make_nothing, run_unfold },
        { "fold", make_nothing, run_fold },
    };
    module_golden("conv.json", rows, sizeof rows / sizeof *rows);
}
