/* SPDX-License-Identifier: Apache-2.0
 * Routes of matrix products. Figures behind the table (AMD Zen 4, multiply-adds a nanosecond of 59, one thread, fp32; oneDNN
 * 2.6.3, OpenBLAS 0.3.21): own panels 50 to 57 on AVX-512 and 46 to 56 on AVX2, oneDNN 52 to 58 and 37 to 56, OpenBLAS 46 to 52.
 * Own loops without packing take what is below about 8,000 multiply-adds; oneDNN, which makes its code at the first call (12 ms),
 * what is large: operands that come from memory cost it less. OpenBLAS serves fp64. Each thread makes a part of C, libraries
 * being held to one thread: entering the pool is ours. */
#include "gemm.h"

#include "half_kernels.h"
#include "isa.h"
#include "pool.h"

#include <cblas.h>
#include <dnnl.h>
#include <lthost/accel/plan_memory.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    SMALL_WORK = 8192,        /* multiply-adds */
    SMALL_PACK = 4096,        /* elements of B that the own loops pack on the stack */
    WIDE_WORK = 1 << 23,      /* multiply-adds from which oneDNN is ahead on AVX-512, */
    LARGE_WORK = 1 << 27,     /* and elsewhere */
    TURNED_ROWS = 128,        /* of C: from there on B is turned for oneDNN, */
    TURNED_MOST = 1 << 21,    /* if it has no more elements than this */
    BLOCK_ELEMENTS = 3 << 15, /* of packed B at a time: they stay in a second cache */
    ROW_GRAIN = 24,           /* where C is cut: at whole blocks of the kernels */
    COLUMN_GRAIN = 16,
    TILE_GRAIN = 32, /* both of tiles */
    PACKED_ROWS = 96 /* of C: for fewer, B is not packed where it lies well */
};

void gemm_open(void) { openblas_set_num_threads(1); }

/* ---- Own products with packed panels ---- */

static int64_t whole(int64_t n, int64_t of) { return (n + of - 1) / of; }

/* Columns of B that are packed at once: a block stays in the second cache. */
static int64_t chunk_columns(int64_t n, int64_t k)
{
    int64_t depth = k < CPU_PANEL_DEPTH ? k : CPU_PANEL_DEPTH, most = BLOCK_ELEMENTS / (depth ? depth : 1);
    return whole(whole(n, whole(n, most)), COLUMN_GRAIN) * COLUMN_GRAIN;
}

/* A thread's share of the workspace, bytes: B as it is packed, or turned. */
static int64_t block_bytes(const gemm *g)
{
    int64_t elements = 0;
    if (g->route == GEMM_TILES)
        return accel_align(cpu_half_gemm_kernels()->gemm_room(g->m, g->n, g->k));
    if (g->route == GEMM_PANELS)
        elements = chunk_columns(g->n, g->k) * (g->k < CPU_PANEL_DEPTH ? g->k : CPU_PANEL_DEPTH);
    else if (g->turns_b)
        elements = whole(whole(g->n, COLUMN_GRAIN), g->parts_n) * COLUMN_GRAIN * g->k;
    return accel_align(elements * lth_dtype_size(g->dtype));
}

int64_t gemm_workspace(const gemm *g) { return g->threads * block_bytes(g); }

static int64_t row_grain(const gemm *g) { return g->route == GEMM_TILES ? TILE_GRAIN : ROW_GRAIN; }
static int64_t column_grain(const gemm *g) { return g->route == GEMM_TILES ? TILE_GRAIN : COLUMN_GRAIN; }

/* Cuts C into as many parts as there are threads, so that the greatest takes the least: its rows' time, and that of packing,
 * of B as though it were so many rows of A, of A as though it were so many columns of B. */
static void cut(gemm *g)
{
    const bool tiles = g->route == GEMM_TILES;
    const double pack = (g->transpose_b ? 12 : 4) * (tiles ? 5 : 1), pack_a = !tiles ? 0 : g->transpose_a ? 60 : 20;
    double best = 0;
    g->parts_m = g->parts_n = 1;
    for (int32_t n = 1; g->batch == 1 && g->route != GEMM_SMALL && n <= g->threads; n++) {
        if (g->threads % n)
            continue;
        int32_t m = g->threads / n;
        int64_t rows = whole(whole(g->m, row_grain(g)), m) * row_grain(g);
        int64_t columns = whole(whole(g->n, column_grain(g)), n) * column_grain(g);
        double cost = (double)columns * ((double)rows + pack) + (double)rows * pack_a;
        if (best == 0 || cost < best) {
            best = cost;
            g->parts_m = m, g->parts_n = n;
        }
    }
}

