/* SPDX-License-Identifier: Apache-2.0
 * Loops: what a body computes in its turns is what the same ops compute written out one after the other. */
#include "loop_cases.h"

#include <criterion/criterion.h>
#include <lthost/control.h>
#include <math.h>
#include <string.h>

static void compare(rig *r, const char *name, loop_recorder *record, loop_form f, double tolerance)
{
    double is[LOOP_NUMBERS], expected[LOOP_NUMBERS];
    f.loop = false;
    int64_t count = loop_run(r, record, &f, expected);
    f.loop = true;
    cr_assert_eq(loop_run(r, record, &f, is), count);
    for (int64_t i = 0; i < count; i++)
        cr_assert(fabs(is[i] - expected[i]) <= tolerance * (1 + fabs(expected[i])),
                  "%s, %lld turns%s: number %lld is %.17g, not %.17g", name, (long long)f.turns, f.reverse ? " back" : "",
                  (long long)i, is[i], expected[i]);
}

static void compare_all(const rig_setup *setup, int order, double tolerance)
{
    static const int64_t turns[] = { 0, 1, 2, 5, T, T + 3 };
    static const float scale = 16; /* of a loss in f16: one at which no gradient overflows */
    rig r;
    rig_open(&r, setup);
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++)
        if (strcmp(engine_tensor_at(r.g, i)->name, "scaler/scale") == 0)
            cr_assert_eq(engine_tensor_set(r.g, i, &scale, &r.e), LTH_OK);
    for (size_t c = 0; c < LOOP_CASES; c++)
        for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
            for (int reverse = 0; reverse < 2; reverse++)
                compare(&r, loop_cases[c].name, loop_cases[c].record,
                        (loop_form) { .turns = turns[i], .reverse = reverse, .order = order }, tolerance);
    compare(&r, "no count", loop_recurrence, (loop_form) { .turns = -1, .order = order }, tolerance);
    rig_close(&r);
}

/* What is carried stays f32, the products within are of 16 bits: as when written out, but for the order of roundings. */
Test(loops, compute_in_16_bits_what_they_compute_when_written_out)
{
    for (int order = 0; order < 2; order++) {
        compare_all(&(rig_setup) { .lower = LTH_BF16 }, order, 0.03);
        compare_all(&(rig_setup) { .lower = LTH_BF16, .stored = LTH_BF16 }, order, 0.03);
        compare_all(&(rig_setup) { .lower = LTH_F16 }, order, 0.004);
        if (rig_has("cpu"))
            compare_all(&(rig_setup) { .lower = LTH_BF16, .accelerator = "cpu" }, order, 0.03);
    }
}

static void compare_on_all(int order, double tolerance)
{
    compare_all(&(rig_setup) { .floating = LTH_F64 }, order, tolerance);
    compare_all(&(rig_setup) { .floating = LTH_F64, .eager = true }, order, tolerance);
    if (rig_has("cpu")) {
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu" }, order, tolerance);
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu", .no_fusion = true }, order, tolerance);
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu", .eager = true }, order, tolerance);
    }
}

Test(loops, compute_what_their_turns_written_out_compute) { compare_on_all(0, 1e-12); }

Test(loops, have_the_gradients_of_their_turns_written_out) { compare_on_all(1, 1e-11); }

Test(loops, have_the_second_derivatives_of_their_turns_written_out) { compare_on_all(2, 1e-9); }

