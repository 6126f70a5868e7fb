/* SPDX-License-Identifier: Apache-2.0
 * Schedules: what is fused, what lies where, what is written in place, and that nothing of it changes a result. */
#include "accel_plain.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static bench b;

static void open_plain(void) { plain_bench_open(&b); }
static void close_plain(void) { bench_close(&b); }

TestSuite(accel_schedule, .init = open_plain, .fini = close_plain);

enum { N = 5000 };
static double numbers[N];

static const double *some(int64_t count)
{
    uint64_t seed = 7;
    cr_assert_leq(count, N);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = bench_random_real(&seed, 0.1, 2);
    return numbers;
}

static uint32_t launches(accel_launch_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plain_schedule(&b)->launch_count; i++)
        n += plain_schedule(&b)->launches[i].kind == kind;
    return n;
}

static uint32_t expanded(uint32_t v, int64_t rows, int64_t columns)
{
    return OP1A(&b, LTH_OP_EXPAND, v, lth_attr_dims, 2, 0, { rows, columns });
}

Test(accel_schedule, a_chain_of_pointwise_nodes_with_bias_and_scalars_is_one_launch)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 50, 100), some(N)), bias = bench_input(&b, SHAPE(LTH_F64, 100), some(100));
    uint32_t scale = bench_scalar(&b, LTH_F64, 3);
    uint32_t y = OP2(&b, LTH_OP_ADD, x, expanded(bias, 50, 100));
    y = OP2(&b, LTH_OP_MUL, OP1(&b, LTH_OP_TANH, y), expanded(scale, 50, 100));
    uint32_t out = bench_output(&b, y);
    bench_go(&b, 0);
    cr_assert_eq(launches(ACCEL_LAUNCH_PROGRAM), 1);
    cr_assert_eq(plain_schedule(&b)->info.fused_nodes, 3);
    cr_assert_eq(plain_schedule(&b)->info.memory, N * 8);
    some(N);
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(bench_get(&b, out, i), 3 * tanh(numbers[i] + numbers[i % 100]), 1e-12);
}

Test(accel_schedule, an_optimizer_step_writes_state_in_place_in_one_launch)
{
    uint32_t p = bench_arena(&b, LTH_F64, N, some(N)), m = bench_arena(&b, LTH_F64, N, some(N)),
             g = bench_input(&b, SHAPE(LTH_F64, N), some(N));
    uint32_t old_p = bench_state(&b, p, 0, SHAPE(LTH_F64, N)), old_m = bench_state(&b, m, 0, SHAPE(LTH_F64, N));
    uint32_t beta = OP1A(&b, LTH_OP_EXPAND, bench_scalar(&b, LTH_F64, 0.9), lth_attr_dims, 1, 0, { N });
    uint32_t rate = OP1A(&b, LTH_OP_EXPAND, bench_scalar(&b, LTH_F64, 0.1), lth_attr_dims, 1, 0, { N });
    uint32_t new_m = OP2(&b, LTH_OP_ADD, OP2(&b, LTH_OP_MUL, old_m, beta), g);
    uint32_t new_p =
        OP2(&b, LTH_OP_SUB, OP2(&b, LTH_OP_SUB, old_p, OP2(&b, LTH_OP_MUL, new_m, rate)), OP2(&b, LTH_OP_MUL, old_p, rate));
    bench_assign(&b, m, 0, new_m);
    bench_assign(&b, p, 0, new_p);
    bench_go(&b, 0);
    const accel_schedule *s = plain_schedule(&b);
    cr_assert_eq(s->launch_count, 1);
    cr_assert_eq(s->commit, 0);
    cr_assert_eq(s->info.memory, 0);
    some(N);
    for (int i = 0; i < N; i++) {
        double moment = numbers[i] * 0.9 + numbers[i];
        cr_assert_eq(bench_state_get(&b, m, i), moment);
        cr_assert_eq(bench_state_get(&b, p, i), numbers[i] - moment * 0.1 - numbers[i] * 0.1);
    }
}

Test(accel_schedule, a_failed_check_leaves_state_as_it_was_though_it_is_written_in_place)
{
    uint32_t p = bench_arena(&b, LTH_F64, 100, some(100));
    uint32_t old = bench_state(&b, p, 0, SHAPE(LTH_F64, 100)), ok = bench_input(&b, RANK0(LTH_BOOL), (double[]) { 0 });
    bench_assign(&b, p, 0, OP1(&b, LTH_OP_NEG, old));
    bench_op(&b, LTH_OP_ASSERT, &ok, 1, &(lth_attr_text) { "no" }, sizeof(lth_attr_text));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(bench_state_get(&b, p, 5), some(100)[5]);
    b.inputs[0][0] = 1;
    cr_assert_eq(bench_run(&b), LTH_OK);
    cr_assert_eq(bench_state_get(&b, p, 5), -some(100)[5]);
}

