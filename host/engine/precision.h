/* SPDX-License-Identifier: Apache-2.0
 * engine/precision.h: which op computes in which type where a run has a lower one beside f32 (bf16-mixed, bf16-true, 16-mixed).
 *
 * The author's record is in f32 throughout. While it is expanded, each op gets its operands in the type that its policy wants, by
 * CASTs that are nodes of the plan like others: gradients flow back through them, so that a parameter's gradient arrives in f32,
 * and one that two ops ask for is merged with its like (simplify.c). */
#ifndef ENGINE_PRECISION_H
#define ENGINE_PRECISION_H

#include "engine/expand.h"

typedef enum op_precision {
    OP_PRECISION_UNSTATED, /* of no op */
    OP_PRECISION_LOWER,    /* products: operands are lowered, and it sums in f32 */
    OP_PRECISION_FULL,     /* what would lose in 16 bits: operands are as recorded */
    OP_PRECISION_WIDEST /* the type of its operands, of the wider one where they differ; numbers and parameters follow the rest */
} op_precision;

op_precision op_precision_of(uint32_t op);

/* The value of the expansion that stands for a value of the record, in the type that was recorded. */
uint32_t expand_recorded(expansion *x, uint32_t value, uint32_t site);

/* A value of the expansion in another floating type. */
uint32_t expand_cast(expansion *x, uint32_t value, lth_dtype dtype, uint32_t site);

/* Copies a node of the record, with its operands in the types of the op's policy. */
bool expand_in_precision(expansion *x, const lth_node *n, uint32_t site);

#endif
