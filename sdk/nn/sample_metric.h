/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/sample_metric.h: metrics that need every sample of an epoch, in order: Spearman's correlation; and what the exact curves
 * of curve_metric.h are made of. [main]
 *
 * The samples are kept in the metric's state (metric_state.h), as many as .capacity says: an epoch with more fails, before
 * anything of the step is committed. Every update sorts all of them. */
#ifndef LTHOST_NN_SAMPLE_METRIC_H
#define LTHOST_NN_SAMPLE_METRIC_H

#include "metric_state.h"
#include <lthost/create.h>
#include <lthost/order.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* ---- Keeping ---- */

/* Appends rows (M, K), f64, to the state (N, K), which is returned. What is in column 0 is not 0: so used rows are told. */
static inline lth_tensor lth_samples_add_(const lth_metric_state *m, lth_step *step, lth_tensor rows, const char *file, uint32_t line)
{
    char text[64];
    lth_tensor before = lth_metric_before_(m, step, rows, file, line);
    const int64_t N = lth_dim(before, 0), M = lth_dim(rows, 0);
    if (M > N)
        return lth_nn_fail_(rows, file, line, "a metric with .capacity = %lld was given %lld samples at once", (long long)N, (long long)M);
    lth_tensor used = lth_sum(lth_cast(lth_ne(lth_slice(before, 1, 0, 1), 0), LTH_I64));
    snprintf(text, sizeof text, "an epoch has more samples than .capacity = %lld", (long long)N);
    lth_assert(lth_le(used, (double)(N - M)), text);
    lth_tensor after = lth_update_at(before, 0, used, rows);
    lth_assign(m->buffer, after);
    return after;
}

/* ---- Ties ---- */

/* order: of the elements along axis 0; group: of each in that order, how many distinct numbers come before it. */
typedef struct lth_ties { lth_tensor order, group; } lth_ties;

/* x (N, C) */
static inline lth_ties lth_ties_of_(lth_tensor x, int32_t descending, const char *file, uint32_t line)
{
    lth_ties t = { lth_argsort(x, 0, .descending = descending), lth_none() };
    const int64_t N = lth_dim(x, 0);
    lth_tensor sorted = lth_gather_along(x, t.order, 0);
    lth_tensor differs = lth_cast(lth_ne(lth_slice(sorted, 0, 1, N), lth_slice(sorted, 0, 0, N - 1)), LTH_I64);
    const lth_tensor parts[2] = { lth_zeros(differs, LTH_SHAPE(1, lth_dim(x, 1))), differs };
    t.group = lth_cumsum(lth_concat(parts, 2, 0), 0);
    return t;
}

/* The sum of w over each group (N, C); groups that there are not have 0. */
static inline lth_tensor lth_ties_sum_(const lth_ties *t, lth_tensor w, const char *file, uint32_t line)
{
    return lth_scatter_along(lth_gather_along(w, t->order, 0), t->group, 0, lth_dim(w, 0));
}

/* ---- Curves ---- */

enum { LTH_SAMPLE_NONE = 0, LTH_SAMPLE_NO = 1, LTH_SAMPLE_YES = 2, LTH_SAMPLE_IGNORED = 3 };

/* The exact area under the ROC curve, or the average precision, of each column: kind (N, C) of LTH_SAMPLE_*, score (N, C), f64;
 * *yes: how many there are (C). Equal scores are one point of the curve. 0 where one of the two kinds is missing. */
static inline lth_tensor lth_samples_curve_(lth_tensor kind, lth_tensor score, bool precision, lth_tensor *yes, const char *file,
                                            uint32_t line)
{
    lth_tensor is = lth_eq(kind, LTH_SAMPLE_YES), is_not = lth_eq(kind, LTH_SAMPLE_NO);
    lth_ties t = lth_ties_of_(lth_where(lth_or(is, is_not), score, -INFINITY), 1, file, line);
    lth_tensor ones = lth_cast(is, LTH_F64), zeros = lth_cast(is_not, LTH_F64);
    lth_tensor up = lth_ties_sum_(&t, ones, file, line), along = lth_ties_sum_(&t, zeros, file, line); /* steps of the curve */
    lth_tensor tp = lth_cumsum(up, 0);
    *yes = lth_sum_axis(ones, 0, 0);
    if (precision) {
        lth_tensor share = lth_metric_ratio_(tp, lth_add(tp, lth_cumsum(along, 0)), file, line);
        return lth_metric_ratio_(lth_sum_axis(lth_mul(up, share), 0, 0), *yes, file, line);
    }
    lth_tensor area = lth_sum_axis(lth_mul(along, lth_sub(tp, lth_mul(up, 0.5))), 0, 0);
    return lth_metric_ratio_(area, lth_mul(*yes, lth_sum_axis(zeros, 0, 0)), file, line);
}

