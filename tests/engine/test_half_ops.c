/* SPDX-License-Identifier: Apache-2.0
 * Every op in bf16 and in f16, against the reference in f64 on the same operands.
 *
 * A kernel of 16 bits computes in f32 and rounds its result once, so its error is that of one rounding: relative to the
 * result's root mean square at most u = 2^-8 (bf16) or 2^-11 (f16). A composite that arrives decomposed is rounded at each of
 * its steps but those that its decomposition keeps in f32; what it may cost is said in the table below. */
#include "half.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static bench half, reference;

/* Ops that are rounded more than once, and how many u that may be. */
static const struct {
    uint32_t op;
    double times;
} several[] = {
    { LTH_OP_ATTENTION, 3 }, /* the probabilities, as an operand of the second product */
    { LTH_OP_ATTENTION_GRAD, 3 },
    { LTH_OP_RNN, 3 }, /* the state between steps, as an operand of the next product */
    { LTH_OP_RNN_STEPS, 3 },
    { LTH_OP_RNN_STEPS_GRAD, 3 },
};

static double roundings(uint32_t op)
{
    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        if (several[i].op == op)
            return several[i].times;
    return 1;
}

/* A number that the type cannot hold is infinite in it, or its greatest one. */
static bool overflows(lth_dtype t, double x) { return fabs(x) > (t == LTH_BF16 ? 0x1.ffp127 : 65504); }

static bool same_class(lth_dtype t, double wanted, double got)
{
    if (isnan(wanted))
        return isnan(got);
    if (isinf(wanted) || overflows(t, wanted))
        return isinf(got) ? (got > 0) == (wanted > 0) : overflows(t, 2 * got);
    return isfinite(got);
}

static void compare_result(const op_case *c, const op_case *exact, uint32_t r, lth_dtype t)
{
    const lth_shape *is = graph_shape(&c->b->g, c->results[r]), *was = graph_shape(&exact->b->g, exact->results[r]);
    int64_t n = op_case_count(c, c->results[r]);
    double error = 0, size = 0, u = half_roundoff(t), least = t == LTH_F16 ? 0x1p-25 : 0x1p-133; /* below the normal numbers */
    bool floating = op_case_is_float(c, c->results[r]);
    for (int64_t i = 0; i < n; i++) {
        double got = half_of_bench(is->dtype, bench_get(c->b, c->slots[r], i)),
               wanted = half_of_bench(was->dtype, bench_get(exact->b, exact->slots[r], i));
        if (!floating && !(c->sample.flags & OP_SAMPLE_KINK))
            cr_assert_eq(got, wanted, "%s of %s: element %lld is %g, not %g", c->name, lth_dtype_name(t), (long long)i, got,
                         wanted);
        cr_assert(same_class(t, wanted, got), "%s of %s: element %lld is %g, not %g", c->name, lth_dtype_name(t), (long long)i,
                  got, wanted);
        if (isfinite(wanted) && isfinite(got)) {
            error += (got - wanted) * (got - wanted);
            size += wanted * wanted;
        }
    }
    double most = roundings(c->sample.op) * u * (1 + 1e-3);
    if (c->sample.op == LTH_OP_UNIFORM) /* cut off at the type's steps below 1, so that it stays below */
        size = (double)n * 4;
    if (floating && !(c->sample.flags & OP_SAMPLE_EXTREME))
        cr_assert(sqrt(error) <= most * sqrt(size) + least * sqrt((double)n), "%s of %s: %.2f roundings, more than %.1f", c->name,
                  lth_dtype_name(t), sqrt(error / size) / u, most / u);
}

/* Extreme values have their class in f32, not in f64. */
static void check_sample(const op_sample *s, lth_dtype t, uint32_t flags)
{
    op_case c, exact;
    op_case_begin_rounded(&exact, &reference, s, s->flags & OP_SAMPLE_EXTREME ? LTH_F32 : LTH_F64, t);
    op_case_compile(&exact, 0);
    op_case_run(&exact);
    op_case_begin(&c, &half, s, t);
    op_case_compile(&c, flags);
    op_case_run(&c);
    for (uint32_t r = 0; r < c.result_count; r++)
        compare_result(&c, &exact, r, t);
    op_case_end(&c);
    op_case_end(&exact);
}

static void check_all(const char *accelerator, lth_dtype t, uint32_t flags)
{
    uint32_t samples = 0;
    bench_open(&half, accelerator);
    bench_open(&reference, "reference");
    for (uint32_t op = 0; op < OP_CODES; op++)
        for (uint32_t i = 0; i < op_sample_count(op); i++, samples++) {
            op_sample s = op_sample_at(op, i);
            check_sample(&s, t, flags);
        }
    bench_close(&half);
    bench_close(&reference);
    cr_assert_gt(samples, 100);
}

Test(half_ops, every_op_of_bf16_on_reference_is_rounded_once) { check_all("reference", LTH_BF16, 0); }
Test(half_ops, every_op_of_f16_on_reference_is_rounded_once) { check_all("reference", LTH_F16, 0); }
Test(half_ops, every_op_of_bf16_on_cpu_is_rounded_once) { check_all("cpu", LTH_BF16, 0); }
Test(half_ops, every_op_of_bf16_on_cpu_is_rounded_once_without_fusion) { check_all("cpu", LTH_BF16, LTH_COMPILE_NO_FUSION); }

