/* SPDX-License-Identifier: Apache-2.0
 * engine/graph.h: a graph that grows: what the trace records into, and what passes write.
 *
 * It keeps its storage over resets, so that recording a step allocates nothing once it has been recorded before. */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include "util/error.h"

#include <lthost/graph.h>

typedef struct graph {
    lth_node *nodes;
    lth_value *values;
    uint32_t *operands;
    uint8_t *attributes;
    lth_site *sites;
    uint32_t node_count, value_count, operand_count, attributes_size, site_count;
    uint32_t node_capacity, value_capacity, operand_capacity, attributes_capacity, site_capacity;
    uint32_t input_count, output_count, scalar_count; /* slots in use: one more than the greatest that a node names */
    const lth_arena_info *arenas;                     /* borrowed */
    uint32_t arena_count, reserved;
    lth_region step;     /* regions[0] */
    lth_region *regions; /* none before there is another; their node counts follow the nodes */
    uint32_t region_count, region_capacity;
    uint32_t region; /* that is open: where the next node goes */
    uint32_t reserved2;
    const struct lth_custom_op **customs; /* what CUSTOM nodes run */
    uint32_t custom_count, custom_capacity;
    const lth_shape **shapes; /* scratch of graph_emit */
    lth_shape *results;       /* scratch of graph_shapes */
    uint32_t shapes_capacity, results_capacity;
} graph;

void graph_init(graph *g);
void graph_free(graph *g);
/* Empties the graph, keeps its memory. */
void graph_reset(graph *g);

/* Adds a place; an equal one as the last is shared. */
uint32_t graph_site(graph *g, const char *file, uint32_t line);

/* Appends a node after checking operands and attributes with the op's shape rule (op_table.h), which also resolves
 * attributes (negative axes, -1 dimensions). Operand shapes must fit exactly: no broadcast. Returns the first result's
 * value id (a node without results: the value count), or LTH_NO_VALUE with the message in `e` (the op's name is in it,
 * its place is not). */
uint32_t graph_emit(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                    uint32_t attributes_size, uint32_t site, error *e);
/* The same, with NumPy broadcasting of pointwise operands and of matmul's batch axes, as explicit EXPAND nodes. */
uint32_t graph_emit_broadcast(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                              uint32_t attributes_size, uint32_t site, error *e);
/* Appends a node whose shapes are known, unchecked: for symbolic nodes and for copies between graphs. */
uint32_t graph_append(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                      uint32_t attributes_size, uint32_t site, const lth_shape *results, uint32_t result_count);
/* The same for a node without operands and of one result, of which steps have many. */
uint32_t graph_append_leaf(graph *g, uint32_t op, const void *attributes, uint32_t attributes_size, uint32_t site,
                           const lth_shape *result);

/* Room for the shapes of n results, until the next call. */
lth_shape *graph_shapes(graph *g, uint32_t n);

/* Regions: nodes go into the one that was opened last. */
uint32_t graph_open_region(graph *g, uint32_t kind);
void graph_close_region(graph *g);
/* Goes from one region into the next as `in`, whose region ids `map` renames, has them: `region` is the next node's. */
void graph_follow_region(graph *g, const graph *in, uint32_t region, uint32_t *map);
/* The nearest region of the kind around `region` (itself counts), or 0. */
uint32_t graph_region_of_kind(const graph *g, uint32_t region, uint32_t kind);
/* Whether `outer` is `inner` or lies around it. */
bool graph_encloses(const graph *g, uint32_t outer, uint32_t inner);
/* Whether a node in `region` may read the value: it is of no loop's body, or of one around the region. */
bool graph_sees(const graph *g, uint32_t value, uint32_t region);
/* Leaves loops alone among the regions: what other regions are for has been done. */
void graph_keep_loops(graph *g);

/* loop.c: a loop's first and last node, with their checks. operands: the trip count, initial values, sequences. Opens a
 * region; returns LOOP's first result, or LTH_NO_VALUE with the message. */
uint32_t graph_loop_begin(graph *g, const lth_attr_loop *loop, const uint32_t *operands, uint32_t site, error *e);
/* Ends the loop whose body is open. operands: its LOOP's first result, next values, parts. */
uint32_t graph_loop_end(graph *g, const uint32_t *operands, uint32_t stacked, uint32_t site, error *e);
/* The LOOP_END of a LOOP's region, or the number of nodes where it is still open. */
uint32_t graph_loop_end_node(const graph *g, uint32_t region);

/* custom.c: an author's own op (custom.h); `attributes` are the author's. As graph_emit. */
uint32_t graph_emit_custom(graph *g, const struct lth_custom_op *op, const uint32_t *operands, uint32_t count,
                           const void *attributes, uint32_t attributes_size, uint32_t site, error *e);
/* The op's index in g->customs. */
uint32_t graph_add_custom(graph *g, const struct lth_custom_op *op);

/* Makes the empty `out` ready for copies of nodes of `in`: sites, regions, arenas, authors' ops, counts of slots. */
void graph_copy_frame(const graph *in, graph *out);
/* Copies a node with its operands renamed by `map`, in which its results are entered. */
void graph_copy_node(const graph *in, uint32_t node, graph *out, uint32_t *map);

/* Appends what `in` has beyond what the graph holds (as much as `in` before it), up to these counts: nodes of the step itself that
 * name no slot. Their place becomes `site`. `in` may be the graph itself: then they are in its memory already. */
void graph_copy_tail(const graph *in, graph *g, uint32_t nodes, uint32_t values, uint32_t operands, uint32_t attributes,
                     uint32_t site);

/* The ABI's face of the graph; borrowed until the graph changes. */
void graph_view(const graph *g, lth_graph *out);

static inline const lth_shape *graph_shape(const graph *g, uint32_t value) { return &g->values[value].shape; }

#endif
