/* SPDX-License-Identifier: Apache-2.0
 * lthost/arrange.h: putting tensors together, taking them apart, and moving their elements, as torch's functions of the same
 * names. More of it is in tensor.h: lth_reshape, lth_permute, lth_transpose, lth_expand, lth_slice, lth_concat.
 *
 * An axis may be negative: from the end. All functions: [main], during a step function or a recorded hook; errors are sticky. */
#ifndef LTHOST_ARRANGE_H
#define LTHOST_ARRANGE_H

#include "refuse.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* ---- Axes of length 1 ---- */

static inline lth_tensor lth_unsqueeze_(lth_tensor x, int64_t axis, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    int32_t a = lth_axis_of_("lth_unsqueeze", x, axis, s.rank + 1, file, line);
    if (a < 0)
        return lth_none();
    if (s.rank == LTH_MAX_RANK)
        return lth_refuse_(x, file, line, "lth_unsqueeze: %s has as many dimensions as there can be", lth_shape_text_(x).at);
    for (int32_t i = s.rank++; i > a; i--)
        s.dim[i] = s.dim[i - 1];
    s.dim[a] = 1;
    return lth_reshape_to(x, &s);
}

static inline lth_tensor lth_squeeze_(lth_tensor x, int64_t axis, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    int32_t a = lth_axis_of_("lth_squeeze", x, axis, s.rank, file, line);
    if (a < 0)
        return lth_none();
    if (s.dim[a] != 1)
        return x;
    for (int32_t i = a + 1; i < s.rank; i++)
        s.dim[i - 1] = s.dim[i];
    s.rank--;
    return lth_reshape_to(x, &s);
}

/* ---- One place, every so many ---- */

static inline lth_tensor lth_select_(lth_tensor x, int64_t axis, int64_t index, const char *file, uint32_t line)
{
    int32_t a = lth_axis_of_("lth_select", x, axis, lth_rank(x), file, line);
    if (a < 0)
        return lth_none();
    const int64_t length = lth_dim(x, a), i = index < 0 ? index + length : index;
    if (i < 0 || i >= length)
        return lth_refuse_(x, file, line, "lth_select: index %lld of axis %d of %s: %lld to %lld are possible", (long long)index, (int)a,
                           lth_shape_text_(x).at, (long long)-length, (long long)(length - 1));
    return lth_squeeze_(lth_slice(x, a, i, i + 1), a, file, line);
}

static inline lth_tensor lth_slice_step_(lth_tensor x, int64_t axis, int64_t start, int64_t stop, int64_t step, const char *file, uint32_t line)
{
    const lth_shape *s = lth_shape_of(x);
    lth_attr_slice at = { { 0 }, { 0 }, { 0 } };
    int32_t a = lth_axis_of_("lth_slice_step", x, axis, s->rank, file, line);
    if (a < 0)
        return lth_none();
    const int64_t length = s->dim[a], first = start < 0 ? start + length : start, end = stop < 0 ? stop + length : stop > length ? length : stop;
    if (step < 1 || first < 0 || end < first)
        return lth_refuse_(x, file, line, "lth_slice_step: %lld to %lld in steps of %lld along axis %d of %s", (long long)start,
                           (long long)stop, (long long)step, (int)a, lth_shape_text_(x).at);
    for (int32_t i = 0; i < s->rank; i++)
        at.length[i] = s->dim[i], at.step[i] = 1;
    at.start[a] = first;
    at.step[a] = step;
    at.length[a] = (end - first) / step + ((end - first) % step != 0);
    return lth_op1_(LTH_OP_SLICE, x, &at, sizeof at, file, line);
}

/* ---- Together and apart ---- */

/* Scalars: as vectors of one element, some at a time, as a list has room for. */
static inline lth_tensor lth_stack_scalars_(const lth_tensor *x, uint32_t count, const char *file, uint32_t line)
{
    lth_tensor parts[64];
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (n == 64) {
            parts[0] = lth_concat(parts, n, 0);
            n = 1;
        }
        parts[n++] = lth_reshape(x[i], 1);
    }
    return lth_concat(parts, n, 0);
}

