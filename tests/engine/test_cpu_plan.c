/* SPDX-License-Identifier: Apache-2.0
 * Plans of the accelerator `cpu`: checks and the commit, what is fused, threads, memory. */
#include "accel_fixture.h"
#include "allocations.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench b;

static void open_cpu(void) { bench_open(&b, "cpu"); }
static void close_cpu(void) { bench_close(&b); }

TestSuite(cpu_plan, .init = open_cpu, .fini = close_cpu);

enum { N = 5000 };
static double numbers[N];

/* p <- p - lr m; m <- 0.9 m + g, as an optimizer does it, guarded by an ASSERT on g. */
static uint32_t append_update(double gradient)
{
    for (int i = 0; i < N; i++)
        numbers[i] = 0.001 * i;
    uint32_t p = bench_arena(&b, LTH_F32, N, numbers), m = bench_arena(&b, LTH_F32, N, numbers);
    for (int i = 0; i < N; i++)
        numbers[i] = gradient;
    uint32_t g = bench_input(&b, SHAPE(LTH_F32, N), numbers);
    uint32_t old_p = bench_state(&b, p, 0, SHAPE(LTH_F32, N)), old_m = bench_state(&b, m, 0, SHAPE(LTH_F32, N));
    uint32_t lr = OP1A(&b, LTH_OP_EXPAND, bench_scalar(&b, LTH_F32, 0.5), lth_attr_dims, 1, 0, { N });
    uint32_t decay = OP1A(&b, LTH_OP_EXPAND, bench_scalar(&b, LTH_F32, 0.9), lth_attr_dims, 1, 0, { N });
    uint32_t new_m = OP2(&b, LTH_OP_ADD, OP2(&b, LTH_OP_MUL, old_m, decay), g);
    uint32_t finite = OP1(&b, LTH_OP_ALL_FINITE, g);
    bench_op(&b, LTH_OP_ASSERT, &finite, 1, &(lth_attr_text) { "non-finite gradient" }, sizeof(lth_attr_text));
    bench_assign(&b, m, 0, new_m);
    bench_assign(&b, p, 0, OP2(&b, LTH_OP_SUB, old_p, OP2(&b, LTH_OP_MUL, new_m, lr)));
    return bench_output(&b, OP1A(&b, LTH_OP_SUM, g, lth_attr_reduce, 1, 0));
}

static void line(void *context, const char *text) { strncat(context, text, 4095 - strlen(context)); }

Test(cpu_plan, an_update_is_one_pass_that_writes_state_in_place)
{
    append_update(1);
    bench_go(&b, 0);
    for (int i = 0; i < N; i += 7) {
        double m = 0.9 * (0.001 * i) + 1;
        cr_assert_float_eq(bench_state_get(&b, 1, i), m, 1e-6);
        cr_assert_float_eq(bench_state_get(&b, 0, i), 0.001 * i - 0.5 * m, 1e-6);
    }
    char text[4096] = "";
    b.accelerator->describe(b.self, b.plan, line, text);
    cr_assert_null(strstr(text, "assign"), "%s", text);
}

Test(cpu_plan, a_failed_check_leaves_state_and_outputs_as_they_were)
{
    const uint32_t ways[] = { 0, LTH_COMPILE_NO_FUSION, LTH_COMPILE_KEEP_ALL };
    for (int w = 0; w < 3; w++) {
        bench_reset(&b);
        uint32_t out = append_update(NAN);
        memset(b.outputs[out], 0, sizeof(float));
        cr_assert_eq(bench_compile(&b, ways[w]), LTH_OK);
        cr_assert_eq(bench_run(&b), LTH_CHECK);
        cr_assert_str_eq(b.result.message, "non-finite gradient");
        cr_assert_eq(b.g.nodes[b.result.failed_node].op, LTH_OP_ASSERT);
        cr_assert_eq(bench_get(&b, out, 0), 0);
        for (int i = 0; i < N; i++) {
            cr_assert_eq(bench_state_get(&b, 0, i), (float)(0.001 * i));
            cr_assert_eq(bench_state_get(&b, 1, i), (float)(0.001 * i));
        }
    }
}

