/* SPDX-License-Identifier: Apache-2.0
 * The reference's kernels against closed forms and small cases computed by hand. */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static bench b;

static void open_reference(void) { bench_open(&b, "reference"); }
static void close_reference(void) { bench_close(&b); }

TestSuite(reference_ops, .init = open_reference, .fini = close_reference);

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double reciprocal(double x) { return 1 / x; }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double negative(double x) { return -x; }
static double square(double x) { return x * x; }
static double sign(double x) { return (x > 0) - (x < 0); }
static double relu(double x) { return x > 0 ? x : 0; }
static double silu(double x) { return x * sigmoid(x); }
static double gelu(double x) { return x * (1 + erf(x / sqrt(2))) / 2; }
static double gelu_tanh(double x) { return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))); }
static double softplus(double x) { return log(1 + exp(x)); }
static double identity(double x) { return x; }
static double is_finite(double x) { return isfinite(x) != 0; }

Test(reference_ops, unary_ops_agree_with_their_formulas_in_both_precisions)
{
    static const struct {
        uint32_t op;
        double (*f)(double);
        double low, high;
    } rows[] = {
        { LTH_OP_NEG, negative, -3, 3 },
        { LTH_OP_EXP, exp, -5, 5 },
        { LTH_OP_LOG, log, 0.1, 9 },
        { LTH_OP_SQRT, sqrt, 0, 9 },
        { LTH_OP_RSQRT, rsqrt, 0.1, 9 },
        { LTH_OP_SIN, sin, -9, 9 },
        { LTH_OP_COS, cos, -9, 9 },
        { LTH_OP_TANH, tanh, -4, 4 },
        { LTH_OP_ERF, erf, -4, 4 },
        { LTH_OP_ABS, fabs, -3, 3 },
        { LTH_OP_SIGN, sign, -3, 3 },
        { LTH_OP_FLOOR, floor, -3.3, 3.1 },
        { LTH_OP_CEIL, ceil, -3.3, 3.1 },
        { LTH_OP_ROUND, nearbyint, -3, 3 },
        { LTH_OP_LOG1P, log1p, -0.9, 9 },
        { LTH_OP_EXPM1, expm1, -3, 3 },
        { LTH_OP_RECIPROCAL, reciprocal, 0.2, 3 },
        { LTH_OP_SQUARE, square, -3, 3 },
        { LTH_OP_SIGMOID, sigmoid, -9, 9 },
        { LTH_OP_RELU, relu, -3, 3 },
        { LTH_OP_GELU, gelu, -4, 4 },
        { LTH_OP_GELU_TANH, gelu_tanh, -4, 4 },
        { LTH_OP_SILU, silu, -9, 9 },
        { LTH_OP_SOFTPLUS, softplus, -9, 9 },
        { LTH_OP_STOP_GRADIENT, identity, -3, 3 },
        { LTH_OP_ISFINITE, is_finite, -3, 3 },
    };
    enum { N = 13 };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (lth_dtype t = LTH_F32; t <= LTH_F64; t++) {
            double x[N], y[N];
            for (int i = 0; i < N; i++) {
                x[i] = rows[r].low + (rows[r].high - rows[r].low) * i / (N - 1);
                x[i] = t == LTH_F32 ? (float)x[i] : x[i];
                y[i] = rows[r].f(x[i]);
            }
            bench_reset(&b);
            uint32_t out = bench_output(&b, OP1(&b, rows[r].op, bench_input(&b, SHAPE(t, N), x)));
            bench_go(&b, 0);
            char name[32];
            snprintf(name, sizeof name, "op %u in %s", rows[r].op, lth_dtype_name(t));
            bench_expect(&b, name, out, y, N, t == LTH_F32 ? 4e-7 : 1e-15);
        }
}

