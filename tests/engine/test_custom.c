/* SPDX-License-Identifier: Apache-2.0
 * Authors' own ops (custom.h): they run where the built-in ones run, are differentiated by their own rules, and are known by
 * their tables and attributes. */
#include "allocations.h"
#include "custom_ops.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static rig r;

static double sigma(double x) { return 1 / (1 + exp(-x)); }

Test(custom, a_kernel_runs_on_every_accelerator_fused_unfused_and_eager)
{
    EACH_WAY(i, setup)
    {
        rig_open(&r, &setup);
        for (int batch = 0; batch <= 8; batch += 4) {
            lth_tensor x =
                custom_begin(&r, &(rig_recipe) { .hook = "test_step", .evaluate = true, .batch = batch ? batch : RIG_BATCH });
            x = lth_slice(x, 0, 0, batch);
            lth_tensor y = custom_swish_of(lth_mul(x, 2), 1.5), s = lth_custom_result(y, 1), ones = lth_add(lth_mul(x, 0), 1);
            lth_tensor d = custom_dots_of(lth_add(y, 1), ones), n = lth_custom_result(d, 1);
            uint32_t a = engine_output(r.g, y, RIG_HERE), b = engine_output(r.g, s, RIG_HERE),
                     c = engine_output(r.g, d, RIG_HERE);
            uint32_t e = engine_output(r.g, n, RIG_HERE);
            custom_finish(&r);
            for (int k = 0; k < batch; k++) {
                double sum = 0;
                int positive = 0;
                for (int j = 0; j < RIG_IN; j++) {
                    double v = 2 * (double)r.x[k * RIG_IN + j], w = v * sigma(1.5 * v);
                    cr_assert_float_eq(custom_output(&r, a, k * RIG_IN + j), w, 1e-6);
                    cr_assert_float_eq(custom_output(&r, b, k * RIG_IN + j), sigma(1.5 * v), 1e-6);
                    sum += w + 1;
                    positive += w + 1 > 0;
                }
                cr_assert_float_eq(custom_output(&r, c, k), sum, 1e-5);
                cr_assert_eq(custom_output(&r, e, k), positive);
            }
        }
        rig_close(&r);
    }
}

/* ---- Gradients ---- */

typedef lth_tensor loss_function(lth_tensor x);

static lth_tensor loss_of_swish(lth_tensor x)
{
    lth_tensor y = custom_swish_of(x, 1.25);
    return lth_add(lth_sum(lth_mul(y, lth_cos(x))), lth_sum(lth_exp(lth_custom_result(y, 1))));
}
static lth_tensor loss_of_first_result(lth_tensor x) { return lth_sum(lth_square(custom_swish_of(x, 0.75))); }
static lth_tensor loss_of_second_result(lth_tensor x)
{
    return lth_sum(lth_square(lth_custom_result(custom_swish_of(x, 0.75), 1)));
}
static lth_tensor loss_of_dots(lth_tensor x) { return lth_sum(lth_sin(custom_dots_of(x, lth_exp(x)))); }
static lth_tensor loss_of_both_operands(lth_tensor x) { return lth_sum(lth_square(custom_dots_of(x, x))); }
static lth_tensor loss_of_chain(lth_tensor x)
{
    return lth_sum(custom_dots_of(custom_swish_of(custom_swish_of(x, 1), 2), lth_tanh(x)));
}

/* first: the loss, its gradient; second: the sum of that gradient's squares, and the gradient of it. */
static double evaluate(loss_function *f, bool second, double *gradient)
{
    lth_tensor x = custom_begin(&r, NULL), d, loss = f(x);
    lth_grad(loss, &x, 1, &d);
    if (second) {
        loss = lth_sum(lth_square(d));
        lth_grad(loss, &x, 1, &d);
    }
    uint32_t a = engine_output(r.g, loss, RIG_HERE), b = engine_output(r.g, d, RIG_HERE);
    custom_finish(&r);
    for (int i = 0; gradient && i < RIG_BATCH * RIG_IN; i++)
        gradient[i] = custom_output(&r, b, i);
    return custom_output(&r, a, 0);
}

static void check_gradient(loss_function *f, const char *name, bool second)
{
    const float h = 1.0f / 2048;
    double gradient[RIG_BATCH * RIG_IN];
    for (int i = 0; i < RIG_BATCH * RIG_IN; i++)
        r.x[i] = roundf(r.x[i] * 1024) / 1024; /* so that x + h is exact */
    evaluate(f, second, gradient);
    for (int i = 0; i < RIG_BATCH * RIG_IN; i++) {
        float x = r.x[i];
        r.x[i] = x + h;
        double above = evaluate(f, second, NULL);
        r.x[i] = x - h;
        double difference = (above - evaluate(f, second, NULL)) / (2 * (double)h);
        r.x[i] = x;
        cr_assert(fabs(difference - gradient[i]) <= 2e-5 * (1 + fabs(difference)),
                  "%s%s, element %d: %.9g, differences give %.9g", name, second ? ", second" : "", i, gradient[i], difference);
    }
}

