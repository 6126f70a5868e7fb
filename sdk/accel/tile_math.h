/* SPDX-License-Identifier: Apache-2.0
 * accel/tile_math.h: elementary functions in f32 without branches, so that loops over them vectorise. Polynomials are
 * minimax fits (Chebyshev); errors are within 2 units in the last place of f32 where a comment says nothing else. NaN and
 * infinities go through as in <math.h>.
 *
 * TILE_FMA(a, b, c) is a b + c, rounded once: by name a fused one where the instruction set has it, since contraction is off;
 * else in double, which holds the product exactly. */
#ifndef LTHOST_ACCEL_TILE_MATH_H
#define LTHOST_ACCEL_TILE_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Before a loop whose iterations do not depend on each other. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* loops over functions of the C library stay scalar */
#define TILE_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define TILE_LOOP _Pragma("GCC ivdep")
#endif

#if defined(__FMA__) || defined(__aarch64__)
#define TILE_FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define TILE_FMA(a, b, c) ((float)((double)(a) * (double)(b) + (double)(c)))
#endif

static inline float tile_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t tile_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 2^n for n in -126..127 */
static inline float tile_power(int32_t n) { return tile_float((uint32_t)(n + 127) << 23); }

/* x = n ln 2 + r; exp(r) = 1 + r + r^2 P(r). Rounding to an integer is done by adding 1.5 2^23, which leaves n in the sum's last
 * bits, from where it goes into the exponent. Where 2^n has no exponent the result is no number of use, and is replaced: by 0
 * below the smallest normal number, by infinity (NaN for NaN) above the greatest. */
static inline float tile_exp_f32(float x)
{
    const float magic = 12582912.0f, low = -87.3365402f, high = 88.7228394f;
    float shifted = TILE_FMA(x, 1.44269504f, magic), n = shifted - magic;
    float r = TILE_FMA(n, -0.693145752f, x);
    r = TILE_FMA(n, -1.42860677e-6f, r);
    float z = r * r, p = TILE_FMA(r, 1.9891981314e-04f, 1.3934541928e-03f);
    p = TILE_FMA(p, z, TILE_FMA(r, 8.3333100242e-03f, 4.1666456810e-02f));
    p = TILE_FMA(p, z, TILE_FMA(r, 1.6666666683e-01f, 5.0000000143e-01f));
    p = TILE_FMA(p, z, r) + 1.0f;
    float y = tile_float(tile_bits(p) + (tile_bits(shifted) << 23)); /* in the range, p is in [0.7, 1.42) */
    y = x < high ? y : x * INFINITY;
    return x < low ? 0.0f : y;
}

/* exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), with r as above; where that could overflow, the one makes no difference. */
static inline float tile_expm1_f32(float x)
{
    const float magic = 12582912.0f;
    float c = x < -18.0f ? -18.0f : x > 80.0f ? 80.0f : x;
    float shifted = TILE_FMA(c, 1.44269504f, magic), n = shifted - magic;
    float power = tile_power((int32_t)(tile_bits(shifted) - tile_bits(magic)));
    float r = TILE_FMA(n, -0.693145752f, c);
    r = TILE_FMA(n, -1.42860677e-6f, r);
    float p = 1.9891981314e-04f;
    p = TILE_FMA(p, r, 1.3934541928e-03f);
    p = TILE_FMA(p, r, 8.3333100242e-03f);
    p = TILE_FMA(p, r, 4.1666456810e-02f);
    p = TILE_FMA(p, r, 1.6666666683e-01f);
    p = TILE_FMA(p, r, 5.0000000143e-01f);
    p = TILE_FMA(r * r, p, r);
    return x > 80.0f ? tile_exp_f32(x) : TILE_FMA(power, p, power - 1.0f);
}

/* x = 2^k (1 + t), 1 + t in [sqrt(1/2), sqrt(2)); log(1 + t) = t - t^2 / 2 + t^3 P(t). */
static inline float tile_log_f32(float x)
{
    int small = x < 1.17549435e-38f; /* denormal, zero, negative */
    uint32_t bits = tile_bits(small ? x * 8388608.0f : x);
    uint32_t shifted = bits - 0x3F3504F3u;
    int32_t k = (int32_t)shifted >> 23;
    float t = tile_float((shifted & 0x7FFFFFu) + 0x3F3504F3u) - 1.0f;
    float e = (float)(k - (small ? 23 : 0)), z = t * t;
    float p = 6.9716114715e-02f;
    p = TILE_FMA(p, t, -1.1479733847e-01f);
    p = TILE_FMA(p, t, 1.1685419923e-01f);
    p = TILE_FMA(p, t, -1.2425687331e-01f);
    p = TILE_FMA(p, t, 1.4249057646e-01f);
    p = TILE_FMA(p, t, -1.6667802320e-01f);
    p = TILE_FMA(p, t, 2.0000715749e-01f);
    p = TILE_FMA(p, t, -2.4999996958e-01f);
    p = TILE_FMA(p, t, 3.3333331180e-01f);
    float y = TILE_FMA(e, -2.12194440e-4f, t * z * p);
    y = TILE_FMA(z, -0.5f, y) + t;
    y = TILE_FMA(e, 0.693359375f, y);
    y = x == 0.0f ? -INFINITY : x < 0.0f ? NAN : y;
    return x == INFINITY || x != x ? x : y;
}

