/* SPDX-License-Identifier: Apache-2.0
 * One element of any type, as a double or an integer, and back.
 *
 * To a floating type: rounded to nearest even; bf16 and f16 by way of f32. To an integer: a floating number is truncated,
 * clamped to the type's range, NaN becomes 0; a wider integer wraps. To bool: anything non-zero is true. */
#ifndef ACCEL_PLAIN_CONVERT_H
#define ACCEL_PLAIN_CONVERT_H

#include <lthost/base.h>

double plain_load_float(lth_dtype t, const void *data, int64_t i);    /* a floating t */
int64_t plain_load_integer(lth_dtype t, const void *data, int64_t i); /* an integer t, or bool */
void plain_store_float(lth_dtype t, void *data, int64_t i, double x);
void plain_store_integer(lth_dtype t, void *data, int64_t i, int64_t x);

/* n elements of bf16 or f16 to f32, and back. */
void plain_widen(lth_dtype t, const void *from, float *to, int64_t n);
void plain_narrow(lth_dtype t, const float *from, void *to, int64_t n);

#endif
