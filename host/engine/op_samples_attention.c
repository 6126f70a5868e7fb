/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_attention.c: samples of attention and rotary embedding. */
#include "engine/op_samples_tables.h"

#include <math.h>

static const double half[] = { 0.5 }, quarter[] = { 0.25 }, tenth[] = { 0.125 };
static const double some[] = { 1, 0, 1, 1, 0, 0, 1 }, second_row_hidden[] = { 1, 0, 1, 0, 0, 0 };
static const double minus_infinity[] = { 0.5, -INFINITY, -1.25, -INFINITY, -INFINITY, -INFINITY };

// clang-format off
#define ATTENTION(bits, ...) .attributes.attention = { bits, __VA_ARGS__ + 0 }
#define CAUSAL LTH_ATTENTION_CAUSAL
#define DROPPED LTH_ATTENTION_DROPOUT
#define MASKED LTH_ATTENTION_MASK
#define MASK(values, ...) { OP_DIMS(__VA_ARGS__), .dtype = LTH_BOOL, OP_LIST(values) }
#define LOG_SUM(...) BETWEEN(2, 4, __VA_ARGS__)
#define INTERLEAVED .attributes.rotary = { 1, 0 }
#define TABLE(...) BETWEEN(-1, 1, __VA_ARGS__)

static const op_sample rows[] = {
    { .op = LTH_OP_ATTENTION, 4, 0, "as many heads of each", { X(2, 2, 3, 4), X(2, 2, 5, 4), X(2, 2, 5, 3), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "small", { X(1, 1, 2, 2), X(1, 1, 3, 2), X(1, 1, 3, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "grouped heads", { X(2, 4, 3, 2), X(2, 2, 4, 2), X(2, 2, 4, 3), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "one head of keys", { X(1, 3, 2, 2), X(1, 1, 3, 2), X(1, 1, 3, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "causal", { X(1, 2, 4, 2), X(1, 2, 4, 2), X(1, 2, 4, 2), NUMBER(half) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 4, 0, "causal, more keys",
      { X(1, 2, 2, 2), X(1, 1, 5, 2), X(1, 1, 5, 2), NUMBER(half) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 4, OP_SAMPLE_EXTREME, "causal, more queries: the first ones see nothing",
      { X(1, 1, 4, 2), X(1, 1, 2, 2), X(1, 1, 2, 2), NUMBER(half) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 5, 0, "a mask of all", { X(2, 2, 2, 2), X(2, 2, 3, 2), X(2, 2, 3, 2), NUMBER(half), MASK(some, 2, 2, 2, 3) },
      ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION, 5, 0, "a mask of keys", { X(2, 2, 2, 2), X(2, 1, 3, 2), X(2, 1, 3, 2), NUMBER(half), MASK(some, 2, 1, 1, 3) },
      ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION, 5, OP_SAMPLE_EXTREME, "a mask that hides a row",
      { X(1, 2, 2, 2), X(1, 2, 3, 2), X(1, 2, 3, 2), NUMBER(half), MASK(second_row_hidden, 2, 3) }, ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION, 5, 0, "an added mask", { X(1, 2, 2, 2), X(1, 1, 3, 2), X(1, 1, 3, 2), NUMBER(half), X(2, 1, 3) },
      ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION, 5, OP_SAMPLE_EXTREME, "minus infinity added, to a whole row too",
      { X(1, 2, 2, 2), X(1, 2, 3, 2), X(1, 2, 3, 2), NUMBER(half), LISTED(minus_infinity, 2, 3) }, ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION, 5, 0, "causal and a mask",
      { X(2, 2, 2, 2), X(2, 2, 3, 2), X(2, 2, 3, 2), NUMBER(half), MASK(some, 2, 1, 1, 3) }, ATTENTION(CAUSAL | MASKED) },
    { .op = LTH_OP_ATTENTION, 5, 0, "dropout", { X(2, 2, 3, 2), X(2, 1, 4, 2), X(2, 1, 4, 2), NUMBER(half), NUMBER(quarter) },
      ATTENTION(DROPPED, 21) },
    { .op = LTH_OP_ATTENTION, 6, 0, "everything",
      { X(2, 4, 3, 2), X(2, 2, 5, 2), X(2, 2, 5, 3), NUMBER(half), NUMBER(tenth), X(1, 5) }, ATTENTION(CAUSAL | DROPPED | MASKED, 22) },
    { .op = LTH_OP_ATTENTION, 4, 0, "permuted and sliced", { PERMUTED(2, 2, 3, 2), SLICED(2, 2, 4, 2), PERMUTED(2, 2, 4, 3), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "one of everything", { X(1, 1, 1, 1), X(1, 1, 1, 1), X(1, 1, 1, 1), NUMBER(half) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 4, 0, "no sequences", { X(0, 2, 3, 2), X(0, 2, 4, 2), X(0, 2, 4, 2), NUMBER(half) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 4, 0, "no heads", { X(1, 0, 3, 2), X(1, 0, 4, 2), X(1, 0, 4, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "no queries", { X(1, 2, 0, 2), X(1, 2, 4, 2), X(1, 2, 4, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, OP_SAMPLE_EXTREME, "no keys", { X(1, 2, 3, 2), X(1, 2, 0, 2), X(1, 2, 0, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "no channels", { X(1, 2, 3, 0), X(1, 2, 4, 0), X(1, 2, 4, 2), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "values of no channels", { X(1, 2, 3, 2), X(1, 2, 4, 2), X(1, 2, 4, 0), NUMBER(half) } },
    { .op = LTH_OP_ATTENTION, 4, 0, "longer", { X(1, 2, 33, 8), X(1, 2, 70, 8), X(1, 2, 70, 8), NUMBER(quarter) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION, 6, 0, "everything, longer",
      { X(1, 2, 37, 5), X(1, 1, 139, 5), X(1, 1, 139, 18), NUMBER(tenth), NUMBER(quarter), MASK(some, 37, 139) }, ATTENTION(CAUSAL | DROPPED | MASKED, 24) },
    { .op = LTH_OP_ATTENTION, 4, 0, "many heads, wide", { X(2, 6, 16, 32), X(2, 3, 64, 32), X(2, 3, 64, 48), NUMBER(tenth) } },

    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "as many heads of each",
      { X(2, 2, 3, 2), X(2, 2, 4, 2), X(2, 2, 4, 3), NUMBER(half), X(2, 2, 3, 3), LOG_SUM(2, 2, 3), X(2, 2, 3, 3) } },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "small",
      { X(1, 1, 2, 2), X(1, 1, 3, 2), X(1, 1, 3, 1), NUMBER(half), X(1, 1, 2, 1), LOG_SUM(1, 1, 2), X(1, 1, 2, 1) } },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "grouped heads, causal",
      { X(1, 4, 3, 2), X(1, 2, 3, 2), X(1, 2, 3, 2), NUMBER(half), X(1, 4, 3, 2), LOG_SUM(1, 4, 3), X(1, 4, 3, 2) }, ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION_GRAD, 8, 0, "a mask",
      { X(2, 2, 2, 2), X(2, 2, 3, 2), X(2, 2, 3, 2), NUMBER(half), MASK(some, 2, 1, 1, 3), X(2, 2, 2, 2), LOG_SUM(2, 2, 2), X(2, 2, 2, 2) },
      ATTENTION(MASKED) },
    { .op = LTH_OP_ATTENTION_GRAD, 9, 0, "everything",
      { X(1, 2, 3, 2), X(1, 1, 4, 2), X(1, 1, 4, 2), NUMBER(half), NUMBER(quarter), X(3, 4), X(1, 2, 3, 2), LOG_SUM(1, 2, 3), X(1, 2, 3, 2) },
      ATTENTION(CAUSAL | DROPPED | MASKED, 23) },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "longer, causal",
      { X(1, 2, 33, 18), X(1, 2, 70, 18), X(1, 2, 70, 17), NUMBER(tenth), X(1, 2, 33, 17), LOG_SUM(1, 2, 33), X(1, 2, 33, 17) },
      ATTENTION(CAUSAL) },
    { .op = LTH_OP_ATTENTION_GRAD, 9, 0, "everything, longer",
      { X(1, 2, 37, 5), X(1, 1, 139, 5), X(1, 1, 139, 18), NUMBER(tenth), NUMBER(quarter), X(1, 139), X(1, 2, 37, 18), LOG_SUM(1, 2, 37),
        X(1, 2, 37, 18) }, ATTENTION(CAUSAL | DROPPED | MASKED, 25) },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "many heads, wide, permuted",
      { X(2, 6, 16, 32), X(2, 3, 64, 32), X(2, 3, 64, 48), NUMBER(quarter), X(2, 6, 16, 48), LOG_SUM(2, 6, 16), PERMUTED(2, 6, 16, 48) } },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "no keys",
      { X(1, 2, 3, 2), X(1, 2, 0, 2), X(1, 2, 0, 2), NUMBER(half), X(1, 2, 3, 2), LOG_SUM(1, 2, 3), X(1, 2, 3, 2) } },
    { .op = LTH_OP_ATTENTION_GRAD, 7, 0, "no sequences",
      { X(0, 2, 3, 2), X(0, 2, 4, 2), X(0, 2, 4, 2), NUMBER(half), X(0, 2, 3, 2), X(0, 2, 3), X(0, 2, 3, 2) }, ATTENTION(CAUSAL) },

    { .op = LTH_OP_ROTARY, 3, 0, "halves", { X(2, 2, 3, 4), TABLE(3, 2), TABLE(3, 2) } },
    { .op = LTH_OP_ROTARY, 3, 0, "interleaved", { X(2, 2, 3, 4), TABLE(3, 2), TABLE(3, 2) }, INTERLEAVED },
    { .op = LTH_OP_ROTARY, 3, 0, "the first channels alone", { X(2, 3, 7), TABLE(3, 2), TABLE(3, 2) } },
    { .op = LTH_OP_ROTARY, 3, 0, "the first channels alone, interleaved", { X(2, 3, 7), TABLE(3, 2), TABLE(3, 2) }, INTERLEAVED },
    { .op = LTH_OP_ROTARY, 3, 0, "one sequence", { X(3, 2), TABLE(3, 1), TABLE(3, 1) } },
    { .op = LTH_OP_ROTARY, 3, 0, "of eight axes, permuted",
      { PERMUTED(1, 2, 1, 1, 2, 1, 2, 4), PERMUTED(2, 2), TABLE(2, 2) }, INTERLEAVED },
    { .op = LTH_OP_ROTARY, 3, 0, "sliced", { SLICED(2, 3, 4), SLICED(3, 2), SLICED(3, 2) } },
    { .op = LTH_OP_ROTARY, 3, 0, "no channels rotated", { X(2, 3, 4), TABLE(3, 0), TABLE(3, 0) } },
    { .op = LTH_OP_ROTARY, 3, 0, "no steps", { X(2, 0, 4), TABLE(0, 2), TABLE(0, 2) }, INTERLEAVED },
    { .op = LTH_OP_ROTARY, 3, 0, "no sequences", { X(0, 3, 4), TABLE(3, 2), TABLE(3, 2) } },
};
// clang-format on
const sample_table sample_rows_attention = { rows, sizeof rows / sizeof *rows };
