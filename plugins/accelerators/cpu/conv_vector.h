/* SPDX-License-Identifier: Apache-2.0
 * conv_vector.h: vectors of f32 (vector.h) by names that read as formulas. */
#ifndef CPU_CONV_VECTOR_H
#define CPU_CONV_VECTOR_H

#include "vector.h"

enum { FLOATS = VECTOR / (int)sizeof(float) };

typedef float vector __attribute__((vector_size(VECTOR)));
typedef vector vector_at __attribute__((aligned(4), may_alias)); /* in memory, anywhere */

static inline vector vector_load(const float *x) { return *(const vector_at *)x; }
static inline void vector_store(float *y, vector x) { *(vector_at *)y = x; }
static inline vector vector_of(float x) { return (vector)SPREAD_F32(x); }
static inline vector vector_fma(vector x, vector y, vector z) { return VECTOR_FMA_F32(x, y, z); }

#endif
