/* SPDX-License-Identifier: Apache-2.0
 * channels_last.h: a graph whose convolutions work on images that lie (N, H, W, C).
 *
 * Kernels of convolutions want an image's channels side by side. So before a graph is planned it is written anew: convolutions,
 * and what lies between them and can be done in either order (pointwise ops, reductions, norms, padding, joining), on values of
 * permuted shapes; with a PERMUTE wherever such a value meets an op that wants the usual order. Weights stay as they are.
 * Nothing of this is seen from outside: inputs, outputs and state are as the graph says. */
#ifndef CPU_CHANNELS_LAST_H
#define CPU_CHANNELS_LAST_H

#include <lthost/accel/plain/image.h>

/* In lth_node.flags of such a graph, and nowhere else: the op's images lie channels last. */
#define CPU_CHANNELS_LAST (1u << 31)

/* A CONV's numbers, or those of one of its gradients, however its images lie. */
plain_conv cpu_conv_of(const lth_graph *g, const lth_node *n);

typedef struct channels_last {
    lth_graph graph;
    uint32_t *origin; /* by node: the given graph's node that it is for */
    uint32_t *plain;  /* by the given graph's value: which one it is here; LTH_NO_VALUE: it lies channels last alone */
} channels_last;

/* g: checked, and borrowed as long as the result. alone: convolutions are the only ops that work on such images, so that every
 * value is there in its usual order and every other op computes as it would by itself. LTH_UNSUPPORTED: nothing in it gains. Free
 * with channels_last_free in any case. */
lth_status channels_last_make(const lth_graph *g, bool alone, channels_last *out);
void channels_last_free(channels_last *c);

#endif
