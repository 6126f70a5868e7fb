/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_leaf.c: leaves, control, effects and symbols: ops without a shape rule or a derivative of the common kind. */
#include "engine/ops.h"

#include <lthost/custom.h>

#include <string.h>

static bool shape_iota(op_shapes *s)
{
    lth_attr_shape *a = s->attributes;
    if (!op_checks_size(s, &a->shape) || !op_axis(s, &a->axis, a->shape.rank))
        return false;
    if (a->shape.dtype == LTH_BOOL)
        return op_refuse(s, "counts in numbers, not in bool");
    for (int32_t i = a->shape.rank; i < LTH_MAX_RANK; i++)
        a->shape.dim[i] = 0;
    s->results[0] = a->shape;
    return true;
}

static bool shape_random(op_shapes *s)
{
    lth_attr_random *a = s->attributes;
    if (!op_checks_size(s, &a->shape))
        return false;
    if (!lth_dtype_is_float(a->shape.dtype))
        return op_refuse(s, "makes floating numbers, not %s: lth_cast the result", lth_dtype_name(a->shape.dtype));
    for (int32_t i = a->shape.rank; i < LTH_MAX_RANK; i++)
        a->shape.dim[i] = 0;
    a->reserved = 0;
    s->results[0] = a->shape;
    return true;
}

static bool shape_effect(op_shapes *s) { return s->count == 1; }

/* So that equal texts are equal bytes. */
static bool shape_print(op_shapes *s)
{
    lth_attr_text *a = s->attributes;
    a->text[sizeof a->text - 1] = 0;
    size_t n = strlen(a->text);
    memset(a->text + n, 0, sizeof a->text - n);
    return true;
}

static bool shape_assert(op_shapes *s) { return op_needs_bool(s, 0) && shape_print(s); }

static bool shape_grad(op_shapes *s)
{
    const lth_shape *loss = s->operands[0];
    if (loss->rank != 0)
        return op_refuse(s, "a loss is a scalar of rank 0, this one is %s: take its lth_mean or lth_sum",
                         op_shape_text(loss).text);
    for (uint32_t i = 0; i < s->count; i++)
        if (!lth_dtype_is_float(s->operands[i]->dtype))
            return op_refuse(s, "%s is %s: only floating tensors have gradients",
                             i == 0 ? "the loss" : "what to differentiate by", lth_dtype_name(s->operands[i]->dtype));
    return true;
}

static bool shape_update(op_shapes *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (!op_needs_float(s, i))
            return false;
    return true;
}

const op_info ops_leaves[] = {
    { LTH_OP_INPUT, "input", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_slot), NULL, NULL, NULL },
    { LTH_OP_STATE, "state", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_state), NULL, NULL, NULL },
    { LTH_OP_SCALAR, "scalar", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_slot), NULL, NULL, NULL },
    { LTH_OP_IOTA, "iota", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_shape), shape_iota, NULL, NULL },
    { LTH_OP_UNIFORM, "uniform", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_random), shape_random, NULL, NULL },
    { LTH_OP_NORMAL, "normal", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_random), shape_random, NULL, NULL },
    { LTH_OP_INTEGER, "integer", OP_LEAF, 0, 0, 1, false, sizeof(lth_attr_integer), NULL, NULL, NULL },
};

/* Their shapes are worked out where they are recorded (loop.c, custom.c); a custom op's attributes are at least of that size. */
const op_info ops_control[] = {
    { LTH_OP_LOOP, "loop", OP_PRIMITIVE, 1, OP_ANY_NUMBER, 0, false, sizeof(lth_attr_loop), NULL, NULL, NULL },
    { LTH_OP_LOOP_END, "loop_end", OP_PRIMITIVE, 1, OP_ANY_NUMBER, 0, false, sizeof(lth_attr_loop), NULL, NULL, NULL },
    { LTH_OP_CUSTOM, "custom", OP_PRIMITIVE, 1, LTH_CUSTOM_OPERANDS, 0, false, sizeof(lth_attr_custom), NULL, grad_custom, NULL },
};

const op_info ops_effects[] = {
    { LTH_OP_ASSIGN, "assign", OP_EFFECT, 1, 1, 0, false, sizeof(lth_attr_state), shape_effect, NULL, NULL },
    { LTH_OP_OUTPUT, "output", OP_EFFECT, 1, 1, 0, false, sizeof(lth_attr_slot), shape_effect, NULL, NULL },
    { LTH_OP_PRINT, "print", OP_EFFECT, 1, 1, 0, false, sizeof(lth_attr_text), shape_print, NULL, NULL },
    { LTH_OP_ASSERT, "assert", OP_EFFECT, 1, 1, 0, false, sizeof(lth_attr_text), shape_assert, NULL, NULL },
};

const op_info ops_symbolic[] = {
    { LTH_OP_GRAD, "grad", OP_SYMBOLIC, 2, OP_ANY_NUMBER, 0, false, 0, shape_grad, NULL, NULL },
    { LTH_OP_UPDATE, "update", OP_SYMBOLIC, 1, OP_ANY_NUMBER, 0, false, sizeof(lth_attr_update), shape_update, NULL, NULL },
};
