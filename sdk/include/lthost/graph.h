/* SPDX-License-Identifier: Apache-2.0
 * lthost/graph.h: a step as data: what accelerators compile and strategies rewrite.
 *
 * A graph is in static single assignment: a node reads values that stand before it and makes value_count new ones. Nodes
 * are in a valid order of execution; effects are in the order in which they were written. State is read through STATE
 * leaves, which always mean the value at the start of the step, and written by ASSIGN, which takes place at the commit
 * point: after every other node, once every ASSERT has held and no kernel has reported an error. */
#ifndef LTHOST_GRAPH_H
#define LTHOST_GRAPH_H

#include "base.h"
#include "op.h"

LTH_BEGIN_C

#define LTH_NO_VALUE UINT32_MAX
struct lth_custom_op;

typedef struct lth_node {
    uint32_t op;
    uint32_t region;                        /* the region it stands in; 0: the step itself */
    uint32_t first_operand, operand_count;  /* in graph->operands */
    uint32_t first_value, value_count;      /* its results, in graph->values */
    uint32_t attributes, attributes_size;   /* byte offset in graph->attributes (a multiple of 8), and size; 0: none */
    uint32_t site;                          /* in graph->sites */
    uint32_t flags;                         /* LTH_NODE_* */
} lth_node;

enum {
    LTH_NODE_GUARD = 1,   /* an ASSERT that the host placed: non-finite gradients */
    LTH_NODE_GRADIENT = 2 /* made by differentiation: its site is that of the op it belongs to. For messages alone */
};

typedef struct lth_value {
    uint32_t node;  /* that makes it */
    uint32_t index; /* which of its results */
    lth_shape shape;
} lth_value;

/* Where the author wrote the op. Not part of a graph's identity. */
typedef struct lth_site {
    const char *file;
    uint32_t line, reserved;
} lth_site;

/* A stretch of nodes that belong together, nested within its parent; one without nodes is none.
 * LOOP: it begins with its LOOP node, and its LOOP_END, which belongs to the parent, follows the stretch. The nodes run once a
 * turn; their values are of one turn, and nothing but the stretch itself and its LOOP_END reads them. They may read what
 * stands before the loop in a region that encloses it.
 * RECOMPUTE: the gradient runs its nodes again where it needs their values; no accelerator sees one. */
typedef struct lth_region {
    uint32_t kind, parent;
    uint32_t first_node, node_count; /* nodes of nested regions are counted too */
} lth_region;
enum { LTH_REGION_STEP = 0, LTH_REGION_LOOP = 1, LTH_REGION_RECOMPUTE = 2 };

typedef struct lth_arena_info {
    const char *name;    /* "parameters", "optimizer.0.exp_avg", ... */
    lth_dtype dtype;
    uint32_t reserved;
    int64_t count;       /* elements */
} lth_arena_info;

typedef struct lth_graph {
    uint32_t struct_size, reserved;
    uint32_t node_count, value_count, operand_count, attributes_size, site_count, region_count;
    uint32_t node_stride, value_stride, region_stride, site_stride; /* sizeof of an element in this host */
    const lth_node *nodes;
    const lth_value *values;
    const uint32_t *operands;
    const uint8_t *attributes; /* 8-aligned */
    const lth_site *sites;
    const lth_region *regions; /* regions[0] is the step */
    uint32_t input_count, output_count, scalar_count, arena_count; /* slots that INPUT, OUTPUT, SCALAR and STATE/ASSIGN use */
    const lth_arena_info *arenas;
    const struct lth_custom_op *const *customs; /* what CUSTOM nodes run, by lth_attr_custom.index (custom.h) */
    uint32_t custom_count, reserved2;
} lth_graph;

static inline const lth_node *lth_graph_node(const lth_graph *g, uint32_t i) { return (const lth_node *)((const char *)g->nodes + (size_t)i * g->node_stride); }
static inline const lth_value *lth_graph_value(const lth_graph *g, uint32_t i) { return (const lth_value *)((const char *)g->values + (size_t)i * g->value_stride); }
static inline const lth_site *lth_graph_site(const lth_graph *g, uint32_t i) { return (const lth_site *)((const char *)g->sites + (size_t)i * g->site_stride); }
static inline const lth_region *lth_graph_region(const lth_graph *g, uint32_t i) { return (const lth_region *)((const char *)g->regions + (size_t)i * g->region_stride); }
static inline uint32_t lth_node_operand(const lth_graph *g, const lth_node *n, uint32_t i) { return g->operands[n->first_operand + i]; }
static inline const lth_shape *lth_node_operand_shape(const lth_graph *g, const lth_node *n, uint32_t i) { return &lth_graph_value(g, lth_node_operand(g, n, i))->shape; }
static inline const lth_shape *lth_node_shape(const lth_graph *g, const lth_node *n, uint32_t i) { return &lth_graph_value(g, n->first_value + i)->shape; }
static inline const void *lth_node_attributes(const lth_graph *g, const lth_node *n) { return g->attributes + n->attributes; }

LTH_END_C
#endif
