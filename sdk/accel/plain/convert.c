/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

#include <math.h>
#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint16_t bf16_of_float(float x)
{
    uint32_t bits = bits_of_float(x);
    if (isnan(x))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static uint16_t f16_of_float(float x)
{
    uint32_t bits = bits_of_float(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000)
        return (uint16_t)(sign | 0x7E00);
    if (magnitude >= 0x47800000) /* from 2^16 on: infinite */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude < 0x38800000) /* below 2^-14: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)nearbyint(ldexp(float_of_bits(magnitude), 24)));
    magnitude += 0xFFF + (magnitude >> 13 & 1); /* a carry out of 65504 gives infinity's bits */
    return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}

static float float_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3FF;
    if (exponent == 0)
        return ldexpf(sign ? -(float)mantissa : (float)mantissa, -24);
    if (exponent == 31)
        return float_of_bits(sign | 0x7F800000 | mantissa << 13);
    return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

double plain_load_float(lth_dtype t, const void *data, int64_t i)
{
    switch (t) {
    case LTH_F32: return ((const float *)data)[i];
    case LTH_F64: return ((const double *)data)[i];
    case LTH_BF16: return float_of_bits((uint32_t)((const uint16_t *)data)[i] << 16);
    case LTH_F16: return float_of_f16(((const uint16_t *)data)[i]);
    default: return NAN;
    }
}

int64_t plain_load_integer(lth_dtype t, const void *data, int64_t i)
{
    switch (t) {
    case LTH_I64: return ((const int64_t *)data)[i];
    case LTH_I32: return ((const int32_t *)data)[i];
    case LTH_U8: return ((const uint8_t *)data)[i];
    case LTH_BOOL: return ((const uint8_t *)data)[i] != 0;
    case LTH_I8: return ((const int8_t *)data)[i];
    default: return 0;
    }
}

void plain_store_integer(lth_dtype t, void *data, int64_t i, int64_t x)
{
    switch (t) {
    case LTH_F32: ((float *)data)[i] = (float)x; break;
    case LTH_F64: ((double *)data)[i] = (double)x; break;
    case LTH_BF16: ((uint16_t *)data)[i] = bf16_of_float((float)x); break;
    case LTH_F16: ((uint16_t *)data)[i] = f16_of_float((float)x); break;
    case LTH_I64: ((int64_t *)data)[i] = x; break;
    case LTH_I32: ((int32_t *)data)[i] = (int32_t)x; break;
    case LTH_U8: ((uint8_t *)data)[i] = (uint8_t)x; break;
    case LTH_BOOL: ((uint8_t *)data)[i] = x != 0; break;
    case LTH_I8: ((int8_t *)data)[i] = (int8_t)x; break;
    default: break;
    }
}

static double clamped(double x, double low, double high)
{
    return isnan(x) ? 0 : x < low ? low : x > high ? high : x;
}

void plain_store_float(lth_dtype t, void *data, int64_t i, double x)
{
    switch (t) {
    case LTH_F32: ((float *)data)[i] = (float)x; break;
    case LTH_F64: ((double *)data)[i] = x; break;
    case LTH_BF16: ((uint16_t *)data)[i] = bf16_of_float((float)x); break;
    case LTH_F16: ((uint16_t *)data)[i] = f16_of_float((float)x); break;
    case LTH_I64: /* 2^63 is no int64_t, but the double before it is */
        ((int64_t *)data)[i] = x >= 0x1p63 ? INT64_MAX : (int64_t)clamped(x, -0x1p63, 0x1.fffffffffffffp62);
        break;
    case LTH_I32: ((int32_t *)data)[i] = (int32_t)clamped(x, INT32_MIN, INT32_MAX); break;
    case LTH_U8: ((uint8_t *)data)[i] = (uint8_t)clamped(x, 0, UINT8_MAX); break;
    case LTH_BOOL: ((uint8_t *)data)[i] = x != 0; break;
    case LTH_I8: ((int8_t *)data)[i] = (int8_t)clamped(x, INT8_MIN, INT8_MAX); break;
    default: break;
    }
}

void plain_widen(lth_dtype t, const void *from, float *to, int64_t n)
{
    const uint16_t *x = from;
    if (t == LTH_BF16)
        for (int64_t i = 0; i < n; i++)
            to[i] = float_of_bits((uint32_t)x[i] << 16);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = float_of_f16(x[i]);
}

void plain_narrow(lth_dtype t, const float *from, void *to, int64_t n)
{
    uint16_t *y = to;
    if (t == LTH_BF16)
        for (int64_t i = 0; i < n; i++)
            y[i] = bf16_of_float(from[i]);
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = f16_of_float(from[i]);
}