/* Side by side along the axis where the new one will stand, the elements are in the order of the stack. */
static inline lth_tensor lth_stack_(const lth_tensor *x, uint32_t count, int64_t axis, const char *file, uint32_t line)
{
    if (count == 0 || !x[0].trace)
        return lth_none();
    lth_shape s = *lth_shape_of(x[0]);
    int32_t a = lth_axis_of_("lth_stack", x[0], axis, s.rank + 1, file, line), last = s.rank;
    for (uint32_t i = 1; a >= 0 && i < count; i++)
        for (int32_t d = 0; d == 0 || d < s.rank; d++)
            if (x[i].trace && (lth_rank(x[i]) != s.rank || lth_dim(x[i], d) != (s.rank ? s.dim[d] : 0)))
                return lth_refuse_(x[0], file, line, "lth_stack: tensor %u is %s, the first is %s", (unsigned)i, lth_shape_text_(x[i]).at,
                                   lth_shape_text_(x[0]).at);
    if (a < 0)
        return lth_none();
    if (s.rank == LTH_MAX_RANK)
        return lth_refuse_(x[0], file, line, "lth_stack: %s has as many dimensions as there can be", lth_shape_text_(x[0]).at);
    if (s.rank == 0)
        return lth_stack_scalars_(x, count, file, line);
    int32_t at = a == last ? last - 1 : a;
    lth_tensor y = lth_concat(x, count, at);
    for (int32_t i = s.rank++; i > at; i--)
        s.dim[i] = s.dim[i - 1];
    s.dim[at] = count;
    y = lth_reshape_to(y, &s);
    return a == last ? lth_transpose(y, -2, -1) : y;
}

static inline void lth_split_(lth_tensor x, int64_t axis, const int64_t *lengths, uint32_t count, lth_tensor *parts, const char *file,
                              uint32_t line)
{
    int32_t a = lth_axis_of_("lth_split", x, axis, lth_rank(x), file, line);
    int64_t n = a < 0 ? 0 : lth_dim(x, a), sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = sum >= 0 && lengths[i] >= 0 && lengths[i] <= n - sum ? sum + lengths[i] : -1;
    const bool fits = a >= 0 && sum == n;
    lth_tensor bad = fits ? x : lth_refuse_(x, file, line, "lth_split: the lengths do not add up to the %lld of axis %d of %s", (long long)n,
                                            (int)a, lth_shape_text_(x).at);
    int64_t at = 0;
    for (uint32_t i = 0; i < count; at += lengths[i++])
        parts[i] = fits ? lth_slice(x, a, at, at + lengths[i]) : bad;
}

static inline uint32_t lth_chunk_(lth_tensor x, uint32_t count, int64_t axis, lth_tensor *parts, const char *file, uint32_t line)
{
    int32_t a = lth_axis_of_("lth_chunk", x, axis, lth_rank(x), file, line);
    int64_t n = a < 0 ? 0 : lth_dim(x, a), length = count ? (n + count - 1) / count : 0;
    uint32_t made = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t from = i * length, to = from + length < n ? from + length : n;
        bool there = a >= 0 && (from < n || i == 0);
        parts[i] = there ? lth_slice(x, a, from, to) : lth_none();
        made += there;
    }
    return made;
}

/* ---- Again and again ---- */

/* Each block of `inner` elements n times: (outer, inner) -> (outer, n, inner). */
static inline lth_tensor lth_repeat_blocks_(lth_tensor x, int64_t outer, int64_t n, int64_t inner, const lth_shape *to, const char *file,
                                            uint32_t line)
{
    return lth_reshape_to(lth_expand(lth_reshape(x, outer, 1, inner), outer, n, inner), to);
}

static inline lth_tensor lth_repeat_(lth_tensor x, lth_dims times, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x), wide = { s.dtype, times.rank, { 0 } };
    int32_t more = times.rank - s.rank;
    if (!x.trace)
        return x;
    if (more < 0 || times.rank > LTH_MAX_RANK)
        return lth_refuse_(x, file, line, "lth_repeat: %s takes %d to %d numbers, one for each dimension at least", lth_shape_text_(x).at,
                           (int)s.rank, LTH_MAX_RANK);
    for (int32_t i = 0; i < times.rank; i++)
        wide.dim[i] = i < more ? 1 : s.dim[i - more];
    x = more ? lth_reshape_to(x, &wide) : x;
    for (int32_t i = times.rank - 1; i >= 0; i--) {
        int64_t outer = 1, inner = 1;
        if (times.dim[i] == 1)
            continue;
        if (times.dim[i] < 0)
            return lth_refuse_(x, file, line, "lth_repeat: %lld times", (long long)times.dim[i]);
        for (int32_t d = 0; d < times.rank; d++)
            *(d < i ? &outer : &inner) *= wide.dim[d];
        wide.dim[i] *= times.dim[i];
        x = lth_repeat_blocks_(x, outer, times.dim[i], inner, &wide, file, line);
    }
    return x;
}

