/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_LAST_POOL_H
#define CPU_LAST_POOL_H

#include <lthost/graph.h>

/* Whether a MAX_POOL of images in the usual order has a window that the kernel takes when they lie channels last. */
bool last_pool_takes(const lth_graph *g, const lth_node *n);

#endif