Test(reference_ops, extremes_of_activations_do_not_overflow)
{
    static const double x[] = { -1000, -100, 100, 1000, INFINITY, NAN };
    static const struct {
        uint32_t op;
        double y[6];
    } rows[] = {
        { LTH_OP_SIGMOID, { 0, 3.7200759760208e-44, 1, 1, 1, NAN } },
        { LTH_OP_SOFTPLUS, { 0, 3.7200759760208e-44, 100, 1000, INFINITY, NAN } },
        { LTH_OP_TANH, { -1, -1, 1, 1, 1, NAN } },
        { LTH_OP_RELU, { 0, 0, 100, 1000, INFINITY, NAN } },
        { LTH_OP_GELU, { 0, 0, 100, 1000, INFINITY, NAN } },
        { LTH_OP_SIGN, { -1, -1, 1, 1, 1, NAN } },
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bench_reset(&b);
        uint32_t out = bench_output(&b, OP1(&b, rows[r].op, bench_input(&b, SHAPE(LTH_F64, 6), x)));
        bench_go(&b, 0);
        bench_expect(&b, "extremes", out, rows[r].y, 6, 1e-15);
    }
}

Test(reference_ops, binary_ops_serve_floats_and_integers_and_integers_wrap)
{
    static const double x[] = { 7, -7, 5, -128, 0, 3 }, y[] = { 2, 2, 0, -1, 4, -3 };
    static const struct {
        uint32_t op;
        double i8[6], f64[6];
    } rows[] = {
        { LTH_OP_ADD, { 9, -5, 5, 127, 4, 0 }, { 9, -5, 5, -129, 4, 0 } },
        { LTH_OP_SUB, { 5, -9, 5, -127, -4, 6 }, { 5, -9, 5, -127, -4, 6 } },
        { LTH_OP_MUL, { 14, -14, 0, -128, 0, -9 }, { 14, -14, 0, 128, 0, -9 } },
        { LTH_OP_DIV, { 3, -3, 0, -128, 0, -1 }, { 3.5, -3.5, INFINITY, 128, 0, -1 } },
        { LTH_OP_MAXIMUM, { 7, 2, 5, -1, 4, 3 }, { 7, 2, 5, -1, 4, 3 } },
        { LTH_OP_MINIMUM, { 2, -7, 0, -128, 0, -3 }, { 2, -7, 0, -128, 0, -3 } },
        { LTH_OP_LT, { 0, 1, 0, 1, 1, 0 }, { 0, 1, 0, 1, 1, 0 } },
        { LTH_OP_GE, { 1, 0, 1, 0, 0, 1 }, { 1, 0, 1, 0, 0, 1 } },
        { LTH_OP_EQ, { 0, 0, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0, 0 } },
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int floating = 0; floating < 2; floating++) {
            lth_dtype t = floating ? LTH_F64 : LTH_I8;
            bench_reset(&b);
            uint32_t out =
                bench_output(&b, OP2(&b, rows[r].op, bench_input(&b, SHAPE(t, 6), x), bench_input(&b, SHAPE(t, 6), y)));
            bench_go(&b, 0);
            bench_expect(&b, lth_dtype_name(t), out, floating ? rows[r].f64 : rows[r].i8, 6, 0);
        }
}

Test(reference_ops, maximum_and_max_let_nan_win)
{
    static const double x[] = { 1, NAN, 3, NAN }, y[] = { NAN, 2, 1, NAN }, larger[] = { NAN, NAN, 3, NAN }, most[] = { NAN };
    uint32_t a = bench_input(&b, SHAPE(LTH_F32, 4), x), c = bench_input(&b, SHAPE(LTH_F32, 4), y);
    uint32_t both = bench_output(&b, OP2(&b, LTH_OP_MAXIMUM, a, c)),
             all = bench_output(&b, OP1A(&b, LTH_OP_MAX, a, lth_attr_reduce, 1, 0));
    uint32_t place = bench_output(&b, OP1A(&b, LTH_OP_ARGMAX, a, lth_attr_axis, 0));
    bench_go(&b, 0);
    bench_expect(&b, "maximum", both, larger, 4, 0);
    bench_expect(&b, "max", all, most, 1, 0);
    cr_assert_eq(bench_get(&b, place, 0), 1);
}