/* log(1 + x) by log(u) x / (u - 1), u = 1 + x rounded: its rounding cancels. */
static inline float tile_log1p_f32(float x)
{
    float u = 1.0f + x, d = u - 1.0f, y = tile_log_f32(u) * (x / d);
    y = d == 0.0f ? x : y;
    return u == INFINITY ? u : u == 0.0f ? -INFINITY : y;
}

static inline float tile_sigmoid_f32(float x) { return 1.0f / (1.0f + tile_exp_f32(-x)); }

/* x P(x^2) / Q(x^2); beyond 9.02 the nearest number is 1. Within 4 units in the last place. */
static inline float tile_tanh_f32(float x)
{
    float c = x > 9.02f ? 9.02f : x;
    c = c < -9.02f ? -9.02f : c;
    float z = c * c, p = TILE_FMA(z, 1.3319051e-08f, 2.0583467e-05f), q = TILE_FMA(z, 7.7620112e-07f, 3.2830915e-04f);
    p = TILE_FMA(p, z, 3.4940337e-03f);
    q = TILE_FMA(q, z, 2.5871070e-02f);
    p = TILE_FMA(p, z, 1.3379717e-01f);
    q = TILE_FMA(q, z, 4.6713032e-01f);
    p = TILE_FMA(p, z, 1.0f);
    q = TILE_FMA(q, z, 1.0f);
    return c * p / q;
}

/* erf(x) / x for |x| < 1, from z = x^2. */
static inline float tile_erf_near(float z)
{
    float p = 7.8758750627e-05f;
    p = TILE_FMA(p, z, -8.0168642872e-04f);
    p = TILE_FMA(p, z, 5.1890874234e-03f);
    p = TILE_FMA(p, z, -2.6854212011e-02f);
    p = TILE_FMA(p, z, 1.1283594715e-01f);
    p = TILE_FMA(p, z, -3.7612626667e-01f);
    return TILE_FMA(p, z, 1.1283791658e+00f);
}

/* 1 - erf(a) for a >= 1, by a fit of its logarithm up to 4; beyond, 0 (it is below 1.6e-8). */
static inline float tile_erfc_far(float a)
{
    float c = a > 4.0f ? 4.0f : a, q = 1.6371514146e-06f;
    q = TILE_FMA(q, c, -4.6058042689e-05f);
    q = TILE_FMA(q, c, 5.9680562566e-04f);
    q = TILE_FMA(q, c, -4.7595962933e-03f);
    q = TILE_FMA(q, c, 2.6421136006e-02f);
    q = TILE_FMA(q, c, -1.1008008295e-01f);
    q = TILE_FMA(q, c, -6.3182605156e-01f);
    q = TILE_FMA(q, c, -1.1302334348e+00f);
    q = TILE_FMA(q, c, 3.2013804968e-04f);
    return a > 4.0f ? 0.0f : tile_exp_f32(q);
}

static inline float tile_erf_f32(float x)
{
    float a = fabsf(x), far = copysignf(1.0f - tile_erfc_far(a), x);
    return a < 1.0f ? x * tile_erf_near(x * x) : far;
}

/* 1 - Phi(a) for a >= 0 is exp(-a^2 / 2), given as `bell`, times a polynomial in 1 / (1 + 0.3 a); relative error below 7.5e-7 up
 * to a = 5, where the rounding of a^2 is the most of it. */
static inline float tile_normal_tail(float a, float bell)
{
    float t = 1.0f / TILE_FMA(0.3f, a, 1.0f), p = 3.8334407e-02f;
    p = TILE_FMA(p, t, -1.6895260e-01f);
    p = TILE_FMA(p, t, 2.2821859e-01f);
    p = TILE_FMA(p, t, -7.6000966e-02f);
    p = TILE_FMA(p, t, 1.4218594e-01f);
    p = TILE_FMA(p, t, 9.4832629e-02f);
    p = TILE_FMA(p, t, 1.2188214e-01f);
    p = TILE_FMA(p, t, 1.1949305e-01f);
    p = TILE_FMA(p, t, 6.8534782e-06f);
    return p * bell;
}

/* x Phi(x) */
static inline float tile_gelu_f32(float x)
{
    float tail = tile_normal_tail(fabsf(x), tile_exp_f32(-0.5f * x * x));
    return x * (x > 0.0f ? 1.0f - tail : tail);
}

