/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/confusion_matrix.h: which class was taken for which, over an epoch (metric_state.h), and what follows from it. [main]
 *
 *     m->confusion = lth_confusion_matrix_new(s, "val_confusion", C);
 *     lth_tensor matrix = lth_confusion_matrix_update(&m->confusion, step, logits, target);      (C, C), row: target
 *     lth_log(step, "val_kappa", lth_cohen_kappa(matrix, LTH_KAPPA_PLAIN), .reduce = LTH_REDUCE_LAST);
 *
 * One class (yes or no) makes (2, 2). The counts of several labels: lth_stat_scores_new (class_metric.h). */
#ifndef LTHOST_NN_CONFUSION_MATRIX_H
#define LTHOST_NN_CONFUSION_MATRIX_H

#include "class_metric.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_confusion_matrix {
    lth_metric_state state; /* (C, C) */
    lth_class_metric_args as;
} lth_confusion_matrix;

static inline lth_confusion_matrix lth_confusion_matrix_new_(lth_setup *s, const char *name, const lth_class_metric_args *a,
                                                             const char *file, uint32_t line)
{
    lth_confusion_matrix m = { { { 0, 0 }, 0, 0, false, { 0 } }, *a };
    m.as.threshold = a->threshold != 0 ? a->threshold : 0.5;
    if (a->classes < 1 || a->multilabel || a->top_k || a->average || a->beta != 0 || (a->threshold != 0 && a->classes > 1))
        lth_metric_refuse_(s, file, line, "confusion matrix '%s': it takes 1 class (yes or no; with a .threshold) or more, and none of "
                           ".average, .multilabel, .top_k, .beta", name);
    const int64_t C = a->classes > 1 ? a->classes : 2;
    lth_shape shape = { LTH_I64, 2, { C, C } };
    m.state = lth_metric_state_new_(s, name, "ConfusionMatrix", &shape, file, line);
    return m;
}

/* Counts of all batches so far, (C, C), f64: row target, column prediction. */
static inline lth_tensor lth_confusion_matrix_update_(lth_confusion_matrix *m, lth_step *step, lth_tensor x, lth_tensor target,
                                                      const char *file, uint32_t line)
{
    const int64_t C = m->as.classes > 1 ? m->as.classes : 2;
    lth_answers b;
    if (!lth_metric_ready_(&m->state, step, x, file, line) || !lth_answers_of_("a confusion matrix", &m->as, x, target, &b, file, line))
        return lth_none();
    lth_tensor predicted, wanted = b.target, keep = lth_flatten(b.keep, 0);
    if (m->as.classes > 1) {
        predicted = lth_argmax(b.x, 1);
    } else {
        predicted = lth_flatten(lth_cast(lth_said_yes_(&m->as, b.x, file, line), LTH_I64), 0);
        wanted = lth_flatten(lth_cast(lth_ne(b.target, 0), LTH_I64), 0);
    }
    lth_assert(lth_and(lth_ge(wanted, 0), lth_lt(wanted, (double)C)), "a confusion matrix was given a target that is no class");
    lth_tensor counts = lth_scatter_add(keep, lth_add(lth_mul(wanted, (double)C), predicted), C * C);
    return lth_cast(lth_metric_add_(&m->state, step, lth_reshape(counts, C, C), file, line), LTH_F64);
}

typedef uint32_t lth_normalization;
enum {
    LTH_NORMALIZE_TARGET = 1,    /* each row by its sum: torchmetrics' "true" */
    LTH_NORMALIZE_PREDICTED = 2, /* each column by its sum: "pred" */
    LTH_NORMALIZE_ALL = 3        /* by the sum of all */
};

/* Shares instead of counts; 0 where there is nothing to share. */
static inline lth_tensor lth_confusion_normalized_(lth_tensor matrix, lth_normalization by, const char *file, uint32_t line)
{
    if (by < LTH_NORMALIZE_TARGET || by > LTH_NORMALIZE_ALL)
        return lth_nn_fail_(matrix, file, line, "lth_confusion_normalized: by one of LTH_NORMALIZE_*, not %u", (unsigned)by);
    lth_tensor sum = by == LTH_NORMALIZE_ALL ? lth_sum(matrix) : lth_sum_axis(matrix, by == LTH_NORMALIZE_TARGET ? 1 : 0, 1);
    return lth_metric_ratio_(matrix, lth_expand_to(sum, lth_shape_of(matrix)), file, line);
}

