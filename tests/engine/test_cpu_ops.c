/* SPDX-License-Identifier: Apache-2.0
 * Every op's kernel on the accelerator `cpu`, on every instruction set that this machine has, against the reference in f64. */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

static void open_both(void)
{
    bench_open(&cpu, "cpu");
    bench_open(&reference, "reference");
}

static void close_both(void)
{
    bench_close(&cpu);
    bench_close(&reference);
}

TestSuite(cpu_ops, .init = open_both, .fini = close_both);

/* What f32 may cost where K terms go into an element: root mean square over the result, relative to it. */
static double bound(const op_sample *s, int64_t results)
{
    lth_shape x = op_sample_input(s, 0, LTH_F32);
    double K = s->count ? (double)lth_shape_count(&x) / (results ? (double)results : 1) : 1;
    if (s->op == LTH_OP_MATMUL)
        K = (double)x.dim[x.rank - 1];
    return fmax(1e-6, 1e-7 * sqrt(K));
}

static void check_class(const char *what, int64_t i, double wanted, double got)
{
    bool same = isnan(wanted) ? isnan(got) : isinf(wanted) ? got == wanted : isfinite(got);
    cr_assert(same, "%s: element %lld is %.9g, the reference has %.9g", what, (long long)i, got, wanted);
}

static void compare_result(const op_case *c, const op_case *exact, uint32_t r, double most)
{
    int64_t n = op_case_count(c, c->results[r]);
    double error = 0, size = 0;
    bool floating = op_case_is_float(c, c->results[r]);
    for (int64_t i = 0; i < n; i++) {
        double got = bench_get(&cpu, c->slots[r], i), wanted = bench_get(&reference, exact->slots[r], i);
        if (!floating && !(c->sample.flags & OP_SAMPLE_KINK))
            cr_assert_eq(got, wanted, "%s: element %lld is %.9g, the reference has %.9g", c->name, (long long)i, got, wanted);
        check_class(c->name, i, wanted, got);
        if (isfinite(wanted)) {
            error += (got - wanted) * (got - wanted);
            size += wanted * wanted;
        }
    }
    if (floating && !(c->sample.flags & OP_SAMPLE_EXTREME))
        cr_assert(sqrt(error) <= most * sqrt(size) + 1e-30, "%s: relative error %.3g, more than %.3g", c->name,
                  sqrt(error / size), most);
}

static bool same_precision(const op_sample *s, lth_dtype floating)
{
    return floating == LTH_F64 || (s->flags & OP_SAMPLE_EXTREME) != 0;
}

static void check_sample(const op_sample *s, lth_dtype floating, uint32_t flags)
{
    op_case c, exact;
    op_case_begin(&exact, &reference, s, same_precision(s, floating) ? floating : LTH_F64);
    op_case_compile(&exact, 0);
    op_case_run(&exact);
    op_case_begin(&c, &cpu, s, floating);
    op_case_compile(&c, flags);
    op_case_run(&c);
    for (uint32_t r = 0; r < c.result_count; r++)
        compare_result(&c, &exact, r, floating == LTH_F64 ? 1e-13 : bound(s, op_case_count(&c, c.results[r])));
    op_case_end(&c);
    op_case_end(&exact);
}

static void check_all(uint32_t flags)
{
    uint32_t samples = 0;
    for (uint32_t op = 0; op < OP_CODES; op++)
        for (uint32_t i = 0; i < op_sample_count(op); i++)
            for (lth_dtype t = LTH_F32; t <= LTH_F64; t++, samples++) {
                op_sample s = op_sample_at(op, i);
                check_sample(&s, t, flags);
            }
    cr_assert_gt(samples, 200);
}

Test(cpu_ops, every_op_is_as_exact_as_its_type_allows) { check_all(0); }
Test(cpu_ops, every_op_is_as_exact_without_fusion) { check_all(LTH_COMPILE_NO_FUSION); }
Test(cpu_ops, every_op_is_as_exact_while_all_values_are_kept) { check_all(LTH_COMPILE_KEEP_ALL); }

static bool has(const char *isa)
{
#if defined(__x86_64__)
    return strcmp(isa, "baseline") == 0 || __builtin_cpu_supports("avx2");
#else
    return strcmp(isa, "baseline") == 0;
#endif
}

Test(cpu_isa, every_op_is_as_exact_with_a_lesser_instruction_set)
{
    static const char *const sets[] = { "baseline", "avx2" };
    for (int i = 0; i < 2; i++) {
        if (!has(sets[i]))
            continue;
        setenv("LTHOST_CPU_ISA", sets[i], 1);
        open_both();
        cr_assert_not_null(strstr(cpu.accelerator->fingerprint(cpu.self), sets[i]));
        check_all(0);
        close_both();
    }
}