Test(reference_ops, casts_truncate_clamp_and_round_to_even)
{
    static const double x[] = { 2.7, -2.7, 300, -300, NAN, 0 };
    static const struct {
        lth_dtype to;
        double y[6];
    } rows[] = { { LTH_I32, { 2, -2, 300, -300, 0, 0 } },
                 { LTH_I8, { 2, -2, 127, -128, 0, 0 } },
                 { LTH_U8, { 2, 0, 255, 0, 0, 0 } },
                 { LTH_BOOL, { 1, 1, 1, 1, 1, 0 } },
                 { LTH_F64, { 2.7, -2.7, 300, -300, NAN, 0 } },
                 { LTH_BF16, { 0x402D, 0xC02D, 0x4396, 0xC396, 0x7FC0, 0 } },
                 { LTH_F16, { 0x4166, 0xC166, 0x5CB0, 0xDCB0, 0x7E00, 0 } } };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bench_reset(&b);
        uint32_t y = OP1A(&b, LTH_OP_CAST, bench_input(&b, SHAPE(LTH_F64, 6), x), lth_attr_dtype, rows[r].to, 0);
        uint32_t out = bench_output(&b, y);
        bench_go(&b, 0);
        bench_expect(&b, lth_dtype_name(rows[r].to), out, rows[r].y, 6, 0);
    }
}

Test(reference_ops, every_f16_and_bf16_survives_a_cast_to_f64_and_back)
{
    static double bits[65536];
    for (int i = 0; i < 65536; i++)
        bits[i] = i;
    for (lth_dtype t = LTH_BF16; t <= LTH_F16; t++) {
        bench_reset(&b);
        uint32_t wide = OP1A(&b, LTH_OP_CAST, bench_input(&b, SHAPE(t, 65536), bits), lth_attr_dtype, LTH_F64, 0);
        uint32_t out = bench_output(&b, OP1A(&b, LTH_OP_CAST, wide, lth_attr_dtype, t, 0)), as_double = bench_output(&b, wide);
        bench_go(&b, 0);
        for (int i = 0; i < 65536; i++)
            if (!isnan(bench_get(&b, as_double, i)))
                cr_assert_eq(bench_get(&b, out, i), i, "%s: bits %x became %x", lth_dtype_name(t), i, (int)bench_get(&b, out, i));
    }
}

Test(reference_ops, shape_ops_move_elements_to_their_places)
{
    static const double x[] = { 0, 1, 2, 3, 4, 5 }, extra[] = { 9 };
    static const double turned[] = { 0, 3, 1, 4, 2, 5 }, repeated[] = { 0, 1, 2, 0, 1, 2 }, some[] = { 3, 5 },
                        back[] = { 2, 1, 0, 5, 4, 3 };
    static const double framed[] = { 9, 0, 1, 2, 9, 3, 4, 5, 9, 9, 9, 9 }, joined[] = { 0, 1, 2, 9, 3, 4, 5, 9 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F32, 2, 3), x), row = bench_input(&b, SHAPE(LTH_F32, 3), x),
             nine = bench_scalar(&b, LTH_F32, 9);
    uint32_t column = OP1A(&b, LTH_OP_EXPAND, bench_input(&b, SHAPE(LTH_F32, 1), extra), lth_attr_dims, 2, 0, { 2, 1 });
    uint32_t outs[] = {
        bench_output(&b, OP1A(&b, LTH_OP_PERMUTE, a, lth_attr_dims, 2, 0, { 1, 0 })),
        bench_output(&b, OP1A(&b, LTH_OP_EXPAND, row, lth_attr_dims, 2, 0, { 2, 3 })),
        bench_output(&b, OP1A(&b, LTH_OP_SLICE, a, lth_attr_slice, { 1, 0 }, { 1, 2 }, { 1, 2 })),
        bench_output(&b, OP1A(&b, LTH_OP_FLIP, a, lth_attr_axis, 1)),
        bench_output(&b, OP2A(&b, LTH_OP_PAD, a, nine, lth_attr_pad, { 0, 1 }, { 1, 0 })),
        bench_output(&b, OP2A(&b, LTH_OP_CONCAT, a, column, lth_attr_axis, 1)),
    };
    bench_go(&b, 0);
    bench_expect(&b, "permute", outs[0], turned, 6, 0);
    bench_expect(&b, "expand", outs[1], repeated, 6, 0);
    bench_expect(&b, "slice", outs[2], some, 2, 0);
    bench_expect(&b, "flip", outs[3], back, 6, 0);
    bench_expect(&b, "pad", outs[4], framed, 12, 0);
    bench_expect(&b, "concat", outs[5], joined, 8, 0);
}