/* What a confusion of classes i and j costs: 1, |i - j|, (i - j)^2. */
typedef uint32_t lth_kappa;
enum { LTH_KAPPA_PLAIN = 0, LTH_KAPPA_LINEAR = 1, LTH_KAPPA_QUADRATIC = 2 };

/* Agreement beyond chance (Cohen 1960) of a matrix of counts (C, C) -> rank 0; NaN where chance alone agrees. */
static inline lth_tensor lth_cohen_kappa_(lth_tensor matrix, lth_kappa weights, const char *file, uint32_t line)
{
    const lth_shape s = *lth_shape_of(matrix);
    lth_tensor gap = lth_sub(lth_iota(matrix, &s, 0), lth_iota(matrix, &s, 1));
    lth_tensor cost = weights == LTH_KAPPA_QUADRATIC ? lth_square(gap) : lth_abs(gap);
    if (weights == LTH_KAPPA_PLAIN)
        cost = lth_cast(lth_ne(gap, 0), s.dtype);
    lth_tensor chance = lth_div(lth_mul(lth_sum_axis(matrix, 1, 1), lth_sum_axis(matrix, 0, 1)), lth_sum(matrix));
    return lth_sub(1, lth_div(lth_sum(lth_mul(cost, matrix)), lth_sum(lth_mul(cost, chance))));
}

/* The correlation of targets and predictions (Matthews 1975; Gorodkin 2004) of a matrix of counts (C, C) -> rank 0. Where one of
 * them never varies it is 0; of two classes, as torchmetrics, 1 where all are right and -1 where all are wrong. */
static inline lth_tensor lth_matthews_corrcoef_(lth_tensor matrix, const char *file, uint32_t line)
{
    const lth_shape s = *lth_shape_of(matrix);
    lth_tensor own = lth_cast(lth_eq(lth_iota(matrix, &s, 0), lth_iota(matrix, &s, 1)), s.dtype);
    lth_tensor wanted = lth_sum_axis(matrix, 1, 0), said = lth_sum_axis(matrix, 0, 0);
    lth_tensor right = lth_sum(lth_mul(own, matrix)), all = lth_sum(matrix), square = lth_square(all);
    lth_tensor cov = lth_sub(lth_mul(right, all), lth_sum(lth_mul(wanted, said)));
    lth_tensor var = lth_mul(lth_sub(square, lth_sum(lth_square(said))), lth_sub(square, lth_sum(lth_square(wanted))));
    lth_tensor r = lth_metric_ratio_(cov, lth_sqrt(var), file, line);
    if (s.dim[0] != 2)
        return r;
    lth_tensor wrong = lth_sub(all, right), some = lth_gt(all, 0);
    r = lth_where(lth_and(some, lth_eq(wrong, 0)), 1, r);
    return lth_where(lth_and(some, lth_eq(right, 0)), -1.0, r);
}

#pragma pop_macro("LTH_HERE")
#define lth_confusion_matrix_new(s, name, ...)                                                                           \
    lth_confusion_matrix_new_((s), (name), LTH_REF(lth_class_metric_args, .classes = __VA_ARGS__), LTH_HERE)
#define lth_confusion_matrix_update(m, step, logits, target) lth_confusion_matrix_update_((m), (step), (logits), (target), LTH_HERE)
#define lth_confusion_normalized(matrix, by) lth_confusion_normalized_((matrix), (by), LTH_HERE)
#define lth_cohen_kappa(matrix, weights) lth_cohen_kappa_((matrix), (weights), LTH_HERE)
#define lth_matthews_corrcoef(matrix) lth_matthews_corrcoef_((matrix), LTH_HERE)

LTH_END_C
#endif
