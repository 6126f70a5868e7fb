/* SPDX-License-Identifier: Apache-2.0
 * Layers: names, shapes and laws of their parameters, what they compute, and what they refuse. */
#include "nn_fixture.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Parameters ---- */

typedef struct net {
    lth_linear linear, plain;
    lth_embedding embedding, padded;
    lth_layer_norm norm, bare, scale;
} net;

static lth_status make_net(void *self, lth_setup *s)
{
    net *n = self;
    n->linear = lth_linear_new(s, "linear", 64, 128);
    n->plain = lth_linear_new(s, "plain", 1000, 50, .no_bias = 1);
    lth_enter(s, "deep");
    n->embedding = lth_embedding_new(s, "embedding", 100, 64);
    n->padded = lth_embedding_new(s, "padded", 5, 3, .padding = 1, .padding_idx = 2);
    lth_leave(s);
    n->norm = lth_layer_norm_new(s, "norm", 64);
    n->bare = lth_layer_norm_new(s, "bare", 64, .no_affine = 1);
    n->scale = lth_layer_norm_new(s, "scale", 64, .no_bias = 1, .eps = 1e-6);
    return lth_setup_status(s);
}

/* The elements of a named tensor of the state; the caller frees. */
static double *get(lab *l, const char *name, lth_shape *shape)
{
    for (uint32_t i = 0; i < engine_tensor_count(l->g); i++) {
        const engine_tensor *t = engine_tensor_at(l->g, i);
        if (strcmp(t->name, name) != 0)
            continue;
        int64_t n = lth_shape_count(&t->shape);
        double *out = malloc((size_t)n * sizeof *out);
        void *data = malloc((size_t)(n * lth_dtype_size(t->shape.dtype)));
        cr_assert_eq(engine_tensor_get(l->g, i, data, &l->e), LTH_OK, "%s", l->e.text);
        for (int64_t k = 0; k < n; k++)
            out[k] = bench_element(t->shape.dtype, data, k);
        free(data);
        *shape = t->shape;
        return out;
    }
    cr_assert_fail("there is no tensor '%s'", name);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_law(double x, double bound) { return x <= -bound ? 0 : x >= bound ? 1 : (x + bound) / (2 * bound); }
static double normal_law(double x, double std) { return 0.5 * erfc(-x / std / sqrt(2)); }

/* Kolmogorov and Smirnov: the greatest distance between the sample's distribution and the law's; 1.95 / sqrt(n) is passed
 * once in a thousand, and the seed is fixed. */
static void expect_law(double *x, int64_t n, const char *what, double (*law)(double x, double scale), double scale)
{
    double worst = 0;
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (int64_t i = 0; i < n; i++) {
        double f = law(x[i], scale);
        worst = fmax(worst, fmax(fabs(f - (double)i / (double)n), fabs(f - (double)(i + 1) / (double)n)));
    }
    cr_assert_lt(worst * sqrt((double)n), 1.95, "%s is not of its law: %g", what, worst * sqrt((double)n));
}

Test(nn_layers, parameters_have_the_names_shapes_and_laws_of_torch)
{
    lab l;
    net n;
    static const struct {
        const char *name;
        int64_t dim[2];
        double (*law)(double x, double scale);
        double scale; /* without a law: the constant */
    } rows[] = {
        { "linear.weight", { 128, 64 }, uniform_law, 0.125 },
        { "linear.bias", { 128, 0 }, uniform_law, 0.125 },
        { "plain.weight", { 50, 1000 }, uniform_law, 0.03162277660168379 },
        { "deep.embedding.weight", { 100, 64 }, normal_law, 1 },
        { "norm.weight", { 64, 0 }, NULL, 1 },
        { "norm.bias", { 64, 0 }, NULL, 0 },
        { "scale.weight", { 64, 0 }, NULL, 1 },
    };
    lab_open(&l, LTH_F32, make_net, &n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lth_shape s;
        double *x = get(&l, rows[i].name, &s);
        int64_t count = lth_shape_count(&s);
        cr_assert_eq(s.rank, rows[i].dim[1] ? 2 : 1, "%s", rows[i].name);
        cr_assert(s.dim[0] == rows[i].dim[0] && s.dim[1] == rows[i].dim[1], "%s", rows[i].name);
        if (rows[i].law)
            expect_law(x, count, rows[i].name, rows[i].law, rows[i].scale);
        for (int64_t k = 0; k < count && !rows[i].law; k++)
            cr_assert_eq(x[k], rows[i].scale, "%s", rows[i].name);
        free(x);
    }
    const lth_parameter_info *info;
    cr_assert_eq(engine_parameters(l.g, &info), 8); /* plain has no bias, bare nothing, scale no bias */
    cr_assert_str_eq(info[0].module, "linear");
    cr_assert_str_eq(info[0].type, "Linear");
    lab_close(&l);
}

Test(nn_layers, the_padding_row_of_an_embedding_begins_as_zero)
{
    lab l;
    net n;
    lth_shape s;
    lab_open(&l, LTH_F32, make_net, &n);
    double *x = get(&l, "deep.padded.weight", &s);
    for (int k = 0; k < 15; k++)
        cr_assert_eq(x[k] == 0, k / 3 == 2, "element %d is %g", k, x[k]);
    free(x);
    lab_close(&l);
}

/* ---- What they compute ---- */

typedef struct small { lth_linear linear; lth_embedding embedding; lth_layer_norm norm; } small;

static lth_status make_small(void *self, lth_setup *s)
{
    static const double weight[] = { 1, 2, 3, 4, 5, 6 }, bias[] = { 10, 20 }, table[] = { 0, 1, 10, 11, 20, 21 };
    small *n = self;
    n->linear = lth_linear_new(s, "linear", 3, 2, .weight = LTH_REF(lth_init, LTH_INIT_VALUES, 0, 0, 0, weight),
                               .bias = LTH_REF(lth_init, LTH_INIT_VALUES, 0, 0, 0, bias));
    n->embedding = lth_embedding_new(s, "embedding", 3, 2, .weight = LTH_REF(lth_init, LTH_INIT_VALUES, 0, 0, 0, table), .padding = 1,
                                     .padding_idx = 0);
    n->norm = lth_layer_norm_new(s, "norm", 3);
    return lth_setup_status(s);
}

Test(nn_layers, a_linear_layer_takes_any_number_of_leading_axes)
{
    lab l;
    small n;
    lab_open(&l, LTH_F64, make_small, &n);
    const char *inputs[] = { "[1.0, 0.0, 2.0]", "[[1.0, 0.0, 2.0]]", "[[[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]]]" };
    for (int i = 0; i < 3; i++) {
        lab_field_text(&l, "x", inputs[i]);
        lab_begin(&l, true);
        engine_output(l.g, lth_linear_apply(&n.linear, lab_input(&l, "x")), LTH_HERE);
        lab_end(&l);
        const lth_shape *s = lab_output_shape(&l, 0);
        cr_assert_eq(s->rank, l.fields[0].shape.rank);
        cr_assert_eq(s->dim[s->rank - 1], 2);
        cr_assert_eq(lab_value(&l, 0, 0), 1 + 6 + 10);
        cr_assert_eq(lab_value(&l, 0, 1), 4 + 12 + 20);
        if (i == 2)
            cr_assert_eq(lab_value(&l, 0, 3), 5 + 20);
        lab_clear_fields(&l);
    }
    lab_close(&l);
}

Test(nn_layers, an_embedding_gives_rows_and_its_padding_row_no_gradient)
{
    lab l;
    small n;
    lab_open(&l, LTH_F64, make_small, &n);
    lab_field_text(&l, "i", "[[2, 0], [1, 1]]");
    lab_begin(&l, true);
    lth_tensor y = lth_embedding_apply(&n.embedding, lab_input(&l, "i")), table = lth_parameter_value(y, n.embedding.weight), gradient;
    lth_grad(lth_sum(y), &table, 1, &gradient);
    engine_output(l.g, y, LTH_HERE);
    engine_output(l.g, gradient, LTH_HERE);
    lab_end(&l);
    const double rows[] = { 20, 21, 0, 0, 10, 11, 10, 11 }, gradients[] = { 0, 0, 2, 2, 1, 1 };
    cr_assert_eq(lab_output_shape(&l, 0)->rank, 3);
    for (int k = 0; k < 8; k++)
        if (k / 2 != 1)
            cr_assert_eq(lab_value(&l, 0, k), rows[k], "element %d", k);
    for (int k = 0; k < 6; k++)
        cr_assert_eq(lab_value(&l, 1, k), gradients[k], "gradient %d", k);
    lab_close(&l);
}

/* As torch.nn.functional.embedding_bag(index, table, mode=..., padding_idx=0). */
Test(nn_layers, an_embedding_of_a_bag_leaves_its_padding_out)
{
    static const struct { lth_bag mode; bool weighted; double rows[6], gradients[6]; } modes[] = {
        { LTH_BAG_MEAN, false, { 15, 16, 0, 0, 40.0 / 3, 43.0 / 3 }, { 0, 0, 7.0 / 6, 7.0 / 6, 5.0 / 6, 5.0 / 6 } },
        { LTH_BAG_SUM, false, { 30, 32, 0, 0, 40, 43 }, { 0, 0, 3, 3, 2, 2 } },
        { LTH_BAG_SUM, true, { 70, 75, 0, 0, 15, 16.5 }, { 0, 0, 4.5, 4.5, 2, 2 } },
        { LTH_BAG_MAX, false, { 20, 21, 0, 0, 20, 21 }, { 0, 0, 0, 0, 2, 2 } },
    };
    lab l;
    small n;
    lab_open(&l, LTH_F64, make_small, &n);
    lab_field_text(&l, "i", "[[2, 0, 1], [0, 0, 0], [1, 1, 2]]");
    lab_field_text(&l, "w", "[[2.0, 5.0, 3.0], [1.0, 1.0, 1.0], [1.0, 0.5, 0.0]]");
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        lab_begin(&l, true);
        lth_tensor weight = modes[m].weighted ? lab_input(&l, "w") : lth_none(), gradient;
        lth_tensor y = lth_embedding_bag_apply(&n.embedding, lab_input(&l, "i"), .mode = modes[m].mode, .weight = weight);
        lth_tensor table = lth_parameter_value(y, n.embedding.weight);
        lth_grad(lth_sum(y), &table, 1, &gradient);
        engine_output(l.g, y, LTH_HERE);
        engine_output(l.g, gradient, LTH_HERE);
        lab_end(&l);
        for (int k = 0; k < 6; k++) {
            cr_expect_float_eq(lab_value(&l, 0, k), modes[m].rows[k], 1e-14, "mode %zu: element %d is %g", m, k, lab_value(&l, 0, k));
            cr_expect_float_eq(lab_value(&l, 1, k), modes[m].gradients[k], 1e-14, "mode %zu: gradient %d is %g", m, k, lab_value(&l, 1, k));
        }
    }
    lab_close(&l);
}

