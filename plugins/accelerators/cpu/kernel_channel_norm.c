/* SPDX-License-Identifier: Apache-2.0
 * Norms by the channel of what lies channels last, (..., C): batch norm, and the layer norm that a group norm of images is made
 * of (channels_last.h), which norms groups of channels of each sample by themselves.
 *
 * Sums are in double and by parts of the pixels, as many as the shape alone says, joined in their order: bits do not depend on
 * the number of threads. */
#include "channels_last.h"
#include "image_kernels.h"
#include "isa.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 16, LONG = 256 /* pixels that are worth parts */ };

typedef struct channel_norm {
    int64_t samples, pixels, C, groups; /* pixels: of a sample */
    int64_t parts;                      /* of a sample's pixels */
    lth_dtype dtype;
} channel_norm;

typedef struct norm_call {
    const channel_norm *d;
    const void *x;
    void *y;
    double *partial;    /* (samples, parts, C) */
    void *mean, *scale; /* (samples, C), of x's type */
} norm_call;

#define T float
#define NAME(name) name##_f32
#define KERNELS f32
#include "kernel_channel_norm_float.h"
#undef T
#undef NAME
#undef KERNELS
#define T double
#define NAME(name) name##_f64
#define KERNELS f64
#include "kernel_channel_norm_float.h"
#undef T
#undef NAME
#undef KERNELS

static bool is_batch(const lth_node *n) { return n->op == LTH_OP_BATCH_NORM; }

static bool describe(channel_norm *d, const lth_graph *g, const lth_node *n)
{
    bool groups = n->op == LTH_OP_LAYER_NORM && n->flags & CPU_CHANNELS_LAST;
    if ((!is_batch(n) && !groups) || (accel_node_dtype(g, n) != LTH_F32 && accel_node_dtype(g, n) != LTH_F64))
        return false;
    const lth_shape *x = lth_node_operand_shape(g, n, 0);
    if (is_batch(n) && ((const lth_attr_axis *)lth_node_attributes(g, n))->axis != x->rank - 1)
        return false;
    int64_t C = x->dim[x->rank - 1], count = lth_shape_count(x);
    *d = (channel_norm) { .samples = groups ? x->dim[0] : 1, .C = C, .groups = C, .parts = 1, .dtype = accel_node_dtype(g, n) };
    if (count == 0)
        return false;
    d->pixels = count / C / d->samples;
    if (groups)
        d->groups = lth_node_shape(g, n, 1)->dim[1];
    if (d->samples < PARTS && d->pixels >= LONG)
        d->parts = PARTS;
    return true;
}

static int64_t partial_bytes(const channel_norm *d)
{
    return accel_align(d->samples * d->parts * d->C * (int64_t)sizeof(double));
}

static int64_t channel_bytes(const channel_norm *d) { return accel_align(d->samples * d->C * lth_dtype_size(d->dtype)); }

int64_t cpu_channel_norm_workspace(const lth_graph *g, const lth_node *n)
{
    channel_norm d;
    return describe(&d, g, n) ? partial_bytes(&d) + 2 * channel_bytes(&d) : 0;
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const channel_norm *d = k->detail;
    char *at = call->workspace;
    norm_call c = {
        d, call->in[0], call->out[0], call->workspace, at + partial_bytes(d), at + partial_bytes(d) + channel_bytes(d)
    };
    bool f32 = d->dtype == LTH_F32;
    pool_run(k->threads, f32 ? sum_f32 : sum_f64, &c);
    (f32 ? finish_means_f32 : finish_means_f64)(&c);
    pool_run(k->threads, f32 ? squares_f32 : squares_f64, &c);
    (f32 ? finish_scales_f32 : finish_scales_f64)(&c, call);
    pool_run(k->threads, f32 ? normalize_f32 : normalize_f64, &c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const channel_norm *d = k->detail;
    snprintf(text, size, "channels last, %lld x %lld groups", (long long)d->samples, (long long)d->groups);
}

static const cpu_kernel_kind kind = { run, text, NULL };

lth_status cpu_make_channel_norm(cpu_kernel *k, const cpu_site *site)
{
    channel_norm d;
    if (!describe(&d, site->graph, site->node))
        return LTH_UNSUPPORTED;
    k->detail = malloc(sizeof d);
    if (!k->detail)
        return LTH_NO_MEMORY;
    *(channel_norm *)k->detail = d;
    k->kind = &kind;
    k->work = 500 + 0.8 * (double)(d.samples * d.pixels * d.C);
    return LTH_OK;
}
