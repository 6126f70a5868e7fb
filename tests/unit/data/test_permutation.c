/* SPDX-License-Identifier: Apache-2.0 */
#include "data/permutation.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(permutation, is_one_to_one_for_every_count)
{
    static unsigned char seen[5000];
    for (int64_t n = 1; n < 5000; n = n < 300 ? n + 1 : n * 5 / 4) {
        permutation p;
        permutation_begin(&p, n, (uint64_t)n * 77, n % 5, DATA_ORDER);
        memset(seen, 0, sizeof seen);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = permutation_at(&p, i);
            cr_assert(at >= 0 && at < n && !seen[at], "n = %lld: %lld goes to %lld", (long long)n, (long long)i, (long long)at);
            seen[at] = 1;
        }
    }
}

Test(permutation, stays_in_range_for_counts_no_list_could_hold)
{
    for (int bits = 31; bits < 63; bits++) {
        permutation p;
        int64_t n = ((int64_t)1 << bits) + 12345;
        permutation_begin(&p, n, 1, 1, DATA_ORDER);
        for (int64_t i = 0; i < 100; i++) {
            int64_t at = permutation_at(&p, n - 1 - i);
            cr_assert(at >= 0 && at < n);
        }
    }
}

Test(permutation, is_another_one_for_another_seed_epoch_or_purpose_and_the_same_for_the_same)
{
    permutation a, b;
    const struct {
        uint64_t seed;
        int64_t epoch;
        data_purpose purpose;
    } others[] = { { 8, 3, DATA_ORDER }, { 7, 4, DATA_ORDER }, { 7, 3, DATA_BATCHES } };
    permutation_begin(&a, 1000, 7, 3, DATA_ORDER);
    permutation_begin(&b, 1000, 7, 3, DATA_ORDER);
    for (int64_t i = 0; i < 1000; i++)
        cr_assert_eq(permutation_at(&a, i), permutation_at(&b, i));
    for (size_t k = 0; k < 3; k++) {
        int same = 0;
        permutation_begin(&b, 1000, others[k].seed, others[k].epoch, others[k].purpose);
        for (int64_t i = 0; i < 1000; i++)
            same += permutation_at(&a, i) == permutation_at(&b, i);
        cr_assert_lt(same, 15, "%d of 1000 places are the same", same);
    }
}

/* Chi-square over the places where sample 0 goes; bounds far out, as each is tried once. */
Test(permutation, prefers_no_place)
{
    const int64_t counts[] = { 2, 3, 5, 10, 64, 100 };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        int64_t n = counts[k], hits[100] = { 0 }, epochs = 200 * n;
        for (int64_t epoch = 0; epoch < epochs; epoch++) {
            permutation p;
            permutation_begin(&p, n, 42, epoch, DATA_ORDER);
            hits[permutation_at(&p, 0)]++;
        }
        double chi = 0;
        for (int64_t i = 0; i < n; i++)
            chi += (double)(hits[i] - 200) * (double)(hits[i] - 200) / 200;
        cr_assert_lt(chi, (double)n + 6 * sqrt(2.0 * (double)n) + 6, "n = %lld: chi-square %g", (long long)n, chi);
    }
}

/* All 24 orders of four samples must come about equally often. */
Test(permutation, reaches_every_order_of_a_few)
{
    int hits[256] = { 0 }, orders = 0;
    for (int64_t epoch = 0; epoch < 4800; epoch++) {
        permutation p;
        unsigned code = 0;
        permutation_begin(&p, 4, 9, epoch, DATA_ORDER);
        for (int64_t i = 0; i < 4; i++)
            code = code << 2 | (unsigned)permutation_at(&p, i);
        hits[code]++;
    }
    for (int i = 0; i < 256; i++) {
        orders += hits[i] > 0;
        cr_assert(!hits[i] || (hits[i] > 120 && hits[i] < 280), "an order came %d times in 4800", hits[i]);
    }
    cr_assert_eq(orders, 24);
}
