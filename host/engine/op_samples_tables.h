/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_tables.h: the data behind op_samples.h. */
#ifndef ENGINE_OP_SAMPLES_TABLES_H
#define ENGINE_OP_SAMPLES_TABLES_H

#include "engine/op_samples.h"

typedef struct sample_table {
    const op_sample *rows;
    uint32_t count;
} sample_table;

/* A floating pointwise op, and between which ends each operand is drawn. It is tried in every form of as many operands. */
typedef struct sample_range {
    uint32_t op, count;
    double ends[2][2];
} sample_range;

extern const sample_range sample_ranges[];
extern const uint32_t sample_ranges_count;
extern const sample_table sample_forms; /* op is 0 */
extern const sample_table sample_rows, sample_rows_nn, sample_rows_conv, sample_rows_attention, sample_rows_order,
    sample_rows_norm, sample_rows_rnn, sample_rows_edges;

/* ---- How rows are written ---- */

// clang-format off
#define OP_LIST(values) .list = (values), .list_count = sizeof(values) / sizeof *(values)
#define OP_DIMS(...) .rank = sizeof((int64_t[]) { __VA_ARGS__ }) / sizeof(int64_t), .dim = { __VA_ARGS__ }

/* Operands: floating, of the dimensions given; floating from a list; integers between two ends. */
#define X(...) { OP_DIMS(__VA_ARGS__) }
#define PERMUTED(...) { OP_DIMS(__VA_ARGS__), .layout = OP_PERMUTED }
#define SLICED(...) { OP_DIMS(__VA_ARGS__), .layout = OP_SLICED }
#define LISTED(values, ...) { OP_DIMS(__VA_ARGS__), OP_LIST(values) }
#define BETWEEN(from, to, ...) { OP_DIMS(__VA_ARGS__), .low = (from), .high = (to) }
#define SCALAR { .rank = 0 }
#define NUMBER(values) { .rank = 0, OP_LIST(values) }
#define INTEGERS(type, from, to, ...) { OP_DIMS(__VA_ARGS__), .dtype = (type), .low = (from), .high = (to) }
#define INTEGER(type, from, to) { .rank = 0, .dtype = (type), .low = (from), .high = (to) }
#define BOOLS(...) { OP_DIMS(__VA_ARGS__), .dtype = LTH_BOOL }
#define INDEX(type, below, ...) INTEGERS(type, 0, (below) - 1, __VA_ARGS__)
#define START(values) { .dtype = LTH_I64, .rank = 0, OP_LIST(values) }

/* Attributes. */
#define AXIS(i) .attributes.axis = { i }
#define AXES(bits, kept) .attributes.reduce = { bits, kept }
#define TO_DIMS(...) .attributes.dims = { sizeof((int64_t[]) { __VA_ARGS__ }) / sizeof(int64_t), 0, { __VA_ARGS__ } }
#define WINDOW(i, n) .attributes.window = { i, n }
#define TRANSPOSED(a, b) .attributes.matmul = { .transpose_a = a, .transpose_b = b }
// clang-format on

#endif
