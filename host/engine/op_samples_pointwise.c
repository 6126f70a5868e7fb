/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_pointwise.c: the forms in which every floating pointwise op is tried. */
#include "engine/op_samples_tables.h"

#include <math.h>

const sample_range sample_ranges[] = {
    { LTH_OP_NEG, 1, { { -2, 2 } } },
    { LTH_OP_EXP, 1, { { -3, 3 } } },
    { LTH_OP_LOG, 1, { { 0.1, 4 } } },
    { LTH_OP_SQRT, 1, { { 0.1, 4 } } },
    { LTH_OP_RSQRT, 1, { { 0.1, 4 } } },
    { LTH_OP_SIN, 1, { { -6, 6 } } },
    { LTH_OP_COS, 1, { { -6, 6 } } },
    { LTH_OP_TANH, 1, { { -4, 4 } } },
    { LTH_OP_ERF, 1, { { -3, 3 } } },
    { LTH_OP_ABS, 1, { { -2, 2 } } },
    { LTH_OP_SIGN, 1, { { -2, 2 } } },
    { LTH_OP_FLOOR, 1, { { -4, 4 } } },
    { LTH_OP_CEIL, 1, { { -4, 4 } } },
    { LTH_OP_ROUND, 1, { { -4, 4 } } },
    { LTH_OP_LOG1P, 1, { { -0.9, 4 } } },
    { LTH_OP_EXPM1, 1, { { -3, 3 } } },
    { LTH_OP_RECIPROCAL, 1, { { 0.2, 4 } } },
    { LTH_OP_SQUARE, 1, { { -3, 3 } } },
    { LTH_OP_SIGMOID, 1, { { -9, 9 } } },
    { LTH_OP_RELU, 1, { { -2, 2 } } },
    { LTH_OP_GELU, 1, { { -4, 4 } } },
    { LTH_OP_GELU_TANH, 1, { { -4, 4 } } },
    { LTH_OP_SILU, 1, { { -9, 9 } } },
    { LTH_OP_SOFTPLUS, 1, { { -9, 9 } } },
    { LTH_OP_ISFINITE, 1, { { -2, 2 } } },
    { LTH_OP_STOP_GRADIENT, 1, { { -2, 2 } } },
    { LTH_OP_ADD, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_SUB, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_MUL, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_DIV, 2, { { -2, 2 }, { 0.3, 3 } } },
    { LTH_OP_POW, 2, { { 0.2, 3 }, { -2, 2 } } },
    { LTH_OP_MAXIMUM, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_MINIMUM, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_EQ, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_NE, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_LT, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_LE, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_GT, 2, { { -2, 2 }, { -2, 2 } } },
    { LTH_OP_GE, 2, { { -2, 2 }, { -2, 2 } } },
};
const uint32_t sample_ranges_count = sizeof sample_ranges / sizeof *sample_ranges;

/* Where functions bend, change their formula or leave the range of f32. */
static const double special[] = { 0,  -0.0, 1,   -1,   0.5, -0.5, 1.5,   2.5,    -2.5,     20,        -20,
                                  88, -88,  104, -104, 1e4, -1e4, 1e-30, -1e-30, INFINITY, -INFINITY, NAN };
static const double special_right[] = { 0, 1, -1, 1, NAN, 2, -0.0, 0.5, -3, INFINITY, 2.5, 2, 1e-30 };

static const op_sample forms[] = {
    { .count = 1, .name = "a scalar", .operands = { { .rank = 0 } } },
    { .count = 1, .name = "one element", .operands = { { .rank = 2, .dim = { 1, 1 } } } },
    { .count = 1, .name = "a table", .operands = { { .rank = 2, .dim = { 3, 5 } } } },
    { .count = 1, .name = "nothing", .operands = { { .rank = 2, .dim = { 0, 4 } } } },
    { .count = 1, .name = "permuted", .operands = { { .rank = 3, .dim = { 2, 3, 4 }, .layout = OP_PERMUTED } } },
    { .count = 1, .name = "sliced", .operands = { { .rank = 2, .dim = { 3, 5 }, .layout = OP_SLICED } } },
    { .count = 1,
      .name = "sliced, of eight axes",
      .operands = { { .rank = 8, .dim = { 2, 1, 1, 2, 1, 1, 1, 3 }, .layout = OP_SLICED } } },
    { .count = 1, .name = "a long vector", .operands = { { .rank = 1, .dim = { 1031 } } } },
    { .count = 1,
      .name = "special values",
      .flags = OP_SAMPLE_KINK | OP_SAMPLE_EXTREME,
      .operands = { { .rank = 1, .dim = { 22 }, OP_LIST(special) } } },

    { .count = 2, .name = "scalars", .operands = { { .rank = 0 }, { .rank = 0 } } },
    { .count = 2, .name = "equal shapes", .operands = { { .rank = 2, .dim = { 3, 4 } }, { .rank = 2, .dim = { 3, 4 } } } },
    { .count = 2, .name = "a table and a row", .operands = { { .rank = 2, .dim = { 3, 4 } }, { .rank = 1, .dim = { 4 } } } },
    { .count = 2, .name = "a row and a column", .operands = { { .rank = 1, .dim = { 4 } }, { .rank = 2, .dim = { 3, 1 } } } },
    { .count = 2, .name = "a scalar and a block", .operands = { { .rank = 0 }, { .rank = 3, .dim = { 2, 1, 3 } } } },
    { .count = 2, .name = "both widened", .operands = { { .rank = 3, .dim = { 2, 1, 3 } }, { .rank = 2, .dim = { 4, 1 } } } },
    { .count = 2, .name = "nothing", .operands = { { .rank = 2, .dim = { 0, 4 } }, { .rank = 2, .dim = { 1, 4 } } } },
    { .count = 2,
      .name = "permuted and dense",
      .operands = { { .rank = 2, .dim = { 3, 4 }, .layout = OP_PERMUTED }, { .rank = 2, .dim = { 3, 4 } } } },
    { .count = 2,
      .name = "dense and sliced, widened",
      .operands = { { .rank = 2, .dim = { 3, 4 } }, { .rank = 1, .dim = { 4 }, .layout = OP_SLICED } } },
    { .count = 2,
      .name = "sliced, of eight axes, and a column",
      .operands = { { .rank = 8, .dim = { 2, 1, 1, 2, 1, 1, 1, 3 }, .layout = OP_SLICED }, { .rank = 2, .dim = { 2, 1 } } } },
    { .count = 2, .name = "long vectors", .operands = { { .rank = 1, .dim = { 1031 } }, { .rank = 1, .dim = { 1031 } } } },
    { .count = 2,
      .name = "special values",
      .flags = OP_SAMPLE_KINK | OP_SAMPLE_EXTREME,
      .operands = { { .rank = 2, .dim = { 22, 1 }, OP_LIST(special) }, { .rank = 1, .dim = { 13 }, OP_LIST(special_right) } } },
};
const sample_table sample_forms = { forms, sizeof forms / sizeof *forms };