Test(accel_schedule, two_slices_that_are_updated_from_each_other_see_the_old_values)
{
    for (int size = 0; size < 2; size++) {
        int64_t n = size ? 3000 : 7;
        bench_reset(&b);
        uint32_t p = bench_arena(&b, LTH_F64, n, some(n)), q = bench_arena(&b, LTH_F64, n, some(n));
        uint32_t old_p = bench_state(&b, p, 0, SHAPE(LTH_F64, n)), old_q = bench_state(&b, q, 0, SHAPE(LTH_F64, n));
        bench_assign(&b, p, 0, OP1(&b, LTH_OP_NEG, old_q));
        bench_assign(&b, q, 0, OP1(&b, LTH_OP_SQUARE, old_p));
        bench_go(&b, 0);
        some(n);
        for (int64_t i = 0; i < n; i++) {
            cr_assert_eq(bench_state_get(&b, p, i), -numbers[i]);
            cr_assert_eq(bench_state_get(&b, q, i), numbers[i] * numbers[i]);
        }
    }
}

Test(accel_schedule, a_slice_of_state_may_be_computed_from_a_shifted_one)
{
    uint32_t p = bench_arena(&b, LTH_F64, N, some(N));
    bench_assign(&b, p, 1, OP1(&b, LTH_OP_NEG, bench_state(&b, p, 0, SHAPE(LTH_F64, N - 1))));
    bench_go(&b, 0);
    some(N);
    cr_assert_eq(bench_state_get(&b, p, 0), numbers[0]);
    for (int i = 1; i < N; i++)
        cr_assert_eq(bench_state_get(&b, p, i), -numbers[i - 1]);
}

Test(accel_schedule, swapped_state_and_state_reversed_onto_itself)
{
    uint32_t p = bench_arena(&b, LTH_F64, 4, (double[]) { 1, 2, 3, 4 }),
             q = bench_arena(&b, LTH_F64, 4, (double[]) { 5, 6, 7, 8 });
    uint32_t r = bench_arena(&b, LTH_F64, 4, (double[]) { 1, 2, 3, 4 });
    uint32_t old_p = bench_state(&b, p, 0, SHAPE(LTH_F64, 4)), old_q = bench_state(&b, q, 0, SHAPE(LTH_F64, 4));
    bench_assign(&b, p, 0, old_q);
    bench_assign(&b, q, 0, old_p);
    bench_assign(&b, r, 0,
                 OP1(&b, LTH_OP_NEG, OP1A(&b, LTH_OP_FLIP, bench_state(&b, r, 0, SHAPE(LTH_F64, 4)), lth_attr_axis, 0)));
    bench_go(&b, 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(bench_state_get(&b, p, i), 5 + i);
        cr_assert_eq(bench_state_get(&b, q, i), 1 + i);
        cr_assert_eq(bench_state_get(&b, r, i), i - 4);
    }
}

Test(accel_schedule, sums_ride_along_with_what_they_add_up)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 50, 100), some(N));
    uint32_t sum = OP1A(&b, LTH_OP_SUM, OP1(&b, LTH_OP_SQUARE, x), lth_attr_reduce, 3, 0), fine = OP1(&b, LTH_OP_ALL_FINITE, x);
    uint32_t mean = OP1A(&b, LTH_OP_MEAN, x, lth_attr_reduce, 3, 1);
    uint32_t scaled = OP2(&b, LTH_OP_DIV, x, expanded(sum, 50, 100));
    uint32_t outs[] = { bench_output(&b, sum), bench_output(&b, fine), bench_output(&b, mean), bench_output(&b, scaled) };
    bench_go(&b, 0);
    cr_assert_eq(launches(ACCEL_LAUNCH_NODE), 0);
    double expected = 0, average = 0;
    some(N);
    for (int i = 0; i < N; i++) {
        expected += numbers[i] * numbers[i];
        average += numbers[i] / N;
    }
    cr_assert_float_eq(bench_get(&b, outs[0], 0), expected, 1e-9);
    cr_assert_eq(bench_get(&b, outs[1], 0), 1);
    cr_assert_float_eq(bench_get(&b, outs[2], 0), average, 1e-12);
    cr_assert_float_eq(bench_get(&b, outs[3], 17), numbers[17] / expected, 1e-15);
    ((double *)b.inputs[0])[4321] = NAN;
    cr_assert_eq(bench_run(&b), LTH_OK);
    cr_assert_eq(bench_get(&b, outs[1], 0), 0);
    cr_assert(isnan(bench_get(&b, outs[0], 0)));
}

