/* SPDX-License-Identifier: Apache-2.0
 * Reading an index operand (i32 or i64) and holding it to a range. */
#ifndef ACCEL_PLAIN_INDEX_H
#define ACCEL_PLAIN_INDEX_H

#include "kernel.h"

static inline int64_t plain_index(lth_dtype t, const void *index, int64_t i)
{
    return t == LTH_I32 ? ((const int32_t *)index)[i] : ((const int64_t *)index)[i];
}

/* Whether the first `count` indices of operand 1 are in 0..length-1; `what` names them in the message. */
static inline bool plain_index_check(const plain_call *c, const char *what, int64_t length)
{
    const lth_shape *s = plain_in(c, 1);
    if (s->dtype != LTH_I32 && s->dtype != LTH_I64)
        return plain_fail(c, "%s of %s; must be i32 or i64", what, lth_dtype_name(s->dtype));
    for (int64_t i = 0, n = lth_shape_count(s); i < n; i++) {
        int64_t at = plain_index(s->dtype, c->in[1], i);
        if (at < 0 || at >= length)
            return length ? plain_fail(c, "%s %lld is out of range 0..%lld", what, (long long)at, (long long)length - 1)
                          : plain_fail(c, "%s %lld is out of range: there is nothing to choose from", what, (long long)at);
    }
    return true;
}

#endif
