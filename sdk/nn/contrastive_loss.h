/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/contrastive_loss.h: losses that draw embeddings that belong together near, and push the others apart. [main] */
#ifndef LTHOST_NN_CONTRASTIVE_LOSS_H
#define LTHOST_NN_CONTRASTIVE_LOSS_H

#include "classification_loss.h"
#include "pair_loss.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* x1, x2 (..., D), target (...): with d = |x1 - x2|, d^2 / 2 where the target is 1 (alike), max(0, margin - d)^2 / 2 where it
 * is -1 (Hadsell, Chopra, LeCun 2006). margin: default 1 */
static inline lth_tensor lth_contrastive_loss_(lth_tensor x1, lth_tensor x2, const lth_hinge_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_contrastive_loss", x1, x2, file, line))
        return x1;
    x1 = lth_nn_unlowered_(x1, file, line);
    lth_tensor square = lth_sum_axis(lth_square(lth_sub(x1, x2)), -1, 0);
    if (!lth_nn_match_("lth_contrastive_loss", square, a->target, file, line))
        return x1;
    lth_tensor d = lth_power_(square, 0.5, file, line);
    lth_tensor apart = lth_square(lth_relu(lth_sub(a->margin != 0 ? a->margin : 1, d)));
    return lth_reduce_loss_(lth_mul(lth_where(lth_gt(a->target, 0), square, apart), 0.5), a->reduction, file, line);
}

typedef struct lth_info_nce_args {
    lth_tensor positive LTH_ZERO;  /* (N, D): row i belongs to row i of the queries */
    lth_tensor negatives LTH_ZERO; /* (M, D): apart from every query; none: the other rows of `positive` are */
    double temperature LTH_ZERO;   /* default: lth_info_nce_loss 0.1, lth_nt_xent_loss 0.5 */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_info_nce_args;

/* False, with the error recorded, unless both are (N, D). */
static inline bool lth_rows_match_(const char *name, lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    if (!lth_nn_match_(name, a, b, file, line))
        return false;
    if (lth_rank(a) != 2 && a.trace)
        lth_nn_fail_(a, file, line, "%s takes (N, D), not %s", name, lth_shape_text_(a).at);
    return lth_rank(a) == 2;
}

/* 0, 1, ..., n - 1 */
static inline lth_tensor lth_row_numbers_(lth_tensor x, int64_t n, const char *file, uint32_t line)
{
    lth_shape s = { LTH_I64, 1, { n } };
    return lth_iota(x, &s, 0);
}

/* query (N, D): the cross-entropy of finding the own key among all, by cosine / temperature (van den Oord et al. 2018). */
static inline lth_tensor lth_info_nce_loss_(lth_tensor query, const lth_info_nce_args *a, const char *file, uint32_t line)
{
    if (!lth_rows_match_("lth_info_nce_loss", query, a->positive, file, line))
        return query;
    const double sharpness = 1 / (a->temperature != 0 ? a->temperature : 0.1);
    lth_tensor q = lth_normalize(query, -1), k = lth_normalize(a->positive, -1);
    if (!a->negatives.trace)
        return lth_cross_entropy(lth_mul(lth_matmul_t(q, k), sharpness), lth_row_numbers_(q, lth_dim(q, 0), file, line),
                                 .reduction = a->reduction);
    const lth_tensor parts[2] = { lth_sum_axis(lth_mul(q, k), 1, 1), lth_matmul_t(q, lth_normalize(a->negatives, -1)) };
    lth_shape s = { LTH_I64, 1, { lth_dim(q, 0) } };
    lth_tensor first = lth_mul(lth_iota(q, &s, 0), 0.0); /* the own key stands first */
    return lth_cross_entropy(lth_mul(lth_concat(parts, 2, 1), sharpness), first, .reduction = a->reduction);
}

/* z1, z2 (N, D), two views of each sample: the cross-entropy of finding the other view among the 2 N - 1 other rows, by
 * cosine / temperature (SimCLR: Chen et al. 2020). */
static inline lth_tensor lth_nt_xent_loss_(lth_tensor z1, const lth_info_nce_args *a, const char *file, uint32_t line)
{
    if (!lth_rows_match_("lth_nt_xent_loss", z1, a->positive, file, line))
        return z1;
    if (a->negatives.trace)
        return lth_nn_fail_(z1, file, line, "lth_nt_xent_loss takes no .negatives: the other rows of the batch are");
    const int64_t N = lth_dim(z1, 0);
    const lth_tensor views[2] = { z1, a->positive };
    lth_tensor z = lth_normalize(lth_concat(views, 2, 0), -1);
    lth_shape square = { LTH_I64, 2, { 2 * N, 2 * N } };
    lth_tensor self = lth_eq(lth_iota(z, &square, 0), lth_iota(z, &square, 1));
    lth_tensor logits = lth_mul(lth_matmul_t(z, z), 1 / (a->temperature != 0 ? a->temperature : 0.5));
    lth_tensor row = lth_row_numbers_(z, 2 * N, file, line);
    lth_tensor partner = lth_where(lth_lt(row, (double)N), lth_add(row, (double)N), lth_sub(row, (double)N));
    return lth_cross_entropy(lth_where(self, -1e30, logits), partner, .reduction = a->reduction);
}

/* image, text (N, D), row i of one belonging to row i of the other; scale of rank 0, a factor of the cosines (CLIP: the exponential
 * of a parameter; Radford et al. 2021): the mean of the cross-entropies of finding the text of an image, and the image of a text. */
static inline lth_tensor lth_clip_loss_(lth_tensor image, lth_tensor text, lth_operand scale, const char *file, uint32_t line)
{
    if (!lth_rows_match_("lth_clip_loss", image, text, file, line))
        return image;
    lth_tensor factor = lth_operand_resolve_(scale, image, file, line);
    lth_tensor logits = lth_mul(lth_matmul_t(lth_normalize(image, -1), lth_normalize(text, -1)), factor);
    lth_tensor own = lth_row_numbers_(image, lth_dim(image, 0), file, line);
    return lth_mul(lth_add(lth_cross_entropy(logits, own), lth_cross_entropy(lth_transpose(logits, 0, 1), own)), 0.5);
}

#pragma pop_macro("LTH_HERE")
#define lth_contrastive_loss(x1, x2, ...)                                                                                \
    lth_contrastive_loss_((x1), (x2), LTH_REF(lth_hinge_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_info_nce_loss(query, ...) lth_info_nce_loss_((query), LTH_REF(lth_info_nce_args, .positive = __VA_ARGS__), LTH_HERE)
#define lth_nt_xent_loss(z1, ...) lth_nt_xent_loss_((z1), LTH_REF(lth_info_nce_args, .positive = __VA_ARGS__), LTH_HERE)
#define lth_clip_loss(image, text, scale) lth_clip_loss_((image), (text), LTH_OPERAND_(scale), LTH_HERE)

LTH_END_C
#endif
