/* SPDX-License-Identifier: Apache-2.0
 * lthost/order.h: running sums, sorting, the greatest few, medians and quantiles, along an axis (negative: from the end), as
 * torch's functions of the same names.
 *
 * Sorting is stable in both directions, and NaN is the greatest, as everywhere here. All functions: [main], during a step
 * function or a recorded hook; errors are sticky (tensor.h). */
#ifndef LTHOST_ORDER_H
#define LTHOST_ORDER_H

#include "arrange.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* ---- Running sums ---- */

typedef struct lth_cumsum_args {
    int64_t axis LTH_ZERO;
    int32_t exclusive LTH_ZERO; /* 1: without the element itself */
    int32_t reverse LTH_ZERO;   /* 1: from the end of the axis */
} lth_cumsum_args;

static inline lth_tensor lth_cumsum_(lth_tensor x, const lth_cumsum_args *a, const char *file, uint32_t line)
{
    const lth_attr_cumulative at = { a->axis, a->exclusive > 0, a->reverse > 0 };
    return lth_op1_(LTH_OP_CUMSUM, x, &at, sizeof at, file, line);
}

/* ---- Sorting ---- */

/* values: differentiable by what was sorted. indices: i64, along the axis. */
typedef struct lth_sorted { lth_tensor values, indices; } lth_sorted;

typedef struct lth_sort_args {
    int64_t axis LTH_ZERO;
    int32_t descending LTH_ZERO; /* 1: the greatest first */
    int32_t smallest LTH_ZERO;   /* lth_topk: 1: the least ones, the least first */
} lth_sort_args;

/* The first `length` in order; 0: all. */
static inline lth_tensor lth_argsort_(lth_tensor x, int64_t axis, int64_t length, bool descending, const char *file, uint32_t line)
{
    const lth_attr_sort at = { axis, length, descending, 0 };
    return lth_op1_(LTH_OP_ARGSORT, x, &at, sizeof at, file, line);
}

static inline lth_sorted lth_sort_(lth_tensor x, int64_t axis, int64_t length, bool descending, const char *file, uint32_t line)
{
    lth_sorted s = { lth_none(), lth_argsort_(x, axis, length, descending, file, line) };
    s.values = lth_gather_along(x, s.indices, axis);
    return s;
}

static inline lth_sorted lth_topk_(lth_tensor x, int64_t k, const lth_sort_args *a, const char *file, uint32_t line)
{
    lth_sorted s = lth_sort_(x, a->axis, k, a->smallest <= 0, file, line);
    if (k == 0) { /* which means all, to the op */
        s.values = lth_slice(s.values, (int32_t)a->axis, 0, 0);
        s.indices = lth_slice(s.indices, (int32_t)a->axis, 0, 0);
    }
    return s;
}

/* ---- Medians and quantiles ---- */

/* y where no element of x along the axis is NaN, else NaN. */
static inline lth_tensor lth_unless_nan_(lth_tensor x, lth_tensor y, int32_t axis, const char *file, uint32_t line)
{
    if (!lth_dtype_is_float(lth_dtype_of(x)))
        return y;
    lth_tensor greatest = lth_stop_gradient(lth_max_axis(x, axis, 1));
    return lth_where(lth_ne(greatest, greatest), greatest, y);
}

/* The element at `place` in order, kept as an axis of 1. */
static inline lth_tensor lth_at_place_(lth_tensor sorted, int32_t axis, int64_t place, const char *file, uint32_t line)
{
    return lth_slice(sorted, axis, place, place + 1);
}

static inline lth_tensor lth_quantile_(lth_tensor x, double q, bool median, int64_t axis, int32_t keep, const char *file, uint32_t line)
{
    const char *name = median ? "lth_median" : "lth_quantile";
    int32_t a = lth_axis_of_(name, x, axis, lth_rank(x), file, line);
    int64_t n = a < 0 ? 0 : lth_dim(x, a);
    if (a < 0)
        return lth_none();
    if (n == 0 || !(q >= 0 && q <= 1) || (!median && !lth_dtype_is_float(lth_dtype_of(x))))
        return lth_refuse_(x, file, line, "%s(%g) of %s %s along axis %d: takes q from 0 to 1 and %s with elements there", name, q,
                           lth_dtype_name(lth_dtype_of(x)), lth_shape_text_(x).at, (int)a, median ? "numbers" : "a floating tensor");
    const int64_t middle = (n - 1) / 2;
    double at = median ? (double)middle : q * (double)(n - 1), part = at - floor(at);
    int64_t low = (int64_t)floor(at);
    lth_tensor sorted = lth_sort_(x, a, low + 1 + (part > 0), false, file, line).values, y = lth_at_place_(sorted, a, low, file, line);
    if (part > 0) {
        lth_tensor next = lth_at_place_(sorted, a, low + 1, file, line), step = lth_sub(next, y);
        y = part < 0.5 ? lth_add(y, lth_mul(step, part)) : lth_sub(next, lth_mul(step, 1 - part));
    }
    y = lth_unless_nan_(x, y, a, file, line);
    return keep > 0 ? y : lth_squeeze(y, a);
}

static inline lth_tensor lth_quantile_of_all_(lth_tensor x, double q, bool median, const char *file, uint32_t line)
{
    return lth_quantile_(lth_reshape(x, -1), q, median, 0, 0, file, line);
}

#pragma pop_macro("LTH_HERE")
/* lth_cumsum(x, axis); options follow: .exclusive = 1, .reverse = 1 */
#define lth_cumsum(x, ...) lth_cumsum_((x), LTH_REF(lth_cumsum_args, .axis = __VA_ARGS__), LTH_HERE)
/* The order of the elements along an axis, i64: lth_argsort(x, axis, .descending = 1) */
#define lth_argsort(x, ...) lth_argsort_args_((x), LTH_REF(lth_sort_args, .axis = __VA_ARGS__), LTH_HERE)
static inline lth_tensor lth_argsort_args_(lth_tensor x, const lth_sort_args *a, const char *file, uint32_t line)
{
    return lth_argsort_(x, a->axis, 0, a->descending > 0, file, line);
}
/* lth_sort(x, axis, .descending = 1).values */
#define lth_sort(x, ...) lth_sort_args_((x), LTH_REF(lth_sort_args, .axis = __VA_ARGS__), LTH_HERE)
static inline lth_sorted lth_sort_args_(lth_tensor x, const lth_sort_args *a, const char *file, uint32_t line)
{
    return lth_sort_(x, a->axis, 0, a->descending > 0, file, line);
}
/* The k greatest along an axis, the greatest first: lth_topk(x, k, axis).indices; or the least: .smallest = 1 */
#define lth_topk(x, k, ...) lth_topk_((x), (k), LTH_REF(lth_sort_args, .axis = __VA_ARGS__), LTH_HERE)
/* The lower of the two in the middle; of floating or whole numbers. NaN where there is one. keep = 1 leaves the axis. */
#define lth_median(x) lth_quantile_of_all_((x), 0.5, true, LTH_HERE)
#define lth_median_axis(x, axis, keep) lth_quantile_((x), 0.5, true, (axis), (keep), LTH_HERE)
/* What a share q (0 to 1) of the elements is at most, linearly between the two at q (n - 1). Another q may be another plan. */
#define lth_quantile(x, q) lth_quantile_of_all_((x), (q), false, LTH_HERE)
#define lth_quantile_axis(x, q, axis, keep) lth_quantile_((x), (q), false, (axis), (keep), LTH_HERE)

LTH_END_C
#endif