Test(cpu_isa, an_instruction_set_that_the_processor_lacks_is_refused_with_those_that_it_has)
{
    open_both();
    setenv("LTHOST_CPU_ISA", "mmx", 1);
    cr_assert_eq(cpu.accelerator->init(cpu.self, &cpu.host), LTH_INVALID);
    cr_assert_not_null(strstr(cpu.message, "LTHOST_CPU_ISA is 'mmx'; this processor has "), "%s", cpu.message);
    cr_assert_not_null(strstr(cpu.message, "baseline"), "%s", cpu.message);
    unsetenv("LTHOST_CPU_ISA");
    cr_assert_eq(cpu.accelerator->init(cpu.self, &cpu.host), LTH_OK);
    close_both();
}

/* Sizes around the widths of vectors, tiles and stretches; what lies outside a buffer is guarded by the bench. */
static const int64_t sizes[] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 255, 256, 257, 511, 513, 1000, 2049 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static double *drawn(int64_t n, uint64_t seed)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)bench_random_real(&seed, -2, 2);
    return x;
}

static void compare_outputs(const char *what, int64_t n, int64_t K)
{
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
        double error = 0, size = 0, most = fmax(1e-6, 1e-7 * sqrt((double)K));
        int64_t count = lth_shape_count(&cpu.output_shapes[slot]);
        for (int64_t i = 0; i < count; i++) {
            double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
            error += (got - wanted) * (got - wanted);
            size += wanted * wanted;
        }
        cr_assert(sqrt(error) <= most * sqrt(size) + 1e-30, "%s of %lld by %lld, output %u: relative error %.3g", what,
                  (long long)n, (long long)K, slot, sqrt(error / size));
    }
}

/* Runs what `make` appends to both benches, in f32 and in f64. */
static void on_both(void (*make)(bench *b, lth_dtype t, int64_t n, int64_t K), const char *what, int64_t n, int64_t K)
{
    bench_reset(&reference);
    make(&reference, LTH_F64, n, K);
    bench_go(&reference, 0);
    bench_reset(&cpu);
    make(&cpu, LTH_F32, n, K);
    bench_go(&cpu, 0);
    compare_outputs(what, n, K);
}

static uint32_t matrix(bench *b, lth_dtype t, int64_t rows, int64_t columns, uint64_t seed)
{
    double *x = drawn(rows * columns, seed);
    uint32_t v = bench_input(b, SHAPE(t, rows, columns), x);
    free(x);
    return v;
}

static void make_reductions(bench *b, lth_dtype t, int64_t n, int64_t K)
{
    uint32_t x = matrix(b, t, n, K, 1);
    for (uint32_t axes = 1; axes <= 3; axes++) {
        bench_output(b, OP1A(b, LTH_OP_SUM, OP1(b, LTH_OP_SQUARE, x), lth_attr_reduce, axes, 0));
        bench_output(b, OP1A(b, LTH_OP_MEAN, OP1(b, LTH_OP_ABS, x), lth_attr_reduce, axes, 1));
        bench_output(b, OP1A(b, LTH_OP_MAX, x, lth_attr_reduce, axes, 0));
        bench_output(b, OP1A(b, LTH_OP_MIN, x, lth_attr_reduce, axes, 0));
    }
    bench_output(b, OP1A(b, LTH_OP_ARGMAX, x, lth_attr_axis, 1));
    bench_output(b, OP1A(b, LTH_OP_ARGMIN, x, lth_attr_axis, 0));
}

Test(cpu_ops, reductions_are_right_at_every_width)
{
    for (int i = 0; i < SIZES; i++)
        for (int64_t n = 1; n < 40; n += 19) {
            on_both(make_reductions, "reductions", n, sizes[i]);
            on_both(make_reductions, "reductions", sizes[i], n);
        }
}

static void make_rows(bench *b, lth_dtype t, int64_t n, int64_t K)
{
    uint32_t x = matrix(b, t, n, K, 2);
    double *target = calloc((size_t)n, sizeof *target);
    for (int64_t i = 0; i < n; i++)
        target[i] = (double)(i * 7 % K);
    uint32_t y = bench_input(b, SHAPE(n % 2 ? LTH_I32 : LTH_I64, n), target);
    free(target);
    bench_output(b, OP1A(b, LTH_OP_SOFTMAX, x, lth_attr_axis, 1));
    bench_output(b, OP1A(b, LTH_OP_LOG_SOFTMAX, x, lth_attr_axis, 1));
    bench_output(b, OP1A(b, LTH_OP_LOGSUMEXP, x, lth_attr_reduce, 2, 0));
    uint32_t loss = OP2(b, LTH_OP_CROSS_ENTROPY, x, y), lse = loss + 1;
    uint32_t d = bench_op(b, LTH_OP_CROSS_ENTROPY_GRAD, (uint32_t[]) { x, y, lse, OP1(b, LTH_OP_SQUARE, loss) }, 4, NULL, 0);
    bench_output(b, loss);
    bench_output(b, lse);
    bench_output(b, d);
    uint32_t norm = OP2A(b, LTH_OP_LAYER_NORM, x, bench_scalar(b, t, 1e-5), lth_attr_axis, 1);
    bench_output(b, norm);
    bench_output(b, norm + 1);
    uint32_t rms = OP2A(b, LTH_OP_RMS_NORM, x, bench_scalar(b, t, 1e-5), lth_attr_axis, 1);
    bench_output(b, rms);
    bench_output(b, rms + 1);
}

