/* SPDX-License-Identifier: Apache-2.0
 * Plans of the reference: effects, checks, the flags of compile, memory. */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static bench b;

static void open_reference(void) { bench_open(&b, "reference"); }
static void close_reference(void) { bench_close(&b); }

TestSuite(reference_plan, .init = open_reference, .fini = close_reference);

static const double two[] = { 1, 2 }, other[] = { 3, 4 };

Test(reference_plan, two_slices_of_state_can_be_swapped)
{
    uint32_t p = bench_arena(&b, LTH_F32, 2, two), q = bench_arena(&b, LTH_F32, 2, other);
    uint32_t old_p = bench_state(&b, p, 0, SHAPE(LTH_F32, 2)), old_q = bench_state(&b, q, 0, SHAPE(LTH_F32, 2));
    bench_assign(&b, p, 0, old_q);
    bench_assign(&b, q, 0, old_p);
    bench_go(&b, 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(bench_state_get(&b, p, i), other[i]);
        cr_assert_eq(bench_state_get(&b, q, i), two[i]);
    }
}

Test(reference_plan, state_reads_as_it_was_at_the_start_even_after_its_assign)
{
    uint32_t p = bench_arena(&b, LTH_F64, 2, two);
    uint32_t old = bench_state(&b, p, 0, SHAPE(LTH_F64, 2));
    bench_assign(&b, p, 0, OP2(&b, LTH_OP_ADD, old, old));
    uint32_t late = bench_output(&b, bench_state(&b, p, 0, SHAPE(LTH_F64, 2)));
    bench_op(&b, LTH_OP_PRINT, &old, 1, &(lth_attr_text) { "p" }, sizeof(lth_attr_text));
    bench_go(&b, 0);
    bench_expect(&b, "old value", late, two, 2, 0);
    cr_assert_str_eq(b.printed, "p=1;");
    cr_assert_eq(bench_state_get(&b, p, 1), 4);
}

Test(reference_plan, slices_of_one_arena_may_shift_over_each_other)
{
    static const double five[] = { 1, 2, 3, 4, 5 };
    uint32_t p = bench_arena(&b, LTH_F32, 5, five);
    bench_assign(&b, p, 1, bench_state(&b, p, 0, SHAPE(LTH_F32, 4)));
    bench_go(&b, 0);
    static const double shifted[] = { 1, 1, 2, 3, 4 };
    for (int i = 0; i < 5; i++)
        cr_assert_eq(bench_state_get(&b, p, i), shifted[i]);
}

Test(reference_plan, a_failed_assertion_commits_nothing_and_names_its_node)
{
    static const double flag[] = { 1, 0 };
    uint32_t p = bench_arena(&b, LTH_F64, 2, two);
    uint32_t old = bench_state(&b, p, 0, SHAPE(LTH_F64, 2));
    bench_assign(&b, p, 0, OP1(&b, LTH_OP_NEG, old));
    uint32_t out = bench_output(&b, OP1(&b, LTH_OP_NEG, old));
    memset(b.outputs[out], 0, 16);
    uint32_t ok = bench_input(&b, SHAPE(LTH_BOOL, 2), flag);
    bench_op(&b, LTH_OP_PRINT, &old, 1, &(lth_attr_text) { "p" }, sizeof(lth_attr_text));
    uint32_t node = b.g.node_count;
    bench_op(&b, LTH_OP_ASSERT, &ok, 1, &(lth_attr_text) { "the loss is positive" }, sizeof(lth_attr_text));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_str_eq(b.result.message, "the loss is positive");
    cr_assert_eq(bench_state_get(&b, p, 0), 1);
    cr_assert_eq(bench_get(&b, out, 0), 0);
    cr_assert_str_eq(b.printed, "");
}

Test(reference_plan, an_index_out_of_range_names_the_node_the_index_and_the_range)
{
    static const double table[] = { 1, 2, 3 }, index[] = { 0, 12 }, negative[] = { -1 }, target[] = { 3 };
    static const double logits[] = { 1, 2, 3 };
    uint32_t x = bench_input(&b, SHAPE(LTH_F64, 3), table), i = bench_input(&b, SHAPE(LTH_I64, 2), index);
    uint32_t node = b.g.node_count;
    bench_output(&b, OP2(&b, LTH_OP_GATHER, x, i));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_str_eq(b.result.message, "index 12 is out of range 0..2");

    bench_reset(&b);
    uint32_t rows = bench_input(&b, SHAPE(LTH_F64, 1), table);
    bench_output(&b, OP2A(&b, LTH_OP_SCATTER_ADD, rows, bench_input(&b, SHAPE(LTH_I32, 1), negative), lth_attr_axis, 5));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_str_eq(b.result.message, "index -1 is out of range 0..4");

    bench_reset(&b);
    bench_output(&b, OP2(&b, LTH_OP_CROSS_ENTROPY, bench_input(&b, SHAPE(LTH_F64, 1, 3), logits),
                         bench_input(&b, SHAPE(LTH_I64, 1), target)));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_str_eq(b.result.message, "target 3 is out of range 0..2");
}

