/* SPDX-License-Identifier: Apache-2.0
 * Includes TEMPLATE once an integer type, with T, U, NAME and IS_NAN as in each_float.h. */
#define IS_NAN(x) false

#define T int64_t
#define U uint64_t
#define NAME(f) f##_i64
#include TEMPLATE
#undef T
#undef U
#undef NAME

#define T int32_t
#define U uint32_t
#define NAME(f) f##_i32
#include TEMPLATE
#undef T
#undef U
#undef NAME

#define T int8_t
#define U uint8_t
#define NAME(f) f##_i8
#include TEMPLATE
#undef T
#undef U
#undef NAME

#define T uint8_t
#define U uint8_t
#define NAME(f) f##_u8
#include TEMPLATE
#undef T
#undef U
#undef NAME

#undef IS_NAN
