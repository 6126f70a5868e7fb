/* SPDX-License-Identifier: Apache-2.0
 * engine/autodiff.h: what the two halves of reverse-mode differentiation share: autodiff.c walks a graph back, autodiff_loop.c
 * takes a loop as one op. */
#ifndef ENGINE_AUTODIFF_H
#define ENGINE_AUTODIFF_H

#include "engine/ops.h"
#include "engine/passes.h"

typedef struct autodiff_pass {
    graph *g;
    constants *c;
    error *error;
    uint32_t *gradient;              /* by value of the graph as it was: the sum of what has reached it */
    bool *on_path;                   /* by value: depends on what is asked for, by ways that have derivatives */
    uint32_t *operands, *d_operands; /* scratch: a node's, while the graph grows */
} autodiff_pass;

/* The vector-Jacobian product: appends to g what computes d (sum over i of <seeds[i], outputs[i]>) / d wrt[k] into gradients[k]
 * (LTH_NO_VALUE where none flows). seeds[i]: of outputs[i]'s shape, or LTH_NO_VALUE: none. */
bool autodiff_vjp(graph *g, constants *c, const uint32_t *outputs, const uint32_t *seeds, uint32_t count, const uint32_t *wrt,
                  uint32_t wrt_count, uint32_t *gradients, error *e);

/* A rule's surroundings within a pass. */
op_rule autodiff_rule(autodiff_pass *p, uint32_t site);

/* Marks a loop's results at its LOOP_END, by its body. True: a value that it carries is newly on the path, so that the body,
 * which begins with node *again, must be looked at again. */
bool autodiff_mark_loop(autodiff_pass *p, uint32_t end, uint32_t *again);
/* Hands the gradients of a loop's results on to what it reads. */
bool autodiff_loop(autodiff_pass *p, uint32_t end);

#endif
