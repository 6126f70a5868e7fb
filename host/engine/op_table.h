/* SPDX-License-Identifier: Apache-2.0
 * engine/op_table.h: all facts of an op side by side: shape rule, gradient, decomposition, test samples. */
#ifndef ENGINE_OP_TABLE_H
#define ENGINE_OP_TABLE_H

#include "engine/graph.h"

typedef enum op_kind { OP_PRIMITIVE, OP_COMPOSITE, OP_LEAF, OP_EFFECT, OP_SYMBOLIC } op_kind;

/* What a shape rule sees. It fills results[0..result_count) and may rewrite the attributes (a private copy). */
typedef struct op_shapes {
    const lth_shape *const *operands;
    uint32_t count, attributes_size;
    void *attributes;
    lth_shape *results;
    error *error;
} op_shapes;

/* What a gradient or a decomposition sees: a graph to append to. Values of the node: operands[], results[]. A helper
 * returns LTH_NO_VALUE once one has failed, and takes it as an operand, so that rules need no checks. */
typedef struct op_rule {
    graph *g;
    const uint32_t *operands;
    const uint32_t *results;
    const uint32_t *d_results;  /* gradients of the results; LTH_NO_VALUE: none reaches it */
    uint32_t *d_operands;       /* gradient rule: to be set; left at LTH_NO_VALUE: none */
    uint32_t *outputs;          /* decomposition: the values that stand for the results */
    const void *attributes;
    uint32_t count, result_count, site, reserved;
    /* A run-time scalar whose value is fixed (0.5, 1/n): same value and dtype, same slot. */
    uint32_t (*constant)(struct op_rule *r, double value, lth_dtype dtype);
    void *constant_context;
    struct trace *recorder; /* where an author's gradient is recorded */
    error *error;
} op_rule;

enum { OP_ANY_NUMBER = 255, OP_MAX_RESULTS = 4, OP_MAX_POINTWISE = 3, OP_MAX_COMPOSITE = 12 /* operands */, OP_MAX_ATTRIBUTES = 256 };

typedef struct op_info {
    uint32_t code;
    const char *name; /* "matmul" */
    op_kind kind;
    uint8_t min_operands, max_operands; /* max OP_ANY_NUMBER */
    uint8_t results; /* of a symbolic op: 0, and it makes one for each operand after the loss */
    bool pointwise; /* same shape in and out: fusable, broadcast at recording */
    uint32_t attributes_size;
    bool (*shape)(op_shapes *s); /* NULL: a leaf whose shape the host knows (input, state, scalar, integer): graph_append */
    /* NULL: of a composite, that of its decomposition; else no gradient flows (integers, comparisons, leaves). */
    void (*gradient)(op_rule *r);
    void (*decompose)(op_rule *r); /* composites */
} op_info;

/* NULL for an unknown code. O(1). [any] */
const op_info *op_find(uint32_t code);
/* Codes are below it: who wants them all asks op_find for each. */
enum { OP_CODES = 256 };

#endif
