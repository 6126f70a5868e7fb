/* SPDX-License-Identifier: Apache-2.0
 * Tile programs, op by op: the interpreter against the reference, over several tiles with an uneven end, with NaN, infinities
 * and signed zeros among the numbers. */
#include "accel_plain.h"

#include <criterion/criterion.h>
#include <lthost/accel/fusion.h>
#include <math.h>
#include <string.h>

enum { N = 4999 };

static bench plain, reference;

static void open_both(void)
{
    plain_bench_open(&plain);
    bench_open(&reference, "reference");
}

static void close_both(void)
{
    bench_close(&plain);
    bench_close(&reference);
}

TestSuite(accel_tiles, .init = open_both, .fini = close_both);

static double a[N], c[N], condition[N], expected[N];

static void fill(lth_dtype dtype, double low, double high)
{
    static const double special[] = { NAN,    INFINITY, -INFINITY, 0,   -0.0, 1,    -1,        1e-30,
                                      -1e-30, 700,      -700,      3.5, 2.5,  -2.5, 0.49999997 };
    static const double limits[] = { 127, -128, 255, 0, 1, -1, 2, 100 };
    uint64_t random = 9;
    for (int i = 0; i < N; i++) {
        a[i] = bench_random_real(&random, low, high);
        c[i] = bench_random_real(&random, low, high);
        condition[i] = bench_random(&random) % 2;
        if (lth_dtype_is_float(dtype)) {
            a[i] = i % 7 == 0 ? special[i / 7 % 15] : a[i];
            c[i] = i % 11 == 0 ? special[i / 11 % 15] : c[i];
        } else {
            a[i] = i % 7 == 0 ? limits[i / 7 % 8] : nearbyint(a[i]);
            c[i] = i % 11 == 0 ? limits[i / 11 % 8] : nearbyint(c[i]);
            if (dtype == LTH_U8 || dtype == LTH_BOOL) {
                a[i] = fabs(a[i]);
                c[i] = fabs(c[i]);
            } else if (dtype == LTH_I8) {
                a[i] = a[i] > 127 ? 127 : a[i];
                c[i] = c[i] > 127 ? 127 : c[i];
            }
        }
    }
}

static uint32_t build(bench *b, uint32_t op, lth_dtype dtype, lth_dtype to)
{
    const accel_op *info = accel_op_find(op);
    bench_reset(b);
    uint32_t operands[3], count = info->max_operands;
    for (uint32_t i = 0; i < count; i++)
        operands[i] = op == LTH_OP_WHERE && i == 0 ? bench_input(b, SHAPE(LTH_BOOL, N), condition)
                                                   : bench_input(b, SHAPE(dtype, N), i == 1 ? c : a);
    lth_attr_dtype cast = { to, 0 };
    return bench_output(b,
                        bench_op(b, op, operands, count, op == LTH_OP_CAST ? &cast : NULL, op == LTH_OP_CAST ? sizeof cast : 0));
}

static void compare(uint32_t op, lth_dtype dtype, lth_dtype to, double tolerance)
{
    char what[64];
    snprintf(what, sizeof what, "%s of %s to %s", accel_op_find(op)->name, lth_dtype_name(dtype), lth_dtype_name(to));
    uint32_t out = build(&plain, op, dtype, to);
    build(&reference, op, dtype, to);
    bench_go(&plain, 0);
    bench_go(&reference, 0);
    for (int i = 0; i < N; i++)
        expected[i] = bench_get(&reference, out, i);
    bench_expect(&plain, what, out, expected, N, tolerance);
}

Test(accel_tiles, every_pointwise_op_agrees_with_the_reference_in_every_type)
{
    static const lth_dtype types[] = { LTH_F32, LTH_F64, LTH_I64, LTH_I32, LTH_U8, LTH_I8, LTH_BOOL };
    int compared = 0;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        fill(types[t], -20, 20);
        for (uint32_t op = 0; op < 256; op++) {
            const accel_op *info = accel_op_find(op);
            if (!info || info->class != ACCEL_POINTWISE || op == LTH_OP_CAST || op == LTH_OP_DROPOUT ||
                !accel_tile_supports(op, types[t]))
                continue;
            /* The C library's sinf is right to the last place, so is exp in f64; the interpreter's f32 to two. */
            compare(op, types[t], LTH_DTYPE_NONE, types[t] == LTH_F32 ? 6e-7 : 4e-15);
            compared++;
        }
    }
    cr_assert_geq(compared, 120);
}

Test(accel_tiles, every_cast_agrees_with_the_reference)
{
    for (lth_dtype from = LTH_F32; from < LTH_DTYPE_COUNT; from++) {
        if (from == LTH_BF16 || from == LTH_F16)
            for (int i = 0; i < N; i++)
                a[i] = (i * 13) & 0xFFFF; /* bits */
        else
            fill(from, -300, 300);
        for (lth_dtype to = LTH_F32; to < LTH_DTYPE_COUNT; to++)
            compare(LTH_OP_CAST, from, to, 0);
    }
}