Test(custom, gradients_agree_with_differences_and_so_do_gradients_of_gradients)
{
    static const struct {
        loss_function *f;
        const char *name;
    } losses[] = { { loss_of_swish, "swish" },
                   { loss_of_first_result, "swish's first result" },
                   { loss_of_second_result, "its second" },
                   { loss_of_dots, "dots" },
                   { loss_of_both_operands, "dots of one tensor twice" },
                   { loss_of_chain, "a chain" } };
    EACH_WAY(i, setup)
    {
        if (setup.floating != LTH_F64)
            continue;
        rig_open(&r, &setup);
        for (size_t k = 0; k < sizeof losses / sizeof *losses; k++)
            for (int second = 0; second < 2; second++)
                check_gradient(losses[k].f, losses[k].name, second);
        rig_close(&r);
    }
}

Test(custom, training_through_a_custom_op_follows_the_same_in_ops_and_compiles_once)
{
    EACH_WAY(i, setup)
    {
        double losses[2];
        for (int custom = 0; custom < 2; custom++) {
            rig_open(&r, &setup);
            for (int step = 0; step < 20; step++)
                custom_train(&r, custom);
            losses[custom] = custom_output(&r, 0, 0);
            cr_assert_eq(rig_stats(&r).plans_compiled, 1);
            rig_close(&r);
        }
        cr_assert(fabs(losses[1] - losses[0]) <= (setup.floating == LTH_F64 ? 1e-12 : 2e-5) * losses[0], "%.17g and %.17g",
                  losses[1], losses[0]);
    }
}

/* Between products of 16 bits, a kernel gets the f32 that it was written for. */
Test(custom, training_in_lower_precisions_follows_the_same_in_f32)
{
    static const rig_setup setups[] = { { .lower = LTH_DTYPE_NONE },
                                        { .lower = LTH_BF16 },
                                        { .lower = LTH_BF16, .stored = LTH_BF16 },
                                        { .lower = LTH_F16 },
                                        { .lower = LTH_BF16, .accelerator = "cpu" },
                                        { .lower = LTH_BF16, .stored = LTH_BF16, .accelerator = "cpu" } };
    double exact = 0;
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) {
        if (!rig_has(setups[i].accelerator ? setups[i].accelerator : "reference"))
            continue;
        rig_open(&r, &setups[i]);
        for (int step = 0; step < 5; step++)
            custom_train(&r, true);
        double loss = custom_output(&r, 0, 0);
        exact = i ? exact : loss;
        cr_assert(fabs(loss - exact) <= 0.03 * exact, "setup %zu: %.9g and %.9g", i, loss, exact);
        rig_close(&r);
    }
}

Test(custom, a_steady_step_allocates_nothing)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (int i = 0; i < 2 && rig_has(accelerators[i]); i++) {
        rig_open(&r, &(rig_setup) { .accelerator = accelerators[i] });
        for (int step = 0; step < 60; step++) {
            if (step == 20)
                allocations_begin();
            custom_train(&r, true);
        }
        int allocations = allocations_end();
        cr_assert_eq(allocations, 0, "%d allocations in 40 steps on %s", allocations, accelerators[i]);
        rig_close(&r);
    }
}

Test(custom, a_strategy_hands_custom_ops_on)
{
    const lth_strategy copier = { .struct_size = sizeof copier, .id = "copier", .transform = rig_rewrite };
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        rig_open(&r, &(rig_setup) { .strategy = i ? &copier : NULL });
        for (int step = 0; step < 3; step++)
            custom_train(&r, true);
        hashes[i] = rig_state_hash(&r);
        rig_close(&r);
    }
    cr_assert_eq(hashes[0], hashes[1]);
}

