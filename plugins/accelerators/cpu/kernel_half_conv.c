/* SPDX-License-Identifier: Apache-2.0
 * Convolution and its gradients of bf16 images that lie channels last (channels_last.h), where the processor multiplies bf16
 * itself: by its products, or, where it has no matrix unit, in f32 by Winograd's a quarter as many, which takes about as long.
 * Sums are f32, and a result of bf16 is rounded once, as by the f32 kernel between two conversions (kernel_wide.c), which does it
 * elsewhere. */
#include "channels_last.h"
#include "half_conv.h"
#include "half_kernels.h"
#include "kernel.h"
#include "winograd.h"

typedef struct half {
    half_conv *terms;
    winograd *fast;
} half;

static bool is_narrow(const lth_graph *g, const lth_node *n) { return lth_node_shape(g, n, 0)->dtype == LTH_BF16; }

static bool is_half_conv(const lth_graph *g, const lth_node *n)
{
    if (n->op < LTH_OP_CONV || n->op > LTH_OP_CONV_WEIGHT_GRAD || !(n->flags & CPU_CHANNELS_LAST) ||
        lth_node_operand_shape(g, n, 0)->dtype != LTH_BF16 || lth_node_operand_shape(g, n, 1)->dtype != LTH_BF16)
        return false;
    plain_conv v = cpu_conv_of(g, n);
    return (lth_node_shape(g, n, 0)->dtype == LTH_F32 || (is_narrow(g, n) && n->op != LTH_OP_CONV_WEIGHT_GRAD)) &&
           half_conv_takes(n->op, &v);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const half *h = k->detail;
    if (h->fast)
        winograd_run(h->fast, call->in[0], call->in[1], call->out[0], call->workspace);
    else
        half_conv_run(h->terms, call->in[0], call->in[1], call->out[0], call->workspace);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const half *h = k->detail;
    if (h->fast)
        winograd_text(h->fast, text, size);
    else
        half_conv_text(h->terms, text, size);
}

static void release(void *detail)
{
    half *h = detail;
    winograd_free(h->fast);
    half_conv_free(h->terms);
    free(h);
}

static const cpu_kernel_kind kind = { run, text, release };

static lth_status make(const lth_graph *g, const lth_node *n, int32_t threads, half *out)
{
    plain_conv v = cpu_conv_of(g, n);
    bool narrow = is_narrow(g, n);
    *out = (half) { NULL, NULL };
    return !narrow && !cpu_half_conv_kernels(v.C, v.K)->gemm && winograd_takes(n->op, &v)
               ? winograd_new(n->op, &v, true, threads, &out->fast)
               : half_conv_new(n->op, &v, narrow, threads, &out->terms);
}

lth_status cpu_make_half_conv(cpu_kernel *k, const cpu_site *site)
{
    if (!is_half_conv(site->graph, site->node))
        return LTH_UNSUPPORTED;
    half *h = calloc(1, sizeof *h);
    /* 80 multiply-adds a nanosecond on one thread */
    k->work = 1000 + accel_node_flops(site->graph, site->node) / 160 + 0.2 * (double)accel_node_bytes(site->graph, site->node);
    lth_status status = h ? make(site->graph, site->node, k->work < CPU_LAUNCH_WORK ? 1 : k->threads, h) : LTH_NO_MEMORY;
    if (status) {
        free(h);
        return status;
    }
    k->detail = h;
    k->kind = &kind;
    return LTH_OK;
}

int64_t cpu_half_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    half h;
    if (!is_half_conv(g, n) || make(g, n, threads, &h))
        return 0;
    int64_t bytes = h.fast ? winograd_workspace(h.fast) : half_conv_workspace(h.terms);
    winograd_free(h.fast);
    half_conv_free(h.terms);
    return bytes;
}
