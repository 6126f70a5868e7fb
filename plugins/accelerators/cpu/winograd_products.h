/* SPDX-License-Identifier: Apache-2.0
 * winograd_products.h: the products between Winograd's transforms, in registers: some rows by two vectors. As conv_tiles.h's, but
 * that rows lie at equal distances, and come in whole vectors of channels.
 *
 * Each element is one sum in the order of its terms, so bits do not depend on how rows are shared out among threads. */

/* Rows that are made at once: by the registers, and with WINO_SUMS a part of a vector. */
enum { WINO_ROWS = VECTOR == 64 ? 8 : 6, WINO_SUMS = VECTOR == 64 ? 8 : 4 };

/* s += rows of a by a panel's `count` rows: element l of row i is at a[i][l * step]. */
#define WINO_TERMS(ROWS)                                               \
    for (int64_t l = 0; l < count; l++, b += wide ? 2 * FLOATS : FLOATS) { \
        vector b0 = vector_load(b), b1 = wide ? vector_load(b + FLOATS) : b0; \
        for (int i = 0; i < ROWS; i++) {                               \
            vector x = vector_of(a[i][l * step]);                      \
            s[i][0] = vector_fma(x, b0, s[i][0]);                      \
            if (wide)                                                  \
                s[i][1] = vector_fma(x, b1, s[i][1]);                  \
        }                                                              \
    }

static inline __attribute__((always_inline)) void wino_rows_of_panel(const cpu_winograd_rows *c, const float *weight, int64_t first,
                                                                     bool wide)
{
    const int64_t step = 1, count = c->channels;
    for (int64_t m = 0; m < c->rows; m += WINO_ROWS) {
        int64_t rows = c->rows - m < WINO_ROWS ? c->rows - m : WINO_ROWS;
        const float *a[WINO_ROWS], *b = weight;
        vector s[WINO_ROWS][2];
        for (int i = 0; i < WINO_ROWS; i++) {
            a[i] = c->source + (m + (i < rows ? i : 0)) * c->channels;
            s[i][0] = s[i][1] = vector_of(0);
        }
        WINO_TERMS(WINO_ROWS)
        float *y = c->result + m * c->columns + first;
        for (int i = 0; i < WINO_ROWS && i < rows; i++, y += c->columns) {
            vector_store(y, s[i][0]);
            if (wide)
                vector_store(y + FLOATS, s[i][1]);
        }
    }
}

static void winograd_rows(const cpu_winograd_rows *c)
{
    const float *weight = c->weight;
    for (int64_t first = 0; first < c->columns; first += 2 * FLOATS) {
        bool wide = c->columns - first > FLOATS;
        if (wide)
            wino_rows_of_panel(c, weight, first, true);
        else
            wino_rows_of_panel(c, weight, first, false);
        weight += c->channels * (wide ? 2 * FLOATS : FLOATS);
    }
}

static inline __attribute__((always_inline)) void wino_sums_of_panel(const cpu_winograd_sums *c, const float *from, const float *b,
                                                                     float *y, bool wide)
{
    const int64_t step = FLOATS, count = c->tiles;
    const float *a[WINO_SUMS];
    vector s[WINO_SUMS][2];
    for (int i = 0; i < WINO_SUMS; i++) {
        a[i] = from + i;
        s[i][0] = c->add ? vector_load(y + i * c->columns) : vector_of(0);
        s[i][1] = c->add && wide ? vector_load(y + i * c->columns + FLOATS) : vector_of(0);
    }
    WINO_TERMS(WINO_SUMS)
    for (int i = 0; i < WINO_SUMS; i++) {
        vector_store(y + i * c->columns, s[i][0]);
        if (wide)
            vector_store(y + i * c->columns + FLOATS, s[i][1]);
    }
}

static void winograd_sums(const cpu_winograd_sums *c)
{
    for (int64_t m = 0; m < c->channels; m += WINO_SUMS) {
        const float *from = c->source + m / FLOATS * FLOATS * c->tiles + m % FLOATS, *d = c->gradient;
        for (int64_t first = 0; first < c->columns; first += 2 * FLOATS) {
            bool wide = c->columns - first > FLOATS;
            if (wide)
                wino_sums_of_panel(c, from, d, c->result + m * c->columns + first, true);
            else
                wino_sums_of_panel(c, from, d, c->result + m * c->columns + first, false);
            d += c->tiles * (wide ? 2 * FLOATS : FLOATS);
        }
    }
}
#undef WINO_TERMS
