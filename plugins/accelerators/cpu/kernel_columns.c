/* SPDX-License-Identifier: Apache-2.0
 * Convolution in f64, and in f32 where oneDNN has no kernel: windows are laid out as columns, some outputs at a time, and become
 * products for OpenBLAS. Threads take images; of the weight's gradient each sums its own, and the sums are added in order. */
#include "kernel.h"
#include "pool.h"

#include <cblas.h>
#include <lthost/accel/plain/image.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 512 << 10, LEAST_BLOCK = 16, ALIGNMENT = 64 };

typedef struct columns {
    plain_conv v;
    uint32_t op;
    int32_t threads;
    lth_dtype dtype;
    int64_t rows, block;  /* elements of a window over the channels of a group; outputs at a time */
    int64_t thread_bytes; /* of workspace: columns, then a weight's partial sum */
} columns;

struct columns_call {
    const columns *columns;
    const accel_call *call;
    int32_t threads; /* that were there */
};

/* Neighbouring outputs along the last axis. */
typedef struct run {
    int64_t o0, o1, o2, length;
} run;

/* The outputs of one row of the last axis, from output `at` on: at most up to `end`. */
static run run_at(const plain_conv *v, int64_t at, int64_t end)
{
    int64_t width = v->out[2], column = at % width, length = width - column < end - at ? width - column : end - at;
    return (run) { at / width / v->out[1], at / width % v->out[1], column, length };
}

/* Where the row of x begins that place k of the windows of a run sees; -1: in the padding. */
static int64_t row_of(const plain_conv *v, const run *r, const int64_t *k)
{
    int64_t i0 = r->o0 * v->stride[0] - v->low[0] + k[0] * v->dilation[0],
            i1 = r->o1 * v->stride[1] - v->low[1] + k[1] * v->dilation[1];
    return i0 < 0 || i0 >= v->in[0] || i1 < 0 || i1 >= v->in[1] ? -1 : (i0 * v->in[1] + i1) * v->in[2];
}

#define T float
#define NAME(f) f##_f32
#define GEMM cblas_sgemm
#include "columns_float.h"
#undef T
#undef NAME
#undef GEMM

#define T double
#define NAME(f) f##_f64
#define GEMM cblas_dgemm
#include "columns_float.h"
#undef T
#undef NAME
#undef GEMM

static void task(void *context, int32_t thread, int32_t threads)
{
    struct columns_call *c = context;
    if (thread == 0)
        c->threads = threads;
    if (c->columns->dtype == LTH_F64)
        columns_task_f64(context, thread, threads);
    else
        columns_task_f32(context, thread, threads);
}

static bool run_columns(const cpu_kernel *k, const accel_call *call)
{
    struct columns_call c = { k->detail, call, 1 };
    pool_run(c.columns->threads, task, &c);
    if (c.columns->op == LTH_OP_CONV_WEIGHT_GRAD) {
        if (c.columns->dtype == LTH_F64)
            add_partials_f64(c.columns, call, c.threads);
        else
            add_partials_f32(c.columns, call, c.threads);
    }
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    (void)k;
    snprintf(text, size, "columns, openblas");
}

static const cpu_kernel_kind kind = { run_columns, text, NULL };

/* False: a part of it is empty, or beyond what a library can count. */
static bool plan(columns *c, const lth_graph *g, const lth_node *n, int32_t threads)
{
    lth_dtype dtype = accel_node_dtype(g, n);
    if (n->op < LTH_OP_CONV || n->op > LTH_OP_CONV_WEIGHT_GRAD || (dtype != LTH_F32 && dtype != LTH_F64))
        return false;
    *c = (columns) { .v = plain_conv_of(g, n), .op = n->op, .threads = threads, .dtype = dtype };
    int64_t size = lth_dtype_size(dtype), outputs = plain_volume(c->v.out);
    c->rows = c->v.C / c->v.groups * plain_volume(c->v.kernel);
    if (!c->v.N || !c->v.C || !c->v.K || !plain_volume(c->v.in) || c->rows > INT32_MAX || outputs > INT32_MAX ||
        c->v.K > INT32_MAX)
        return false;
    c->block = BLOCK_BYTES / size / c->rows;
    c->block = c->block < LEAST_BLOCK ? LEAST_BLOCK : c->block;
    c->block = c->block < outputs ? c->block : outputs;
    int64_t partial = n->op == LTH_OP_CONV_WEIGHT_GRAD && threads > 1 ? c->v.K * c->rows : 0;
    c->thread_bytes = ((c->rows * c->block + partial) * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return true;
}

lth_status cpu_make_columns(cpu_kernel *k, const cpu_site *site)
{
    columns c;
    double work = 2000 + accel_node_flops(site->graph, site->node) / 12;
    if (!plan(&c, site->graph, site->node, work < CPU_LAUNCH_WORK ? 1 : k->threads))
        return LTH_UNSUPPORTED;
    columns *made = k->detail = malloc(sizeof *made);
    if (!made)
        return LTH_NO_MEMORY;
    *made = c;
    k->kind = &kind;
    k->work = work;
    return LTH_OK;
}

int64_t cpu_columns_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    columns c;
    return plan(&c, g, n, threads) ? threads * c.thread_bytes : 0;
}
