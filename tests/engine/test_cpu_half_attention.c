/* SPDX-License-Identifier: Apache-2.0
 * Attention of bf16 by a matrix unit, or by plain loops that stand in for one, against the same accelerator in f64, which
 * test_cpu_ops.c holds against the reference, on the same operands. Probabilities, and the scores' gradients, are rounded to bf16
 * as operands of the products that follow. */
#include "half.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

enum { RESULTS = 4 };

typedef struct attention_case {
    int64_t B, H, G, T, S, D, E;
    uint32_t flags;
} attention_case;

/* Parts of blocks, panels and steps; more keys than are worked on at once; groups of heads; queries that see nothing. */
static const attention_case cases[] = {
    { 1, 1, 1, 1, 1, 1, 1, 0 },
    { 2, 2, 2, 32, 32, 32, 32, 0 },
    { 1, 3, 3, 33, 65, 40, 24, 0 },
    { 2, 2, 1, 70, 300, 16, 64, 0 },
    { 1, 2, 2, 130, 130, 64, 64, LTH_ATTENTION_CAUSAL },
    { 1, 4, 2, 40, 290, 32, 33, LTH_ATTENTION_CAUSAL },
    { 1, 1, 1, 90, 35, 32, 32, LTH_ATTENTION_CAUSAL },
    { 2, 2, 2, 67, 67, 48, 32, LTH_ATTENTION_CAUSAL | LTH_ATTENTION_DROPOUT },
    { 2, 3, 3, 20, 270, 32, 32, LTH_ATTENTION_DROPOUT },
    { 2, 2, 2, 37, 41, 32, 32, LTH_ATTENTION_MASK },
    { 1, 2, 2, 64, 64, 32, 32, LTH_ATTENTION_MASK | LTH_ATTENTION_CAUSAL | LTH_ATTENTION_DROPOUT },
};
enum { CASES = sizeof cases / sizeof *cases };

static void make_case(bench *b, lth_dtype t, const attention_case *c)
{
    const lth_attr_attention a = { .flags = c->flags, .id = 5 };
    lth_dtype number = t == LTH_F64 ? LTH_F64 : LTH_F32;
    uint32_t in[9], n = 0;
    in[n++] = half_drawn(b, SHAPE(t, c->B, c->H, c->T, c->D), 1);
    in[n++] = half_drawn(b, SHAPE(t, c->B, c->G, c->S, c->D), 2);
    in[n++] = half_drawn(b, SHAPE(t, c->B, c->G, c->S, c->E), 3);
    in[n++] = bench_scalar(b, number, 0.25);
    if (c->flags & LTH_ATTENTION_DROPOUT)
        in[n++] = bench_scalar(b, number, 0.25);
    if (c->flags & LTH_ATTENTION_MASK)
        in[n++] = half_drawn(b, SHAPE(t, c->B, 1, c->T, c->S), 4);
    uint32_t y = bench_op(b, LTH_OP_ATTENTION, in, n, &a, sizeof a);
    in[n++] = y;
    in[n++] = y + 1;
    in[n++] = half_drawn(b, SHAPE(t, c->B, c->H, c->T, c->E), 6);
    uint32_t d = bench_op(b, LTH_OP_ATTENTION_GRAD, in, n, &a, sizeof a);
    bench_output(b, y);
    for (uint32_t i = 0; i < RESULTS - 1; i++)
        bench_output(b, d + i);
}

static void check(const char *isa)
{
    bench_open(&reference, "cpu");
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    if (isa)
        setenv("LTHOST_CPU_ISA", isa, 1);
    bench_open(&cpu, "cpu");
    for (int i = 0; i < CASES; i++) {
        char text[4096];
        bench_reset(&reference);
        make_case(&reference, LTH_F64, &cases[i]);
        bench_go(&reference, 0);
        bench_reset(&cpu);
        make_case(&cpu, LTH_BF16, &cases[i]);
        bench_go(&cpu, 0);
        cr_assert(half_plan_tells(&cpu, "fused by tiles of bf16", text), "case %d: %s", i, text);
        for (uint32_t slot = 0; slot < RESULTS; slot++) {
            double error = half_error(&cpu, &reference, slot), most = 3 * half_roundoff(LTH_BF16);
            cr_assert(error <= most, "case %d, result %u: relative error %.3g, more than %.3g", i, slot, error, most);
        }
    }
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_CPU_ISA");
    bench_close(&cpu);
    bench_close(&reference);
}

/* As this processor does it, and by plain loops. */
Test(cpu_half_attention, agrees_with_f64) { check(NULL); }
Test(cpu_half_attention, plain_loops_do_the_same) { check("baseline"); }

/* Each result is summed by one thread in one order. */
Test(cpu_half_attention, bits_do_not_depend_on_the_number_of_threads)
{
    size_t size[RESULTS];
    void *first[RESULTS] = { NULL };
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    for (int threads = 1; threads <= 3; threads++) {
        setenv("LTHOST_TEST_THREADS", (const char *[]) { "1", "2", "3" }[threads - 1], 1);
        bench_open(&cpu, "cpu");
        make_case(&cpu, LTH_BF16, &cases[7]);
        bench_go(&cpu, 0);
        for (int i = 0; i < RESULTS; i++) {
            size[i] = (size_t)lth_shape_count(&cpu.output_shapes[i]) * sizeof(uint16_t);
            first[i] = first[i] ? first[i] : memcpy(malloc(size[i]), cpu.outputs[i], size[i]);
            cr_assert_arr_eq(first[i], cpu.outputs[i], size[i], "result %d on %d threads", i, threads);
        }
        bench_close(&cpu);
    }
    for (int i = 0; i < RESULTS; i++)
        free(first[i]);
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_TEST_THREADS");
}
