/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/pair_loss.h: losses that compare two or three embeddings, or two scores, and hinge losses of +-1 targets.
 * target: floating, each element 1 or -1. [main] */
#ifndef LTHOST_NN_PAIR_LOSS_H
#define LTHOST_NN_PAIR_LOSS_H

#include "distance.h"
#include "regression_loss.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_hinge_args {
    lth_tensor target LTH_ZERO;
    double margin LTH_ZERO; /* default: lth_hinge_embedding_loss 1, the others 0 */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_hinge_args;

/* A distance x: x where the target is 1, max(0, margin - x) where it is -1. */
static inline lth_tensor lth_hinge_embedding_loss_(lth_tensor x, const lth_hinge_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_hinge_embedding_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    lth_tensor apart = lth_relu(lth_sub(a->margin != 0 ? a->margin : 1, x));
    return lth_reduce_loss_(lth_where(lth_gt(a->target, 0), x, apart), a->reduction, file, line);
}

/* max(0, -target (x1 - x2) + margin): target 1 wants x1 above x2. */
static inline lth_tensor lth_margin_ranking_loss_(lth_tensor x1, lth_tensor x2, const lth_hinge_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_margin_ranking_loss", x1, x2, file, line) ||
        !lth_nn_match_("lth_margin_ranking_loss", x1, a->target, file, line))
        return x1;
    x1 = lth_nn_unlowered_(x1, file, line);
    lth_tensor gap = lth_add(lth_mul(a->target, lth_sub(x2, x1)), a->margin);
    return lth_reduce_loss_(lth_relu(gap), a->reduction, file, line);
}

/* log(1 + exp(-target x)) */
static inline lth_tensor lth_soft_margin_loss_(lth_tensor x, const lth_loss_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_soft_margin_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    return lth_reduce_loss_(lth_softplus(lth_neg(lth_mul(a->target, x))), a->reduction, file, line);
}

/* x1, x2 (N, D), target (N): 1 - cos where the target is 1, max(0, cos - margin) where it is -1. */
static inline lth_tensor lth_cosine_embedding_loss_(lth_tensor x1, lth_tensor x2, const lth_hinge_args *a, const char *file,
                                                    uint32_t line)
{
    if (!lth_nn_match_("lth_cosine_embedding_loss", x1, x2, file, line))
        return x1;
    x1 = lth_nn_unlowered_(x1, file, line);
    lth_tensor n1 = lth_add(lth_sum_axis(lth_square(x1), -1, 0), 1e-12); /* torch's own guard against a length of 0 */
    lth_tensor n2 = lth_add(lth_sum_axis(lth_square(x2), -1, 0), 1e-12);
    lth_tensor cosine = lth_div(lth_sum_axis(lth_mul(x1, x2), -1, 0), lth_sqrt(lth_mul(n1, n2)));
    if (!lth_nn_match_("lth_cosine_embedding_loss", cosine, a->target, file, line))
        return x1;
    lth_tensor loss = lth_where(lth_gt(a->target, 0), lth_sub(1, cosine), lth_relu(lth_sub(cosine, a->margin)));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_triplet_args {
    lth_tensor negative LTH_ZERO;
    double margin LTH_ZERO; /* default 1 */
    double p LTH_ZERO;      /* order of the distances; default 2 */
    double eps LTH_ZERO;    /* added to each difference; default 1e-6 */
    lth_reduction reduction LTH_ZERO;
    int32_t swap LTH_ZERO;  /* 1: the negative's distance is the smaller of those to anchor and positive */
} lth_triplet_args;

/* anchor, positive, negative (..., D): max(0, |anchor - positive| - |anchor - negative| + margin) (Balntas et al. 2016). */
static inline lth_tensor lth_triplet_margin_loss_(lth_tensor anchor, lth_tensor positive, const lth_triplet_args *a, const char *file,
                                                  uint32_t line)
{
    if (!lth_nn_match_("lth_triplet_margin_loss", anchor, positive, file, line) ||
        !lth_nn_match_("lth_triplet_margin_loss", anchor, a->negative, file, line))
        return anchor;
    lth_tensor near_ = lth_pairwise_distance(anchor, positive, .p = a->p, .eps = a->eps);
    lth_tensor far_ = lth_pairwise_distance(anchor, a->negative, .p = a->p, .eps = a->eps);
    if (a->swap)
        far_ = lth_minimum(far_, lth_pairwise_distance(positive, a->negative, .p = a->p, .eps = a->eps));
    lth_tensor gap = lth_add(lth_sub(near_, far_), a->margin != 0 ? a->margin : 1);
    return lth_reduce_loss_(lth_relu(gap), a->reduction, file, line);
}

#pragma pop_macro("LTH_HERE")
#define lth_hinge_embedding_loss(x, ...) lth_hinge_embedding_loss_((x), LTH_REF(lth_hinge_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_margin_ranking_loss(x1, x2, ...)                                                                             \
    lth_margin_ranking_loss_((x1), (x2), LTH_REF(lth_hinge_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_soft_margin_loss(x, ...) lth_soft_margin_loss_((x), LTH_REF(lth_loss_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_cosine_embedding_loss(x1, x2, ...)                                                                           \
    lth_cosine_embedding_loss_((x1), (x2), LTH_REF(lth_hinge_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_triplet_margin_loss(anchor, positive, ...)                                                                   \
    lth_triplet_margin_loss_((anchor), (positive), LTH_REF(lth_triplet_args, .negative = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
