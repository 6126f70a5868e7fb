/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/class_metric.h: accuracy, precision, recall, F-beta, specificity, Jaccard index over an epoch, as torchmetrics.
 * How such a metric is made and updated: metric_state.h. [main]
 *
 *     m->f1 = lth_f1_new(s, "val_f1", C)         C classes, one of which is right: logits (N, C, ...), target (N, ...)
 *     m->f1 = lth_f1_new(s, "val_f1", 1)         yes or no: logits and target of one shape
 *     m->f1 = lth_f1_new(s, "val_f1", L, .multilabel = 1)     L independent answers: logits and target (N, L, ...)
 *
 * Classes are i32 or i64, answers of any type. The greatest logit is the prediction, the first of equals; an answer is yes
 * where sigmoid(logit) is above the threshold. What has no sample at all is 0, as torchmetrics' zero_division. */
#ifndef LTHOST_NN_CLASS_METRIC_H
#define LTHOST_NN_CLASS_METRIC_H

#include "classification_loss.h"
#include "metric_state.h"
#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef uint32_t lth_average;
enum {
    LTH_AVERAGE_DEFAULT = 0,  /* accuracy: micro; all others: macro */
    LTH_AVERAGE_MICRO = 1,    /* over all samples alike */
    LTH_AVERAGE_MACRO = 2,    /* over the classes that occur, in targets or predictions; over all labels */
    LTH_AVERAGE_WEIGHTED = 3, /* over the classes, by their samples */
    LTH_AVERAGE_NONE = 4      /* one value a class, (C): see lth_log_each */
};

typedef uint32_t lth_class_measure;
enum {
    LTH_MEASURE_ACCURACY = 0,
    LTH_MEASURE_PRECISION = 1,
    LTH_MEASURE_RECALL = 2,
    LTH_MEASURE_F_BETA = 3,
    LTH_MEASURE_SPECIFICITY = 4,
    LTH_MEASURE_JACCARD = 5,
    LTH_MEASURE_STAT_SCORES = 6
};

typedef struct lth_class_metric_args {
    int64_t classes LTH_ZERO;       /* 1: yes or no */
    lth_average average LTH_ZERO;
    int32_t multilabel LTH_ZERO;    /* 1: `classes` independent answers */
    int32_t probabilities LTH_ZERO; /* 1: what is handed in are probabilities, not logits */
    int32_t ignore LTH_ZERO;        /* 1: targets equal to ignore_index do not count */
    int64_t ignore_index LTH_ZERO;
    int64_t top_k LTH_ZERO;         /* of several classes: right is also a target among the k greatest; default 1 */
    double threshold LTH_ZERO;      /* of yes; default 0.5 */
    double beta LTH_ZERO;           /* lth_f_beta_new: weight of the recall; default 1 */
} lth_class_metric_args;

typedef struct lth_class_metric {
    lth_metric_state state; /* (4, C): tp, fp, tn, fn */
    lth_class_metric_args as;
    lth_class_measure measure;
    uint32_t reserved;
} lth_class_metric;

/* What a batch says, as rows: (M, C) each; or of classes x (M, C), target (M). */
typedef struct lth_answers {
    lth_tensor x, target;
    lth_tensor keep; /* i64, of target's shape: 0 where it is ignored */
} lth_answers;

