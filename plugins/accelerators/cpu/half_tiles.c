/* SPDX-License-Identifier: Apache-2.0
 * half_tiles.c: the kernels of half_kernels.h by a processor's matrix unit (AMX), whose tiles hold 16 rows of 64 bytes; and the
 * same in plain loops, to test them by. (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.)
 *
 * A step is 32 terms. By steps lie rows, two tiles of 16 rows of 32 terms, and columns, two tiles of 16 pairs of terms of 16
 * columns each, row by row; a block of 32 rows times a panel of 32 columns so takes four products of tiles a step. Sums of more
 * than CHUNK steps are kept between one chunk and the next, so that rows and a panel stay in the first cache. */
#include "half_kernels.h"

#include <lthost/accel/tile.h>
#include <lthost/accel/tile_math.h>
#include <lthost/random.h>
#include <string.h>

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define TILE(name) PASTE(name, ISA)
#define LOOP TILE_LOOP

#include "vector.h"
#include <lthost/accel/tile_philox.h>

#define T float
#define BITS int32_t
#define NAME(name) name##_float
#include "vector_float.h"
#undef T
#undef BITS
#undef NAME

#include "vector_exp.h"

enum {
    SIDE = 32, /* rows of a block, columns of a panel, terms of a step */
    HALF = SIDE / 2,
    STEP = SIDE * SIDE, /* elements of a block or panel in a step */
    CHUNK = 16,         /* steps */
    SPAN = 2 * CHUNK,   /* steps whose columns are packed at once */
    MOST_ROWS = 512,    /* of a product at a time: their sums, and the packed columns, stay in a second cache */
    MOST_COLUMNS = 12 * SIDE
};

static int64_t whole(int64_t n, int64_t of) { return (n + of - 1) / of; }
static int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

/* ---- Tiles ---- */

#if defined(__AMX_BF16__)

typedef struct tile_file {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_file;

static const tile_file whole_tiles = { 1, 0, { 0 }, { 64, 64, 64, 64, 64, 64, 64, 64 }, { 16, 16, 16, 16, 16, 16, 16, 16 } };

/* A library on this thread may count on the tiles that it has set. */
static inline void tiles_begin(tile_file *former)
{
    __asm__ volatile("sttilecfg %0" : "=m"(*former));
    __asm__ volatile("ldtilecfg %0" : : "m"(whole_tiles));
}

static inline void tiles_end(const tile_file *former)
{
    if (former->palette)
        __asm__ volatile("ldtilecfg %0" : : "m"(*former));
    else
        __asm__ volatile("tilerelease");
}

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define TILE_LOAD(t, from, bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"((const void *)(from)), "r"((int64_t)(bytes)) : "memory")
#define TILE_STORE(t, to, bytes) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"((void *)(to)), "r"((int64_t)(bytes)) : "memory")
#define TILE_DOT(sum, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::: "memory")

#else

typedef struct tile_file {
    uint32_t at[8][16][16];
} tile_file;

static _Thread_local tile_file tiles;

static void tiles_begin(tile_file *former) { *former = tiles; }
static void tiles_end(const tile_file *former) { tiles = *former; }

static float number(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void tile_dot(uint32_t sum[16][16], uint32_t a[16][16], uint32_t b[16][16])
{
    for (int i = 0; i < 16; i++)
        for (int l = 0; l < 16; l++)
            for (int j = 0; j < 16; j++) {
                float s = number(sum[i][j]);
                s += number(a[i][l] << 16) * number(b[l][j] << 16);
                s += number(a[i][l] & 0xFFFF0000) * number(b[l][j] & 0xFFFF0000);
                memcpy(&sum[i][j], &s, sizeof s);
            }
}

static void tile_move(uint32_t tile[16][16], char *memory, int64_t bytes, bool store)
{
    for (int i = 0; i < 16; i++)
        memcpy(store ? memory + i * bytes : (void *)tile[i], store ? (const void *)tile[i] : memory + i * bytes, sizeof tile[i]);
}

#define TILE_ZERO(t) memset(tiles.at[t], 0, sizeof tiles.at[t])
#define TILE_LOAD(t, from, bytes) tile_move(tiles.at[t], (char *)(from), bytes, false)
#define TILE_STORE(t, to, bytes) tile_move(tiles.at[t], (char *)(to), bytes, true)
#define TILE_DOT(sum, a, b) tile_dot(tiles.at[sum], tiles.at[a], tiles.at[b])

#endif

static inline __attribute__((always_inline)) void begin_sums(const float *from, int64_t width)
{
    const int64_t bytes = width * (int64_t)sizeof *from;
    if (from) {
        TILE_LOAD(0, from, bytes);
        TILE_LOAD(1, from + HALF, bytes);
        TILE_LOAD(2, from + HALF * width, bytes);
        TILE_LOAD(3, from + HALF * width + HALF, bytes);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    }
}

/* A step: tiles of rows, `bytes` from row to row, by packed columns. */
static inline __attribute__((always_inline)) void add_step(const uint16_t *upper, const uint16_t *lower, int64_t bytes,
                                                           const uint16_t *b)
{
    TILE_LOAD(4, upper, bytes);
    TILE_LOAD(6, b, 128);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(7, b + SIDE, 128);
    TILE_DOT(1, 4, 7);
    TILE_LOAD(5, lower, bytes);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
}

static inline __attribute__((always_inline)) void end_sums(float *to, int64_t width)
{
    const int64_t bytes = width * (int64_t)sizeof *to;
    TILE_STORE(0, to, bytes);
    TILE_STORE(1, to + HALF, bytes);
    TILE_STORE(2, to + HALF * width, bytes);
    TILE_STORE(3, to + HALF * width + HALF, bytes);
}

/* to = [from +] a block's rows times a panel's columns, (SIDE, SIDE); widths in elements from row to row. */
static inline void multiply(const uint16_t *a, const uint16_t *b, int64_t steps, const float *from, int64_t from_width, float *to,
                            int64_t to_width)
{
    begin_sums(from, from_width);
    for (int64_t s = 0; s < steps; s++, a += STEP, b += STEP)
        add_step(a, a + STEP / 2, 64, b);
    end_sums(to, to_width);
}

/* ---- Packing a step ---- */

#if defined(__AMX_BF16__)

typedef __m512i words; /* 16 pairs of bf16, or 32 numbers */

static inline words load(const uint16_t *x, int64_t n)
{
    return n >= SIDE ? _mm512_loadu_si512(x) : n <= 0 ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi16((1u << n) - 1, x);
}

/* (16, 16) pairs turned. */
static inline void turn16(words r[16])
{
    words t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 16; i += 8)
        for (int j = i; j < i + 4; j++) {
            t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
            t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xDD);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xDD);
    }
}