Test(reference_ops, a_window_is_clamped_into_the_axis)
{
    static const double x[] = { 0, 1, 2, 3, 4 }, part[] = { 7, 8 };
    static const struct {
        double start, window[2], updated[5];
    } rows[] = { { 1, { 1, 2 }, { 0, 7, 8, 3, 4 } }, { -4, { 0, 1 }, { 7, 8, 2, 3, 4 } }, { 9, { 3, 4 }, { 0, 1, 2, 7, 8 } } };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bench_reset(&b);
        uint32_t a = bench_input(&b, SHAPE(LTH_F64, 5), x), p = bench_input(&b, SHAPE(LTH_F64, 2), part);
        uint32_t start = bench_input(&b, RANK0(LTH_I64), &rows[r].start);
        uint32_t window = bench_output(&b, OP2A(&b, LTH_OP_SLICE_AT, a, start, lth_attr_window, 0, 2));
        uint32_t operands[] = { a, p, start };
        uint32_t updated =
            bench_output(&b, bench_op(&b, LTH_OP_UPDATE_AT, operands, 3, &(lth_attr_window) { 0, 2 }, sizeof(lth_attr_window)));
        bench_go(&b, 0);
        bench_expect(&b, "slice_at", window, rows[r].window, 2, 0);
        bench_expect(&b, "update_at", updated, rows[r].updated, 5, 0);
    }
}

Test(reference_ops, reductions_over_any_axes)
{
    static const double x[] = { 1, 2, 3, 4, 5, 6, 7, 8 }; /* (2, 2, 2) */
    static const struct {
        uint32_t op, axes;
        int64_t n;
        double y[4];
    } rows[] = {
        { LTH_OP_SUM, 7, 1, { 36 } },
        { LTH_OP_SUM, 1, 4, { 6, 8, 10, 12 } },
        { LTH_OP_SUM, 2, 4, { 4, 6, 12, 14 } },
        { LTH_OP_SUM, 5, 2, { 14, 22 } },
        { LTH_OP_MEAN, 6, 2, { 2.5, 6.5 } },
        { LTH_OP_MAX, 4, 4, { 2, 4, 6, 8 } },
        { LTH_OP_MIN, 3, 2, { 1, 2 } },
        { LTH_OP_PROD, 7, 1, { 40320 } },
        { LTH_OP_LOGSUMEXP, 4, 4, { 2.31326168751822, 4.31326168751822, 6.31326168751822, 8.31326168751822 } },
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bench_reset(&b);
        uint32_t a = bench_input(&b, SHAPE(LTH_F64, 2, 2, 2), x);
        uint32_t out = bench_output(&b, OP1A(&b, rows[r].op, a, lth_attr_reduce, rows[r].axes, r % 2));
        bench_go(&b, 0);
        bench_expect(&b, "reduction", out, rows[r].y, rows[r].n, 1e-14);
    }
}

Test(reference_ops, a_long_sum_in_f32_stays_exact_where_a_running_sum_would_not)
{
    enum { N = 1 << 20 };
    static double x[N];
    for (int i = 0; i < N; i++)
        x[i] = 0.1;
    uint32_t out = bench_output(&b, OP1A(&b, LTH_OP_SUM, bench_input(&b, SHAPE(LTH_F32, N), x), lth_attr_reduce, 1, 0));
    bench_go(&b, 0);
    cr_assert_float_eq(bench_get(&b, out, 0), (double)0.1f * N, 1e-7 * 0.1 * N);
}