/* ---- Values made in a step ---- */

Test(nn_values, a_shape_without_a_type_takes_that_of_the_tensor_near_by_or_of_the_run)
{
    static const lth_dtype runs[] = { LTH_F32, LTH_F64 };
    for (int i = 0; i < 2; i++) {
        lab l;
        lab_open(&l, runs[i], NULL, NULL);
        lab_field_text(&l, "real", "[1.5]"); /* f64, whatever the run's type is */
        lab_field_text(&l, "whole", "[7]");
        lab_begin(&l, true);
        lth_tensor real = lab_input(&l, "real"), whole = lab_input(&l, "whole");
        const lth_tensor made[] = { lth_uniform(real, LTH_SHAPE(2, 3)),  lth_normal(real, LTH_SHAPE(2, 3)),
                                    lth_uniform(whole, LTH_SHAPE(2, 3)), lth_normal(whole, LTH_SHAPE(2, 3)),
                                    lth_iota(real, LTH_SHAPE(2, 3), 1),  lth_iota(whole, LTH_SHAPE(2, 3), 1) };
        const lth_dtype types[] = { LTH_F64, LTH_F64, runs[i], runs[i], LTH_F64, LTH_I64 };
        for (uint32_t k = 0; k < 6; k++)
            cr_assert_eq(engine_output(l.g, made[k], LTH_HERE), k);
        lab_end(&l);
        for (uint32_t k = 0; k < 6; k++) {
            const lth_shape *shape = lab_output_shape(&l, k);
            cr_assert_eq(shape->dtype, types[k], "value %u: %s", k, lth_dtype_name(shape->dtype));
            cr_assert(shape->rank == 2 && shape->dim[0] == 2 && shape->dim[1] == 3);
        }
        for (int k = 0; k < 6; k++)
            cr_assert(lab_value(&l, 4, k) == k % 3 && lab_value(&l, 5, k) == k % 3);
        cr_assert_neq(lab_value(&l, 2, 0), lab_value(&l, 2, 1));
        lab_close(&l);
    }
}

