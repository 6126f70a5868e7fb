/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <string.h>

accel_view accel_view_dense(const lth_shape *s)
{
    accel_view v = { .rank = s->rank };
    int64_t n = 1;
    for (int32_t a = s->rank - 1; a >= 0; a--) {
        v.dim[a] = s->dim[a];
        v.stride[a] = n;
        n *= s->dim[a];
    }
    return v;
}

int64_t accel_view_count(const accel_view *v)
{
    int64_t n = 1;
    for (int32_t a = 0; a < v->rank; a++)
        n *= v->dim[a];
    return n;
}

accel_view accel_view_merged(const accel_view *v)
{
    accel_view m = { .offset = v->offset };
    for (int32_t a = 0; a < v->rank; a++) {
        if (v->dim[a] == 1)
            continue;
        if (m.rank && m.stride[m.rank - 1] == v->dim[a] * v->stride[a]) {
            m.dim[m.rank - 1] *= v->dim[a];
            m.stride[m.rank - 1] = v->stride[a];
        } else {
            m.dim[m.rank] = v->dim[a];
            m.stride[m.rank++] = v->stride[a];
        }
    }
    return m;
}

bool accel_view_is_dense(const accel_view *v)
{
    accel_view m = accel_view_merged(v);
    return m.rank == 0 || (m.rank == 1 && m.stride[0] == 1) || accel_view_count(v) == 0;
}

/* Splits the merged axes of x into the new dimensions, from the last to the first: each merged axis must be used up by a
 * whole number of new ones. */
static bool reshape(const lth_shape *s, const accel_view *x, accel_view *out)
{
    accel_view m = accel_view_merged(x);
    int32_t axis = m.rank - 1;
    int64_t left = axis >= 0 ? m.dim[axis] : 1, stride = axis >= 0 ? m.stride[axis] : 1;
    if (lth_shape_count(s) == 0) {
        *out = accel_view_dense(s);
        return true;
    }
    *out = (accel_view){ .rank = s->rank, .offset = x->offset };
    for (int32_t a = s->rank - 1; a >= 0; a--) {
        out->dim[a] = s->dim[a];
        if (s->dim[a] == 1)
            continue;
        if (left == 1 && axis > 0) {
            axis--;
            left = m.dim[axis];
            stride = m.stride[axis];
        }
        if (left % s->dim[a])
            return false;
        out->stride[a] = stride;
        stride *= s->dim[a];
        left /= s->dim[a];
    }
    return true;
}

static void expand(const lth_shape *s, const accel_view *x, accel_view *out)
{
    int32_t added = s->rank - x->rank;
    *out = (accel_view){ .rank = s->rank, .offset = x->offset };
    for (int32_t a = 0; a < s->rank; a++) {
        out->dim[a] = s->dim[a];
        out->stride[a] = a < added || x->dim[a - added] != s->dim[a] ? 0 : x->stride[a - added];
    }
}

bool accel_view_apply(uint32_t op, const void *attributes, const lth_shape *s, const accel_view *x, accel_view *out)
{
    const lth_attr_dims *dims = attributes;
    const lth_attr_slice *slice = attributes;
    const lth_attr_axis *axis = attributes;
    *out = *x;
    switch (op) {
    case LTH_OP_RESHAPE: return reshape(s, x, out);
    case LTH_OP_EXPAND: expand(s, x, out); return true;
    case LTH_OP_PERMUTE:
        for (int32_t a = 0; a < s->rank; a++) {
            out->dim[a] = x->dim[dims->dim[a]];
            out->stride[a] = x->stride[dims->dim[a]];
        }
        return true;
    case LTH_OP_SLICE:
        for (int32_t a = 0; a < s->rank; a++) {
            out->offset += slice->start[a] * x->stride[a];
            out->dim[a] = s->dim[a];
            out->stride[a] = slice->step[a] * x->stride[a];
        }
        return true;
    case LTH_OP_FLIP:
        out->offset += (x->dim[axis->axis] - 1) * x->stride[axis->axis];
        out->stride[axis->axis] = -x->stride[axis->axis];
        return true;
    default: return false;
    }
}

accel_view accel_view_part(const lth_shape *whole, const lth_shape *part, const int64_t *start)
{
    accel_view v = accel_view_dense(whole);
    for (int32_t a = 0; a < whole->rank; a++) {
        v.offset += start[a] * v.stride[a];
        v.dim[a] = part->dim[a];
    }
    return v;
}
