/* SPDX-License-Identifier: Apache-2.0
 * Convolution and its gradients in f32, of images that channels_last.h has laid channels last. */
#include "channels_last.h"
#include "kernel.h"
#include "last_conv.h"
#include "winograd.h"

static bool is_last_conv(const lth_graph *g, const lth_node *n)
{
    return n->op >= LTH_OP_CONV && n->op <= LTH_OP_CONV_WEIGHT_GRAD && n->flags & CPU_CHANNELS_LAST &&
           accel_node_dtype(g, n) == LTH_F32;
}

static bool run_terms(const cpu_kernel *k, const accel_call *call)
{
    last_conv_run(k->detail, call->in[0], call->in[1], call->out[0], call->workspace);
    return true;
}

static bool run_winograd(const cpu_kernel *k, const accel_call *call)
{
    winograd_run(k->detail, call->in[0], call->in[1], call->out[0], call->workspace);
    return true;
}

static void terms_text(const cpu_kernel *k, char *text, size_t size) { last_conv_text(k->detail, text, size); }
static void winograd_text_of(const cpu_kernel *k, char *text, size_t size) { winograd_text(k->detail, text, size); }
static void release_terms(void *detail) { last_conv_free(detail); }
static void release_winograd(void *detail) { winograd_free(detail); }

static const cpu_kernel_kind terms = { run_terms, terms_text, release_terms },
                             by_winograd = { run_winograd, winograd_text_of, release_winograd };

/* Multiply-adds a nanosecond on one thread: 45 term by term, a quarter of them by Winograd, at half the speed. */
static double work_of(const lth_graph *g, const lth_node *n, bool fast)
{
    return 1000 + accel_node_flops(g, n) / (fast ? 180 : 80) + 0.3 * (double)accel_node_bytes(g, n);
}

lth_status cpu_make_last_conv(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    if (!is_last_conv(site->graph, n))
        return LTH_UNSUPPORTED;
    plain_conv v = cpu_conv_of(site->graph, n);
    bool fast = winograd_takes(n->op, &v);
    last_conv *c = NULL;
    winograd *w = NULL;
    k->work = work_of(site->graph, n, fast);
    int32_t threads = k->work < CPU_LAUNCH_WORK ? 1 : k->threads;
    lth_status status = fast ? winograd_new(n->op, &v, false, threads, &w) : last_conv_new(n->op, &v, threads, &c);
    k->detail = fast ? (void *)w : (void *)c;
    k->kind = status ? NULL : fast ? &by_winograd : &terms;
    return status;
}

/* The kernel is made later, when it is known on how many threads the plan runs: more want more. */
int64_t cpu_last_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    if (!is_last_conv(g, n))
        return 0;
    plain_conv v = cpu_conv_of(g, n);
    last_conv *c = NULL;
    winograd *w = NULL;
    bool fast = winograd_takes(n->op, &v);
    if (fast ? winograd_new(n->op, &v, false, threads, &w) : last_conv_new(n->op, &v, threads, &c))
        return 0;
    int64_t bytes = fast ? winograd_workspace(w) : last_conv_workspace(c);
    last_conv_free(c);
    winograd_free(w);
    return bytes;
}
