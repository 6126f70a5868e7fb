/* SPDX-License-Identifier: Apache-2.0
 * pixels.h: pooling of pixels of C channels. */

/* best = the greater of best and x, and where it was found: the first of equals; NaN wins. */
static void greater_pixel(const float *x, int64_t place, int64_t C, float *best, int64_t *at, bool first)
{
    LOOP for (int64_t c = 0; c < C; c++)
    {
        bool takes = first | (x[c] > best[c]) | ((x[c] != x[c]) & (best[c] == best[c]));
        best[c] = takes ? x[c] : best[c];
        at[c] = takes ? place : at[c];
    }
}
