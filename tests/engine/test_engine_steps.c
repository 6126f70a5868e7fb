/* SPDX-License-Identifier: Apache-2.0
 * Steps as the trainer makes them: losses fall, plans are found again, state is what the mathematics says. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static rig r;

static void near(double a, double b, double tolerance, const char *what)
{
    cr_assert(fabs(a - b) <= tolerance * (1 + fabs(b)), "%s: %.17g, expected %.17g", what, a, b);
}

Test(engine_steps, training_lowers_the_loss_in_one_plan)
{
    rig_open(&r, NULL);
    double first = rig_train(&r, NULL), last = first;
    for (int i = 0; i < 60; i++)
        last = rig_train(&r, NULL);
    cr_assert_lt(last, 0.1 * first, "%g after %g", last, first);
    cr_assert_eq(rig_stats(&r).plans_compiled, 1);
    cr_assert_eq(rig_stats(&r).plan_hits, 60);
    cr_assert_eq(rig_get_first(&r, "sgd/group0/step"), 61);
    rig_close(&r);
}

Test(engine_steps, plans_are_as_many_as_distinct_shapes_and_modes)
{
    rig_open(&r, NULL);
    rig_recipe shapes[] = { { 0 },
                            { .batch = 5 },
                            { .batch = 1 },
                            { .evaluate = true, .hook = "validation_step" },
                            { .evaluate = true, .hook = "validation_step", .batch = 5 },
                            { .evaluate = true, .hook = "test_step" } };
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            rig_train(&r, &shapes[i]);
    cr_assert_eq(rig_stats(&r).plans_compiled, 6);
    cr_assert_eq(rig_stats(&r).plan_hits, 18);
    rig_close(&r);
}

Test(engine_steps, a_collision_of_hashes_never_runs_a_wrong_plan)
{
    rig a, *b = &r;
    rig_recipe recipes[] = { { 0 }, { .batch = 5 }, { .clip_norm = 0.5 }, { .evaluate = true } };
    rig_open(&a, NULL);
    rig_open(b, NULL);
    b->g->cache.hash_mask = 0; /* all hashes are equal */
    for (int i = 0; i < 12; i++) {
        const rig_recipe *recipe = &recipes[(i * 7) % 4];
        double expected = rig_train(&a, recipe), is = rig_train(b, recipe);
        cr_assert_eq(is, expected, "step %d", i);
    }
    cr_assert_eq(rig_state_hash(b), rig_state_hash(&a));
    cr_assert_eq(rig_stats(b).plans_compiled, 4);
    rig_close(&a);
    rig_close(b);
}

/* Runs the same steps in both ways. */
static void compare_eager(const char *accelerator, lth_dtype floating)
{
    rig a, b;
    rig_open(&a, &(rig_setup) { .accelerator = accelerator, .no_fusion = true, .floating = floating, .accumulate = true });
    rig_open(&b, &(rig_setup) { .accelerator = accelerator, .eager = true, .floating = floating, .accumulate = true });
    const rig_recipe recipes[] = { { .clip_norm = 0.3, .guard = true, .count_seen = true },
                                   { .accumulate = true, .divisor = 2 },
                                   { .add_accumulated = true, .divisor = 2, .clip_value = 0.01 },
                                   { .evaluate = true } };
    for (int i = 0; i < 8; i++)
        cr_assert_eq(rig_train(&a, &recipes[i % 4]), rig_train(&b, &recipes[i % 4]), "%s, step %d", accelerator, i);
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b), "%s", accelerator);
    rig_close(&a);
    rig_close(&b);
}

Test(engine_steps, eager_is_bit_equal_to_the_unfused_plan)
{
    compare_eager("reference", LTH_F32);
    compare_eager("reference", LTH_F64);
    if (rig_has("cpu"))
        compare_eager("cpu", LTH_F32);
}

Test(engine_steps, a_fused_plan_computes_what_the_reference_does)
{
    if (!rig_has("cpu"))
        cr_skip_test("the accelerator cpu was not built");
    rig a, b;
    rig_open(&a, &(rig_setup) { .floating = LTH_F64 });
    rig_open(&b, &(rig_setup) { .accelerator = "cpu" });
    for (int i = 0; i < 10; i++)
        near(rig_train(&b, &(rig_recipe) { .guard = true, .clip_norm = 1 }),
             rig_train(&a, &(rig_recipe) { .guard = true, .clip_norm = 1 }), 1e-5, "loss");
    rig_close(&a);
    rig_close(&b);
}

