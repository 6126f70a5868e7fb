/* SPDX-License-Identifier: Apache-2.0
 * Convolution and its gradients in bf16 where the processor multiplies bf16 itself, of images that lie channels last
 * (channels_last.h). Sums are f32, and a result of bf16 is rounded once, as by the f32 kernel between two conversions
 * (kernel_wide.c), which does it elsewhere. */
#include "channels_last.h"
#include "half_conv.h"
#include "kernel.h"

static bool is_half_conv(const lth_graph *g, const lth_node *n)
{
    if (n->op < LTH_OP_CONV || n->op > LTH_OP_CONV_WEIGHT_GRAD || !(n->flags & CPU_CHANNELS_LAST) ||
        lth_node_operand_shape(g, n, 0)->dtype != LTH_BF16 || lth_node_operand_shape(g, n, 1)->dtype != LTH_BF16)
        return false;
    lth_dtype result = lth_node_shape(g, n, 0)->dtype;
    plain_conv v = cpu_conv_of(g, n);
    return (result == LTH_F32 || (result == LTH_BF16 && n->op != LTH_OP_CONV_WEIGHT_GRAD)) && half_conv_takes(n->op, &v);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    half_conv_run(k->detail, call->in[0], call->in[1], call->out[0], call->workspace);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size) { half_conv_text(k->detail, text, size); }
static void release(void *detail) { half_conv_free(detail); }

static const cpu_kernel_kind kind = { run, text, release };

static lth_status make(const lth_graph *g, const lth_node *n, int32_t threads, half_conv **out)
{
    plain_conv v = cpu_conv_of(g, n);
    return half_conv_new(n->op, &v, lth_node_shape(g, n, 0)->dtype == LTH_BF16, threads, out);
}

lth_status cpu_make_half_conv(cpu_kernel *k, const cpu_site *site)
{
    half_conv *c;
    if (!is_half_conv(site->graph, site->node))
        return LTH_UNSUPPORTED;
    /* 80 multiply-adds a nanosecond on one thread */
    k->work = 1000 + accel_node_flops(site->graph, site->node) / 160 + 0.2 * (double)accel_node_bytes(site->graph, site->node);
    lth_status status = make(site->graph, site->node, k->work < CPU_LAUNCH_WORK ? 1 : k->threads, &c);
    if (status)
        return status;
    k->detail = c;
    k->kind = &kind;
    return LTH_OK;
}

int64_t cpu_half_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    half_conv *c;
    if (!is_half_conv(g, n) || make(g, n, threads, &c))
        return 0;
    int64_t bytes = half_conv_workspace(c);
    half_conv_free(c);
    return bytes;
}
