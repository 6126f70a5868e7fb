/* SPDX-License-Identifier: Apache-2.0 */
#include "reduction.h"

#define TEMPLATE "pairwise.h"
#include "each_float.h"
#include "each_integer.h"
#undef TEMPLATE
#define TEMPLATE "reduce_number.h"
#include "each_float.h"
#include "each_integer.h"
#undef TEMPLATE
#define TEMPLATE "reduce_float.h"
#include "each_float.h"
#undef TEMPLATE

/* A sum of booleans in their own type: whether any is true. */
static bool sum_bool(const plain_call *c)
{
    plain_reduction r = plain_reduction_of(c);
    uint8_t *y = c->out[0];
    for (int64_t o = 0; o < r.outer; o++) {
        const uint8_t *x = (const uint8_t *)c->in[0] + plain_walk_at(&r.kept, o);
        y[o] = 0;
        for (int64_t i = 0; i < r.inner; i++)
            y[o] |= x[plain_walk_at(&r.reduced, i)] != 0;
    }
    return true;
}

static bool assert_all(const plain_call *c)
{
    const lth_attr_text *a = plain_attributes(c);
    const uint8_t *x = c->in[0];
    for (int64_t i = 0, n = lth_shape_count(plain_in(c, 0)); i < n; i++)
        if (!x[i])
            return a->text[0] ? plain_fail(c, "%.63s", a->text) : plain_fail(c, "element %lld is false", (long long)i);
    return true;
}

static const plain_op ops[] = {
    { LTH_OP_SUM, PLAIN_NUMBERS_AND_BOOL(sum, sum_bool) },
    { LTH_OP_MEAN, PLAIN_FLOATS(mean) },
    { LTH_OP_MAX, PLAIN_NUMBERS(max) },
    { LTH_OP_MIN, PLAIN_NUMBERS(min) },
    { LTH_OP_PROD, PLAIN_FLOATS(prod) },
    { LTH_OP_ARGMAX, PLAIN_NUMBERS(argmax) },
    { LTH_OP_ARGMIN, PLAIN_NUMBERS(argmin) },
    { LTH_OP_ALL_FINITE, PLAIN_FLOATS(all_finite) },
    { LTH_OP_LOGSUMEXP, PLAIN_FLOATS(logsumexp) },
    { LTH_OP_ASSERT, { [LTH_BOOL] = assert_all } },
};
const plain_family plain_reduce_ops = PLAIN_FAMILY(ops);
