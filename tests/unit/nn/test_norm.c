/* SPDX-License-Identifier: Apache-2.0
 * Norms: as torch's, with running statistics over several batches, and what they refuse. */
#include "module_golden.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Against torch: norms without a memory ---- */

static lth_shape option_shape(const module_trial *t, const char *name)
{
    const json_t *list = json_object_get(t->options, name);
    lth_shape s = { LTH_DTYPE_NONE, (int32_t)json_array_size(list), { 0 } };
    for (int32_t i = 0; i < s.rank; i++)
        s.dim[i] = json_integer_value(json_array_get(list, (size_t)i));
    if (json_is_integer(list))
        s.dim[s.rank++] = json_integer_value(list);
    return s;
}

static lth_status make_layer_norm(void *self, lth_setup *s)
{
    module_trial *t = self;
    const lth_shape over = option_shape(t, "normalized_shape");
    *(lth_layer_norm *)(void *)t->layer.bytes =
        lth_layer_norm_over_new(s, "m", &over, .eps = module_option(t, "eps", 0), .no_affine = !module_option(t, "affine", 1),
                                .no_bias = !module_option(t, "bias", 1));
    return lth_setup_status(s);
}

static lth_status make_rms_norm(void *self, lth_setup *s)
{
    module_trial *t = self;
    const lth_shape over = option_shape(t, "normalized_shape");
    *(lth_rms_norm *)(void *)t->layer.bytes = over.rank == 1
                                                  ? lth_rms_norm_new(s, "m", over.dim[0], .eps = module_option(t, "eps", 0),
                                                                     .no_affine = !module_option(t, "affine", 1))
                                                  : lth_rms_norm_over_new(s, "m", &over, .eps = module_option(t, "eps", 0));
    return lth_setup_status(s);
}

static void run_layer_norm(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_layer_norm_apply((lth_layer_norm *)(void *)t->layer.bytes, module_input(t, "input"));
}

static lth_status make_group_norm(void *self, lth_setup *s)
{
    module_trial *t = self;
    *(lth_group_norm *)(void *)t->layer.bytes =
        lth_group_norm_new(s, "m", (int64_t)module_option(t, "num_groups", 0), (int64_t)module_option(t, "num_channels", 0),
                           .eps = module_option(t, "eps", 0), .no_affine = !module_option(t, "affine", 1));
    return lth_setup_status(s);
}

static void run_group_norm(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_group_norm_apply((lth_group_norm *)(void *)t->layer.bytes, module_input(t, "input"));
}

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

static void run_local_response(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_local_response_norm(module_input(t, "input"), (int64_t)module_option(t, "size", 0),
                                         .alpha = module_option(t, "alpha", 0), .beta = module_option(t, "beta", 0),
                                         .k = module_option(t, "k", 0));
}

static const module_row golden_rows[] = {
    { "LayerNorm", make_layer_norm, run_layer_norm },
    { "RMSNorm", make_rms_norm, run_layer_norm },
    { "GroupNorm", make_group_norm, run_group_norm },
    { "LocalResponseNorm", make_nothing, run_local_response },
};

Test(nn_norm, layers_have_the_values_and_gradients_of_torch)
{
    module_golden("norm.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_norm, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("norm.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 4);
}

static lth_status make_batch_norm1d(void *self, lth_setup *s)
{
    lth_batch_norm1d_new(s, "m", (int64_t)module_option(self, "num_features", 0));
    return lth_setup_status(s);
}

static lth_status make_batch_norm2d(void *self, lth_setup *s)
{
    lth_batch_norm2d_new(s, "m", (int64_t)module_option(self, "num_features", 0));
    return lth_setup_status(s);
}

