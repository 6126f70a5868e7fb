/* SPDX-License-Identifier: Apache-2.0
 * trainer/weights_convert.c */
#include "weights_convert.h"

#include <math.h>
#include <string.h>

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static double from_f16(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double magnitude = exponent == 31  ? fraction ? (double)NAN : (double)INFINITY
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -magnitude : magnitude;
}

/* The upper half of a binary32. */
static double from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double element(lth_dtype type, const void *in, int64_t i)
{
    switch (type) {
    case LTH_F32:
        return ((const float *)in)[i];
    case LTH_F64:
        return ((const double *)in)[i];
    case LTH_F16:
        return from_f16(((const uint16_t *)in)[i]);
    default:
        return from_bf16(((const uint16_t *)in)[i]);
    }
}

bool weights_can_convert(lth_dtype from, lth_dtype to)
{
    return lth_dtype_is_float(from) && (to == LTH_F32 || to == LTH_F64 || to == LTH_BF16);
}

/* To nearest even. */
static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(isnan(x) ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

int64_t weights_convert(lth_dtype from, const void *in, lth_dtype to, void *out, int64_t count)
{
    int64_t lost = -1;
    for (int64_t i = 0; i < count; i++) {
        double value = element(from, in, i);
        if (to == LTH_F64) {
            ((double *)out)[i] = value;
            continue;
        }
        float narrow = (float)value;
        if (to == LTH_BF16) {
            uint16_t half = to_bf16(narrow);
            ((uint16_t *)out)[i] = half;
            narrow = (float)from_bf16(half);
        } else {
            ((float *)out)[i] = narrow;
        }
        if (lost < 0 && isfinite(value) && !isfinite(narrow))
            lost = i;
    }
    return lost;
}