static inline lth_tensor lth_repeat_interleave_(lth_tensor x, int64_t times, int64_t axis, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    int32_t a = lth_axis_of_("lth_repeat_interleave", x, axis, s.rank, file, line);
    int64_t outer = 1, inner = 1;
    if (a < 0)
        return lth_none();
    if (times < 0)
        return lth_refuse_(x, file, line, "lth_repeat_interleave: %lld times", (long long)times);
    for (int32_t d = 0; d < s.rank; d++)
        *(d <= a ? &outer : &inner) *= s.dim[d];
    s.dim[a] *= times;
    return lth_repeat_blocks_(x, outer, times, inner, &s, file, line);
}

/* ---- Turned round ---- */

static inline lth_tensor lth_roll_(lth_tensor x, int64_t shift, int64_t axis, const char *file, uint32_t line)
{
    int32_t a = lth_axis_of_("lth_roll", x, axis, lth_rank(x), file, line);
    int64_t n = a < 0 ? 0 : lth_dim(x, a), first = n ? (n - shift % n) % n : 0; /* the element that comes first */
    if (a < 0 || first == 0)
        return a < 0 ? lth_none() : x;
    const lth_tensor parts[2] = { lth_slice(x, a, first, n), lth_slice(x, a, 0, first) };
    return lth_concat(parts, 2, a);
}

static inline lth_tensor lth_flip_axes_(lth_tensor x, lth_dims axes, const char *file, uint32_t line)
{
    uint32_t seen = 0;
    if (axes.rank > LTH_MAX_RANK)
        return lth_refuse_(x, file, line, "lth_flip_axes: more than %d axes", LTH_MAX_RANK);
    for (int32_t i = 0; i < axes.rank; i++) {
        int32_t a = lth_axis_of_("lth_flip_axes", x, axes.dim[i], lth_rank(x), file, line);
        if (a < 0)
            return lth_none();
        if (seen >> a & 1)
            return lth_refuse_(x, file, line, "lth_flip_axes: axis %d is named twice", (int)a);
        seen |= 1u << a;
        x = lth_flip(x, a);
    }
    return x;
}

#pragma pop_macro("LTH_HERE")
/* A new axis of length 1 at `axis`; and without it (as it is, where it has another length). */
#define lth_unsqueeze(x, axis) lth_unsqueeze_((x), (axis), LTH_HERE)
#define lth_squeeze(x, axis) lth_squeeze_((x), (axis), LTH_HERE)
/* x[..., index, ...]: the axis goes; a negative index counts from the end. */
#define lth_select(x, axis, index) lth_select_((x), (axis), (index), LTH_HERE)
/* x[..., start:stop:step, ...], as lth_slice with a step of 1 at least: lth_slice_step(x, -1, 0, INT64_MAX, 2). */
#define lth_slice_step(x, axis, start, stop, step) lth_slice_step_((x), (axis), (start), (stop), (step), LTH_HERE)
/* `count` tensors of one shape along a new axis. */
#define lth_stack(tensors, count, axis) lth_stack_((tensors), (uint32_t)(count), (axis), LTH_HERE)
/* parts[i] = the next lengths[i] elements along the axis, which they use up. */
#define lth_split(x, axis, lengths, count, parts) lth_split_((x), (axis), (lengths), (uint32_t)(count), (parts), LTH_HERE)
/* `count` parts of equal length, but that the last may be shorter. Returns how many there are: fewer where the axis is too
 * short; the rest of parts[count] is none. */
#define lth_chunk(x, count, axis, parts) lth_chunk_((x), (uint32_t)(count), (axis), (parts), LTH_HERE)
/* lth_repeat(x, 2, 1, 3): so many times along each axis; further numbers make axes in front. */
#define lth_repeat(x, ...) lth_repeat_((x), LTH_LIST_(__VA_ARGS__), LTH_HERE)
/* Each element along the axis so many times. */
#define lth_repeat_interleave(x, times, axis) lth_repeat_interleave_((x), (times), (axis), LTH_HERE)
/* Element i goes to i + shift; what leaves at one end comes in at the other. */
#define lth_roll(x, shift, axis) lth_roll_((x), (shift), (axis), LTH_HERE)
/* lth_flip_axes(x, 0, 2) */
#define lth_flip_axes(x, ...) lth_flip_axes_((x), LTH_LIST_(__VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
