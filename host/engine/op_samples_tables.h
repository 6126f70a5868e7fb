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
extern const sample_table sample_rows, sample_rows_nn;

#define OP_LIST(values) .list = (values), .list_count = sizeof(values) / sizeof *(values)

#endif
