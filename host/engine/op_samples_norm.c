/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_norm.c: samples of the norms. */
#include "engine/op_samples_tables.h"

static const double constant[] = { 0.75 }, zero[] = { 0 };
static const double eps[] = { 1e-5 }, wide_eps[] = { 0.5 };

// clang-format off
static const op_sample rows[] = {
    { .op = LTH_OP_LAYER_NORM, 2, 0, "the last axis", { X(3, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "two axes of permuted", { PERMUTED(2, 3, 4), NUMBER(wide_eps) }, AXIS(2) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "all axes", { X(3, 4), NUMBER(eps) }, AXIS(2) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "a constant row", { LISTED(constant, 2, 4), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "rows of one element", { X(3, 1), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "three of eight axes, sliced", { SLICED(2, 1, 1, 2, 1, 2, 1, 3), NUMBER(wide_eps) }, AXIS(3) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "no rows", { X(0, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_LAYER_NORM, 2, 0, "long rows", { X(3, 1031), NUMBER(eps) }, AXIS(1) },

    { .op = LTH_OP_RMS_NORM, 2, 0, "the last axis", { X(3, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "two axes of permuted", { PERMUTED(2, 3, 4), NUMBER(wide_eps) }, AXIS(2) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "all axes", { X(3, 4), NUMBER(eps) }, AXIS(2) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "a row of zeros", { LISTED(zero, 2, 4), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "rows of one element", { X(3, 1), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "three of eight axes, sliced", { SLICED(2, 1, 1, 2, 1, 2, 1, 3), NUMBER(wide_eps) }, AXIS(3) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "no rows", { X(0, 5), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_RMS_NORM, 2, 0, "long rows", { X(3, 1031), NUMBER(eps) }, AXIS(1) },

    { .op = LTH_OP_BATCH_NORM, 2, 0, "a table", { X(5, 3), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "signals", { X(2, 3, 4), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "images", { X(2, 3, 2, 3), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "channels last, from the end", { X(3, 2, 4), NUMBER(eps) }, AXIS(-1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "channels first", { X(3, 5), NUMBER(eps) }, AXIS(0) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "permuted", { PERMUTED(3, 4, 2), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "sliced, of eight axes", { SLICED(2, 3, 1, 1, 2, 1, 1, 3), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "constant channels", { LISTED(constant, 4, 2), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "one element a channel", { X(1, 3), NUMBER(wide_eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "one channel", { X(4, 1, 3), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "no channels", { X(4, 0, 3), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "larger images", { X(3, 5, 17, 9), NUMBER(eps) }, AXIS(1) },
    { .op = LTH_OP_BATCH_NORM, 2, 0, "many rows", { X(1031, 3), NUMBER(eps) }, AXIS(1) },
};
// clang-format on
const sample_table sample_rows_norm = { rows, sizeof rows / sizeof *rows };
