/* SPDX-License-Identifier: Apache-2.0
 * isa.h: own kernels, compiled once for each instruction set from the same source and chosen by the processor at run time:
 * one binary for all x86-64, and plain C elsewhere. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include <stdbool.h>
#include <stdint.h>

#define KERNEL_LANES 16 /* small products pad B's rows to this many elements */

typedef struct cpu_kernel_table {
    const char *name; /* "avx512", "avx2", "baseline" */
    /* C (m, n) = op(A) op(B), small: k * (n rounded up to KERNEL_LANES) <= 4096. */
    void (*gemm_f32)(int64_t m, int64_t n, int64_t k, const float *a, bool transpose_a, const float *b, bool transpose_b, float *c);
    void (*gemm_f64)(int64_t m, int64_t n, int64_t k, const double *a, bool transpose_a, const double *b, bool transpose_b, double *c);
} cpu_kernel_table;

/* The table for this processor; LTHOST_CPU_ISA=baseline|avx2|avx512 in the environment asks for a lesser one. Constant
 * after the first call. */
const cpu_kernel_table *cpu_kernels(void);

extern const cpu_kernel_table cpu_kernels_baseline;
#if defined(__x86_64__)
extern const cpu_kernel_table cpu_kernels_avx2, cpu_kernels_avx512;
#endif

#endif
