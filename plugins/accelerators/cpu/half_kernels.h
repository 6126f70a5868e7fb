/* SPDX-License-Identifier: Apache-2.0
 * half_kernels.h: own kernels of bf16 for images that lie channels last: products of pairs of bf16 with sums in f32, two terms an
 * instruction where the processor has AVX-512's dot products. Elsewhere the same in plain loops, which serve tests alone: there the
 * f32 kernels between two conversions are faster. */
#ifndef CPU_HALF_KERNELS_H
#define CPU_HALF_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum { HALF_TILE_ROWS = 8 };

/* A pixel is `runs` stretches of `length` elements (even, at even places) of the source, run[i] from where it begins. Weights lie
 * in panels of `lanes` columns, the last of half as many where those are enough: (run, pair, column, 2). */
typedef struct cpu_half_rows { /* result[to[m] + k] = sum over l of pixel m's element l times weight (l, k) */
    const uint16_t *source, *weight;
    const int32_t *from, *to, *run;
    void *result; /* f32, or bf16 */
    int64_t rows, length, columns; /* columns: a multiple of half a panel */
    int32_t runs;
    bool narrow; /* the result is bf16 */
} cpu_half_rows;

/* result (i, k) = [itself +] sum over pairs p of row i's pair times column k's. */
typedef struct cpu_half_sums {
    const uint32_t *rows, *columns; /* (pair, HALF_TILE_ROWS), (pair, lanes) */
    float *result;
    int64_t pairs, width; /* width: elements from one row of the result to the next */
    bool add, wide;       /* wide: all lanes, else half of them */
} cpu_half_sums;

typedef struct cpu_half_kernel_table {
    int64_t lanes;
    void (*rows)(const cpu_half_rows *c);
    void (*sums)(const cpu_half_sums *c);
    /* Pixels 2p and 2p + 1 of `count`, p by p, element by element: (pair, elements). Behind an odd one come zeros. */
    void (*pair)(const uint16_t *source, const int32_t *from, int64_t count, int64_t elements, uint32_t *to);
} cpu_half_kernel_table;

/* NULL: bf16 is not the faster way here. */
const cpu_half_kernel_table *cpu_half_kernels(void);

extern const cpu_half_kernel_table cpu_half_kernels_baseline;
#if defined(__x86_64__)
extern const cpu_half_kernel_table cpu_half_kernels_avx512bf16;
#endif

#endif
