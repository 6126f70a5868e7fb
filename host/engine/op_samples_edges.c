/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_edges.c: what the other tables leave out of the edges of each op: nothing, one element, operands that do not
 * lie densely, as many axes as there can be. */
#include "engine/op_samples_tables.h"

static const double zero[] = { 0 }, half[] = { 0.5 }, inside[] = { 1 };

// clang-format off
#define DEEP_SLICED(...) { OP_DIMS(2, 1, 1, 2, 1, 1, 1, 3), .layout = OP_SLICED, ## __VA_ARGS__ }
#define DEEP_SHAPE(type) { type, 8, { 2, 1, 1, 2, 1, 1, 1, 3 } }
#define RANDOM(i) .attributes.random = { .id = i }
#define ONE_CONV(...) .attributes.conv = { { 1 }, { 0 }, { 0 }, { 1 }, { __VA_ARGS__ }, 1, 0, 0 }
#define ONE_POOL(...) .attributes.pool = { { 1 }, { 1 }, { 0 }, { 0 }, { 1 }, { __VA_ARGS__ }, 0, 0 }

static const op_sample rows[] = {
    { .op = LTH_OP_IOTA, 0, 0, "of eight axes", .attributes.shape = { DEEP_SHAPE(LTH_DTYPE_NONE), 7 } },
    { .op = LTH_OP_UNIFORM, 0, 0, "nothing", .attributes.random = { { LTH_DTYPE_NONE, 1, { 0 } }, 7, 0 } },
    { .op = LTH_OP_UNIFORM, 0, 0, "of eight axes", .attributes.random = { DEEP_SHAPE(LTH_DTYPE_NONE), 8, 0 } },
    { .op = LTH_OP_NORMAL, 0, 0, "of eight axes", .attributes.random = { DEEP_SHAPE(LTH_DTYPE_NONE), 9, 0 } },

    { .op = LTH_OP_NOT, 1, 0, "one", { BOOLS(1) } },
    { .op = LTH_OP_NOT, 1, 0, "sliced, of eight axes", { DEEP_SLICED(.dtype = LTH_BOOL) } },
    { .op = LTH_OP_CAST, 1, 0, "nothing", { BOOLS(0, 3) }, .attributes.cast = { LTH_DTYPE_NONE, 0 } },
    { .op = LTH_OP_CAST, 1, 0, "one", { INTEGERS(LTH_I64, -9, 9, 1) }, .attributes.cast = { LTH_DTYPE_NONE, 0 } },
    { .op = LTH_OP_CAST, 1, 0, "sliced, of eight axes", { DEEP_SLICED(.dtype = LTH_BOOL) }, .attributes.cast = { LTH_DTYPE_NONE, 0 } },
    { .op = LTH_OP_AND, 2, 0, "one", { BOOLS(1), BOOLS(1) } },
    { .op = LTH_OP_AND, 2, 0, "sliced, of eight axes", { DEEP_SLICED(.dtype = LTH_BOOL), BOOLS(2, 1) } },
    { .op = LTH_OP_OR, 2, 0, "one", { BOOLS(1), BOOLS(1) } },
    { .op = LTH_OP_OR, 2, 0, "nothing", { BOOLS(5), BOOLS(0, 5) } },
    { .op = LTH_OP_OR, 2, 0, "sliced, of eight axes", { DEEP_SLICED(.dtype = LTH_BOOL), BOOLS(2, 1) } },
    { .op = LTH_OP_WHERE, 3, 0, "one", { BOOLS(1), X(1), X(1) } },
    { .op = LTH_OP_WHERE, 3, 0, "of eight axes", { DEEP_SLICED(.dtype = LTH_BOOL), DEEP_SLICED(), X(3) } },

    { .op = LTH_OP_RESHAPE, 1, 0, "to eight axes", { X(3, 4) }, TO_DIMS(1, 2, 1, 2, 1, 1, 3, 1) },
    { .op = LTH_OP_PERMUTE, 1, 0, "one", { X(1, 1) }, TO_DIMS(1, 0) },
    { .op = LTH_OP_EXPAND, 1, 0, "to eight axes", { X(2, 1, 3) }, TO_DIMS(2, 1, 1, 1, 2, 2, 2, 3) },
    { .op = LTH_OP_SLICE, 1, 0, "one", { X(1, 1) }, .attributes.slice = { { 0, 0 }, { 1, 1 }, { 1, 1 } } },
    { .op = LTH_OP_SLICE, 1, 0, "of eight axes", { DEEP_SLICED() },
      .attributes.slice = { { 1, 0, 0, 0, 0, 0, 0, 0 }, { 1, 1, 1, 2, 1, 1, 1, 2 }, { 1, 1, 1, 1, 1, 1, 1, 2 } } },
    { .op = LTH_OP_PAD, 2, 0, "around one", { X(1), SCALAR }, .attributes.pad = { { 2 }, { 1 } } },
    { .op = LTH_OP_PAD, 2, 0, "of eight axes", { DEEP_SLICED(), SCALAR }, .attributes.pad = { { 1, 0, 1 }, { 0, 1, 0, 0, 0, 0, 0, 2 } } },
    { .op = LTH_OP_CONCAT, 2, 0, "one and one", { X(1), X(1) }, AXIS(0) },
    { .op = LTH_OP_CONCAT, 2, 0, "of eight axes", { DEEP_SLICED(), X(2, 1, 1, 1, 1, 1, 1, 3) }, AXIS(3) },
    { .op = LTH_OP_SLICE_AT, 2, 0, "one", { X(1), START(inside) }, WINDOW(0, 1) },
    { .op = LTH_OP_SLICE_AT, 2, 0, "of eight axes", { DEEP_SLICED(), START(inside) }, WINDOW(7, 2) },
    { .op = LTH_OP_UPDATE_AT, 3, 0, "one", { X(1), X(1), START(inside) }, WINDOW(0, 1) },
    { .op = LTH_OP_UPDATE_AT, 3, 0, "nothing", { X(0, 3), X(0, 2), START(inside) }, WINDOW(1, 2) },
    { .op = LTH_OP_UPDATE_AT, 3, 0, "with nothing", { X(4), X(0), START(inside) }, WINDOW(0, 0) },
    { .op = LTH_OP_UPDATE_AT, 3, 0, "sliced, of eight axes", { DEEP_SLICED(), X(2, 1, 1, 2, 1, 1, 1, 1), START(inside) }, WINDOW(7, 1) },
    { .op = LTH_OP_FLIP, 1, 0, "one", { X(1) }, AXIS(0) },
    { .op = LTH_OP_FLIP, 1, 0, "of eight axes", { DEEP_SLICED() }, AXIS(7) },

    { .op = LTH_OP_SUM, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 0) },
    { .op = LTH_OP_MEAN, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 1) },
    { .op = LTH_OP_MAX, 1, 0, "one", { X(1, 1) }, AXES(3, 0) },
    { .op = LTH_OP_MAX, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 0) },
    { .op = LTH_OP_MIN, 1, 0, "to nothing", { X(0, 3) }, AXES(2, 0) },
    { .op = LTH_OP_MIN, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 1) },
    { .op = LTH_OP_PROD, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 0) },
    { .op = LTH_OP_ARGMAX, 1, 0, "one", { X(1) }, AXIS(0) },
    { .op = LTH_OP_ARGMAX, 1, 0, "to nothing", { X(0, 3) }, AXIS(1) },
    { .op = LTH_OP_ARGMAX, 1, 0, "of eight axes, sliced", { DEEP_SLICED() }, AXIS(7) },
    { .op = LTH_OP_ARGMIN, 1, 0, "one", { X(1) }, AXIS(0) },
    { .op = LTH_OP_ARGMIN, 1, 0, "of eight axes, sliced", { DEEP_SLICED() }, AXIS(3) },
    { .op = LTH_OP_ALL_FINITE, 1, 0, "one", { X(1) } },
    { .op = LTH_OP_ALL_FINITE, 1, 0, "of eight axes, sliced", { DEEP_SLICED() } },
    { .op = LTH_OP_LOGSUMEXP, 1, 0, "one", { X(1) }, AXES(1, 0) },
    { .op = LTH_OP_LOGSUMEXP, 1, 0, "five of eight axes, sliced", { DEEP_SLICED() }, AXES(0x9e, 1) },

    { .op = LTH_OP_MATMUL, 2, 0, "one by one", { X(1, 1), X(1, 1) } },
    { .op = LTH_OP_MATMUL, 2, 0, "a batch of eight axes, sliced", { DEEP_SLICED(), X(2, 1, 1, 1, 1, 1, 3, 2) } },
    { .op = LTH_OP_GATHER, 2, 0, "one", { X(1), INDEX(LTH_I64, 1, 1) } },
    { .op = LTH_OP_GATHER, 2, 0, "rows of eight axes", { DEEP_SLICED(), INDEX(LTH_I64, 2, 3) } },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "one", { X(1), INDEX(LTH_I64, 2, 1) }, AXIS(2) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "rows of eight axes", { DEEP_SLICED(), INDEX(LTH_I64, 3, 2) }, AXIS(3) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "one", { X(1), INDEX(LTH_I64, 1, 1) }, AXIS(0) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "of eight axes, sliced", { DEEP_SLICED(), INDEX(LTH_I64, 2, 2, 1, 1, 4, 1, 1, 1, 3) }, AXIS(3) },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "one", { X(1), INDEX(LTH_I64, 2, 1) }, .attributes.scatter = { 0, 2 } },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "of eight axes, sliced", { DEEP_SLICED(), INDEX(LTH_I64, 5, 2, 1, 1, 2, 1, 1, 1, 3) },
      .attributes.scatter = { 3, 5 } },

    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "one element", { X(1, 1, 1), X(1, 1, 1) }, ONE_CONV(1) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "one element", { X(1, 1, 1), X(1, 1, 1) }, ONE_CONV(1) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "one element", { X(1, 1, 1) }, ONE_POOL(0) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "one element", { X(1, 1, 1) }, ONE_POOL(1) },
    { .op = LTH_OP_RESIZE, 1, 0, "one element", { X(1, 1, 1) }, .attributes.resize = { { 3 }, { 0 }, LTH_RESIZE_LINEAR, 0 } },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "one element", { X(1, 1, 1) }, .attributes.resize = { { 0 }, { 3 }, LTH_RESIZE_LINEAR, 0 } },

    { .op = LTH_OP_SOFTMAX, 1, 0, "one", { X(1) }, AXIS(0) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "of eight axes, sliced", { DEEP_SLICED() }, AXIS(3) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "one", { X(1) }, AXIS(0) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "of eight axes, sliced", { DEEP_SLICED() }, AXIS(3) },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "one", { X(1, 1), INDEX(LTH_I64, 1, 1) } },
    { .op = LTH_OP_CROSS_ENTROPY_GRAD, 4, 0, "one", { X(1, 1), INDEX(LTH_I64, 1, 1), BETWEEN(2, 4, 1), X(1) } },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "one", { X(1), NUMBER(half) }, AXIS(1) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "one", { X(1), NUMBER(half) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "one", { X(1, 1), NUMBER(half) }, AXIS(1) },
    { .op = LTH_OP_DROPOUT, 2, 0, "one", { X(1), NUMBER(half) }, RANDOM(13) },
    { .op = LTH_OP_DROPOUT, 2, 0, "of eight axes, sliced", { DEEP_SLICED(), NUMBER(half) }, RANDOM(14) },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "one of everything",
      { X(1, 1, 1, 1), X(1, 1, 1, 1), X(1, 1, 1, 1), NUMBER(half), X(1, 1, 1, 1), LISTED(zero, 1, 1, 1), X(1, 1, 1, 1) } },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "permuted and sliced",
      { PERMUTED(2, 2, 3, 2), SLICED(2, 2, 4, 2), PERMUTED(2, 2, 4, 3), NUMBER(half), X(2, 2, 3, 3), BETWEEN(2, 4, 2, 2, 3),
        SLICED(2, 2, 3, 3) } },
    { .op = LTH_OP_CUMSUM, 1, 0, "one", { X(1) }, .attributes.cumulative = { 0, 0, 0 } },
    { .op = LTH_OP_ARGSORT, 1, 0, "one", { X(1) }, .attributes.sort = { 0, 0, 0, 0 } },
    { .op = LTH_OP_ARGSORT, 1, 0, "of eight axes, sliced", { DEEP_SLICED() }, .attributes.sort = { 7, 2, 1, 0 } },
};
// clang-format on
const sample_table sample_rows_edges = { rows, sizeof rows / sizeof *rows };