/* ---- Spearman ---- */

typedef struct lth_spearman_args {
    int64_t capacity LTH_ZERO;
} lth_spearman_args;

typedef struct lth_spearman {
    lth_metric_state state; /* (N, 3): 1, x, y */
} lth_spearman;

static inline lth_spearman lth_spearman_new_(lth_setup *s, const char *name, const lth_spearman_args *a, const char *file, uint32_t line)
{
    lth_spearman m = { { { 0, 0 }, 0, 0, false, { 0 } } };
    if (a->capacity < 1)
        lth_metric_refuse_(s, file, line, "metric '%s': .capacity says how many samples an epoch has at most", name);
    lth_shape shape = { LTH_F64, 2, { a->capacity > 0 ? a->capacity : 1, 3 } };
    m.state = lth_metric_state_new_(s, name, "SpearmanCorrCoef", &shape, file, line);
    return m;
}

/* The place of each element in order, from 1; equal ones share the mean of theirs. x (N, 1) */
static inline lth_tensor lth_ranks_(lth_tensor x, const char *file, uint32_t line)
{
    lth_ties t = lth_ties_of_(x, 0, file, line);
    lth_tensor size = lth_ties_sum_(&t, lth_ones_like(x), file, line);
    lth_tensor middle = lth_sub(lth_cumsum(size, 0), lth_mul(lth_sub(size, 1), 0.5));
    return lth_scatter_along(lth_gather_along(middle, t.group, 0), t.order, 0, lth_dim(x, 0));
}

static inline lth_tensor lth_spearman_update_(lth_spearman *m, lth_step *step, lth_tensor x, lth_tensor y, const char *file, uint32_t line)
{
    if (!lth_metric_ready_(&m->state, step, x, file, line) || !lth_nn_match_("lth_spearman_update", x, y, file, line))
        return lth_none();
    x = lth_cast(lth_reshape(x, -1, 1), LTH_F64);
    const lth_tensor columns[3] = { lth_ones_like(x), x, lth_cast(lth_reshape(y, -1, 1), LTH_F64) };
    lth_tensor all = lth_samples_add_(&m->state, step, lth_concat(columns, 3, 1), file, line);
    lth_tensor live = lth_slice(all, 1, 0, 1), there = lth_ne(live, 0), n = lth_sum(live), away[2];
    for (int i = 0; i < 2; i++) { /* what is not there comes last, and counts nothing */
        lth_tensor rank = lth_ranks_(lth_where(there, lth_slice(all, 1, 1 + i, 2 + i), INFINITY), file, line);
        rank = lth_where(there, rank, 0);
        away[i] = lth_mul(lth_sub(rank, lth_div(lth_sum(rank), n)), live);
    }
    lth_tensor spread = lth_mul(lth_sqrt(lth_sum(lth_square(away[0]))), lth_sqrt(lth_sum(lth_square(away[1]))));
    return lth_minimum(lth_maximum(lth_div(lth_sum(lth_mul(away[0], away[1])), spread), -1.0), 1.0);
}

#pragma pop_macro("LTH_HERE")
/* Spearman's correlation of predictions and targets of one shape: lth_spearman_new(s, "val_spearman", .capacity = 5000). NaN where
 * one of them does not vary (torchmetrics adds 1e-6 to the divisor, which costs digits). */
#define lth_spearman_new(s, name, ...) lth_spearman_new_((s), (name), LTH_REF(lth_spearman_args, __VA_ARGS__), LTH_HERE)
#define lth_spearman_update(m, step, x, y) lth_spearman_update_((m), (step), (x), (y), LTH_HERE)

LTH_END_C
#endif