void gemm_plan(gemm *g)
{
    int64_t padded = (g->n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    if (g->dtype == LTH_BF16)
        g->route = GEMM_TILES;
    else if (g->m * g->n * g->k <= SMALL_WORK && g->k * padded <= SMALL_PACK)
        g->route = GEMM_SMALL;
    else if (g->dtype == LTH_F64)
        g->route = GEMM_BLAS;
    else
        g->route = g->m * g->n * g->k < (cpu_kernels()->has_wide_vectors ? WIDE_WORK : LARGE_WORK) ? GEMM_PANELS : GEMM_ONEDNN;
    cut(g);
    g->turns_b = g->route == GEMM_ONEDNN && g->transpose_b && g->batch == 1 && g->m >= TURNED_ROWS && g->n * g->k <= TURNED_MOST;
}

/* Rows i0..i1 and columns j0..j1 of C. */
typedef struct part {
    int64_t i0, i1, j0, j1;
} part;

static void by_panels(const gemm *g, const part *p, const void *a, const void *b, void *c, void *block)
{
    const int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;
    const int64_t down = g->transpose_b ? 1 : g->ldb, right = g->transpose_b ? g->ldb : 1;
    const int64_t rows = p->i1 - p->i0, chunk = chunk_columns(p->j1 - p->j0, g->k);
    for (int64_t j = p->j0; j < p->j1; j += chunk)
        for (int64_t l = 0; l < g->k; l += CPU_PANEL_DEPTH) {
            int64_t n = p->j1 - j < chunk ? p->j1 - j : chunk, k = g->k - l < CPU_PANEL_DEPTH ? g->k - l : CPU_PANEL_DEPTH;
            const float *from = (const float *)b + l * down + j * right, *by = (const float *)a + p->i0 * row + l * step;
            float *to = (float *)c + p->i0 * g->n + j;
            if (!g->transpose_b && rows < PACKED_ROWS && n % COLUMN_GRAIN == 0) {
                cpu_kernels()->f32.panel_gemm(rows, n, k, by, row, step, from, g->ldb, to, g->n, l > 0);
                continue;
            }
            cpu_kernels()->f32.panel_pack(k, n, from, g->ldb, g->transpose_b, block, 0, cpu_kernels()->f32.panels(n));
            cpu_kernels()->f32.panel_gemm(rows, n, k, by, row, step, block, 0, to, g->n, l > 0);
        }
}

static void by_tiles(const gemm *g, const part *p, const void *a, const void *b, void *c, void *block)
{
    cpu_half_gemm h = { .m = p->i1 - p->i0,
                        .n = p->j1 - p->j0,
                        .k = g->k,
                        .row = g->transpose_a ? 1 : g->lda,
                        .step = g->transpose_a ? g->lda : 1,
                        .down = g->transpose_b ? 1 : g->ldb,
                        .right = g->transpose_b ? g->ldb : 1,
                        .ldc = g->n,
                        .narrow = g->result == LTH_BF16,
                        .room = block };
    h.a = (const uint16_t *)a + p->i0 * h.row;
    h.b = (const uint16_t *)b + p->j0 * h.right;
    h.c = (char *)c + (p->i0 * g->n + p->j0) * lth_dtype_size(g->result);
    cpu_half_gemm_kernels()->gemm(&h);
}

/* block: room for B turned, which oneDNN is 5 to 10 % slower without. */
static bool by_onednn(const gemm *g, int64_t m, int64_t n, const void *a, const void *b, void *c, void *block)
{
    bool transpose_b = g->transpose_b && !g->turns_b;
    if (g->turns_b)
        cpu_kernels()->f32.turn(block, n, b, g->ldb, n, g->k, 1);
    return dnnl_sgemm(g->transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, g->k, 1.0f, a, g->lda, g->turns_b ? block : b,
                      g->turns_b ? n : g->ldb, 0.0f, c, g->n) == dnnl_success;
}

static void by_blas(const gemm *g, int64_t m, int64_t n, const void *a, const void *b, void *c)
{
    CBLAS_TRANSPOSE ta = g->transpose_a ? CblasTrans : CblasNoTrans, tb = g->transpose_b ? CblasTrans : CblasNoTrans;
    blasint M = (blasint)m, N = (blasint)n, K = (blasint)g->k, lda = (blasint)g->lda, ldb = (blasint)g->ldb, ldc = (blasint)g->n;
    if (g->dtype == LTH_F64)
        cblas_dgemm(CblasRowMajor, ta, tb, M, N, K, 1.0, a, lda, b, ldb, 0.0, c, ldc);
    else
        cblas_sgemm(CblasRowMajor, ta, tb, M, N, K, 1.0f, a, lda, b, ldb, 0.0f, c, ldc);
}

static bool by_small(const gemm *g, const void *a, const void *b, void *c)
{
    if (g->dtype == LTH_F64)
        cpu_kernels()->f64.gemm(g->m, g->n, g->k, a, g->lda, g->transpose_a, b, g->ldb, g->transpose_b, c);
    else
        cpu_kernels()->f32.gemm(g->m, g->n, g->k, a, g->lda, g->transpose_a, b, g->ldb, g->transpose_b, c);
    return true;
}

/* A part of one product; block: the thread's share of the workspace. On a thread of the pool libraries run on that one. */
static bool multiply(const gemm *g, const part *p, const void *a, const void *b, void *c, void *block)
{
    const int64_t size = lth_dtype_size(g->dtype), m = p->i1 - p->i0, n = p->j1 - p->j0;
    if (g->route == GEMM_SMALL)
        return by_small(g, a, b, c);
    if (m <= 0 || n <= 0)
        return true;
    if (g->route == GEMM_PANELS || g->route == GEMM_TILES) {
        (g->route == GEMM_PANELS ? by_panels : by_tiles)(g, p, a, b, c, block);
        return true;
    }
    const void *from = (const char *)a + size * p->i0 * (g->transpose_a ? 1 : g->lda);
    const void *by = (const char *)b + size * p->j0 * (g->transpose_b ? g->ldb : 1);
    void *to = (char *)c + size * (p->i0 * g->n + p->j0);
    if (g->route == GEMM_ONEDNN)
        return by_onednn(g, m, n, from, by, to, block);
    by_blas(g, m, n, from, by, to);
    return true;
}

struct gemm_call {
    const gemm *g;
    const char *a, *b;
    char *c, *workspace;
    atomic_bool refused;
};

/* Each thread takes some of the batch's matrices, or a part of the only one. */
static void task(void *context, int32_t thread, int32_t threads)
{
    struct gemm_call *call = context;
    const gemm *g = call->g;
    int64_t first, last, size = lth_dtype_size(g->dtype), parts = g->parts_m * g->parts_n, result = lth_dtype_size(g->result);
    char *block = call->workspace + thread * block_bytes(g);
    pool_share(g->batch * parts, 1, thread, threads, &first, &last);
    for (int64_t at = first; at < last; at++) {
        int64_t i = parts == 1 ? at : at / parts, r = parts == 1 ? 0 : at % parts;
        part p;
        pool_share(g->m, row_grain(g), (int32_t)(r % g->parts_m), g->parts_m, &p.i0, &p.i1);
        pool_share(g->n, column_grain(g), (int32_t)(r / g->parts_m), g->parts_n, &p.j0, &p.j1);
        if (!multiply(g, &p, call->a + size * i * g->stride_a, call->b + size * i * g->stride_b,
                      call->c + result * i * g->stride_c, block))
            call->refused = true;
    }
}

bool gemm_run(const gemm *g, const void *a, const void *b, void *c, void *workspace)
{
    struct gemm_call call = { g, a, b, c, workspace, false };
    int64_t results = g->batch * g->m * g->n;
    if (g->k == 0 && results)
        memset(c, 0, (size_t)(results * lth_dtype_size(g->result)));
    if (g->k == 0 || !results)
        return true;
    if (g->route == GEMM_ONEDNN && g->threads <= 1)
        pool_set_threads(1); /* outside the pool it would enter it by itself */
    pool_run(g->threads, task, &call);
    return !call.refused;
}

const char *gemm_route_name(gemm_route route)
{
    static const char *const names[] = { "own", "own, packed", "own, by tiles of bf16", "onednn", "openblas" };
    return names[route];
}

void gemm_versions(char *out, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    char blas[32] = "?";
    (void)sscanf(openblas_get_config(), "OpenBLAS %31s", blas);
    snprintf(out, size, "onednn=%d.%d.%d openblas=%s/%s", v->major, v->minor, v->patch, blas, openblas_get_corename());
}
