/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_binary.c: pointwise ops of two and three operands, whose shapes are equal here (graph_emit_broadcast makes them
 * so). In the comments a and b are the operands, y the result, d its gradient. */
#include "engine/ops.h"

static bool same_shapes(op_shapes *s, uint32_t first)
{
    if (!op_same_dtypes(s, first))
        return false;
    for (uint32_t i = 1; i < s->count; i++)
        if (!op_same_dims(s->operands[0], s->operands[i]))
            return op_refuse(s, "%s and %s differ", op_shape_text(s->operands[0]).text, op_shape_text(s->operands[i]).text);
    s->results[0] = *s->operands[first];
    return true;
}

static bool shape_number(op_shapes *s) { return op_needs_number(s, 0) && same_shapes(s, 0); }
static bool shape_float(op_shapes *s) { return op_needs_float(s, 0) && same_shapes(s, 0); }
static bool shape_bool(op_shapes *s) { return op_needs_bool(s, 0) && same_shapes(s, 0); }
static bool shape_where(op_shapes *s) { return op_needs_bool(s, 0) && same_shapes(s, 1); }

static bool shape_compare(op_shapes *s)
{
    if (!same_shapes(s, 0))
        return false;
    s->results[0].dtype = LTH_BOOL;
    return true;
}

static void grad_add(op_rule *r) { r->d_operands[0] = r->d_operands[1] = r->d_results[0]; }

static void grad_sub(op_rule *r)
{
    r->d_operands[0] = r->d_results[0];
    r->d_operands[1] = op_neg(r, r->d_results[0]);
}

static void grad_mul(op_rule *r)
{
    r->d_operands[0] = op_mul(r, r->d_results[0], r->operands[1]);
    r->d_operands[1] = op_mul(r, r->d_results[0], r->operands[0]);
}

/* d / b; -(d / b) y */
static void grad_div(op_rule *r)
{
    r->d_operands[0] = op_div(r, r->d_results[0], r->operands[1]);
    r->d_operands[1] = op_neg(r, op_mul(r, r->d_operands[0], r->results[0]));
}

/* d b a^(b - 1), which is 0 for b = 0 whatever a is; d y log(a), which is 0 at a = 0 where a^b stays 0 around b.
 * The exceptions are made before the op that would give NaN, so that the second derivatives are free of them too. */
static void grad_pow(op_rule *r)
{
    uint32_t a = r->operands[0], b = r->operands[1], d = r->d_results[0];
    uint32_t zero = op_number_like(r, a, 0), one = op_number_like(r, a, 1);
    uint32_t exponent = op_where(r, op_2(r, LTH_OP_EQ, b, zero), zero, op_sub(r, b, one));
    r->d_operands[0] = op_mul(r, d, op_mul(r, b, op_2(r, LTH_OP_POW, a, exponent)));
    uint32_t flat = op_2(r, LTH_OP_AND, op_2(r, LTH_OP_EQ, a, zero), op_2(r, LTH_OP_GE, b, zero));
    uint32_t log = op_1(r, LTH_OP_LOG, op_where(r, flat, one, a));
    r->d_operands[1] = op_mul(r, d, op_mul(r, r->results[0], log));
}

/* All of d to the operand that won, half to each on a tie; all of it to both where one is NaN, so that it is not hidden. */
static void grad_extremum(op_rule *r, uint32_t loses, uint32_t wins)
{
    uint32_t a = r->operands[0], b = r->operands[1], d = r->d_results[0], zero = op_number_like(r, d, 0);
    uint32_t shared = op_where(r, op_2(r, LTH_OP_EQ, a, b), op_scale(r, d, 0.5), d);
    r->d_operands[0] = op_where(r, op_2(r, loses, a, b), zero, shared);
    r->d_operands[1] = op_where(r, op_2(r, wins, a, b), zero, shared);
}
static void grad_maximum(op_rule *r) { grad_extremum(r, LTH_OP_LT, LTH_OP_GT); }
static void grad_minimum(op_rule *r) { grad_extremum(r, LTH_OP_GT, LTH_OP_LT); }

static void grad_where(op_rule *r)
{
    uint32_t c = r->operands[0], d = r->d_results[0], zero = op_number_like(r, d, 0);
    r->d_operands[1] = op_where(r, c, d, zero);
    r->d_operands[2] = op_where(r, c, zero, d);
}

#define BINARY(code, name, shape, gradient)                               \
    {                                                                     \
        code, name, OP_PRIMITIVE, 2, 2, 1, true, 0, shape, gradient, NULL \
    }

const op_info ops_binary[] = {
    BINARY(LTH_OP_ADD, "add", shape_number, grad_add),
    BINARY(LTH_OP_SUB, "sub", shape_number, grad_sub),
    BINARY(LTH_OP_MUL, "mul", shape_number, grad_mul),
    BINARY(LTH_OP_DIV, "div", shape_number, grad_div),
    BINARY(LTH_OP_POW, "pow", shape_float, grad_pow),
    BINARY(LTH_OP_MAXIMUM, "maximum", shape_number, grad_maximum),
    BINARY(LTH_OP_MINIMUM, "minimum", shape_number, grad_minimum),
    BINARY(LTH_OP_EQ, "eq", shape_compare, NULL),
    BINARY(LTH_OP_NE, "ne", shape_compare, NULL),
    BINARY(LTH_OP_LT, "lt", shape_compare, NULL),
    BINARY(LTH_OP_LE, "le", shape_compare, NULL),
    BINARY(LTH_OP_GT, "gt", shape_compare, NULL),
    BINARY(LTH_OP_GE, "ge", shape_compare, NULL),
    BINARY(LTH_OP_AND, "and", shape_bool, NULL),
    BINARY(LTH_OP_OR, "or", shape_bool, NULL),
    { LTH_OP_WHERE, "where", OP_PRIMITIVE, 3, 3, 1, true, 0, shape_where, grad_where, NULL },
};