static inline lth_class_metric lth_class_metric_new_(lth_setup *s, const char *name, const char *type, lth_class_measure measure,
                                                     const lth_class_metric_args *a, const char *file, uint32_t line)
{
    lth_class_metric m = { { { 0, 0 }, 0, 0, false, { 0 } }, *a, measure, 0 };
    m.as.threshold = a->threshold != 0 ? a->threshold : 0.5;
    m.as.beta = a->beta != 0 ? a->beta : 1;
    m.as.top_k = a->top_k != 0 ? a->top_k : 1;
    if (m.as.average == LTH_AVERAGE_DEFAULT)
        m.as.average = measure == LTH_MEASURE_ACCURACY ? LTH_AVERAGE_MICRO : LTH_AVERAGE_MACRO;
    const bool classes = a->classes > 1 && !a->multilabel;
    if (a->classes < 1 || a->average > LTH_AVERAGE_NONE || m.as.beta < 0 || m.as.top_k < 1 || m.as.top_k > a->classes)
        lth_metric_refuse_(s, file, line,
                           "metric '%s': classes (%lld) must be at least 1, beta (%g) above 0, top_k (%lld) in 1..classes, average (%u) one "
                           "of LTH_AVERAGE_*", name, (long long)a->classes, m.as.beta, (long long)m.as.top_k, (unsigned)a->average);
    const bool f_beta = strcmp(type, "FBetaScore") == 0;
    const char *idle = a->beta != 0 && !f_beta                                                   ? ".beta: it is for lth_f_beta_new"
                       : a->threshold != 0 && classes                                            ? ".threshold: the greatest logit is chosen"
                       : m.as.top_k > 1 && !classes                                              ? ".top_k: nothing is chosen"
                       : a->average && (a->classes == 1 || measure == LTH_MEASURE_STAT_SCORES) ? ".average: nothing is averaged"
                                                                                                 : NULL;
    if (idle)
        lth_metric_refuse_(s, file, line, "metric '%s' takes no %s", name, idle);
    lth_shape shape = { LTH_I64, 2, { 4, a->classes > 0 ? a->classes : 1 } };
    m.state = lth_metric_state_new_(s, name, type, &shape, file, line);
    return m;
}

/* Logits and targets as rows; false, with the error recorded, where they do not fit. */
static inline bool lth_answers_of_(const char *name, const lth_class_metric_args *a, lth_tensor x, lth_tensor target, lth_answers *out,
                                   const char *file, uint32_t line)
{
    const bool one_of_many = a->classes > 1 && !a->multilabel;
    if (!x.trace || !target.trace || !lth_ignore_good_(name, x, a->ignore, a->ignore_index, file, line))
        return false;
    if (one_of_many ? !lth_class_shapes_(name, x, target, file, line) : !lth_nn_match_(name, x, target, file, line))
        return false;
    if (a->classes > 1 && lth_dim(x, 1) != a->classes) {
        lth_nn_fail_(x, file, line, "%s of %lld classes was given %s", name, (long long)a->classes, lth_shape_text_(x).at);
        return false;
    }
    if (lth_dtype_size(lth_dtype_of(x)) == 2)
        x = lth_cast(x, LTH_F32);
    if (one_of_many) {
        out->x = lth_class_rows_of_(x, file, line);
        out->target = lth_cast(lth_flatten(target, 0), LTH_I64);
    } else {
        const lth_dtype type = lth_dtype_of(target) == LTH_BOOL ? (lth_dtype)LTH_I64 : lth_dtype_of(target);
        target = lth_cast(target, type);
        out->x = a->multilabel ? lth_class_rows_of_(x, file, line) : lth_reshape(x, -1, 1);
        out->target = a->multilabel ? lth_class_rows_of_(target, file, line) : lth_reshape(target, -1, 1);
    }
    lth_tensor ignored = a->ignore ? lth_eq(out->target, (double)a->ignore_index) : lth_lt(out->target, out->target); /* of none */
    out->keep = lth_cast(lth_not(ignored), LTH_I64);
    out->target = a->ignore ? lth_where(ignored, 0, out->target) : out->target;
    return true;
}

/* The predicted class of each row (M); with top_k, the target's own where it is among them. x (M, C) */
static inline lth_tensor lth_predicted_class_(lth_tensor x, lth_tensor target, int64_t top_k, const char *file, uint32_t line)
{
    lth_tensor best = lth_argmax(x, 1);
    if (top_k == 1)
        return best;
    lth_shape s = { LTH_I64, 2, { lth_dim(x, 0), lth_dim(x, 1) } };
    lth_tensor y = lth_reshape(target, -1, 1), own = lth_gather_along(x, y, 1);
    lth_tensor first = lth_and(lth_eq(x, own), lth_lt(lth_iota(x, &s, 1), y)); /* equal ones before it go first */
    lth_tensor ahead = lth_sum_axis(lth_cast(lth_or(lth_gt(x, own), first), LTH_I64), 1, 0);
    return lth_where(lth_lt(ahead, (double)top_k), target, best);
}

