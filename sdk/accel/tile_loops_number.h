/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: cases of every numeric type T (U: in which arithmetic wraps). */
        CASE1(NEG, (T)(-(U)a))
        CASE1(ABS, a > 0 ? a : (T)(0 - (U)a))
        CASE1(SIGN, TILE_IS_NAN(a) || a == 0 ? a : (T)(a > 0 ? 1 : -1))
        CASE2(ADD, T, (T)((U)a + (U)b))
        CASE2(SUB, T, (T)((U)a - (U)b))
        CASE2(MUL, T, (T)((U)a * (U)b))
        CASE2(MAXIMUM, T, TILE_IS_NAN(a) || a > b ? a : b)
        CASE2(MINIMUM, T, TILE_IS_NAN(a) || a < b ? a : b)
        CASE2(EQ, uint8_t, a == b)
        CASE2(NE, uint8_t, a != b)
        CASE2(LT, uint8_t, a < b)
        CASE2(LE, uint8_t, a <= b)
        CASE2(GT, uint8_t, a > b)
        CASE2(GE, uint8_t, a >= b)
        CASE1(STOP_GRADIENT, a)
        case LTH_OP_WHERE: {
            const uint8_t *c = in[0];
            const T *x = in[1], *z = in[2];
            T *y = out;
            TILE_LOOP
            for (int64_t i = 0; i < n; i++)
                y[i] = c[i] ? x[i] : z[i];
            return;
        }
        case LTH_OP_IOTA: {
            T *y = out;
            for (int64_t i = 0; i < n; i++)
                y[i] = (T)((start + i) / ins->inner % ins->length);
            return;
        }
