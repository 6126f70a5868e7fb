/* SPDX-License-Identifier: Apache-2.0
 * Where a derivative is a matter of choice: kinks, ties, zeros, infinities. And how differentiation walks a graph. */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static bench b;
static constants c;

/* Compiles the bench's graph with d sum(y) / d wrt as outputs. */
static void run_gradients(uint32_t y, const uint32_t *wrt, uint32_t count)
{
    uint32_t gradients[4];
    if (graph_shape(&b.g, y)->rank > 0)
        y = OP1A(&b, LTH_OP_SUM, y, lth_attr_reduce, (1u << graph_shape(&b.g, y)->rank) - 1, 0);
    cr_assert(autodiff(&b.g, &c, y, wrt, count, gradients, 0, &b.e), "%s", b.e.text);
    for (uint32_t i = 0; i < count; i++)
        bench_output(&b, gradients[i]);
    memcpy(b.scalars + c.first_slot, c.values, c.count * sizeof *c.values);
    bench_go(&b, 0);
}

static void begin(void)
{
    if (!b.accelerator)
        bench_open(&b, "reference");
    constants_free(&c);
    bench_reset(&b);
}

static void expect(const char *what, uint32_t slot, const double *wanted, int64_t n)
{
    bench_expect(&b, what, slot, wanted, n, 1e-14);
}

static void end(void)
{
    constants_free(&c);
    bench_close(&b);
}

Test(conventions, at_a_kink_relu_and_abs_have_gradient_zero)
{
    const double x[] = { -1, 0, 2 }, relu[] = { 0, 0, 1 }, abs[] = { -1, 0, 1 };
    begin();
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, 3), x);
    run_gradients(OP1(&b, LTH_OP_RELU, v), &v, 1);
    expect("relu", 0, relu, 3);
    begin();
    v = bench_input(&b, SHAPE(LTH_F64, 3), x);
    run_gradients(OP1(&b, LTH_OP_ABS, v), &v, 1);
    expect("abs", 0, abs, 3);
    end();
}

Test(conventions, a_nan_passes_through_relu_and_its_gradient_is_not_hidden)
{
    begin();
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, 1), (double[]) { NAN }), y = OP1(&b, LTH_OP_RELU, v);
    uint32_t out = bench_output(&b, y);
    run_gradients(OP2(&b, LTH_OP_MUL, y, y), &v, 1);
    cr_assert(isnan(bench_get(&b, out, 0)) && isnan(bench_get(&b, 1, 0)));
    end();
}

Test(conventions, a_tie_of_two_operands_gives_half_to_each)
{
    const double x[] = { 1, 2, 3 }, y[] = { 1, 3, 2 };
    const double dx[2][3] = { { 0.5, 0, 1 }, { 0.5, 1, 0 } }, dy[2][3] = { { 0.5, 1, 0 }, { 0.5, 0, 1 } };
    const uint32_t ops[] = { LTH_OP_MAXIMUM, LTH_OP_MINIMUM };
    for (int i = 0; i < 2; i++) {
        begin();
        uint32_t v[] = { bench_input(&b, SHAPE(LTH_F64, 3), x), bench_input(&b, SHAPE(LTH_F64, 3), y) };
        run_gradients(OP2(&b, ops[i], v[0], v[1]), v, 2);
        expect("the first operand", 0, dx[i], 3);
        expect("the second operand", 1, dy[i], 3);
    }
    end();
}

Test(conventions, the_winners_of_a_reduction_share_its_gradient_equally)
{
    const double x[] = { 3, 1, 3, 3, 0, 1 }, max[] = { 1.0 / 3, 0, 1.0 / 3, 1.0 / 3, 0, 0 }, min[] = { 0, 0, 0, 0, 1, 0 };
    begin();
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, 6), x);
    run_gradients(OP1A(&b, LTH_OP_MAX, v, lth_attr_reduce, 1, 0), &v, 1);
    expect("max", 0, max, 6);
    begin();
    v = bench_input(&b, SHAPE(LTH_F64, 6), x);
    run_gradients(OP1A(&b, LTH_OP_MIN, v, lth_attr_reduce, 1, 0), &v, 1);
    expect("min", 0, min, 6);
    end();
}

Test(conventions, powers_have_finite_gradients_at_zero_where_they_exist)
{
    const double base[] = { 0, 0, 0, 0, 2, -2 }, exponent[] = { 0, 1, 2, 0.5, 0, 3 };
    const double d_base[] = { 0, 1, 0, INFINITY, 0, 12 }, d_exponent[] = { 0, 0, 0, 0, 0.69314718055994530942, NAN };
    begin();
    uint32_t v[] = { bench_input(&b, SHAPE(LTH_F64, 6), base), bench_input(&b, SHAPE(LTH_F64, 6), exponent) };
    run_gradients(OP2(&b, LTH_OP_POW, v[0], v[1]), v, 2);
    expect("the base", 0, d_base, 6);
    expect("the exponent", 1, d_exponent, 6);
    end();
}

