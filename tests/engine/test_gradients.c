/* SPDX-License-Identifier: Apache-2.0
 * The gradient of every op against finite differences, in f64 on the reference accelerator: the whole Jacobian where it is
 * small, else one random projection of it. Derivatives of the gradients are checked in the same way.
 *
 * A central difference D(h) errs by its curvature, c h^2, and by rounding. With D(h) and D(h / 2) both are known: Richardson's
 * combination cancels the first, their distance measures it, and the tolerance is made of the two. It is itself bounded, so
 * that a function too curved for the step cannot pass by that. */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 64 }; /* elements, up to which the whole Jacobian is taken */

/* A scalar or vector function of the inputs, by the slots of the bench it is read from. */
typedef struct function {
    uint32_t slots[OP_MAX_RESULTS], count; /* outputs; those of other than floating type are left out */
} function;

typedef struct direction {
    uint32_t slot;       /* of the input that moves */
    const double *along; /* by how much each element moves; NULL: element `element` alone, by 1 */
    int64_t element;
} direction;

static int64_t function_size(const op_case *c, const function *f)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < f->count; i++)
        n += lth_shape_count(&c->b->output_shapes[f->slots[i]]);
    return n;
}

static void evaluate(op_case *c, const function *f, double *y)
{
    op_case_run(c);
    for (uint32_t i = 0; i < f->count; i++)
        for (int64_t k = 0; k < lth_shape_count(&c->b->output_shapes[f->slots[i]]); k++)
            *y++ = bench_get(c->b, f->slots[i], k);
}

static void move(op_case *c, const direction *d, const double *from, int64_t n, double step)
{
    double *x = (double *)(void *)c->b->inputs[d->slot];
    memcpy(x, from, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] += d->along ? step * d->along[i] : i == d->element ? step : 0;
}

