/* SPDX-License-Identifier: Apache-2.0
 * Ops that move elements. The result is always dense; elements are moved as bytes, so every type is served. */
#include "kernel.h"
#include "walk.h"

#include <string.h>

static int64_t element_size(const plain_call *c)
{
    return lth_dtype_size(plain_out(c, 0)->dtype);
}

/* to[i] = from[walk(i)] */
static bool copy_from(const plain_call *c, const plain_walk *w)
{
    const char *from = c->in[0];
    char *to = c->out[0];
    int64_t size = element_size(c);
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        memcpy(to + i * size, from + plain_walk_at(w, i) * size, (size_t)size);
    return true;
}

/* to[walk(i)] = from[i] */
static void copy_into(char *to, const plain_walk *w, const char *from, int64_t n, int64_t size)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + plain_walk_at(w, i) * size, from + i * size, (size_t)size);
}

static bool permute(const plain_call *c)
{
    const lth_attr_dims *a = plain_attributes(c);
    const lth_shape *y = plain_out(c, 0);
    int64_t stride[LTH_MAX_RANK];
    plain_walk w = { 0 };
    plain_strides(plain_in(c, 0), stride);
    for (int32_t d = 0; d < y->rank; d++)
        plain_walk_axis(&w, y->dim[d], stride[a->dim[d]]);
    return copy_from(c, &w);
}

static bool expand(const plain_call *c)
{
    const lth_shape *x = plain_in(c, 0), *y = plain_out(c, 0);
    int32_t added = y->rank - x->rank;
    int64_t stride[LTH_MAX_RANK];
    plain_walk w = { 0 };
    plain_strides(x, stride);
    for (int32_t d = 0; d < y->rank; d++)
        plain_walk_axis(&w, y->dim[d], d < added || x->dim[d - added] != y->dim[d] ? 0 : stride[d - added]);
    return copy_from(c, &w);
}

static bool slice(const plain_call *c)
{
    const lth_attr_slice *a = plain_attributes(c);
    const lth_shape *y = plain_out(c, 0);
    int64_t stride[LTH_MAX_RANK];
    plain_walk w = { 0 };
    plain_strides(plain_in(c, 0), stride);
    for (int32_t d = 0; d < y->rank; d++) {
        w.start += a->start[d] * stride[d];
        plain_walk_axis(&w, y->dim[d], a->step[d] * stride[d]);
    }
    return copy_from(c, &w);
}

static bool flip(const plain_call *c)
{
    const lth_attr_axis *a = plain_attributes(c);
    const lth_shape *y = plain_out(c, 0);
    int64_t stride[LTH_MAX_RANK];
    plain_walk w = { 0 };
    plain_strides(y, stride);
    for (int32_t d = 0; d < y->rank; d++) {
        if (d == a->axis)
            w.start = (y->dim[d] - 1) * stride[d];
        plain_walk_axis(&w, y->dim[d], d == a->axis ? -stride[d] : stride[d]);
    }
    return copy_from(c, &w);
}

static bool pad(const plain_call *c)
{
    const lth_attr_pad *a = plain_attributes(c);
    const lth_shape *x = plain_in(c, 0), *y = plain_out(c, 0);
    int64_t size = element_size(c), stride[LTH_MAX_RANK];
    plain_walk w = { 0 };
    plain_strides(y, stride);
    for (int32_t d = 0; d < y->rank; d++) {
        if (a->low[d] < 0 || a->high[d] < 0)
            return plain_fail(c, "axis %d is padded by a negative number of elements", d);
        w.start += a->low[d] * stride[d];
        plain_walk_axis(&w, x->dim[d], stride[d]);
    }
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        memcpy((char *)c->out[0] + i * size, c->in[1], (size_t)size);
    copy_into(c->out[0], &w, c->in[0], lth_shape_count(x), size);
    return true;
}

static bool concat(const plain_call *c)
{
    const lth_attr_axis *a = plain_attributes(c);
    const lth_shape *y = plain_out(c, 0);
    int64_t outer = 1, inner = element_size(c);
    for (int32_t d = 0; d < y->rank; d++)
        if (d < a->axis)
            outer *= y->dim[d];
        else if (d > a->axis)
            inner *= y->dim[d];
    char *to = c->out[0];
    for (int64_t o = 0; o < outer; o++)
        for (uint32_t i = 0; i < c->node->operand_count; i++) {
            int64_t bytes = plain_in(c, i)->dim[a->axis] * inner;
            if (bytes)
                memcpy(to, (const char *)c->in[i] + o * bytes, (size_t)bytes);
            to += bytes;
        }
    return true;
}

/* The part of `whole` that is as `part` and begins at a run-time index of one axis, which is clamped so that it fits. */
static plain_walk window(const plain_call *c, const lth_shape *whole, const lth_shape *part, const int64_t *index)
{
    const lth_attr_window *a = plain_attributes(c);
    int64_t stride[LTH_MAX_RANK], last = whole->dim[a->axis] - part->dim[a->axis];
    plain_walk w = { 0 };
    plain_strides(whole, stride);
    w.start = (*index < 0 ? 0 : *index > last ? last : *index) * stride[a->axis];
    for (int32_t d = 0; d < part->rank; d++)
        plain_walk_axis(&w, part->dim[d], stride[d]);
    return w;
}

static bool slice_at(const plain_call *c)
{
    plain_walk w = window(c, plain_in(c, 0), plain_out(c, 0), c->in[1]);
    return copy_from(c, &w);
}

static bool update_at(const plain_call *c)
{
    int64_t size = element_size(c), bytes = plain_count(c) * size;
    plain_walk w = window(c, plain_in(c, 0), plain_in(c, 1), c->in[2]);
    if (bytes && c->out[0] != c->in[0]) /* in a loop the two may be one */
        memcpy(c->out[0], c->in[0], (size_t)bytes);
    copy_into(c->out[0], &w, c->in[1], lth_shape_count(plain_in(c, 1)), size);
    return true;
}

static const plain_op ops[] = {
    { LTH_OP_PERMUTE, PLAIN_ANY(permute) },   { LTH_OP_EXPAND, PLAIN_ANY(expand) },       { LTH_OP_SLICE, PLAIN_ANY(slice) },
    { LTH_OP_PAD, PLAIN_ANY(pad) },           { LTH_OP_CONCAT, PLAIN_ANY(concat) },       { LTH_OP_SLICE_AT, PLAIN_ANY(slice_at) },
    { LTH_OP_UPDATE_AT, PLAIN_ANY(update_at) }, { LTH_OP_FLIP, PLAIN_ANY(flip) },
};
const plain_family plain_shape_ops = PLAIN_FAMILY(ops);
