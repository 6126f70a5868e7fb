/* SPDX-License-Identifier: Apache-2.0
 * image_kernels.h: own kernels for images that lie channels last, compiled once for each instruction set as those of isa.h are,
 * and chosen along with them. */
#ifndef CPU_IMAGE_KERNELS_H
#define CPU_IMAGE_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* Convolution of images that lie channels last, as products of pixels by channels. A pixel is `runs` stretches of `length` floats
 * of the source, run[i] elements from where it begins; rows of weights and gradients are cut into panels of conv_lanes columns,
 * the last of half as many where those are enough, and padded. */
enum { CONV_TILE_ROWS = 6 };
typedef struct cpu_conv_rows { /* result[to[m] + k] = sum over l of pixel m's element l times weight (l, k) */
    const float *source, *weight;
    const int32_t *from, *to, *run;
    float *result;
    int64_t rows, length, columns;
    int32_t runs;
} cpu_conv_rows;
typedef struct cpu_conv_sums { /* result (l, k) = [itself +] sum over pixels p of element l times gradient (p, k) */
    const float *source, *gradient;
    const int32_t *from, *run;
    float *result, *scratch;                /* scratch: CONV_TILE_ROWS a pixel */
    int64_t pixels, length, columns, width; /* of a row of the result: whole panels */
    int64_t first, last;                    /* rows of the result */
    bool add;
} cpu_conv_sums;

/* Convolution of images that lie plane by plane, with few channels. Strips are vectors of conv_lanes / 2 neighbours: strip[t]
 * elements from where the source begins, to[t] from where a plane of the result does, lanes[t] of them pixels. A pixel's terms are
 * term[l] elements from it. Of columns, channels of the result, PLANAR_COLUMNS are made at once. */
enum { PLANAR_COLUMNS = 6 };
typedef struct cpu_planar_rows { /* result (k, pixel) = sum over terms of source times weight (block of columns, term, column) */
    const float *source, *weight;
    const int32_t *strip, *to, *lanes, *term;
    int32_t strips, terms;
    int64_t columns, result_plane;
    float *result;
} cpu_planar_rows;
typedef struct cpu_planar_sums { /* result (k, l) = [itself +] sum over images and pixels of term l times gradient k */
    const float *source, *gradient; /* (image, ...), `image` elements apart; (image, block of columns, strip, column, lane) */
    const int32_t *strip, *term;
    int32_t strips, terms;
    int64_t images, image, columns;
    float *result;
    bool add;
} cpu_planar_sums;

/* Products of Winograd's numbers at one of the points, in whole vectors of channels and columns; weights and gradients in panels. */
typedef struct cpu_winograd_rows { /* result (m, k) = sum over c of source (m, c) times weight (c, k) */
    const float *source, *weight;
    float *result;
    int64_t rows, channels, columns;
} cpu_winograd_rows;
typedef struct cpu_winograd_sums { /* result (c, k) = [itself +] sum over tiles t of source (c / vector, t, vector) by gradient (t, k) */
    const float *source, *gradient;
    float *result;
    int64_t tiles, channels, columns;
    bool add;
} cpu_winograd_sums;

/* Of rows of C channels. */
#define CPU_CHANNEL_KERNELS(T)                                                                                              \
    struct {                                                                                                                \
        /* total += (x - mean)^2, of all rows */                                                                            \
        void (*add_squares)(double *total, const T *x, const T *mean, int64_t rows, int64_t C);                             \
        void (*normalize)(const T *x, const T *mean, const T *scale, T *y, int64_t rows, int64_t C); /* (x - mean) scale */ \
    }

typedef struct cpu_image_kernel_table {
    int64_t conv_lanes;
    void (*conv_rows)(const cpu_conv_rows *c);
    void (*conv_sums)(const cpu_conv_sums *c);
    void (*planar_rows)(const cpu_planar_rows *c);
    void (*planar_sums)(const cpu_planar_sums *c);
    /* Max pooling of a plane two by two: (rows, n) results and where they are. */
    void (*planar_pool)(const float *x, int64_t width, int64_t rows, int64_t n, float *y, int64_t *index);
    /* Winograd's transforms (winograd_tiles.h): 36 numbers `step` apart for or from a tile, whose rows and pixels (and taps, one
     * after the other by rows) are as far apart as told; of `channels` in whole vectors, or of one vector. */
    void (*winograd_source)(const float *x, int64_t row, int64_t pixel, int64_t channels, float *to, int64_t step,
                            int64_t vectors); /* how far apart vectors of channels shall lie */
    void (*winograd_result)(const float *m, int64_t step, int64_t channels, float *y, int64_t row, int64_t pixel, int64_t rows,
                            int64_t columns); /* of 4 each, those that there are */
    void (*winograd_weight)(const float *w, int64_t tap, float *to, int64_t step);
    void (*winograd_gradient)(const float *d, int64_t row, int64_t pixel, float *to, int64_t step);
    void (*winograd_weight_result)(const float *m, int64_t step, float *w, int64_t output); /* (vector, 9), `output` apart */
    void (*winograd_rows)(const cpu_winograd_rows *c);
    void (*winograd_sums)(const cpu_winograd_sums *c);
    /* The greatest of some pixels (of those that `places` counts), a channel at a time, and where. The first of equals; NaN wins.
     */
    void (*greatest_pixel)(const float *x, const int32_t *places, int64_t count, int64_t C, float *y, int64_t *index);
    CPU_CHANNEL_KERNELS(float) f32;
    CPU_CHANNEL_KERNELS(double) f64;
} cpu_image_kernel_table;

/* Of the set that cpu_kernels_choose chose. */
const cpu_image_kernel_table *cpu_image_kernels(void);

extern const cpu_image_kernel_table cpu_image_kernels_baseline;
#if defined(__x86_64__)
extern const cpu_image_kernel_table cpu_image_kernels_avx2, cpu_image_kernels_avx512;
#endif

#endif
