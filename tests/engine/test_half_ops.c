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

static bench half, reference;

/* Ops that are rounded more than once, and how many u that may be. */
static const struct {
    uint32_t op;
    double times;
} several[] = {
    { LTH_OP_ATTENTION, 3 }, /* the probabilities, as an operand of the second product */
    { LTH_OP_ATTENTION_GRAD, 3 },
    { LTH_OP_RNN, 3 }, /* the state between steps, as an operand of the next product */
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