/* Pairs of two rows' numbers: the first 16 and the last. */
static inline void interleave(words even, words odd, words *first, words *last)
{
    static const uint16_t index[2][SIDE] = { { 0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                               8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47 },
                                             { 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
                                               24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63 } };
    *first = _mm512_permutex2var_epi16(even, _mm512_loadu_si512(index[0]), odd);
    *last = _mm512_permutex2var_epi16(even, _mm512_loadu_si512(index[1]), odd);
}

/* Rows i of terms l, m of SIDE and k of SIDE being there, from a[i row + l step], of which one is 1. */
static void pack_rows(uint16_t *to, const uint16_t *a, int64_t row, int64_t step, int64_t m, int64_t k)
{
    if (step == 1) {
        for (int64_t i = 0; i < SIDE; i++)
            _mm512_storeu_si512(to + i * SIDE, load(a + i * row, i < m ? k : 0));
        return;
    }
    words half[2][16];
    for (int64_t p = 0; p < 16; p++)
        interleave(load(a + 2 * p * step, 2 * p < k ? m : 0), load(a + (2 * p + 1) * step, 2 * p + 1 < k ? m : 0), &half[0][p],
                   &half[1][p]);
    for (int64_t h = 0; h < 2; h++) {
        turn16(half[h]);
        for (int64_t i = 0; i < HALF; i++)
            _mm512_storeu_si512(to + (h * HALF + i) * SIDE, half[h][i]);
    }
}

/* Columns j of terms l, n of SIDE and k of SIDE being there, from b[l down + j right], of which one is 1. */
static void pack_columns(uint16_t *to, const uint16_t *b, int64_t down, int64_t right, int64_t k, int64_t n)
{
    words half[2][16];
    if (right == 1)
        for (int64_t p = 0; p < 16; p++)
            interleave(load(b + 2 * p * down, 2 * p < k ? n : 0), load(b + (2 * p + 1) * down, 2 * p + 1 < k ? n : 0),
                       &half[0][p], &half[1][p]);
    else
        for (int64_t h = 0; h < 2; h++) {
            for (int64_t j = 0; j < HALF; j++)
                half[h][j] = load(b + (h * HALF + j) * right, h * HALF + j < n ? k : 0);
            turn16(half[h]);
        }
    for (int64_t p = 0; p < 16; p++) {
        _mm512_storeu_si512(to + 2 * p * SIDE, half[0][p]);
        _mm512_storeu_si512(to + (2 * p + 1) * SIDE, half[1][p]);
    }
}

