/* SPDX-License-Identifier: Apache-2.0
 * isa.h: own kernels, compiled once for each instruction set from the same source and chosen by the processor at run time:
 * one binary for all x86-64, and plain C elsewhere. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include "attention.h"
#include "rnn.h"

#include <lthost/accel/tile.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_LANES 16     /* small products pad B's rows to this many elements */
#define CPU_PANEL_DEPTH 256 /* rows of a packed matrix that others pass by at once */

/* Kernels for the floating type T. Rows of C elements lie one after the other; targets are 0..C-1. */
#define CPU_FLOAT_KERNELS(T)                                                                                                    \
    struct {                                                                                                                    \
        /* C (m, n) = op(A) op(B), small: k * (n rounded up to KERNEL_LANES) <= 4096. */                                        \
        void (*gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t lda, bool transpose_a, const T *b, int64_t ldb,       \
                     bool transpose_b, T *c);                                                                                   \
        double (*sum)(const T *x, int64_t n);                                                                                   \
        void (*add)(double *total, const T *x, int64_t n); /* total[i] += x[i] */                                               \
        void (*add_rows)(double *total, const T *x, int64_t step, int64_t rows, int64_t n); /* the same for rows, in order */   \
        T (*max)(const T *x, int64_t n);                   /* NaN wins; -inf of nothing */                                      \
        T (*min)(const T *x, int64_t n);                                                                                        \
        void (*max_of)(T * best, const T *x, int64_t n); /* best[i] = the greater of best[i] and x[i] */                        \
        void (*min_of)(T * best, const T *x, int64_t n);                                                                        \
        int64_t (*place)(const T *x, int64_t n, bool greatest); /* of the first extreme, n > 0 */                               \
        void (*softmax)(const T *x, T *y, int64_t rows, int64_t C);                                                             \
        void (*log_softmax)(const T *x, T *y, int64_t rows, int64_t C);                                                         \
        void (*logsumexp)(const T *x, T *y, int64_t rows, int64_t C);                                                           \
        void (*cross_entropy)(const T *x, const int64_t *target, T *loss, T *lse, int64_t rows, int64_t C);                     \
        void (*cross_entropy_grad)(const T *x, const int64_t *target, const T *lse, const T *d, T *y, int64_t rows, int64_t C); \
        void (*layer_norm)(const T *x, T eps, T *y, T *rstd, int64_t rows, int64_t K);                                          \
        void (*rms_norm)(const T *x, T eps, T *y, T *rrms, int64_t rows, int64_t K);                                            \
        int64_t (*attention_room)(const cpu_attention *a, bool back);                         /* bytes that a thread needs */   \
        void (*attention)(const cpu_attention *a, int64_t first, int64_t last, T *room);      /* blocks of queries */           \
        void (*attention_grad)(const cpu_attention *a, int64_t first, int64_t last, T *room); /* groups of keys */              \
        /* to (columns, rows) = from (rows, columns) times scale. */                                                            \
        void (*turn)(T * to, int64_t ldt, const T *from, int64_t ldf, int64_t rows, int64_t columns, T scale);                  \
        int64_t lanes;                 /* of a vector */                                                                        \
        int64_t (*panels)(int64_t n);  /* in which n columns are packed */                                                      \
        /* Packs panels first..last of op(B) (k, n): k times n, rounded up to whole vectors, elements in all. */                \
        void (*panel_pack)(int64_t k, int64_t n, const T *b, int64_t ldb, bool transpose_b, T *to, int64_t first, int64_t last); \
        /* C (m, n) = A B, or C + A B; element (i, l) of A is a[i row + l step]. ldb: 0 where B is packed, else its rows are so \
         * many elements apart, and n is whole vectors. */                                                                      \
        void (*panel_gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t row, int64_t step, const T *b, int64_t ldb,     \
                           T *c, int64_t ldc, bool add);                                                                        \
        cpu_rnn_cell *rnn[CPU_RNN_CELLS];                                                                                       \
        cpu_rnn_cell_back *rnn_back[CPU_RNN_CELLS];                                                                             \
    }

typedef struct cpu_kernel_table {
    const char *name; /* "avx512", "avx2", "baseline" */
    bool has_wide_vectors; /* of 64 bytes */
    accel_tile_function *tile;
    CPU_FLOAT_KERNELS(float) f32;
    CPU_FLOAT_KERNELS(double) f64;
} cpu_kernel_table;

/* Chooses the table: the processor's best, or the one `wanted`. False: the processor has no such set. names: those that it
 * has, "avx2, baseline". [main] */
bool cpu_kernels_choose(const char *wanted, char *names, size_t size);
/* The chosen one. */
const cpu_kernel_table *cpu_kernels(void);

extern const cpu_kernel_table cpu_kernels_baseline;
#if defined(__x86_64__)
extern const cpu_kernel_table cpu_kernels_avx2, cpu_kernels_avx512;
#endif

#endif