Test(accel_schedule, shape_ops_are_views_and_take_no_launch_of_their_own)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 20, 30), some(600));
    uint32_t v = OP1A(&b, LTH_OP_PERMUTE, x, lth_attr_dims, 2, 0, { 1, 0 });
    v = OP1A(&b, LTH_OP_SLICE, v, lth_attr_slice, { 3, 1 }, { 9, 6 }, { 3, 2 });
    v = OP1A(&b, LTH_OP_FLIP, v, lth_attr_axis, 0);
    v = OP1A(&b, LTH_OP_RESHAPE, OP1(&b, LTH_OP_NEG, v), lth_attr_dims, 1, 0, { 54 });
    uint32_t out = bench_output(&b, v);
    bench_go(&b, 0);
    cr_assert_eq(launches(ACCEL_LAUNCH_PROGRAM), 1);
    some(600);
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 6; j++)
            cr_assert_eq(bench_get(&b, out, i * 6 + j), -numbers[(1 + 2 * j) * 30 + 3 + 3 * (8 - i)]);
}

Test(accel_schedule, what_only_a_concat_reads_is_made_inside_it)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 20, 30), some(600));
    uint32_t parts[] = { OP1(&b, LTH_OP_NEG, x), OP1(&b, LTH_OP_SQUARE, x), x };
    uint32_t out = bench_output(&b, bench_op(&b, LTH_OP_CONCAT, parts, 3, &(lth_attr_axis) { 1 }, sizeof(lth_attr_axis)));
    bench_go(&b, 0);
    cr_assert_eq(launches(ACCEL_LAUNCH_PROGRAM), 3); /* two computed in place, one copied */
    cr_assert_eq(plain_schedule(&b)->info.memory, accel_align(3 * 600 * 8));
    some(600);
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 30; j++) {
            double a = numbers[i * 30 + j];
            cr_assert_eq(bench_get(&b, out, i * 90 + j), -a);
            cr_assert_eq(bench_get(&b, out, i * 90 + 30 + j), a * a);
            cr_assert_eq(bench_get(&b, out, i * 90 + 60 + j), a);
        }
}

Test(accel_schedule, a_dying_operand_gives_its_memory_to_the_result)
{
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, 64, 64), some(4096));
    for (int i = 0; i < 10; i++) /* a matmul and a group in turn */
        v = OP1(&b, LTH_OP_TANH, OP2A(&b, LTH_OP_MATMUL, v, v, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(&b, v);
    bench_go(&b, 0);
    cr_assert_leq(plain_schedule(&b)->info.memory, 2 * 4096 * 8 + 128);
}

Test(accel_schedule, flags_give_a_launch_a_node_and_keep_all_keeps_each_value)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 4), (double[]) { 1, 2, 3, 4 }), s = bench_scalar(&b, LTH_F64, 5);
    uint32_t wide = OP1A(&b, LTH_OP_EXPAND, s, lth_attr_dims, 1, 0, { 4 }), y = OP2(&b, LTH_OP_MUL, x, wide),
             z = OP1(&b, LTH_OP_NEG, y);
    uint32_t out = bench_output(&b, z);
    bench_go(&b, LTH_COMPILE_NO_FUSION);
    cr_assert_eq(launches(ACCEL_LAUNCH_PROGRAM), 2);
    cr_assert_eq(plain_schedule(&b)->info.fused_nodes, 0);
    bench_go(&b, LTH_COMPILE_KEEP_ALL);
    static const uint32_t kept_first[] = { 1, 5, 5, 5 };
    uint32_t values[] = { x, s, wide, y };
    for (int i = 0; i < 4; i++) {
        const double *data = b.accelerator->value_data(b.self, b.plan, values[i]);
        cr_assert_not_null(data, "value %d", i);
        cr_assert_eq(data[0], kept_first[i]);
    }
    cr_assert_eq(bench_get(&b, out, 3), -20);
}

