/* SPDX-License-Identifier: Apache-2.0
 * engine/passes.h: from graph to graph. */
#ifndef ENGINE_PASSES_H
#define ENGINE_PASSES_H

#include "engine/op_table.h"

/* Run-time scalars with a fixed value that rules ask for; slots follow those of the record. */
typedef struct constants {
    double *values;
    uint32_t count, capacity;
    uint32_t first_slot, reserved;
    uint32_t *leaves; /* by value and dtype: the leaf that was made last, to be tried first */
    struct trace *recorder; /* of the gradients of authors' ops; NULL where there can be none */
} constants;
void constants_free(constants *c);
/* The SCALAR leaf for a value in g: one a value and dtype. */
uint32_t constants_value(constants *c, graph *g, double value, lth_dtype dtype, uint32_t site, error *e);

/* Appends to g the nodes that compute d loss / d wrt[i] into gradients[i] (LTH_NO_VALUE where none flows). Differentiates
 * through everything that precedes, symbolic nodes excepted (they must have been expanded). loss: rank 0, float. */
bool autodiff(graph *g, constants *c, uint32_t loss, const uint32_t *wrt, uint32_t count, uint32_t *gradients, uint32_t site, error *e);

/* Rewrites `in` into `out` (empty): common subexpressions merged (never random ops of different id, never effects), values
 * that no effect and no `keep` needs dropped. map[v] (in->value_count entries, may be NULL) gets the new id of each old value
 * or LTH_NO_VALUE. keep: value ids of `in` that must survive. */
bool simplify(const graph *in, graph *out, const uint32_t *keep, uint32_t keep_count, uint32_t *map, error *e);

/* Rewrites `in` into `out` (empty), with sums of PADs by zeros as CONCATs of what they hold. c tells which scalars are 0. map as
 * above. What is needed no more is simplify's to drop. */
bool join_pads(const graph *in, graph *out, const constants *c, uint32_t *map, error *e);

/* Rewrites `in` into `out` (empty), with each composite that `supports` declines replaced by its decomposition, which is of
 * primitives alone, and stop_gradient by its operand. supports NULL: declines all. map as above. Duplicates that
 * decompositions make are simplify's to merge. */
bool decompose(const graph *in, graph *out, constants *c, bool (*supports)(void *context, uint32_t op, lth_dtype dtype), void *context,
               uint32_t *map, error *e);

/* Rewrites `in` into `out` (empty): what ends in a CAST from 16 bits to f32, and only there, is f32 from the product or sum on of
 * which it is made. So gradients of parameters are never rounded to 16 bits. map as above. */
bool widen_sums(const graph *in, graph *out, uint32_t *map, error *e);

#endif