static inline void narrow(uint16_t *to, const float *from, int64_t n)
{
    if (n == SIDE) {
        __m512bh x = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + HALF), _mm512_loadu_ps(from));
        _mm512_storeu_si512(to, (__m512i)x);
        return;
    }
    for (int64_t i = 0; i < n; i += HALF) {
        __mmask16 there = n - i >= HALF ? 0xFFFF : (__mmask16)((1u << (n - i)) - 1);
        __m256bh x = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, from + i));
        _mm256_mask_storeu_epi16(to + i, there, (__m256i)x);
    }
}

#else

static void pack_rows(uint16_t *to, const uint16_t *a, int64_t row, int64_t step, int64_t m, int64_t k)
{
    for (int64_t i = 0; i < SIDE; i++)
        for (int64_t l = 0; l < SIDE; l++)
            to[i * SIDE + l] = i < m && l < k ? a[i * row + l * step] : 0;
}

static void pack_columns(uint16_t *to, const uint16_t *b, int64_t down, int64_t right, int64_t k, int64_t n)
{
    for (int64_t l = 0; l < SIDE; l++)
        for (int64_t j = 0; j < SIDE; j++)
            to[l / 2 * 2 * SIDE + 2 * j + l % 2] = l < k && j < n ? b[l * down + j * right] : 0;
}