/* Whether each answer is yes, of x's shape. */
static inline lth_tensor lth_said_yes_(const lth_class_metric_args *a, lth_tensor x, const char *file, uint32_t line)
{
    return lth_gt(a->probabilities ? x : lth_sigmoid(x), a->threshold);
}

/* (4, C), i64: true and false positives, true and false negatives of each class. */
static inline lth_tensor lth_class_counts_(const lth_class_metric_args *a, const lth_answers *b, const char *file, uint32_t line)
{
    lth_tensor right, said, asked; /* (C): tp, predicted, wanted */
    if (a->classes > 1 && !a->multilabel) {
        lth_tensor predicted = lth_predicted_class_(b->x, b->target, a->top_k, file, line);
        right = lth_scatter_add(lth_mul(b->keep, lth_cast(lth_eq(predicted, b->target), LTH_I64)), b->target, a->classes);
        said = lth_scatter_add(b->keep, predicted, a->classes);
        asked = lth_scatter_add(b->keep, b->target, a->classes);
    } else {
        lth_tensor yes = lth_mul(b->keep, lth_cast(lth_said_yes_(a, b->x, file, line), LTH_I64));
        lth_tensor wanted = lth_mul(b->keep, lth_cast(lth_ne(b->target, 0), LTH_I64));
        right = lth_sum_axis(lth_mul(yes, wanted), 0, 0);
        said = lth_sum_axis(yes, 0, 0);
        asked = lth_sum_axis(wanted, 0, 0);
    }
    lth_tensor all = lth_rank(b->keep) == 1 ? lth_sum(b->keep) : lth_sum_axis(b->keep, 0, 0);
    lth_tensor wrong = lth_sub(said, right), missed = lth_sub(asked, right);
    lth_tensor rest = lth_sub(all, lth_add(said, missed));
    const lth_tensor rows[4] = { right, wrong, rest, missed };
    return lth_metric_stack_(rows, 4, file, line);
}

/* ---- From counts to a measure ---- */

typedef struct lth_fraction { lth_tensor over, under; } lth_fraction;

/* counts: tp, fp, tn, fn, f64, of one shape each. */
static inline lth_fraction lth_class_fraction_(const lth_class_metric *m, const lth_tensor counts[4], const char *file, uint32_t line)
{
    const lth_tensor tp = counts[0], fp = counts[1], tn = counts[2], fn = counts[3];
    const double square = m->as.beta * m->as.beta;
    lth_tensor weighed = lth_mul(tp, 1 + square);
    lth_fraction f = { tp, tp };
    switch (m->measure) {
    case LTH_MEASURE_PRECISION: f.under = lth_add(tp, fp); break;
    case LTH_MEASURE_F_BETA:
        f.over = weighed;
        f.under = lth_add(lth_add(weighed, lth_mul(fn, square)), fp);
        break;
    case LTH_MEASURE_SPECIFICITY:
        f.over = tn;
        f.under = lth_add(tn, fp);
        break;
    case LTH_MEASURE_JACCARD: f.under = lth_add(lth_add(tp, fp), fn); break;
    default: /* recall; and accuracy, which is that where one class of many is right */
        f.under = lth_add(tp, fn);
        if (m->measure == LTH_MEASURE_ACCURACY && (m->as.classes == 1 || m->as.multilabel)) {
            f.over = lth_add(tp, tn);
            f.under = lth_add(f.under, lth_add(tn, fp));
        }
    }
    return f;
}

/* A Jaccard index leaves an ignored class out of its averages: (C), 0 there, else 1. */
static inline lth_tensor lth_class_live_(const lth_class_metric *m, lth_tensor like, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(like);
    const bool out = m->measure == LTH_MEASURE_JACCARD && m->as.ignore && !m->as.multilabel && m->as.classes > 1;
    return lth_cast(lth_ne(lth_iota(like, &s, 0), out ? (double)m->as.ignore_index : -1.0), LTH_F64);
}

