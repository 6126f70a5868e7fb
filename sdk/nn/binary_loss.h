/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/binary_loss.h: losses of independent yes/no answers: one of them, several labels of one sample, masks. [main]
 *
 * x and target have one shape and one floating type; target holds 0, 1 or what lies between, unless it says otherwise. */
#ifndef LTHOST_NN_BINARY_LOSS_H
#define LTHOST_NN_BINARY_LOSS_H

#include "reduction.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_bce_args {
    lth_tensor target LTH_ZERO;     /* in 0..1, of the logits' shape and type */
    lth_tensor weight LTH_ZERO;     /* of each element; broadcasts */
    lth_tensor pos_weight LTH_ZERO; /* of the positive answers; broadcasts */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_bce_args;

/* -(pos_weight y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))), without overflow. */
static inline lth_tensor lth_binary_cross_entropy_with_logits_(lth_tensor x, const lth_bce_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_binary_cross_entropy_with_logits", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    lth_tensor positive = lth_softplus(lth_neg(x)); /* -log sigmoid(x) */
    if (a->pos_weight.trace)
        positive = lth_mul(positive, lth_add(lth_mul(a->target, lth_sub(a->pos_weight, 1)), 1));
    lth_tensor loss = lth_add(lth_mul(lth_sub(1, a->target), x), positive);
    return lth_reduce_loss_(a->weight.trace ? lth_mul(loss, a->weight) : loss, a->reduction, file, line);
}

/* -(y log x + (1 - y) log(1 - x)) of probabilities x, as torch: a logarithm counts as -100 at least, and the gradient is
 * (x - y) / max(x (1 - x), 1e-12). Prefer logits. An x outside 0..1 fails the run. */
static inline lth_tensor lth_binary_cross_entropy_(lth_tensor x, const lth_bce_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_binary_cross_entropy", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (a->pos_weight.trace)
        return lth_nn_fail_(x, file, line, "lth_binary_cross_entropy takes no .pos_weight: hand logits to "
                                           "lth_binary_cross_entropy_with_logits");
    lth_assert(lth_and(lth_ge(x, 0), lth_le(x, 1)), "lth_binary_cross_entropy: x outside 0..1");
    const double least = (double)1e-12F; /* torch rounds it so */
    lth_tensor y = a->target, rest = lth_sub(1, x), edge = lth_lt(lth_mul(x, rest), least), inner = lth_where(edge, 0.5, x);
    lth_tensor within = lth_add(lth_mul(y, lth_ln(inner)), lth_mul(lth_sub(1, y), lth_ln(lth_sub(1, inner))));
    /* At the edge: the value of the clamped logarithms, and the slope that torch gives it there. */
    lth_tensor still = lth_stop_gradient(x), log_x = lth_maximum(lth_ln(still), -100.0);
    lth_tensor log_rest = lth_maximum(lth_ln(lth_sub(1, still)), -100.0);
    lth_tensor clamped = lth_add(lth_mul(y, log_x), lth_mul(lth_sub(1, y), log_rest));
    lth_tensor slope = lth_mul(lth_stop_gradient(lth_sub(y, x)), 1 / least);
    lth_tensor loss = lth_neg(lth_where(edge, lth_add(clamped, lth_mul(lth_sub(x, still), slope)), within));
    return lth_reduce_loss_(a->weight.trace ? lth_mul(loss, a->weight) : loss, a->reduction, file, line);
}

