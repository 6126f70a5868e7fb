/* SPDX-License-Identifier: Apache-2.0
 * Ops without a kernel of their own here: the plain loops that accelerators share, and what authors bring along. */
#include "kernel.h"

#include <stdlib.h>

typedef struct plain {
    plain_kernel kernel;
    bool is_authors;
} plain;

static bool run(const cpu_kernel *k, const accel_call *call)
{
    plain_call c = { call->schedule->graph, call->node, call->in, call->out, call->bindings, call->message, k->threads };
    return ((const plain *)k->detail)->kernel(&c);
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    snprintf(text, size, "%s", ((const plain *)k->detail)->is_authors ? "the author's kernel" : "plain loop");
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
    d->is_authors = site->node->op == LTH_OP_CUSTOM;
    k->work = 100 + 3 * accel_node_flops(site->graph, site->node) + 0.5 * (double)accel_node_bytes(site->graph, site->node);
    if (!d->is_authors)
        k->threads = 1;
    else if (k->work < CPU_LAUNCH_WORK) /* what it does with an element is not known */
        k->work = CPU_LAUNCH_WORK;
    return LTH_OK;
}