/* Phi(x) + x phi(x) */
static inline float tile_gelu_slope_f32(float x)
{
    float bell = tile_exp_f32(-0.5f * x * x), tail = tile_normal_tail(fabsf(x), bell);
    return TILE_FMA(0.398942280f * x, bell, x > 0.0f ? 1.0f - tail : tail);
}

/* x (1 + tanh(u)) / 2 = x sigmoid(2 u) */
static inline float tile_gelu_tanh_f32(float x)
{
    float u = 0.797884561f * TILE_FMA(0.044715f * x, x * x, x);
    return x * tile_sigmoid_f32(2.0f * u);
}

/* s + x s (1 - s) 2 u' with s = sigmoid(2 u), of which the smaller of s and 1 - s is computed. */
static inline float tile_gelu_tanh_slope_f32(float x)
{
    float z = x * x, u = 0.797884561f * TILE_FMA(0.044715f * x, z, x), least = tile_sigmoid_f32(-2.0f * fabsf(u));
    float slope = TILE_FMA(0.214064874f, z, 1.595769122f), most = 1.0f - least;
    return TILE_FMA(x * slope, least * most, x > 0.0f ? most : least);
}

static inline float tile_softplus_f32(float x) { return (x > 0.0f ? x : 0.0f) + tile_log1p_f32(tile_exp_f32(-fabsf(x))); }

/* The rest, and all of f64, is the C library's. */
static inline float tile_sin_f32(float x) { return sinf(x); }
static inline float tile_cos_f32(float x) { return cosf(x); }
static inline float tile_pow_f32(float x, float y) { return powf(x, y); }
static inline float tile_sqrt_f32(float x) { return __builtin_sqrtf(x); }

static inline double tile_exp_f64(double x) { return exp(x); }
static inline double tile_log_f64(double x) { return log(x); }
static inline double tile_log1p_f64(double x) { return log1p(x); }
static inline double tile_expm1_f64(double x) { return expm1(x); }
static inline double tile_sin_f64(double x) { return sin(x); }
static inline double tile_cos_f64(double x) { return cos(x); }
static inline double tile_tanh_f64(double x) { return tanh(x); }
static inline double tile_erf_f64(double x) { return erf(x); }
static inline double tile_pow_f64(double x, double y) { return pow(x, y); }
static inline double tile_sqrt_f64(double x) { return __builtin_sqrt(x); }
static inline double tile_sigmoid_f64(double x) { return 1 / (1 + exp(-x)); }
static inline double tile_gelu_f64(double x) { return 0.5 * x * erfc(x * -0.70710678118654752440); }
static inline double tile_gelu_slope_f64(double x)
{
    return 0.5 * erfc(x * -0.70710678118654752440) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
}
static inline double tile_gelu_tanh_slope_f64(double x)
{
    double least = tile_sigmoid_f64(-2 * 0.79788456080286535588 * fabs(x + 0.044715 * x * x * x)), most = 1 - least;
    return (x > 0 ? most : least) + x * least * most * 2 * 0.79788456080286535588 * (1 + 0.134145 * x * x);
}
static inline double tile_gelu_tanh_f64(double x)
{
    return x * tile_sigmoid_f64(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));
}
static inline double tile_softplus_f64(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* ---- Conversions: to nearest even; to integers truncated, clamped, NaN to 0 ---- */

static inline uint16_t tile_bf16(float x)
{
    uint32_t bits = tile_bits(x);
    return (uint16_t)(x != x ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float tile_of_bf16(uint16_t h) { return tile_float((uint32_t)h << 16); }

static inline uint16_t tile_f16(float x)
{
    uint32_t bits = tile_bits(x), sign = bits >> 16 & 0x8000, m = bits & 0x7FFFFFFF;
    uint32_t normal = (m + 0xFFF + (m >> 13 & 1) - 0x38000000) >> 13;
    uint32_t fading = tile_bits(tile_float(m) + 0.5f) - 0x3F000000; /* below 2^-14 the sum's last bit is 2^-24 */
    uint32_t h = m > 0x7F800000 ? 0x7E00 : m >= 0x47800000 ? 0x7C00 : m < 0x38800000 ? fading : normal;
    return (uint16_t)(sign | h);
}

static inline float tile_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, m = h & 0x7FFF;
    float fading = tile_float(m | 0x3F000000) - 0.5f, normal = tile_float((m << 13) + 0x38000000);
    return tile_float(sign | tile_bits(m >= 0x7C00 ? tile_float(0x7F800000 | m << 13) : m < 0x400 ? fading : normal));
}

static inline int64_t tile_i64(double x) { return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x; }

static inline int64_t tile_clamped(double x, int64_t low, int64_t high)
{
    return x != x ? 0 : x <= (double)low ? low : x >= (double)high ? high : (int64_t)x;
}

#endif
