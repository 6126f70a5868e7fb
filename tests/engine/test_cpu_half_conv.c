/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of bf16 by the accelerator `cpu`, against the reference in f64 on the same operands: products of bf16 are exact in
 * f32, so a result of f32 is as exact as that of a convolution in f32, and one of bf16 is off by its one rounding. */
#include "half.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

typedef struct conv_case {
    int64_t N, C, K, in[2], kernel[2], stride[2], low[2], high[2], dilation[2];
    const char *how; /* what its forward pass says of itself where its result is f32 */
} conv_case;

/* Panels and halves of them; units of several images and of a part of one; odd numbers of pixels; strides with classes of many
 * and of no tap; more taps than are packed at once. */
static const conv_case cases[] = {
    { 1, 16, 16, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "bf16" },
    { 1, 16, 32, { 7, 9 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "bf16" },
    { 3, 48, 16, { 9, 8 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "bf16" },
    { 3, 32, 48, { 9, 8 }, { 1, 1 }, { 2, 2 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "bf16" },
    { 2, 16, 80, { 14, 15 }, { 5, 5 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "bf16" },
    { 1, 32, 16, { 11, 13 }, { 3, 2 }, { 3, 2 }, { 1, 2 }, { 0, 1 }, { 2, 3 }, "bf16" },
    { 1, 16, 16, { 3, 3 }, { 1, 1 }, { 7, 9 }, { 5, 5 }, { 5, 5 }, { 1, 1 }, "bf16" },
    { 40, 64, 64, { 5, 5 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "bf16" },
    { 2, 64, 32, { 32, 31 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "bf16" },
    { 3, 16, 32, { 18, 21 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "winograd" },
    { 5, 32, 48, { 34, 30 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "winograd" },
    { 50, 16, 16, { 6, 6 }, { 3, 3 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "winograd" },
    { 3, 64, 96, { 17, 13 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "winograd" },
    { 2, 96, 32, { 40, 3 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "bf16" },
};
enum { CASES = sizeof cases / sizeof *cases };

static lth_attr_conv attributes_of(const conv_case *c, const int64_t *size, lth_dtype result)
{
    lth_attr_conv a = { .groups = 1, .result = result };
    for (int i = 0; i < 2; i++) {
        a.stride[i] = c->stride[i];
        a.low[i] = c->low[i];
        a.high[i] = c->high[i];
        a.dilation[i] = c->dilation[i];
        a.size[i] = size ? size[i] : 0;
    }
    return a;
}

static uint32_t conv(bench *b, uint32_t op, uint32_t first, uint32_t second, lth_attr_conv a)
{
    return bench_op(b, op, (uint32_t[]) { first, second }, 2, &a, sizeof a);
}

/* A convolution and both its gradients; terms: how many there are in an element of each. */
static void make_case(bench *b, lth_dtype t, lth_dtype result, const conv_case *c, double *terms)
{
    uint32_t x = half_drawn(b, SHAPE(t, c->N, c->C, c->in[0], c->in[1]), 1),
             w = half_drawn(b, SHAPE(t, c->K, c->C, c->kernel[0], c->kernel[1]), 2);
    uint32_t y = conv(b, LTH_OP_CONV, x, w, attributes_of(c, NULL, result));
    lth_shape s = b->g.values[y].shape;
    s.dtype = t;
    uint32_t d = half_drawn(b, s, 3);
    bench_output(b, y);
    bench_output(b, conv(b, LTH_OP_CONV_DATA_GRAD, d, w, attributes_of(c, c->in, result)));
    bench_output(b, conv(b, LTH_OP_CONV_WEIGHT_GRAD, x, d, attributes_of(c, c->kernel, result)));
    terms[0] = (double)(c->C * c->kernel[0] * c->kernel[1]);
    terms[1] = (double)(c->K * c->kernel[0] * c->kernel[1]);
    terms[2] = (double)(c->N * s.dim[2] * s.dim[3]);
}

static void compare(int number, const double *terms)
{
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
        lth_dtype t = cpu.output_shapes[slot].dtype;
        double error = half_error(&cpu, &reference, slot),
               most = t == LTH_BF16 ? half_roundoff(t) : fmax(1e-6, 1e-7 * sqrt(terms[slot]));
        cr_assert(error <= most, "case %d, output %u: relative error %.3g, more than %.3g", number, slot, error, most);
    }
}

/* By `way` (LTHOST_CPU_BF16); tiles take channels in multiples of 32. */
static void check_cases(lth_dtype result, const char *way)
{
    for (int i = 0; i < CASES; i++) {
        bool tiles = strcmp(way, "tiles") == 0 && cases[i].C % 32 == 0 && cases[i].K % 32 == 0;
        const char *how = tiles ? "channels last, bf16 tiles" : result == LTH_F32 ? cases[i].how : "channels last, bf16";
        double terms[3];
        char text[4096];
        bench_reset(&reference);
        make_case(&reference, LTH_F64, LTH_DTYPE_NONE, &cases[i], terms);
        bench_go(&reference, 0);
        bench_reset(&cpu);
        make_case(&cpu, LTH_BF16, result, &cases[i], terms);
        bench_go(&cpu, 0);
        cr_assert(half_plan_tells(&cpu, how, text), "case %d: %s", i, text);
        cr_assert(result == LTH_BF16 || !strstr(text, "bf16 by f32"), "case %d: %s", i, text);
        compare(i, terms);
    }
}

static bool has(const char *isa)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return strcmp(isa, "baseline") == 0 ||
           (strcmp(isa, "avx2") == 0 ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                     : __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"));
#else
    return strcmp(isa, "baseline") == 0;
#endif
}

/* By the processor's products or its matrix unit where it has them, else by plain loops. */
static void check_sets(lth_dtype result, const char *way)
{
    static const char *const sets[] = { "baseline", "avx2", "avx512" };
    bench_open(&reference, "reference");
    setenv("LTHOST_CPU_BF16", way, 1);
    setenv("LTHOST_CPU_IMAGES", "last", 1);
    for (int i = 0; i < 3; i++) {
        if (!has(sets[i]))
            continue;
        setenv("LTHOST_CPU_ISA", sets[i], 1);
        setenv("LTHOST_TEST_THREADS", (const char *[]) { "1", "3", "2" }[i], 1);
        bench_open(&cpu, "cpu");
        check_cases(result, way);
        bench_close(&cpu);
    }
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_CPU_IMAGES");
    unsetenv("LTHOST_CPU_ISA");
    unsetenv("LTHOST_TEST_THREADS");
    bench_close(&reference);
}

Test(cpu_half_conv, sums_of_bf16_are_as_exact_as_f32_allows) { check_sets(LTH_F32, "library"); }
Test(cpu_half_conv, results_of_bf16_are_rounded_once) { check_sets(LTH_BF16, "library"); }
Test(cpu_half_conv, sums_of_tiles_are_as_exact_as_f32_allows) { check_sets(LTH_F32, "tiles"); }
Test(cpu_half_conv, results_of_tiles_are_rounded_once) { check_sets(LTH_BF16, "tiles"); }

/* Every element of a convolution and of its gradients is one sum in one order. */
static void check_threads(const char *way)
{
    static const char *const threads[] = { "1", "2", "3" };
    double terms[3];
    char *first = NULL;
    size_t size = 0;
    setenv("LTHOST_CPU_BF16", way, 1);
    setenv("LTHOST_CPU_IMAGES", "last", 1);
    for (int i = 0; i < 3; i++) {
        setenv("LTHOST_TEST_THREADS", threads[i], 1);
        bench_open(&cpu, "cpu");
        make_case(&cpu, LTH_BF16, LTH_F32, &cases[8], terms);
        bench_go(&cpu, 0);
        size = (size_t)lth_shape_count(&cpu.output_shapes[2]) * sizeof(float);
        first = first ? first : memcpy(malloc(size), cpu.outputs[2], size);
        cr_assert_arr_eq(first, cpu.outputs[2], size, "on %s threads", threads[i]);
        bench_close(&cpu);
    }
    free(first);
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_CPU_IMAGES");
    unsetenv("LTHOST_TEST_THREADS");
}

Test(cpu_half_conv, bits_do_not_depend_on_the_number_of_threads) { check_threads("library"); }
Test(cpu_half_conv, bits_of_tiles_do_not_depend_on_the_number_of_threads) { check_threads("tiles"); }
