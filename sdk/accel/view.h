/* SPDX-License-Identifier: Apache-2.0
 * accel/view.h: shape ops without moving anything: a view says where the elements of a value lie in another's memory. */
#ifndef LTHOST_ACCEL_VIEW_H
#define LTHOST_ACCEL_VIEW_H

#include <lthost/graph.h>

/* Element (i0, i1, ...) lies at offset + i0 stride[0] + i1 stride[1] + ...; all in elements. A stride of 0 repeats. */
typedef struct accel_view {
    int32_t rank;
    int64_t offset;
    int64_t dim[LTH_MAX_RANK], stride[LTH_MAX_RANK];
} accel_view;

/* The view of a dense value on its own memory. */
accel_view accel_view_dense(const lth_shape *s);

/* Applies a RESHAPE, PERMUTE, EXPAND, SLICE or FLIP, whose operand is seen through `x`. False: another op, or a RESHAPE
 * that no strides can express. `s`: the shape of the node's result. */
bool accel_view_apply(uint32_t op, const void *attributes, const lth_shape *s, const accel_view *x, accel_view *out);

/* The part of a CONCAT's or PAD's result that is its operand: starts at `start` on each axis. */
accel_view accel_view_part(const lth_shape *whole, const lth_shape *part, const int64_t *start);

/* The same elements in the same order with as few axes as possible; axes of length 1 vanish. */
accel_view accel_view_merged(const accel_view *v);

/* Whether the elements lie one after the other in row-major order (then they begin at `offset`). */
bool accel_view_is_dense(const accel_view *v);

int64_t accel_view_count(const accel_view *v);

#endif