Test(cpu_ops, rows_are_right_at_every_width)
{
    for (int i = 2; i < SIZES; i++)
        for (int64_t n = 1; n < 40; n += 19)
            on_both(make_rows, "rows", n, sizes[i]);
}

static void make_products(bench *b, lth_dtype t, int64_t n, int64_t K)
{
    uint32_t a = matrix(b, t, n, K, 3), at = matrix(b, t, K, n, 3), w = matrix(b, t, K, 9, 4), wt = matrix(b, t, 9, K, 4);
    uint32_t turned = OP1A(b, LTH_OP_PERMUTE, at, lth_attr_dims, 2, 0, { 1, 0 });
    uint32_t part = OP1A(b, LTH_OP_SLICE, w, lth_attr_slice, { 0, 2 }, { K, 5 }, { 1, 1 });
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, w, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, at, w, lth_attr_matmul, 1, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, wt, lth_attr_matmul, 0, 1, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, at, wt, lth_attr_matmul, 1, 1, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, turned, w, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, part, lth_attr_matmul, 0, 0, 0, 0));
}

Test(cpu_ops, products_are_right_on_every_route_and_however_the_operands_lie)
{
    for (int i = 0; i < SIZES; i++)
        for (int64_t n = 1; n < 200; n += 66)
            on_both(make_products, "products", n, sizes[i]);
}

/* Several panels of columns and more, and several blocks of K. */
static void make_wide_products(bench *b, lth_dtype t, int64_t n, int64_t K)
{
    uint32_t a = matrix(b, t, n, K, 3), at = matrix(b, t, K, n, 3), w = matrix(b, t, K, 75, 4), wt = matrix(b, t, 75, K, 4);
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, w, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, at, w, lth_attr_matmul, 1, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, wt, lth_attr_matmul, 0, 1, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, at, wt, lth_attr_matmul, 1, 1, 0, 0));
}

static void check_wide_products(void)
{
    static const int64_t rows[] = { 1, 5, 13, 64, 127, 128, 200 }, inner[] = { 16, 65, 256, 257, 600 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof inner / sizeof *inner; j++)
            on_both(make_wide_products, "wide products", rows[i], inner[j]);
}

Test(cpu_ops, products_are_right_in_every_part) { check_wide_products(); }

Test(cpu_isa, products_are_right_in_every_part_with_a_lesser_instruction_set)
{
    static const char *const sets[] = { "baseline", "avx2" };
    for (int i = 0; i < 2; i++) {
        if (!has(sets[i]))
            continue;
        setenv("LTHOST_CPU_ISA", sets[i], 1);
        open_both();
        check_wide_products();
        close_both();
    }
    unsetenv("LTHOST_CPU_ISA");
}

static void make_batches(bench *b, lth_dtype t, int64_t n, int64_t K)
{
    double *x = drawn(3 * 4 * n * K, 5);
    uint32_t a = bench_input(b, SHAPE(t, 3, 4, n, K), x), heads = bench_input(b, SHAPE(t, 3, K, 4, n), x);
    uint32_t one = bench_input(b, SHAPE(t, K, 6), x);
    free(x);
    uint32_t w = OP1A(b, LTH_OP_EXPAND, one, lth_attr_dims, 4, 0, { 3, 4, K, 6 });
    uint32_t turned = OP1A(b, LTH_OP_PERMUTE, heads, lth_attr_dims, 4, 0, { 0, 2, 1, 3 }); /* as attention does it */
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, w, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, a, turned, lth_attr_matmul, 0, 0, 0, 0));
    bench_output(b, OP2A(b, LTH_OP_MATMUL, turned, a, lth_attr_matmul, 1, 1, 0, 0));
}

Test(cpu_ops, batches_of_products_are_right)
{
    for (int i = 0; i < SIZES - 3; i++)
        on_both(make_batches, "batches", i % 2 ? 5 : 17, sizes[i]);
}

