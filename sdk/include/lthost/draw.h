/* SPDX-License-Identifier: Apache-2.0
 * lthost/draw.h: random tensors beside lth_uniform, lth_normal and lth_dropout (tensor.h), as torch's functions of the same names.
 * Numbers are fresh in every step and every turn of a loop, and the same after a resume. near_ is any tensor of the step.
 *
 * All functions: [main], during a step function or a recorded hook; errors are sticky (tensor.h). No gradient flows through a
 * draw of a class; of the noise in mean + std * lth_randn_like(mean) it does by mean and std. */
#ifndef LTHOST_DRAW_H
#define LTHOST_DRAW_H

#include "refuse.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* A uniform number of 24 bits, times at most 2^24, is below the product as a f32, too. */
static inline lth_tensor lth_randint_(lth_tensor near_, int64_t low, int64_t high, const lth_shape *shape, const char *file, uint32_t line)
{
    lth_shape s = *shape;
    if (high <= low || low < -(1LL << 53) || high > 1LL << 53 || high - low > 1 << 24)
        return lth_refuse_(near_, file, line, "lth_randint: low < high, at most 2^24 apart, are wanted, not %lld and %lld", (long long)low,
                           (long long)high);
    s.dtype = LTH_F32;
    lth_tensor whole = lth_cast(lth_floor(lth_mul(lth_uniform(near_, &s), (double)(high - low))), LTH_I64);
    return low ? lth_add(whole, (double)low) : whole;
}

/* argmax of log p + Gumbel noise is distributed as p (Gumbel 1954). */
static inline lth_tensor lth_categorical_(lth_tensor logits, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(logits);
    if (!lth_dtype_is_float(s.dtype) || s.rank < 1)
        return lth_refuse_(logits, file, line, "lth_categorical: takes floating logits (..., C), not %s %s", lth_dtype_name(s.dtype),
                           lth_shape_text_(logits).at);
    s.dtype = s.dtype == LTH_F64 ? (lth_dtype)LTH_F64 : (lth_dtype)LTH_F32;
    lth_tensor x = lth_stop_gradient(logits), u = lth_uniform(logits, &s);
    return lth_argmax(lth_sub(s.dtype == lth_dtype_of(x) ? x : lth_cast(x, s.dtype), lth_ln(lth_neg(lth_ln(u)))), -1);
}

static inline lth_tensor lth_bernoulli_(lth_tensor p, const char *file, uint32_t line)
{
    if (!lth_dtype_is_float(lth_dtype_of(p)))
        return lth_refuse_(p, file, line, "lth_bernoulli: takes floating probabilities, not %s", lth_dtype_name(lth_dtype_of(p)));
    lth_tensor x = lth_stop_gradient(p);
    return lth_cast(lth_lt(lth_uniform(p, lth_shape_of(p)), x), lth_dtype_of(p));
}

static inline lth_tensor lth_like_(uint32_t op, lth_tensor x, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    s.dtype = lth_dtype_is_float(s.dtype) ? s.dtype : (lth_dtype)LTH_DTYPE_NONE;
    return lth_random_(op, x, &s, file, line);
}

#pragma pop_macro("LTH_HERE")
/* Whole numbers (i64), each of low .. high - 1 as likely: lth_randint(x, 0, T, LTH_SHAPE(B)). */
#define lth_randint(near_, low, high, shape) lth_randint_((near_), (low), (high), (shape), LTH_HERE)
/* Uniform in [0, 1), and standard normal, of x's shape. */
#define lth_rand_like(x) lth_like_(LTH_OP_UNIFORM, (x), LTH_HERE)
#define lth_randn_like(x) lth_like_(LTH_OP_NORMAL, (x), LTH_HERE)
/* logits (..., C) -> (...), i64: a class each, drawn by softmax(logits); -INFINITY: never. torch.distributions.Categorical(logits). */
#define lth_categorical(logits) lth_categorical_((logits), LTH_HERE)
/* 1 with probability p, else 0, of p's shape and type. */
#define lth_bernoulli(p) lth_bernoulli_((p), LTH_HERE)

LTH_END_C
#endif
