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
    GEMM_ONEDNN, /* fp32 */
    GEMM_BLAS    /* fp64, and fp32 where OpenBLAS is faster on one thread */
} gemm_route;

typedef struct gemm {
    int64_t m, n, k, batch;
    int64_t lda, ldb;                     /* elements from one stored row to the next; C is dense */
    int64_t stride_a, stride_b, stride_c; /* elements from one matrix of the batch to the next; 0: the same one */
    lth_dtype dtype;                      /* F32 or F64 */
    int32_t threads;
    bool transpose_a, transpose_b; /* A lies as (k, m); B lies as (n, k) */
    gemm_route route;
} gemm;

/* Holds the libraries to the rules of this plugin. Before anything else. */
void gemm_open(void);
/* Fills `route` from the rest. */
void gemm_plan(gemm *g);
/* C must not overlap A or B. False when a library refuses. */
bool gemm_run(const gemm *g, const void *a, const void *b, void *c);
const char *gemm_route_name(gemm_route route);
/* "onednn=2.6.3 openblas=0.3.21/Zen", for the fingerprint. */
void gemm_versions(char *out, size_t size);

#endif
