/* SPDX-License-Identifier: Apache-2.0
 * Leaves that are computed. INPUT and STATE are bound memory and have no kernel. */
#include "convert.h"
#include "kernel.h"

#include <math.h>

static bool scalar(const plain_call *c)
{
    const lth_attr_slot *a = plain_attributes(c);
    plain_store_float(plain_out(c, 0)->dtype, c->out[0], 0, c->bindings->scalars[a->slot]);
    return true;
}

static bool integer(const plain_call *c)
{
    const lth_attr_integer *a = plain_attributes(c);
    plain_store_integer(plain_out(c, 0)->dtype, c->out[0], 0, a->value);
    return true;
}

static bool iota(const plain_call *c)
{
    const lth_attr_shape *a = plain_attributes(c);
    const lth_shape *s = plain_out(c, 0);
    int64_t inner = 1;
    for (int32_t d = (int32_t)a->axis + 1; d < s->rank; d++)
        inner *= s->dim[d];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        plain_store_integer(s->dtype, c->out[0], i, i / inner % s->dim[a->axis]);
    return true;
}

/* Of 16 bits: a multiple of the least step below 1, as rounding would give 1 itself. */
static bool uniform(const plain_call *c)
{
    const lth_attr_random *a = plain_attributes(c);
    const lth_bindings *b = c->bindings;
    lth_dtype dtype = plain_out(c, 0)->dtype;
    double steps = dtype == LTH_BF16 ? 256 : dtype == LTH_F16 ? 2048 : 0;
    for (int64_t i = 0, n = plain_count(c); i < n; i++) {
        double x = lth_random_uniform(b->seed, a->id, b->step, b->stream, i);
        plain_store_float(dtype, c->out[0], i, steps > 0 ? floor(x * steps) / steps : x);
    }
    return true;
}

static bool normal(const plain_call *c)
{
    const lth_attr_random *a = plain_attributes(c);
    const lth_bindings *b = c->bindings;
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        plain_store_float(plain_out(c, 0)->dtype, c->out[0], i, lth_random_normal(b->seed, a->id, b->step, b->stream, i));
    return true;
}

static const plain_op ops[] = {
    { LTH_OP_SCALAR, PLAIN_ANY(scalar) },
    { LTH_OP_INTEGER, PLAIN_ANY(integer) },
    { LTH_OP_IOTA, PLAIN_ANY(iota) },
    { LTH_OP_UNIFORM, PLAIN_ANY_FLOAT(uniform) },
    { LTH_OP_NORMAL, PLAIN_ANY_FLOAT(normal) },
};
const plain_family plain_leaf_ops = PLAIN_FAMILY(ops);