static void narrow(uint16_t *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        to[i] = (uint16_t)(from[i] != from[i] ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}

#endif

/* ---- Convolutions ---- */

/* Bytes of packed rows of a chunk, before which nothing lies, and of the sums that follow them. */
static int64_t packed_bytes(int64_t rows) { return whole(rows, SIDE) * CHUNK * STEP * (int64_t)sizeof(uint16_t); }

static int64_t rows_room(int64_t rows, int64_t columns)
{
    return packed_bytes(rows) + whole(rows, SIDE) * whole(columns, SIDE) * STEP * (int64_t)sizeof(float);
}

/* Where a block's pixels are read: an upper and a lower tile, so many elements from pixel to pixel, and `offset` to each step. */
typedef struct pixels {
    const uint16_t *upper, *lower;
    int64_t width;
    const int32_t *offset;
} pixels;

static int64_t even_width(const int32_t *from)
{
    int32_t width = from[1] - from[0];
    bool even = width > 0;
    for (int i = 2; i < HALF && even; i++)
        even = from[i] - from[0] == i * width;
    return even ? width : 0;
}

/* A block that lies in two even rows is read where it lies. */
static bool lies_well(const cpu_half_rows *c, int64_t row, const int32_t *offset, pixels *out)
{
    const int32_t *from = c->from + row;
    if (row + SIDE > c->rows)
        return false;
    int64_t width = even_width(from);
    if (!width || width != even_width(from + HALF))
        return false;
    *out = (pixels) { c->source + from[0], c->source + from[HALF], width, offset };
    return true;
}

static void pack_pixels(const cpu_half_rows *c, int64_t row, const int32_t *offset, int64_t steps, uint16_t *to)
{
    const uint16_t *x[SIDE];
    for (int64_t i = 0; i < SIDE; i++)
        x[i] = c->source + c->from[least(row + i, c->rows - 1)];
    for (int64_t s = 0; s < steps; s++)
        for (int64_t i = 0; i < SIDE; i++, to += SIDE)
            memcpy(to, x[i] + offset[s], SIDE * sizeof *to);
}

static void put_pixels(const cpu_half_rows *c, int64_t row, int64_t column, const float *sums)
{
    for (int64_t i = 0; i < SIDE && row + i < c->rows; i++, sums += SIDE) {
        int64_t to = c->to[row + i] + column;
        if (c->narrow)
            narrow((uint16_t *)c->result + to, sums, SIDE);
        else
            memcpy((float *)c->result + to, sums, SIDE * sizeof *sums);
    }
}

/* Steps s..end - 1, packed columns from b on, of a panel from the column on. kept: the sums of a block's earlier steps. */
static void multiply_pixels(const cpu_half_rows *c, const pixels *x, int64_t row, int64_t column, int64_t s, int64_t end,
                            const uint16_t *b, float *kept)
{
    begin_sums(s ? kept : NULL, SIDE);
    for (int64_t l = 0; l < end - s; l++, b += STEP)
        add_step(x->upper + x->offset[l], x->lower + x->offset[l], x->width * (int64_t)sizeof *x->upper, b);
    end_sums(kept, SIDE);
    if (end * SIDE == c->length * c->runs)
        put_pixels(c, row, column, kept);
}

static void rows(const cpu_half_rows *c)
{
    const int64_t per_run = c->length / SIDE, steps = per_run * c->runs, blocks = whole(c->rows, SIDE);
    uint16_t *packed = c->room;
    float *kept = (float *)(void *)((char *)c->room + packed_bytes(c->rows));
    int32_t there[CHUNK], in_packed[CHUNK];
    tile_file former;
    tiles_begin(&former);
    for (int64_t s = 0; s < steps || s == 0; s += CHUNK) {
        int64_t end = least(s + CHUNK, steps);
        for (int64_t l = s; l < end; l++) {
            there[l - s] = c->run[l / per_run] + (int32_t)(l % per_run * SIDE);
            in_packed[l - s] = (int32_t)((l - s) * STEP);
        }
        for (int64_t j = 0; j < c->columns / SIDE; j++)
            for (int64_t i = 0; i < blocks; i++) {
                pixels x = { packed + i * CHUNK * STEP, packed + i * CHUNK * STEP + STEP / 2, SIDE, in_packed };
                if (!lies_well(c, i * SIDE, there, &x) && j == 0)
                    pack_pixels(c, i * SIDE, there, end - s, packed + i * CHUNK * STEP);
                multiply_pixels(c, &x, i * SIDE, j * SIDE, s, end, c->weight + (j * steps + s) * STEP,
                                kept + (j * blocks + i) * STEP);
            }
    }
    tiles_end(&former);
}

static void sums(const cpu_half_sums *c)
{
    tile_file former;
    tiles_begin(&former);
    for (int64_t i = 0; i < c->count; i += SIDE) {
        float *to = c->result + i * c->width;
        multiply((const uint16_t *)(c->rows + i * c->pairs), (const uint16_t *)c->columns, c->pairs / HALF, c->add ? to : NULL,
                 c->width, to, c->width);
    }
    tiles_end(&former);
}

static void pair(const uint16_t *source, const int32_t *from, int64_t count, int64_t elements, uint32_t *to)
{
    static const uint16_t none[SIDE];
    (void)elements; /* always SIDE */
    for (int64_t p = 0; p < count; p += SIDE, to += STEP / 2)
        for (int64_t l = 0; l < HALF; l++) {
            int64_t at = p + 2 * l;
            const uint16_t *even = at < count ? source + from[at] : none, *odd = at + 1 < count ? source + from[at + 1] : none;
#if defined(__AMX_BF16__)
            words first, last;
            interleave(load(even, SIDE), load(odd, SIDE), &first, &last);
            _mm512_storeu_si512(to + l * SIDE, first);
            _mm512_storeu_si512(to + l * SIDE + HALF, last);
#else
            for (int64_t j = 0; j < SIDE; j++)
                to[l * SIDE + j] = even[j] | (uint32_t)odd[j] << 16;
#endif
        }
}

static void turn(const uint16_t *d, int64_t pixels, int64_t columns, uint32_t *to)
{
    for (int64_t k = 0; k < columns; k += SIDE)
        for (int64_t p = 0; p < pixels; p += SIDE, to += STEP / 2)
            pack_rows((uint16_t *)to, d + p * columns + k, 1, columns, SIDE, least(pixels - p, SIDE));
}

/* ---- Products ---- */

/* How a thread's room is shared out: packed columns, packed rows of a block, sums. Bytes where each begins, and of all. */
typedef struct gemm_room {
    int64_t rows, sums, bytes;
} gemm_room;

static gemm_room gemm_room_of(int64_t m, int64_t n, int64_t k)
{
    int64_t steps = whole(k, SIDE), panels = whole(least(n, MOST_COLUMNS), SIDE),
            blocks = steps > CHUNK ? whole(least(m, MOST_ROWS), SIDE) : 0;
    gemm_room r = { .rows = panels * least(steps, SPAN) * STEP * (int64_t)sizeof(uint16_t) };
    r.sums = r.rows + least(steps, CHUNK) * STEP * (int64_t)sizeof(uint16_t);
    r.bytes = r.sums + blocks * panels * STEP * (int64_t)sizeof(float);
    return r;
}

static int64_t gemm_bytes(int64_t m, int64_t n, int64_t k) { return gemm_room_of(m, n, k).bytes; }

static void put(const cpu_half_gemm *g, int64_t i, int64_t j, const float *sums)
{
    int64_t columns = least(g->n - j, SIDE);
    for (int64_t end = least(i + SIDE, g->m); i < end; i++, sums += SIDE)
        if (g->narrow)
            narrow((uint16_t *)g->c + i * g->ldc + j, sums, columns);
        else
            memcpy((float *)g->c + i * g->ldc + j, sums, (size_t)columns * sizeof *sums);
}

/* Rows i0..i1 - 1 and columns j0..j1 - 1 of C, by steps s..end - 1. */
typedef struct span {
    int64_t i0, i1, j0, j1, s, end;
    uint16_t *columns, *rows;
    float *sums;
} span;

static void pack_span(const cpu_half_gemm *g, const span *c)
{
    uint16_t *to = c->columns;
    for (int64_t j = c->j0; j < c->j1; j += SIDE)
        for (int64_t l = c->s * SIDE; l < c->end * SIDE; l += SIDE, to += STEP)
            pack_columns(to, g->b + l * g->down + j * g->right, g->down, g->right, g->k - l, c->j1 - j);
}

/* Asks for a block of C, which lies in memory, while it is computed: else each of its lines is waited for as it is written. */
static void prefetch_block(const cpu_half_gemm *g, int64_t i, int64_t j)
{
    const int64_t size = g->narrow ? sizeof(uint16_t) : sizeof(float), line = 64;
    for (int64_t end = least(i + SIDE, g->m); i < end; i++)
        for (int64_t at = 0; at < SIDE * size; at += line)
            __builtin_prefetch((char *)g->c + (i * g->ldc + j) * size + at, 1, 3);
}

/* Steps s..end - 1 of a block, its rows being packed. */
static void multiply_chunk(const cpu_half_gemm *g, const span *c, int64_t i, int64_t s, int64_t end)
{
    int64_t panels = whole(c->j1 - c->j0, SIDE);
    for (int64_t j = 0; j < panels; j++) {
        int64_t column = c->j0 + j * SIDE;
        float *sums = c->sums + ((i - c->i0) / SIDE * panels + j) * STEP, last[STEP];
        bool ends = end * SIDE >= g->k, straight = ends && !g->narrow && i + SIDE <= g->m && column + SIDE <= g->n;
        float *to = straight ? (float *)g->c + i * g->ldc + column : ends ? last : sums;
        if (ends)
            prefetch_block(g, i, column);
        multiply(c->rows, c->columns + (j * (c->end - c->s) + s - c->s) * STEP, end - s, s ? sums : NULL, SIDE, to,
                 straight ? g->ldc : SIDE);
        if (to == last)
            put(g, i, column, last);
    }
}

static void multiply_span(const cpu_half_gemm *g, const span *c)
{
    for (int64_t i = c->i0; i < c->i1; i += SIDE)
        for (int64_t s = c->s; s < c->end; s += CHUNK) {
            int64_t end = least(s + CHUNK, c->end);
            for (int64_t l = s; l < end; l++)
                pack_rows(c->rows + (l - s) * STEP, g->a + i * g->row + l * SIDE * g->step, g->row, g->step, g->m - i,
                          g->k - l * SIDE);
            multiply_chunk(g, c, i, s, end);
        }
}

static void gemm(const cpu_half_gemm *g)
{
    gemm_room r = gemm_room_of(g->m, g->n, g->k);
    char *at = g->room;
    span c = { .columns = g->room, .rows = (uint16_t *)(void *)(at + r.rows), .sums = (float *)(void *)(at + r.sums) };
    int64_t steps = whole(g->k, SIDE);
    tile_file former;
    tiles_begin(&former);
    for (c.i0 = 0; c.i0 < g->m; c.i0 += MOST_ROWS)
        for (c.j0 = 0; c.j0 < g->n; c.j0 += MOST_COLUMNS)
            for (c.s = 0; c.s < steps; c.s += SPAN) {
                c.i1 = least(c.i0 + MOST_ROWS, g->m);
                c.j1 = least(c.j0 + MOST_COLUMNS, g->n);
                c.end = least(c.s + SPAN, steps);
                pack_span(g, &c);
                multiply_span(g, &c);
            }
    tiles_end(&former);
}

#include "attention_tiles.h"

const cpu_half_kernel_table PASTE(cpu_half_tiles, ISA) = { .lanes = SIDE,
                                                           .channels = SIDE,
                                                           .tile_rows = SIDE,
                                                           .pairs = HALF,
                                                           .rows_room = rows_room,
                                                           .rows = rows,
                                                           .sums = sums,
                                                           .pair = pair,
                                                           .turn = turn,
                                                           .gemm_room = gemm_bytes,
                                                           .gemm = gemm,
                                                           .attention_room = attention_room,
                                                           .attention = attention,
                                                           .attention_grad = attention_grad };
