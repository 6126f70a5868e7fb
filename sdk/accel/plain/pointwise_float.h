/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): pointwise ops of the floating types. */
UNARY(exp, M(exp)(x))
UNARY(log, M(log)(x))
UNARY(sqrt, M(sqrt)(x))
UNARY(rsqrt, 1 / M(sqrt)(x))
UNARY(sin, M(sin)(x))
UNARY(cos, M(cos)(x))
UNARY(tanh, M(tanh)(x))
UNARY(erf, M(erf)(x))
UNARY(floor, M(floor)(x))
UNARY(ceil, M(ceil)(x))
UNARY(round, M(nearbyint)(x))
UNARY(log1p, M(log1p)(x))
UNARY(expm1, M(expm1)(x))
UNARY(reciprocal, 1 / x)
UNARY(square, x *x)
UNARY(relu, x > 0 || IS_NAN(x) ? x : 0)

/* exp() of a positive number could overflow, so each half has its own form. */
static T NAME(logistic)(T x)
{
    T e = M(exp)(-M(fabs)(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}
UNARY(sigmoid, NAME(logistic)(x))
UNARY(silu, x *NAME(logistic)(x))
UNARY(softplus, (x > 0 ? x : 0) + M(log1p)(M(exp)(-M(fabs)(x))))
UNARY(gelu, x *(T)0.5 * M(erfc)(x * (T)-0.70710678118654752440))
UNARY(gelu_tanh, x *(T)0.5 * (1 + M(tanh)((T)0.79788456080286535588 * (x + (T)0.044715 * x * x * x))))
UNARY(gelu_slope, (T)0.5 * M(erfc)(x * (T)-0.70710678118654752440) + x *(T)0.39894228040143267794 * M(exp)(x *x *(T)-0.5))
static T NAME(slope_of_gelu_tanh)(T x)
{
    T u = (T)0.79788456080286535588 * (x + (T)0.044715 * x * x * x), least = NAME(logistic)(-2 * M(fabs)(u)), most = 1 - least;
    return (x > 0 ? most : least) + x * least * most * 2 * (T)0.79788456080286535588 * (1 + (T)0.134145 * x * x);
}
UNARY(gelu_tanh_slope, NAME(slope_of_gelu_tanh)(x))

BINARY(div, T, a / b)
BINARY(pow, T, M(pow)(a, b))

static bool NAME(isfinite)(const plain_call *c)
{
    const T *x = c->in[0];
    uint8_t *y = c->out[0];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = isfinite(x[i]) != 0;
    return true;
}

/* (x, p): x / (1 - p) where the uniform number is at least p. */
static bool NAME(dropout)(const plain_call *c)
{
    const lth_attr_random *a = plain_attributes(c);
    const lth_bindings *b = c->bindings;
    const T *x = c->in[0], p = *(const T *)c->in[1];
    T *y = c->out[0];
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = (T)lth_random_uniform(b->seed, a->id, b->step, b->stream, i) >= p ? x[i] / (1 - p) : 0;
    return true;
}
