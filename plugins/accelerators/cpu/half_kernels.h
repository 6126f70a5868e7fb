/* SPDX-License-Identifier: Apache-2.0
 * half_kernels.h: own kernels of bf16: for images that lie channels last, and where there is a matrix unit for products and
 * attention as well. They multiply pairs of bf16 with sums in f32, by AVX-512's dot products (half_kernels.c) or by the matrix
 * unit (half_tiles.c). Elsewhere both run in plain loops, which serve tests alone: there the f32 kernels between two conversions
 * are faster. */
#ifndef CPU_HALF_KERNELS_H
#define CPU_HALF_KERNELS_H

#include "attention.h"

#include <stdbool.h>
#include <stdint.h>

/* A pixel is `runs` stretches of `length` elements (even, at even places) of the source, run[i] from where it begins. Weights lie
 * in panels of `lanes` columns, the last of half as many where those are enough: (run, pair, column, 2). */
typedef struct cpu_half_rows { /* result[to[m] + k] = sum over l of pixel m's element l times weight (l, k) */
    const uint16_t *source, *weight;
    const int32_t *from, *to, *run;
    void *result;                  /* f32, or bf16 */
    int64_t rows, length, columns; /* columns: a multiple of half a panel */
    int32_t runs;
    bool narrow; /* the result is bf16 */
    void *room;  /* rows_room() bytes */
} cpu_half_rows;

/* result (i, k) = [itself +] sum over pairs p of row i's pair times column k's, i < count, a multiple of tile_rows. */
typedef struct cpu_half_sums {
    const uint32_t *rows, *columns; /* as turn() and pair() left them */
    float *result;
    int64_t count, pairs, width; /* width: elements from one row of the result to the next */
    bool add, wide;              /* wide: all lanes, else half of them */
} cpu_half_sums;

/* C (m, n) = A B: element (i, l) of A is a[i row + l step], element (l, j) of B is b[l down + j right], where of row and step,
 * and of down and right, one is 1. */
typedef struct cpu_half_gemm {
    int64_t m, n, k, row, step, down, right, ldc;
    const uint16_t *a, *b;
    void *c;     /* f32, or bf16 */
    bool narrow; /* C is bf16 */
    void *room;  /* gemm_room() bytes */
} cpu_half_gemm;

typedef struct cpu_half_kernel_table {
    int64_t lanes;     /* of a panel */
    int64_t channels;  /* of which those of an image are a multiple */
    int64_t tile_rows; /* rows of sums() */
    int64_t pairs;     /* of which pixels come in multiples, filled up with zeros, for sums() */
    int64_t (*rows_room)(int64_t rows, int64_t columns);
    void (*rows)(const cpu_half_rows *c);
    void (*sums)(const cpu_half_sums *c);
    /* Pixels 2p and 2p + 1 of `count`, p by p, element by element: (pair, elements). */
    void (*pair)(const uint16_t *source, const int32_t *from, int64_t count, int64_t elements, uint32_t *to);
    /* The same of d (pixels, columns), by tile_rows columns at a time, in an order of its own: `columns` times all pairs. */
    void (*turn)(const uint16_t *d, int64_t pixels, int64_t columns, uint32_t *to);
    int64_t (*gemm_room)(int64_t m, int64_t n, int64_t k); /* falls with none of them */
    void (*gemm)(const cpu_half_gemm *g);                  /* NULL: it has none, and none of what follows */
    /* Attention of bf16, as in isa.h. */
    int64_t (*attention_room)(const cpu_attention *a, bool back);
    void (*attention)(const cpu_attention *a, int64_t first, int64_t last, void *room);
    void (*attention_grad)(const cpu_attention *a, int64_t first, int64_t last, void *room);
} cpu_half_kernel_table;

/* What multiplies images of so many channels and products; NULL: bf16 is not the faster way here. */
const cpu_half_kernel_table *cpu_half_conv_kernels(int64_t channels, int64_t columns);
const cpu_half_kernel_table *cpu_half_gemm_kernels(void);

extern const cpu_half_kernel_table cpu_half_kernels_baseline, cpu_half_tiles_baseline;
#if defined(__x86_64__)
extern const cpu_half_kernel_table cpu_half_kernels_avx512bf16, cpu_half_tiles_amx;
#endif

#endif
