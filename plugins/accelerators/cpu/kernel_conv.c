/* SPDX-License-Identifier: Apache-2.0
 * Convolution and its gradients in f32, by oneDNN where it has a kernel (else: kernel_columns.c). */
#include "channels_last.h"
#include "kernel.h"
#include "onednn_conv.h"

static bool is_conv(const lth_graph *g, const lth_node *n)
{
    return n->op >= LTH_OP_CONV && n->op <= LTH_OP_CONV_WEIGHT_GRAD && accel_node_dtype(g, n) == LTH_F32 &&
           !(n->flags & CPU_CHANNELS_LAST);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    if (onednn_conv_run(k->detail, call->in[0], call->in[1], call->out[0], call->workspace))
        return true;
    snprintf(call->message, PLAIN_MESSAGE, "oneDNN fails in a convolution");
    return false;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    int32_t reordered;
    const char *name = onednn_conv_name(k->detail, &reordered);
    snprintf(text, size, "onednn %s, %d reordered", name, reordered);
}

static void release(void *detail) { onednn_conv_free(detail); }

static const cpu_kernel_kind kind = { run, text, release };

/* A library's kernel does 25 multiply-adds a nanosecond on one thread, but not where a sum is short. */
static double work_of(const lth_graph *g, const lth_node *n)
{
    return 2000 + accel_node_flops(g, n) / 30 + 0.3 * (double)accel_node_bytes(g, n);
}

lth_status cpu_make_conv(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    if (!is_conv(site->graph, n))
        return LTH_UNSUPPORTED;
    plain_conv v = plain_conv_of(site->graph, n);
    onednn_conv *c;
    k->work = work_of(site->graph, n);
    lth_status status = onednn_conv_new(n->op, &v, k->work < CPU_LAUNCH_WORK ? 1 : k->threads, &c);
    if (status)
        return status;
    k->detail = c;
    k->kind = &kind;
    k->enters_pool = true;
    return LTH_OK;
}

/* The kernel is made later, when it is known on how many threads the plan runs: room for either, and for the columns where
 * oneDNN declines. */
int64_t cpu_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    int64_t most = 0;
    bool declined = !is_conv(g, n);
    for (int32_t t = 1; t <= threads && is_conv(g, n); t += threads > 1 ? threads - 1 : 1) {
        plain_conv v = plain_conv_of(g, n);
        onednn_conv *c;
        if (onednn_conv_new(n->op, &v, t, &c)) {
            declined = true;
            continue;
        }
        most = onednn_conv_workspace(c) > most ? onednn_conv_workspace(c) : most;
        onednn_conv_free(c);
    }
    int64_t columns = declined ? cpu_columns_workspace(g, n, threads) : 0;
    return columns > most ? columns : most;
}
