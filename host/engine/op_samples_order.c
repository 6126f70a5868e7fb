/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_order.c: samples of running sums and of sorting. */
#include "engine/op_samples_tables.h"

#include <math.h>

#define CUMULATIVE(i, exclusive, reverse) .attributes.cumulative = { i, exclusive, reverse }
#define SORT(i, length, descending) .attributes.sort = { i, length, descending, 0 }

static const double ties[] = { 1, 0.5, 1, -2, 1, 0.5, -2 };
static const double broken[] = { 0.25, NAN, -7.5, INFINITY, 3.75, NAN, -INFINITY };
static const double with_infinities[] = { 1, INFINITY, 2, -INFINITY, 3 };
static const double signed_zeros[] = { 0.0, -0.0, 0.0, -1, -0.0 };

// clang-format off
static const op_sample rows[] = {
    { .op = LTH_OP_CUMSUM, 1, 0, "a vector", { X(7) }, CUMULATIVE(0, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "the last axis, exclusive", { X(3, 5) }, CUMULATIVE(-1, 1, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "the first axis, from its end", { X(4, 3) }, CUMULATIVE(0, 0, 1) },
    { .op = LTH_OP_CUMSUM, 1, 0, "the middle axis, exclusive, from its end", { X(2, 3, 4) }, CUMULATIVE(1, 1, 1) },
    { .op = LTH_OP_CUMSUM, 1, 0, "one element, exclusive", { X(2, 1) }, CUMULATIVE(1, 1, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "along nothing", { X(3, 0) }, CUMULATIVE(1, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "of nothing", { X(0, 3) }, CUMULATIVE(1, 1, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "of eight axes", { X(1, 2, 1, 3, 2, 1, 2, 1) }, CUMULATIVE(3, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "permuted", { PERMUTED(2, 3, 4) }, CUMULATIVE(2, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "sliced", { SLICED(3, 4) }, CUMULATIVE(1, 1, 1) },
    { .op = LTH_OP_CUMSUM, 1, 0, "many", { X(2, 4099) }, CUMULATIVE(1, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "many rows", { X(1031, 5) }, CUMULATIVE(0, 0, 1) },
    { .op = LTH_OP_CUMSUM, 1, 0, "whole numbers", { INTEGERS(LTH_I64, -9, 9, 3, 4) }, CUMULATIVE(1, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "whole numbers of 32 bits", { INTEGERS(LTH_I32, -9, 9, 3, 4) }, CUMULATIVE(0, 1, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "bytes that wrap", { INTEGERS(LTH_U8, 0, 255, 9) }, CUMULATIVE(0, 0, 0) },
    { .op = LTH_OP_CUMSUM, 1, 0, "signed bytes that wrap", { INTEGERS(LTH_I8, -128, 127, 9) }, CUMULATIVE(0, 0, 1) },
    { .op = LTH_OP_CUMSUM, 1, OP_SAMPLE_KINK | OP_SAMPLE_EXTREME, "with infinities", { LISTED(with_infinities, 5) },
      CUMULATIVE(0, 0, 0) },

    { .op = LTH_OP_ARGSORT, 1, 0, "a vector", { X(9) }, SORT(0, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "the last axis, from the greatest", { X(3, 5) }, SORT(-1, 0, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "the first axis", { X(6, 3) }, SORT(0, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "the greatest three of the middle axis", { X(2, 7, 3) }, SORT(1, 3, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "the least one", { X(4, 5) }, SORT(1, 1, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "one element", { X(3, 1) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "along nothing", { X(3, 0) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "of nothing", { X(0, 3) }, SORT(1, 2, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "ties", { LISTED(ties, 2, 7) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "ties, from the greatest", { LISTED(ties, 2, 7) }, SORT(1, 0, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "the first four among ties", { LISTED(ties, 14) }, SORT(0, 4, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "NaN is the greatest", { LISTED(broken, 7) }, SORT(0, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "NaN comes first from the greatest", { LISTED(broken, 7) }, SORT(0, 3, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "zeros of both signs are equal", { LISTED(signed_zeros, 5) }, SORT(0, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "permuted", { PERMUTED(2, 3, 4) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "sliced", { SLICED(3, 4) }, SORT(1, 2, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "many", { X(2, 1031) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "whole numbers", { INTEGERS(LTH_I64, -9, 9, 3, 8) }, SORT(1, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "whole numbers of 32 bits", { INTEGERS(LTH_I32, -3, 3, 9) }, SORT(0, 0, 1) },
    { .op = LTH_OP_ARGSORT, 1, 0, "bytes", { INTEGERS(LTH_U8, 0, 255, 9) }, SORT(0, 0, 0) },
    { .op = LTH_OP_ARGSORT, 1, 0, "signed bytes", { INTEGERS(LTH_I8, -128, 127, 9) }, SORT(0, 4, 0) },
};
// clang-format on
const sample_table sample_rows_order = { rows, sizeof rows / sizeof *rows };
