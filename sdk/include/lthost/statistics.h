/* SPDX-License-Identifier: Apache-2.0
 * lthost/statistics.h: variance, standard deviation, norms, any and all, over all elements or along an axis (negative: from the
 * end; keep = 1 leaves it with length 1), as torch's functions of the same names. Means, sums and extremes are in tensor.h, medians
 * and quantiles in order.h. Sums, means and extremes over several axes are here.
 *
 * All functions: [main], during a step function or a recorded hook; errors are sticky (tensor.h). */
#ifndef LTHOST_STATISTICS_H
#define LTHOST_STATISTICS_H

#include "refuse.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* What is reduced: everything, or one axis. */
typedef struct lth_over_ { int32_t all, axis, keep; } lth_over_;

static inline lth_tensor lth_reduce_over_(uint32_t op, lth_tensor x, lth_over_ o, const char *file, uint32_t line)
{
    return lth_reduce_(op, x, o.axis, o.all, o.keep, file, line);
}

static inline lth_tensor lth_reduce_axes_(uint32_t op, const char *name, lth_tensor x, int32_t keep, lth_dims axes, const char *file,
                                          uint32_t line)
{
    lth_attr_reduce at = { 0, (uint32_t)(keep > 0) };
    if (axes.rank > LTH_MAX_RANK)
        return lth_refuse_(x, file, line, "%s: more than %d axes", name, LTH_MAX_RANK);
    for (int32_t i = 0; i < axes.rank; i++) {
        int32_t a = lth_axis_of_(name, x, axes.dim[i], lth_rank(x), file, line);
        if (a < 0)
            return lth_none();
        if (at.axes >> a & 1)
            return lth_refuse_(x, file, line, "%s: axis %d is named twice", name, (int)a);
        at.axes |= 1u << a;
    }
    return lth_op1_(op, x, &at, sizeof at, file, line);
}

static inline lth_tensor lth_var_(lth_tensor x, double correction, lth_over_ o, const char *file, uint32_t line)
{
    const lth_over_ kept = { o.all, o.axis, 1 };
    const double n = (double)(o.all ? lth_count(x) : lth_dim(x, o.axis)), free_ = n > correction ? n - correction : 0;
    lth_tensor away = lth_sub(x, lth_reduce_over_(LTH_OP_MEAN, x, kept, file, line));
    return lth_div(lth_reduce_over_(LTH_OP_SUM, lth_square(away), o, file, line), free_);
}

/* x^power of x >= 0, power > 0, with a gradient of 0 where x is 0. */
static inline lth_tensor lth_root_(lth_tensor x, double power, const char *file, uint32_t line)
{
    lth_tensor zero = lth_eq(x, 0), safe = lth_where(zero, 1, x);
    return lth_where(zero, 0, power == 0.5 ? lth_sqrt(safe) : lth_pow(safe, power));
}

static inline lth_tensor lth_norm_over_(lth_tensor x, double p, lth_over_ o, const char *file, uint32_t line)
{
    if (p == 2)
        return lth_root_(lth_reduce_over_(LTH_OP_SUM, lth_square(x), o, file, line), 0.5, file, line);
    if (p == 1)
        return lth_reduce_over_(LTH_OP_SUM, lth_abs(x), o, file, line);
    if (p == 0)
        return lth_reduce_over_(LTH_OP_SUM, lth_cast(lth_ne(x, 0), lth_dtype_of(x)), o, file, line);
    if (isinf(p))
        return lth_reduce_over_(p > 0 ? LTH_OP_MAX : LTH_OP_MIN, lth_abs(x), o, file, line);
    if (!(p > 0))
        return lth_refuse_(x, file, line, "lth_norm: the order must be 0 or above, or -INFINITY, not %g", p);
    lth_tensor powers = lth_root_(lth_abs(x), p, file, line);
    return lth_root_(lth_reduce_over_(LTH_OP_SUM, powers, o, file, line), 1 / p, file, line);
}

/* A sum of bools is whether any is true. */
static inline lth_tensor lth_any_over_(lth_tensor x, bool all, lth_over_ o, const char *file, uint32_t line)
{
    lth_tensor is = lth_dtype_of(x) == LTH_BOOL ? x : lth_ne(x, 0);
    return all ? lth_not(lth_reduce_over_(LTH_OP_SUM, lth_not(is), o, file, line)) : lth_reduce_over_(LTH_OP_SUM, is, o, file, line);
}

#pragma pop_macro("LTH_HERE")
#define LTH_OVER_ALL_ LTH_VALUE(lth_over_, 1, 0, 0)
#define LTH_OVER_AXIS_(axis, keep) LTH_VALUE(lth_over_, 0, (int32_t)(axis), (keep))
/* Over several axes: lth_mean_axes(x, 0, 2, 3) is torch's x.mean((2, 3)); keep comes before them. */
#define lth_sum_axes(x, keep, ...) lth_reduce_axes_(LTH_OP_SUM, "lth_sum_axes", (x), (keep), LTH_LIST_(__VA_ARGS__), LTH_HERE)
#define lth_mean_axes(x, keep, ...) lth_reduce_axes_(LTH_OP_MEAN, "lth_mean_axes", (x), (keep), LTH_LIST_(__VA_ARGS__), LTH_HERE)
#define lth_max_axes(x, keep, ...) lth_reduce_axes_(LTH_OP_MAX, "lth_max_axes", (x), (keep), LTH_LIST_(__VA_ARGS__), LTH_HERE)
#define lth_min_axes(x, keep, ...) lth_reduce_axes_(LTH_OP_MIN, "lth_min_axes", (x), (keep), LTH_LIST_(__VA_ARGS__), LTH_HERE)
/* The sum of (x - mean)^2 over n - correction: torch's default is 1, the biased variance has 0. Of as few as that: NaN or infinite. */
#define lth_var(x, correction) lth_var_((x), (double)(correction), LTH_OVER_ALL_, LTH_HERE)
#define lth_var_axis(x, axis, correction, keep) lth_var_((x), (double)(correction), LTH_OVER_AXIS_((axis), (keep)), LTH_HERE)
/* Its root; where it is 0, so is the gradient. */
#define lth_std(x, correction) lth_root_(lth_var((x), (correction)), 0.5, LTH_HERE)
#define lth_std_axis(x, axis, correction, keep) lth_root_(lth_var_axis((x), (axis), (correction), (keep)), 0.5, LTH_HERE)
/* (sum |x|^p)^(1 / p), as torch.linalg.vector_norm: p >= 0 or +-INFINITY; 0 counts what is not 0. Where a norm is 0, so is its gradient. */
#define lth_norm(x, p) lth_norm_over_((x), (double)(p), LTH_OVER_ALL_, LTH_HERE)
#define lth_norm_axis(x, p, axis, keep) lth_norm_over_((x), (double)(p), LTH_OVER_AXIS_((axis), (keep)), LTH_HERE)
/* Whether any (every) element is not 0: bool. Of none: false (true). */
#define lth_any(x) lth_any_over_((x), false, LTH_OVER_ALL_, LTH_HERE)
#define lth_any_axis(x, axis, keep) lth_any_over_((x), false, LTH_OVER_AXIS_((axis), (keep)), LTH_HERE)
#define lth_all(x) lth_any_over_((x), true, LTH_OVER_ALL_, LTH_HERE)
#define lth_all_axis(x, axis, keep) lth_any_over_((x), true, LTH_OVER_AXIS_((axis), (keep)), LTH_HERE)

LTH_END_C
#endif
