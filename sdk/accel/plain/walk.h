/* SPDX-License-Identifier: Apache-2.0
 * A walk: where the elements of a strided view lie, in row-major order of its dimensions. Offsets count elements. */
#ifndef ACCEL_PLAIN_WALK_H
#define ACCEL_PLAIN_WALK_H

#include <lthost/base.h>

typedef struct plain_walk {
    int32_t rank;
    int64_t start;
    int64_t dim[LTH_MAX_RANK], stride[LTH_MAX_RANK];
} plain_walk;

/* Strides of a dense row-major array. */
static inline void plain_strides(const lth_shape *s, int64_t *stride)
{
    int64_t n = 1;
    for (int32_t a = s->rank - 1; a >= 0; a--) {
        stride[a] = n;
        n *= s->dim[a];
    }
}

/* Appends an inner axis; one that continues the axis before it is merged into that. */
static inline void plain_walk_axis(plain_walk *w, int64_t dim, int64_t stride)
{
    int32_t last = w->rank - 1;
    if (dim == 1)
        return;
    if (last >= 0 && w->stride[last] == dim * stride) {
        w->dim[last] *= dim;
        w->stride[last] = stride;
        return;
    }
    w->dim[w->rank] = dim;
    w->stride[w->rank++] = stride;
}

/* The offset of element i, which must exist. */
static inline int64_t plain_walk_at(const plain_walk *w, int64_t i)
{
    int64_t at = w->start;
    for (int32_t a = w->rank - 1; a > 0; a--) {
        at += i % w->dim[a] * w->stride[a];
        i /= w->dim[a];
    }
    return w->rank ? at + i * w->stride[0] : at;
}

#endif
