/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/mean_metric.h: means, sums, least and greatest values over an epoch (metric_state.h), and what is a mean of
 * something: perplexity, KL divergence, cosine similarity, hinge. [main]
 *
 *     m->kl = lth_mean_metric_new(s, "val_kl");
 *     lth_log(step, "val_kl", lth_mean_metric_update(&m->kl, step, lth_kl_divergence(p, q)), .reduce = LTH_REDUCE_LAST);
 *
 * A value that is not a number makes the epoch's one. */
#ifndef LTHOST_NN_MEAN_METRIC_H
#define LTHOST_NN_MEAN_METRIC_H

#include "classification_loss.h"
#include "metric_state.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_mean_metric {
    lth_metric_state state; /* (2), f64: sum of weight times value, sum of weights; or (2) of the extreme twice */
    lth_reduce_fx reduce;
    uint32_t reserved;
} lth_mean_metric;

typedef struct lth_mean_metric_args {
    const char *name LTH_ZERO;
    lth_reduce_fx reduce LTH_ZERO; /* LTH_REDUCE_MEAN (the default), SUM, MIN, MAX */
    uint32_t reserved LTH_ZERO;
} lth_mean_metric_args;

static inline lth_mean_metric lth_mean_metric_new_(lth_setup *s, const lth_mean_metric_args *a, const char *file, uint32_t line)
{
    static const char *const types[] = { "MeanMetric", "SumMetric", "MinMetric", "MaxMetric" };
    lth_mean_metric m = { { { 0, 0 }, 0, 0, false, { 0 } }, a->reduce, 0 };
    if (a->reduce > LTH_REDUCE_MAX) {
        lth_metric_refuse_(s, file, line, "metric '%s': reduce must be LTH_REDUCE_MEAN, SUM, MIN or MAX", a->name);
        return m;
    }
    lth_shape shape = { LTH_F64, 1, { 2 } };
    m.state = lth_metric_state_new_(s, a->name, types[a->reduce], &shape, file, line);
    return m;
}

typedef struct lth_mean_update_args {
    lth_tensor value LTH_ZERO;  /* any shape and type */
    lth_tensor weight LTH_ZERO; /* of each value, or broadcast to them; of means and sums */
} lth_mean_update_args;

/* The state (2) with the sums, or the extreme, of this batch taken in. */
static inline lth_tensor lth_mean_gather_(lth_mean_metric *m, lth_step *step, const lth_mean_update_args *a, const char *file, uint32_t line)
{
    lth_tensor x = lth_flatten(lth_cast(a->value, LTH_F64), 0);
    if (m->reduce == LTH_REDUCE_MIN || m->reduce == LTH_REDUCE_MAX) {
        lth_tensor best = m->reduce == LTH_REDUCE_MIN ? lth_min(x) : lth_max(x), before = lth_buffer_value(x, m->state.buffer);
        best = lth_expand(best, 2);
        lth_tensor both = m->reduce == LTH_REDUCE_MIN ? lth_minimum(before, best) : lth_maximum(before, best);
        both = lth_where(lth_metric_first_(&m->state, step, file, line), best, both);
        lth_assign(m->state.buffer, both);
        return both;
    }
    lth_shape s = *lth_shape_of(x);
    lth_tensor weight = a->weight.trace ? lth_flatten(lth_expand_to(lth_cast(a->weight, LTH_F64), lth_shape_of(a->value)), 0)
                                        : lth_add(lth_mul(lth_iota(x, &s, 0), 0.0), 1.0);
    const lth_tensor parts[2] = { lth_reshape(lth_sum(lth_mul(x, weight)), 1), lth_reshape(lth_sum(weight), 1) };
    return lth_metric_add_(&m->state, step, lth_concat(parts, 2, 0), file, line);
}

static inline lth_tensor lth_mean_metric_update_(lth_mean_metric *m, lth_step *step, const lth_mean_update_args *a, const char *file,
                                                 uint32_t line)
{
    if (!lth_metric_ready_(&m->state, step, a->value, file, line))
        return lth_none();
    if (a->weight.trace && m->reduce > LTH_REDUCE_SUM)
        return lth_nn_fail_(a->value, file, line, "a least or greatest value has no weight");
    lth_tensor state = lth_mean_gather_(m, step, a, file, line), first = lth_metric_row_(state, 0, file, line);
    return m->reduce == LTH_REDUCE_MEAN ? lth_div(first, lth_metric_row_(state, 1, file, line)) : first;
}

