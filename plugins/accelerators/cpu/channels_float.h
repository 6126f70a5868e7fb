/* SPDX-License-Identifier: Apache-2.0
 * channels_float.h: what norms by the channel do with rows of C channels, for the type T. */

/* total[c] += (x - mean)^2: in T over a few rows, so that what is added in double is little. */
static void NAME(add_squares)(double *total, const T *x, const T *mean, int64_t rows, int64_t C)
{
    enum { ROWS = 8, STRETCH = 64 };
    for (int64_t r = 0; r < rows; r += ROWS) {
        int64_t many = rows - r < ROWS ? rows - r : ROWS;
        for (int64_t c = 0; c < C; c += STRETCH) {
            T sum[STRETCH] = { 0 };
            int64_t n = C - c < STRETCH ? C - c : STRETCH;
            for (int64_t i = 0; i < many; i++) {
                const T *at = x + (r + i) * C + c;
                LOOP for (int64_t k = 0; k < n; k++)
                {
                    T centred = at[k] - mean[c + k];
                    sum[k] += centred * centred;
                }
            }
            LOOP for (int64_t k = 0; k < n; k++) total[c + k] += (double)sum[k];
        }
    }
}

/* (x - mean) scale */
static void NAME(normalize)(const T *x, const T *mean, const T *scale, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C)
        LOOP for (int64_t c = 0; c < C; c++) y[c] = (x[c] - mean[c]) * scale[c];
}
