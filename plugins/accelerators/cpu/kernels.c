/* SPDX-License-Identifier: Apache-2.0
 * All own kernels for one instruction set: compiled with ISA set to its name, and with the compiler's flags for it. */
#include "isa.h"

#include <math.h>
#include <string.h>

/* Where the instruction set has no fma, a call of fma() would be emulated: multiply and add instead. */
#if defined(__FMA__) || defined(__aarch64__)
#define FMA_F32(x, y, z) __builtin_fmaf((x), (y), (z))
#define FMA_F64(x, y, z) __builtin_fma((x), (y), (z))
#else
#define FMA_F32(x, y, z) ((x) * (y) + (z))
#define FMA_F64(x, y, z) ((x) * (y) + (z))
#endif

#define T float
#define FMA FMA_F32
#define NAME gemm_f32
#include "gemm_small.h"
#undef T
#undef FMA
#undef NAME

#define T double
#define FMA FMA_F64
#define NAME gemm_f64
#include "gemm_small.h"
#undef T
#undef FMA
#undef NAME

#define TABLE_(isa) cpu_kernels_##isa
#define TABLE(isa) TABLE_(isa)
#define TEXT_(isa) #isa
#define TEXT(isa) TEXT_(isa)

const cpu_kernel_table TABLE(ISA) = { .name = TEXT(ISA), .gemm_f32 = gemm_f32, .gemm_f64 = gemm_f64 };
