/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/check.h: how the functions of nn/ refuse what they cannot take, at the author's place. [main]
 *
 * The headers of nn/ are composed of ops and compiled into the plugin: they are no part of the ABI. In each, LTH_HERE is
 * redefined for the length of the file: see refuse.h. */
#ifndef LTHOST_NN_CHECK_H
#define LTHOST_NN_CHECK_H

#include <lthost/refuse.h>

LTH_BEGIN_C

/* The author's error, told by a format; returns poison. */
#define lth_nn_fail_ lth_refuse_

/* Same dimensions? Where nothing may be broadcast: (B, 1) against (B) would silently become (B, B). */
static inline bool lth_same_dims_(lth_tensor a, lth_tensor b)
{
    const lth_shape *x = lth_shape_of(a), *y = lth_shape_of(b);
    if (x->rank != y->rank)
        return false;
    for (int32_t i = 0; i < x->rank; i++)
        if (x->dim[i] != y->dim[i])
            return false;
    return true;
}

/* False, with the error recorded at `a`'s trace, if the dimensions of two operands of `name` differ. */
static inline bool lth_nn_match_(const char *name, lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    if (!a.trace || !b.trace || lth_same_dims_(a, b))
        return true; /* a tensor without a trace is reported by the op that gets it */
    lth_nn_fail_(a, file, line, "%s: shapes %s and %s differ; nothing is broadcast here", name, lth_shape_text_(a).at,
                 lth_shape_text_(b).at);
    return false;
}

/* x, and so what is computed from it, in the type that the model is written in, where a lower `precision` would have made it one
 * of 16 bits: losses and distances subtract what is nearly equal, and guard against a 0 by numbers that f16 has not. */
static inline lth_tensor lth_nn_unlowered_(lth_tensor x, const char *file, uint32_t line)
{
    const lth_attr_dtype a = { lth_dtype_of(x), 0 };
    return x.trace && lth_dtype_is_float(a.dtype) ? lth_op1_(LTH_OP_CAST, x, &a, sizeof a, file, line) : x;
}

LTH_END_C
#endif
