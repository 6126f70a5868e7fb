/* SPDX-License-Identifier: Apache-2.0
 * Products of bf16 by a matrix unit, or by plain loops that stand in for one, against the reference in f64 on the same operands:
 * products of bf16 are exact in f32, so a result of f32 is as exact as a product in f32, and one of bf16 is off by its rounding.
 */
#include "half.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

typedef struct gemm_case {
    int64_t batch, m, n, k;
} gemm_case;

/* One element; whole blocks, and parts of them on each side; more rows, columns and terms than are worked on at once; batches. */
static const gemm_case cases[] = { { 1, 1, 1, 1 },    { 1, 32, 32, 32 },  { 1, 33, 47, 65 },  { 1, 5, 400, 31 },
                                   { 1, 520, 40, 7 }, { 1, 70, 390, 97 }, { 1, 40, 36, 530 }, { 1, 513, 385, 513 },
                                   { 5, 17, 20, 40 }, { 3, 34, 3, 515 } };
enum { CASES = sizeof cases / sizeof *cases };

/* turned: bit 0: A lies as (k, m); bit 1: B lies as (n, k). */
static void make_case(bench *b, lth_dtype t, lth_dtype result, const gemm_case *c, int turned)
{
    bool ta = turned & 1, tb = turned & 2;
    uint32_t x = half_drawn(b, SHAPE(t, c->batch, ta ? c->k : c->m, ta ? c->m : c->k), 1),
             y = half_drawn(b, SHAPE(t, c->batch, tb ? c->n : c->k, tb ? c->k : c->n), 2);
    bench_output(b, OP2A(b, LTH_OP_MATMUL, x, y, lth_attr_matmul, .transpose_a = ta, .transpose_b = tb, .result = result));
}

static void check_case(lth_dtype result, int number, int turned)
{
    const gemm_case *c = &cases[number];
    char text[4096];
    bench_reset(&reference);
    make_case(&reference, LTH_F64, LTH_DTYPE_NONE, c, turned);
    bench_go(&reference, 0);
    bench_reset(&cpu);
    make_case(&cpu, LTH_BF16, result, c, turned);
    bench_go(&cpu, 0);
    cr_assert(half_plan_tells(&cpu, "by tiles of bf16", text), "case %d: %s", number, text);
    double error = half_error(&cpu, &reference, 0),
           most = result == LTH_BF16 ? half_roundoff(result) : fmax(1e-6, 1e-7 * sqrt((double)c->k));
    cr_assert(error <= most, "case %d, turned %d: relative error %.3g, more than %.3g", number, turned, error, most);
}

static void check(const char *isa)
{
    bench_open(&reference, "reference");
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    if (isa)
        setenv("LTHOST_CPU_ISA", isa, 1);
    for (int threads = 1; threads <= 3; threads++) {
        setenv("LTHOST_TEST_THREADS", (const char *[]) { "1", "2", "3" }[threads - 1], 1);
        bench_open(&cpu, "cpu");
        for (int i = 0; i < CASES; i++)
            for (int turned = 0; turned < 4; turned++)
                check_case((i + turned + threads) % 2 ? LTH_BF16 : LTH_F32, i, turned);
        bench_close(&cpu);
    }
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_CPU_ISA");
    unsetenv("LTHOST_TEST_THREADS");
    bench_close(&reference);
}

/* As this processor does it, and by plain loops. */
Test(cpu_half_gemm, products_are_as_exact_as_f32_allows_and_rounded_once) { check(NULL); }
Test(cpu_half_gemm, plain_loops_do_the_same) { check("baseline"); }

/* Both operands are slices of one matrix, whose rows are longer than theirs; one may be turned by a permute. */
static void make_strided(bench *b, lth_dtype t, bool permuted)
{
    enum { BATCH = 2, ROWS = 45, D = 40 };
    uint32_t all = half_drawn(b, SHAPE(t, BATCH, ROWS, 2 * D + 4), 3), part[2];
    for (int i = 0; i < 2; i++)
        part[i] = OP1A(b, LTH_OP_SLICE, all, lth_attr_slice, { 0, 0, 1 + i * D }, { BATCH, ROWS, D }, { 1, 1, 1 });
    if (permuted)
        part[0] = OP1A(b, LTH_OP_PERMUTE, part[0], lth_attr_dims, 3, 0, { 0, 2, 1 });
    bench_output(b, OP2A(b, LTH_OP_MATMUL, part[0], part[1], lth_attr_matmul, .transpose_b = !permuted));
}

Test(cpu_half_gemm, operands_are_read_as_they_lie)
{
    char text[4096];
    bench_open(&reference, "reference");
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    bench_open(&cpu, "cpu");
    for (int permuted = 0; permuted < 2; permuted++) {
        bench_reset(&reference);
        make_strided(&reference, LTH_F64, permuted);
        bench_go(&reference, 0);
        bench_reset(&cpu);
        make_strided(&cpu, LTH_BF16, permuted);
        bench_go(&cpu, 0);
        cr_assert(half_plan_tells(&cpu, "by tiles of bf16", text), "%s", text);
        cr_assert(!strstr(text, "= slice") && !strstr(text, "= permute"), "%s", text);
        cr_assert_lt(half_error(&cpu, &reference, 0), half_roundoff(LTH_BF16));
    }
    unsetenv("LTHOST_CPU_BF16");
    bench_close(&cpu);
    bench_close(&reference);
}

/* Every element is one sum in one order. */
Test(cpu_half_gemm, bits_do_not_depend_on_the_number_of_threads)
{
    const gemm_case *c = &cases[7];
    size_t size = (size_t)(c->m * c->n) * sizeof(float);
    void *first = NULL;
    setenv("LTHOST_CPU_BF16", "tiles", 1);
    for (int threads = 1; threads <= 3; threads++) {
        setenv("LTHOST_TEST_THREADS", (const char *[]) { "1", "2", "3" }[threads - 1], 1);
        bench_open(&cpu, "cpu");
        make_case(&cpu, LTH_BF16, LTH_F32, c, 0);
        bench_go(&cpu, 0);
        first = first ? first : memcpy(malloc(size), cpu.outputs[0], size);
        cr_assert_arr_eq(first, cpu.outputs[0], size, "on %d threads", threads);
        bench_close(&cpu);
    }
    free(first);
    unsetenv("LTHOST_CPU_BF16");
    unsetenv("LTHOST_TEST_THREADS");
}

Test(cpu_half_gemm, an_unknown_way_of_bf16_is_refused)
{
    bench_open(&cpu, "cpu");
    setenv("LTHOST_CPU_BF16", "fast", 1);
    cr_assert_eq(cpu.accelerator->init(cpu.self, &cpu.host), LTH_INVALID);
    cr_assert_not_null(strstr(cpu.message, "LTHOST_CPU_BF16 is 'fast'; it may be 'library' or 'tiles'"), "%s", cpu.message);
    unsetenv("LTHOST_CPU_BF16");
    cr_assert_eq(cpu.accelerator->init(cpu.self, &cpu.host), LTH_OK);
    bench_close(&cpu);
}
