/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/metric.h: what one logs beside the loss. Each is the mean over the batch, of rank 0 and of the type of its
 * first operand; lth_log weights it by the batch's size, so that the epoch's value is the mean over all samples. [main] */
#ifndef LTHOST_NN_METRIC_H
#define LTHOST_NN_METRIC_H

#include "classification_loss.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* The share of targets whose class has the greatest logit; the first of equals counts. logits (N, C) or (N, C, d...),
 * target i32 or i64 (N) or (N, d...). */
static inline lth_tensor lth_accuracy_(lth_tensor logits, lth_tensor target, const char *file, uint32_t line)
{
    if (!lth_class_shapes_("lth_accuracy", logits, target, file, line))
        return logits;
    lth_tensor best = lth_argmax(logits, 1);
    if (lth_dtype_of(target) != LTH_I64)
        target = lth_cast(target, LTH_I64);
    return lth_mean(lth_cast(lth_eq(best, target), lth_dtype_of(logits)));
}

/* The share of targets whose class is among the k greatest logits; of equal ones the first counts as greater. */
static inline lth_tensor lth_top_k_accuracy_(lth_tensor logits, lth_tensor target, int64_t k, const char *file, uint32_t line)
{
    if (!lth_class_shapes_("lth_top_k_accuracy", logits, target, file, line))
        return logits;
    if (k < 1)
        return lth_nn_fail_(logits, file, line, "lth_top_k_accuracy: k must be at least 1, not %lld", (long long)k);
    lth_tensor x = lth_class_rows_of_(logits, file, line);  /* (M, C) */
    lth_tensor y = lth_reshape(target, -1, 1);              /* (M, 1) */
    lth_shape classes = *lth_shape_of(x);
    classes.dtype = lth_dtype_of(y);
    lth_tensor own = lth_gather_along(x, y, 1);             /* (M, 1) */
    lth_tensor first = lth_and(lth_eq(x, own), lth_lt(lth_iota(x, &classes, 1), y));
    lth_tensor ahead = lth_cast(lth_or(lth_gt(x, own), first), lth_dtype_of(logits));
    return lth_mean(lth_cast(lth_lt(lth_sum_axis(ahead, 1, 0), (double)k), lth_dtype_of(logits)));
}

/* The share of right yes/no answers: yes where the logit is above 0, against a target above 1/2. One shape. */
static inline lth_tensor lth_binary_accuracy_(lth_tensor logits, lth_tensor target, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_binary_accuracy", logits, target, file, line))
        return logits;
    return lth_mean(lth_cast(lth_eq(lth_gt(logits, 0), lth_gt(target, 0.5)), lth_dtype_of(logits)));
}

/* sum(weight x) / sum(weight); one shape. */
static inline lth_tensor lth_weighted_mean_(lth_tensor x, lth_tensor weight, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_weighted_mean", x, weight, file, line))
        return x;
    return lth_div(lth_sum(lth_mul(x, weight)), lth_sum(weight));
}

#pragma pop_macro("LTH_HERE")
#define lth_accuracy(logits, target) lth_accuracy_((logits), (target), LTH_HERE)
#define lth_top_k_accuracy(logits, target, k) lth_top_k_accuracy_((logits), (target), (k), LTH_HERE)
#define lth_binary_accuracy(logits, target) lth_binary_accuracy_((logits), (target), LTH_HERE)
#define lth_weighted_mean(x, weight) lth_weighted_mean_((x), (weight), LTH_HERE)

LTH_END_C
#endif
