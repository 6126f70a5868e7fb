/* SPDX-License-Identifier: Apache-2.0
 * A template (each_integer.h). Division is towards zero, by zero gives 0, and the least number by -1 wraps. */
BINARY(div, T, b == 0 ? 0 : (T)-1 < (T)1 && b == (T)-1 ? (T)(-(U)a) : (T)(a / b))