Test(cpu_plan, an_index_out_of_range_names_the_node_the_index_and_the_range)
{
    static const double table[] = { 1, 2, 3 }, index[] = { 0, 12 }, target[] = { 3 };
    uint32_t p = bench_arena(&b, LTH_F32, 3, table), x = bench_state(&b, p, 0, SHAPE(LTH_F32, 3));
    bench_assign(&b, p, 0, OP1(&b, LTH_OP_NEG, x));
    uint32_t i = bench_input(&b, SHAPE(LTH_I64, 2), index), node = b.g.node_count;
    bench_output(&b, OP2(&b, LTH_OP_GATHER, x, i));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_str_eq(b.result.message, "index 12 is out of range 0..2");
    cr_assert_eq(bench_state_get(&b, p, 0), 1);

    for (lth_dtype t = LTH_I64; t <= LTH_I32; t++) {
        bench_reset(&b);
        bench_output(&b, OP2(&b, LTH_OP_CROSS_ENTROPY, bench_input(&b, SHAPE(LTH_F32, 1, 3), table),
                             bench_input(&b, SHAPE(t, 1), target)));
        cr_assert_eq(bench_compile(&b, 0), LTH_OK);
        cr_assert_eq(bench_run(&b), LTH_CHECK);
        cr_assert_str_eq(b.result.message, "target 3 is out of range 0..2");
    }
}

Test(cpu_plan, check_finite_names_the_first_node_that_makes_a_bad_number)
{
    static const double x[] = { 1, -2 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F32, 2), x);
    uint32_t fine = OP1(&b, LTH_OP_EXP, a), node = b.g.node_count, bad = OP1(&b, LTH_OP_LOG, a);
    bench_output(&b, OP2(&b, LTH_OP_ADD, fine, bad));
    bench_go(&b, 0);
    cr_assert_eq(bench_compile(&b, LTH_COMPILE_CHECK_FINITE), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_str_eq(b.result.message, "element 1 of the result is nan");
}

/* ---- Gradients into one vector ---- */

Test(cpu_plan, what_is_put_together_is_made_in_its_place)
{
    static const double x[12] = { 1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F32, 3, 2), x), w = bench_input(&b, SHAPE(LTH_F32, 2, 4), x);
    uint32_t product = OP2A(&b, LTH_OP_MATMUL, a, w, lth_attr_matmul, 0, 0, 0, 0);
    uint32_t sum = OP1A(&b, LTH_OP_SUM, OP1(&b, LTH_OP_NEG, a), lth_attr_reduce, 1, 0);
    uint32_t flat = OP1A(&b, LTH_OP_RESHAPE, product, lth_attr_dims, 1, 0, { 12 });
    uint32_t whole =
        bench_op(&b, LTH_OP_CONCAT, (uint32_t[]) { flat, sum, flat }, 3, &(lth_attr_axis) { 0 }, sizeof(lth_attr_axis));
    uint32_t out = bench_output(&b, OP1(&b, LTH_OP_SQUARE, whole)),
             twice = bench_output(&b, OP2(&b, LTH_OP_ADD, product, product));
    bench_go(&b, 0);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++) {
            double y = x[2 * i] * x[j] + x[2 * i + 1] * x[4 + j];
            cr_assert_eq(bench_get(&b, out, 4 * i + j), y * y);
            cr_assert_eq(bench_get(&b, out, 14 + 4 * i + j), y * y);
            cr_assert_eq(bench_get(&b, twice, 4 * i + j), 2 * y);
        }
    cr_assert_eq(bench_get(&b, out, 12), 81);
    cr_assert_eq(bench_get(&b, out, 13), 144);
    char text[4096] = "";
    b.accelerator->describe(b.self, b.plan, line, text);
    char *move = strstr(text, "concat");
    cr_assert_not_null(move, "the third part is the first one again, so it has to be copied");
    cr_assert_null(strstr(move + 1, " = concat"), "%s", text);
}

/* ---- Threads ---- */

