/* SPDX-License-Identifier: Apache-2.0
 * conv_tiles.h: the two products that convolutions of channels-last images are made of, in registers: six rows by two vectors.
 *
 * Each element is one sum in the order of its terms, so bits do not depend on how rows are shared out among threads. */

enum { CONV_LANES = 2 * FLOATS };

typedef struct conv_tile {
    vector at[CONV_TILE_ROWS][2];
} conv_tile;

/* wide: two vectors, else one. */
static inline __attribute__((always_inline)) void conv_terms(conv_tile *s, const float *const *a, int64_t step, const float *b,
                                                             int64_t count, bool wide)
{
    const float *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3], *a4 = a[4], *a5 = a[5];
    conv_tile t = *s;
    for (int64_t l = 0; l < count; l++, b += wide ? CONV_LANES : FLOATS) {
        vector b0 = vector_load(b), b1 = wide ? vector_load(b + FLOATS) : b0;
#define CONV_TERM(i)                                    \
    {                                                   \
        vector x = vector_of(a##i[l * step]);           \
        t.at[i][0] = vector_fma(x, b0, t.at[i][0]);     \
        if (wide)                                       \
            t.at[i][1] = vector_fma(x, b1, t.at[i][1]); \
    }
        CONV_TERM(0)
        CONV_TERM(1)
        CONV_TERM(2)
        CONV_TERM(3)
        CONV_TERM(4)
        CONV_TERM(5)
#undef CONV_TERM
    }
    *s = t;
}

/* n elements of a row of sums, of which there may be fewer than lanes. */
static inline void conv_keep(const vector *sum, float *y, int64_t n)
{
    float rest[CONV_LANES];
    if (n >= CONV_LANES) {
        vector_store(y, sum[0]);
        vector_store(y + FLOATS, sum[1]);
        return;
    }
    vector_store(rest, sum[0]);
    vector_store(rest + FLOATS, sum[1]);
    memcpy(y, rest, (size_t)n * sizeof *y);
}

static inline __attribute__((always_inline)) void conv_rows_of_panel(const cpu_conv_rows *c, const float *weight, int64_t first,
                                                                     bool wide)
{
    int64_t columns = c->columns - first < CONV_LANES ? c->columns - first : CONV_LANES;
    for (int64_t m = 0; m < c->rows; m += CONV_TILE_ROWS) {
        const float *a[CONV_TILE_ROWS], *b = weight;
        conv_tile s = { 0 };
        int64_t rows = c->rows - m < CONV_TILE_ROWS ? c->rows - m : CONV_TILE_ROWS;
        for (int32_t r = 0; r < c->runs; r++, b += c->length * (wide ? CONV_LANES : FLOATS)) {
            for (int64_t i = 0; i < CONV_TILE_ROWS; i++)
                a[i] = c->source + c->from[m + (i < rows ? i : 0)] + c->run[r];
            conv_terms(&s, a, 1, b, c->length, wide);
        }
        for (int64_t i = 0; i < rows; i++)
            conv_keep(s.at[i], c->result + c->to[m + i] + first, columns);
    }
}

static void conv_rows(const cpu_conv_rows *c)
{
    const float *weight = c->weight;
    for (int64_t first = 0; first < c->columns; first += CONV_LANES) {
        bool wide = c->columns - first > FLOATS;
        if (wide)
            conv_rows_of_panel(c, weight, first, true);
        else
            conv_rows_of_panel(c, weight, first, false);
        weight += c->runs * c->length * (wide ? CONV_LANES : FLOATS);
    }
}

/* The same sums where pixels lie apart: there are so few columns that putting them together would cost more. */
static inline __attribute__((always_inline)) void conv_terms_apart(conv_tile *s, const float *source, const int32_t *from,
                                                                   int64_t rows, const float *b, int64_t count)
{
    int64_t o1 = rows > 1 ? 1 : 0, o2 = rows > 2 ? 2 : 0, o3 = rows > 3 ? 3 : 0, o4 = rows > 4 ? 4 : 0, o5 = rows > 5 ? 5 : 0;
    conv_tile t = *s;
    for (int64_t p = 0; p < count; p++, b += FLOATS) {
        const float *a = source + from[p];
        vector x = vector_load(b);
        t.at[0][0] = vector_fma(vector_of(a[0]), x, t.at[0][0]);
        t.at[1][0] = vector_fma(vector_of(a[o1]), x, t.at[1][0]);
        t.at[2][0] = vector_fma(vector_of(a[o2]), x, t.at[2][0]);
        t.at[3][0] = vector_fma(vector_of(a[o3]), x, t.at[3][0]);
        t.at[4][0] = vector_fma(vector_of(a[o4]), x, t.at[4][0]);
        t.at[5][0] = vector_fma(vector_of(a[o5]), x, t.at[5][0]);
    }
    *s = t;
}

/* a: six elements of each pixel; NULL: they are where they are, at `from`. */
static inline __attribute__((always_inline)) void conv_sum_panel(const cpu_conv_sums *c, const float *a, const float *from,
                                                                 const float *d, float *y, int64_t rows, bool wide)
{
    conv_tile s = { 0 };
    for (int64_t i = 0; i < rows && c->add; i++) {
        s.at[i][0] = vector_load(y + i * c->width);
        if (wide)
            s.at[i][1] = vector_load(y + i * c->width + FLOATS);
    }
    if (a) {
        const float *column[CONV_TILE_ROWS] = { a, a + 1, a + 2, a + 3, a + 4, a + 5 };
        conv_terms(&s, column, CONV_TILE_ROWS, d, c->pixels, wide);
    } else {
        conv_terms_apart(&s, from, c->from, rows, d, c->pixels);
    }
    for (int64_t i = 0; i < rows; i++) {
        vector_store(y + i * c->width, s.at[i][0]);
        if (wide)
            vector_store(y + i * c->width + FLOATS, s.at[i][1]);
    }
}

static void conv_sums(const cpu_conv_sums *c)
{
    float *a = c->columns <= FLOATS ? NULL : c->scratch;
    for (int64_t m = c->first; m < c->last;) {
        int64_t run = m / c->length, at = m % c->length, rows = c->length - at;
        rows = rows < CONV_TILE_ROWS ? rows : CONV_TILE_ROWS;
        rows = rows < c->last - m ? rows : c->last - m;
        const float *from = c->source + c->run[run] + at, *d = c->gradient;
        for (int64_t p = 0; p < c->pixels && a; p++)
            for (int64_t i = 0; i < CONV_TILE_ROWS; i++)
                a[p * CONV_TILE_ROWS + i] = from[c->from[p] + (i < rows ? i : 0)];
        for (int64_t first = 0; first < c->columns; first += CONV_LANES) {
            bool wide = c->columns - first > FLOATS;
            if (wide)
                conv_sum_panel(c, a, from, d, c->result + m * c->width + first, rows, true);
            else
                conv_sum_panel(c, a, from, d, c->result + m * c->width + first, rows, false);
            d += c->pixels * (wide ? CONV_LANES : FLOATS);
        }
        m += rows;
    }
}
