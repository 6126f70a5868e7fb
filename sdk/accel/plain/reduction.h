/* SPDX-License-Identifier: Apache-2.0
 * A reduction: for each element of the result, `inner` elements of the operand. */
#ifndef ACCEL_PLAIN_REDUCTION_H
#define ACCEL_PLAIN_REDUCTION_H

#include "kernel.h"
#include "walk.h"

typedef struct plain_reduction {
    plain_walk kept, reduced;
    int64_t outer, inner;
} plain_reduction;

/* Over the axes whose bits are set. */
static inline plain_reduction plain_reduction_over(const lth_shape *x, uint32_t axes)
{
    int64_t stride[LTH_MAX_RANK];
    plain_reduction r = { .outer = 1, .inner = 1 };
    plain_strides(x, stride);
    for (int32_t d = 0; d < x->rank; d++)
        if (axes >> d & 1) {
            plain_walk_axis(&r.reduced, x->dim[d], stride[d]);
            r.inner *= x->dim[d];
        } else {
            plain_walk_axis(&r.kept, x->dim[d], stride[d]);
            r.outer *= x->dim[d];
        }
    return r;
}

/* Of a node with lth_attr_reduce, and of one with lth_attr_axis. */
static inline plain_reduction plain_reduction_of(const plain_call *c)
{
    return plain_reduction_over(plain_in(c, 0), ((const lth_attr_reduce *)plain_attributes(c))->axes);
}
static inline plain_reduction plain_reduction_of_axis(const plain_call *c)
{
    return plain_reduction_over(plain_in(c, 0), 1u << ((const lth_attr_axis *)plain_attributes(c))->axis);
}

#endif