/* state (4, C) -> f64: rank 0, or (C) where nothing is averaged. */
static inline lth_tensor lth_class_metric_value_(const lth_class_metric *m, lth_tensor state, const char *file, uint32_t line)
{
    lth_tensor counts[5], real = lth_cast(state, LTH_F64);
    for (int i = 0; i < 4; i++)
        counts[i] = lth_metric_row_(real, i, file, line);
    counts[4] = lth_add(counts[0], counts[3]); /* the samples of each class */
    if (m->measure == LTH_MEASURE_STAT_SCORES)
        return lth_transpose(lth_metric_stack_(counts, 5, file, line), 0, 1);
    lth_tensor live = lth_class_live_(m, counts[0], file, line);
    if (m->as.average == LTH_AVERAGE_MICRO) {
        lth_fraction f = lth_class_fraction_(m, counts, file, line);
        return lth_metric_ratio_(lth_sum(f.over), lth_sum(lth_mul(f.under, live)), file, line);
    }
    lth_fraction f = lth_class_fraction_(m, counts, file, line);
    lth_tensor each = lth_metric_ratio_(f.over, f.under, file, line);
    if (m->as.classes == 1)
        return lth_sum(each);
    if (m->as.average == LTH_AVERAGE_NONE)
        return each;
    lth_tensor weight = counts[4];
    if (m->as.average == LTH_AVERAGE_MACRO) {
        /* with top_k, torchmetrics leaves out classes without a target, but not in F-beta and specificity */
        const bool wanted = m->as.top_k > 1 && m->measure <= LTH_MEASURE_RECALL;
        lth_tensor occurs = wanted ? counts[4] : lth_add(counts[4], counts[1]);
        weight = m->as.multilabel ? live : lth_mul(live, lth_cast(lth_gt(occurs, 0), LTH_F64));
    }
    return lth_sum(lth_mul(lth_metric_ratio_(weight, lth_sum(weight), file, line), each));
}

static inline lth_tensor lth_class_metric_update_(lth_class_metric *m, lth_step *step, lth_tensor x, lth_tensor target, const char *file,
                                                  uint32_t line)
{
    lth_answers b;
    if (!lth_metric_ready_(&m->state, step, x, file, line) || !lth_answers_of_("a metric", &m->as, x, target, &b, file, line))
        return lth_none();
    lth_tensor state = lth_metric_add_(&m->state, step, lth_class_counts_(&m->as, &b, file, line), file, line);
    return lth_class_metric_value_(m, state, file, line);
}

#pragma pop_macro("LTH_HERE")
#define LTH_CLASS_METRIC_(s, name, type, measure, ...)                                                                   \
    lth_class_metric_new_((s), (name), (type), (measure), LTH_REF(lth_class_metric_args, .classes = __VA_ARGS__), LTH_HERE)
/* lth_f1_new(s, "val_f1", C); options follow, in the order of lth_class_metric_args: .average = LTH_AVERAGE_MICRO, ... */
#define lth_accuracy_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "Accuracy", LTH_MEASURE_ACCURACY, __VA_ARGS__)
#define lth_precision_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "Precision", LTH_MEASURE_PRECISION, __VA_ARGS__)
#define lth_recall_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "Recall", LTH_MEASURE_RECALL, __VA_ARGS__)
#define lth_f1_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "F1Score", LTH_MEASURE_F_BETA, __VA_ARGS__)
#define lth_f_beta_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "FBetaScore", LTH_MEASURE_F_BETA, __VA_ARGS__)
#define lth_specificity_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "Specificity", LTH_MEASURE_SPECIFICITY, __VA_ARGS__)
#define lth_jaccard_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "JaccardIndex", LTH_MEASURE_JACCARD, __VA_ARGS__)
/* (C, 5): tp, fp, tn, fn and the samples of each class; .average is not looked at. */
#define lth_stat_scores_new(s, name, ...) LTH_CLASS_METRIC_(s, name, "StatScores", LTH_MEASURE_STAT_SCORES, __VA_ARGS__)
/* The measure over all batches of the epoch so far, f64. */
#define lth_class_metric_update(m, step, logits, target) lth_class_metric_update_((m), (step), (logits), (target), LTH_HERE)

LTH_END_C
#endif
