/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h, each_integer.h): pointwise ops of every numeric type. */
UNARY(neg, (T)(-(U)x))
UNARY(abs, x > 0 ? x : (T)(0 - (U)x))
UNARY(sign, IS_NAN(x) || x == 0 ? x : (T)(x > 0 ? 1 : -1))

BINARY(add, T, (T)((U)a + (U)b))
BINARY(sub, T, (T)((U)a - (U)b))
BINARY(mul, T, (T)((U)a * (U)b))
BINARY(maximum, T, IS_NAN(a) ? a : IS_NAN(b) ? b : a > b ? a : b)
BINARY(minimum, T, IS_NAN(a) ? a : IS_NAN(b) ? b : a < b ? a : b)
BINARY(eq, uint8_t, a == b)
BINARY(ne, uint8_t, a != b)
BINARY(lt, uint8_t, a < b)
BINARY(le, uint8_t, a <= b)
BINARY(gt, uint8_t, a > b)
BINARY(ge, uint8_t, a >= b)
