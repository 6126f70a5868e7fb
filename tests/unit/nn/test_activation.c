/* SPDX-License-Identifier: Apache-2.0
 * Activations that have a parameter or draw, and dropout: their laws. */
#include "nn_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- PReLU ---- */

typedef struct acts {
    lth_prelu_layer one, each;
} acts;

static lth_status make_acts(void *self, lth_setup *s)
{
    acts *a = self;
    a->one = lth_prelu_new(s, "one", 1);
    a->each = lth_prelu_new(s, "each", 2, .weight = &(lth_init) { LTH_INIT_VALUES, 0, 0, 0, (const double[]) { 0.5, -1 } });
    return lth_setup_status(s);
}

static void expect_values(lab *l, uint32_t slot, const double *wanted, int64_t n)
{
    cr_assert_eq(lth_shape_count(lab_output_shape(l, slot)), n);
    for (int64_t i = 0; i < n; i++)
        cr_expect_eq(lab_value(l, slot, i), wanted[i], "output %u, element %lld: %.17g", slot, (long long)i,
                     lab_value(l, slot, i));
}

Test(nn_activation, a_prelu_has_one_slope_or_one_a_channel)
{
    lab l;
    acts a;
    lab_open(&l, LTH_F64, make_acts, &a);
    cr_assert_str_eq(engine_tensor_at(l.g, 0)->name, "one.weight");
    cr_assert_eq(engine_tensor_at(l.g, 1)->shape.dim[0], 2);
    lab_field_text(&l, "x", "[[[-2.0, 1.0], [-2.0, 3.0]]]"); /* (N, C, L) = (1, 2, 2) */
    lab_begin(&l, true);
    lth_tensor x = lab_input(&l, "x"), weight = lth_parameter_value(x, a.each.weight), gradient;
    lth_tensor y = lth_prelu_apply(&a.each, x);
    lth_grad(lth_sum(y), &weight, 1, &gradient);
    engine_output(l.g, lth_prelu_apply(&a.one, x), LTH_HERE);
    engine_output(l.g, y, LTH_HERE);
    engine_output(l.g, gradient, LTH_HERE);
    lab_end(&l);
    expect_values(&l, 0, (const double[]) { -0.5, 1, -0.5, 3 }, 4);
    expect_values(&l, 1, (const double[]) { -1, 1, 2, 3 }, 4);
    expect_values(&l, 2, (const double[]) { -2, -2 }, 2);
    lab_begin(&l, true);
    lth_prelu_apply(&a.each, lth_reshape(lab_input(&l, "x"), 1, 4));
    cr_assert_neq(lab_try_end(&l), LTH_OK);
    cr_expect(strstr(l.e.text, "a PReLU of (N, 2, ...) was given (1, 4)"), "%s", l.e.text);
    lab_close(&l);
}

/* ---- What draws ---- */

enum { N = 40, C = 50, L = 6 };

/* Standard normal numbers (N, C, L), drawn by the engine. */
static lth_tensor drawn(lab *l) { return lth_normal(lab_input(l, "near"), LTH_SHAPE(N, C, L)); }

static void open_lab(lab *l)
{
    lab_open(l, LTH_F64, NULL, NULL);
    lab_field_text(l, "near", "[1.0]");
}

Test(nn_activation, rrelu_draws_its_slopes_between_the_ends_and_takes_their_mean_in_evaluation)
{
    lab l;
    open_lab(&l);
    double sum = 0, least = 1, most = 0;
    lab_begin(&l, true);
    engine_output(l.g, lth_rrelu(lth_sub(0, lth_expand(lab_input(&l, "near"), N * C)), 0.25, 0.75), LTH_HERE);
    lab_end(&l);
    for (int64_t i = 0; i < N * C; i++) {
        double slope = -lab_value(&l, 0, i);
        sum += slope, least = fmin(least, slope), most = fmax(most, slope);
    }
    cr_expect(least >= 0.25 && least < 0.26 && most < 0.75 && most > 0.74, "%g to %g", least, most);
    cr_expect_float_eq(sum / (N * C), 0.5, 0.013); /* 4 standard deviations */
    lab_begin(&l, false);
    engine_output(l.g, lth_rrelu(lth_mul(lab_input(&l, "near"), -2), 0.25, 0.75), LTH_HERE);
    lab_end(&l);
    expect_values(&l, 0, (const double[]) { -1 }, 1);
    lab_close(&l);
}

