/* SPDX-License-Identifier: Apache-2.0
 * Convolution, pooling, padding and resampling: as torch's, and what torch does not say. */
#include "module_golden.h"

#include "util/json.h"

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

static void run_lp_pool(module_trial *t, lth_tensor *outputs)
{
    lth_pool_args a = pool_args(t);
    outputs[0] = lth_lp_pool_(module_input(t, "input"), module_option(t, "norm_type", 0), &a, LTH_HERE);
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

static const module_row golden_rows[] = {
    { "Conv1d", make_conv1d, run_conv },
    { "Conv2d", make_conv2d, run_conv },
    { "Conv3d", make_conv3d, run_conv },
    { "ConvTranspose1d", make_conv_transpose1d, run_conv },
    { "ConvTranspose2d", make_conv_transpose2d, run_conv },
    { "ConvTranspose3d", make_conv_transpose3d, run_conv },
    { "max_pool", make_nothing, run_max_pool },
    { "avg_pool", make_nothing, run_avg_pool },
    { "lp_pool", make_nothing, run_lp_pool },
    { "adaptive_avg_pool", make_nothing, run_adaptive_avg_pool },
    { "adaptive_max_pool", make_nothing, run_adaptive_max_pool },
    { "interpolate", make_nothing, run_interpolate },
    { "pad", make_nothing, run_pad },
    { "pixel_shuffle", make_nothing, run_pixel_shuffle },
    { "pixel_unshuffle", make_nothing, run_pixel_unshuffle },
    { "unfold", make_nothing, run_unfold },
    { "fold", make_nothing, run_fold },
};

Test(nn_conv, layers_and_functions_have_the_values_and_gradients_of_torch)
{
    module_golden("conv.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_conv, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("conv.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 4);
}

/* ---- Parameters ---- */

/* Shape and greatest magnitude of a named parameter. */
static double greatest(lab *l, const char *name, lth_shape *shape)
{
    static double x[16384];
    for (uint32_t i = 0; i < engine_tensor_count(l->g); i++) {
        const engine_tensor *t = engine_tensor_at(l->g, i);
        if (strcmp(t->name, name) != 0)
            continue;
        double most = 0;
        *shape = t->shape;
        cr_assert_leq(lth_shape_count(shape), 16384);
        cr_assert_eq(engine_tensor_get(l->g, i, x, &l->e), LTH_OK, "%s", l->e.text);
        for (int64_t k = 0; k < lth_shape_count(shape); k++)
            most = fmax(most, fabs(x[k]));
        return most;
    }
    cr_assert_fail("there is no tensor '%s'", name);
    return 0;
}

/* init.json says a number where every axis has it. */
static lth_status make_recorded(module_trial *t, lth_setup *s, int32_t axes, int32_t transposed)
{
    *(lth_conv_layer *)(void *)t->layer.bytes = LTH_CONV_LAYER_(
        s, "m", axes, transposed, (int64_t)module_option(t, "in_channels", 0), (int64_t)module_option(t, "out_channels", 0),
        (int64_t)module_option(t, "kernel_size", 0), .groups = (int64_t)module_option(t, "groups", 0));
    return lth_setup_status(s);
}

static lth_status make_recorded_1d(void *self, lth_setup *s) { return make_recorded(self, s, 1, false); }
static lth_status make_recorded_2d(void *self, lth_setup *s) { return make_recorded(self, s, 2, false); }
static lth_status make_recorded_transpose(void *self, lth_setup *s) { return make_recorded(self, s, 2, true); }

Test(nn_conv, parameters_begin_as_torch_s_do)
{
    static const module_row rows[] = {
        { "Conv1d", make_recorded_1d, NULL },
        { "Conv2d", make_recorded_2d, NULL },
        { "ConvTranspose2d", make_recorded_transpose, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}

/* ---- What torch does not say ---- */

/* What is wrong in turn; the engine says so where the model is configured. */
static lth_status make_wrong(void *self, lth_setup *s)
{
    switch (*(int *)self) {
    case 0:
        lth_conv1d_new(s, "m", 2, 3, 0, .kernel_of = { 3, 5 });
        break;
    case 1:
        lth_conv2d_new(s, "m", 4, 3, 3, .groups = 2);
        break;
    case 2:
        lth_conv2d_new(s, "m", 4, 3, 0);
        break;
    default:
        lth_conv_transpose2d_new(s, "m", 4, 3, 2, .padding_mode = LTH_PAD_REFLECT);
        break;
    }
    return lth_setup_status(s);
}

Test(nn_conv, layers_that_cannot_be_are_refused_where_they_are_made)
{
    static const char *const messages[] = { "an option's list names more axes than it has", "multiples of the number of groups",
                                            "the kernel must be 1 at least in each axis", ".padding_mode is zeros alone" };
    for (int i = 0; i < 4; i++)
        lab_refuses_to_make(make_wrong, &i, messages[i], __FILE__);
}

static lth_status make_small(void *self, lth_setup *s)
{
    lth_conv_layer *l = self;
    *l = lth_conv2d_new(s, "m", 2, 3, 3, .padding = 1, .padding_mode = LTH_PAD_REFLECT, .weight = lth_init_dirac(1),
                        .bias = lth_init_trunc_normal(0, 1, 0.5, 0.75));
    return lth_setup_status(s);
}

#define REFUSES(expression, message)           \
    do {                                       \
        lab_begin(&l, true);                   \
        lth_tensor x = lab_input(&l, "x");     \
        LAB_REFUSES(&l, expression, message);  \
    } while (0)

Test(nn_conv, what_does_not_fit_is_refused_at_the_author_s_line)
{
    lab l;
    lth_conv_layer layer, none = { .in = 0 };
    lth_tensor where = lth_none();
    lab_open(&l, LTH_F64, make_small, &layer);
    lab_field_text(&l, "x", "[[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]]]");
    lth_shape shape;
    cr_assert_eq(greatest(&l, "m.weight", &shape), 1);
    double bias = greatest(&l, "m.bias", &shape); /* both ends were copied */
    cr_assert(bias >= 0.5 && bias <= 0.75, "%g", bias);
    REFUSES(lth_conv_apply(&layer, x), "a convolution of (N, 2) and 2 spatial axes was given (1, 3, 2, 2)");
    REFUSES(lth_conv_apply(&none, x), "this convolution was never made: call lth_conv2d_new, say, in configure");
    REFUSES(lth_pad_spatial(x, LTH_PAD_REFLECT, .padding = 2), "a reflection has one element less than the axis");
    REFUSES(lth_pad_spatial(x, LTH_PAD_CIRCULAR, .padding = 3),
            "pad: 3 before and 3 after an axis of 2 elements: there are not as many to take");
    REFUSES(lth_conv(x, x, .stride = 2, .same = 1), "conv: .same wants a stride of 1 and no padding of its own");
    REFUSES(lth_conv(x, x, .output_padding = 1), "conv: .output_padding is lth_conv_transpose's");
    REFUSES(lth_conv_transpose(x, x, .output_padding = 1),
            "conv_transpose: .output_padding must be less than the stride or the dilation");
    REFUSES(lth_conv(x, x, .stride = -1), "stride -1");
    REFUSES(lth_conv(x, x, .stride_of = { 1, 1, 2 }), "an option's list names more axes than the 2 spatial ones of x");
    REFUSES(lth_avg_pool(x, 2, .stride_of = { 1, 1, 2 }), "an option's list names more axes than the 2 spatial ones of x");
    REFUSES(lth_pad_spatial(x, LTH_PAD_ZEROS, .padding_of = { 1, 1, 2 }), "an option's list names more axes than");
    REFUSES(lth_avg_pool(x, 2, .indices = &where), "avg_pool: .indices is lth_max_pool's");
    REFUSES(lth_max_pool(x, 2, .exclude_padding = 1), "max_pool: .exclude_padding is lth_avg_pool's");
    REFUSES(lth_max_pool(x, 3), "spatial axis 0 has 2 elements, 2 with padding, but a kernel reaches over 3");
    REFUSES(lth_adaptive_avg_pool(x, LTH_SHAPE(1, 2, 3)), "3 sizes for 2 spatial axes: list one for all, or one an axis");
    REFUSES(lth_upsample(x, 0, LTH_RESIZE_NEAREST), "upsample: the factor must be above 0");
    REFUSES(lth_pixel_shuffle(x, 2), "pixel_shuffle by 2 wants (N, C r r, H, W), got (1, 3, 2, 2)");
    REFUSES(lth_unfold(x, 0), "fold and unfold want (N, C) with spatial axes, a kernel of 1 at least");
    REFUSES(lth_max_unpool(x, x, LTH_SHAPE(4)), "the size lists one length for each spatial axis of (1, 3, 2, 2)");
    lab_close(&l);
}

Test(nn_conv, a_max_unpool_puts_each_element_back_where_it_was_found)
{
    lab l;
    lab_open(&l, LTH_F64, NULL, NULL);
    lab_field_text(&l, "x", "[[[[1.0, 2.0, 0.5], [4.0, 3.0, 8.0]]]]");
    lab_begin(&l, true);
    lth_tensor where = lth_none(), x = lab_input(&l, "x"), y = lth_max_pool(x, 2, .stride = 1, .indices = &where);
    engine_output(l.g, where, LTH_HERE);
    engine_output(l.g, lth_max_unpool(y, where, LTH_SHAPE(2, 3)), LTH_HERE);
    lab_end(&l);
    static const double wanted[] = { 0, 0, 0, 4, 0, 8 };
    cr_assert_eq(lab_value(&l, 0, 0), 3);
    cr_assert_eq(lab_value(&l, 0, 1), 5);
    for (int64_t i = 0; i < 6; i++)
        cr_assert_eq(lab_value(&l, 1, i), wanted[i]);
    lab_close(&l);
}