Test(reference_plan, check_finite_finds_the_first_node_that_makes_a_bad_number)
{
    static const double x[] = { 1, -2 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F64, 2), x);
    uint32_t fine = OP1(&b, LTH_OP_EXP, a), node = b.g.node_count, bad = OP1(&b, LTH_OP_LOG, a);
    bench_output(&b, OP2(&b, LTH_OP_ADD, fine, bad));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_OK);
    cr_assert_eq(bench_compile(&b, LTH_COMPILE_CHECK_FINITE), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_str_eq(b.result.message, "element 1 of the result is nan");
}

Test(reference_plan, check_finite_pardons_an_infinity_that_was_given_as_a_number)
{
    static const double x[] = { 1, 2 }, mask[] = { 1, 0 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F64, 2), x), seen = bench_input(&b, SHAPE(LTH_BOOL, 2), mask);
    uint32_t hidden = OP1A(&b, LTH_OP_EXPAND, bench_scalar(&b, LTH_F64, -INFINITY), lth_attr_dims, 1, 0, { 2 });
    uint32_t masked = OP1A(&b, LTH_OP_SOFTMAX, OP3(&b, LTH_OP_WHERE, seen, a, hidden), lth_attr_axis, 0),
             out = bench_output(&b, masked);
    bench_go(&b, LTH_COMPILE_CHECK_FINITE);
    bench_expect(&b, "masked softmax", out, (double[]) { 1, 0 }, 2, 0);
    uint32_t node = b.g.node_count; /* but not one that is made of finite numbers */
    bench_output(&b, OP1(&b, LTH_OP_RECIPROCAL, OP2(&b, LTH_OP_SUB, a, a)));
    cr_assert_eq(bench_compile(&b, LTH_COMPILE_CHECK_FINITE), LTH_OK);
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node + 1);
}