Test(engine_steps, a_rule_for_each_parameter_gives_the_bits_of_the_flat_one)
{
    rig a, b;
    rig_open(&a, &(rig_setup) { .rule = &rig_sgd_flat, .groups = 2 });
    rig_open(&b, &(rig_setup) { .rule = &rig_sgd_each, .groups = 2 });
    for (int i = 0; i < 5; i++)
        cr_assert_eq(rig_train(&a, NULL), rig_train(&b, NULL));
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
    cr_assert_eq(rig_get_first(&b, "sgd/group1/step"), 5);
    rig_close(&a);
    rig_close(&b);
}

Test(engine_steps, a_group_is_flattened_once_for_sums_guard_clipping_and_update)
{
    rig_open(&r, &(rig_setup) { .accumulate = true });
    rig_train(&r, &(rig_recipe) { .guard = true, .clip_norm = 1, .clip_value = 1, .divisor = 2, .add_accumulated = true });
    uint32_t concats = 0, assigns = 0;
    const graph *in = &r.g->last_plan->graph;
    for (uint32_t i = 0; i < in->node_count; i++) {
        concats += in->nodes[i].op == LTH_OP_CONCAT;
        assigns += in->nodes[i].op == LTH_OP_ASSIGN;
    }
    cr_assert_eq(concats, 1);
    cr_assert_eq(assigns, 3, "parameters, velocity, step: one each");
    rig_close(&r);
}

static lth_status update_after_set(void *self, lth_update *u)
{
    struct rig_sgd *o = self;
    lth_update_set(u, o->velocity, lth_add(lth_update_gradient(u), 1));
    lth_update_set(u, o->velocity, lth_mul(lth_update_state(u, o->velocity), 2)); /* 2 (g + 1) */
    lth_update_set_parameter(u, lth_sub(lth_update_parameter(u), lth_update_state(u, o->velocity)));
    return LTH_OK;
}

Test(engine_steps, a_rule_sees_the_state_that_it_has_set)
{
    lth_optimizer rule = rig_sgd_flat;
    rule.update = update_after_set;
    rig_open(&r, &(rig_setup) { .rule = &rule, .floating = LTH_F64 });
    double before = rig_get_first(&r, "two.bias");
    rig_train(&r, NULL);
    double velocity = rig_get_first(&r, "sgd/two.bias/velocity");
    near(rig_get_first(&r, "two.bias"), before - velocity, 1e-12, "bias");
    rig fresh;
    rig_open(&fresh, &(rig_setup) { .floating = LTH_F64 });
    fresh.sgd[0].lr = 1;
    rig_train(&fresh, NULL);
    near(velocity, 2 * (before - rig_get_first(&fresh, "two.bias") + 1), 1e-12, "velocity");
    rig_close(&r);
    rig_close(&fresh);
}

Test(engine_steps, accumulation_equals_the_big_batch)
{
    rig big, small;
    rig_open(&big, &(rig_setup) { .floating = LTH_F64 });
    rig_open(&small, &(rig_setup) { .floating = LTH_F64, .accumulate = true });
    for (int i = 0; i < 3; i++) {
        rig_train(&big, &(rig_recipe) { .batch = 32 });
        for (int k = 0; k < 4; k++)
            rig_train(&small,
                      &(rig_recipe) { .batch = 8, .first = 8 * k, .divisor = 4, .accumulate = k<3, .add_accumulated = k> 0 });
    }
    double a[16], b[16];
    const char *names[] = { "one.weight", "one.bias", "two.weight", "two.bias", "sgd/one.weight/velocity", "sgd/group0/step" };
    for (int n = 0; n < 6; n++) {
        int64_t count = rig_get(&big, names[n], a);
        rig_get(&small, names[n], b);
        for (int64_t i = 0; i < count; i++)
            near(b[i], a[i], 1e-12, names[n]);
    }
    cr_assert_eq(rig_stats(&small).plans_compiled, 3); /* first, middle, last of a window */
    rig_close(&big);
    rig_close(&small);
}