Test(conventions, a_square_by_pow_has_its_second_derivative_at_zero)
{
    begin();
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { 0, 1, -3 }),
             two = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { 2, 2, 2 });
    uint32_t first, sum = OP1A(&b, LTH_OP_SUM, OP2(&b, LTH_OP_POW, x, two), lth_attr_reduce, 1, 0);
    cr_assert(autodiff(&b.g, &c, sum, &x, 1, &first, 0, &b.e));
    run_gradients(first, &x, 1);
    expect("the second derivative", 0, (double[]) { 2, 2, 2 }, 3);
    end();
}

Test(conventions, the_gradient_of_a_product_is_the_product_of_the_others_also_at_zeros)
{
    const double x[] = { 2, 0, 3, 2, 0, 0, 2, 3, 5 }, d[] = { 0, 6, 0, 0, 0, 0, 15, 10, 6 };
    begin();
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, 3, 3), x);
    run_gradients(OP1A(&b, LTH_OP_PROD, v, lth_attr_reduce, 2, 0), &v, 1);
    expect("prod", 0, d, 9);
    end();
}

Test(conventions, what_a_mask_hides_does_not_reach_the_gradient)
{
    begin();
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { -1, 0, 4 }),
             zero = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { 0, 0, 0 });
    uint32_t hidden = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { NAN, INFINITY, 1 });
    run_gradients(OP3(&b, LTH_OP_WHERE, OP2(&b, LTH_OP_GT, x, zero), OP2(&b, LTH_OP_MUL, x, hidden), zero),
                  (uint32_t[]) { x, zero }, 2);
    cr_assert_eq(bench_get(&b, 0, 2), 1);
    expect("the other side", 1, (double[]) { 1, 1, 0 }, 3);
    end();
}

Test(conventions, log_sum_exp_of_minus_infinity_has_gradient_zero)
{
    begin();
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 2, 2), (double[]) { -INFINITY, -INFINITY, -INFINITY, 1 });
    uint32_t y = OP1A(&b, LTH_OP_LOGSUMEXP, x, lth_attr_reduce, 2, 0), out = bench_output(&b, y);
    run_gradients(y, &x, 1);
    expect("the value", out, (double[]) { -INFINITY, 1 }, 2);
    expect("the gradient", 1, (double[]) { 0, 0, 0, 1 }, 4);
    end();
}

Test(conventions, dropout_drops_the_same_elements_of_the_gradient_and_keeps_the_mean)
{
    enum { N = 4000 };
    static double ones[N];
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    begin();
    b.seed = 5;
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, N), ones), p = bench_input(&b, RANK0(LTH_F64), (double[]) { 0.25 });
    uint32_t y = OP2A(&b, LTH_OP_DROPOUT, x, p, lth_attr_random, .id = 3), out = bench_output(&b, y);
    run_gradients(y, &x, 1);
    int kept = 0;
    for (int i = 0; i < N; i++) {
        double v = bench_get(&b, out, i);
        cr_assert(v == 0 || fabs(v - 4.0 / 3) < 1e-15);
        cr_assert_eq(bench_get(&b, 1, i), v);
        kept += v != 0;
    }
    cr_assert(abs(kept - 3 * N / 4) < 120, "%d of %d kept", kept, N); /* 4 standard deviations */
    end();
}

/* ---- How differentiation walks ---- */

Test(conventions, a_value_used_several_times_gets_the_sum)
{
    begin();
    uint32_t x = bench_input(&b, RANK0(LTH_F64), (double[]) { 3 });
    uint32_t cube = OP2(&b, LTH_OP_MUL, OP2(&b, LTH_OP_MUL, x, x), x);
    run_gradients(OP2(&b, LTH_OP_ADD, cube, x), &x, 1);
    expect("3 x x + 1", 0, (double[]) { 28 }, 1);
    end();
}

Test(conventions, a_gradient_by_an_inner_value_is_that_of_all_its_readers_and_goes_on_to_the_leaves)
{
    begin();
    uint32_t x = bench_input(&b, RANK0(LTH_F64), (double[]) { 3 }), y = OP2(&b, LTH_OP_MUL, x, x);
    uint32_t loss = OP2(&b, LTH_OP_MUL, OP2(&b, LTH_OP_ADD, y, y), x), wrt[] = { y, x, loss };
    run_gradients(loss, wrt, 3);
    expect("by y: 2 x", 0, (double[]) { 6 }, 1);
    expect("by x: 6 x x", 1, (double[]) { 54 }, 1);
    expect("by itself", 2, (double[]) { 1 }, 1);
    end();
}

static uint32_t gradient_of(uint32_t loss, uint32_t wrt)
{
    uint32_t gradient = 0;
    cr_assert(autodiff(&b.g, &c, loss, &wrt, 1, &gradient, 0, &b.e), "%s", b.e.text);
    return gradient;
}

