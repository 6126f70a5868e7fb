/* SPDX-License-Identifier: Apache-2.0
 * accel/ops.h: what an accelerator has to know about ops and graphs before it compiles one.
 *
 * accel/ is source for authors of accelerators: it is compiled into the plugin and is no part of the ABI. Nothing here
 * keeps global state; everything may be called on any thread. */
#ifndef LTHOST_ACCEL_OPS_H
#define LTHOST_ACCEL_OPS_H

#include <lthost/graph.h>

typedef enum accel_class {
    ACCEL_MEMORY_LEAF, /* INPUT, STATE: bound memory */
    ACCEL_LEAF,        /* computed from nothing: SCALAR, IOTA, UNIFORM, ... */
    ACCEL_POINTWISE,   /* element i of the result comes from elements i of the operands */
    ACCEL_SHAPE,       /* moves elements, computes nothing */
    ACCEL_REDUCTION,
    ACCEL_KERNEL,      /* everything else that makes values */
    ACCEL_EFFECT
} accel_class;

enum { ACCEL_KEY_RESULT = 255, ACCEL_ANY_COUNT = 255 };

typedef struct accel_op {
    uint32_t code;
    const char *name; /* "matmul" */
    accel_class class;
    uint8_t min_operands, max_operands; /* ACCEL_ANY_COUNT: no upper end */
    uint8_t results; /* ACCEL_ANY_COUNT: as many as the node or its attributes say */
    uint8_t key; /* the operand whose dtype chooses the kernel; ACCEL_KEY_RESULT: the result's */
    uint32_t attributes_size;
} accel_op;

/* NULL for a code that is unknown here or symbolic. */
const accel_op *accel_op_find(uint32_t code);

/* The dtype by which a kernel for the node is chosen. */
lth_dtype accel_node_dtype(const lth_graph *g, const lth_node *n);

/* Why a graph cannot be compiled. */
typedef struct accel_error {
    uint32_t node; /* LTH_NO_VALUE: none in particular */
    char text[240];
} accel_error;

/* Whether the graph is of a form that this code understands: known ops and regions, operands before their readers,
 * attributes present, slots and slices of state in range. Shapes are the host's to check, by the op's own rule. */
bool accel_check_graph(const lth_graph *g, accel_error *e);

/* A copy of the graph in one piece of memory (free() it), so that a plan need not borrow. It has no sites and no arenas'
 * names. NULL: no memory. */
lth_graph *accel_graph_copy(const lth_graph *g);

/* Work and traffic of a node by itself, by the rule of lth_plan_info. */
double accel_node_flops(const lth_graph *g, const lth_node *n);
int64_t accel_node_bytes(const lth_graph *g, const lth_node *n);

/* Whether x, not finite though the operands are, is no fault under LTH_COMPILE_CHECK_FINITE: the log-sum-exp of what sees no
 * key. */
static inline bool accel_sees_nothing(const lth_node *n, uint32_t result, double x)
{
    return n->op == LTH_OP_ATTENTION && result == 1 && x < 0;
}

static inline int64_t accel_value_bytes(const lth_graph *g, uint32_t value)
{
    const lth_shape *s = &lth_graph_value(g, value)->shape;
    return lth_shape_count(s) * lth_dtype_size(s->dtype);
}

/* "%7 = matmul %3 (64, 784) f32, %5 (784, 128) f32 -> (64, 128) f32": a node for a reader. Cut at `size`. */
void accel_node_text(const lth_graph *g, uint32_t node, char *text, size_t size);

#endif
