/* SPDX-License-Identifier: Apache-2.0
 * The numbers of a convolution, a pool or a resize, always with three spatial axes: those that a tensor lacks come first and
 * have length 1, so that the innermost loop is along the last axis. */
#ifndef ACCEL_PLAIN_IMAGE_H
#define ACCEL_PLAIN_IMAGE_H

#include <lthost/graph.h>

enum { PLAIN_SPATIAL = 3 };

/* x (N, C, in), w (K, C / groups, kernel), y (N, K, out). */
typedef struct plain_conv {
    int64_t N, C, K, groups;
    int64_t in[PLAIN_SPATIAL], out[PLAIN_SPATIAL], kernel[PLAIN_SPATIAL];
    int64_t stride[PLAIN_SPATIAL], low[PLAIN_SPATIAL], high[PLAIN_SPATIAL], dilation[PLAIN_SPATIAL];
} plain_conv;

/* The spatial dimensions of (a, b, spatial...). */
static inline void plain_spatial(const lth_shape *s, int64_t *to)
{
    for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
        int32_t axis = s->rank - PLAIN_SPATIAL + i;
        to[i] = axis >= 2 ? s->dim[axis] : 1;
    }
}

/* An attribute of each spatial axis of a tensor that has `rank` axes; `missing` for those that it lacks. */
static inline void plain_per_axis(int32_t rank, const int64_t *of, int64_t missing, int64_t *to)
{
    for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
        int32_t axis = rank - PLAIN_SPATIAL + i - 2;
        to[i] = axis >= 0 ? of[axis] : missing;
    }
}

/* Of a CONV or one of its gradients. */
static inline plain_conv plain_conv_of(const lth_graph *g, const lth_node *n)
{
    const lth_attr_conv *a = (const lth_attr_conv *)lth_node_attributes(g, n);
    const lth_shape *first = lth_node_operand_shape(g, n, 0), *second = lth_node_operand_shape(g, n, 1),
                    *result = lth_node_shape(g, n, 0);
    const lth_shape *x = n->op == LTH_OP_CONV_DATA_GRAD ? result : first, *w = n->op == LTH_OP_CONV_WEIGHT_GRAD ? result : second,
                    *y = n->op == LTH_OP_CONV             ? result
                         : n->op == LTH_OP_CONV_DATA_GRAD ? first
                                                          : second;
    plain_conv c = { .N = x->dim[0], .C = x->dim[1], .K = w->dim[0], .groups = a->groups };
    plain_spatial(x, c.in);
    plain_spatial(w, c.kernel);
    plain_spatial(y, c.out);
    plain_per_axis(x->rank, a->stride, 1, c.stride);
    plain_per_axis(x->rank, a->low, 0, c.low);
    plain_per_axis(x->rank, a->high, 0, c.high);
    plain_per_axis(x->rank, a->dilation, 1, c.dilation);
    return c;
}

static inline int64_t plain_volume(const int64_t *dim) { return dim[0] * dim[1] * dim[2]; }

#endif