Test(reference_ops, sums_of_integers_and_booleans_stay_in_their_type)
{
    static const double x[] = { 100, 100, 1 }, flags[] = { 1, 1, 0 };
    uint32_t bytes = OP1A(&b, LTH_OP_SUM, bench_input(&b, SHAPE(LTH_I8, 3), x), lth_attr_reduce, 1, 0);
    uint32_t any = OP1A(&b, LTH_OP_SUM, bench_input(&b, SHAPE(LTH_BOOL, 3), flags), lth_attr_reduce, 1, 0);
    uint32_t a = bench_output(&b, bytes), c = bench_output(&b, any);
    bench_go(&b, 0);
    cr_assert_eq(bench_get(&b, a, 0), 201 - 256);
    cr_assert_eq(bench_get(&b, c, 0), 1);
}

Test(reference_ops, matmul_takes_either_operand_transposed_and_batches)
{
    uint64_t seed = 1;
    enum { B = 3, M = 2, K = 4, N = 5 };
    double a[B * M * K], c[B * K * N], y[B * M * N];
    for (int i = 0; i < B * M * K; i++)
        a[i] = bench_random_real(&seed, -1, 1);
    for (int i = 0; i < B * K * N; i++)
        c[i] = bench_random_real(&seed, -1, 1);
    for (uint32_t t = 0; t < 4; t++) {
        for (int i = 0; i < B * M * N; i++) {
            int batch = i / (M * N), m = i / N % M, n = i % N;
            y[i] = 0;
            for (int k = 0; k < K; k++)
                y[i] += a[batch * M * K + (t & 1 ? k * M + m : m * K + k)] * c[batch * K * N + (t & 2 ? n * K + k : k * N + n)];
        }
        bench_reset(&b);
        uint32_t left = bench_input(&b, t & 1 ? SHAPE(LTH_F64, B, K, M) : SHAPE(LTH_F64, B, M, K), a);
        uint32_t right = bench_input(&b, t & 2 ? SHAPE(LTH_F64, B, N, K) : SHAPE(LTH_F64, B, K, N), c);
        uint32_t out = bench_output(&b, OP2A(&b, LTH_OP_MATMUL, left, right, lth_attr_matmul, t & 1, t >> 1, 0, 0));
        bench_go(&b, 0);
        bench_expect(&b, "matmul", out, y, B * M * N, 1e-14);
    }
}

Test(reference_ops, gathers_and_scatters_follow_the_index_and_repeats_add_up)
{
    static const double table[] = { 1, 2, 3, 4, 5, 6 }, index[] = { 2, 0, 2 }, rows[] = { 5, 6, 1, 2, 5, 6 },
                        added[] = { 1, 2, 0, 0, 10, 12 };
    static const double along[] = { 1, 0, 1, 1 }, taken[] = { 3, 2, 3, 4 };
    static const double values[] = { 10, 20, 30, 40 };
    for (lth_dtype t = LTH_I64; t <= LTH_I32; t++) {
        bench_reset(&b);
        uint32_t x = bench_input(&b, SHAPE(LTH_F32, 3, 2), table), i = bench_input(&b, SHAPE(t, 3), index);
        uint32_t gathered = OP2(&b, LTH_OP_GATHER, x, i);
        uint32_t a = bench_output(&b, gathered),
                 c = bench_output(&b, OP2A(&b, LTH_OP_SCATTER_ADD, gathered, i, lth_attr_axis, 3));
        uint32_t j = bench_input(&b, SHAPE(t, 2, 2), along), v = bench_input(&b, SHAPE(LTH_F32, 2, 2), values);
        uint32_t square = OP1A(&b, LTH_OP_SLICE, x, lth_attr_slice, { 0, 0 }, { 2, 2 }, { 1, 1 });
        uint32_t d = bench_output(&b, OP2A(&b, LTH_OP_GATHER_ALONG, square, j, lth_attr_axis, 0));
        uint32_t e = bench_output(&b, OP2A(&b, LTH_OP_SCATTER_ALONG, v, j, lth_attr_scatter, 0, 3));
        bench_go(&b, 0);
        bench_expect(&b, "gather", a, rows, 6, 0);
        bench_expect(&b, "scatter_add", c, added, 6, 0);
        bench_expect(&b, "gather_along", d, taken, 4, 0);
        bench_expect(&b, "scatter_along", e, (double[]) { 0, 20, 40, 40, 0, 0 }, 6, 0);
    }
}

