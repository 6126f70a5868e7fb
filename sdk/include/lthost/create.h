/* SPDX-License-Identifier: Apache-2.0
 * lthost/create.h: tensors from nothing but a shape: zeros, ranges, one-hot rows.
 *
 * near_ is any tensor of the step. A shape's dtype NONE (LTH_SHAPE): near_'s own type. All functions: [main], during a step
 * function or a recorded hook; errors are sticky (tensor.h). */
#ifndef LTHOST_CREATE_H
#define LTHOST_CREATE_H

#include "refuse.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

static inline lth_tensor lth_full_(lth_tensor near_, const lth_shape *shape, double value, const char *file, uint32_t line)
{
    if (!near_.trace)
        return near_;
    lth_dtype dtype = shape->dtype != LTH_DTYPE_NONE ? shape->dtype : lth_dtype_of(near_);
    return lth_expand_to(near_.trace->api->scalar(near_.trace, value, dtype, file, line), shape);
}

typedef struct lth_arange_args {
    double stop LTH_ZERO;
    double step LTH_ZERO;     /* default 1 */
    lth_dtype dtype LTH_ZERO; /* default i64 */
    uint32_t reserved LTH_ZERO;
} lth_arange_args;

static inline lth_tensor lth_arange_(lth_tensor near_, double start, const lth_arange_args *a, const char *file, uint32_t line)
{
    const lth_dtype dtype = a->dtype != LTH_DTYPE_NONE ? a->dtype : (lth_dtype)LTH_I64;
    const double step = a->step != 0 ? a->step : 1, count = ceil((a->stop - start) / step);
    const bool floating = lth_dtype_is_float(dtype), whole = start == floor(start) && step == floor(step);
    if (!(count >= 0 && count < 9e15))
        return lth_refuse_(near_, file, line, "lth_arange: no way from %g to %g in steps of %g", start, a->stop, step);
    if (!floating && !whole)
        return lth_refuse_(near_, file, line, "lth_arange: from %g in steps of %g in %s: .dtype = LTH_F32, say", start, step,
                           lth_dtype_name(dtype));
    const lth_shape s = { floating ? (lth_dtype)LTH_F64 : dtype, 1, { (int64_t)count } };
    lth_tensor x = lth_iota(near_, &s, 0);
    x = step != 1 ? lth_mul(x, step) : x;
    x = start != 0 ? lth_add(x, start) : x;
    return floating && dtype != LTH_F64 ? lth_cast(x, dtype) : x;
}

/* From both ends to the middle, so that it is symmetric. */
static inline lth_tensor lth_linspace_(lth_tensor near_, double start, double stop, int64_t count, const char *file, uint32_t line)
{
    if (count < 0 || !near_.trace)
        return lth_refuse_(near_, file, line, "lth_linspace: %lld elements", (long long)count);
    const double step = count > 1 ? (stop - start) / (double)(count - 1) : 0;
    const int64_t middle = count / 2;
    const lth_shape s = { LTH_F64, 1, { count } };
    lth_tensor i = lth_iota(near_, &s, 0), up = lth_add(lth_mul(i, step), start);
    lth_tensor down = lth_sub(stop, lth_mul(lth_sub((double)(count - 1), i), step));
    lth_tensor x = lth_where(lth_lt(i, (double)middle), up, count > 1 ? down : up);
    return lth_cast(x, near_.trace->api->floating(near_.trace));
}

static inline lth_tensor lth_eye_(lth_tensor near_, int64_t rows, int64_t columns, const char *file, uint32_t line)
{
    if (!near_.trace)
        return near_;
    const lth_shape i = { LTH_I64, 2, { rows, 1 } }, j = { LTH_I64, 2, { 1, columns } };
    return lth_cast(lth_eq(lth_iota(near_, &i, 0), lth_iota(near_, &j, 1)), near_.trace->api->floating(near_.trace));
}

static inline lth_tensor lth_one_hot_(lth_tensor index, int64_t classes, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(index), c = { s.dtype, 1, { classes } };
    if (!index.trace)
        return index;
    if (lth_dtype_is_float(s.dtype) || s.dtype == LTH_BOOL || s.rank == LTH_MAX_RANK || classes < 1)
        return lth_refuse_(index, file, line, "lth_one_hot: takes whole numbers of at most %d dimensions and one class at least, not %s %s of "
                           "%lld", LTH_MAX_RANK - 1, lth_dtype_name(s.dtype), lth_shape_text_(index).at, (long long)classes);
    s.dim[s.rank++] = 1;
    return lth_cast(lth_eq(lth_reshape_to(index, &s), lth_iota(index, &c, 0)), LTH_I64);
}

#pragma pop_macro("LTH_HERE")
/* lth_zeros(x, LTH_SHAPE(B, C)) */
#define lth_full(near_, shape, value) lth_full_((near_), (shape), (value), LTH_HERE)
#define lth_zeros(near_, shape) lth_full_((near_), (shape), 0, LTH_HERE)
#define lth_ones(near_, shape) lth_full_((near_), (shape), 1, LTH_HERE)
#define lth_full_like(x, value) lth_full_((x), lth_shape_of(x), (value), LTH_HERE)
#define lth_zeros_like(x) lth_full_((x), lth_shape_of(x), 0, LTH_HERE)
#define lth_ones_like(x) lth_full_((x), lth_shape_of(x), 1, LTH_HERE)
/* start, start + step, ... before `stop`: lth_arange(x, 0, T); options follow: .step = 0.5, .dtype = LTH_F32. Whole numbers
 * (i64) unless dtype says otherwise. */
#define lth_arange(near_, start, ...) lth_arange_((near_), (start), LTH_REF(lth_arange_args, .stop = __VA_ARGS__), LTH_HERE)
/* `count` numbers from start to stop, both included; of the run's floating type, as lth_eye's (rows, columns). */
#define lth_linspace(near_, start, stop, count) lth_linspace_((near_), (start), (stop), (count), LTH_HERE)
#define lth_eye(near_, rows, columns) lth_eye_((near_), (rows), (columns), LTH_HERE)
/* index (...) -> (..., classes), i64: 1 where the class is the index. An index out of range gives a row of 0. */
#define lth_one_hot(index, classes) lth_one_hot_((index), (classes), LTH_HERE)

LTH_END_C
#endif
