/* SPDX-License-Identifier: Apache-2.0
 * Resampling as plain loops over planes: an accelerator may give each of its threads some of them. */
#ifndef ACCEL_PLAIN_RESIZE_H
#define ACCEL_PLAIN_RESIZE_H

#include "image.h"

typedef struct plain_resize {
    uint32_t mode;
    int64_t planes; /* N C */
    int64_t in[PLAIN_SPATIAL], out[PLAIN_SPATIAL];
} plain_resize;

/* Where an element comes from along one axis: (1 - part) of `left` and `part` of `right`. */
typedef struct plain_tap {
    int64_t left, right;
    double part;
} plain_tap;

/* Of a RESIZE or RESIZE_GRAD. */
static inline plain_resize plain_resize_of(const lth_graph *g, const lth_node *n)
{
    const lth_attr_resize *a = (const lth_attr_resize *)lth_node_attributes(g, n);
    const lth_shape *operand = lth_node_operand_shape(g, n, 0);
    plain_resize p = { .mode = a->mode, .planes = operand->dim[0] * operand->dim[1] };
    plain_per_axis(operand->rank, a->from, 1, p.in);
    plain_per_axis(operand->rank, a->size, 1, p.out);
    return p;
}

static inline plain_tap plain_resize_tap(const plain_resize *p, int32_t axis, int64_t o)
{
    int64_t in = p->in[axis], out = p->out[axis], num, den;
    switch (p->mode) {
    case LTH_RESIZE_NEAREST:
        num = o * in, den = out;
        break;
    case LTH_RESIZE_LINEAR_ALIGNED:
        num = o * (in - 1), den = out > 1 ? out - 1 : 1;
        break;
    case LTH_RESIZE_NEAREST_EXACT:
        num = (2 * o + 1) * in, den = 2 * out;
        break;
    default:
        num = (2 * o + 1) * in - out, den = 2 * out, num = num > 0 ? num : 0;
    }
    plain_tap t = { num / den, num / den, 0 };
    if (p->mode == LTH_RESIZE_LINEAR || p->mode == LTH_RESIZE_LINEAR_ALIGNED) {
        t.part = (double)(num - t.left * den) / (double)den;
        t.right = t.left + 1 < in ? t.left + 1 : in - 1;
    }
    return t;
}

void plain_resize_f32(const plain_resize *p, const float *x, float *y, int64_t planes);
void plain_resize_f64(const plain_resize *p, const double *x, double *y, int64_t planes);
void plain_resize_grad_f32(const plain_resize *p, const float *d, float *x, int64_t planes);
void plain_resize_grad_f64(const plain_resize *p, const double *d, double *x, int64_t planes);

#endif
