/* SPDX-License-Identifier: Apache-2.0
 * accel/fusion.h: which nodes run together, in which order, and which values need no memory of their own.
 *
 * Nodes become units. A GROUP is a set of pointwise nodes on one number of elements, and reductions of their results to one
 * element: one pass over memory. A NODE is one call of a kernel. A MOVE fills a value's memory from a view or a scalar.
 * RESHAPE, PERMUTE, EXPAND, SLICE, FLIP and STOP_GRADIENT are no units: their results are views on another value.
 *
 * A group stays open, and takes further nodes in, until a reader that cannot join needs one of its values. Open groups never
 * depend on each other, so two of them may be merged, and the order in which they are closed is an order of execution.
 *
 * At a LOOP and at its LOOP_END all groups are closed, so that none is of two regions; and what a body's kernels want in memory
 * of its own is put there before the LOOP, not once a turn.
 *
 * Pointwise nodes that lead to nothing but ASSIGNs make groups of the commit phase, which comes after all that can fail:
 * they may then write state in place. */
#ifndef LTHOST_ACCEL_FUSION_H
#define LTHOST_ACCEL_FUSION_H

#include "ops.h"
#include "view.h"

#define ACCEL_NONE UINT32_MAX

typedef enum accel_unit_kind { ACCEL_UNIT_GROUP, ACCEL_UNIT_NODE, ACCEL_UNIT_MOVE } accel_unit_kind;

typedef struct accel_unit {
    accel_unit_kind kind;
    bool open, commit;
    uint32_t node;                       /* NODE */
    uint32_t first_member, member_count; /* GROUP: in fusion->members, in the graph's order */
    int64_t count;                       /* GROUP: elements */
    uint32_t weight;                     /* GROUP: an upper bound of its slots */
    uint32_t parent;                     /* of a group that was merged into another; else itself */
    uint32_t position;                   /* in fusion->order */
    uint32_t from, to;                   /* MOVE: values */
    accel_view from_view, to_view;       /* MOVE: on the memory of from's root, and on to's own */
} accel_unit;

/* What is known of a value. */
typedef struct accel_value {
    uint32_t root;   /* in whose memory it is seen: a bound leaf, a scalar, or a value that a unit makes */
    uint32_t unit;   /* that fills the value's own memory, or computes it in a group; ACCEL_NONE: none does */
    uint32_t uses;   /* nodes that read it */
    bool total;      /* a group's reduction */
    bool scalar;     /* a SCALAR or INTEGER leaf */
    bool bound;      /* an INPUT or STATE leaf */
    accel_view view; /* on the root's memory */
} accel_value;

typedef struct accel_fusion_options {
    uint32_t flags; /* LTH_COMPILE_*; any of them: a unit a node */
    /* Whether the kernel for a node takes this operand strided. NULL: no kernel does. */
    bool (*takes_view)(void *context, const lth_graph *g, uint32_t node, uint32_t operand, const accel_view *view);
    void *context;
} accel_fusion_options;

typedef struct accel_fusion {
    const lth_graph *graph;
    accel_fusion_options options;
    accel_value *values; /* by value */
    accel_unit *units;
    uint32_t *unit_of; /* by node: the unit that runs it, or ACCEL_NONE */
    uint32_t *members;
    uint32_t *order; /* units as they run; order[commit..] cannot fail */
    uint32_t unit_count, unit_capacity, order_count, commit;
    uint8_t *late; /* by node: runs in the commit phase */
    bool failed;   /* out of memory */
} accel_fusion;

/* Whether tile programs run the op on operands of this dtype. */
bool accel_tile_supports(uint32_t op, lth_dtype dtype);

/* Plans the units. The graph (checked, and borrowed as long as the result lives) has only nodes that accel_tile_supports or
 * that the accelerator has kernels for. LTH_NO_MEMORY. Free with accel_fusion_free in either case. */
lth_status accel_fusion_plan(const lth_graph *g, const accel_fusion_options *options, accel_fusion *out);
void accel_fusion_free(accel_fusion *f);

/* Where a unit finds operand v (ACCEL_NONE: an effect does). A kernel or an effect looks into v's own memory where something
 * has filled that before; anything else, and else, into its root's. */
typedef struct accel_seen {
    uint32_t value; /* in whose memory */
    bool bound;     /* in the caller's memory, not in the plan's */
    accel_view view;
} accel_seen;
accel_seen accel_fusion_seen(const accel_fusion *f, uint32_t v, uint32_t reader);

/* Whether the view shows all of a value of `count` elements in order. */
bool accel_view_is_whole(const accel_view *v, int64_t count);

#endif
