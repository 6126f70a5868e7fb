/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of the accelerator `cpu`, which lie channels last inside, but for those of few channels: every way that they are
 * computed, and what goes along with them, against the reference in f64. */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

static void open_both(void)
{
    setenv("LTHOST_CPU_IMAGES", "last", 1);
    bench_open(&cpu, "cpu");
    bench_open(&reference, "reference");
}

static void close_both(void)
{
    bench_close(&cpu);
    bench_close(&reference);
}

TestSuite(cpu_conv, .init = open_both, .fini = close_both);

typedef struct conv_case {
    int64_t N, C, K, in[2], kernel[2], stride[2], low[2], high[2], dilation[2];
    const char *how; /* what its forward pass says of itself */
} conv_case;

/* Units of several images, of one, and of a part of one; cut tiles; rests of vectors and of panels; strides with classes of no
 * tap. */
static const conv_case cases[] = {
    { 1, 1, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "pixels" },
    { 2, 3, 5, { 7, 9 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "pixels" },
    { 3, 1, 6, { 28, 28 }, { 5, 5 }, { 1, 1 }, { 2, 2 }, { 2, 2 }, { 1, 1 }, "pixels" },
    { 2, 6, 16, { 14, 14 }, { 5, 5 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "pixels" },
    { 3, 5, 7, { 9, 8 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "pixels" },
    { 3, 4, 20, { 9, 8 }, { 1, 1 }, { 2, 2 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "pixels" },
    { 1, 17, 33, { 20, 31 }, { 4, 4 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "pixels" },
    { 1, 3, 4, { 11, 13 }, { 3, 2 }, { 3, 2 }, { 1, 2 }, { 0, 1 }, { 2, 3 }, "pixels" },
    { 2, 3, 4, { 5, 6 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 4, 4 }, { 1, 1 }, "pixels" },
    { 1, 2, 3, { 3, 3 }, { 1, 1 }, { 7, 9 }, { 5, 5 }, { 5, 5 }, { 1, 1 }, "pixels" },
    { 1, 9, 4, { 1, 40 }, { 1, 7 }, { 1, 2 }, { 0, 3 }, { 0, 3 }, { 1, 1 }, "pixels" },
    { 3, 16, 32, { 18, 21 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "winograd" },
    { 20, 32, 48, { 7, 9 }, { 3, 3 }, { 1, 1 }, { 1, 0 }, { 2, 1 }, { 1, 1 }, "winograd" },
    { 1, 48, 16, { 31, 30 }, { 3, 3 }, { 1, 1 }, { 2, 3 }, { 2, 1 }, { 1, 1 }, "winograd" },
    { 5, 32, 32, { 34, 30 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "winograd" },
    { 4, 32, 40, { 32, 32 }, { 5, 5 }, { 2, 2 }, { 2, 2 }, { 2, 2 }, { 1, 1 }, "pixels" }, /* these two are worth threads */
    { 50, 16, 16, { 6, 6 }, { 3, 3 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "winograd" },
};
enum { CASES = sizeof cases / sizeof *cases };

static uint32_t as(bench *b, uint32_t x, lth_dtype t) { return OP1A(b, LTH_OP_CAST, x, lth_attr_dtype, t, 0); }

static uint32_t drawn(bench *b, lth_shape s, uint64_t seed)
{
    lth_dtype t = s.dtype;
    s.dtype = t == LTH_BF16 ? LTH_F32 : t;
    int64_t n = lth_shape_count(&s);
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = floor(bench_random_real(&seed, -64, 128)) / 64; /* exact in bf16, too */
    uint32_t v = bench_input(b, s, x);
    free(x);
    return t == LTH_BF16 ? as(b, v, t) : v;
}

static void give(bench *b, uint32_t y, lth_dtype t) { bench_output(b, t == LTH_BF16 ? as(b, y, LTH_F32) : y); }

static void compare_outputs(const char *what, int number, const double *terms, bool half)
{
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
        double error = 0, size = 0, most = half ? 4e-3 : fmax(1e-6, 1e-7 * sqrt(terms[slot]));
        int64_t count = lth_shape_count(&cpu.output_shapes[slot]);
        for (int64_t i = 0; i < count; i++) {
            double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
            error += (got - wanted) * (got - wanted);
            size += wanted * wanted;
        }
        cr_assert(sqrt(error) <= most * sqrt(size) + 1e-30, "%s %d, output %u: relative error %.3g, more than %.3g", what, number,
                  slot, sqrt(error / size), most);
    }
}

static lth_attr_conv attributes_of(const conv_case *c, const int64_t *size)
{
    lth_attr_conv a = { .groups = 1 };
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
static void make_case(bench *b, lth_dtype t, const conv_case *c, double *terms)
{
    uint32_t x = drawn(b, SHAPE(t, c->N, c->C, c->in[0], c->in[1]), 1),
             w = drawn(b, SHAPE(t, c->K, c->C, c->kernel[0], c->kernel[1]), 2);
    uint32_t y = conv(b, LTH_OP_CONV, x, w, attributes_of(c, NULL));
    lth_shape s = b->g.values[y].shape;
    uint32_t d = drawn(b, s, 3);
    give(b, y, t);
    give(b, conv(b, LTH_OP_CONV_DATA_GRAD, d, w, attributes_of(c, c->in)), t);
    give(b, conv(b, LTH_OP_CONV_WEIGHT_GRAD, x, d, attributes_of(c, c->kernel)), t);
    terms[0] = (double)(c->C * c->kernel[0] * c->kernel[1]);
    terms[1] = (double)(c->K * c->kernel[0] * c->kernel[1]);
    terms[2] = (double)(c->N * s.dim[2] * s.dim[3]);
}

static void line(void *context, const char *text) { strncat(context, text, 4095 - strlen(context)); }

static void check_case(const conv_case *of, int i, uint32_t flags, const char *layout)
{
    double terms[3];
    char text[4096] = "";
    bench_reset(&reference);
    make_case(&reference, LTH_F64, of, terms);
    bench_go(&reference, 0);
    bench_reset(&cpu);
    make_case(&cpu, LTH_F32, of, terms);
    bench_go(&cpu, flags);
    cpu.accelerator->describe(cpu.self, cpu.plan, line, text);
    cr_assert_not_null(strstr(text, layout), "case %d: %s", i, text);
    cr_assert_not_null(strstr(text, of->how), "case %d: %s", i, text);
    compare_outputs("case", i, terms, false);
}

static void check_cases(uint32_t flags)
{
    for (int i = 0; i < CASES; i++)
        check_case(&cases[i], i, flags, "channels last");
}

/* Few channels: rests of vectors, of six columns, of images of a group; kernels as wide as the image. */
static const conv_case planar_cases[] = {
    { 1, 1, 1, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "strips" },
    { 2, 3, 5, { 7, 9 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, "strips" },
    { 3, 1, 6, { 28, 28 }, { 5, 5 }, { 1, 1 }, { 2, 2 }, { 2, 2 }, { 1, 1 }, "strips" },
    { 37, 6, 16, { 14, 14 }, { 5, 5 }, { 1, 1 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, "strips" },
    { 83, 4, 7, { 11, 33 }, { 2, 4 }, { 1, 1 }, { 1, 0 }, { 0, 3 }, { 1, 1 }, "strips" },
    { 2, 16, 13, { 6, 17 }, { 6, 11 }, { 1, 1 }, { 3, 10 }, { 5, 1 }, { 1, 1 }, "strips" },
};

static void check_planar_cases(uint32_t flags)
{
    unsetenv("LTHOST_CPU_IMAGES");
    for (size_t i = 0; i < sizeof planar_cases / sizeof *planar_cases; i++)
        check_case(&planar_cases[i], (int)i, flags, "planes");
}

Test(cpu_conv, every_way_of_convolving_is_as_exact_as_f32_allows) { check_cases(0); }
Test(cpu_conv, few_channels_are_as_exact_plane_by_plane) { check_planar_cases(0); }
Test(cpu_conv, few_channels_are_as_exact_plane_by_plane_while_all_values_are_kept) { check_planar_cases(LTH_COMPILE_KEEP_ALL); }
Test(cpu_conv, every_way_of_convolving_is_as_exact_while_all_values_are_kept) { check_cases(LTH_COMPILE_KEEP_ALL); }

/* By the processor's own products where it has them, by plain ones in their place, and by f32. */
Test(cpu_conv, bf16_is_as_exact_as_its_type_allows)
{
    for (int forced = 0; forced < 2; forced++) {
        if (forced)
            setenv("LTHOST_CPU_BF16", "library", 1);
        for (int i = 0; i < CASES; i++) {
            double terms[3];
            bench_reset(&reference);
            make_case(&reference, LTH_F64, &cases[i], terms);
            bench_go(&reference, 0);
            bench_reset(&cpu);
            make_case(&cpu, LTH_BF16, &cases[i], terms);
            bench_go(&cpu, 0);
            compare_outputs("bf16, case", i, terms, true);
        }
    }
    unsetenv("LTHOST_CPU_BF16");
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

Test(cpu_conv, every_way_of_convolving_is_as_exact_on_several_threads_and_on_a_lesser_instruction_set)
{
    static const char *const sets[] = { "baseline", "avx2", "avx512" };
    for (int i = 0; i < 3; i++) {
        if (!has(sets[i]))
            continue;
        bench_close(&cpu);
        setenv("LTHOST_CPU_ISA", sets[i], 1);
        setenv("LTHOST_TEST_THREADS", i ? "2" : "3", 1);
        bench_open(&cpu, "cpu");
        check_cases(0);
        check_planar_cases(0);
        setenv("LTHOST_CPU_IMAGES", "last", 1);
    }
    unsetenv("LTHOST_CPU_ISA");
    unsetenv("LTHOST_TEST_THREADS");
}

/* ---- What lies between convolutions ---- */

static uint32_t per_channel(bench *b, uint32_t v, lth_shape to)
{
    uint32_t kept = OP1A(b, LTH_OP_RESHAPE, v, lth_attr_dims, 4, 0, { 1, to.dim[1], 1, 1 });
    return OP1A(b, LTH_OP_EXPAND, kept, lth_attr_dims, 4, 0, { to.dim[0], to.dim[1], to.dim[2], to.dim[3] });
}

enum { BETWEEN = 9 };

/* conv, bias, relu, centred by channel; then sums of all kinds, padded, joined, cut, turned round, flattened, and a second conv.
 */
static void make_between(bench *b, lth_dtype t)
{
    const conv_case one = { 2, 3, 8, { 6, 5 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, NULL };
    uint32_t x = drawn(b, SHAPE(t, 2, 3, 6, 5), 1), w = drawn(b, SHAPE(t, 8, 3, 3, 3), 2), bias = drawn(b, SHAPE(t, 8), 3);
    uint32_t zero = drawn(b, RANK0(t), 4), w2 = drawn(b, SHAPE(t, 4, 11, 3, 3), 5);
    lth_shape s = SHAPE(t, 2, 8, 6, 5);
    uint32_t y = OP2(b, LTH_OP_ADD, conv(b, LTH_OP_CONV, x, w, attributes_of(&one, NULL)), per_channel(b, bias, s));
    uint32_t h = OP1(b, LTH_OP_RELU, y);
    uint32_t sum = OP1A(b, LTH_OP_SUM, h, lth_attr_reduce, 1 | 4 | 8, 1);
    uint32_t centred = OP2(b, LTH_OP_SUB, h, OP1A(b, LTH_OP_EXPAND, sum, lth_attr_dims, 4, 0, { 2, 8, 6, 5 }));
    bench_output(b, OP1A(b, LTH_OP_SUM, OP1(b, LTH_OP_SQUARE, centred), lth_attr_reduce, 1 | 4 | 8, 0)); /* (8) */
    bench_output(b, OP1A(b, LTH_OP_SUM, h, lth_attr_reduce, 2, 0));                                      /* (2, 6, 5) */
    bench_output(b, OP1A(b, LTH_OP_MAX, y, lth_attr_reduce, 4, 0)); /* (2, 8, 5): order kept */
    bench_output(b, OP1A(b, LTH_OP_SUM, y, lth_attr_reduce, 15, 0));
    uint32_t flat = OP1A(b, LTH_OP_RESHAPE, centred, lth_attr_dims, 3, 0, { 2, 8, 30 });
    bench_output(b, OP1A(b, LTH_OP_MEAN, flat, lth_attr_reduce, 4, 0)); /* (2, 8) */
    bench_output(b, OP1A(b, LTH_OP_RESHAPE, OP1A(b, LTH_OP_FLIP, h, lth_attr_axis, 2), lth_attr_dims, 2, 0, { 2, 240 }));
    uint32_t joined = bench_op(b, LTH_OP_CONCAT, (uint32_t[]) { centred, x }, 2, &(lth_attr_axis) { 1 }, sizeof(lth_attr_axis));
    uint32_t padded = OP2A(b, LTH_OP_PAD, joined, zero, lth_attr_pad, { 0, 0, 1, 2 }, { 0, 0, 0, 1 });
    bench_output(b, padded);
    uint32_t cut = OP1A(b, LTH_OP_SLICE, padded, lth_attr_slice, { 0, 0, 1, 0 }, { 2, 11, 6, 3 }, { 1, 1, 1, 2 });
    bench_output(b, conv(b, LTH_OP_CONV, cut, w2, attributes_of(&one, NULL)));
    bench_output(b, conv(b, LTH_OP_CONV_WEIGHT_GRAD, x, centred, attributes_of(&one, one.kernel)));
}

Test(cpu_conv, what_lies_between_convolutions_is_the_same_channels_last)
{
    double terms[BETWEEN];
    for (int i = 0; i < BETWEEN; i++)
        terms[i] = 1000;
    make_between(&reference, LTH_F64);
    bench_go(&reference, 0);
    make_between(&cpu, LTH_F32);
    bench_go(&cpu, 0);
    cr_assert_eq(cpu.g.output_count, BETWEEN);
    compare_outputs("graph", 0, terms, false);
}

/* ---- Norms, pools and sizes between convolutions ---- */

enum { NORMS = 11 };

static uint32_t rows_of(bench *b, uint32_t x, int64_t N, int64_t G, int64_t each)
{
    return OP1A(b, LTH_OP_RESHAPE, x, lth_attr_dims, 3, 0, { N, G, each });
}

/* A group norm as it is recorded, and what its gradient is made of. */
static void make_groups(bench *b, lth_dtype t, uint32_t y, uint32_t eps, uint32_t w)
{
    const conv_case one = { 2, 12, 4, { 17, 20 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, NULL };
    uint32_t rows = rows_of(b, y, 2, 4, 3 * 340), sum = OP1A(b, LTH_OP_SUM, rows, lth_attr_reduce, 4, 1);
    uint32_t norm = OP2A(b, LTH_OP_LAYER_NORM, rows, eps, lth_attr_axis, 1);
    bench_output(b, norm + 1);
    bench_output(b, OP1A(b, LTH_OP_MAX, norm, lth_attr_reduce, 4, 0));
    uint32_t spread = OP1A(b, LTH_OP_EXPAND, sum, lth_attr_dims, 3, 0, { 2, 4, 3 * 340 });
    uint32_t both = OP2(b, LTH_OP_ADD, OP2(b, LTH_OP_MUL, norm, spread), OP1(b, LTH_OP_SILU, norm));
    bench_output(b, OP1A(b, LTH_OP_MEAN, both, lth_attr_reduce, 4, 0)); /* (2, 4) */
    uint32_t image = OP1A(b, LTH_OP_RESHAPE, both, lth_attr_dims, 4, 0, { 2, 12, 17, 20 });
    bench_output(b, conv(b, LTH_OP_CONV, image, w, attributes_of(&one, NULL)));
    uint32_t places = OP1A(b, LTH_OP_RESHAPE, image, lth_attr_dims, 3, 0, { 2, 12, 340 }); /* as attention takes them */
    uint32_t turned = OP1A(b, LTH_OP_PERMUTE, places, lth_attr_dims, 3, 0, { 0, 2, 1 });
    uint32_t square = drawn(b, SHAPE(t, 2, 12, 12), 9);
    uint32_t attended = OP2A(b, LTH_OP_MATMUL, turned, square, lth_attr_matmul, 0, 0, 0, 0);
    uint32_t back = OP1A(b, LTH_OP_RESHAPE, OP1A(b, LTH_OP_PERMUTE, attended, lth_attr_dims, 3, 0, { 0, 2, 1 }), lth_attr_dims, 4,
                         0, { 2, 12, 17, 20 });
    bench_output(b, OP2(b, LTH_OP_ADD, back, image));
}

static void make_norms(bench *b, lth_dtype t)
{
    const conv_case one = { 2, 5, 12, { 17, 20 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, NULL };
    uint32_t x = drawn(b, SHAPE(t, 2, 5, 17, 20), 1), w = drawn(b, SHAPE(t, 12, 5, 3, 3), 2), eps = drawn(b, RANK0(t), 4),
             w2 = drawn(b, SHAPE(t, 4, 12, 3, 3), 5);
    eps = OP1(b, LTH_OP_ABS, eps);
    uint32_t y = conv(b, LTH_OP_CONV, x, w, attributes_of(&one, NULL));
    uint32_t norm = OP2A(b, LTH_OP_BATCH_NORM, y, eps, lth_attr_axis, 1);
    for (uint32_t i = 0; i < 3; i++)
        bench_output(b, norm + i);
    make_groups(b, t, norm, eps, w2);
    uint32_t larger = OP1A(b, LTH_OP_RESIZE, norm, lth_attr_resize, { 34, 60 }, { 0 }, LTH_RESIZE_NEAREST, 0);
    bench_output(b, OP1A(b, LTH_OP_RESIZE_GRAD, OP1(b, LTH_OP_SQUARE, larger), lth_attr_resize, { 34, 60 }, { 17, 20 },
                         LTH_RESIZE_NEAREST, 0));
    lth_attr_pool window = { .kernel = { 3, 2 }, .stride = { 2, 2 }, .low = { 1, 0 }, .high = { 0, 1 }, .dilation = { 1, 2 } };
    uint32_t max = bench_op(b, LTH_OP_MAX_POOL, &norm, 1, &window, sizeof window);
    lth_shape s = b->g.values[max].shape;
    uint32_t values = OP1A(b, LTH_OP_RESHAPE, max, lth_attr_dims, 3, 0, { 2, 12, s.dim[2] * s.dim[3] });
    uint32_t index = OP1A(b, LTH_OP_RESHAPE, max + 1, lth_attr_dims, 3, 0, { 2, 12, s.dim[2] * s.dim[3] });
    bench_output(b, OP2A(b, LTH_OP_SCATTER_ALONG, values, index, lth_attr_scatter, 2, 340));
    uint32_t mean = bench_op(b, LTH_OP_AVG_POOL, &norm, 1, &window, sizeof window);
    window.size[0] = 17, window.size[1] = 20;
    bench_output(b, bench_op(b, LTH_OP_AVG_POOL_GRAD, &mean, 1, &window, sizeof window));
}

Test(cpu_conv, norms_pools_and_sizes_between_convolutions_are_the_same_channels_last)
{
    double terms[NORMS];
    for (int i = 0; i < NORMS; i++)
        terms[i] = 5000;
    make_norms(&reference, LTH_F64);
    bench_go(&reference, 0);
    make_norms(&cpu, LTH_F32);
    bench_go(&cpu, 0);
    cr_assert_eq(cpu.g.output_count, NORMS);
    compare_outputs("graph", 1, terms, false);
}

Test(cpu_conv, a_failure_beside_a_convolution_names_the_node_of_the_graph_that_was_given)
{
    static const double index[] = { 12 };
    uint32_t x = drawn(&cpu, SHAPE(LTH_F32, 1, 2, 4, 4), 1), w = drawn(&cpu, SHAPE(LTH_F32, 2, 2, 3, 3), 2);
    const conv_case one = { 1, 2, 2, { 4, 4 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, NULL };
    uint32_t y = conv(&cpu, LTH_OP_CONV, x, w, attributes_of(&one, NULL));
    uint32_t flat = OP1A(&cpu, LTH_OP_RESHAPE, y, lth_attr_dims, 1, 0, { 32 });
    uint32_t i = bench_input(&cpu, SHAPE(LTH_I64, 1), index), node = cpu.g.node_count;
    bench_output(&cpu, OP2(&cpu, LTH_OP_GATHER, OP1A(&cpu, LTH_OP_SLICE, flat, lth_attr_slice, { 0 }, { 5 }, { 1 }), i));
    node++; /* after the slice */
    cr_assert_eq(bench_compile(&cpu, 0), LTH_OK);
    cr_assert_eq(bench_run(&cpu), LTH_CHECK);
    cr_assert_eq(cpu.result.failed_node, node);
    cr_assert_str_eq(cpu.result.message, "index 12 is out of range 0..4");
}

/* ---- Max pooling plane by plane ---- */

static uint32_t make_pool(bench *b, int64_t height, int64_t width)
{
    int64_t n = 2 * 3 * height * width;
    double *x = calloc((size_t)n, sizeof *x);
    uint64_t seed = 5;
    for (int64_t i = 0; i < n; i++)
        x[i] = i % 13 == 5 ? NAN : floor(bench_random_real(&seed, -2, 3)); /* many equals */
    bench_reset(b);
    uint32_t v = bench_input(b, SHAPE(LTH_F32, 2, 3, height, width), x);
    free(x);
    v = OP1A(b, LTH_OP_MAX_POOL, v, lth_attr_pool, { 2, 2 }, { 2, 2 }, { 0 }, { 0 }, { 1, 1 }, { 0 }, 0, 0);
    bench_output(b, v);
    bench_output(b, v + 1);
    bench_go(b, 0);
    return v;
}

Test(cpu_conv, two_by_two_pools_are_those_of_the_reference_at_every_width)
{
    static const char *const sets[] = { "baseline", "avx2", "avx512" };
    for (int k = 0; k < 3; k++) {
        if (!has(sets[k]))
            continue;
        bench_close(&cpu);
        setenv("LTHOST_CPU_ISA", sets[k], 1);
        bench_open(&cpu, "cpu");
        for (int64_t width = 2; width < 71; width += width < 36 ? 1 : 17) {
            make_pool(&reference, 2 + width % 5, width);
            make_pool(&cpu, 2 + width % 5, width);
            for (uint32_t slot = 0; slot < 2; slot++)
                for (int64_t i = 0; i < lth_shape_count(&cpu.output_shapes[slot]); i++) {
                    double got = bench_get(&cpu, slot, i), wanted = bench_get(&reference, slot, i);
                    cr_assert(got == wanted || (isnan(got) && isnan(wanted)), "%s, width %lld, output %u, element %lld: %g, not %g",
                              sets[k], (long long)width, slot, (long long)i, got, wanted);
                }
        }
    }
    unsetenv("LTHOST_CPU_ISA");
}
