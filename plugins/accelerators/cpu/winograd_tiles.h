/* SPDX-License-Identifier: Apache-2.0
 * winograd_tiles.h: the transforms of Winograd's convolution F(4 x 4, 3 x 3) (Lavin, Gray 2015), a vector of channels at a time.
 *
 * Polynomials are taken at 0, a, -a, b, -b and infinity, a = 3/4 and b = 3/2. So the source's transform is of numbers that f32
 * has exactly, and errors stay within twice those of a sum term by term; at the usual 1 and 2 they are twice as large again. */

#define WINO_A 0.75f
#define WINO_B 1.5f
#define WINO_A2 0.5625f
#define WINO_B2 2.25f
#define WINO_FA (-1.8984375f) /* 2 a^2 (a^2 - b^2) */
#define WINO_FB 7.59375f      /* 2 b^2 (b^2 - a^2) */

static inline vector wino_scaled(float s, vector x) { return vector_of(s) * x; }
static inline vector wino_plus(float s, vector x, vector y) { return vector_fma(vector_of(s), x, y); } /* s x + y */

/* Six elements to six: products of (x - p) over the other points p. */
static inline void wino_source(const vector d[6], vector t[6])
{
    vector even = wino_plus(-WINO_B2, d[2], d[4]), odd = wino_scaled(WINO_A, wino_plus(-WINO_B2, d[1], d[3]));
    t[0] = wino_plus(WINO_A2 * WINO_B2, d[0], wino_plus(-(WINO_A2 + WINO_B2), d[2], d[4]));
    t[1] = even + odd;
    t[2] = even - odd;
    even = wino_plus(-WINO_A2, d[2], d[4]);
    odd = wino_scaled(WINO_B, wino_plus(-WINO_A2, d[1], d[3]));
    t[3] = even + odd;
    t[4] = even - odd;
    t[5] = wino_plus(WINO_A2 * WINO_B2, d[1], wino_plus(-(WINO_A2 + WINO_B2), d[3], d[5]));
}

/* Three or four coefficients to their values at the points. */
static inline void wino_values(const vector *g, int count, vector u[6])
{
    vector zero = vector_of(0), third = count > 3 ? g[3] : zero;
    vector even = wino_plus(WINO_A2, g[2], g[0]), odd = wino_plus(WINO_A2, third, g[1]);
    u[0] = wino_scaled(1 / (WINO_A2 * WINO_B2), g[0]);
    even = wino_scaled(1 / WINO_FA, even);
    odd = wino_scaled(WINO_A / WINO_FA, odd);
    u[1] = even + odd;
    u[2] = even - odd;
    even = wino_scaled(1 / WINO_FB, wino_plus(WINO_B2, g[2], g[0]));
    odd = wino_scaled(WINO_B / WINO_FB, wino_plus(WINO_B2, third, g[1]));
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = count > 3 ? third : g[2];
}

/* Back: three or four elements of the result. */
static inline void wino_result(const vector m[6], int count, vector *y)
{
    vector p1 = m[1] + m[2], q1 = m[1] - m[2], p2 = m[3] + m[4], q2 = m[3] - m[4];
    y[0] = m[0] + (p1 + p2);
    y[1] = wino_plus(WINO_A, q1, wino_scaled(WINO_B, q2));
    y[2] = wino_plus(WINO_A2, p1, wino_scaled(WINO_B2, p2));
    if (count > 3)
        y[3] = wino_plus(WINO_A * WINO_A2, q1, wino_plus(WINO_B * WINO_B2, q2, m[5]));
    else
        y[2] += m[5];
}

static void winograd_source(const float *x, int64_t row, int64_t pixel, int64_t channels, float *to, int64_t step, int64_t vectors)
{
    for (int64_t c = 0; c < channels; c += FLOATS, to += vectors) {
        vector t[6][6], d[6], column[6];
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++)
                d[i] = vector_load(x + i * row + j * pixel + c);
            wino_source(d, column);
            for (int i = 0; i < 6; i++)
                t[i][j] = column[i];
        }
        for (int i = 0; i < 6; i++) {
            wino_source(t[i], d);
            for (int j = 0; j < 6; j++)
                vector_store(to + (i * 6 + j) * step, d[j]);
        }
    }
}

/* side: 3, a weight; 4, a gradient. */
static inline __attribute__((always_inline)) void wino_square(const float *g, int64_t row, int64_t element, int side, float *to,
                                                              int64_t step)
{
    vector t[6][4], in[4], out[6];
    for (int j = 0; j < side; j++) {
        for (int i = 0; i < side; i++)
            in[i] = vector_load(g + i * row + j * element);
        wino_values(in, side, out);
        for (int i = 0; i < 6; i++)
            t[i][j] = out[i];
    }
    for (int i = 0; i < 6; i++) {
        wino_values(t[i], side, out);
        for (int j = 0; j < 6; j++)
            vector_store(to + (i * 6 + j) * step, out[j]);
    }
}

static void winograd_weight(const float *w, int64_t tap, float *to, int64_t step) { wino_square(w, 3 * tap, tap, 3, to, step); }

static void winograd_gradient(const float *d, int64_t row, int64_t pixel, float *to, int64_t step)
{
    wino_square(d, row, pixel, 4, to, step);
}

/* 36 products to side x side elements, of which rows x columns are kept. */
static inline __attribute__((always_inline)) void wino_back(const float *m, int64_t step, int side, vector y[4][4])
{
    vector t[4][6], in[6], out[4];
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 6; i++)
            in[i] = vector_load(m + (i * 6 + j) * step);
        wino_result(in, side, out);
        for (int i = 0; i < side; i++)
            t[i][j] = out[i];
    }
    for (int i = 0; i < side; i++)
        wino_result(t[i], side, y[i]);
}

static void winograd_result(const float *m, int64_t step, int64_t channels, float *y, int64_t row, int64_t pixel, int64_t rows,
                            int64_t columns)
{
    for (int64_t c = 0; c < channels; c += FLOATS) {
        vector out[4][4];
        wino_back(m + c, step, 4, out);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                vector_store(y + i * row + j * pixel + c, out[i][j]);
    }
}

/* Nine elements of a vector of outputs' weights, `output` apart. */
static void winograd_weight_result(const float *m, int64_t step, float *w, int64_t output)
{
    float lanes[9][FLOATS];
    vector out[4][4];
    wino_back(m, step, 3, out);
    for (int t = 0; t < 9; t++)
        vector_store(lanes[t], out[t / 3][t % 3]);
    for (int l = 0; l < FLOATS; l++)
        for (int t = 0; t < 9; t++)
            w[l * output + t] = lanes[t][l];
}
