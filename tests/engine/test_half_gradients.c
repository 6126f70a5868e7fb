/* SPDX-License-Identifier: Apache-2.0
 * The gradient of every op in bf16, against that in f64 on the same operands and the same gradient of the result.
 *
 * A gradient rule is made of ops, each of which is rounded, and its terms may cancel: that of tanh is (1 - y^2) d, which for a y
 * that bf16 rounds to 1 is 0. So the bound is some roundings of u = 2^-8 each, relative to the sum of two root mean squares: the
 * gradient's, and that of the gradient that came in. Ops that a lower precision leaves in f32 are left out. */
#include "engine/precision.h"
#include "half.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static bench half, reference;

/* Ops whose rule costs more than 2 roundings, and how many. */
static const struct {
    uint32_t op;
    double times;
} longer[] = {
    { LTH_OP_ATTENTION, 3 }, /* by the scale: a sum over all pairs, of probabilities that tiles round */
    { LTH_OP_ATTENTION_GRAD, 3 },
    { LTH_OP_RNN, 3 }, /* each step rounds again what goes on to the one before it */
    { LTH_OP_RNN_STEPS, 3 },
    { LTH_OP_GELU_TANH_SLOPE, 3 }, /* a second derivative, of differences */
    { LTH_OP_DROPOUT, 3 },         /* by p: a sum over all that was dropped */
};

static double roundings(uint32_t op)
{
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (longer[i].op == op)
            return longer[i].times;
    return 2;
}

/* sum(result * weight) in f32 or f64, with weights that bf16 holds: so the result's gradient is exact in either. */
static uint32_t loss_of(op_case *c, lth_dtype t, lth_dtype wide)
{
    uint32_t sum = LTH_NO_VALUE;
    for (uint32_t r = 0; r < c->result_count; r++) {
        lth_shape shape = *graph_shape(&c->b->g, c->results[r]);
        if (!lth_dtype_is_float(shape.dtype))
            continue;
        int64_t n = lth_shape_count(&shape);
        double *weights = calloc((size_t)n + 1, sizeof *weights);
        uint64_t state = 11 + r;
        for (int64_t i = 0; i < n; i++)
            weights[i] = half_rounded(t, bench_random_real(&state, -1, 1));
        uint32_t x = c->results[r];
        if (shape.dtype != wide)
            x = OP1A(c->b, LTH_OP_CAST, x, lth_attr_dtype, wide, 0);
        shape.dtype = wide;
        uint32_t product = OP2(c->b, LTH_OP_MUL, x, bench_input(c->b, shape, weights));
        uint32_t term = OP1A(c->b, LTH_OP_SUM, product, lth_attr_reduce, (1u << shape.rank) - 1, 0);
        sum = sum == LTH_NO_VALUE ? term : OP2(c->b, LTH_OP_ADD, sum, term);
        free(weights);
    }
    return sum;
}

/* The gradients by the floating operands become outputs; slots: UINT32_MAX where there is none. False: nothing to differentiate.
 */
static bool begin(op_case *c, bench *b, const op_sample *s, lth_dtype t, lth_dtype floating, lth_dtype wide, uint32_t *slots)
{
    uint32_t wrt[OP_SAMPLE_OPERANDS], of[OP_SAMPLE_OPERANDS], found[OP_SAMPLE_OPERANDS], n = 0;
    op_case_begin_rounded(c, b, s, floating, t);
    uint32_t loss = loss_of(c, t, wide);
    for (uint32_t i = 0; i < s->count; i++) {
        slots[i] = UINT32_MAX;
        if (op_case_is_float(c, c->inputs[i]))
            of[n] = i, wrt[n++] = c->inputs[i];
    }
    if (loss == LTH_NO_VALUE || n == 0)
        return false;
    cr_assert(autodiff(&b->g, &c->constants, loss, wrt, n, found, 0, &b->e), "%s: %s", c->name, b->e.text);
    for (uint32_t i = 0; i < n; i++)
        if (found[i] != LTH_NO_VALUE)
            slots[of[i]] = bench_output(b, found[i]);
    op_case_compile(c, 0);
    op_case_run(c);
    return true;
}

static void compare(const op_case *c, const op_case *exact, uint32_t operand, uint32_t got_slot, uint32_t wanted_slot)
{
    double error = 0, size = 0, u = half_roundoff(LTH_BF16);
    lth_dtype is = c->b->output_shapes[got_slot].dtype;
    int64_t n = lth_shape_count(&c->b->output_shapes[got_slot]);
    for (int64_t i = 0; i < n; i++) {
        double got = half_of_bench(is, bench_get(c->b, got_slot, i)), wanted = bench_get(exact->b, wanted_slot, i);
        cr_assert(isfinite(got) && isfinite(wanted), "%s: element %lld is %g, not %g", c->name, (long long)i, got, wanted);
        error += (got - wanted) * (got - wanted);
        size += wanted * wanted;
    }
    double scale = sqrt(size / (double)n) + 0.58; /* numbers drawn in (-1, 1) */
    cr_assert(n == 0 || sqrt(error / (double)n) <= roundings(c->sample.op) * u * scale,
              "%s by operand %u: %.2f roundings, more than %g", c->name, operand, sqrt(error / (double)n) / scale / u,
              roundings(c->sample.op));
}

static void check_all(const char *accelerator)
{
    uint32_t checked = 0;
    bench_open(&half, accelerator);
    bench_open(&reference, "reference");
    for (uint32_t op = 0; op < OP_CODES; op++)
        for (uint32_t i = 0; i < op_sample_count(op); i++) {
            op_sample s = op_sample_at(op, i);
            uint32_t slots[OP_SAMPLE_OPERANDS], exact_slots[OP_SAMPLE_OPERANDS];
            op_case c, exact;
            if (s.flags & (OP_SAMPLE_KINK | OP_SAMPLE_EXTREME) || op_precision_of(op) == OP_PRECISION_FULL)
                continue; /* the latter are never computed in bf16 by `precision` */
            bool any = begin(&exact, &reference, &s, LTH_BF16, LTH_F64, LTH_F64, exact_slots) &&
                       begin(&c, &half, &s, LTH_BF16, LTH_BF16, LTH_F32, slots);
            for (uint32_t k = 0; k < s.count && any; k++)
                if (slots[k] != UINT32_MAX && exact_slots[k] != UINT32_MAX) {
                    compare(&c, &exact, k, slots[k], exact_slots[k]);
                    checked++;
                }
            if (any)
                op_case_end(&c);
            op_case_end(&exact);
        }
    bench_close(&half);
    bench_close(&reference);
    cr_assert_gt(checked, 150);
}

Test(half_gradients, of_every_op_in_bf16_on_reference_are_those_of_f64_within_some_roundings) { check_all("reference"); }
Test(half_gradients, of_every_op_in_bf16_on_cpu_are_those_of_f64_within_some_roundings) { check_all("cpu"); }
Test(half_gradients, of_every_op_in_bf16_on_cpu_by_tiles_are_those_of_f64_within_some_roundings)
{
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    check_all("cpu");
    unsetenv("LTHOST_CPU_BF16");
}