Test(conventions, no_gradient_flows_through_stop_gradient_integers_steps_and_comparisons)
{
    begin();
    uint32_t x = bench_input(&b, RANK0(LTH_F64), (double[]) { 3 }), other = bench_input(&b, RANK0(LTH_F64), (double[]) { 3 });
    cr_assert_eq(gradient_of(OP1(&b, LTH_OP_STOP_GRADIENT, x), x), LTH_NO_VALUE);
    cr_assert_eq(gradient_of(OP1(&b, LTH_OP_FLOOR, x), x), LTH_NO_VALUE);
    cr_assert_eq(gradient_of(OP1(&b, LTH_OP_EXP, other), x), LTH_NO_VALUE);
    uint32_t whole = OP1A(&b, LTH_OP_CAST, OP1A(&b, LTH_OP_CAST, x, lth_attr_dtype, LTH_I64, 0), lth_attr_dtype, LTH_F64, 0);
    cr_assert_eq(gradient_of(whole, x), LTH_NO_VALUE);
    uint32_t chosen = OP3(&b, LTH_OP_WHERE, OP2(&b, LTH_OP_GT, x, other), other, other);
    cr_assert_eq(gradient_of(chosen, x), LTH_NO_VALUE);
    end();
}

Test(conventions, nothing_is_recorded_for_what_does_not_lie_between)
{
    begin();
    uint32_t x = bench_input(&b, RANK0(LTH_F64), (double[]) { 3 }), w = bench_input(&b, RANK0(LTH_F64), (double[]) { 2 });
    uint32_t far = OP1(&b, LTH_OP_TANH, OP1(&b, LTH_OP_EXP, x)); /* needs no gradient */
    uint32_t before = b.g.node_count, loss = OP2(&b, LTH_OP_ADD, far, w);
    cr_assert_neq(gradient_of(loss, w), LTH_NO_VALUE);
    cr_assert_eq(b.g.node_count, before + 2); /* the sum, the 1 */
    end();
}

Test(conventions, a_cast_takes_its_gradient_back_to_the_type_it_came_from)
{
    begin();
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 2), (double[]) { 1, 2 });
    uint32_t wide = OP1A(&b, LTH_OP_CAST, x, lth_attr_dtype, LTH_F64, 0);
    run_gradients(OP2(&b, LTH_OP_MUL, wide, wide), &x, 1);
    cr_assert_eq(b.output_shapes[0].dtype, LTH_F32);
    expect("2 x", 0, (double[]) { 2, 4 }, 2);
    end();
}

Test(conventions, a_loss_that_is_no_floating_scalar_is_refused)
{
    begin();
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 2), (double[]) { 1, 2 }), gradient;
    cr_assert_not(autodiff(&b.g, &c, x, &x, 1, &gradient, 0, &b.e));
    cr_assert_str_eq(b.e.text, "grad: the loss must be a floating scalar of rank 0");
    error_clear(&b.e);
    uint32_t n = bench_input(&b, RANK0(LTH_I64), (double[]) { 1 }), loss = OP1A(&b, LTH_OP_SUM, x, lth_attr_reduce, 1, 0);
    cr_assert_not(autodiff(&b.g, &c, loss, &n, 1, &gradient, 0, &b.e));
    cr_assert_str_eq(b.e.text, "grad: tensor 0 to differentiate by is not floating");
    end();
}

Test(conventions, a_symbol_on_the_way_to_the_loss_is_an_error_and_elsewhere_none)
{
    begin();
    uint32_t x = bench_input(&b, RANK0(LTH_F64), (double[]) { 1 }), y = OP2(&b, LTH_OP_MUL, x, x), in[] = { y, x }, gradient;
    uint32_t symbol = graph_emit(&b.g, LTH_OP_GRAD, in, 2, NULL, 0, 0, &b.e);
    cr_assert_neq(symbol, LTH_NO_VALUE);
    cr_assert(autodiff(&b.g, &c, y, &x, 1, &gradient, 0, &b.e));
    uint32_t loss = OP2(&b, LTH_OP_MUL, symbol, x);
    cr_assert_not(autodiff(&b.g, &c, loss, &x, 1, &gradient, 0, &b.e));
    cr_assert_str_eq(b.e.text, "the loss depends on a symbolic op (240) that has not been expanded");
    end();
}

Test(conventions, a_constant_has_one_slot_a_value_and_one_leaf_a_dtype)
{
    begin();
    c.first_slot = 4;
    uint32_t half = constants_value(&c, &b.g, 0.5, LTH_F32, 0, &b.e), wide = constants_value(&c, &b.g, 0.5, LTH_F64, 0, &b.e);
    cr_assert_eq(constants_value(&c, &b.g, 0.5, LTH_F32, 0, &b.e), half);
    cr_assert_neq(half, wide);
    uint32_t zero = constants_value(&c, &b.g, 0.0, LTH_F32, 0, &b.e), minus = constants_value(&c, &b.g, -0.0, LTH_F32, 0, &b.e);
    cr_assert_neq(zero, minus);
    cr_assert_eq(c.count, 3);
    cr_assert_eq(b.g.scalar_count, 7);
    graph_reset(&b.g);
    cr_assert_eq(constants_value(&c, &b.g, 0.0, LTH_F32, 0, &b.e), 0);
    cr_assert_eq(constants_value(&c, &b.g, 0.5, LTH_F32, 0, &b.e), 1); /* 0 was its place in the graph before */
    cr_assert_eq(c.count, 3);
    end();
}
