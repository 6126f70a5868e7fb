/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/distance.h: how far two vectors are from each other, and how much they point the same way. [main]
 *
 * Norms of order p > 0; INFINITY is the greatest element's. Where a norm is 0 its gradient is 0, as torch's. */
#ifndef LTHOST_NN_DISTANCE_H
#define LTHOST_NN_DISTANCE_H

#include "check.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_distance_args {
    lth_tensor other LTH_ZERO;
    double p LTH_ZERO;   /* order of the norm; default 2 */
    double eps LTH_ZERO; /* lth_pairwise_distance: added to each difference; default 1e-6, below 0: none */
    int32_t keep LTH_ZERO; /* lth_pairwise_distance: 1: the last axis stays, with length 1 */
    int32_t reserved LTH_ZERO;
} lth_distance_args;

/* x^power for x >= 0, with a gradient of 0 where x is 0. */
static inline lth_tensor lth_power_(lth_tensor x, double power, const char *file, uint32_t line)
{
    lth_tensor zero = lth_eq(x, 0), safe = lth_where(zero, 1, x);
    return lth_where(zero, 0, power == 0.5 ? lth_sqrt(safe) : lth_pow(safe, power));
}

/* The norm of order p along the last axis. */
static inline lth_tensor lth_norm_of_(lth_tensor x, double p, int32_t keep, const char *file, uint32_t line)
{
    if (p == 2)
        return lth_power_(lth_sum_axis(lth_square(x), -1, keep), 0.5, file, line);
    if (p == 1)
        return lth_sum_axis(lth_abs(x), -1, keep);
    if (p > 0 && !isinf(p))
        return lth_power_(lth_sum_axis(lth_power_(lth_abs(x), p, file, line), -1, keep), 1 / p, file, line);
    if (p > 0)
        return lth_max_axis(lth_abs(x), -1, keep);
    return lth_nn_fail_(x, file, line, "a norm's order p must be above 0, not %g", p);
}

/* x, other (..., D) -> (...): |x - other + eps|, as torch.nn.functional.pairwise_distance. */
static inline lth_tensor lth_pairwise_distance_(lth_tensor x, const lth_distance_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_pairwise_distance", x, a->other, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    const double eps = a->eps != 0 ? a->eps : 1e-6;
    lth_tensor d = lth_sub(x, a->other);
    return lth_norm_of_(eps > 0 ? lth_add(d, eps) : d, a->p != 0 ? a->p : 2, a->keep, file, line);
}

/* x (..., P, D), other (..., R, D) of equal leading axes -> (..., P, R): each with each, as torch.cdist. Made of the P R D
 * differences, so exact for close points; mind the memory. */
static inline lth_tensor lth_cdist_(lth_tensor x, const lth_distance_args *a, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x), o = *lth_shape_of(a->other);
    if (!x.trace || !a->other.trace)
        return x.trace ? lth_sub(x, a->other) : x; /* the op reports it */
    bool good = s.rank >= 2 && s.rank < LTH_MAX_RANK && s.rank == o.rank && s.dim[s.rank - 1] == o.dim[o.rank - 1];
    for (int32_t i = 0; good && i < s.rank - 2; i++)
        good = s.dim[i] == o.dim[i];
    if (!good)
        return lth_nn_fail_(x, file, line, "lth_cdist takes (..., P, D) and (..., R, D), not %s and %s", lth_shape_text_(x).at,
                            lth_shape_text_(a->other).at);
    s.dim[s.rank] = s.dim[s.rank - 1]; /* (..., P, 1, D) */
    s.dim[s.rank - 1] = 1;
    o.dim[o.rank] = o.dim[o.rank - 1]; /* (..., 1, R, D) */
    o.dim[o.rank - 1] = o.dim[o.rank - 2];
    o.dim[o.rank - 2] = 1;
    s.rank++;
    o.rank++;
    x = lth_nn_unlowered_(x, file, line);
    return lth_norm_of_(lth_sub(lth_reshape_to(x, &s), lth_reshape_to(a->other, &o)), a->p != 0 ? a->p : 2, 0, file, line);
}

/* x / max(|x|, 1e-12), |x| along `axis`, as torch.nn.functional.normalize. */
static inline lth_tensor lth_normalize_(lth_tensor x, int32_t axis, const char *file, uint32_t line)
{
    lth_tensor length = lth_power_(lth_sum_axis(lth_square(x), axis, 1), 0.5, file, line);
    return lth_div(x, lth_maximum(length, 1e-12));
}

/* x1 . x2 / (|x1| |x2|) along `axis`, which goes; a length below 1e-8 counts as that. */
static inline lth_tensor lth_cosine_similarity_(lth_tensor x1, lth_tensor x2, int32_t axis, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_cosine_similarity", x1, x2, file, line))
        return x1;
    x1 = lth_nn_unlowered_(x1, file, line);
    lth_tensor n1 = lth_maximum(lth_sum_axis(lth_square(x1), axis, 0), 1e-16);
    lth_tensor n2 = lth_maximum(lth_sum_axis(lth_square(x2), axis, 0), 1e-16);
    return lth_div(lth_sum_axis(lth_mul(x1, x2), axis, 0), lth_mul(lth_sqrt(n1), lth_sqrt(n2)));
}

#pragma pop_macro("LTH_HERE")
/* lth_pairwise_distance(a, b), lth_cdist(a, b); options follow: .p = 1, .eps, .keep = 1 */
#define lth_pairwise_distance(x, ...) lth_pairwise_distance_((x), LTH_REF(lth_distance_args, .other = __VA_ARGS__), LTH_HERE)
#define lth_cdist(x, ...) lth_cdist_((x), LTH_REF(lth_distance_args, .other = __VA_ARGS__), LTH_HERE)
#define lth_normalize(x, axis) lth_normalize_((x), (axis), LTH_HERE)
#define lth_cosine_similarity(x1, x2, axis) lth_cosine_similarity_((x1), (x2), (axis), LTH_HERE)

LTH_END_C
#endif