/* The gradient of one step without momentum, from the change of the parameters. */
static void step_taken(const rig_recipe *recipe, double *out)
{
    const char *names[] = { "one.weight", "one.bias", "two.weight", "two.bias" };
    double before[16], after[16];
    rig one;
    int64_t n = 0;
    rig_open(&one, &(rig_setup) { .floating = LTH_F64 });
    rig untouched;
    rig_open(&untouched, &(rig_setup) { .floating = LTH_F64 });
    one.sgd[0].lr = 1;
    rig_train(&one, recipe);
    for (int k = 0; k < 4; k++) {
        int64_t count = rig_get(&untouched, names[k], before);
        rig_get(&one, names[k], after);
        for (int64_t i = 0; i < count; i++)
            out[n++] = before[i] - after[i];
    }
    rig_close(&one);
    rig_close(&untouched);
}

Test(engine_steps, clipping_by_norm_and_by_value_is_torchs)
{
    double plain[64], clipped[64], square = 0, cut[64], divided[64];
    const int n = RIG_IN * RIG_OUT + RIG_OUT + RIG_OUT + 1;
    step_taken(&(rig_recipe) { 0 }, plain);
    step_taken(&(rig_recipe) { .clip_norm = 0.25 }, clipped);
    step_taken(&(rig_recipe) { .clip_value = 0.05 }, cut);
    step_taken(&(rig_recipe) { .divisor = 4 }, divided);
    for (int i = 0; i < n; i++)
        square += plain[i] * plain[i];
    cr_assert_gt(sqrt(square), 0.25, "the gradient is too small to be clipped: %g", sqrt(square));
    for (int i = 0; i < n; i++) {
        near(clipped[i], plain[i] * 0.25 / (sqrt(square) + 1e-6), 1e-12, "norm");
        near(cut[i], fmax(-0.05, fmin(0.05, plain[i])), 1e-12, "value");
        near(divided[i], plain[i] / 4, 1e-12, "divisor");
    }
    step_taken(&(rig_recipe) { .clip_norm = 1e6 }, clipped);
    for (int i = 0; i < n; i++)
        near(clipped[i], plain[i], 1e-12, "a norm below the bound is left alone");
}

