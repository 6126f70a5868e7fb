/* SPDX-License-Identifier: Apache-2.0
 * conv_geometry.h: how a convolution of channels-last images walks through them.
 *
 * `source` is what terms are taken from: x, or in a data gradient the gradient. Along an axis element r of the result has the
 * terms source[q(r) + off(k) - pad]: as it is written, q(r) = r stride and off(k) = k dilation. In a data gradient, with r + low
 * = stride q + rest, only the k of which k dilation has the same rest count, and off falls with k. */
#ifndef CPU_CONV_GEOMETRY_H
#define CPU_CONV_GEOMETRY_H

#include <lthost/accel/plain/image.h>

typedef struct conv_axis {
    int64_t source, result, kernel, stride, dilation, low;
    int64_t pad, span; /* zeros before; source elements from the first term of an element to beyond its last */
    int64_t classes;   /* of elements of the result: by the rest; 1: all alike */
    bool turned;       /* of a data gradient */
} conv_axis;

/* One class of pixels. */
typedef struct conv_class {
    int32_t *from, *to, *run; /* one piece of memory, to be freed by `from` */
    int64_t per_row;          /* pixels in a row of a band that has any */
    int64_t length, weight;   /* of a run; offset of the class's weights */
    int32_t runs, taps;       /* taps: kernel places, of which a run has taps / runs */
    int32_t *tap;             /* their places in the kernel, as they lie in the runs */
    int32_t at[2];            /* the rests */
} conv_class;

/* A unit of work: some whole images, or a band of rows of one. */
typedef struct conv_geometry {
    conv_axis axis[2];
    int64_t N, channels, columns; /* channels of the source and of the result */
    int64_t images, band;         /* of a unit; band: rows of the result */
    int64_t units, bands;         /* in all; of an image */
    int64_t rows, width, image;   /* of the source's part in a unit: rows, pixels in a row, elements of an image */
    bool direct;                  /* no padding: the source is read where it lies */
    bool widens;                  /* the source is bf16, and its parts are copied as f32 */
    int32_t class_count;
    conv_class *classes;
} conv_geometry;

/* turned: a data gradient. Units of about so many pixels, bands of a multiple of `grain` rows. LTH_NO_MEMORY. */
lth_status conv_geometry_make(conv_geometry *g, const plain_conv *v, bool turned, int64_t grain, int64_t pixels);
/* For a source of bf16 that is worked on as f32. */
lth_status conv_geometry_make_wide(conv_geometry *g, const plain_conv *v, bool turned, int64_t grain, int64_t pixels);
void conv_geometry_free(conv_geometry *g);

typedef struct conv_unit {
    int64_t image, images, row, rows; /* of the result */
} conv_unit;
conv_unit conv_unit_at(const conv_geometry *g, int64_t unit);
/* Pixels of a class in a unit: the first so many of its tables. */
int64_t conv_unit_pixels(const conv_geometry *g, const conv_class *c, const conv_unit *u);
/* Where the tables' distances count from: in the source, or in `scratch`, to which the unit's part is copied. */
const float *conv_unit_source(const conv_geometry *g, const conv_unit *u, const void *source, float *scratch);
/* Of bf16 that stays so. */
const uint16_t *conv_unit_half(const conv_geometry *g, const conv_unit *u, const uint16_t *source, uint16_t *scratch);
/* Elements of scratch. */
static inline int64_t conv_scratch(const conv_geometry *g) { return g->direct ? 0 : g->images * g->image; }

#endif
