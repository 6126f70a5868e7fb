/* SPDX-License-Identifier: Apache-2.0
 * pixels.h: pooling of pixels of C channels. */

enum { PIXEL_STRETCH = 64 /* channels */ };

/* The greatest of `count` pixels, a channel at a time, and which it is: the first of equals; NaN wins. */
static void greatest_pixel(const float *x, const int32_t *places, int64_t count, int64_t C, float *y, int64_t *index)
{
    float best[PIXEL_STRETCH];
    int32_t at[PIXEL_STRETCH];
    for (int64_t c = 0; c < C; c += PIXEL_STRETCH) {
        int64_t n = C - c < PIXEL_STRETCH ? C - c : PIXEL_STRETCH;
        memcpy(best, x + places[0] * C + c, (size_t)n * sizeof *best);
        for (int64_t k = 0; k < n; k++)
            at[k] = places[0];
        for (int64_t i = 1; i < count; i++) {
            const float *other = x + places[i] * C + c;
            int32_t place = places[i];
            LOOP for (int64_t k = 0; k < n; k++)
            {
                bool takes = (other[k] > best[k]) | ((other[k] != other[k]) & (best[k] == best[k]));
                best[k] = takes ? other[k] : best[k];
                at[k] = takes ? place : at[k];
            }
        }
        memcpy(y + c, best, (size_t)n * sizeof *best);
        for (int64_t k = 0; k < n; k++)
            index[c + k] = at[k];
    }
}
