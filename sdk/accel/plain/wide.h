/* SPDX-License-Identifier: Apache-2.0
 * bf16 and f16 computed in f32: a kernel of 16-bit types is the f32 kernel between two conversions.
 *
 * An accelerator keeps, beside its graph, a copy in which every value of 16 bits is f32 (plain_wide_graph). A node that has no
 * kernel of its type runs on that copy: its operands of 16 bits are converted into scratch, the f32 kernel computes, and its
 * results of 16 bits are rounded to nearest even out of it. So sums are in f32 however long they are, and a result is rounded
 * once. The scratch is planned when the graph is compiled. */
#ifndef ACCEL_PLAIN_WIDE_H
#define ACCEL_PLAIN_WIDE_H

#include "kernel.h"

enum { PLAIN_WIDE_OPERANDS = 12, PLAIN_WIDE_RESULTS = 4 };

static inline bool plain_is_16_bit(lth_dtype t) { return t == LTH_BF16 || t == LTH_F16; }

/* The copy; free() it. NULL: no memory. */
lth_graph *plain_wide_graph(const lth_graph *g);

/* Whether the node is computed in f32 by a kernel that has none for its own type. */
bool plain_is_wide(const lth_graph *g, const lth_node *n);

/* The kernel for a node of that type, plain_find's or the f32 one; NULL: none. */
plain_kernel plain_find_wide(uint32_t code, lth_dtype dtype);

/* Bytes of scratch (aligned to ACCEL_ALIGNMENT) for a node's values of 16 bits as f32. */
int64_t plain_wide_bytes(const lth_graph *g, const lth_node *n);

/* A call's operands and results as the f32 kernel takes them: the caller's own where they are not of 16 bits. */
typedef struct plain_wide_call {
    const void *in[PLAIN_WIDE_OPERANDS];
    void *out[PLAIN_WIDE_RESULTS];
} plain_wide_call;

/* Converts the operands into the scratch; and, once the kernel has run, the results out of it. g: the narrow graph. */
void plain_wide_enter(const lth_graph *g, const lth_node *n, const void *const *in, void *const *out, void *scratch,
                      plain_wide_call *c);
void plain_wide_leave(const lth_graph *g, const lth_node *n, const plain_wide_call *c, void *const *out);

#endif