/* Where the processor cannot multiply bf16, by the library's plain loops. */
Test(half_ops, every_op_of_bf16_on_cpu_is_rounded_once_with_the_librarys_products)
{
    setenv("LTHOST_CPU_BF16", "library", 1);
    check_all("cpu", LTH_BF16, 0);
    unsetenv("LTHOST_CPU_BF16");
}

/* And by tiles as a matrix unit has them. */
Test(half_ops, every_op_of_bf16_on_cpu_is_rounded_once_with_products_by_tiles)
{
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    check_all("cpu", LTH_BF16, 0);
    unsetenv("LTHOST_CPU_BF16");
}

Test(half_ops, cpu_has_no_f16_but_its_casts_and_says_so)
{
    static const double x[4] = { 0 };
    bench_open(&half, "cpu");
    cr_assert_not(half.accelerator->supports(half.self, LTH_OP_ADD, LTH_F16));
    cr_assert_not(half.accelerator->supports(half.self, LTH_OP_MATMUL, LTH_F16));
    cr_assert(half.accelerator->supports(half.self, LTH_OP_CAST, LTH_F16));
    uint32_t a = bench_input(&half, SHAPE(LTH_F16, 2, 2), x);
    bench_output(&half, OP2(&half, LTH_OP_ADD, a, a));
    cr_assert_eq(bench_compile(&half, 0), LTH_UNSUPPORTED);
    cr_assert_str_eq(half.message, "add of f16 is not supported");
    bench_reset(&half);
    a = bench_input(&half, SHAPE(LTH_F16, 2, 2), x);
    bench_output(&half, OP2A(&half, LTH_OP_MATMUL, a, a, lth_attr_matmul, 0, 0, 0, 0));
    cr_assert_eq(bench_compile(&half, 0), LTH_UNSUPPORTED);
    cr_assert_str_eq(half.message, "matmul of f16 is not supported");
    bench_close(&half);
}

/* A long sum of 16 bits is one of f32: each added by itself, 1 + 1 + ... would stop at 256 in bf16. */
Test(half_ops, sums_and_products_of_bf16_add_up_in_f32)
{
    enum { N = 4096 };
    static double ones[N];
    static const char *const accelerators[] = { "reference", "cpu" };
    for (int i = 0; i < N; i++)
        ones[i] = half_to_bench(LTH_BF16, 1);
    for (int k = 0; k < 2; k++) {
        bench_open(&half, accelerators[k]);
        uint32_t x = bench_input(&half, SHAPE(LTH_BF16, 1, N), ones), y = bench_input(&half, SHAPE(LTH_BF16, N, 1), ones);
        uint32_t sum = bench_output(&half, OP1A(&half, LTH_OP_SUM, x, lth_attr_reduce, 3, 0));
        uint32_t narrow = bench_output(&half, OP2A(&half, LTH_OP_MATMUL, x, y, lth_attr_matmul, 0, 0, 0, 0));
        uint32_t wide = bench_output(&half, OP2A(&half, LTH_OP_MATMUL, x, y, lth_attr_matmul, 0, 0, LTH_F32, 0));
        bench_go(&half, 0);
        cr_assert_eq(half_of_bench(LTH_BF16, bench_get(&half, sum, 0)), N);
        cr_assert_eq(half_of_bench(LTH_BF16, bench_get(&half, narrow, 0)), N);
        cr_assert_eq(half.output_shapes[wide].dtype, LTH_F32);
        cr_assert_eq(bench_get(&half, wide, 0), N);
        bench_close(&half);
    }
}

/* (x + 1) - 1 of a small x: each op by itself rounds, a fused chain rounds at its end; a cast rounds wherever it stands. */
Test(half_ops, a_fused_chain_of_bf16_is_rounded_where_it_is_stored_and_a_cast_where_it_is_written)
{
    static const double small = 0x1p-10;
    double x = half_to_bench(LTH_BF16, small);
    bench_open(&half, "cpu");
    for (int cast = 0; cast < 2; cast++)
        for (uint32_t flags = 0; flags <= LTH_COMPILE_NO_FUSION; flags += LTH_COMPILE_NO_FUSION) {
            bench_reset(&half);
            uint32_t v = bench_input(&half, SHAPE(LTH_BF16, 1), &x), one = bench_scalar(&half, LTH_BF16, 1);
            one = OP1A(&half, LTH_OP_RESHAPE, one, lth_attr_dims, 1, 0, { 1 });
            v = OP2(&half, LTH_OP_ADD, v, one);
            if (cast)
                v = OP1A(&half, LTH_OP_CAST, OP1A(&half, LTH_OP_CAST, v, lth_attr_dtype, LTH_F32, 0), lth_attr_dtype, LTH_BF16,
                         0);
            uint32_t out = bench_output(&half, OP2(&half, LTH_OP_SUB, v, one));
            bench_go(&half, flags);
            cr_assert_eq(half_of_bench(LTH_BF16, bench_get(&half, out, 0)), cast || flags ? 0 : small);
        }
    bench_close(&half);
}
