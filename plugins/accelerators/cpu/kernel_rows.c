/* SPDX-License-Identifier: Apache-2.0
 * Ops of networks that treat each row by itself: SOFTMAX, LOG_SOFTMAX and LOGSUMEXP over the last axis, CROSS_ENTROPY and
 * its gradient, LAYER_NORM, RMS_NORM; in f32 and f64. Threads share the rows. */
#include "isa.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plain/index.h>
#include <stdlib.h>

typedef struct rows_call rows_call;

/* Runs n rows from the first on. */
typedef void part_function(const rows_call *r, int64_t first, int64_t n);

struct rows_call {
    const accel_call *call;
    part_function *part;
    const int64_t *target;
    int64_t rows, C;
};

typedef struct rows {
    part_function *part;
    int64_t rows, C;
    lth_dtype target; /* of operand 1; NONE: it is no target */
} rows;

#define T float
#define NAME(name) name##_f32
#define KERNELS f32
#include "kernel_rows_float.h"
#undef T
#undef NAME
#undef KERNELS
#define T double
#define NAME(name) name##_f64
#define KERNELS f64
#include "kernel_rows_float.h"
#undef T
#undef NAME
#undef KERNELS

static const struct {
    uint32_t op;
    double work; /* nanoseconds an element */
    part_function *f32, *f64;
} table[] = {
    { LTH_OP_SOFTMAX, 1, softmax_f32, softmax_f64 },
    { LTH_OP_LOG_SOFTMAX, 1, log_softmax_f32, log_softmax_f64 },
    { LTH_OP_LOGSUMEXP, 1, logsumexp_f32, logsumexp_f64 },
    { LTH_OP_CROSS_ENTROPY, 1, cross_entropy_f32, cross_entropy_f64 },
    { LTH_OP_CROSS_ENTROPY_GRAD, 1, cross_entropy_grad_f32, cross_entropy_grad_f64 },
    { LTH_OP_LAYER_NORM, 0.7, layer_norm_f32, layer_norm_f64 },
    { LTH_OP_RMS_NORM, 0.5, rms_norm_f32, rms_norm_f64 },
};

static void task(void *context, int32_t thread, int32_t threads)
{
    const rows_call *r = context;
    int64_t first, last;
    pool_share(r->rows, 1, thread, threads, &first, &last);
    if (first < last)
        r->part(r, first, last - first);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const rows *d = k->detail;
    rows_call c = { call, d->part, NULL, d->rows, d->C };
    if (d->target != LTH_DTYPE_NONE) {
        plain_call checked = { call->schedule->graph, call->node, call->in, call->out, call->bindings, call->message, 1 };
        if (!plain_index_check(&checked, "target", d->C))
            return false;
        c.target = call->in[1];
    }
    if (d->target == LTH_I32) {
        int64_t *wide = call->workspace;
        for (int64_t i = 0; i < d->rows; i++)
            wide[i] = ((const int32_t *)call->in[1])[i];
        c.target = wide;
    }
    pool_run(k->threads, task, &c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const rows *d = k->detail;
    snprintf(text, size, "%lld rows of %lld", (long long)d->rows, (long long)d->C);
}

static const cpu_kernel_kind kind = { run, text, NULL };

int64_t cpu_rows_workspace(const lth_graph *g, const lth_node *n)
{
    bool targets = n->op == LTH_OP_CROSS_ENTROPY || n->op == LTH_OP_CROSS_ENTROPY_GRAD;
    const lth_shape *s = targets ? lth_node_operand_shape(g, n, 1) : NULL;
    return s && s->dtype == LTH_I32 ? lth_shape_count(s) * (int64_t)sizeof(int64_t) : 0;
}

/* Rows and their length; false where rows do not lie side by side. */
static bool divide(const cpu_site *site, int64_t *rows, int64_t *C)
{
    const lth_shape *x = lth_node_operand_shape(site->graph, site->node, 0);
    const void *a = lth_node_attributes(site->graph, site->node);
    int32_t last = x->rank - 1, first = last; /* the row's axes */
    switch (site->node->op) {
    case LTH_OP_LAYER_NORM:
    case LTH_OP_RMS_NORM:
        first = x->rank - (int32_t)((const lth_attr_axis *)a)->axis;
        break;
    case LTH_OP_SOFTMAX:
    case LTH_OP_LOG_SOFTMAX:
        first = (int32_t)((const lth_attr_axis *)a)->axis;
        break;
    case LTH_OP_LOGSUMEXP:
        first = 0;
        while (first <= last && !(((const lth_attr_reduce *)a)->axes >> first & 1))
            first++;
        if (((const lth_attr_reduce *)a)->axes >> first != (1u << (x->rank - first)) - 1)
            return false;
        break;
    default:
        break;
    }
    *rows = *C = 1;
    for (int32_t i = 0; i < x->rank; i++)
        *(i < first ? rows : C) *= x->dim[i];
    bool one_axis = site->node->op == LTH_OP_SOFTMAX || site->node->op == LTH_OP_LOG_SOFTMAX;
    return *C > 0 && (!one_axis || first < 0 || *C == x->dim[first]);
}

lth_status cpu_make_rows(cpu_kernel *k, const cpu_site *site)
{
    lth_dtype dtype = accel_node_dtype(site->graph, site->node);
    rows d = { .target = LTH_DTYPE_NONE };
    if (dtype != LTH_F32 && dtype != LTH_F64)
        return LTH_UNSUPPORTED;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == site->node->op && divide(site, &d.rows, &d.C)) {
            d.part = dtype == LTH_F32 ? table[i].f32 : table[i].f64;
            k->work = 60 + (double)d.rows * (20 + (double)d.C * table[i].work * (dtype == LTH_F32 ? 1 : 6));
        }
    if (!d.part)
        return LTH_UNSUPPORTED;
    if (site->node->op == LTH_OP_CROSS_ENTROPY || site->node->op == LTH_OP_CROSS_ENTROPY_GRAD)
        d.target = lth_node_operand_shape(site->graph, site->node, 1)->dtype;
    k->detail = malloc(sizeof d);
    if (!k->detail)
        return LTH_NO_MEMORY;
    *(rows *)k->detail = d;
    k->kind = &kind;
    return LTH_OK;
}
