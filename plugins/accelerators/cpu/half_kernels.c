/* SPDX-License-Identifier: Apache-2.0
 * Own kernels of bf16, compiled as kernels.c is: for AVX-512 with its dot products, and plain. */
#include "half_kernels.h"

#include "conv_vector.h"

#include <string.h>

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

typedef uint32_t pairs __attribute__((vector_size(VECTOR)));
typedef pairs pairs_at __attribute__((aligned(4), may_alias));
typedef uint32_t pair_at __attribute__((aligned(2), may_alias));

static inline pairs pairs_load(const void *x) { return *(const pairs_at *)x; }

#if defined(__AVX512BF16__)
static inline pairs pairs_of(uint32_t x) { return (pairs)_mm512_set1_epi32((int)x); }
static inline vector pairs_dot(pairs x, pairs y, vector sum) { return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y); }
static inline void vector_narrow(uint16_t *y, vector x)
{
    __m256bh rounded = _mm512_cvtneps_pbh(x);
    memcpy(y, &rounded, sizeof rounded);
}
#else
static inline pairs pairs_of(uint32_t x) { return x - (pairs) { 0 }; }
static inline vector pairs_dot(pairs x, pairs y, vector sum)
{
    sum = vector_fma((vector)(x << 16), (vector)(y << 16), sum);
    return vector_fma((vector)(x & 0xFFFF0000), (vector)(y & 0xFFFF0000), sum);
}
static inline void vector_narrow(uint16_t *y, vector x)
{
    for (int i = 0; i < FLOATS; i++) {
        uint32_t bits = ((pairs)x)[i];
        y[i] = (uint16_t)(x[i] != x[i] ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
#endif

/* Elements that are multiplied by a panel's columns at once, and the panel's vectors. */
enum { LANES = 2 * FLOATS, TILE_ROWS = 8 };

typedef struct half_tile {
    vector at[TILE_ROWS][2];
} half_tile;

/* a: of each row; step: from a pair to the next. wide: two vectors, else one. */
static inline __attribute__((always_inline)) void half_terms(half_tile *s, const pair_at *const *a, int64_t step,
                                                             const uint32_t *b, int64_t count, bool wide)
{
    const pair_at *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3], *a4 = a[4], *a5 = a[5], *a6 = a[6], *a7 = a[7];
    half_tile t = *s;
    for (int64_t l = 0; l < count; l++, b += wide ? LANES : FLOATS) {
        pairs b0 = pairs_load(b), b1 = wide ? pairs_load(b + FLOATS) : b0;
#define HALF_TERM(i)                                   \
    {                                                  \
        pairs x = pairs_of(a##i[l * step]);            \
        t.at[i][0] = pairs_dot(x, b0, t.at[i][0]);     \
        if (wide)                                      \
            t.at[i][1] = pairs_dot(x, b1, t.at[i][1]); \
    }
        HALF_TERM(0)
        HALF_TERM(1)
        HALF_TERM(2)
        HALF_TERM(3)
        HALF_TERM(4)
        HALF_TERM(5)
        HALF_TERM(6)
        HALF_TERM(7)
#undef HALF_TERM
    }
    *s = t;
}

static inline __attribute__((always_inline)) void half_rows_of_panel(const cpu_half_rows *c, const uint32_t *weight,
                                                                     int64_t first, bool wide)
{
    for (int64_t m = 0; m < c->rows; m += TILE_ROWS) {
        const pair_at *a[TILE_ROWS];
        const uint32_t *b = weight;
        half_tile s = { 0 };
        int64_t rows = c->rows - m < TILE_ROWS ? c->rows - m : TILE_ROWS;
        for (int32_t r = 0; r < c->runs; r++, b += c->length / 2 * (wide ? LANES : FLOATS)) {
            for (int64_t i = 0; i < TILE_ROWS; i++)
                a[i] = (const pair_at *)(c->source + c->from[m + (i < rows ? i : 0)] + c->run[r]);
            half_terms(&s, a, 1, b, c->length / 2, wide);
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < (wide ? 2 : 1); j++) {
                int64_t to = c->to[m + i] + first + j * FLOATS;
                if (c->narrow)
                    vector_narrow((uint16_t *)c->result + to, s.at[i][j]);
                else
                    vector_store((float *)c->result + to, s.at[i][j]);
            }
    }
}

static void rows(const cpu_half_rows *c)
{
    const uint32_t *weight = (const uint32_t *)(const void *)c->weight;
    for (int64_t first = 0; first < c->columns; first += LANES) {
        bool wide = c->columns - first > FLOATS;
        if (wide)
            half_rows_of_panel(c, weight, first, true);
        else
            half_rows_of_panel(c, weight, first, false);
        weight += c->runs * c->length / 2 * (wide ? LANES : FLOATS);
    }
}

static inline __attribute__((always_inline)) void half_sums(const cpu_half_sums *c, int64_t first, bool wide)
{
    half_tile s = { 0 };
    const pair_at *a = (const pair_at *)c->rows + first * c->pairs;
    const pair_at *row[TILE_ROWS] = { a, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6, a + 7 };
    float *result = c->result + first * c->width;
    for (int64_t i = 0; i < TILE_ROWS && c->add; i++)
        for (int64_t j = 0; j < (wide ? 2 : 1); j++)
            s.at[i][j] = vector_load(result + i * c->width + j * FLOATS);
    half_terms(&s, row, TILE_ROWS, c->columns, c->pairs, wide);
    for (int64_t i = 0; i < TILE_ROWS; i++)
        for (int64_t j = 0; j < (wide ? 2 : 1); j++)
            vector_store(result + i * c->width + j * FLOATS, s.at[i][j]);
}

static void sums(const cpu_half_sums *c)
{
    for (int64_t i = 0; i < c->count; i += TILE_ROWS)
        if (c->wide)
            half_sums(c, i, true);
        else
            half_sums(c, i, false);
}

static void pair(const uint16_t *source, const int32_t *from, int64_t count, int64_t elements, uint32_t *to)
{
    for (int64_t p = 0; p + 1 < count; p += 2, to += elements) {
        const uint16_t *even = source + from[p], *odd = source + from[p + 1];
        for (int64_t i = 0; i < elements; i++)
            to[i] = even[i] | (uint32_t)odd[i] << 16;
    }
    for (int64_t i = 0; count % 2 && i < elements; i++)
        to[i] = source[from[count - 1] + i];
}

static void turn(const uint16_t *d, int64_t pixels, int64_t columns, uint32_t *to)
{
    int64_t pairs = (pixels + 1) / 2;
    for (int64_t p = 0; p < pairs; p++) {
        const uint16_t *even = d + 2 * p * columns, *odd = 2 * p + 1 < pixels ? even + columns : NULL;
        for (int64_t k = 0; k < columns; k += TILE_ROWS)
            for (int64_t i = k; i < k + TILE_ROWS; i++)
                to[k * pairs + p * TILE_ROWS + (i - k)] = even[i] | (odd ? (uint32_t)odd[i] << 16 : 0);
    }
}

static int64_t rows_room(int64_t rows, int64_t columns)
{
    (void)rows;
    (void)columns;
    return 0;
}

const cpu_half_kernel_table PASTE(cpu_half_kernels, ISA) = { .lanes = LANES,
                                                             .channels = FLOATS > (int)TILE_ROWS ? (int)FLOATS : (int)TILE_ROWS,
                                                             .tile_rows = TILE_ROWS,
                                                             .pairs = 1,
                                                             .rows_room = rows_room,
                                                             .rows = rows,
                                                             .sums = sums,
                                                             .pair = pair,
                                                             .turn = turn };
