/* SPDX-License-Identifier: Apache-2.0
 * Running sums and sorting against small cases by hand, and against the C library's sort where there is much. */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static bench b;

static uint32_t cumsum(uint32_t x, int64_t axis, uint32_t exclusive, uint32_t reverse)
{
    return bench_output(&b, OP1A(&b, LTH_OP_CUMSUM, x, lth_attr_cumulative, axis, exclusive, reverse));
}

static uint32_t argsort(uint32_t x, int64_t axis, int64_t length, uint32_t descending)
{
    return bench_output(&b, OP1A(&b, LTH_OP_ARGSORT, x, lth_attr_sort, axis, length, descending, 0));
}

Test(order, running_sums_go_either_way_with_and_without_the_element_itself)
{
    static const double x[] = { 1, 2, 4, 8, 16, 32 };
    static const double along[] = { 1, 3, 7, 8, 24, 56 }, before[] = { 0, 1, 3, 0, 8, 24 }, back[] = { 7, 6, 4, 56, 48, 32 },
                        after[] = { 6, 4, 0, 48, 32, 0 }, down[] = { 1, 2, 4, 9, 18, 36 };
    bench_open(&b, "reference");
    for (lth_dtype t = LTH_F32; t < LTH_DTYPE_COUNT; t++) {
        if (t == LTH_BF16 || t == LTH_F16 || t == LTH_BOOL)
            continue;
        bench_reset(&b);
        uint32_t v = bench_input(&b, SHAPE(t, 2, 3), x);
        uint32_t slots[] = { cumsum(v, 1, 0, 0), cumsum(v, 1, 1, 0), cumsum(v, 1, 0, 1), cumsum(v, 1, 1, 1), cumsum(v, 0, 0, 0) };
        bench_go(&b, 0);
        bench_expect(&b, "along", slots[0], along, 6, 0);
        bench_expect(&b, "before", slots[1], before, 6, 0);
        bench_expect(&b, "back", slots[2], back, 6, 0);
        bench_expect(&b, "after", slots[3], after, 6, 0);
        bench_expect(&b, "down", slots[4], down, 6, 0);
    }
    bench_close(&b);
}

Test(order, sorting_is_stable_and_takes_nan_for_the_greatest)
{
    static const double x[] = { 2, NAN, -1, 2, INFINITY, -1, NAN, 0 };
    static const double up[] = { 2, 5, 7, 0, 3, 4, 1, 6 }, down[] = { 1, 6, 4, 0, 3, 7, 2, 5 };
    for (lth_dtype t = LTH_F32; t <= LTH_F64; t++) {
        bench_open(&b, "reference");
        uint32_t v = bench_input(&b, SHAPE(t, 8), x);
        uint32_t slots[] = { argsort(v, 0, 0, 0), argsort(v, 0, 0, 1), argsort(v, 0, 4, 0), argsort(v, 0, 5, 1) };
        bench_go(&b, 0);
        bench_expect(&b, "up", slots[0], up, 8, 0);
        bench_expect(&b, "down", slots[1], down, 8, 0);
        bench_expect(&b, "the first four", slots[2], up, 4, 0);
        bench_expect(&b, "the greatest five", slots[3], down, 5, 0);
        bench_close(&b);
    }
}

/* ---- Many elements, in orders that are hard for some sorts ---- */

enum { MANY = 100000 };
static double values[MANY], places[MANY];

static int by_value_then_place(const void *p, const void *q)
{
    int64_t a = (int64_t) * (const double *)p, c = (int64_t) * (const double *)q;
    if (values[a] != values[c])
        return values[a] < values[c] ? -1 : 1;
    return a < c ? -1 : a > c;
}

static double sorted(int64_t i) { return (double)i; }
static double reversed(int64_t i) { return (double)(MANY - i); }
static double equal(int64_t i) { return 0 * (double)i; }
static double organ_pipe(int64_t i) { return (double)(i < MANY / 2 ? i : MANY - i); }
static double few(int64_t i) { return (double)(i * 7919 % 5); }
static double mixed(int64_t i) { return (double)(i * 7919 % MANY) - MANY / 2; }

Test(order, sorting_takes_no_longer_whatever_the_order_was, .timeout = 60)
{
    double (*const orders[])(int64_t) = { sorted, reversed, equal, organ_pipe, few, mixed };
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        for (int64_t i = 0; i < MANY; i++)
            values[i] = orders[o](i), places[i] = (double)i;
        qsort(places, MANY, sizeof *places, by_value_then_place);
        bench_open(&b, "reference");
        uint32_t v = bench_input(&b, SHAPE(LTH_F32, MANY), values);
        uint32_t all = argsort(v, 0, 0, 0), part = argsort(v, 0, 1000, 0);
        bench_go(&b, 0);
        bench_expect(&b, "all", all, places, MANY, 0);
        bench_expect(&b, "the first thousand", part, places, 1000, 0);
        bench_close(&b);
    }
}
