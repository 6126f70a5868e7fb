/* SPDX-License-Identifier: Apache-2.0
 * Nodes of bf16 that no tile program runs: the f32 kernel between two conversions, in workspace (accel/plain/wide.h). Products
 * and convolutions so have bf16 operands and f32 sums, as where the processor multiplies bf16 itself. */
#include "kernel.h"

#include <lthost/accel/plain/wide.h>
#include <lthost/accel/plan_memory.h>
#include <stdlib.h>

typedef struct wide {
    cpu_kernel inner;
    const accel_schedule *schedule; /* with the wide graph */
    int64_t scratch;
} wide;

bool cpu_is_wide(const lth_graph *g, const lth_node *n)
{
    bool own = n->op == LTH_OP_ATTENTION || n->op == LTH_OP_ATTENTION_GRAD;
    return !own && accel_node_dtype(g, n) == LTH_BF16 && plain_is_wide(g, n);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const wide *d = k->detail;
    const lth_graph *narrow = call->schedule->graph;
    plain_wide_call w;
    plain_wide_enter(narrow, call->node, call->in, call->out, call->workspace, &w);
    accel_call c = *call;
    c.schedule = d->schedule;
    c.in = w.in;
    c.out = w.out;
    c.workspace = (char *)call->workspace + d->scratch;
    cpu_kernel inner = d->inner;
    inner.threads = k->threads;
    if (!inner.kind->run(&inner, &c))
        return false;
    plain_wide_leave(narrow, call->node, &w, call->out);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const wide *d = k->detail;
    int used = snprintf(text, size, "bf16 by f32: ");
    if (used > 0 && (size_t)used < size)
        d->inner.kind->text(&d->inner, text + used, size - (size_t)used);
}

static void release(void *detail)
{
    wide *d = detail;
    cpu_kernel_release(&d->inner);
    free(d);
}

static const cpu_kernel_kind kind = { run, text, release };

lth_status cpu_make_wide(cpu_kernel *k, const cpu_site *site, const accel_schedule *schedule, cpu_maker *make)
{
    wide *d = calloc(1, sizeof *d);
    if (!d)
        return LTH_NO_MEMORY;
    *d = (wide) { .inner.threads = k->threads, .schedule = schedule, .scratch = plain_wide_bytes(site->graph, site->node) };
    cpu_site inner = { schedule->graph, site->node, site->in, site->out };
    lth_status status = make(&d->inner, &inner);
    if (status) {
        free(d);
        return status;
    }
    k->kind = &kind;
    k->work = d->inner.work + 0.2 * (double)accel_node_bytes(site->graph, site->node);
    k->enters_pool = d->inner.enters_pool;
    k->detail = d;
    return LTH_OK;
}
