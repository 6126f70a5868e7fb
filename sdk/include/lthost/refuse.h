/* SPDX-License-Identifier: Apache-2.0
 * lthost/refuse.h: how functions that are composed of ops refuse what they cannot take, at the author's place. [main]
 *
 * In headers of such functions LTH_HERE is redefined for the length of the file, so that the ops inside carry the place where
 * the author called: a shape error in one of them names the line of the model, not one of the SDK's. */
#ifndef LTHOST_REFUSE_H
#define LTHOST_REFUSE_H

#include "tensor.h"
#include <stdarg.h>

LTH_BEGIN_C

/* The author's error, told by a format; returns poison. x: any tensor of the step. */
LTH_PRINTF(4, 5)
static inline lth_tensor lth_refuse_(lth_tensor x, const char *file, uint32_t line, const char *format, ...)
{
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return x.trace ? x.trace->api->fail(x.trace, file, line, text) : lth_none();
}

typedef struct lth_shape_text { char at[160]; } lth_shape_text;

/* "(32, 10)" */
static inline lth_shape_text lth_shape_text_of_(const lth_shape *s)
{
    lth_shape_text text = { "(" };
    size_t n = 1;
    for (int32_t i = 0; i < s->rank; i++)
        n += (size_t)snprintf(text.at + n, sizeof text.at - n, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    snprintf(text.at + n, sizeof text.at - n, ")");
    return text;
}
static inline lth_shape_text lth_shape_text_(lth_tensor x) { return lth_shape_text_of_(lth_shape_of(x)); }

/* An axis counted from its end, too; -1, with the error recorded, where x (or, with one more axis, its place) has none such. */
static inline int32_t lth_axis_of_(const char *name, lth_tensor x, int64_t axis, int32_t rank, const char *file, uint32_t line)
{
    int64_t a = axis < 0 ? axis + rank : axis;
    if (x.trace && a >= 0 && a < rank)
        return (int32_t)a;
    lth_refuse_(x, file, line, "%s: axis %lld of %s: %d to %d are possible", name, (long long)axis, lth_shape_text_(x).at, (int)-rank,
                (int)(rank - 1));
    return -1;
}

/* A list of numbers as an argument: LTH_LIST_(2, 3, 4). rank: how many were given, of which at most LTH_MAX_RANK are kept. */
static inline lth_dims lth_dims_make_(const int64_t *dim, uint64_t rank)
{
    lth_dims d = { (int32_t)(rank > LTH_MAX_RANK ? LTH_MAX_RANK + 1 : rank), 0, { 0 } };
    for (int32_t i = 0; i < d.rank && i < LTH_MAX_RANK; i++)
        d.dim[i] = dim[i];
    return d;
}
#ifdef __cplusplus
LTH_END_C
template <class... D> static inline lth_dims lth_dims_list_(D... d)
{
    const int64_t dim[] = { static_cast<int64_t>(d)..., 0 };
    return lth_dims_make_(dim, sizeof...(d));
}
#define LTH_LIST_(...) lth_dims_list_(__VA_ARGS__)
LTH_BEGIN_C
#else
#define LTH_LIST_(...) lth_dims_make_((const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / 8)
#endif

LTH_END_C
#endif
