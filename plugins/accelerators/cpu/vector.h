/* SPDX-License-Identifier: Apache-2.0
 * vector.h: vectors of the instruction set that is compiled for, where loops alone would not give all its speed: VECTOR bytes,
 * a number in every lane, and a multiplication with an addition, fused where the set has it, and the greater of two: the second where one is NaN. */
#ifndef CPU_VECTOR_H
#define CPU_VECTOR_H

#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR 64
#define SPREAD_F32(x) _mm512_set1_ps(x)
#define SPREAD_F64(x) _mm512_set1_pd(x)
#define VECTOR_FMA_F32(x, y, z) _mm512_fmadd_ps((x), (y), (z))
#define VECTOR_FMA_F64(x, y, z) _mm512_fmadd_pd((x), (y), (z))
#define VECTOR_MAX_F32(x, y) _mm512_max_ps((x), (y))
#define VECTOR_MAX_F64(x, y) _mm512_max_pd((x), (y))
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VECTOR 32
#define SPREAD_F32(x) _mm256_set1_ps(x)
#define SPREAD_F64(x) _mm256_set1_pd(x)
#define VECTOR_FMA_F32(x, y, z) _mm256_fmadd_ps((x), (y), (z))
#define VECTOR_FMA_F64(x, y, z) _mm256_fmadd_pd((x), (y), (z))
#define VECTOR_MAX_F32(x, y) _mm256_max_ps((x), (y))
#define VECTOR_MAX_F64(x, y) _mm256_max_pd((x), (y))
#else
#define VECTOR 16
#define SPREAD_F32(x)      \
    {                      \
        (x), (x), (x), (x) \
    }
#define SPREAD_F64(x) \
    {                 \
        (x), (x)      \
    }
#define VECTOR_FMA_F32(x, y, z) ((x) * (y) + (z))
#define VECTOR_FMA_F64(x, y, z) ((x) * (y) + (z))
#define VECTOR_MAX_F32(x, y) choose_float((x) > (y), (x), (y))
#define VECTOR_MAX_F64(x, y) choose_double((x) > (y), (x), (y))
#endif

#endif