Test(accel_schedule, check_finite_names_the_node_within_what_would_have_been_fused)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 3), (double[]) { 1, -1, 2 });
    uint32_t y = OP1(&b, LTH_OP_NEG, x), node = b.g.node_count, z = OP1(&b, LTH_OP_LOG, y);
    bench_output(&b, OP1(&b, LTH_OP_ABS, z));
    cr_assert_eq(bench_compile(&b, LTH_COMPILE_CHECK_FINITE), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert(strstr(b.result.message, "nan"));
}

Test(accel_schedule, check_finite_pardons_a_query_that_sees_no_key)
{
    static const double x[] = { 1, 2, 3, 4 }, mask[] = { 1, 0, 0, 0 };
    uint32_t q = bench_input(&b, SHAPE(LTH_F64, 1, 1, 2, 2), x), seen = bench_input(&b, SHAPE(LTH_BOOL, 2, 2), mask);
    uint32_t in[] = { q, q, q, bench_scalar(&b, LTH_F64, 1), seen }, node = b.g.node_count;
    uint32_t y = bench_op(&b, LTH_OP_ATTENTION, in, 5, &(lth_attr_attention) { LTH_ATTENTION_MASK, 0 }, sizeof(lth_attr_attention));
    uint32_t l = bench_output(&b, OP1(&b, LTH_OP_NEG, y + 1)); /* what comes from it is none either */
    bench_output(&b, y);
    bench_go(&b, LTH_COMPILE_CHECK_FINITE);
    bench_expect(&b, "negated log-sum-exp", l, (double[]) { -5, INFINITY }, 2, 0);
    b.scalars[0] = 1e308;
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
}

Test(accel_schedule, random_numbers_in_a_group_are_those_of_their_counter)
{
    b.seed = 3, b.step = 9, b.stream = 2;
    lth_attr_random a = { SHAPE(LTH_F32, 4999), 11, 0 };
    static double ones[4999];
    for (int i = 0; i < 4999; i++)
        ones[i] = 1;
    uint32_t u = bench_output(&b, OP1(&b, LTH_OP_NEG, bench_op(&b, LTH_OP_UNIFORM, NULL, 0, &a, sizeof a)));
    uint32_t z = bench_output(&b, bench_op(&b, LTH_OP_NORMAL, NULL, 0, &a, sizeof a));
    uint32_t operands[] = { bench_input(&b, SHAPE(LTH_F32, 4999), ones), bench_scalar(&b, LTH_F32, 0.5) };
    uint32_t d = bench_output(&b, bench_op(&b, LTH_OP_DROPOUT, operands, 2, &a, sizeof a));
    bench_go(&b, 0);
    for (int i = 0; i < 4999; i++) {
        double expected = lth_random_uniform(3, 11, 9, 2, i);
        cr_assert_eq(bench_get(&b, u, i), -expected);
        cr_assert_eq(bench_get(&b, d, i), expected >= 0.5 ? 2 : 0);
        cr_assert_eq(bench_get(&b, z, i), (double)(float)lth_random_normal(3, 11, 9, 2, i));
    }
}

Test(accel_schedule, memory_that_is_also_read_out_of_order_is_not_handed_on)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 70, 70), some(4900)), one = bench_scalar(&b, LTH_F64, 1);
    uint32_t product = OP2A(&b, LTH_OP_MATMUL, x, x, lth_attr_matmul, 0, 0, 0, 0); /* dies in the group */
    uint32_t turned = OP1A(&b, LTH_OP_PERMUTE, product, lth_attr_dims, 2, 0, { 1, 0 });
    uint32_t out = bench_output(&b, OP2(&b, LTH_OP_ADD, OP2(&b, LTH_OP_SUB, product, turned), expanded(one, 70, 70)));
    bench_go(&b, 0);
    for (int i = 0; i < 70; i++)
        for (int j = 0; j < 70; j++)
            cr_assert_float_eq(bench_get(&b, out, i * 70 + j) + bench_get(&b, out, j * 70 + i), 2, 1e-12);
}

Test(accel_schedule, a_test_of_one_number_is_there_before_it_is_read)
{
    uint32_t fine = OP1(&b, LTH_OP_ALL_FINITE, OP1(&b, LTH_OP_LOG, bench_scalar(&b, LTH_F32, -1)));
    uint32_t out = bench_output(&b, OP1(&b, LTH_OP_NOT, fine));
    bench_go(&b, 0);
    cr_assert_eq(bench_get(&b, out, 0), 1);
    b.scalars[0] = 1;
    cr_assert_eq(bench_run(&b), LTH_OK);
    cr_assert_eq(bench_get(&b, out, 0), 0);
}
