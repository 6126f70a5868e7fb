/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: the instructions of a floating type T, whose functions are F(name). */
#include "tile_parts_float.h"

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
        case LTH_OP_CAST: TILE_T(cast)(ins->to, in[0], out, n); return;
        case LTH_OP_UNIFORM:
        case LTH_OP_NORMAL:
        case LTH_OP_DROPOUT: TILE_T(random)(ins, run, in, out, start, n); return;
        default: return;
    }
}
