/* SPDX-License-Identifier: Apache-2.0
 * Includes TEMPLATE once a floating type. In it: T the type, U the same (integers: the unsigned type in which arithmetic
 * wraps), NAME(f) f's name for the type, M(f) the function of <math.h>, IS_NAN(x). No include guard: that is its purpose. */
#define IS_NAN(x) isnan(x)

#define T float
#define U float
#define NAME(f) f##_f32
#define M(function) function##f
#include TEMPLATE
#undef T
#undef U
#undef NAME
#undef M

#define T double
#define U double
#define NAME(f) f##_f64
#define M(function) function
#include TEMPLATE
#undef T
#undef U
#undef NAME
#undef M

#undef IS_NAN
