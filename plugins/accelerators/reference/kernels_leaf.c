/* SPDX-License-Identifier: Apache-2.0
 * Leaves that are computed. INPUT and STATE are bound memory and have no kernel. */
#include "convert.h"
#include "kernel.h"

static bool scalar(const ref_call *c)
{
    const lth_attr_slot *a = ref_attributes(c);
    ref_store_float(ref_out(c, 0)->dtype, c->out[0], 0, c->bindings->scalars[a->slot]);
    return true;
}

static bool integer(const ref_call *c)
{
    const lth_attr_integer *a = ref_attributes(c);
    ref_store_integer(ref_out(c, 0)->dtype, c->out[0], 0, a->value);
    return true;
}

static bool iota(const ref_call *c)
{
    const lth_attr_shape *a = ref_attributes(c);
    const lth_shape *s = ref_out(c, 0);
    int64_t inner = 1;
    for (int32_t d = (int32_t)a->axis + 1; d < s->rank; d++)
        inner *= s->dim[d];
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        ref_store_integer(s->dtype, c->out[0], i, i / inner % s->dim[a->axis]);
    return true;
}

static bool uniform(const ref_call *c)
{
    const lth_attr_random *a = ref_attributes(c);
    const lth_bindings *b = c->bindings;
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        ref_store_float(ref_out(c, 0)->dtype, c->out[0], i, lth_random_uniform(b->seed, a->id, b->step, b->stream, i));
    return true;
}

static bool normal(const ref_call *c)
{
    const lth_attr_random *a = ref_attributes(c);
    const lth_bindings *b = c->bindings;
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        ref_store_float(ref_out(c, 0)->dtype, c->out[0], i, lth_random_normal(b->seed, a->id, b->step, b->stream, i));
    return true;
}

static const ref_op ops[] = {
    { LTH_OP_SCALAR, REF_ANY(scalar) },
    { LTH_OP_INTEGER, REF_ANY(integer) },
    { LTH_OP_IOTA, REF_ANY(iota) },
    { LTH_OP_UNIFORM, REF_ANY_FLOAT(uniform) },
    { LTH_OP_NORMAL, REF_ANY_FLOAT(normal) },
};
const ref_family ref_leaf_ops = REF_FAMILY(ops);
