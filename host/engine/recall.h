/* SPDX-License-Identifier: Apache-2.0
 * engine/recall.h: most steps record what the step before them did. A call of an op that is like the one in its place there,
 * on operands of the same shapes, appends the same nodes: they are copied rather than worked out again.
 *
 * Nothing is taken on trust: what an op appends is a function of what is compared here (op, operands, attributes as given,
 * the operands' shapes, where the graph stands), and the record as a whole is compared with its plan's all the same. */
#ifndef ENGINE_RECALL_H
#define ENGINE_RECALL_H

#include "engine/graph.h"

enum { RECALL_OPERANDS = 4, RECALL_ATTRIBUTES = 208 }; /* calls with more are not kept */

/* How much a graph holds. */
typedef struct recall_mark {
    uint32_t nodes, values, operands, attributes;
} recall_mark;

/* A call as it was given, what it appended, and its result. */
typedef struct recall_call {
    uint32_t since, generation; /* the first and the last of an unbroken row of records that it was part of; 0: none */
    uint32_t op, operand_count, attributes_size, site, value;
    uint32_t operands[RECALL_OPERANDS];
    recall_mark before, after;
    uint8_t attributes[RECALL_ATTRIBUTES];
} recall_call;

/* The calls of the running record, in order; beyond those, what is left of the one before. */
typedef struct recall {
    recall_call *calls;
    size_t count, known, capacity;
    uint32_t generation; /* of the running record */
    uint32_t same;       /* so many values are those of the record before */
} recall;

void recall_free(recall *r);
/* A record begins. */
void recall_begin(recall *r, uint32_t generation);

/* Appends to `g` what the call in this place appended to `past`, if it is the same one. The result's value, or LTH_NO_VALUE: it
 * is another. The two graphs take turns: what `g` held two records ago, beyond what it holds now, is still in its memory. */
uint32_t recall_again(recall *r, const graph *past, graph *g, uint32_t op, const uint32_t *operands, uint32_t count,
                      const void *attributes, uint32_t size, uint32_t site);

recall_mark recall_mark_of(const graph *g);
/* Keeps a call that was worked out from `before` on. One within a region keeps its place alone. */
void recall_keep(recall *r, const graph *g, const recall_mark *before, uint32_t op, const uint32_t *operands, uint32_t count,
                 const void *attributes, uint32_t size, uint32_t site, uint32_t value);

#endif