Test(reference_plan, check_finite_pardons_a_query_that_sees_no_key)
{
    static const double x[] = { 1, 2, 3, 4 }, mask[] = { 1, 0, 0, 0 };
    uint32_t q = bench_input(&b, SHAPE(LTH_F64, 1, 1, 2, 2), x), seen = bench_input(&b, SHAPE(LTH_BOOL, 2, 2), mask);
    uint32_t in[] = { q, q, q, bench_scalar(&b, LTH_F64, 1), seen }, node = b.g.node_count;
    uint32_t y = bench_op(&b, LTH_OP_ATTENTION, in, 5, &(lth_attr_attention) { LTH_ATTENTION_MASK, 0 }, sizeof(lth_attr_attention));
    uint32_t out = bench_output(&b, y);
    uint32_t l = bench_output(&b, y + 1);
    bench_go(&b, LTH_COMPILE_CHECK_FINITE);
    bench_expect(&b, "attention", out, (double[]) { 1, 2, 0, 0 }, 4, 0);
    bench_expect(&b, "log-sum-exp", l, (double[]) { 5, -INFINITY }, 2, 0);
    b.scalars[0] = NAN; /* but not a score that is none */
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_lt(b.result.failed_node, node);
    b.scalars[0] = 1e308;
    cr_assert_eq(bench_run(&b), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
}

Test(reference_plan, keep_all_keeps_every_value_also_state_that_is_overwritten)
{
    uint32_t p = bench_arena(&b, LTH_F64, 2, two);
    uint32_t old = bench_state(&b, p, 0, SHAPE(LTH_F64, 2)), half = OP2(&b, LTH_OP_DIV, old, OP2(&b, LTH_OP_ADD, old, old));
    uint32_t late = OP1(&b, LTH_OP_NEG, half);
    bench_assign(&b, p, 0, late);
    bench_go(&b, LTH_COMPILE_KEEP_ALL);
    const double *state = b.accelerator->value_data(b.self, b.plan, old),
                 *middle = b.accelerator->value_data(b.self, b.plan, half);
    cr_assert_eq(state[1], 2);
    cr_assert_eq(middle[0], 0.5);
    cr_assert_eq(bench_state_get(&b, p, 1), -0.5);
    bench_go(&b, 0);
    cr_assert_null(b.accelerator->value_data(b.self, b.plan, half));
}

Test(reference_plan, values_whose_lives_do_not_meet_share_memory_and_the_plan_says_so)
{
    enum { N = 1024, DEPTH = 20 };
    static double x[N];
    uint32_t v = bench_input(&b, SHAPE(LTH_F64, N), x);
    for (int i = 0; i < DEPTH; i++)
        v = OP1(&b, LTH_OP_COS, v);
    bench_output(&b, v);
    bench_go(&b, 0);
    lth_plan_info info = { .struct_size = sizeof info };
    b.accelerator->plan_info(b.self, b.plan, &info);
    cr_assert_eq(info.memory_unshared, DEPTH * N * 8);
    cr_assert_eq(info.memory, 2 * N * 8);
    cr_assert_eq(info.kernel_count, DEPTH + 1);
    cr_assert_eq(info.fused_nodes, 0);
    cr_assert_eq(info.flops, DEPTH * N);
}

Test(reference_plan, matmul_counts_two_operations_a_multiply_add)
{
    static double x[64];
    bench_output(&b, OP2A(&b, LTH_OP_MATMUL, bench_input(&b, SHAPE(LTH_F32, 3, 5), x), bench_input(&b, SHAPE(LTH_F32, 5, 7), x),
                          lth_attr_matmul, 0, 0, 0, 0));
    bench_go(&b, 0);
    lth_plan_info info = { .struct_size = sizeof info };
    b.accelerator->plan_info(b.self, b.plan, &info);
    cr_assert_eq(info.flops, 2 * 3 * 5 * 7);
}

Test(reference_plan, what_it_cannot_compile_is_refused_by_name)
{
    static const double x[] = { 1, 2 };
    uint32_t a = bench_input(&b, SHAPE(LTH_BOOL, 2), x);
    lth_shape s = SHAPE(LTH_BOOL, 2);
    graph_append(&b.g, LTH_OP_ADD, (uint32_t[]) { a, a }, 2, NULL, 0, 0, &s, 1);
    cr_assert_eq(bench_compile(&b, 0), LTH_UNSUPPORTED);
    cr_assert_str_eq(b.message, "add of bool is not supported");
    cr_assert_not(b.accelerator->supports(b.self, LTH_OP_ADD, LTH_BOOL));

    bench_reset(&b);
    a = bench_input(&b, SHAPE(LTH_F32, 2), x);
    graph_append(&b.g, 999, &a, 1, NULL, 0, 0, &s, 1);
    cr_assert_eq(bench_compile(&b, 0), LTH_UNSUPPORTED);
    cr_assert_str_eq(b.message, "op 999 is unknown here");

    bench_reset(&b);
    bench_output(&b, bench_input(&b, SHAPE(LTH_F32, 2), x));
    cr_assert_eq(bench_compile(&b, 1u << 20), LTH_UNSUPPORTED);
    cr_assert(strstr(b.message, "0x100000"));

    lth_graph view;
    graph_view(&b.g, &view);
    lth_region regions[] = { view.regions[0], { LTH_REGION_LOOP, 0, 0, 1 } };
    view.regions = regions;
    view.region_count = 2;
    lth_compile_args args = { .struct_size = sizeof args, .graph = &view };
    cr_assert_eq(b.accelerator->compile(b.self, &args, &b.plan), LTH_UNSUPPORTED);
    cr_assert(strstr(b.message, "loop"));
}

Test(reference_plan, an_unbound_buffer_is_named_before_anything_is_committed)
{
    uint32_t p = bench_arena(&b, LTH_F64, 2, two);
    bench_assign(&b, p, 0, OP1(&b, LTH_OP_NEG, bench_state(&b, p, 0, SHAPE(LTH_F64, 2))));
    uint32_t node = b.g.node_count;
    bench_output(&b, bench_input(&b, SHAPE(LTH_F64, 2), two));
    cr_assert_eq(bench_compile(&b, 0), LTH_OK);
    lth_bindings bindings = { .struct_size = sizeof bindings,
                              .inputs = (const void *[]) { NULL },
                              .outputs = (void *const *)b.outputs,
                              .arenas = (void *const *)b.arenas,
                              .scalars = b.scalars };
    cr_assert_eq(b.accelerator->run(b.self, b.plan, &bindings, &b.result), LTH_CHECK);
    cr_assert_eq(b.result.failed_node, node);
    cr_assert_eq(bench_state_get(&b, p, 0), 1);
}

static void collect(void *context, const char *text)
{
    strcat(context, text);
    strcat(context, "\n");
}

Test(reference_plan, describe_writes_a_line_a_node)
{
    bench_output(&b, OP1(&b, LTH_OP_EXP, bench_input(&b, SHAPE(LTH_F32, 2, 3), (double[6]) { 0 })));
    bench_go(&b, 0);
    char text[1024] = "";
    b.accelerator->describe(b.self, b.plan, collect, text);
    cr_assert_str_eq(text, "%0 = input -> (2, 3) f32\n%1 = exp %0 (2, 3) f32 -> (2, 3) f32 at 0\noutput %1 (2, 3) f32\n");
}