Test(custom, a_value_can_be_read_between_and_a_gradient_stopped)
{
    uint64_t hashes[2];
    for (int reads = 0; reads < 2; reads++) {
        rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
        for (int step = 0; step < 3; step++) {
            lth_tensor x = custom_begin(&r, &(rig_recipe) { 0 }), w = lth_parameter_value(x, r.w1);
            lth_tensor a = custom_swish_of(w, 1), b = custom_swish_of(lth_stop_gradient(lth_mul(w, 2)), 1);
            if (reads)
                cr_assert_lt(fabs(lth_item(lth_sum(lth_sub(a, lth_mul(w, lth_custom_result(a, 1)))))), 1e-12);
            lth_tensor d, loss = lth_sum(lth_mul(a, b));
            lth_grad(loss, &w, 1, &d);
            lth_tensor only_a = custom_swish_back_of(w, b, 1);
            uint32_t zero = engine_output(r.g, custom_largest(lth_sub(d, only_a)), RIG_HERE);
            const lth_tensor *gradients;
            uint32_t count;
            engine_gradients(r.g, 0, loss, &gradients, &count, RIG_HERE);
            engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1 }, RIG_HERE);
            custom_finish(&r);
            cr_assert_lt(custom_output(&r, zero, 0), 1e-15, "no gradient comes through what is stopped");
        }
        hashes[reads] = rig_state_hash(&r);
        rig_close(&r);
    }
    cr_assert_eq(hashes[0], hashes[1]);
}

/* ---- What an op is ---- */

Test(custom, equal_calls_are_computed_once_and_other_attributes_are_another_op)
{
    rig_open(&r, NULL);
    const struct {
        double first, second;
        int calls;
    } cases[] = { { 1, 1, 1 }, { 1, 2, 2 }, { 1, 1, 1 }, { 1, 2, 2 } };
    for (int i = 0; i < 4; i++) {
        custom_calls = 0;
        lth_tensor x = custom_begin(&r, NULL);
        uint32_t a = engine_output(r.g, lth_sum(lth_sub(custom_swish_of(x, cases[i].first), custom_swish_of(x, cases[i].second))),
                                   RIG_HERE);
        custom_finish(&r);
        cr_assert_eq(custom_calls, cases[i].calls);
        cr_assert_eq(custom_output(&r, a, 0) == 0, cases[i].first == cases[i].second);
    }
    cr_assert_eq(rig_stats(&r).plans_compiled, 2);
    cr_assert_eq(rig_stats(&r).plan_hits, 2);
    rig_close(&r);
}

static bool twice_run(const lth_custom_call *c)
{
    for (int64_t i = 0; i < lth_shape_count(c->result_shapes[0]); i++)
        bench_fill(c->result_shapes[0]->dtype, c->results[0], i, 2 * custom_in(c, 0, i));
    return true;
}
static bool thrice_run(const lth_custom_call *c)
{
    for (int64_t i = 0; i < lth_shape_count(c->result_shapes[0]); i++)
        bench_fill(c->result_shapes[0]->dtype, c->results[0], i, 3 * custom_in(c, 0, i));
    return true;
}
LTH_CUSTOM_OP(twice, .name = "test.same", .result_count = 1, .shape = custom_like_first, .run = twice_run);
LTH_CUSTOM_OP(thrice, .name = "test.same", .result_count = 1, .shape = custom_like_first, .run = thrice_run);

Test(custom, two_tables_of_one_name_are_two_ops)
{
    rig_open(&r, NULL);
    for (int i = 0; i < 4; i++) {
        lth_tensor x = custom_begin(&r, NULL), first = lth_custom(i % 2 ? &thrice : &twice, &x, 1, NULL, 0);
        lth_tensor both = lth_sub(lth_custom(&thrice, &x, 1, NULL, 0), lth_custom(&twice, &x, 1, NULL, 0));
        uint32_t a = engine_output(r.g, custom_largest(lth_sub(first, lth_mul(x, i % 2 ? 3 : 2))), RIG_HERE);
        uint32_t b = engine_output(r.g, custom_largest(lth_sub(both, x)), RIG_HERE);
        custom_finish(&r);
        cr_assert_eq(custom_output(&r, a, 0), 0);
        cr_assert_lt(custom_output(&r, b, 0), 1e-6);
    }
    rig_close(&r);
}

static void collect(void *context, const char *text) { str_printf(context, "%s\n", text); }

Test(custom, a_described_plan_shows_its_name)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (int i = 0; i < 2 && rig_has(accelerators[i]); i++) {
        str text = { 0 };
        rig_open(&r, &(rig_setup) { .accelerator = accelerators[i] });
        custom_train(&r, true);
        engine_describe(r.g, collect, &text);
        const char *ops = strstr(str_text(&text), "ops:"), *kernels = strstr(str_text(&text), "kernels:");
        cr_assert(ops && kernels && strstr(ops, "= test.swish %") && strstr(ops, "gradient of custom_ops.c"), "%s",
                  str_text(&text));
        cr_assert(strstr(kernels, "= test.swish_back %"), "%s", kernels);
        str_free(&text);
        rig_close(&r);
    }
}