/* A plan with enough work for threads: bits do not depend on how many there are. */
static float *large_result(const char *threads)
{
    enum { ROWS = 700, WIDTH = 1100 };
    setenv("LTHOST_TEST_THREADS", threads, 1);
    bench_close(&b);
    bench_open(&b, "cpu");
    double *x = calloc(ROWS * WIDTH, sizeof *x);
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = sin(i);
    uint32_t v = bench_input(&b, SHAPE(LTH_F32, ROWS, WIDTH), x);
    free(x);
    uint32_t p = bench_scalar(&b, LTH_F32, 0.1);
    v = bench_op(&b, LTH_OP_DROPOUT, (uint32_t[]) { OP1(&b, LTH_OP_GELU, v), p }, 2, &(lth_attr_random) { .id = 3 },
                 sizeof(lth_attr_random));
    uint32_t soft = OP1A(&b, LTH_OP_SOFTMAX, v, lth_attr_axis, 1);
    bench_output(&b, OP1A(&b, LTH_OP_SUM, soft, lth_attr_reduce, 1, 0));
    bench_output(&b, OP1A(&b, LTH_OP_SUM, OP1(&b, LTH_OP_SQUARE, v), lth_attr_reduce, 2, 0));
    bench_output(&b, OP1A(&b, LTH_OP_SUM, OP1(&b, LTH_OP_SQUARE, v), lth_attr_reduce, 3, 0));
    bench_go(&b, 0);
    float *all = malloc((WIDTH + ROWS + 1) * sizeof *all);
    memcpy(all, b.outputs[0], WIDTH * sizeof *all);
    memcpy(all + WIDTH, b.outputs[1], ROWS * sizeof *all);
    memcpy(all + WIDTH + ROWS, b.outputs[2], sizeof *all);
    return all;
}

Test(cpu_plan, loops_of_its_own_have_the_same_bits_on_any_number_of_threads)
{
    float *one = large_result("1"), *two = large_result("2"), *three = large_result("3");
    cr_assert_not_null(strstr(b.accelerator->fingerprint(b.self), "threads=3"));
    cr_assert_arr_eq(one, two, 1801 * sizeof *one);
    cr_assert_arr_eq(one, three, 1801 * sizeof *one);
    free(one);
    free(two);
    free(three);
}

/* ---- Memory ---- */

Test(cpu_plan, a_run_without_products_allocates_nothing)
{
    append_update(1);
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 50, 100), numbers);
    bench_output(&b, OP1A(&b, LTH_OP_SOFTMAX, x, lth_attr_axis, 1));
    bench_output(&b, OP1A(&b, LTH_OP_MAX, x, lth_attr_reduce, 1, 0));
    uint32_t image = bench_input(&b, SHAPE(LTH_F32, 2, 3, 10, 12), numbers);
    uint32_t pooled = OP1A(&b, LTH_OP_MAX_POOL, image, lth_attr_pool, { 2, 2 }, { 2, 2 }, { 0 }, { 0 }, { 1, 1 }, { 0 }, 0, 0);
    bench_output(&b, pooled + 1);
    bench_output(&b, OP1A(&b, LTH_OP_RESIZE, pooled, lth_attr_resize, { 7, 9 }, { 0 }, LTH_RESIZE_LINEAR, 0));
    uint32_t w = bench_input(&b, SHAPE(LTH_F32, 8, 3, 3, 3), numbers);
    bench_output(&b, OP2A(&b, LTH_OP_CONV, image, w, lth_attr_conv, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0 }, 1, 0, 0));
    bench_go(&b, 0);
    allocations_begin();
    bench_run(&b);
    cr_assert_eq(allocations_end(), 0);
}

/* oneDNN, which has those in groups, allocates in every call: nine times a reorder or a convolution at most. */
Test(cpu_plan, a_run_of_grouped_convolutions_allocates_what_onednn_does_and_never_more)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 2, 3, 10, 12), numbers), w = bench_input(&b, SHAPE(LTH_F32, 6, 1, 3, 3), numbers);
    bench_output(&b, OP2A(&b, LTH_OP_CONV, x, w, lth_attr_conv, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0 }, 3, 0, 0));
    bench_go(&b, 0);
    for (int i = 0; i < 5; i++) {
        allocations_begin();
        bench_run(&b);
        cr_assert_leq(allocations_end(), 4 * 9);
    }
}

Test(cpu_plan, values_share_memory_and_the_plan_says_how_much)
{
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 100, 100), (double[10000]) { 0 });
    for (int i = 0; i < 6; i++)
        x = OP1A(&b, LTH_OP_SOFTMAX, x, lth_attr_axis, 1);
    bench_output(&b, x);
    bench_go(&b, 0);
    lth_plan_info info = { .struct_size = sizeof info };
    b.accelerator->plan_info(b.self, b.plan, &info);
    cr_assert_eq(info.kernel_count, 7);
    cr_assert_eq(info.flops, 60000);
    cr_assert_geq(info.memory_unshared - info.memory, 4 * 40000 - 6 * 64);
}
