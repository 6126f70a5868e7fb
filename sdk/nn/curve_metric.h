/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/curve_metric.h: the area under the ROC curve and the average precision over an epoch (metric_state.h), as
 * torchmetrics. [main]
 *
 * With .thresholds = N (200 unless said) the curve is known at 0, 1 / (N - 1), ..., 1, by counts alone, so that the state is
 * small whatever the epoch's length: the value differs from the exact one by what lies between thresholds. An update compares N
 * thresholds with every element. With .capacity = N the value is exact, torchmetrics' own default, for an epoch of at most N
 * samples, which are all kept and sorted at every update (sample_metric.h). logits and target as in class_metric.h; they become
 * probabilities by softmax (several classes) or sigmoid. */
#ifndef LTHOST_NN_CURVE_METRIC_H
#define LTHOST_NN_CURVE_METRIC_H

#include "class_metric.h"
#include "sample_metric.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_curve_metric_args {
    int64_t classes LTH_ZERO;       /* 1: yes or no */
    int64_t thresholds LTH_ZERO;    /* default 200 */
    int64_t capacity LTH_ZERO;      /* samples of an epoch at most: the exact value */
    lth_average average LTH_ZERO;   /* default macro: over all classes, torchmetrics' */
    int32_t multilabel LTH_ZERO;    /* 1: `classes` independent answers */
    int32_t probabilities LTH_ZERO; /* 1: what is handed in are probabilities, not logits */
    int32_t ignore LTH_ZERO;        /* 1: targets equal to ignore_index do not count */
    int64_t ignore_index LTH_ZERO;
} lth_curve_metric_args;

typedef struct lth_curve_metric {
    lth_metric_state state; /* (2, N, C): true and false positives at each threshold; or (N, 2 C): kinds and scores, f64 */
    lth_curve_metric_args as;
    uint32_t precision;     /* 1: average precision, 0: area under the ROC curve */
    uint32_t reserved;
} lth_curve_metric;

static inline lth_curve_metric lth_curve_metric_new_(lth_setup *s, const char *name, bool precision, const lth_curve_metric_args *a,
                                                     const char *file, uint32_t line)
{
    lth_curve_metric m = { { { 0, 0 }, 0, 0, false, { 0 } }, *a, precision, 0 };
    m.as.thresholds = a->thresholds ? a->thresholds : 200;
    if (a->capacity < 0 || (a->capacity && a->thresholds))
        lth_metric_refuse_(s, file, line, "metric '%s': .capacity (%lld) is a number of samples, and stands in place of .thresholds", name,
                           (long long)a->capacity);
    if (a->classes < 1 || m.as.thresholds < 2 || m.as.thresholds > 1 << 20 || a->average > LTH_AVERAGE_NONE ||
        (a->average && a->classes == 1))
        lth_metric_refuse_(s, file, line, "metric '%s': classes (%lld) must be at least 1, thresholds (%lld) at least 2, average (%u) one of "
                           "LTH_AVERAGE_*, and none for yes or no", name, (long long)a->classes, (long long)m.as.thresholds, (unsigned)a->average);
    const int64_t C = a->classes > 0 ? a->classes : 1;
    lth_shape shape = { LTH_I64, 3, { 2, m.as.thresholds > 1 ? m.as.thresholds : 2, C } };
    const lth_shape samples = { LTH_F64, 2, { a->capacity, 2 * C } };
    shape = a->capacity > 0 ? samples : shape;
    m.state = lth_metric_state_new_(s, name, precision ? "AveragePrecision" : "AUROC", &shape, file, line);
    return m;
}