typedef struct lth_focal_args {
    lth_tensor target LTH_ZERO;
    double alpha LTH_ZERO; /* weight of the positive answers, 1 - alpha that of the others; default 0.25, below 0: none */
    double gamma LTH_ZERO; /* default 2; for 0 there is lth_binary_cross_entropy_with_logits */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_focal_args;

/* The cross-entropy of each logit times (1 - the probability of the right answer)^gamma (Lin et al. 2017), as torchvision's
 * sigmoid_focal_loss; but the mean is the default here as in every loss, where torchvision reduces nothing. */
static inline lth_tensor lth_sigmoid_focal_loss_(lth_tensor x, const lth_focal_args *a, const char *file, uint32_t line)
{
    const double alpha = a->alpha != 0 ? a->alpha : 0.25, gamma = a->gamma != 0 ? a->gamma : 2;
    if (!lth_nn_match_("lth_sigmoid_focal_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (gamma < 0 || alpha > 1)
        return lth_nn_fail_(x, file, line, "lth_sigmoid_focal_loss: gamma must be above 0 and alpha at most 1, not %g and %g", gamma, alpha);
    lth_tensor y = a->target, p = lth_sigmoid(x), no = lth_sub(1, y);
    lth_tensor wrong = lth_add(lth_mul(lth_sub(1, p), y), lth_mul(p, no));
    lth_tensor hard = gamma == 2 ? lth_square(wrong) : gamma == 1 ? wrong : lth_pow(wrong, gamma);
    lth_tensor loss = lth_mul(lth_add(lth_mul(no, x), lth_softplus(lth_neg(x))), hard);
    if (alpha > 0)
        loss = lth_mul(loss, lth_add(lth_mul(y, 2 * alpha - 1), 1 - alpha));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

/* The mean over the labels of a sample (the last axis) of their cross-entropies: x, target (..., C) -> (...), then reduced. */
static inline lth_tensor lth_multilabel_soft_margin_loss_(lth_tensor x, const lth_bce_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_multilabel_soft_margin_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (a->pos_weight.trace)
        return lth_nn_fail_(x, file, line, "lth_multilabel_soft_margin_loss takes no .pos_weight");
    lth_tensor loss = lth_add(lth_mul(lth_sub(1, a->target), x), lth_softplus(lth_neg(x)));
    loss = lth_mean_axis(a->weight.trace ? lth_mul(loss, a->weight) : loss, -1, 0);
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_multilabel_margin_args {
    lth_tensor target LTH_ZERO; /* i32 or i64, of x's shape: classes of the sample; what follows the first negative one is not read */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_multilabel_margin_args;

/* x (N, C): the sum over the sample's classes j and the other classes i of max(0, 1 - (x[j] - x[i])) / C. */
static inline lth_tensor lth_multilabel_margin_loss_(lth_tensor x, const lth_multilabel_margin_args *a, const char *file, uint32_t line)
{
    lth_tensor y = a->target;
    if (!lth_nn_match_("lth_multilabel_margin_loss", x, y, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    const int64_t N = lth_dim(x, 0), C = lth_dim(x, 1);
    if (lth_rank(x) != 2 || lth_dtype_is_float(lth_dtype_of(y)))
        return lth_nn_fail_(x, file, line, "lth_multilabel_margin_loss takes (N, C) and classes (N, C) of type i64, not %s and %s",
                            lth_shape_text_(x).at, lth_dtype_name(lth_dtype_of(y)));
    const lth_dtype type = lth_dtype_of(x);
    lth_shape square = { lth_dtype_of(y), 2, { C, C } };
    lth_tensor before = lth_le(lth_iota(x, &square, 1), lth_iota(x, &square, 0)); /* (j, i): i <= j */
    lth_tensor ended = lth_and(lth_expand(lth_reshape(lth_lt(y, 0), N, 1, C), N, C, C), lth_expand(before, N, C, C));
    lth_tensor listed = lth_eq(lth_sum_axis(lth_cast(ended, type), 2, 0), 0); /* (N, C): of the sample's classes */
    lth_tensor index = lth_where(listed, y, 0), one = lth_cast(listed, type);
    lth_tensor other = lth_cast(lth_eq(lth_scatter_along(one, index, 1, C), 0), type); /* (N, C) */
    lth_tensor own = lth_reshape(lth_gather_along(x, index, 1), N, C, 1);
    lth_tensor gap = lth_relu(lth_add(lth_sub(lth_reshape(x, N, 1, C), own), 1)); /* (N, C of j, C of i) */
    lth_tensor counted = lth_mul(lth_mul(gap, lth_reshape(one, N, C, 1)), lth_reshape(other, N, 1, C));
    lth_tensor loss = lth_div(lth_sum_axis(lth_sum_axis(counted, 2, 0), 1, 0), (double)C);
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_overlap_args {
    lth_tensor target LTH_ZERO;
    double smooth LTH_ZERO; /* added to both sides of the fraction; default 1 */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_overlap_args;

/* x holds probabilities, (N, ...): 1 - (2 I + smooth) / (sum x + sum target + smooth), I = sum x target, of each sample
 * (Milletari et al. 2016, with plain sums); jaccard: 1 - (I + smooth) / (sum x + sum target - I + smooth). */
static inline lth_tensor lth_overlap_loss_(lth_tensor x, const lth_overlap_args *a, bool jaccard, const char *file, uint32_t line)
{
    if (!lth_nn_match_(jaccard ? "lth_jaccard_loss" : "lth_dice_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    const double smooth = a->smooth != 0 ? a->smooth : 1;
    lth_tensor p = lth_flatten(x, 1), y = lth_flatten(a->target, 1);
    lth_tensor both = lth_sum_axis(lth_mul(p, y), 1, 0), all = lth_sum_axis(lth_add(p, y), 1, 0);
    lth_tensor ratio = jaccard ? lth_div(lth_add(both, smooth), lth_add(lth_sub(all, both), smooth))
                               : lth_div(lth_add(lth_mul(both, 2.0), smooth), lth_add(all, smooth));
    return lth_reduce_loss_(lth_sub(1, ratio), a->reduction, file, line);
}

#pragma pop_macro("LTH_HERE")
#define lth_binary_cross_entropy_with_logits(x, ...)                                                                     \
    lth_binary_cross_entropy_with_logits_((x), LTH_REF(lth_bce_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_binary_cross_entropy(x, ...) lth_binary_cross_entropy_((x), LTH_REF(lth_bce_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_sigmoid_focal_loss(x, ...) lth_sigmoid_focal_loss_((x), LTH_REF(lth_focal_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_multilabel_soft_margin_loss(x, ...)                                                                          \
    lth_multilabel_soft_margin_loss_((x), LTH_REF(lth_bce_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_multilabel_margin_loss(x, ...)                                                                               \
    lth_multilabel_margin_loss_((x), LTH_REF(lth_multilabel_margin_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_dice_loss(x, ...) lth_overlap_loss_((x), LTH_REF(lth_overlap_args, .target = __VA_ARGS__), false, LTH_HERE)
#define lth_jaccard_loss(x, ...) lth_overlap_loss_((x), LTH_REF(lth_overlap_args, .target = __VA_ARGS__), true, LTH_HERE)

LTH_END_C
#endif
