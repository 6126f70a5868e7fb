/* SPDX-License-Identifier: Apache-2.0
 * conv_weights.h: a convolution's weights (K, C, kernel...) as rows of the source's channels by columns of the result's. */
#ifndef CPU_CONV_WEIGHTS_H
#define CPU_CONV_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

enum { CONV_WEIGHT_BLOCK = 16 }; /* channels that are turned at once: such a block stays in the first cache */

typedef struct conv_weight {
    const float *at;
    int64_t C, kernel; /* kernel: its places */
    bool turned;       /* a data gradient's: rows are outputs, columns inputs */
} conv_weight;

/* to[tap * step + (row - first_row) * width + lane], lanes up to `width`, of which those from `columns` on are 0. */
static inline void conv_weight_block(const conv_weight *w, const int32_t *tap, int32_t taps, int64_t first_row, int64_t rows,
                                     int64_t first_column, int64_t columns, float *to, int64_t width, int64_t step)
{
    int64_t output = w->C * w->kernel, row_step = w->turned ? output : w->kernel, column_step = w->turned ? w->kernel : output;
    for (int64_t lane = 0; lane < width; lane++) {
        const float *x = w->at + first_row * row_step + (first_column + lane) * column_step;
        for (int64_t row = 0; row < rows; row++, x += row_step)
            for (int32_t t = 0; t < taps; t++)
                to[t * step + row * width + lane] = lane < columns ? x[tap[t]] : 0;
    }
}

#endif