/* exp of the mean cross-entropy of the tokens: logits (..., V), target (...), i32 or i64; those equal to ignore_index do not
 * count. m: of lth_mean_metric_new. */
static inline lth_tensor lth_perplexity_update_(lth_mean_metric *m, lth_step *step, lth_tensor logits, const lth_nll_args *a, const char *file,
                                                uint32_t line)
{
    lth_shape s = *lth_shape_of(logits);
    s.rank -= s.rank > 0;
    if (!logits.trace || !a->target.trace)
        return lth_none();
    if (lth_count(a->target) != lth_shape_count(&s) || lth_rank(a->target) != s.rank || a->weight.trace)
        return lth_nn_fail_(logits, file, line, "lth_perplexity_update takes logits (..., V) and one class (...) each, without weights; got %s "
                            "and %s", lth_shape_text_(logits).at, lth_shape_text_(a->target).at);
    lth_tensor target = lth_flatten(a->target, 0), x = lth_reshape(lth_cast(logits, LTH_F64), -1, lth_dim(logits, -1));
    lth_tensor loss = lth_cross_entropy(x, target, .reduction = LTH_REDUCTION_NONE, .ignore = a->ignore, .ignore_index = a->ignore_index);
    lth_tensor keep = a->ignore ? lth_ne(target, (double)a->ignore_index) : lth_none();
    const lth_mean_update_args values = { loss, keep };
    return lth_exp(lth_mean_metric_update_(m, step, &values, file, line));
}

/* p, q (N, d), probabilities up to a factor -> (N): sum p log(p / q), 0 where p is 0. */
static inline lth_tensor lth_kl_divergence_(lth_tensor p, lth_tensor q, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_kl_divergence", p, q, file, line))
        return p;
    p = lth_div(p, lth_sum_axis(p, -1, 1));
    q = lth_div(q, lth_sum_axis(q, -1, 1));
    lth_tensor zero = lth_eq(p, 0);
    return lth_sum_axis(lth_where(zero, 0, lth_mul(p, lth_ln(lth_div(lth_where(zero, 1, p), q)))), -1, 0);
}

/* The hinge of each sample (Crammer & Singer 2001): max(0, 1 - x[target] + the greatest other x). x (N, C) -> (N). torchmetrics
 * hands probabilities to it: lth_softmax(logits, -1). */
static inline lth_tensor lth_hinge_scores_(lth_tensor x, lth_tensor target, const char *file, uint32_t line)
{
    if (!lth_class_shapes_("lth_hinge_scores", x, target, file, line))
        return x;
    if (lth_rank(x) != 2)
        return lth_nn_fail_(x, file, line, "lth_hinge_scores takes (N, C), not %s", lth_shape_text_(x).at);
    lth_shape s = { LTH_I64, 2, { lth_dim(x, 0), lth_dim(x, 1) } };
    lth_tensor y = lth_cast(lth_reshape(target, -1, 1), LTH_I64), own = lth_reshape(lth_gather_along(x, y, 1), -1);
    lth_tensor rival = lth_max_axis(lth_where(lth_eq(lth_iota(x, &s, 1), y), -INFINITY, x), 1, 0);
    return lth_relu(lth_add(lth_sub(rival, own), 1));
}

#pragma pop_macro("LTH_HERE")
/* lth_mean_metric_new(s, "val_margin"); options follow: .reduce = LTH_REDUCE_MAX */
#define lth_mean_metric_new(s, ...) lth_mean_metric_new_((s), LTH_REF(lth_mean_metric_args, .name = __VA_ARGS__), LTH_HERE)
/* lth_mean_metric_update(&m->margin, step, values); options follow: .weight */
#define lth_mean_metric_update(m, step, ...)                                                                             \
    lth_mean_metric_update_((m), (step), LTH_REF(lth_mean_update_args, .value = __VA_ARGS__), LTH_HERE)
/* lth_perplexity_update(&m->perplexity, step, logits, target); options follow: .ignore = 1, .ignore_index = -100 */
#define lth_perplexity_update(m, step, logits, ...)                                                                      \
    lth_perplexity_update_((m), (step), (logits), LTH_REF(lth_nll_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_kl_divergence(p, q) lth_kl_divergence_((p), (q), LTH_HERE)
#define lth_hinge_scores(x, target) lth_hinge_scores_((x), (target), LTH_HERE)

LTH_END_C
#endif
