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
#include <string.h>

enum {
    SMALL_WORK = 8192, /* multiply-adds */
    SMALL_PACK = 4096, /* elements of B that the own loops pack on the stack */
    LONG_INNER = 512,
    ROW_BLOCK = 32 /* rows of C: a multiple of every kernel's, so that a row's bits do not depend on where a stretch begins */
};

void gemm_open(void) { openblas_set_num_threads(1); }

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

static bool by_onednn(const gemm *g, int64_t rows, const void *a, const void *b, void *c)
{
    return dnnl_sgemm(g->transpose_a ? 'T' : 'N', g->transpose_b ? 'T' : 'N', rows, g->n, g->k, 1.0f, a, g->lda, b, g->ldb, 0.0f,
                      c, g->n) == dnnl_success;
}

static void by_blas(const gemm *g, int64_t rows, const void *a, const void *b, void *c)
{
    CBLAS_TRANSPOSE ta = g->transpose_a ? CblasTrans : CblasNoTrans, tb = g->transpose_b ? CblasTrans : CblasNoTrans;
    blasint m = (blasint)rows, n = (blasint)g->n, k = (blasint)g->k, lda = (blasint)g->lda, ldb = (blasint)g->ldb;
    if (g->dtype == LTH_F64)
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, n);
    else
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 0.0f, c, n);
}

static bool one(const gemm *g, int64_t rows, const void *a, const void *b, void *c)
{
    if (g->route == GEMM_ONEDNN)
        return by_onednn(g, rows, a, b, c);
    if (g->route == GEMM_BLAS)
        by_blas(g, rows, a, b, c);
    else if (g->dtype == LTH_F64)
        cpu_kernels()->f64.gemm(rows, g->n, g->k, a, g->lda, g->transpose_a, b, g->ldb, g->transpose_b, c);
    else
        cpu_kernels()->f32.gemm(rows, g->n, g->k, a, g->lda, g->transpose_a, b, g->ldb, g->transpose_b, c);
    return true;
}

struct gemm_call {
    const gemm *g;
    const char *a, *b;
    char *c;
    bool refused;
};

/* OpenBLAS runs on one thread: the pool's threads each take a stretch of C's rows. */
static void rows_task(void *context, int32_t thread, int32_t threads)
{
    const struct gemm_call *call = context;
    const gemm *g = call->g;
    int64_t first, last, size = lth_dtype_size(g->dtype);
    pool_share(g->m, ROW_BLOCK, thread, threads, &first, &last);
    if (first < last)
        by_blas(g, last - first, call->a + size * (g->transpose_a ? first : first * g->lda), call->b,
                call->c + size * first * g->n);
}

/* Many matrices: each thread takes whole ones (inside the pool a library runs on one thread). */
static void batch_task(void *context, int32_t thread, int32_t threads)
{
    struct gemm_call *call = context;
    const gemm *g = call->g;
    int64_t first, last, size = lth_dtype_size(g->dtype);
    pool_share(g->batch, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++)
        if (!one(g, g->m, call->a + size * i * g->stride_a, call->b + size * i * g->stride_b, call->c + size * i * g->stride_c))
            call->refused = true;
}

bool gemm_run(const gemm *g, const void *a, const void *b, void *c)
{
    struct gemm_call call = { g, a, b, c, false };
    int64_t results = g->batch * g->m * g->n;
    if (g->k == 0 && results)
        memset(c, 0, (size_t)(results * lth_dtype_size(g->dtype)));
    if (g->k == 0 || !results)
        return true;
    if (g->batch > 1)
        pool_run(g->route == GEMM_SMALL && g->batch * g->m * g->n * g->k < 16 * SMALL_WORK ? 1 : g->threads, batch_task, &call);
    else if (g->route == GEMM_BLAS && g->threads > 1)
        pool_run(g->threads, rows_task, &call);
    else {
        pool_set_threads(g->threads); /* oneDNN enters the pool by itself */
        batch_task(&call, 0, 1);
    }
    return !call.refused;
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
    snprintf(out, size, "onednn=%d.%d.%d openblas=%s/%s", v->major, v->minor, v->patch, blas, openblas_get_corename());
}
