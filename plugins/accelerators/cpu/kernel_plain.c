/* SPDX-License-Identifier: Apache-2.0
 * Ops without a kernel of their own here: the plain loops that accelerators share. */
#include "kernel.h"

#include <stdlib.h>

typedef struct plain {
    plain_kernel kernel;
} plain;

static bool run(const cpu_kernel *k, const accel_call *call)
{
    plain_call c = { call->schedule->graph, call->node, call->in, call->out, call->bindings, call->message };
    return ((const plain *)k->detail)->kernel(&c);
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    (void)k;
    snprintf(text, size, "plain loop");
}

static const cpu_kernel_kind kind = { run, text, NULL };

lth_status cpu_make_plain(cpu_kernel *k, const cpu_site *site)
{
    plain_kernel kernel = plain_find(site->node->op, accel_node_dtype(site->graph, site->node));
    if (!kernel)
        return LTH_UNSUPPORTED;
    plain *d = k->detail = malloc(sizeof *d);
    if (!d)
        return LTH_NO_MEMORY;
    d->kernel = kernel;
    k->kind = &kind;
    k->threads = 1;
    k->work = 100 + 3 * accel_node_flops(site->graph, site->node) + 0.5 * (double)accel_node_bytes(site->graph, site->node);
    return LTH_OK;
}
