/* SPDX-License-Identifier: Apache-2.0
 * Pools as plain loops over planes: an accelerator may give each of its threads some of them. */
#ifndef ACCEL_PLAIN_POOL_H
#define ACCEL_PLAIN_POOL_H

#include "image.h"

typedef struct plain_pool {
    uint32_t flags;
    int64_t planes; /* N C */
    int64_t in[PLAIN_SPATIAL], out[PLAIN_SPATIAL];
    int64_t kernel[PLAIN_SPATIAL], stride[PLAIN_SPATIAL], low[PLAIN_SPATIAL], high[PLAIN_SPATIAL], dilation[PLAIN_SPATIAL];
} plain_pool;

/* A window along one axis: first, first + step, ... < end; the mean divides by `count`, padding included where it counts. */
typedef struct plain_span {
    int64_t first, end, step, count;
} plain_span;

/* Of a MAX_POOL, AVG_POOL or AVG_POOL_GRAD. */
static inline plain_pool plain_pool_of(const lth_graph *g, const lth_node *n)
{
    const lth_attr_pool *a = (const lth_attr_pool *)lth_node_attributes(g, n);
    const lth_shape *operand = lth_node_operand_shape(g, n, 0), *result = lth_node_shape(g, n, 0);
    bool gradient = n->op == LTH_OP_AVG_POOL_GRAD;
    plain_pool p = { .flags = a->flags, .planes = operand->dim[0] * operand->dim[1] };
    plain_spatial(gradient ? result : operand, p.in);
    plain_spatial(gradient ? operand : result, p.out);
    plain_per_axis(operand->rank, a->kernel, 1, p.kernel);
    plain_per_axis(operand->rank, a->stride, 1, p.stride);
    plain_per_axis(operand->rank, a->low, 0, p.low);
    plain_per_axis(operand->rank, a->high, 0, p.high);
    plain_per_axis(operand->rank, a->dilation, 1, p.dilation);
    return p;
}

static inline plain_span plain_pool_span(const plain_pool *p, int32_t axis, int64_t o)
{
    int64_t in = p->in[axis], out = p->out[axis], step = p->dilation[axis];
    if (p->flags & LTH_POOL_ADAPTIVE) {
        plain_span s = { o * in / out, ((o + 1) * in + out - 1) / out, 1, 0 };
        s.count = s.end - s.first;
        return s;
    }
    int64_t start = o * p->stride[axis] - p->low[axis], end = start + p->kernel[axis] * step, padded = in + p->high[axis];
    plain_span s = { start, end < in ? end : in, step, 0 };
    if (start < 0)
        s.first = start + (-start + step - 1) / step * step;
    if (p->flags & LTH_POOL_EXCLUDE_PADDING)
        s.count = (s.end - s.first + step - 1) / step;
    else
        s.count = ((end < padded ? end : padded) - start + step - 1) / step;
    return s;
}

void plain_max_pool_f32(const plain_pool *p, const float *x, float *y, int64_t *index, int64_t planes);
void plain_max_pool_f64(const plain_pool *p, const double *x, double *y, int64_t *index, int64_t planes);
void plain_avg_pool_f32(const plain_pool *p, const float *x, float *y, int64_t planes);
void plain_avg_pool_f64(const plain_pool *p, const double *x, double *y, int64_t planes);
void plain_avg_pool_grad_f32(const plain_pool *p, const float *d, float *x, int64_t planes);
void plain_avg_pool_grad_f64(const plain_pool *p, const double *d, double *x, int64_t planes);

#endif
