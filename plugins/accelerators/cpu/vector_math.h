/* SPDX-License-Identifier: Apache-2.0
 * vector_math.h: functions of vectors, and of blocks of them, that differ between the types. */

#include "vector_exp.h"

static inline vec_double exp_vector_double(vec_double x)
{
    for (int i = 0; i < VL_double; i++)
        x[i] = tile_exp_f64(x[i]);
    return x;
}

#ifdef __clang__
#define INTERLEAVE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define INTERLEAVE(a, b, ...) __builtin_shuffle(a, b, (four_ints) { __VA_ARGS__ })
typedef int32_t four_ints __attribute__((vector_size(16)));
#endif
typedef float four_floats __attribute__((vector_size(16)));
typedef float four_floats_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

static inline four_floats four_at(const float *x) { return *(const four_floats_anywhere *)x; }
static inline void put_four(float *x, four_floats v) { *(four_floats_anywhere *)x = v; }

static inline void turn_four(float *t, int64_t ldt, const float *f, int64_t ldf, float scale)
{
    four_floats a = four_at(f) * scale, b = four_at(f + ldf) * scale, c = four_at(f + 2 * ldf) * scale;
    four_floats d = four_at(f + 3 * ldf) * scale;
    four_floats ab = INTERLEAVE(a, b, 0, 4, 1, 5), cd = INTERLEAVE(c, d, 0, 4, 1, 5);
    four_floats AB = INTERLEAVE(a, b, 2, 6, 3, 7), CD = INTERLEAVE(c, d, 2, 6, 3, 7);
    put_four(t, INTERLEAVE(ab, cd, 0, 1, 4, 5));
    put_four(t + ldt, INTERLEAVE(ab, cd, 2, 3, 6, 7));
    put_four(t + 2 * ldt, INTERLEAVE(AB, CD, 0, 1, 4, 5));
    put_four(t + 3 * ldt, INTERLEAVE(AB, CD, 2, 3, 6, 7));
}

#if defined(__AVX512F__)
enum { TURNED = 16 };
/* A block of TURNED by TURNED: rows of pairs, of fours, then whole quarters change places. */
static inline void turn_block(float *t, int64_t ldt, const float *f, int64_t ldf, float scale)
{
    __m512 r[16], p[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        r[i] = load_float(f + i * ldf) * scale;
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        p[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        p[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) { /* r[i + j]: column j of each quarter, of rows i to i + 3 */
        r[i] = _mm512_shuffle_ps(p[i], p[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(p[i], p[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(p[i + 1], p[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(p[i + 1], p[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
        __m512 c = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
        store_float(t + j * ldt, _mm512_shuffle_f32x4(a, b, 0x88));
        store_float(t + (4 + j) * ldt, _mm512_shuffle_f32x4(c, d, 0x88));
        store_float(t + (8 + j) * ldt, _mm512_shuffle_f32x4(a, b, 0xdd));
        store_float(t + (12 + j) * ldt, _mm512_shuffle_f32x4(c, d, 0xdd));
    }
}
#else
enum { TURNED = 4 };
#define turn_block turn_four
#endif

/* to (columns, rows) = from (rows, columns) times scale. */
static void turn_float(float *to, int64_t ldt, const float *from, int64_t ldf, int64_t rows, int64_t columns, float scale)
{
    int64_t right = rows / TURNED * TURNED, down = columns / TURNED * TURNED;
    for (int64_t i = 0; i < right; i += TURNED)
        for (int64_t j = 0; j < down; j += TURNED)
            turn_block(to + j * ldt + i, ldt, from + i * ldf + j, ldf, scale);
    for (int64_t i = 0; i + 4 <= rows; i += 4)
        for (int64_t j = i < right ? down : 0; j + 4 <= columns; j += 4)
            turn_four(to + j * ldt + i, ldt, from + i * ldf + j, ldf, scale);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i < rows / 4 * 4 ? columns / 4 * 4 : 0; j < columns; j++)
            to[j * ldt + i] = from[i * ldf + j] * scale;
}
#undef INTERLEAVE

static void turn_double(double *to, int64_t ldt, const double *from, int64_t ldf, int64_t rows, int64_t columns, double scale)
{
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++)
            to[j * ldt + i] = from[i * ldf + j] * scale;
}

/* n elements as T, from bf16 where `narrow`, times scale; and back. */
static void widen_float(float *to, const void *from, int64_t n, bool narrow)
{
    if (narrow)
        LOOP for (int64_t i = 0; i < n; i++) to[i] = tile_of_bf16(((const uint16_t *)from)[i]);
    else
        memcpy(to, from, (size_t)n * sizeof *to);
}

static void narrow_float(void *to, const float *from, int64_t n, bool narrow)
{
    if (narrow)
        LOOP for (int64_t i = 0; i < n; i++)((uint16_t *)to)[i] = tile_bf16(from[i]);
    else
        memcpy(to, from, (size_t)n * sizeof *from);
}

static void widen_double(double *to, const void *from, int64_t n, bool narrow)
{
    (void)narrow;
    memcpy(to, from, (size_t)n * sizeof *to);
}

static void narrow_double(void *to, const double *from, int64_t n, bool narrow)
{
    (void)narrow;
    memcpy(to, from, (size_t)n * sizeof *from);
}