/* Probabilities, what is wanted and what counts, (M, C) each. */
static inline void lth_curve_rows_(const lth_curve_metric *m, lth_answers *b, const char *file, uint32_t line)
{
    const bool one_of_many = m->as.classes > 1 && !m->as.multilabel;
    const int64_t C = m->as.classes, M = lth_dim(b->x, 0);
    if (!m->as.probabilities)
        b->x = one_of_many ? lth_softmax(b->x, -1) : lth_sigmoid(b->x);
    if (one_of_many) { /* each class against all others */
        lth_shape s = { LTH_I64, 2, { M, C } };
        b->target = lth_eq(lth_iota(b->x, &s, 1), lth_reshape(b->target, M, 1));
        b->keep = lth_expand(lth_reshape(b->keep, M, 1), M, C);
    } else {
        b->target = lth_ne(b->target, 0);
    }
}

/* This batch's counts (2, N, C), i64. */
static inline lth_tensor lth_curve_counts_(const lth_curve_metric *m, const lth_answers *b, const char *file, uint32_t line)
{
    const int64_t N = m->as.thresholds, C = m->as.classes, M = lth_dim(b->x, 0);
    const lth_tensor p = b->x, wanted = b->target, keep = b->keep;
    lth_shape at = { lth_dtype_of(p), 3, { N, 1, 1 } };
    lth_tensor over = lth_ge(lth_reshape(p, 1, M, C), lth_div(lth_iota(p, &at, 0), (double)(N - 1)));
    lth_tensor yes = lth_mul(keep, lth_cast(wanted, LTH_I64)), no = lth_sub(keep, yes); /* (M, C) */
    const lth_tensor rows[2] = { lth_sum_axis(lth_where(over, lth_reshape(yes, 1, M, C), 0), 1, 0),
                                 lth_sum_axis(lth_where(over, lth_reshape(no, 1, M, C), 0), 1, 0) };
    return lth_metric_stack_(rows, 2, file, line);
}

/* x[i] - x[i + 1] of the rows of x (N, C), the row after the last being 0. */
static inline lth_tensor lth_curve_drop_(lth_tensor x, const char *file, uint32_t line)
{
    lth_tensor parts[2] = { lth_slice(x, 0, 1, INT64_MAX), lth_mul(lth_slice(x, 0, 0, 1), 0.0) };
    return lth_sub(x, lth_concat(parts, 2, 0));
}

/* each (C), weighted by yes (C): rank 0, or (C) where nothing is averaged. */
static inline lth_tensor lth_curve_average_(const lth_curve_metric *m, lth_tensor each, lth_tensor yes, const char *file, uint32_t line)
{
    if (m->as.classes == 1 || m->as.average == LTH_AVERAGE_MICRO)
        return lth_sum(each);
    if (m->as.average == LTH_AVERAGE_NONE)
        return each;
    if (m->as.average != LTH_AVERAGE_WEIGHTED)
        return lth_mean(each);
    return lth_sum(lth_mul(each, lth_metric_ratio_(yes, lth_sum(yes), file, line)));
}

/* Of all samples, exactly. */
static inline lth_tensor lth_curve_exact_(lth_curve_metric *m, lth_step *step, const lth_answers *b, const char *file, uint32_t line)
{
    const int64_t N = m->as.capacity, C = m->as.classes, columns = m->as.average == LTH_AVERAGE_MICRO ? 1 : C;
    lth_tensor counted = lth_add(lth_cast(b->target, LTH_F64), LTH_SAMPLE_NO), yes;
    const lth_tensor parts[2] = { lth_where(lth_ne(b->keep, 0), counted, LTH_SAMPLE_IGNORED), lth_cast(b->x, LTH_F64) };
    lth_tensor all = lth_samples_add_(&m->state, step, lth_concat(parts, 2, 1), file, line);
    lth_tensor kind = lth_reshape(lth_slice(all, 1, 0, C), N * C / columns, columns);
    lth_tensor score = lth_reshape(lth_slice(all, 1, C, 2 * C), N * C / columns, columns);
    lth_tensor each = lth_samples_curve_(kind, score, m->precision, &yes, file, line), there = lth_gt(yes, 0);
    const bool one_of_many = C > 1 && !m->as.multilabel;
    if (m->precision && one_of_many && m->as.average == LTH_AVERAGE_NONE) /* the precision of a class that never was is none */
        return lth_where(there, each, NAN);
    if (m->precision && one_of_many && m->as.average <= LTH_AVERAGE_MACRO && columns > 1)
        return lth_div(lth_sum(each), lth_sum(lth_cast(there, LTH_F64)));
    return lth_curve_average_(m, each, yes, file, line);
}

