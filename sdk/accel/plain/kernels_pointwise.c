/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"
#include "kernel.h"

#include <string.h>

#define UNARY(op, expression)                                                                                           \
    static bool NAME(op)(const plain_call *c)                                                                             \
    {                                                                                                                   \
        const T *xs = c->in[0];                                                                                         \
        T *ys = c->out[0];                                                                                              \
        for (int64_t i = 0, n = plain_count(c); i < n; i++) {                                                             \
            T x = xs[i];                                                                                                \
            ys[i] = (expression);                                                                                       \
        }                                                                                                               \
        return true;                                                                                                    \
    }
#define BINARY(op, result, expression)                                                                                  \
    static bool NAME(op)(const plain_call *c)                                                                             \
    {                                                                                                                   \
        const T *as = c->in[0], *bs = c->in[1];                                                                         \
        result *ys = c->out[0];                                                                                         \
        for (int64_t i = 0, n = plain_count(c); i < n; i++) {                                                             \
            T a = as[i], b = bs[i];                                                                                     \
            ys[i] = (expression);                                                                                       \
        }                                                                                                               \
        return true;                                                                                                    \
    }

#define TEMPLATE "pointwise_number.h"
#include "each_float.h"
#include "each_integer.h"
#undef TEMPLATE
#define TEMPLATE "pointwise_float.h"
#include "each_float.h"
#undef TEMPLATE
#define TEMPLATE "pointwise_integer.h"
#include "each_integer.h"
#undef TEMPLATE

static bool not_bool(const plain_call *c)
{
    const uint8_t *x = c->in[0];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = !x[i];
    return true;
}

static bool and_bool(const plain_call *c)
{
    const uint8_t *a = c->in[0], *b = c->in[1];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = a[i] && b[i];
    return true;
}

static bool or_bool(const plain_call *c)
{
    const uint8_t *a = c->in[0], *b = c->in[1];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = a[i] || b[i];
    return true;
}

static bool where(const plain_call *c)
{
    const uint8_t *condition = c->in[0];
    const char *a = c->in[1], *b = c->in[2];
    char *y = c->out[0];
    int64_t size = lth_dtype_size(plain_out(c, 0)->dtype);
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        memcpy(y + i * size, (condition[i] ? a : b) + i * size, (size_t)size);
    return true;
}

static bool cast(const plain_call *c)
{
    lth_dtype from = plain_in(c, 0)->dtype, to = plain_out(c, 0)->dtype;
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        if (lth_dtype_is_float(from))
            plain_store_float(to, c->out[0], i, plain_load_float(from, c->in[0], i));
        else
            plain_store_integer(to, c->out[0], i, plain_load_integer(from, c->in[0], i));
    return true;
}

static bool copy(const plain_call *c)
{
    int64_t bytes = plain_count(c) * lth_dtype_size(plain_out(c, 0)->dtype);
    if (bytes)
        memcpy(c->out[0], c->in[0], (size_t)bytes);
    return true;
}

static const plain_op ops[] = {
    { LTH_OP_NEG, PLAIN_NUMBERS(neg) },
    { LTH_OP_EXP, PLAIN_FLOATS(exp) },
    { LTH_OP_LOG, PLAIN_FLOATS(log) },
    { LTH_OP_SQRT, PLAIN_FLOATS(sqrt) },
    { LTH_OP_RSQRT, PLAIN_FLOATS(rsqrt) },
    { LTH_OP_SIN, PLAIN_FLOATS(sin) },
    { LTH_OP_COS, PLAIN_FLOATS(cos) },
    { LTH_OP_TANH, PLAIN_FLOATS(tanh) },
    { LTH_OP_ERF, PLAIN_FLOATS(erf) },
    { LTH_OP_ABS, PLAIN_NUMBERS(abs) },
    { LTH_OP_SIGN, PLAIN_NUMBERS(sign) },
    { LTH_OP_FLOOR, PLAIN_FLOATS(floor) },
    { LTH_OP_CEIL, PLAIN_FLOATS(ceil) },
    { LTH_OP_ROUND, PLAIN_FLOATS(round) },
    { LTH_OP_LOG1P, PLAIN_FLOATS(log1p) },
    { LTH_OP_EXPM1, PLAIN_FLOATS(expm1) },
    { LTH_OP_RECIPROCAL, PLAIN_FLOATS(reciprocal) },
    { LTH_OP_SQUARE, PLAIN_FLOATS(square) },
    { LTH_OP_SIGMOID, PLAIN_FLOATS(sigmoid) },
    { LTH_OP_RELU, PLAIN_FLOATS(relu) },
    { LTH_OP_GELU, PLAIN_FLOATS(gelu) },
    { LTH_OP_GELU_TANH, PLAIN_FLOATS(gelu_tanh) },
    { LTH_OP_SILU, PLAIN_FLOATS(silu) },
    { LTH_OP_SOFTPLUS, PLAIN_FLOATS(softplus) },
    { LTH_OP_NOT, { [LTH_BOOL] = not_bool } },
    { LTH_OP_ISFINITE, PLAIN_FLOATS(isfinite) },
    { LTH_OP_CAST, PLAIN_ANY(cast) },
    { LTH_OP_STOP_GRADIENT, PLAIN_ANY(copy) },
    { LTH_OP_GELU_SLOPE, PLAIN_FLOATS(gelu_slope) },
    { LTH_OP_GELU_TANH_SLOPE, PLAIN_FLOATS(gelu_tanh_slope) },
    { LTH_OP_ADD, PLAIN_NUMBERS(add) },
    { LTH_OP_SUB, PLAIN_NUMBERS(sub) },
    { LTH_OP_MUL, PLAIN_NUMBERS(mul) },
    { LTH_OP_DIV, PLAIN_NUMBERS(div) },
    { LTH_OP_POW, PLAIN_FLOATS(pow) },
    { LTH_OP_MAXIMUM, PLAIN_NUMBERS(maximum) },
    { LTH_OP_MINIMUM, PLAIN_NUMBERS(minimum) },
    { LTH_OP_EQ, PLAIN_NUMBERS_AND_BOOL(eq, eq_u8) },
    { LTH_OP_NE, PLAIN_NUMBERS_AND_BOOL(ne, ne_u8) },
    { LTH_OP_LT, PLAIN_NUMBERS_AND_BOOL(lt, lt_u8) },
    { LTH_OP_LE, PLAIN_NUMBERS_AND_BOOL(le, le_u8) },
    { LTH_OP_GT, PLAIN_NUMBERS_AND_BOOL(gt, gt_u8) },
    { LTH_OP_GE, PLAIN_NUMBERS_AND_BOOL(ge, ge_u8) },
    { LTH_OP_AND, { [LTH_BOOL] = and_bool } },
    { LTH_OP_OR, { [LTH_BOOL] = or_bool } },
    { LTH_OP_WHERE, PLAIN_ANY(where) },
    { LTH_OP_DROPOUT, PLAIN_FLOATS(dropout) },
    { LTH_OP_RESHAPE, PLAIN_ANY(copy) },
};
const plain_family plain_pointwise_ops = PLAIN_FAMILY(ops);