/* The derivative of f along d, and how far off it may be. */
static void difference(op_case *c, const function *f, const direction *d, double *slope, double *tolerance)
{
    const double h = 1.0 / 8192;
    int64_t m = function_size(c, f), n = lth_shape_count(graph_shape(&c->b->g, c->inputs[d->slot]));
    double *x = malloc(((size_t)n + 1) * sizeof *x), *y[4], greatest = 1;
    memcpy(x, c->b->inputs[d->slot], (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        greatest = fmax(greatest, fabs(x[i]));
    for (int i = 0; i < 4; i++) {
        y[i] = calloc((size_t)m + 1, sizeof **y);
        move(c, d, x, n, (i & 1 ? -h : h) / (i < 2 ? 1 : 2));
        evaluate(c, f, y[i]);
    }
    move(c, d, x, n, 0);
    for (int64_t k = 0; k < m; k++) {
        double wide = (y[0][k] - y[1][k]) / (2 * h), narrow = (y[2][k] - y[3][k]) / h;
        slope[k] = (4 * narrow - wide) / 3;
        tolerance[k] = 0.25 * fabs(narrow - wide) + 32 * DBL_EPSILON * (fabs(y[0][k]) + fabs(y[1][k]) + greatest) / h;
    }
    for (int i = 0; i < 4; i++)
        free(y[i]);
    free(x);
}

static void agree(const op_case *c, const char *what, int64_t row, int64_t column, double got, double slope, double tolerance)
{
    cr_assert(tolerance <= 1e-4 * (1 + fabs(slope)), "%s: too curved to be checked (tolerance %g at %g)", c->name, tolerance,
              slope);
    cr_assert(fabs(got - slope) <= tolerance,
              "%s: %s of output %lld by input %lld is %.12g, differences give %.12g (within %.2g)", c->name, what, (long long)row,
              (long long)column, got, slope, tolerance);
}

/* Element `column` of the gradient by input `input`; 0 where there is none. */
static double gradient_at(const op_case *c, const uint32_t *slots, uint32_t input, int64_t column)
{
    return slots[input] == UINT32_MAX ? 0 : bench_get(c->b, slots[input], column);
}

/* Every element of the weights in turn is 1, the others 0: a row of the Jacobian. */
static void check_jacobian(op_case *c, const function *f, const uint32_t *weights, const uint32_t *gradients)
{
    int64_t m = function_size(c, f), n = 0;
    int64_t offset[OP_SAMPLE_OPERANDS + 1] = { 0 };
    for (uint32_t i = 0; i < c->sample.count; i++)
        offset[i + 1] = n += op_case_count(c, c->inputs[i]);
    double *slope = calloc((size_t)(m * n) + 1, sizeof *slope), *tolerance = calloc((size_t)(m * n) + 1, sizeof *tolerance);
    for (uint32_t i = 0; i < c->sample.count; i++)
        for (int64_t k = offset[i]; op_case_is_float(c, c->inputs[i]) && k < offset[i + 1]; k++)
            difference(c, f, &(direction) { i, NULL, k - offset[i] }, slope + k * m, tolerance + k * m);
    for (uint32_t i = 0; i < f->count; i++)
        memset(c->b->inputs[weights[i]], 0, (size_t)lth_shape_count(&c->b->output_shapes[f->slots[i]]) * sizeof(double));
    int64_t row = 0;
    for (uint32_t i = 0; i < f->count; i++)
        for (int64_t j = 0; j < lth_shape_count(&c->b->output_shapes[f->slots[i]]); j++, row++) {
            double *weight = (double *)(void *)c->b->inputs[weights[i]] + j;
            *weight = 1;
            op_case_run(c);
            *weight = 0;
            for (uint32_t input = 0; input < c->sample.count; input++)
                for (int64_t k = offset[input]; op_case_is_float(c, c->inputs[input]) && k < offset[input + 1]; k++)
                    agree(c, "the derivative", row, k, gradient_at(c, gradients, input, k - offset[input]), slope[k * m + row],
                          tolerance[k * m + row]);
        }
    free(slope);
    free(tolerance);
}

/* The scalar function in `slot` along one random direction for each input. */
static void check_projection(op_case *c, const char *what, uint32_t slot, const uint32_t *gradients)
{
    function f = { { slot }, 1 };
    for (uint32_t i = 0; i < c->sample.count; i++) {
        int64_t n = op_case_count(c, c->inputs[i]);
        if (!op_case_is_float(c, c->inputs[i]) || n == 0)
            continue;
        double *along = calloc((size_t)n, sizeof *along), slope, tolerance, got = 0;
        uint64_t state = 99 + i;
        for (int64_t k = 0; k < n; k++)
            along[k] = bench_random_real(&state, -1, 1) / sqrt((double)n);
        difference(c, &f, &(direction) { i, along, 0 }, &slope, &tolerance);
        op_case_run(c);
        for (int64_t k = 0; k < n; k++)
            got += along[k] * gradient_at(c, gradients, i, k);
        agree(c, what, 0, i, got, slope, tolerance);
        free(along);
    }
}

/* Appends the gradients of `loss` by the floating inputs; their values, and the output slots they are written to. */
static void differentiate(op_case *c, uint32_t loss, uint32_t *values, uint32_t *slots)
{
    uint32_t wrt[OP_SAMPLE_OPERANDS], of[OP_SAMPLE_OPERANDS], found[OP_SAMPLE_OPERANDS], n = 0;
    for (uint32_t i = 0; i < c->sample.count; i++) {
        values[i] = slots[i] = LTH_NO_VALUE;
        if (op_case_is_float(c, c->inputs[i]))
            of[n] = i, wrt[n++] = c->inputs[i];
    }
    cr_assert(autodiff(&c->b->g, &c->constants, loss, wrt, n, found, 0, &c->b->e), "%s: %s", c->name, c->b->e.text);
    for (uint32_t i = 0; i < n; i++)
        if (found[i] != LTH_NO_VALUE) {
            cr_assert(memcmp(graph_shape(&c->b->g, found[i]), graph_shape(&c->b->g, wrt[i]), sizeof(lth_shape)) == 0, "%s",
                      c->name);
            values[of[i]] = found[i];
            slots[of[i]] = bench_output(c->b, found[i]);
        }
}

static bool can_be_checked(const op_sample *s)
{
    bool any = false;
    if (s->flags & (OP_SAMPLE_KINK | OP_SAMPLE_EXTREME) || s->op == LTH_OP_STOP_GRADIENT)
        return false;
    if (s->op == LTH_OP_CAST && s->attributes.cast.dtype == LTH_F32) /* rounds what a difference is made of */
        return false;
    for (uint32_t i = 0; i < s->count; i++)
        any = any || s->operands[i].dtype == LTH_DTYPE_NONE;
    return any;
}

/* First order, and second order by a random projection of the gradients. False where nothing can be checked. */
static bool check_sample(bench *b, const op_sample *sample)
{
    op_case c;
    uint32_t weights[OP_MAX_RESULTS], values[OP_SAMPLE_OPERANDS], gradients[OP_SAMPLE_OPERANDS], second[OP_SAMPLE_OPERANDS];
    if (!can_be_checked(sample))
        return false;
    op_case_begin(&c, b, sample, LTH_F64);
    uint32_t loss = op_case_weighted_sum(&c, weights);
    if (loss == LTH_NO_VALUE)
        return false;
    differentiate(&c, loss, values, gradients);
    uint32_t loss_slot = bench_output(b, loss), twice = LTH_NO_VALUE, twice_slot = 0, ignored;
    for (uint32_t i = 0; i < sample->count; i++)
        if (values[i] != LTH_NO_VALUE) {
            uint32_t term = op_case_dot(&c, values[i], op_case_drawn_like(&c, values[i], &ignored));
            twice = twice == LTH_NO_VALUE ? term : OP2(b, LTH_OP_ADD, twice, term);
        }
    if (twice != LTH_NO_VALUE) {
        differentiate(&c, twice, values, second);
        twice_slot = bench_output(b, twice);
    }
    op_case_compile(&c, 0);
    function f = { { 0 }, 0 };
    for (uint32_t i = 0; i < c.result_count; i++)
        if (weights[i] != UINT32_MAX)
            f.slots[f.count] = c.slots[i], weights[f.count++] = weights[i];
    check_projection(&c, "the gradient", loss_slot, gradients);
    if (twice != LTH_NO_VALUE)
        check_projection(&c, "the gradient's gradient", twice_slot, second);
    int64_t widest = function_size(&c, &f);
    for (uint32_t i = 0; i < sample->count; i++)
        widest = op_case_count(&c, c.inputs[i]) > widest ? op_case_count(&c, c.inputs[i]) : widest;
    if (widest <= SMALL)
        check_jacobian(&c, &f, weights, gradients);
    op_case_end(&c);
    return true;
}

Test(gradients, agree_with_finite_differences_for_every_op_and_sample)
{
    static bench b;
    bench_open(&b, "reference");
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        uint32_t checked = 0;
        for (uint32_t i = 0; info && i < op_sample_count(op); i++) {
            op_sample s = op_sample_at(op, i);
            checked += check_sample(&b, &s);
        }
        cr_assert(!info || !info->gradient || op == LTH_OP_CUSTOM /* test_custom.c */ || checked > 0,
                  "%s: no sample could be checked", info ? info->name : "");
    }
    bench_close(&b);
}