/* state (2, N, C) -> rank 0, or (C) where nothing is averaged. */
static inline lth_tensor lth_curve_value_(const lth_curve_metric *m, lth_tensor state, const char *file, uint32_t line)
{
    const bool micro = m->as.average == LTH_AVERAGE_MICRO;
    const int64_t N = m->as.thresholds;
    lth_tensor real = lth_cast(state, LTH_F64);
    real = micro ? lth_sum_axis(real, 2, 1) : real;
    lth_tensor tp = lth_metric_row_(real, 0, file, line), fp = lth_metric_row_(real, 1, file, line); /* (N, C) */
    lth_tensor yes = lth_slice(tp, 0, 0, 1), no = lth_slice(fp, 0, 0, 1); /* at threshold 0: all */
    lth_tensor recall = lth_metric_ratio_(tp, lth_expand_to(yes, lth_shape_of(tp)), file, line), each; /* (C) */
    if (m->precision) {
        lth_tensor precision = lth_metric_ratio_(tp, lth_add(tp, fp), file, line);
        each = lth_sum_axis(lth_mul(lth_curve_drop_(recall, file, line), precision), 0, 0);
    } else {
        lth_tensor false_rate = lth_metric_ratio_(fp, lth_expand_to(no, lth_shape_of(fp)), file, line);
        lth_tensor width = lth_sub(lth_slice(false_rate, 0, 0, N - 1), lth_slice(false_rate, 0, 1, N));
        lth_tensor height = lth_add(lth_slice(recall, 0, 0, N - 1), lth_slice(recall, 0, 1, N));
        each = lth_mul(lth_sum_axis(lth_mul(width, height), 0, 0), 0.5);
    }
    return lth_curve_average_(m, each, lth_metric_row_(yes, 0, file, line), file, line);
}

static inline lth_tensor lth_curve_metric_update_(lth_curve_metric *m, lth_step *step, lth_tensor x, lth_tensor target, const char *file,
                                                  uint32_t line)
{
    lth_class_metric_args as = { m->as.classes, 0, m->as.multilabel, 0, m->as.ignore, m->as.ignore_index, 1, 0.5, 1 };
    lth_answers b;
    if (!lth_metric_ready_(&m->state, step, x, file, line) || !lth_answers_of_("a metric", &as, x, target, &b, file, line))
        return lth_none();
    lth_curve_rows_(m, &b, file, line);
    if (m->as.capacity)
        return lth_curve_exact_(m, step, &b, file, line);
    lth_tensor state = lth_metric_add_(&m->state, step, lth_curve_counts_(m, &b, file, line), file, line);
    return lth_curve_value_(m, state, file, line);
}

#pragma pop_macro("LTH_HERE")
/* lth_auroc_new(s, "val_auroc", C); options follow: .thresholds = 500 or .capacity = 10000, .average, .multilabel = 1, .probabilities = 1, .ignore = 1, ... */
#define lth_auroc_new(s, name, ...)                                                                                      \
    lth_curve_metric_new_((s), (name), false, LTH_REF(lth_curve_metric_args, .classes = __VA_ARGS__), LTH_HERE)
#define lth_average_precision_new(s, name, ...)                                                                          \
    lth_curve_metric_new_((s), (name), true, LTH_REF(lth_curve_metric_args, .classes = __VA_ARGS__), LTH_HERE)
/* The area over all batches of the epoch so far, f64. */
#define lth_curve_metric_update(m, step, logits, target) lth_curve_metric_update_((m), (step), (logits), (target), LTH_HERE)

LTH_END_C
#endif