Test(reference_ops, softmax_and_cross_entropy_agree_with_their_definitions)
{
    static const double x[] = { 1, 2, 3, -1000, 0, 1000 }, target[] = { 0, 2 };
    double sum = exp(-2) + exp(-1) + 1;
    double probability[] = { exp(-2) / sum, exp(-1) / sum, 1 / sum, 0, 0, 1 };
    double logarithm[] = { -2 - log(sum), -1 - log(sum), -log(sum), -2000, -1000, 0 }, loss[] = { 2 + log(sum), 0 },
           lse[] = { 3 + log(sum), 1000 };
    double gradient[] = { 2 * (probability[0] - 1), 2 * probability[1], 2 * probability[2], 0, 0, 0 };
    static const double d_loss[] = { 2, 3 };
    uint32_t a = bench_input(&b, SHAPE(LTH_F64, 2, 3), x), t = bench_input(&b, SHAPE(LTH_I64, 2), target),
             d = bench_input(&b, SHAPE(LTH_F64, 2), d_loss);
    uint32_t ce = OP2(&b, LTH_OP_CROSS_ENTROPY, a, t), operands[] = { a, t, ce + 1, d };
    uint32_t outs[] = { bench_output(&b, OP1A(&b, LTH_OP_SOFTMAX, a, lth_attr_axis, 1)),
                        bench_output(&b, OP1A(&b, LTH_OP_LOG_SOFTMAX, a, lth_attr_axis, 1)), bench_output(&b, ce),
                        bench_output(&b, ce + 1),
                        bench_output(&b, bench_op(&b, LTH_OP_CROSS_ENTROPY_GRAD, operands, 4, NULL, 0)) };
    bench_go(&b, 0);
    bench_expect(&b, "softmax", outs[0], probability, 6, 1e-15);
    bench_expect(&b, "log_softmax", outs[1], logarithm, 6, 1e-15);
    bench_expect(&b, "cross_entropy", outs[2], loss, 2, 1e-15);
    bench_expect(&b, "log-sum-exp", outs[3], lse, 2, 1e-15);
    bench_expect(&b, "cross_entropy_grad", outs[4], gradient, 6, 1e-15);
}

Test(reference_ops, layer_norm_standardizes_each_row)
{
    static const double x[] = { 1, 2, 3, 4, 5, 5, 5, 5 };
    double rstd = 1 / sqrt(1.25 + 1e-5), y[] = { -1.5 * rstd, -0.5 * rstd, 0.5 * rstd, 1.5 * rstd, 0, 0, 0, 0 };
    uint32_t n = OP2A(&b, LTH_OP_LAYER_NORM, bench_input(&b, SHAPE(LTH_F64, 2, 2, 2), x), bench_scalar(&b, LTH_F64, 1e-5),
                      lth_attr_axis, 2);
    uint32_t out = bench_output(&b, n), second = bench_output(&b, n + 1);
    bench_go(&b, 0);
    bench_expect(&b, "layer_norm", out, y, 8, 1e-14);
    bench_expect(&b, "rstd", second, (double[]) { rstd, 1 / sqrt(1e-5) }, 2, 1e-14);
}