/* f64 takes other routes. */
Test(cpu_ops, f64_is_as_exact_as_the_reference)
{
    void (*const makers[])(bench *, lth_dtype, int64_t, int64_t) = { make_reductions, make_rows, make_products, make_batches };
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++)
        for (int64_t K = 3; K < 300; K += 99) {
            bench_reset(&reference);
            makers[m](&reference, LTH_F64, 20, K);
            bench_go(&reference, 0);
            bench_reset(&cpu);
            makers[m](&cpu, LTH_F64, 20, K);
            bench_go(&cpu, 0);
            for (uint32_t slot = 0; slot < cpu.g.output_count; slot++)
                for (int64_t i = 0; i < lth_shape_count(&cpu.output_shapes[slot]); i++) {
                    double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
                    cr_assert_leq(fabs(got - wanted), 1e-12 * (1 + fabs(wanted)), "maker %zu, output %u", m, slot);
                }
        }
}

/* A convolution of C channels with both gradients; n is its side. terms: C n n. */
static void make_convolutions(bench *b, lth_dtype t, int64_t n, int64_t terms)
{
    int64_t C = terms / (n * n), K = C + 3, O = (n + 1) / 2;
    double *numbers = drawn(2 * K * (C + n * n + 9) * C, 6);
    uint32_t x = bench_input(b, SHAPE(t, 2, C, n, n), numbers), w = bench_input(b, SHAPE(t, K, C, 3, 3), numbers + 1),
             d = bench_input(b, SHAPE(t, 2, K, O, O), numbers + 2), image = bench_input(b, SHAPE(t, 2, C, O, O), numbers + 3),
             depthwise = bench_input(b, SHAPE(t, C, 1, 3, 3), numbers + 4);
    free(numbers);
#define STRIDED(op, a, c, size, groups) \
    bench_output(b, OP2A(b, op, a, c, lth_attr_conv, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { size, size }, groups, 0, 0))
    STRIDED(LTH_OP_CONV, x, w, 0, 1);
    STRIDED(LTH_OP_CONV_DATA_GRAD, d, w, n, 1);
    STRIDED(LTH_OP_CONV_WEIGHT_GRAD, x, d, 3, 1);
    STRIDED(LTH_OP_CONV, x, depthwise, 0, C);
    STRIDED(LTH_OP_CONV_DATA_GRAD, image, depthwise, n, C);
    STRIDED(LTH_OP_CONV_WEIGHT_GRAD, x, image, 3, C);
}

/* One after the other in one plan, so that their workspaces lie in each other's remains. */
Test(cpu_ops, convolutions_are_right_at_every_number_of_channels)
{
    static const int64_t channels[] = { 1, 2, 3, 4, 8, 13, 16, 17, 32 };
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int64_t n = 3; n < 30; n += 11)
            on_both(make_convolutions, "convolutions", n, channels[i] * n * n);
}

/* Windows as columns and products: large enough for several blocks of outputs, and for threads. */
Test(cpu_ops, convolutions_in_f64_are_as_exact_as_the_reference)
{
    static const int64_t cases[][2] = { { 1, 3 }, { 80, 16 }, { 9, 33 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bench *const both[] = { &reference, &cpu };
        for (int i = 0; i < 2; i++) {
            bench_reset(both[i]);
            make_convolutions(both[i], LTH_F64, cases[c][0], cases[c][1] * cases[c][0] * cases[c][0]);
            bench_go(both[i], 0);
        }
        for (uint32_t slot = 0; slot < cpu.g.output_count; slot++)
            for (int64_t i = 0; i < lth_shape_count(&cpu.output_shapes[slot]); i++) {
                double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
                cr_assert_leq(fabs(got - wanted), 1e-11 * (1 + fabs(wanted)), "case %zu, output %u", c, slot);
            }
    }
}

static void find_route(void *context, const char *text) { *(bool *)context |= strstr(text, "[onednn ") != NULL; }

Test(cpu_ops, convolutions_in_f32_are_onednn_s_and_give_the_same_bits_again)
{
    bool found = false;
    bench_reset(&cpu);
    make_convolutions(&cpu, LTH_F32, 17, 16 * 17 * 17);
    bench_go(&cpu, 0);
    cpu.accelerator->describe(cpu.self, cpu.plan, find_route, &found);
    cr_assert(found, "no convolution of the plan is oneDNN's");
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
        size_t bytes = (size_t)lth_shape_count(&cpu.output_shapes[slot]) * sizeof(float);
        void *first = malloc(bytes);
        memcpy(first, cpu.outputs[slot], bytes);
        cr_assert_eq(bench_run(&cpu), LTH_OK);
        cr_assert(memcmp(first, cpu.outputs[slot], bytes) == 0, "output %u", slot);
        free(first);
    }
}
