/* SPDX-License-Identifier: Apache-2.0
 * A reduction: for each element of the result, `inner` elements of the operand. */
#ifndef REFERENCE_REDUCTION_H
#define REFERENCE_REDUCTION_H

#include "kernel.h"
#include "walk.h"

typedef struct ref_reduction {
    ref_walk kept, reduced;
    int64_t outer, inner;
} ref_reduction;

/* Over the axes whose bits are set. */
static inline ref_reduction ref_reduction_over(const lth_shape *x, uint32_t axes)
{
    int64_t stride[LTH_MAX_RANK];
    ref_reduction r = { .outer = 1, .inner = 1 };
    ref_strides(x, stride);
    for (int32_t d = 0; d < x->rank; d++)
        if (axes >> d & 1) {
            ref_walk_axis(&r.reduced, x->dim[d], stride[d]);
            r.inner *= x->dim[d];
        } else {
            ref_walk_axis(&r.kept, x->dim[d], stride[d]);
            r.outer *= x->dim[d];
        }
    return r;
}

/* Of a node with lth_attr_reduce, and of one with lth_attr_axis. */
static inline ref_reduction ref_reduction_of(const ref_call *c)
{
    return ref_reduction_over(ref_in(c, 0), ((const lth_attr_reduce *)ref_attributes(c))->axes);
}
static inline ref_reduction ref_reduction_of_axis(const ref_call *c)
{
    return ref_reduction_over(ref_in(c, 0), 1u << ((const lth_attr_axis *)ref_attributes(c))->axis);
}

#endif
