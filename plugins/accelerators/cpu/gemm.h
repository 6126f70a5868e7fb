/* SPDX-License-Identifier: Apache-2.0
 * gemm.h: matrix products, row-major: C (m, n) = op(A) (m, k) op(B) (k, n), batched.
 *
 * Which library computes one is decided by a static table of shapes (gemm.c), never by a timing: bits must not depend on
 * the moment. */
#ifndef CPU_GEMM_H
#define CPU_GEMM_H

#include <lthost/base.h>

typedef enum gemm_route {
    GEMM_SMALL,  /* own loops: under a microsecond, where a library's call costs more than the product */
    GEMM_PANELS, /* fp32: own, with B packed, a part of it at a time */
    GEMM_TILES,  /* bf16: own, by a matrix unit (half_kernels.h) */
    GEMM_ONEDNN, /* large fp32 */
    GEMM_BLAS    /* fp64 */
} gemm_route;

typedef struct gemm {
    int64_t m, n, k, batch;
    int64_t lda, ldb;                     /* elements from one stored row to the next; C is dense */
    int64_t stride_a, stride_b, stride_c; /* elements from one matrix of the batch to the next; 0: the same one */
    lth_dtype dtype, result;              /* of A and B: F32, F64, or BF16 where there is a matrix unit; of C: as A's, or F32 */
    int32_t threads;
    bool transpose_a, transpose_b; /* A lies as (k, m); B lies as (n, k) */
    gemm_route route;
    bool turns_b;             /* ONEDNN: B is turned before */
    int32_t parts_m, parts_n; /* into which C is cut for the threads */
} gemm;

/* Holds the libraries to the rules of this plugin. Before anything else. */
void gemm_open(void);
/* Fills `route` and what follows it from the rest. */
void gemm_plan(gemm *g);
/* Bytes of workspace that the product wants. */
int64_t gemm_workspace(const gemm *g);
/* C must not overlap A or B. False when a library refuses. */
bool gemm_run(const gemm *g, const void *a, const void *b, void *c, void *workspace);
const char *gemm_route_name(gemm_route route);
/* "onednn=2.6.3 openblas=0.3.21/Zen", for the fingerprint. */
void gemm_versions(char *out, size_t size);

#endif