Test(accel_tiles, iota_counts_along_its_axis_in_every_numeric_type)
{
    static const lth_dtype types[] = { LTH_F32, LTH_F64, LTH_I64, LTH_I32, LTH_U8, LTH_I8 };
    for (size_t t = 0; t < 6; t++)
        for (int64_t axis = 0; axis < 3; axis++) {
            lth_attr_shape shape = { SHAPE(types[t], 9, 11, 50), axis };
            bench_reset(&plain);
            uint32_t out = bench_output(&plain, bench_op(&plain, LTH_OP_IOTA, NULL, 0, &shape, sizeof shape));
            bench_go(&plain, 0);
            for (int64_t i = 0; i < 9 * 11 * 50; i++)
                cr_assert_eq(bench_get(&plain, out, i), axis == 0 ? i / 550 : axis == 1 ? i / 50 % 11 : i % 50);
        }
}

Test(accel_tiles, a_program_longer_than_its_slots_is_split_and_still_right)
{
    fill(LTH_F64, -1, 1);
    for (int k = 0; k < 2; k++) {
        bench *b = k ? &reference : &plain;
        bench_reset(b);
        uint32_t x = bench_input(b, SHAPE(LTH_F64, N), c), v[40];
        for (int i = 0; i < 40; i++) /* all of them alive until the end */
            v[i] = OP1(b, LTH_OP_SIN, i ? v[i - 1] : x);
        uint32_t sum = v[0];
        for (int i = 0; i < 40; i++)
            sum = OP2(b, LTH_OP_ADD, OP2(b, LTH_OP_MUL, sum, v[39 - i]), v[i]);
        bench_output(b, sum);
        bench_go(b, 0);
    }
    cr_assert_gt(plain_schedule(&plain)->launch_count, 2);
    for (int i = 0; i < N; i++)
        expected[i] = bench_get(&reference, 0, i);
    bench_expect(&plain, "a long program", 0, expected, N, 1e-12);
}

/* ---- Adam ---- */

static uint32_t number(bench *b, double value) { return OP1A(b, LTH_OP_EXPAND, bench_scalar(b, LTH_F32, value), lth_attr_dims, 1, 0, { N }); }

/* As optimizers write it; three outputs. `peeks`: something between the steps is an output, too. */
static void append_adam(bench *b, bool decays, bool peeks)
{
    bench_reset(b);
    uint32_t p = bench_input(b, SHAPE(LTH_F32, N), a), g = bench_input(b, SHAPE(LTH_F32, N), c);
    uint32_t m = bench_input(b, SHAPE(LTH_F32, N), expected), v = OP1(b, LTH_OP_ABS, bench_input(b, SHAPE(LTH_F32, N), condition));
    uint32_t from = decays ? OP2(b, LTH_OP_SUB, p, OP2(b, LTH_OP_MUL, p, number(b, 1e-3))) : p;
    m = OP2(b, LTH_OP_ADD, m, OP2(b, LTH_OP_MUL, OP2(b, LTH_OP_SUB, g, m), number(b, 0.1)));
    v = OP2(b, LTH_OP_MUL, v, number(b, 0.999));
    v = OP2(b, LTH_OP_ADD, v, OP2(b, LTH_OP_MUL, OP1(b, LTH_OP_SQUARE, g), number(b, 1e-3)));
    uint32_t root = OP2(b, LTH_OP_DIV, OP1(b, LTH_OP_SQRT, v), number(b, 0.7));
    uint32_t step = OP2(b, LTH_OP_DIV, OP2(b, LTH_OP_MUL, m, number(b, 1e-2)), OP2(b, LTH_OP_ADD, root, number(b, 1e-8)));
    bench_output(b, OP2(b, LTH_OP_SUB, from, step));
    bench_output(b, m);
    bench_output(b, v);
    if (peeks)
        bench_output(b, root);
}

static bool has_adam(bench *b)
{
    const accel_schedule *s = plain_schedule(b);
    for (uint32_t i = 0; i < s->launch_count; i++)
        for (uint32_t k = 0; s->launches[i].program && k < s->launches[i].program->instruction_count; k++)
            if (s->launches[i].program->instructions[k].adam)
                return true;
    return false;
}

Test(accel_tiles, adam_in_one_pass_has_the_bits_of_its_steps)
{
    bench cpu;
    bench_open(&cpu, "cpu");
    fill(LTH_F32, -2, 2);
    for (int i = 0; i < N; i++)
        expected[i] = sin(i);
    for (int decays = 0; decays < 2; decays++)
        for (int peeks = 0; peeks < 2; peeks++) {
            bench *const by[] = { &plain, &cpu };
            append_adam(&plain, decays, peeks);
            bench_go(&plain, 0);
            cr_assert_eq(has_adam(&plain), !peeks);
            for (int k = 0; k < 2; k++) {
                float *whole = malloc(3 * N * sizeof *whole);
                append_adam(by[k], decays, peeks);
                bench_go(by[k], 0);
                for (int slot = 0; slot < 3; slot++)
                    memcpy(whole + slot * N, by[k]->outputs[slot], N * sizeof *whole);
                append_adam(by[k], decays, peeks);
                bench_go(by[k], LTH_COMPILE_NO_FUSION);
                for (int slot = 0; slot < 3; slot++)
                    for (int i = 0; i < N; i++) {
                        float got = whole[slot * N + i], wanted = ((float *)by[k]->outputs[slot])[i];
                        cr_assert(memcmp(&got, &wanted, sizeof got) == 0 || (isnan(got) && isnan(wanted)),
                                  "bench %d, output %d, element %d is %.9g, in steps %.9g", k, slot, i, got, wanted);
                    }
                free(whole);
            }
        }
    bench_close(&cpu);
}
