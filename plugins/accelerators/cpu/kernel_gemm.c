/* SPDX-License-Identifier: Apache-2.0
 * MATMUL: shapes and views become the numbers of a gemm. A transposed, sliced or repeated operand is read as it lies. */
#include "gemm.h"
#include "half_kernels.h"
#include "kernel.h"

#include <stdlib.h>

/* One operand: rows of matrices `ld` apart, or their columns if it lies transposed. */
typedef struct matrix {
    bool transposed;
    int64_t rows, columns, ld, batch, stride;
} matrix;

/* Whether a view is a batch of matrices, the elements of whose rows or columns lie side by side, and whose batch dimensions
 * are as one. */
static bool matrix_of(const accel_view *v, matrix *out)
{
    if (v->rank < 2)
        return false;
    accel_view batch = *v;
    batch.rank -= 2;
    batch = accel_view_merged(&batch);
    int64_t rows = v->dim[v->rank - 2], columns = v->dim[v->rank - 1], down = v->stride[v->rank - 2],
            right = v->stride[v->rank - 1];
    bool wide = columns == 1 || right == 1, tall = rows == 1 || down == 1;
    *out = (matrix) {
        .rows = rows, .columns = columns, .batch = accel_view_count(&batch), .stride = batch.rank ? batch.stride[0] : 0
    };
    if (batch.rank > 1 || out->stride < 0)
        return false;
    if (wide && (rows == 1 || down >= columns))
        out->ld = rows == 1 ? columns : down;
    else if (tall && (columns == 1 || right >= rows)) {
        out->transposed = true;
        out->ld = columns == 1 ? rows : right;
    } else
        return false;
    out->ld = out->ld > 0 ? out->ld : 1;
    return rows <= INT32_MAX && columns <= INT32_MAX && out->ld <= INT32_MAX;
}

/* Of the products of bf16 those that a matrix unit computes, and that are large enough to gain. */
static bool is_tiled(const lth_graph *g, const lth_node *n)
{
    enum { LEAST_WORK = 8192 }; /* multiply-adds of each */
    const lth_attr_matmul *t = lth_node_attributes(g, n);
    const lth_shape *c = lth_node_shape(g, n, 0), *a = lth_node_operand_shape(g, n, 0);
    int64_t work = c->dim[c->rank - 2] * c->dim[c->rank - 1] * a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    return cpu_half_gemm_kernels() && (c->dtype == LTH_BF16 || c->dtype == LTH_F32) &&
           (work >= LEAST_WORK || cpu_bf16_is("tiles"));
}

/* Whether products are computed by this file's kernel. */
static bool is_own(const lth_graph *g, const lth_node *n)
{
    lth_dtype dtype = accel_node_dtype(g, n);
    return n->op == LTH_OP_MATMUL && (dtype == LTH_F32 || dtype == LTH_F64 || (dtype == LTH_BF16 && is_tiled(g, n)));
}

bool cpu_gemm_takes(const lth_graph *g, const lth_node *n, const accel_view *view)
{
    matrix m;
    return is_own(g, n) && matrix_of(view, &m);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const gemm *g = k->detail;
    if (gemm_run(g, call->in[0], call->in[1], call->out[0], call->workspace))
        return true;
    snprintf(call->message, PLAIN_MESSAGE, "%s refuses the product", gemm_route_name(g->route));
    return false;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const gemm *g = k->detail;
    snprintf(text, size, "%s%s%s", gemm_route_name(g->route), g->transpose_a ? ", A transposed" : "",
             g->transpose_b ? ", B transposed" : "");
}

static const cpu_kernel_kind kind = { run, text, NULL };

/* Nanoseconds on one thread of a machine of today: 25 multiply-adds each in f32. */
static double work_of(const gemm *g)
{
    double speed = g->dtype == LTH_BF16 ? 250 : g->dtype == LTH_F32 ? 25 : 12;
    return 300 + (double)g->batch * (20 + (double)(g->m * g->n * g->k) / speed);
}

/* How B will lie is not known yet: room for either. */
int64_t cpu_gemm_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    if (!is_own(g, n))
        return 0;
    const lth_attr_matmul *t = lth_node_attributes(g, n);
    const lth_shape *c = lth_node_shape(g, n, 0), *a = lth_node_operand_shape(g, n, 0);
    int64_t most = 0;
    for (int turned = 0; turned < 2; turned++) {
        gemm product = { .m = c->dim[c->rank - 2],
                         .n = c->dim[c->rank - 1],
                         .k = a->dim[a->rank - (t->transpose_a ? 2 : 1)],
                         .batch = 1,
                         .dtype = accel_node_dtype(g, n),
                         .result = c->dtype,
                         .threads = threads,
                         .transpose_b = turned };
        gemm_plan(&product);
        most = gemm_workspace(&product) > most ? gemm_workspace(&product) : most;
    }
    return most;
}

lth_status cpu_make_gemm(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    lth_dtype dtype = accel_node_dtype(site->graph, n);
    const lth_attr_matmul *t = lth_node_attributes(site->graph, n);
    matrix a, b;
    if (!is_own(site->graph, n) || !matrix_of(&site->in[0].view, &a) || !matrix_of(&site->in[1].view, &b))
        return LTH_UNSUPPORTED;
    gemm *g = k->detail = calloc(1, sizeof *g);
    if (!g)
        return LTH_NO_MEMORY;
    const lth_shape *c = lth_node_shape(site->graph, n, 0);
    int64_t m = c->dim[c->rank - 2], columns = c->dim[c->rank - 1];
    *g = (gemm) { .m = m,
                  .n = columns,
                  .k = t->transpose_a ? a.rows : a.columns,
                  .batch = a.batch,
                  .lda = a.ld,
                  .ldb = b.ld,
                  .stride_a = a.stride,
                  .stride_b = b.stride,
                  .stride_c = m * columns,
                  .dtype = dtype,
                  .result = c->dtype,
                  .threads = k->threads,
                  .transpose_a = a.transposed != (t->transpose_a != 0),
                  .transpose_b = b.transposed != (t->transpose_b != 0) };
    k->kind = &kind;
    k->work = work_of(g);
    if (k->work < CPU_LAUNCH_WORK)
        g->threads = 1;
    gemm_plan(g);
    return LTH_OK;
}
