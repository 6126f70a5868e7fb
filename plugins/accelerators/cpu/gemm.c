/* SPDX-License-Identifier: Apache-2.0
 * Routes of matrix products. Figures behind the table (2-core AMD Zen 3 and Zen 4, Intel Sapphire Rapids; fp32; oneDNN
 * 2.6.3, OpenBLAS 0.3.21): oneDNN's sgemm costs 0.4 us a call and OpenBLAS 0.2 us before the first multiplication, so own
 * loops take what is below about 8,000 multiply-adds. Above, oneDNN is 1.0 to 2 times as fast as OpenBLAS at every shape
 * tried and uses the pool's threads by itself. OpenBLAS, held at one thread, serves fp64, which oneDNN has no kernels for,
 * and the one shape where it led on one thread: a transposed A with a long inner dimension. */
#include "gemm.h"

#include "isa.h"
#include "pool.h"

#include <cblas.h>
#include <dnnl.h>
#include <stdio.h>

enum {
    SMALL_WORK = 8192,    /* multiply-adds */
    SMALL_PACK = 4096,    /* elements of B that the own loops pack on the stack */
    LONG_INNER = 512
};

void openblas_set_num_threads(int threads);
char *openblas_get_config(void);

void gemm_plan(gemm *g)
{
    int64_t padded = (g->n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    if (g->m * g->n * g->k <= SMALL_WORK && g->k * padded <= SMALL_PACK)
        g->route = GEMM_SMALL;
    else if (g->dtype == LTH_F64 || (g->threads <= 1 && g->transpose_a && g->k >= LONG_INNER && g->m >= LONG_INNER))
        g->route = GEMM_BLAS;
    else
        g->route = GEMM_ONEDNN;
}

static lth_status one(const gemm *g, int64_t rows, const void *a, int64_t lda, const void *b, void *c)
{
    int64_t ldb = g->transpose_b ? g->k : g->n;
    if (g->route == GEMM_ONEDNN)
        return dnnl_sgemm(g->transpose_a ? 'T' : 'N', g->transpose_b ? 'T' : 'N', rows, g->n, g->k, 1.0f, a, lda, b, ldb, 0.0f, c,
                          g->n) == dnnl_success
                   ? LTH_OK
                   : LTH_ERROR;
    CBLAS_TRANSPOSE ta = g->transpose_a ? CblasTrans : CblasNoTrans, tb = g->transpose_b ? CblasTrans : CblasNoTrans;
    blasint m = (blasint)rows, n = (blasint)g->n, k = (blasint)g->k;
    if (g->dtype == LTH_F64)
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, (blasint)lda, b, (blasint)ldb, 0.0, c, n);
    else
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, (blasint)lda, b, (blasint)ldb, 0.0f, c, n);
    return LTH_OK;
}

struct rows_call {
    const gemm *g;
    const char *a, *b;
    char *c;
    int64_t grain;
    lth_status status;
};

/* OpenBLAS runs on one thread: the pool's threads each take a stretch of C's rows. Row blocks are whole multiples of the
 * kernel's, so that a row's bits do not depend on where a stretch begins. */
static void rows_task(void *context, int32_t thread, int32_t threads)
{
    const struct rows_call *call = context;
    const gemm *g = call->g;
    int64_t first, last, size = lth_dtype_size(g->dtype), lda = g->transpose_a ? g->m : g->k;
    pool_share(g->m, call->grain, thread, threads, &first, &last);
    if (first < last)
        (void)one(g, last - first, call->a + size * (g->transpose_a ? first : first * lda), lda, call->b, call->c + size * first * g->n);
}

/* Many matrices: each thread takes whole ones (inside the pool a library runs on one thread). */
static void batch_task(void *context, int32_t thread, int32_t threads)
{
    struct rows_call *call = context;
    const gemm *g = call->g;
    int64_t first, last, size = lth_dtype_size(g->dtype), lda = g->transpose_a ? g->m : g->k;
    pool_share(g->batch, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        const char *a = call->a + size * i * g->stride_a, *b = call->b + size * i * g->stride_b;
        char *c = call->c + size * i * g->stride_c;
        if (g->route == GEMM_SMALL && g->dtype == LTH_F32)
            cpu_kernels()->gemm_f32(g->m, g->n, g->k, (const float *)a, g->transpose_a, (const float *)b, g->transpose_b, (float *)c);
        else if (g->route == GEMM_SMALL)
            cpu_kernels()->gemm_f64(g->m, g->n, g->k, (const double *)a, g->transpose_a, (const double *)b, g->transpose_b, (double *)c);
        else if (one(g, g->m, a, lda, b, c) != LTH_OK)
            call->status = LTH_ERROR;
    }
}

lth_status gemm_run(const gemm *g, const void *a, const void *b, void *c)
{
    struct rows_call call = { g, a, b, c, 32, LTH_OK };
    if (g->m == 0 || g->n == 0 || g->batch == 0)
        return LTH_OK;
    if (g->k == 0) {
        for (int64_t i = 0; i < g->batch; i++)
            __builtin_memset((char *)c + i * g->stride_c * lth_dtype_size(g->dtype), 0, (size_t)(g->m * g->n * lth_dtype_size(g->dtype)));
        return LTH_OK;
    }
    if (g->batch > 1)
        pool_run(g->route == GEMM_SMALL && g->batch * g->m * g->n * g->k < 16 * SMALL_WORK ? 1 : g->threads, batch_task, &call);
    else if (g->route == GEMM_BLAS && g->threads > 1)
        pool_run(g->threads, rows_task, &call);
    else
        batch_task(&call, 0, 1);
    return call.status;
}

const char *gemm_route_name(gemm_route route)
{
    static const char *const names[] = { "own", "onednn", "openblas" };
    return names[route];
}

void gemm_versions(char *out, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    char blas[32] = "?";
    (void)sscanf(openblas_get_config(), "OpenBLAS %31s", blas);
    openblas_set_num_threads(1);
    snprintf(out, size, "onednn=%d.%d.%d openblas=%s", v->major, v->minor, v->patch, blas);
}
