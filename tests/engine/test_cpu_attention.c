/* SPDX-License-Identifier: Apache-2.0
 * Attention on the accelerator `cpu`: read as it lies, the same bits on any number of threads. How exact it is: test_cpu_ops.c.
 */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { B = 4, T = 200, H = 3, D = 16, C = H * D, PAIRS = B * T * C, RESULTS = 4 };

static bench b;

static double element(int64_t i) { return (double)(i * 7919 % 4001) / 2000 - 1; }

/* Channels first..first+C-1 of (B, T, 3 C), as heads (B, H, T, D). */
static uint32_t heads_of(uint32_t all, int64_t first)
{
    uint32_t part = OP1A(&b, LTH_OP_SLICE, all, lth_attr_slice, { 0, 0, first }, { B, T, C }, { 1, 1, 1 });
    uint32_t split = OP1A(&b, LTH_OP_RESHAPE, part, lth_attr_dims, 4, 0, { B, T, H, D });
    return OP1A(&b, LTH_OP_PERMUTE, split, lth_attr_dims, 4, 0, { 0, 2, 1, 3 });
}

/* The same as an input of its own. */
static uint32_t dense_heads_of(int64_t first)
{
    double *x = calloc(PAIRS, sizeof *x);
    for (int64_t i = 0; i < PAIRS; i++) {
        int64_t d = i % D, t = i / D % T, h = i / D / T % H, sequence = i / D / T / H;
        x[i] = element((sequence * T + t) * 3 * C + first + h * D + d);
    }
    uint32_t v = bench_input(&b, SHAPE(LTH_F32, B, H, T, D), x);
    free(x);
    return v;
}

static void count_launch(void *context, const char *text)
{
    (void)text;
    ++*(int *)context;
}

/* y, d q, d k and d v one after the other. launches: those of the plan. */
static float *results(bool strided, const char *threads, int *launches)
{
    const lth_attr_attention a = { LTH_ATTENTION_CAUSAL | LTH_ATTENTION_DROPOUT, 5 };
    setenv("LTHOST_TEST_THREADS", threads, 1);
    bench_open(&b, "cpu");
    double *x = calloc(3 * PAIRS, sizeof *x);
    for (int64_t i = 0; i < 3 * PAIRS; i++)
        x[i] = element(i);
    uint32_t all = strided ? bench_input(&b, SHAPE(LTH_F32, B, T, 3 * C), x) : 0;
    uint32_t in[8] = { strided ? heads_of(all, 0) : dense_heads_of(0), strided ? heads_of(all, C) : dense_heads_of(C),
                       strided ? heads_of(all, 2 * C) : dense_heads_of(2 * C) };
    in[3] = bench_scalar(&b, LTH_F32, 0.25);
    in[4] = bench_scalar(&b, LTH_F32, 0.2);
    in[5] = bench_op(&b, LTH_OP_ATTENTION, in, 5, &a, sizeof a);
    in[6] = in[5] + 1;
    in[7] = strided ? heads_of(all, C) : dense_heads_of(C); /* any numbers */
    uint32_t d = bench_op(&b, LTH_OP_ATTENTION_GRAD, in, 8, &a, sizeof a);
    uint32_t given[RESULTS] = { in[5], d, d + 1, d + 2 };
    for (int i = 0; i < RESULTS; i++)
        bench_output(&b, given[i]);
    bench_go(&b, 0);
    *launches = 0;
    b.accelerator->describe(b.self, b.plan, count_launch, launches);
    float *out = malloc(RESULTS * PAIRS * sizeof *out);
    for (int i = 0; i < RESULTS; i++)
        memcpy(out + i * PAIRS, b.outputs[i], PAIRS * sizeof *out);
    free(x);
    bench_close(&b);
    return out;
}

Test(cpu_attention, reads_slices_and_permutes_as_they_lie_on_any_number_of_threads)
{
    static const char *const threads[] = { "1", "2", "3" };
    int launches, copies;
    float *dense = results(false, "1", &launches);
    for (int i = 0; i < 3; i++) {
        float *strided = results(true, threads[i], &copies);
        cr_assert_eq(copies, launches, "%d launches, %d where all lies dense", copies, launches);
        cr_assert(memcmp(dense, strided, RESULTS * PAIRS * sizeof *dense) == 0, "other bits on %s threads", threads[i]);
        free(strided);
    }
    free(dense);
}
