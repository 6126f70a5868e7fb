/* SPDX-License-Identifier: Apache-2.0
 * engine/autodiff.h: what the parts of reverse-mode differentiation share: autodiff.c walks a graph back, autodiff_loop.c
 * takes a loop as one op, autodiff_recompute.c makes regions once more that are not kept. */
#ifndef ENGINE_AUTODIFF_H
#define ENGINE_AUTODIFF_H

#include "engine/ops.h"
#include "engine/passes.h"
#include "util/arena.h"

typedef struct autodiff_pass {
    graph *g;
    constants *c;
    error *error;
    uint32_t *gradient;              /* by value of the graph as it was: the sum of what has reached it */
    bool *on_path;                   /* by value: depends on what is asked for, by ways that have derivatives */
    size_t capacity;                 /* values that these two have room for */
    uint32_t *operands, *d_operands; /* scratch: a node's, while the graph grows */
} autodiff_pass;

/* The vector-Jacobian product: appends to g what computes d (sum over i of <seeds[i], outputs[i]>) / d wrt[k] into gradients[k]
 * (LTH_NO_VALUE where none flows). seeds[i]: of outputs[i]'s shape, or LTH_NO_VALUE: none. */
bool autodiff_vjp(graph *g, constants *c, const uint32_t *outputs, const uint32_t *seeds, uint32_t count, const uint32_t *wrt,
                  uint32_t wrt_count, uint32_t *gradients, error *e);

/* Room in the tables for all values that the graph has by now. */
void autodiff_reserve(autodiff_pass *p);

/* Leads the gradients that have reached results of nodes first..end - 1 back through them. */
bool autodiff_walk(autodiff_pass *p, uint32_t first, uint32_t end);

/* Copies a node within the graph. map: renames operands (LTH_NO_VALUE: not), gets the results; regions: as in
 * graph_follow_region. */
void autodiff_copy_node(graph *g, uint32_t node, uint32_t *map, uint32_t *regions, arena *memory);

/* A rule's surroundings within a pass. */
op_rule autodiff_rule(autodiff_pass *p, uint32_t site);

/* Marks a loop's results at its LOOP_END, by its body. True: a value that it carries is newly on the path, so that the body,
 * which begins with node *again, must be looked at again. */
bool autodiff_mark_loop(autodiff_pass *p, uint32_t end, uint32_t *again);
/* Hands the gradients of a loop's results on to what it reads. */
bool autodiff_loop(autodiff_pass *p, uint32_t end);

/* The outermost RECOMPUTE region around a node that does not lie around what is being recorded, too; 0: none. */
uint32_t autodiff_recomputed(const graph *g, uint32_t node);
/* autodiff_walk for nodes begin..end - 1, all of that region. */
bool autodiff_recompute(autodiff_pass *p, uint32_t region, uint32_t begin, uint32_t end);

#endif