Test(loops, a_negative_number_of_turns_is_none)
{
    rig r;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    rig_begin(&r, &(rig_recipe) { .evaluate = true });
    lth_tensor x = loop_batch(&r), first = loop_number(x, 3);
    lth_loop l = lth_loop_begin(lth_index(x, -5), T, &first, 1, NULL, 0);
    lth_tensor next = lth_add(lth_loop_carried(&l, 0), 1);
    lth_loop_end(&l, &next, 1, NULL, 0);
    uint32_t slot = engine_output(r.g, lth_sum(lth_loop_last(&l, 0)), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_eq(engine_output_value(r.g, r.ticket, slot), 12);
    rig_close(&r);
}

/* ---- Random numbers ---- */

static lth_tensor draws(rig *r, bool backwards) /* (T, 2, 4): a loop in a loop, each turn of each with numbers of its own */
{
    lth_tensor x = loop_batch(r);
    lth_loop outer = lth_loop_begin(lth_index(x, T), T, NULL, 0, NULL, 0, .reverse = backwards);
    lth_loop inner = lth_loop_begin(lth_index(x, 2), 2, NULL, 0, NULL, 0);
    lth_tensor u = lth_uniform(x, LTH_SHAPE(4));
    lth_loop_end(&inner, NULL, 0, &u, 1);
    lth_tensor both = lth_loop_stack(&inner, 0);
    lth_loop_end(&outer, NULL, 0, &both, 1);
    return lth_loop_stack(&outer, 0);
}

static void draw_forwards(rig *r, const loop_form *f, loop_outputs *o) { (void)f, loop_put(o, draws(r, false)); }
static void draw_backwards(rig *r, const loop_form *f, loop_outputs *o) { (void)f, loop_put(o, draws(r, true)); }

Test(loops, random_ops_draw_other_numbers_at_each_index_and_the_same_at_the_same)
{
    rig r;
    double a[LOOP_NUMBERS], b[LOOP_NUMBERS];
    const loop_form f = { .loop = true };
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    int64_t count = loop_run(&r, draw_forwards, &f, a);
    cr_assert_eq(count, T * 8);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < i; k++)
            cr_assert_neq(a[i], a[k], "numbers %lld and %lld", (long long)i, (long long)k);
    loop_run(&r, draw_backwards, &f, b);
    cr_assert_eq(memcmp(a, b, sizeof *a * (size_t)count), 0, "the direction does not matter");
    rig_close(&r);
}

static void draw_for_gradient(rig *r, const loop_form *f, loop_outputs *o) /* d sum (u_t c) / d c is the sum of the u_t */
{
    (void)r;
    lth_tensor c = lth_exp(loop_row(f->x, 0));
    lth_loop l = lth_loop_begin(lth_index(c, 5), T, NULL, 0, NULL, 0);
    lth_tensor part = lth_mul(lth_uniform(c, LTH_SHAPE(3)), c), d;
    lth_loop_end(&l, NULL, 0, &part, 1);
    lth_grad(lth_sum(lth_loop_stack(&l, 0)), &c, 1, &d);
    loop_put(o, lth_div(lth_sum_axis(lth_loop_stack(&l, 0), 0, 0), c)), loop_put(o, d);
}

Test(loops, the_backward_loop_draws_what_the_forward_loop_drew)
{
    rig r;
    double numbers[LOOP_NUMBERS];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    cr_assert_eq(loop_run(&r, draw_for_gradient, &(loop_form) { .loop = true }, numbers), 6);
    for (int i = 0; i < 3; i++)
        cr_assert_float_eq(numbers[i], numbers[3 + i], 1e-14);
    rig_close(&r);
}

static void derive_inside(rig *r, const loop_form *f, loop_outputs *o) /* Newton's steps towards a root of x^2 - 2 */
{
    (void)r;
    lth_tensor first = lth_scalar(f->x, 1);
    lth_loop l = lth_loop_begin(lth_none(), T, &first, 1, NULL, 0);
    lth_tensor x = lth_loop_carried(&l, 0), y = lth_sub(lth_square(x), 2), d;
    lth_grad(y, &x, 1, &d);
    lth_tensor next = lth_sub(x, lth_div(y, d));
    lth_loop_end(&l, &next, 1, NULL, 0);
    loop_put(o, lth_loop_last(&l, 0));
}

Test(loops, derivatives_can_be_taken_within_a_body)
{
    rig r;
    double root;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    loop_run(&r, derive_inside, &(loop_form) { .loop = true }, &root);
    cr_assert_float_eq(root, sqrt(2), 1e-15);
    rig_close(&r);
}
