/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"
#include "walk.h"

#include <string.h>

/* The places of `s` that an index array walks through: on `axis` (-1: none) by the index, elsewhere by its own position. */
typedef struct along {
    plain_walk walk;
    int64_t stride;
} along;

static along along_axis(const lth_shape *s, const lth_shape *index, int64_t axis)
{
    int64_t stride[LTH_MAX_RANK] = { 0 };
    along a = { { 0 }, 0 };
    plain_strides(s, stride);
    for (int32_t d = 0; d < index->rank; d++)
        plain_walk_axis(&a.walk, index->dim[d], d == axis ? 0 : stride[d]);
    if (axis >= 0)
        a.stride = stride[axis];
    return a;
}

#define TEMPLATE "index_number.h"
#include "each_float.h"
#include "each_integer.h"
#undef TEMPLATE

static bool gather(const plain_call *c)
{
    const lth_shape *table = plain_in(c, 0), *index = plain_in(c, 1);
    int64_t row = lth_dtype_size(table->dtype);
    for (int32_t d = 1; d < table->rank; d++)
        row *= table->dim[d];
    if (!plain_index_check(c, "index", table->dim[0]))
        return false;
    for (int64_t i = 0, n = row ? lth_shape_count(index) : 0; i < n; i++)
        memcpy((char *)c->out[0] + i * row, (const char *)c->in[0] + plain_index(index->dtype, c->in[1], i) * row, (size_t)row);
    return true;
}

static bool gather_along(const plain_call *c)
{
    const lth_attr_axis *a = plain_attributes(c);
    const lth_shape *x = plain_in(c, 0), *index = plain_in(c, 1);
    int64_t size = lth_dtype_size(x->dtype);
    along from = along_axis(x, index, a->axis);
    if (!plain_index_check(c, "index", x->dim[a->axis]))
        return false;
    for (int64_t i = 0, n = plain_count(c); i < n; i++) {
        int64_t at = plain_walk_at(&from.walk, i) + plain_index(index->dtype, c->in[1], i) * from.stride;
        memcpy((char *)c->out[0] + i * size, (const char *)c->in[0] + at * size, (size_t)size);
    }
    return true;
}

static const plain_op ops[] = {
    { LTH_OP_GATHER, PLAIN_ANY(gather) },
    { LTH_OP_SCATTER_ADD, PLAIN_NUMBERS(scatter_add) },
    { LTH_OP_GATHER_ALONG, PLAIN_ANY(gather_along) },
    { LTH_OP_SCATTER_ALONG, PLAIN_NUMBERS(scatter_along) },
};
const plain_family plain_index_ops = PLAIN_FAMILY(ops);