Test(engine_steps, a_changed_hyperparameter_takes_effect_without_a_new_plan)
{
    rig_open(&r, NULL);
    rig_train(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    double weight = rig_get_first(&r, "one.weight"), velocity;
    r.sgd[0].lr = 0;
    rig_train(&r, NULL);
    cr_assert_eq(rig_get_first(&r, "one.weight"), weight);
    cr_assert_neq(rig_state_hash(&r), before, "the velocity still moves");
    r.sgd[0].lr = 0.5;
    rig_train(&r, NULL);
    velocity = rig_get_first(&r, "sgd/one.weight/velocity");
    near(rig_get_first(&r, "one.weight"), weight - 0.5 * velocity, 1e-6, "weight");
    cr_assert_eq(rig_stats(&r).plans_compiled, 1);
    rig_close(&r);
}

Test(engine_steps, a_scalar_that_varies_needs_no_new_plan)
{
    rig_open(&r, NULL);
    for (int i = 1; i <= 5; i++) {
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t);
        uint32_t a = engine_output(r.g, loss, RIG_HERE), b = engine_output(r.g, lth_mul(loss, 0.5 * i), RIG_HERE);
        uint32_t again = engine_output(r.g, loss, RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
        cr_assert_eq(again, a);
        near(engine_output_value(r.g, r.ticket, b), 0.5 * i * engine_output_value(r.g, r.ticket, a), 1e-6, "scaled");
    }
    cr_assert_eq(rig_stats(&r).plans_compiled, 1);
    rig_close(&r);
}

Test(engine_steps, outputs_of_the_last_steps_stay_readable_and_older_ones_are_gone)
{
    rig_open(&r, NULL);
    double losses[8];
    uint64_t tickets[8];
    for (int i = 0; i < 8; i++) {
        losses[i] = rig_train(&r, NULL);
        tickets[i] = r.ticket;
        for (int k = i; k >= 0 && k > i - ENGINE_RING; k--)
            cr_assert_eq(engine_output_value(r.g, tickets[k], 0), losses[k]);
    }
    cr_assert(isnan(engine_output_value(r.g, tickets[3], 0)));
    cr_assert(isnan(engine_output_value(r.g, tickets[7], 1)), "a slot that there is not");
    cr_assert_null(engine_output_data(r.g, 0, 0, NULL));
    rig_close(&r);
}

Test(engine_steps, outputs_of_every_type_come_back_as_doubles)
{
    rig_open(&r, NULL);
    rig_begin(&r, &(rig_recipe) { .evaluate = true });
    lth_tensor x = engine_input(r.g, "x", RIG_HERE), n = lth_argmax(lth_sum_axis(lth_cast(lth_gt(x, -5), LTH_I64), 0, 0), 0);
    uint32_t all = engine_output(r.g, lth_all_finite(x), RIG_HERE), index = engine_output(r.g, n, RIG_HERE);
    uint32_t whole = engine_output(r.g, lth_neg(x), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_eq(engine_output_value(r.g, r.ticket, all), 1);
    cr_assert_eq(engine_output_value(r.g, r.ticket, index), 0);
    lth_shape shape;
    const float *data = engine_output_data(r.g, r.ticket, whole, &shape);
    cr_assert_eq(shape.rank, 2);
    cr_assert_eq(data[5], -r.x[5]);
    rig_close(&r);
}

Test(engine_steps, a_buffer_assigned_in_a_step_is_seen_later_in_it_and_after_it)
{
    rig_open(&r, NULL);
    for (int i = 0; i < 3; i++) {
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t), once = lth_add(lth_buffer_value(loss, r.seen), 1);
        lth_assign(r.seen, once);
        uint32_t a = engine_output(r.g, lth_buffer_value(loss, r.seen), RIG_HERE);
        lth_assign(r.seen, lth_mul(lth_buffer_value(loss, r.seen), 2));
        uint32_t b = engine_output(r.g, lth_buffer_value(loss, r.seen), RIG_HERE);
        double before = rig_get_first(&r, "seen");
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
        cr_assert_eq(engine_output_value(r.g, r.ticket, a), before + 1);
        cr_assert_eq(engine_output_value(r.g, r.ticket, b), 2 * (before + 1));
        cr_assert_eq(rig_get_first(&r, "seen"), 2 * (before + 1));
    }
    rig_close(&r);
}

Test(engine_steps, a_parameter_used_twice_gets_the_sum_of_both_gradients)
{
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t), bias = lth_parameter_value(loss, r.b2);
    loss = lth_sum(lth_add(lth_mul(bias, 3), lth_square(lth_parameter_value(loss, r.b2)))); /* 3 b + b^2: 3 + 2 b */
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_eq(engine_gradients(r.g, 0, loss, &gradients, &count, RIG_HERE), LTH_OK);
    cr_assert_eq(count, 4);
    uint32_t used = engine_output(r.g, lth_reshape_to(gradients[3], (&(lth_shape) { 0, 0, { 0 } })), RIG_HERE);
    uint32_t unused = engine_output(r.g, lth_max(gradients[0]), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_eq(engine_output_value(r.g, r.ticket, used), 3.5);
    cr_assert_eq(engine_output_value(r.g, r.ticket, unused), 0, "a parameter off the path has zeros");
    rig_close(&r);
}

Test(engine_steps, the_second_optimizer_of_a_step_sees_what_the_first_has_changed)
{
    rig both, apart;
    rig_open(&both, &(rig_setup) { .optimizers = 2, .floating = LTH_F64 });
    rig_open(&apart, &(rig_setup) { .optimizers = 2, .floating = LTH_F64 });
    const engine_update_args args = { .divisor = 1 };
    for (int i = 0; i < 3; i++) {
        lth_trace *t = rig_begin(&both, NULL);
        for (int32_t k = 0; k < 2; k++) {
            const lth_tensor *gradients;
            uint32_t count;
            lth_tensor loss = rig_loss(&both, t);
            cr_assert_eq(engine_gradients(both.g, k, loss, &gradients, &count, RIG_HERE), LTH_OK);
            cr_assert_eq(engine_update(both.g, k, gradients, &args, RIG_HERE), LTH_OK);
        }
        cr_assert_eq(rig_end(&both), LTH_OK, "%s", both.e.text);
        for (int32_t k = 0; k < 2; k++) { /* the same in two steps */
            const lth_tensor *gradients;
            uint32_t count;
            t = rig_begin(&apart, NULL);
            engine_gradients(apart.g, k, rig_loss(&apart, t), &gradients, &count, RIG_HERE);
            engine_update(apart.g, k, gradients, &args, RIG_HERE);
            cr_assert_eq(rig_end(&apart), LTH_OK, "%s", apart.e.text);
        }
    }
    cr_assert_eq(rig_state_hash(&both), rig_state_hash(&apart));
    cr_assert_eq(rig_stats(&both).plans_compiled, 1);
    rig_close(&both);
    rig_close(&apart);
}

Test(engine_steps, one_optimizer_twice_in_a_step_is_two_steps)
{
    rig twice, apart;
    rig_open(&twice, &(rig_setup) { .floating = LTH_F64 });
    rig_open(&apart, &(rig_setup) { .floating = LTH_F64 });
    const engine_update_args args = { .divisor = 1 };
    lth_trace *t = rig_begin(&twice, NULL);
    for (int i = 0; i < 2; i++) {
        const lth_tensor *gradients;
        uint32_t count;
        engine_gradients(twice.g, 0, rig_loss(&twice, t), &gradients, &count, RIG_HERE);
        engine_update(twice.g, 0, gradients, &args, RIG_HERE);
    }
    cr_assert_eq(rig_end(&twice), LTH_OK, "%s", twice.e.text);
    rig_train(&apart, NULL);
    rig_train(&apart, NULL);
    cr_assert_eq(rig_state_hash(&twice), rig_state_hash(&apart));
    cr_assert_eq(rig_get_first(&twice, "sgd/group0/step"), 2);
    rig_close(&twice);
    rig_close(&apart);
}

Test(engine_steps, plans_used_longest_ago_are_forgotten_and_made_again)
{
    rig_open(&r, NULL);
    char hooks[80][24];
    for (int i = 0; i < 80; i++)
        snprintf(hooks[i], sizeof hooks[i], "hook_%d", i);
    for (int i = 0; i < 80; i++)
        rig_train(&r, &(rig_recipe) { .hook = hooks[i], .evaluate = true });
    rig_train(&r, &(rig_recipe) { .hook = hooks[79], .evaluate = true });
    cr_assert_leq(r.g->cache.count, PLAN_CACHE_LIMIT);
    cr_assert_eq(rig_stats(&r).plans_compiled, 80);
    rig_train(&r, &(rig_recipe) { .hook = hooks[0], .evaluate = true });
    cr_assert_eq(rig_stats(&r).plans_compiled, 81);
    uint64_t all = rig_stats(&r).plan_memory;
    r.g->cache.memory_limit = all / 4;
    rig_train(&r, &(rig_recipe) { .hook = hooks[79], .evaluate = true });
    cr_assert_leq(rig_stats(&r).plan_memory, all / 4);
    r.g->cache.memory_limit = 0;
    rig_train(&r, &(rig_recipe) { .hook = hooks[78], .evaluate = true });
    cr_assert_eq(r.g->cache.count, PLAN_CACHE_LEAST, "a few are kept in any case");
    rig_close(&r);
}

Test(engine_steps, why_a_plan_was_made_is_told_and_many_plans_are_warned_of_once)
{
    rig_open(&r, NULL);
    rig_train(&r, NULL);
    cr_assert_str_eq(engine_compile_cause(r.g), "first step of training_step");
    for (int i = 1; i < 15; i++)
        rig_train(&r, &(rig_recipe) { .batch = 8 + i });
    cr_assert(strstr(engine_compile_cause(r.g), "input f32 (22, 3)"), "%s", engine_compile_cause(r.g));
    cr_assert(strstr(engine_compile_cause(r.g), "engine_fixture.c:"), "%s", engine_compile_cause(r.g));
    const char *warning = strstr(str_text(&r.printed), "has needed 9 plans");
    cr_assert_not_null(warning, "%s", str_text(&r.printed));
    cr_assert_null(strstr(warning + 1, "has needed"), "%s", str_text(&r.printed));
    rig_close(&r);
}
