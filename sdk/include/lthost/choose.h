/* SPDX-License-Identifier: Apache-2.0
 * lthost/choose.h: elements by a mask, by bounds, by an index, by their place in a matrix, as torch's functions of the same names.
 *
 * All functions: [main], during a step function or a recorded hook; errors are sticky (tensor.h). */
#ifndef LTHOST_CHOOSE_H
#define LTHOST_CHOOSE_H

#include "refuse.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* Against a number x has no gradient at the bound itself; a tensor and x share it. Both as torch's. */
static inline lth_tensor lth_clamp_(lth_tensor x, bool below, lth_operand bound, const char *file, uint32_t line)
{
    if (!bound.is_number)
        return lth_op2_(below ? LTH_OP_MAXIMUM : LTH_OP_MINIMUM, lth_operand_tensor_(x), bound, file, line);
    lth_tensor out = lth_op2_(below ? LTH_OP_LE : LTH_OP_GE, lth_operand_tensor_(x), bound, file, line);
    return lth_op3_(LTH_OP_WHERE, out, bound, lth_operand_tensor_(x), file, line);
}

static inline lth_tensor lth_index_select_(lth_tensor x, int64_t axis, lth_tensor index, const char *file, uint32_t line)
{
    int32_t a = lth_axis_of_("lth_index_select", x, axis, lth_rank(x), file, line);
    if (a < 0)
        return lth_none();
    if (index.trace && lth_rank(index) != 1)
        return lth_refuse_(x, file, line, "lth_index_select: the index is a vector, not %s (lth_gather takes any)", lth_shape_text_(index).at);
    return a == 0 ? lth_gather(x, index) : lth_transpose(lth_gather(lth_transpose(x, 0, a), index), 0, a);
}

/* Elements (i, j) of the last two axes with j <= i + diagonal (or >=) as they are, 0 elsewhere. */
static inline lth_tensor lth_triangle_(lth_tensor x, int64_t diagonal, bool upper, const char *file, uint32_t line)
{
    const lth_shape *s = lth_shape_of(x);
    if (!x.trace)
        return x;
    if (s->rank < 2)
        return lth_refuse_(x, file, line, "%s: %s has fewer than two dimensions", upper ? "lth_triu" : "lth_tril", lth_shape_text_(x).at);
    const lth_shape rows = { LTH_I64, 2, { s->dim[s->rank - 2], 1 } }, columns = { LTH_I64, 2, { 1, s->dim[s->rank - 1] } };
    lth_tensor i = lth_add(lth_iota(x, &rows, 0), (double)diagonal), j = lth_iota(x, &columns, 1);
    lth_tensor kept = upper ? lth_ge(j, i) : lth_le(j, i);
    return lth_dtype_of(x) == LTH_BOOL ? lth_and(x, kept) : lth_where(kept, x, 0);
}

static inline lth_tensor lth_masked_select_(lth_tensor x, const char *file, uint32_t line)
{
    return lth_refuse_(x, file, line, "lth_masked_select: how many elements it gives would depend on data, and shapes are known before a step "
                       "runs: fill what is not wanted (lth_masked_fill) and divide by the mask's sum, or take a fixed number (lth_topk)");
}

#pragma pop_macro("LTH_HERE")
/* x within low..high, each a tensor or a number; NaN stays. Where low is above high: high. The gradient reaches x between
 * the bounds; at a bound it is 0 for a number, and shared with a tensor. */
#define lth_clamp(x, low, high) lth_clamp_max(lth_clamp_min((x), (low)), (high))
#define lth_clamp_min(x, low) lth_clamp_((x), true, LTH_OPERAND_(low), LTH_HERE)
#define lth_clamp_max(x, high) lth_clamp_((x), false, LTH_OPERAND_(high), LTH_HERE)
/* value, a tensor or a number, where the bool mask is true, else x; all broadcast. */
#define lth_masked_fill(x, mask, value) lth_where((mask), (value), (x))
/* Refused: its length would depend on data. */
#define lth_masked_select(x, mask) ((void)(mask), lth_masked_select_((x), LTH_HERE))
/* x at the indices (a vector, i32 or i64) along the axis. */
#define lth_index_select(x, axis, index) lth_index_select_((x), (axis), (index), LTH_HERE)
/* The lower (upper) triangle of the last two axes; 0 is the main diagonal. */
#define lth_tril(x, diagonal) lth_triangle_((x), (diagonal), false, LTH_HERE)
#define lth_triu(x, diagonal) lth_triangle_((x), (diagonal), true, LTH_HERE)

LTH_END_C
#endif
