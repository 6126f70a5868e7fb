/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: the instructions of a floating type T, whose functions are F(name). */
#include "tile_parts_float.h"

#define PAIR(first, second, value)              \
    if (op == accel_tile_pair(first, second)) { \
        TILE_LOOP                               \
        for (int64_t i = 0; i < n; i++) {       \
            T a = as[i], b = bs[i], c = cs[i];  \
            y[i] = (value);                     \
        }                                       \
        return;                                 \
    }
#define PAIRS(first, t)                         \
    PAIR(first, ACCEL_SECOND_ADD, (t) + c)      \
    PAIR(first, ACCEL_SECOND_MUL, (t)*c)        \
    PAIR(first, ACCEL_SECOND_SUB, (t)-c)        \
    PAIR(first, ACCEL_SECOND_SUB_FROM, c - (t)) \
    PAIR(first, ACCEL_SECOND_DIV, (t) / c)      \
    PAIR(first, ACCEL_SECOND_DIV_OF, c / (t))
static void TILE_T(pair)(uint32_t op, const T *as, const T *bs, const T *cs, T *y, int64_t n)
{
    PAIRS(ACCEL_FIRST_ADD, a + b)
    PAIRS(ACCEL_FIRST_SUB, a - b)
    PAIRS(ACCEL_FIRST_MUL, a * b)
}
#undef PAIRS
#undef PAIR

static void TILE_T(step)(const accel_instruction *ins, const accel_tile_run *run, const void *const *in, void *out, int64_t start,
                         int64_t n)
{
    switch (ins->op) {
#include "tile_loops_number.h"
        CASE1(EXP, F(exp)(a))
        CASE1(LOG, F(log)(a))
        CASE1(SQRT, F(sqrt)(a))
        CASE1(RSQRT, 1 / F(sqrt)(a))
        CASE1(SIN, F(sin)(a))
        CASE1(COS, F(cos)(a))
        CASE1(TANH, F(tanh)(a))
        CASE1(ERF, F(erf)(a))
        CASE1(FLOOR, TILE_BUILTIN(floor)(a))
        CASE1(CEIL, TILE_BUILTIN(ceil)(a))
        CASE1(ROUND, TILE_BUILTIN(rint)(a))
        CASE1(LOG1P, F(log1p)(a))
        CASE1(EXPM1, F(expm1)(a))
        CASE1(RECIPROCAL, 1 / a)
        CASE1(SQUARE, a * a)
        CASE1(SIGMOID, F(sigmoid)(a))
        CASE1(RELU, a > 0 || a != a ? a : 0)
        CASE1(GELU, F(gelu)(a))
        CASE1(GELU_TANH, F(gelu_tanh)(a))
        CASE1(GELU_SLOPE, F(gelu_slope)(a))
        CASE1(GELU_TANH_SLOPE, F(gelu_tanh_slope)(a))
        CASE1(SILU, a * F(sigmoid)(a))
        CASE1(SOFTPLUS, F(softplus)(a))
        CASE2(DIV, T, a / b)
        CASE2(POW, T, F(pow)(a, b))
    case LTH_OP_ISFINITE: {
        const T *x = in[0];
        uint8_t *y = out;
        TILE_LOOP
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] - x[i] == 0;
        return;
    }
    case LTH_OP_CAST:
        TILE_T(cast)(ins->to, in[0], out, n);
        return;
    case LTH_OP_UNIFORM:
    case LTH_OP_NORMAL:
    case LTH_OP_DROPOUT:
        TILE_T(random)(ins, run, in, out, start, n);
        return;
    default:
        TILE_T(pair)(ins->op, in[0], in[1], in[2], out, n);
        return;
    }
}
