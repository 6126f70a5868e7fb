/* SPDX-License-Identifier: Apache-2.0
 * SUM, MEAN, MAX, MIN over some axes, ARGMAX and ARGMIN over one, in f32 and f64.
 *
 * Axes are merged, so that kept and reduced ones alternate. If the last is reduced, an element of the result is made of
 * stretches of memory; if it is kept, a stretch of the result is. Either is made by one thread, in the order of memory; but where
 * there are few of the latter, and much goes into each, PARTS of its sum are made and joined. Bits do not depend on the number of
 * threads. */
#include "isa.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plain/walk.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* STRETCH: elements, so many of a row side by side that the processor fetches the next ones by itself. Columns of (2048, 1024) in
 * f32 take 0.8 ms so, and 2.4 ms in stretches of 256. LONG: stretches. WIDE: elements that short
 * rows are put together to. */
enum { STRETCH = 1024, PARTS = 16, LONG = 256, WIDE = 64 };

typedef struct reduction {
    uint32_t op;
    lth_dtype dtype;
    plain_walk kept, reduced;     /* but for the last axis */
    int64_t outer, middle, inner; /* kept and reduced combinations, and the last axis */
    int64_t parts;                /* of a sum of columns */
    bool side_by_side;            /* its stretches are short, and one after the other in memory */
    bool last_kept;
    double divisor;
} reduction;

typedef struct reduce_call {
    const reduction *d;
    const void *x;
    void *y;
    double *partial; /* NULL: sums are of one part */
} reduce_call;

#define T float
#define NAME(name) name##_f32
#define KERNELS f32
#include "kernel_reduce_float.h"
#undef T
#undef NAME
#undef KERNELS
#define T double
#define NAME(name) name##_f64
#define KERNELS f64
#include "kernel_reduce_float.h"
#undef T
#undef NAME
#undef KERNELS

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const reduction *d = k->detail;
    reduce_call c = { d, call->in[0], call->out[0], d->parts > 1 ? call->workspace : NULL };
    pool_run(k->threads,
             d->dtype == LTH_F32 ? (d->last_kept ? columns_f32 : rows_f32)
             : d->last_kept      ? columns_f64
                                 : rows_f64,
             &c);
    if (c.partial)
        (d->dtype == LTH_F32 ? join_parts_f32 : join_parts_f64)(&c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const reduction *d = k->detail;
    snprintf(text, size, "%s of %lld", d->last_kept ? "columns" : "rows",
             (long long)(d->last_kept ? d->middle : d->middle * d->inner));
}

static const cpu_kernel_kind kind = { run, text, NULL };

static uint32_t reduced_axes(const cpu_site *site)
{
    const void *a = lth_node_attributes(site->graph, site->node);
    bool one = site->node->op == LTH_OP_ARGMAX || site->node->op == LTH_OP_ARGMIN;
    return one ? 1u << ((const lth_attr_axis *)a)->axis : ((const lth_attr_reduce *)a)->axes;
}

/* The dense operand's axes without those of length 1, neighbours of a kind merged, sorted into d. */
static void divide(reduction *d, const lth_shape *x, uint32_t axes)
{
    int64_t stride[LTH_MAX_RANK];
    int32_t last = x->rank - 1;
    plain_strides(x, stride);
    while (last >= 0 && x->dim[last] == 1)
        last--;
    d->outer = d->middle = d->inner = 1;
    d->last_kept = last < 0 || !(axes >> last & 1);
    int32_t first = last;
    for (; first >= 0 && (x->dim[first] == 1 || !(axes >> first & 1) == d->last_kept); first--)
        d->inner *= x->dim[first];
    for (int32_t a = 0; a <= first; a++)
        if (x->dim[a] != 1) {
            plain_walk_axis(axes >> a & 1 ? &d->reduced : &d->kept, x->dim[a], stride[a]);
            *(axes >> a & 1 ? &d->middle : &d->outer) *= x->dim[a];
        }
}

static bool describe(reduction *d, const cpu_site *site)
{
    uint32_t op = site->node->op;
    lth_dtype dtype = accel_node_dtype(site->graph, site->node);
    bool place = op == LTH_OP_ARGMAX || op == LTH_OP_ARGMIN, sum = op == LTH_OP_SUM || op == LTH_OP_MEAN;
    if ((!sum && op != LTH_OP_MAX && op != LTH_OP_MIN && !place) || (dtype != LTH_F32 && dtype != LTH_F64))
        return false;
    const lth_shape *x = lth_node_operand_shape(site->graph, site->node, 0);
    *d = (reduction) { .op = op, .dtype = dtype, .divisor = 1, .parts = 1 };
    divide(d, x, reduced_axes(site));
    if (op == LTH_OP_MEAN)
        d->divisor = (double)(d->last_kept ? d->middle : d->middle * d->inner);
    if (sum && d->last_kept && d->middle >= LONG && d->outer * ((d->inner + STRETCH - 1) / STRETCH) < PARTS)
        d->parts = PARTS;
    d->side_by_side = sum && d->last_kept && d->outer == 1 && d->inner <= WIDE / 4 && d->reduced.rank == 1;
    bool empty = lth_shape_count(x) == 0;
    return !(place && (d->last_kept || d->middle != 1)) &&
           (!empty || op == LTH_OP_SUM); /* rare: the plain loop knows what to say */
}

int64_t cpu_reduction_workspace(const lth_graph *g, const lth_node *n)
{
    reduction d;
    cpu_site site = { g, n, NULL, NULL };
    if (!describe(&d, &site) || d.parts == 1)
        return 0;
    return d.outer * ((d.inner + STRETCH - 1) / STRETCH) * d.parts * STRETCH * (int64_t)sizeof(double);
}

lth_status cpu_make_reduction(cpu_kernel *k, const cpu_site *site)
{
    reduction d;
    if (!describe(&d, site))
        return LTH_UNSUPPORTED;
    k->detail = malloc(sizeof d);
    if (!k->detail)
        return LTH_NO_MEMORY;
    *(reduction *)k->detail = d;
    k->kind = &kind;
    k->work = 60 + (double)(d.outer * d.middle) * (8 + 0.12 * (double)d.inner * (d.dtype == LTH_F32 ? 1 : 2));
    return LTH_OK;
}
