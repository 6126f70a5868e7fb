/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"
#include "kernel.h"

#include <string.h>

#define UNARY(op, expression)                                                                                           \
    static bool NAME(op)(const ref_call *c)                                                                             \
    {                                                                                                                   \
        const T *xs = c->in[0];                                                                                         \
        T *ys = c->out[0];                                                                                              \
        for (int64_t i = 0, n = ref_count(c); i < n; i++) {                                                             \
            T x = xs[i];                                                                                                \
            ys[i] = (expression);                                                                                       \
        }                                                                                                               \
        return true;                                                                                                    \
    }
#define BINARY(op, result, expression)                                                                                  \
    static bool NAME(op)(const ref_call *c)                                                                             \
    {                                                                                                                   \
        const T *as = c->in[0], *bs = c->in[1];                                                                         \
        result *ys = c->out[0];                                                                                         \
        for (int64_t i = 0, n = ref_count(c); i < n; i++) {                                                             \
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

static bool not_bool(const ref_call *c)
{
    const uint8_t *x = c->in[0];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        y[i] = !x[i];
    return true;
}

static bool and_bool(const ref_call *c)
{
    const uint8_t *a = c->in[0], *b = c->in[1];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        y[i] = a[i] && b[i];
    return true;
}

static bool or_bool(const ref_call *c)
{
    const uint8_t *a = c->in[0], *b = c->in[1];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        y[i] = a[i] || b[i];
    return true;
}

static bool where(const ref_call *c)
{
    const uint8_t *condition = c->in[0];
    const char *a = c->in[1], *b = c->in[2];
    char *y = c->out[0];
    int64_t size = lth_dtype_size(ref_out(c, 0)->dtype);
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        memcpy(y + i * size, (condition[i] ? a : b) + i * size, (size_t)size);
    return true;
}

static bool cast(const ref_call *c)
{
    lth_dtype from = ref_in(c, 0)->dtype, to = ref_out(c, 0)->dtype;
    for (int64_t i = 0, n = ref_count(c); i < n; i++)
        if (lth_dtype_is_float(from))
            ref_store_float(to, c->out[0], i, ref_load_float(from, c->in[0], i));
        else
            ref_store_integer(to, c->out[0], i, ref_load_integer(from, c->in[0], i));
    return true;
}

static bool copy(const ref_call *c)
{
    int64_t bytes = ref_count(c) * lth_dtype_size(ref_out(c, 0)->dtype);
    if (bytes)
        memcpy(c->out[0], c->in[0], (size_t)bytes);
    return true;
}

static const ref_op ops[] = {
    { LTH_OP_NEG, REF_NUMBERS(neg) },
    { LTH_OP_EXP, REF_FLOATS(exp) },
    { LTH_OP_LOG, REF_FLOATS(log) },
    { LTH_OP_SQRT, REF_FLOATS(sqrt) },
    { LTH_OP_RSQRT, REF_FLOATS(rsqrt) },
    { LTH_OP_SIN, REF_FLOATS(sin) },
    { LTH_OP_COS, REF_FLOATS(cos) },
    { LTH_OP_TANH, REF_FLOATS(tanh) },
    { LTH_OP_ERF, REF_FLOATS(erf) },
    { LTH_OP_ABS, REF_NUMBERS(abs) },
    { LTH_OP_SIGN, REF_NUMBERS(sign) },
    { LTH_OP_FLOOR, REF_FLOATS(floor) },
    { LTH_OP_CEIL, REF_FLOATS(ceil) },
    { LTH_OP_ROUND, REF_FLOATS(round) },
    { LTH_OP_LOG1P, REF_FLOATS(log1p) },
    { LTH_OP_EXPM1, REF_FLOATS(expm1) },
    { LTH_OP_RECIPROCAL, REF_FLOATS(reciprocal) },
    { LTH_OP_SQUARE, REF_FLOATS(square) },
    { LTH_OP_SIGMOID, REF_FLOATS(sigmoid) },
    { LTH_OP_RELU, REF_FLOATS(relu) },
    { LTH_OP_GELU, REF_FLOATS(gelu) },
    { LTH_OP_GELU_TANH, REF_FLOATS(gelu_tanh) },
    { LTH_OP_SILU, REF_FLOATS(silu) },
    { LTH_OP_SOFTPLUS, REF_FLOATS(softplus) },
    { LTH_OP_NOT, { [LTH_BOOL] = not_bool } },
    { LTH_OP_ISFINITE, REF_FLOATS(isfinite) },
    { LTH_OP_CAST, REF_ANY(cast) },
    { LTH_OP_STOP_GRADIENT, REF_ANY(copy) },
    { LTH_OP_ADD, REF_NUMBERS(add) },
    { LTH_OP_SUB, REF_NUMBERS(sub) },
    { LTH_OP_MUL, REF_NUMBERS(mul) },
    { LTH_OP_DIV, REF_NUMBERS(div) },
    { LTH_OP_POW, REF_FLOATS(pow) },
    { LTH_OP_MAXIMUM, REF_NUMBERS(maximum) },
    { LTH_OP_MINIMUM, REF_NUMBERS(minimum) },
    { LTH_OP_EQ, REF_NUMBERS_AND_BOOL(eq, eq_u8) },
    { LTH_OP_NE, REF_NUMBERS_AND_BOOL(ne, ne_u8) },
    { LTH_OP_LT, REF_NUMBERS_AND_BOOL(lt, lt_u8) },
    { LTH_OP_LE, REF_NUMBERS_AND_BOOL(le, le_u8) },
    { LTH_OP_GT, REF_NUMBERS_AND_BOOL(gt, gt_u8) },
    { LTH_OP_GE, REF_NUMBERS_AND_BOOL(ge, ge_u8) },
    { LTH_OP_AND, { [LTH_BOOL] = and_bool } },
    { LTH_OP_OR, { [LTH_BOOL] = or_bool } },
    { LTH_OP_WHERE, REF_ANY(where) },
    { LTH_OP_DROPOUT, REF_FLOATS(dropout) },
    { LTH_OP_RESHAPE, REF_ANY(copy) },
};
const ref_family ref_pointwise_ops = REF_FAMILY(ops);