Test(reference_ops, random_ops_are_a_pure_function_of_seed_step_stream_and_id)
{
    enum { N = 10001 };
    static double ones[N];
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    lth_attr_random a = { SHAPE(LTH_F64, N), 7, 0 };
    b.seed = 42, b.step = 3, b.stream = 1;
    uint32_t u = bench_output(&b, bench_op(&b, LTH_OP_UNIFORM, NULL, 0, &a, sizeof a));
    uint32_t z = bench_output(&b, bench_op(&b, LTH_OP_NORMAL, NULL, 0, &a, sizeof a));
    uint32_t operands[] = { bench_input(&b, SHAPE(LTH_F64, N), ones), bench_scalar(&b, LTH_F64, 0.25) };
    uint32_t d = bench_output(&b, bench_op(&b, LTH_OP_DROPOUT, operands, 2, &a, sizeof a));
    bench_go(&b, 0);
    double mean = 0, square_of_normal = 0, kept = 0;
    for (int i = 0; i < N; i++) {
        double expected = lth_philox_uniform(lth_philox_at(42, (uint32_t)i / 4, 7, 3, 1).word[i % 4]);
        cr_assert_eq(bench_get(&b, u, i), expected);
        cr_assert_eq(bench_get(&b, d, i), expected >= 0.25 ? 1 / 0.75 : 0);
        mean += expected / N;
        kept += bench_get(&b, d, i) / N;
        square_of_normal += pow(bench_get(&b, z, i), 2) / N;
    }
    cr_assert_float_eq(mean, 0.5, 0.01);
    cr_assert_float_eq(kept, 1, 0.02);
    cr_assert_float_eq(square_of_normal, 1, 0.05);
    double before = bench_get(&b, z, 5);
    b.step = 4;
    cr_assert_eq(bench_run(&b), LTH_OK);
    cr_assert_neq(bench_get(&b, z, 5), before);
}

Test(reference_ops, leaves_without_operands)
{
    lth_attr_shape counting = { SHAPE(LTH_I32, 2, 3), 1 };
    lth_attr_integer number = { -5 };
    lth_shape whole = RANK0(LTH_I64);
    uint32_t five = graph_append(&b.g, LTH_OP_INTEGER, NULL, 0, &number, sizeof number, graph_site(&b.g, "m", 1), &whole, 1);
    uint32_t i = bench_output(&b, bench_op(&b, LTH_OP_IOTA, NULL, 0, &counting, sizeof counting)), n = bench_output(&b, five);
    uint32_t s = bench_output(&b, bench_scalar(&b, LTH_F32, 0.1));
    bench_go(&b, 0);
    bench_expect(&b, "iota", i, (double[]) { 0, 1, 2, 0, 1, 2 }, 6, 0);
    bench_expect(&b, "integer", n, (double[]) { -5 }, 1, 0);
    cr_assert_eq(bench_get(&b, s, 0), (double)0.1f);
}

Test(reference_ops, tensors_without_elements_and_with_one)
{
    for (int64_t n = 0; n < 2; n++) {
        bench_reset(&b);
        uint32_t x = bench_input(&b, SHAPE(LTH_F32, 2, n), (double[]) { 3, 4 }),
                 y = bench_input(&b, SHAPE(LTH_F32, n, 2), (double[]) { 5, 6 });
        uint32_t outs[] = {
            bench_output(&b, OP1(&b, LTH_OP_EXP, x)),
            bench_output(&b, OP1A(&b, LTH_OP_SUM, x, lth_attr_reduce, 2, 0)),
            bench_output(&b, OP2A(&b, LTH_OP_MATMUL, x, y, lth_attr_matmul, 0, 0, 0, 0)),
            bench_output(&b, OP1A(&b, LTH_OP_PERMUTE, x, lth_attr_dims, 2, 0, { 1, 0 })),
            bench_output(&b, OP2A(&b, LTH_OP_CONCAT, x, x, lth_attr_axis, 1)),
            bench_output(&b, OP1(&b, LTH_OP_ALL_FINITE, x)),
            bench_output(&b, OP1A(&b, LTH_OP_SOFTMAX, x, lth_attr_axis, 1)),
        };
        bench_go(&b, 0);
        cr_assert_eq(lth_shape_count(&b.output_shapes[outs[0]]), 2 * n);
        bench_expect(&b, "sum", outs[1], n ? (double[]) { 3, 4 } : (double[]) { 0, 0 }, 2, 0);
        bench_expect(&b, "matmul", outs[2], n ? (double[]) { 15, 18, 20, 24 } : (double[]) { 0, 0, 0, 0 }, 4, 0);
        cr_assert_eq(bench_get(&b, outs[5], 0), 1);
    }
}