Test(nn_activation, dropout_of_channels_drops_whole_ones_and_scales_the_others_its_gradient_too)
{
    lab l;
    open_lab(&l);
    lab_begin(&l, true);
    lth_tensor x = drawn(&l), y = lth_dropout1d(x, 0.25), gradient;
    lth_grad(lth_sum(y), &x, 1, &gradient);
    engine_output(l.g, x, LTH_HERE);
    engine_output(l.g, y, LTH_HERE);
    engine_output(l.g, gradient, LTH_HERE);
    lab_end(&l);
    int dropped = 0;
    for (int64_t channel = 0; channel < N * C; channel++) {
        double scale = lab_value(&l, 2, channel * L);
        cr_assert(scale == 0 || fabs(scale - 4.0 / 3) < 1e-15);
        dropped += scale == 0;
        for (int64_t i = channel * L; i < (channel + 1) * L; i++) {
            cr_assert_eq(lab_value(&l, 2, i), scale);
            cr_assert_eq(lab_value(&l, 1, i), lab_value(&l, 0, i) * scale);
        }
    }
    cr_expect_float_eq((double)dropped / (N * C), 0.25, 0.039); /* 4 standard deviations */
    lab_close(&l);
}

/* Mean and variance of an output of N C L numbers. */
static void moments(lab *l, uint32_t slot, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (int64_t i = 0; i < N * C * L; i++)
        *mean += lab_value(l, slot, i) / (N * C * L);
    for (int64_t i = 0; i < N * C * L; i++)
        *variance += pow(lab_value(l, slot, i) - *mean, 2) / (N * C * L);
}

Test(nn_activation, alpha_dropout_keeps_mean_and_variance)
{
    lab l;
    open_lab(&l);
    lab_begin(&l, true);
    lth_tensor x = drawn(&l);
    engine_output(l.g, x, LTH_HERE);
    engine_output(l.g, lth_alpha_dropout(x, 0.3), LTH_HERE);
    engine_output(l.g, lth_feature_alpha_dropout(x, 0.3), LTH_HERE);
    lab_end(&l);
    const double a = 1 / sqrt((1 + 0.3 * 1.7580993408473766 * 1.7580993408473766) * 0.7), off = a * 1.7580993408473766 * 0.3;
    int dropped[3] = { 0 };
    for (uint32_t slot = 1; slot < 3; slot++) {
        double mean, variance;
        moments(&l, slot, &mean, &variance);
        cr_expect_float_eq(mean, 0, slot == 1 ? 0.04 : 0.09);
        cr_expect_float_eq(variance, 1, slot == 1 ? 0.05 : 0.12);
        for (int64_t i = 0; i < N * C * L; i++) {
            double y = lab_value(&l, slot, i);
            bool kept = fabs(y - (a * lab_value(&l, 0, i) + off)) < 1e-14;
            cr_assert(kept || fabs(y - (off - a * 1.7580993408473766)) < 1e-14);
            dropped[slot] += !kept;
        }
    }
    cr_expect_eq(dropped[2] % L, 0);
    cr_expect_float_eq((double)dropped[1] / (N * C * L), 0.3, 0.017);
    cr_expect_float_eq((double)dropped[2] / (N * C * L), 0.3, 0.041);
    lab_close(&l);
}

Test(nn_activation, dropout_is_the_identity_in_evaluation_and_refuses_what_is_no_probability)
{
    lab l;
    open_lab(&l);
    lab_field_text(&l, "image", "[[[[1.0, -2.0]]]]");
    lab_begin(&l, false);
    lth_tensor image = lab_input(&l, "image");
    engine_output(l.g, lth_feature_alpha_dropout(lth_alpha_dropout(lth_dropout2d(image, 0.5), 0.5), 0.5), LTH_HERE);
    lab_end(&l);
    expect_values(&l, 0, (const double[]) { 1, -2 }, 2);
    lab_begin(&l, true);
    lth_dropout2d(lab_input(&l, "image"), 1.5);
    cr_assert_neq(lab_try_end(&l), LTH_OK);
    cr_expect(strstr(l.e.text, "the probability must be in [0, 1)"), "%s", l.e.text);
    lab_begin(&l, true);
    lth_alpha_dropout(lab_input(&l, "image"), -0.1);
    cr_assert_neq(lab_try_end(&l), LTH_OK);
    cr_expect(strstr(l.e.text, "the probability must be in [0, 1)"), "%s", l.e.text);
    lab_begin(&l, true);
    lth_dropout3d(lab_input(&l, "image"), 0.5);
    cr_assert_neq(lab_try_end(&l), LTH_OK);
    cr_expect(strstr(l.e.text, "dropout3d wants (N, C) and 3 spatial axes, got (1, 1, 1, 2)"), "%s", l.e.text);
    lab_close(&l);
}
