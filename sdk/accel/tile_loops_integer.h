/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: the instructions of an integer type T. u8 serves bool, too. */
static void TILE_T(step)(const accel_instruction *ins, const void *const *in, void *out, int64_t start, int64_t n)
{
    const T *x = in[0];
    switch (ins->op) {
#include "tile_loops_number.h"
        CASE2(DIV, T, b == 0 ? 0 : (T)-1 < (T)1 && b == (T)-1 ? (T)(-(U)a) : (T)(a / b))
        CASE1(NOT, (T)!a)
        CASE2(AND, T, (T)(a && b))
        CASE2(OR, T, (T)(a || b))
    case LTH_OP_CAST:
        switch (ins->to) {
            TILE_CAST(LTH_F32, float, (float)x[i])
            TILE_CAST(LTH_F64, double, (double)x[i])
            TILE_CAST(LTH_BF16, uint16_t, tile_bf16((float)x[i]))
            TILE_CAST(LTH_F16, uint16_t, tile_f16((float)x[i]))
            TILE_CAST(LTH_I64, int64_t, x[i])
            TILE_CAST(LTH_I32, int32_t, (int32_t)x[i])
            TILE_CAST(LTH_U8, uint8_t, (uint8_t)x[i])
            TILE_CAST(LTH_I8, int8_t, (int8_t)x[i])
            TILE_CAST(LTH_BOOL, uint8_t, x[i] != 0)
        default: return;
        }
    default: return;
    }
}
