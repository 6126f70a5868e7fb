/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_nn.c: samples of linear algebra, indexing and the ops of neural networks. */
#include "engine/op_samples_tables.h"

static const double twice[] = { 2, 0, 2, 1, 0, 0 };
static const double huge_row[] = { 1000, 999.5, -1000, 998 };
static const double constant[] = { 0.75 };
static const double eps[] = { 1e-5 }, wide_eps[] = { 0.5 };
static const double tenth[] = { 0.125 }, half[] = { 0.5 };

// clang-format off
#define TWICE(...) { OP_DIMS(__VA_ARGS__), .dtype = LTH_I64, OP_LIST(twice) }

static const op_sample rows[] = {
    { .op = LTH_OP_MATMUL, 2, 0, "two tables", { X(3, 4), X(4, 5) } },
    { .op = LTH_OP_MATMUL, 2, 0, "the first transposed", { X(4, 3), X(4, 5) }, TRANSPOSED(1, 0) },
    { .op = LTH_OP_MATMUL, 2, 0, "the second transposed", { X(3, 4), X(5, 4) }, TRANSPOSED(0, 1) },
    { .op = LTH_OP_MATMUL, 2, 0, "both transposed", { X(4, 3), X(5, 4) }, TRANSPOSED(1, 1) },
    { .op = LTH_OP_MATMUL, 2, 0, "a batch", { X(2, 3, 4), X(2, 4, 2) } },
    { .op = LTH_OP_MATMUL, 2, 0, "a batch, both transposed", { X(2, 4, 3), X(2, 2, 4) }, TRANSPOSED(1, 1) },
    { .op = LTH_OP_MATMUL, 2, 0, "a batch and a table", { X(2, 3, 4), X(4, 2) } },
    { .op = LTH_OP_MATMUL, 2, 0, "a batch and a transposed table", { X(2, 3, 4), X(2, 4) }, TRANSPOSED(0, 1) },
    { .op = LTH_OP_MATMUL, 2, 0, "a transposed batch and a table", { X(2, 4, 3), X(4, 2) }, TRANSPOSED(1, 0) },
    { .op = LTH_OP_MATMUL, 2, 0, "a table and a batch", { X(3, 4), X(2, 4, 2) } },
    { .op = LTH_OP_MATMUL, 2, 0, "batches that broadcast", { X(2, 1, 2, 3), X(1, 2, 3, 2) } },
    { .op = LTH_OP_MATMUL, 2, 0, "row by column", { X(1, 7), X(7, 1) } },
    { .op = LTH_OP_MATMUL, 2, 0, "column by row", { X(3, 1), X(1, 4) } },
    { .op = LTH_OP_MATMUL, 2, 0, "permuted and sliced", { PERMUTED(3, 4), SLICED(4, 2) } },
    { .op = LTH_OP_MATMUL, 2, 0, "no rows", { X(0, 4), X(4, 5) } },
    { .op = LTH_OP_MATMUL, 2, 0, "over nothing", { X(3, 0), X(0, 5) } },
    { .op = LTH_OP_MATMUL, 2, 0, "an empty batch", { X(0, 3, 4), X(4, 5) } },
    { .op = LTH_OP_MATMUL, 2, 0, "odd sizes", { X(33, 70), X(70, 17) } },
    { .op = LTH_OP_MATMUL, 2, 0, "odd sizes, transposed", { X(70, 33), X(17, 70) }, TRANSPOSED(1, 1) },
    { .op = LTH_OP_MATMUL, 2, 0, "a long inner dimension", { X(2, 1031), X(3, 1031) }, TRANSPOSED(0, 1) },

    { .op = LTH_OP_GATHER, 2, 0, "rows", { X(5, 3), INDEX(LTH_I64, 5, 4) } },
    { .op = LTH_OP_GATHER, 2, 0, "the same row twice, by a table", { X(3, 2), TWICE(2, 3) } },
    { .op = LTH_OP_GATHER, 2, 0, "by a scalar", { X(5, 3), INTEGER(LTH_I32, 0, 4) } },
    { .op = LTH_OP_GATHER, 2, 0, "from a vector", { X(5), INDEX(LTH_I32, 5, 7) } },
    { .op = LTH_OP_GATHER, 2, 0, "none", { X(5, 3), INDEX(LTH_I64, 5, 0) } },
    { .op = LTH_OP_GATHER, 2, 0, "rows of permuted", { PERMUTED(5, 3), INDEX(LTH_I64, 5, 4) } },
    { .op = LTH_OP_GATHER, 2, 0, "integers", { INTEGERS(LTH_I32, -9, 9, 5), INDEX(LTH_I64, 5, 4) } },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "rows", { X(4, 3), INDEX(LTH_I64, 5, 4) }, AXIS(5) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "twice to one row, by a table", { X(2, 3, 2), TWICE(2, 3) }, AXIS(3) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "by a scalar", { X(3), INTEGER(LTH_I32, 0, 4) }, AXIS(5) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "into a vector", { X(7), INDEX(LTH_I32, 5, 7) }, AXIS(5) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "none", { X(0, 3), INDEX(LTH_I64, 5, 0) }, AXIS(4) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "sliced rows", { SLICED(4, 3), INDEX(LTH_I64, 5, 4) }, AXIS(5) },
    { .op = LTH_OP_SCATTER_ADD, 2, 0, "integers", { INTEGERS(LTH_I64, -9, 9, 6), TWICE(6) }, AXIS(3) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "the last axis", { X(3, 5), INDEX(LTH_I64, 5, 3, 2) }, AXIS(-1) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "the first axis, more than there are", { X(3, 2), TWICE(6, 2) }, AXIS(0) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "the middle axis of permuted",
      { PERMUTED(2, 4, 3), INDEX(LTH_I32, 4, 2, 1, 3) }, AXIS(1) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "none", { X(3, 5), INDEX(LTH_I64, 5, 3, 0) }, AXIS(1) },
    { .op = LTH_OP_GATHER_ALONG, 2, 0, "bools", { BOOLS(5), INDEX(LTH_I64, 5, 4) }, AXIS(0) },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "the last axis", { X(3, 2), INDEX(LTH_I64, 5, 3, 2) }, .attributes.scatter = { -1, 5 } },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "the first axis, twice to one",
      { X(6, 2), TWICE(6, 2) }, .attributes.scatter = { 0, 3 } },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "the middle axis, sliced",
      { SLICED(2, 2, 3), INDEX(LTH_I32, 4, 2, 2, 3) }, .attributes.scatter = { 1, 4 } },
    { .op = LTH_OP_SCATTER_ALONG, 2, 0, "none", { X(3, 0), INDEX(LTH_I64, 5, 3, 0) }, .attributes.scatter = { 1, 5 } },

    { .op = LTH_OP_SOFTMAX, 1, 0, "rows", { X(3, 5) }, AXIS(-1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "columns", { X(4, 3) }, AXIS(0) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "the middle axis of permuted", { PERMUTED(2, 4, 3) }, AXIS(1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "one element", { X(3, 1) }, AXIS(1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "large values", { LISTED(huge_row, 1, 4) }, AXIS(1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "no rows", { X(0, 5) }, AXIS(1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "over nothing", { X(3, 0) }, AXIS(1) },
    { .op = LTH_OP_SOFTMAX, 1, 0, "long rows", { X(3, 1031) }, AXIS(1) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "rows", { X(3, 5) }, AXIS(-1) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "columns of sliced", { SLICED(4, 3) }, AXIS(0) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "large values", { LISTED(huge_row, 1, 4) }, AXIS(1) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "no rows", { X(0, 5) }, AXIS(1) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "over nothing", { X(3, 0) }, AXIS(1) },
    { .op = LTH_OP_LOG_SOFTMAX, 1, 0, "long rows", { X(3, 1031) }, AXIS(1) },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "i64 targets", { X(4, 5), INDEX(LTH_I64, 5, 4) } },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "i32 targets, permuted logits", { PERMUTED(6, 3), INDEX(LTH_I32, 3, 6) } },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "one class", { X(2, 1), INDEX(LTH_I64, 1, 2) } },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "large logits", { LISTED(huge_row, 2, 4), INDEX(LTH_I64, 4, 2) } },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "no samples", { X(0, 5), INDEX(LTH_I64, 5, 0) } },
    { .op = LTH_OP_CROSS_ENTROPY, 2, 0, "many classes", { X(3, 1031), INDEX(LTH_I64, 1031, 3) } },
    { .op = LTH_OP_CROSS_ENTROPY_GRAD, 4, 0, "i64 targets", { X(4, 5), INDEX(LTH_I64, 5, 4), BETWEEN(2, 4, 4), X(4) } },
    { .op = LTH_OP_CROSS_ENTROPY_GRAD, 4, 0, "i32 targets, sliced logits",
      { SLICED(3, 4), INDEX(LTH_I32, 4, 3), BETWEEN(2, 4, 3), X(3) } },
    { .op = LTH_OP_CROSS_ENTROPY_GRAD, 4, 0, "no samples", { X(0, 5), INDEX(LTH_I64, 5, 0), X(0), X(0) } },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "the last axis", { X(3, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "two axes of permuted", { PERMUTED(2, 3, 4), NUMBER(wide_eps) }, AXIS(2) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "all axes", { X(3, 4), NUMBER(eps) }, AXIS(2) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "a constant row", { LISTED(constant, 2, 4), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "no rows", { X(0, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "long rows", { X(3, 1031), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_DROPOUT, 2, 0, "a table", { X(5, 7), NUMBER(half) }, .attributes.random = { .id = 9 } },
    { .op = LTH_OP_DROPOUT, 2, 0, "sliced", { SLICED(5, 7), NUMBER(tenth) }, .attributes.random = { .id = 10 } },
    { .op = LTH_OP_DROPOUT, 2, 0, "nothing", { X(0, 7), NUMBER(half) }, .attributes.random = { .id = 11 } },
    { .op = LTH_OP_DROPOUT, 2, 0, "a long vector", { X(1031), NUMBER(tenth) }, .attributes.random = { .id = 12 } },
};
// clang-format on
const sample_table sample_rows_nn = { rows, sizeof rows / sizeof *rows };