/* ---- Metrics ---- */

Test(nn_metrics, accuracy_counts_the_greatest_logit)
{
    lab l;
    lab_open(&l, LTH_F64, NULL, NULL);
    lab_field_text(&l, "x", "[[0.1, 0.9, 0.0], [2.0, 1.0, 3.0], [1.0, 0.0, 1.0], [0.0, 5.0, 4.0]]");
    lab_field_text(&l, "y", "[1, 0, 0, 2]");
    lab_field_text(&l, "z", "[[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]");
    lab_begin(&l, true);
    lth_tensor x = lab_input(&l, "x"), y = lab_input(&l, "y");
    engine_output(l.g, lth_accuracy(x, y), LTH_HERE);
    engine_output(l.g, lth_accuracy(x, lth_cast(y, LTH_I32)), LTH_HERE);
    engine_output(l.g, lth_top_k_accuracy(x, y, 1), LTH_HERE);
    engine_output(l.g, lth_top_k_accuracy(x, y, 2), LTH_HERE);
    engine_output(l.g, lth_top_k_accuracy(x, y, 3), LTH_HERE);
    engine_output(l.g, lth_binary_accuracy(lth_sub(x, 0.5), lab_input(&l, "z")), LTH_HERE);
    engine_output(l.g, lth_weighted_mean(x, x), LTH_HERE);
    lab_end(&l);
    /* Row 3 has two that are greatest: the first counts. Rows 2 and 4 are right with their second greatest. */
    const double expected[] = { 0.5, 0.5, 0.5, 1, 1, 0.5, 57.82 / 18 };
    for (uint32_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_assert_float_eq(lab_value(&l, i, 0), expected[i], 1e-15, "metric %u is %.17g", i, lab_value(&l, i, 0));
    lab_close(&l);
}

/* ---- What they refuse ---- */

/* Ends the step, which must fail with a message of this file's line and with `text` in it. */
static void expect_refusal(lab *l, int line, const char *text)
{
    char place[64];
    cr_assert_neq(lab_try_end(l), LTH_OK, "'%s' was not refused", text);
    snprintf(place, sizeof place, "test_layers.c:%d", line);
    cr_assert(strstr(l->e.text, place), "%s does not name %s", l->e.text, place);
    cr_assert(strstr(l->e.text, text), "%s does not say '%s'", l->e.text, text);
}

Test(nn_refusals, name_the_authors_line_and_both_shapes)
{
    lab l;
    small n;
    lab_open(&l, LTH_F64, make_small, &n);
    lab_field_text(&l, "x", "[[1.0, 2.0], [3.0, 4.0]]");
    lab_field_text(&l, "column", "[[1.0], [2.0]]");
    lab_field_text(&l, "class", "[0, 1, 1]");

    lab_begin(&l, true);
    lth_linear_apply(&n.linear, lab_input(&l, "x"));
    expect_refusal(&l, __LINE__ - 1, "(2, 2)");

    lab_begin(&l, true);
    lth_layer_norm_apply(&n.norm, lab_input(&l, "x"));
    expect_refusal(&l, __LINE__ - 1, "(2, 2)");

    lab_begin(&l, true);
    lth_cross_entropy(lab_input(&l, "x"), lab_input(&l, "class"));
    expect_refusal(&l, __LINE__ - 1, "(3)");

    lab_begin(&l, true);
    lth_mse_loss(lab_input(&l, "x"), lab_input(&l, "column"));
    expect_refusal(&l, __LINE__ - 1, "(2, 1)");

    lab_begin(&l, true);
    lth_glu(lab_input(&l, "column"), 1);
    expect_refusal(&l, __LINE__ - 1, "odd");

    lth_linear never = { 0 };
    lab_begin(&l, true);
    lth_linear_apply(&never, lab_input(&l, "x"));
    expect_refusal(&l, __LINE__ - 1, "never made");

    lab_begin(&l, true);
    lth_cross_entropy(lab_input(&l, "x"), lab_input(&l, "class"), .label_smoothing = 1.5);
    expect_refusal(&l, __LINE__ - 1, "label_smoothing");

    lab_begin(&l, true);
    lth_cross_entropy(lab_input(&l, "x"), lth_slice(lab_input(&l, "class"), 0, 0, 2), .ignore_index = -100);
    expect_refusal(&l, __LINE__ - 1, ".ignore = 1");

    lab_begin(&l, true);
    lth_pairwise_distance(lab_input(&l, "x"), lab_input(&l, "x"), .p = -2);
    expect_refusal(&l, __LINE__ - 1, "above 0");

    lab_begin(&l, true);
    lth_cdist(lab_input(&l, "x"), lab_input(&l, "column"));
    expect_refusal(&l, __LINE__ - 1, "(2, 1)");

    lab_begin(&l, true);
    lth_ctc_loss(lab_input(&l, "x"), lab_input(&l, "class"), lab_input(&l, "class"), lab_input(&l, "class"));
    expect_refusal(&l, __LINE__ - 1, "pad them");
    lab_close(&l);
}
