/* SPDX-License-Identifier: Apache-2.0
 * engine/simplify.h: what simplify.c asks simplify_loop.c about loops. needed: by value of `in`. */
#ifndef ENGINE_SIMPLIFY_H
#define ENGINE_SIMPLIFY_H

#include "engine/passes.h"

/* Marks what is needed of a LOOP_END's operands, of whose results some are needed. */
void simplify_need_end(const graph *in, const lth_node *n, bool *needed);
/* The same of a LOOP's. True: the body needs more of what it carries than was known at its end, and must be looked at again. */
bool simplify_need_begin(const graph *in, const lth_node *n, bool *needed);
/* Copies the LOOP or the LOOP_END with what is needed of it. */
void simplify_copy_loop(const graph *in, const lth_node *n, const bool *needed, graph *out, uint32_t *map);

#endif