Test(nn_norm, parameters_and_buffers_begin_as_torch_s_do)
{
    static const module_row rows[] = {
        { "LayerNorm", make_layer_norm, NULL },
        { "RMSNorm", make_rms_norm, NULL },
        { "GroupNorm", make_group_norm, NULL },
        { "BatchNorm1d", make_batch_norm1d, NULL },
        { "BatchNorm2d", make_batch_norm2d, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}

/* ---- Against torch: running statistics ---- */

typedef struct running {
    lab lab;
    const json_t *c;
    const char *name;
    lth_batch_norm norm;
    int wrong;
} running;

static double option(const running *r, const char *name, double otherwise)
{
    const json_t *value = json_object_get(json_object_get(r->c, "options"), name);
    return json_is_boolean(value) ? json_is_true(value) : value ? json_number_value(value) : otherwise;
}

static lth_status make_running(void *self, lth_setup *s)
{
    running *r = self;
    const char *module = json_string_value(json_object_get(r->c, "module"));
    const json_t *x = json_object_get(json_array_get(json_object_get(r->c, "training"), 0), "input");
    int64_t channels = (int64_t)json_array_size(json_array_get(x, 0));
    int32_t axes = module[strlen(module) - 2] - '0';
    if (strncmp(module, "Instance", 8) == 0)
        r->norm = LTH_INSTANCE_NORM_NEW_(s, "m", axes, channels, .eps = option(r, "eps", 0), .momentum = option(r, "momentum", 0),
                                         .affine = (int32_t)option(r, "affine", 0),
                                         .tracking = (int32_t)option(r, "track_running_stats", 0));
    else
        r->norm = LTH_BATCH_NORM_NEW_(s, "m", axes, channels, .eps = option(r, "eps", 0), .momentum = option(r, "momentum", 0),
                                      .cumulative = (int32_t)option(r, "cumulative", 0), .no_affine = !option(r, "affine", 1),
                                      .no_tracking = !option(r, "track_running_stats", 1));
    return lth_setup_status(s);
}

/* The tensors of a kind: set from the values by name, or compared with them; all must be named. */
static void state_of_kind(running *r, engine_tensor_kind kind, const json_t *values, bool set)
{
    double numbers[64];
    size_t met = 0;
    for (uint32_t i = 0; i < engine_tensor_count(r->lab.g); i++) {
        const engine_tensor *t = engine_tensor_at(r->lab.g, i);
        if (t->kind != kind)
            continue;
        const json_t *value = json_object_get(values, t->name);
        cr_assert_not_null(value, "%s: torch has no '%s'", r->name, t->name);
        cr_assert_eq(json_flatten(value, numbers, 64), lth_shape_count(&t->shape), "%s: %s", r->name, t->name);
        cr_assert_eq(t->shape.dtype, strstr(t->name, "num_batches") ? LTH_I64 : LTH_F64, "%s: %s", r->name, t->name);
        met++;
        double is[64];
        cr_assert_eq(set ? engine_tensor_set(r->lab.g, i, numbers, &r->lab.e) : engine_tensor_get(r->lab.g, i, is, &r->lab.e),
                     LTH_OK);
        for (int64_t k = 0; !set && k < lth_shape_count(&t->shape); k++) {
            double got = bench_element(t->shape.dtype, is, k);
            cr_expect(fabs(got - numbers[k]) <= 1e-13 * (1 + fabs(numbers[k])), "%s: %s[%lld] = %.17g, torch has %.17g", r->name,
                      t->name, (long long)k, got, numbers[k]);
        }
    }
    cr_assert_eq(met, json_object_size(values), "%s: %zu of %zu tensors of torch", r->name, met, json_object_size(values));
}

static void expect_numbers(running *r, const char *what, uint32_t slot, const json_t *expected)
{
    static double numbers[512];
    int64_t count = json_flatten(expected, numbers, 512);
    cr_assert_eq(lth_shape_count(lab_output_shape(&r->lab, slot)), count, "%s: %s", r->name, what);
    for (int64_t i = 0; i < count; i++) {
        double is = lab_value(&r->lab, slot, i);
        cr_expect(fabs(is - numbers[i]) <= 1e-11 * (1 + fabs(numbers[i])), "%s: %s[%lld] = %.17g, torch has %.17g", r->name, what,
                  (long long)i, is, numbers[i]);
    }
}

static void take_batch(running *r, const json_t *batch, bool training)
{
    lab *l = &r->lab;
    const json_t *grads = json_object_get(batch, "grads");
    lab_clear_fields(l);
    lab_field(l, "input", json_object_get(batch, "input"));
    lab_field(l, "upstream", json_object_get(batch, "upstream"));
    lab_begin(l, training);
    lth_tensor x = lab_input(l, "input"), y = lth_batch_norm_apply(&r->norm, x), wrt[3] = { x }, gradients[3];
    uint32_t count = 1;
    if (r->norm.weight.id) {
        wrt[count++] = lth_parameter_value(x, r->norm.weight);
        wrt[count++] = lth_parameter_value(x, r->norm.bias);
    }
    lth_grad(lth_sum(lth_mul(y, lab_input(l, "upstream"))), wrt, count, gradients);
    engine_output(l->g, y, LTH_HERE);
    for (uint32_t i = 0; i < count; i++)
        engine_output(l->g, gradients[i], LTH_HERE);
    lab_end(l);
    expect_numbers(r, "output", 0, json_object_get(batch, "output"));
    expect_numbers(r, "gradient by input", 1, json_object_get(grads, "input"));
    cr_assert_eq(count, json_object_size(grads));
    if (count == 3) {
        expect_numbers(r, "gradient by weight", 2, json_object_get(grads, "m.weight"));
        expect_numbers(r, "gradient by bias", 3, json_object_get(grads, "m.bias"));
    }
    state_of_kind(r, ENGINE_BUFFER, json_object_get(batch, "buffers"), false);
}

Test(nn_norm, running_statistics_go_the_way_of_torch_s_and_evaluation_is_by_them)
{
    static running r;
    error e = { 0 };
    json_t *golden, *c, *batch;
    size_t i, k;
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/batch_norm.json", &golden, &e), LTH_OK, "%s", e.text);
    json_array_foreach(json_object_get(golden, "cases"), i, c)
    {
        r = (running) { .c = c, .name = json_string_value(json_object_get(c, "name")) };
        lab_open(&r.lab, LTH_F64, make_running, &r);
        state_of_kind(&r, ENGINE_PARAMETER, json_object_get(c, "parameters"), true);
        json_array_foreach(json_object_get(c, "training"), k, batch) take_batch(&r, batch, true);
        take_batch(&r, json_object_get(c, "evaluation"), false);
        lab_close(&r.lab);
    }
    cr_assert_geq(i, 11);
    json_decref(golden);
}

/* ---- What there is no torch for ---- */

static lth_status make_2d(void *self, lth_setup *s)
{
    *(lth_batch_norm2d *)self = lth_batch_norm2d_new(s, "m", 2);
    return lth_setup_status(s);
}

/* A layer used twice in a step tracks both uses, one after the other. */
Test(nn_norm, a_norm_used_twice_in_a_step_tracks_twice)
{
    lab l;
    lth_batch_norm2d norm;
    lab_open(&l, LTH_F64, make_2d, &norm);
    lab_field_text(&l, "x", "[[[[1.0, 3.0]], [[5.0, 5.0]]]]"); /* means 2 and 5, unbiased variances 2 and 0 */
    lab_begin(&l, true);
    lth_tensor x = lab_input(&l, "x");
    lth_batch_norm_apply(&norm, x);
    lth_batch_norm_apply(&norm, x);
    engine_output(l.g, lth_buffer_value(x, norm.running_mean), LTH_HERE);
    engine_output(l.g, lth_buffer_value(x, norm.running_var), LTH_HERE);
    engine_output(l.g, lth_buffer_value(x, norm.num_batches_tracked), LTH_HERE);
    lab_end(&l);
    const double mean[] = { 0.38, 0.95 }, var[] = { 1.19, 0.81 };
    for (int i = 0; i < 2; i++) {
        cr_expect_float_eq(lab_value(&l, 0, i), mean[i], 1e-15);
        cr_expect_float_eq(lab_value(&l, 1, i), var[i], 1e-15);
    }
    cr_expect_eq(lab_value(&l, 2, 0), 2);
    lab_close(&l);
}

typedef struct refused {
    const char *x, *message;
} refused;

Test(nn_norm, what_cannot_be_normalised_is_refused)
{
    static const refused cases[] = {
        { "[[1.0, 2.0]]", "a norm of (N, 2) and 2 spatial axes was given (1, 2)" },
        { "[[[[1.0]], [[1.0]], [[1.0]]]]", "a norm of (N, 2) and 2 spatial axes was given (1, 3, 1, 1)" },
        { "[[[[1.0]], [[1.0]]]]", "a norm of channels by statistics of (1, 2, 1, 1): one element a channel has none" },
    };
    lab l;
    lth_batch_norm2d norm, never = { 0 };
    lab_open(&l, LTH_F64, make_2d, &norm);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab_clear_fields(&l);
        lab_field_text(&l, "x", cases[i].x);
        lab_begin(&l, true);
        lth_batch_norm_apply(&norm, lab_input(&l, "x"));
        cr_assert_neq(lab_try_end(&l), LTH_OK);
        cr_expect(strstr(l.e.text, cases[i].message), "%s", l.e.text);
    }
    lab_begin(&l, true);
    lth_batch_norm_apply(&never, lab_input(&l, "x"));
    cr_assert_neq(lab_try_end(&l), LTH_OK);
    cr_expect(strstr(l.e.text, "this norm was never made: call lth_batch_norm2d_new, say, in configure"), "%s", l.e.text);
    lab_close(&l);
}

/* In evaluation one element a channel is as good as any other number. */
Test(nn_norm, evaluation_takes_one_sample)
{
    lab l;
    lth_batch_norm2d norm;
    lab_open(&l, LTH_F64, make_2d, &norm);
    lab_field_text(&l, "x", "[[[[1.0]], [[-2.0]]]]");
    lab_begin(&l, false);
    engine_output(l.g, lth_batch_norm_apply(&norm, lab_input(&l, "x")), LTH_HERE);
    lab_end(&l);
    cr_expect_float_eq(lab_value(&l, 0, 0), 1 / sqrt(1 + 1e-5), 1e-15);
    cr_expect_float_eq(lab_value(&l, 0, 1), -2 / sqrt(1 + 1e-5), 1e-15);
    lab_close(&l);
}
