/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/regression_metric.h: errors and scores of predicted numbers over an epoch (metric_state.h), as torchmetrics. [main]
 *
 *     m->rmse = lth_rmse_new(s, "val_rmse", 1)     all elements of prediction and target alike
 *     m->r2 = lth_r2_new(s, "val_r2", K)           each of the K columns of (N, K) by itself */
#ifndef LTHOST_NN_REGRESSION_METRIC_H
#define LTHOST_NN_REGRESSION_METRIC_H

#include "metric_state.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* e = prediction - target. Means over the samples so far; then what is made of means and squared deviations. */
typedef uint32_t lth_regression_measure;
enum {
    LTH_MEASURE_MAE = 0,      /* |e| */
    LTH_MEASURE_MSE = 1,      /* e^2 */
    LTH_MEASURE_RMSE = 2,     /* the root of that mean */
    LTH_MEASURE_MAPE = 3,     /* |e| / max(|target|, 1.17e-6) */
    LTH_MEASURE_SMAPE = 4,    /* 2 |e| / max(|prediction| + |target|, 1.17e-6) */
    LTH_MEASURE_MSLE = 5,     /* (log(1 + prediction) - log(1 + target))^2 */
    LTH_MEASURE_LOG_COSH = 6, /* log cosh e */
    LTH_MEASURE_R2 = 16,      /* 1 - sum e^2 / sum (target - mean)^2 */
    LTH_MEASURE_EXPLAINED_VARIANCE = 17, /* 1 - var e / var target */
    LTH_MEASURE_PEARSON = 18  /* correlation of prediction and target; NaN where one of them does not vary */
};

/* What R2 and explained variance make of K columns. */
typedef uint32_t lth_multioutput;
enum {
    LTH_MULTIOUTPUT_UNIFORM = 0,  /* the mean over the columns -> rank 0 */
    LTH_MULTIOUTPUT_RAW = 1,      /* -> (K) */
    LTH_MULTIOUTPUT_VARIANCE = 2  /* weighted by the variance of the targets -> rank 0 */
};

typedef struct lth_regression_metric_args {
    int64_t outputs LTH_ZERO;
    lth_multioutput multioutput LTH_ZERO; /* of R2 and explained variance; all others give (K) of K > 1 columns */
    uint32_t reserved LTH_ZERO;
} lth_regression_metric_args;

typedef struct lth_regression_metric {
    lth_metric_state state; /* f64: (2, K) of sum and count, or (6, K) of moments */
    lth_regression_metric_args as;
    lth_regression_measure measure;
    uint32_t reserved;
} lth_regression_metric;

static inline lth_regression_metric lth_regression_metric_new_(lth_setup *s, const char *name, const char *type, lth_regression_measure measure,
                                                               const lth_regression_metric_args *a, const char *file, uint32_t line)
{
    const bool scored = measure == LTH_MEASURE_R2 || measure == LTH_MEASURE_EXPLAINED_VARIANCE;
    lth_regression_metric m = { { { 0, 0 }, 0, 0, false, { 0 } }, *a, measure, 0 };
    if (a->outputs < 1 || a->multioutput > LTH_MULTIOUTPUT_VARIANCE || (a->multioutput && !scored))
        lth_metric_refuse_(s, file, line, "metric '%s': outputs (%lld) must be at least 1, and .multioutput is for R2 and explained variance",
                           name, (long long)a->outputs);
    lth_shape shape = { LTH_F64, 2, { measure >= LTH_MEASURE_R2 ? 6 : 2, a->outputs > 0 ? a->outputs : 1 } };
    m.state = lth_metric_state_new_(s, name, type, &shape, file, line);
    return m;
}

/* The term of each element of x and y, f64. */
static inline lth_tensor lth_regression_term_(lth_regression_measure measure, lth_tensor x, lth_tensor y, const char *file, uint32_t line)
{
    lth_tensor e = lth_sub(x, y), size = lth_abs(e);
    switch (measure) {
    case LTH_MEASURE_MAE: return size;
    case LTH_MEASURE_MAPE: return lth_div(size, lth_maximum(lth_abs(y), 1.17e-6));
    case LTH_MEASURE_SMAPE: return lth_div(lth_mul(size, 2.0), lth_maximum(lth_add(lth_abs(x), lth_abs(y)), 1.17e-6));
    case LTH_MEASURE_MSLE: return lth_square(lth_sub(lth_log1p(x), lth_log1p(y)));
    case LTH_MEASURE_LOG_COSH: /* |e| + log(1 + exp(-2 |e|)) - log 2 */
        return lth_sub(lth_add(size, lth_softplus(lth_mul(size, -2.0))), 0.69314718055994530942);
    default: return lth_square(e);
    }
}

/* ---- Moments: rows n, mean x, mean y, sums of squared deviations of x and y, and of their product ---- */

static inline lth_tensor lth_moments_of_(lth_tensor x, lth_tensor y, const char *file, uint32_t line)
{
    lth_tensor mx = lth_mean_axis(x, 0, 1), my = lth_mean_axis(y, 0, 1), dx = lth_sub(x, mx), dy = lth_sub(y, my);
    lth_shape k = { LTH_F64, 1, { lth_dim(x, 1) } };
    const lth_tensor rows[6] = { lth_add(lth_mul(lth_iota(x, &k, 0), 0.0), (double)lth_dim(x, 0)), lth_reshape_to(mx, &k),
                                 lth_reshape_to(my, &k), lth_sum_axis(lth_square(dx), 0, 0), lth_sum_axis(lth_square(dy), 0, 0),
                                 lth_sum_axis(lth_mul(dx, dy), 0, 0) };
    return lth_metric_stack_(rows, 6, file, line);
}

/* The moments of both together (Chan, Golub, LeVeque 1983): exact where means are great and variances small. b is not empty. */
static inline lth_tensor lth_moments_join_(lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    lth_tensor x[6], y[6];
    for (int i = 0; i < 6; i++) {
        x[i] = lth_metric_row_(a, i, file, line);
        y[i] = lth_metric_row_(b, i, file, line);
    }
    lth_tensor n = lth_add(x[0], y[0]), share = lth_div(y[0], n), both = lth_mul(x[0], share); /* n_a n_b / n */
    lth_tensor dx = lth_sub(y[1], x[1]), dy = lth_sub(y[2], x[2]);
    const lth_tensor rows[6] = { n, lth_add(x[1], lth_mul(dx, share)), lth_add(x[2], lth_mul(dy, share)),
                                 lth_add(lth_add(x[3], y[3]), lth_mul(both, lth_square(dx))),
                                 lth_add(lth_add(x[4], y[4]), lth_mul(both, lth_square(dy))),
                                 lth_add(lth_add(x[5], y[5]), lth_mul(both, lth_mul(dx, dy))) };
    return lth_metric_stack_(rows, 6, file, line);
}

static inline lth_tensor lth_moments_value_(const lth_regression_metric *m, lth_tensor state, const char *file, uint32_t line)
{
    lth_tensor at[6];
    for (int i = 0; i < 6; i++)
        at[i] = lth_metric_row_(state, i, file, line);
    lth_tensor of_target = at[4];
    if (m->measure == LTH_MEASURE_PEARSON) {
        lth_tensor r = lth_div(at[5], lth_mul(lth_sqrt(at[3]), lth_sqrt(of_target)));
        r = lth_maximum(lth_minimum(r, 1.0), -1.0);
        return m->as.outputs == 1 ? lth_sum(r) : r;
    }
    /* sum (e - mean e)^2 = sum of deviations of x - y */
    lth_tensor of_error = lth_sub(lth_add(at[3], of_target), lth_mul(at[5], 2.0));
    if (m->measure == LTH_MEASURE_R2)
        of_error = lth_add(of_error, lth_mul(at[0], lth_square(lth_sub(at[1], at[2]))));
    const double little = m->measure == LTH_MEASURE_R2 ? 1e-4 : 0; /* torchmetrics: what counts as constant */
    lth_tensor none = lth_le(of_error, little), flat = lth_le(of_target, little);
    lth_tensor score = lth_sub(1, lth_metric_ratio_(of_error, of_target, file, line));
    score = lth_where(none, 1, lth_where(flat, 0, score));
    if (m->as.outputs == 1)
        return lth_sum(score);
    if (m->as.multioutput == LTH_MULTIOUTPUT_RAW)
        return score;
    return m->as.multioutput == LTH_MULTIOUTPUT_UNIFORM ? lth_mean(score) : lth_div(lth_sum(lth_mul(of_target, score)), lth_sum(of_target));
}

/* ---- Updating ---- */

static inline lth_tensor lth_regression_metric_update_(lth_regression_metric *m, lth_step *step, lth_tensor x, lth_tensor y, const char *file,
                                                       uint32_t line)
{
    const int64_t K = m->as.outputs;
    if (!lth_metric_ready_(&m->state, step, x, file, line) || !lth_nn_match_("a metric", x, y, file, line))
        return lth_none();
    if (K > 1 && (lth_rank(x) != 2 || lth_dim(x, 1) != K))
        return lth_nn_fail_(x, file, line, "a metric of %lld outputs takes (N, %lld), not %s", (long long)K, (long long)K, lth_shape_text_(x).at);
    x = lth_reshape(lth_cast(x, LTH_F64), -1, K);
    y = lth_reshape(lth_cast(y, LTH_F64), -1, K);
    if (m->measure >= LTH_MEASURE_R2) {
        lth_tensor state = lth_metric_before_(&m->state, step, x, file, line);
        state = lth_moments_join_(state, lth_moments_of_(x, y, file, line), file, line);
        lth_assign(m->state.buffer, state);
        return lth_moments_value_(m, state, file, line);
    }
    lth_tensor sum = lth_sum_axis(lth_regression_term_(m->measure, x, y, file, line), 0, 0);
    const lth_tensor rows[2] = { sum, lth_add(lth_mul(lth_iota(sum, lth_shape_of(sum), 0), 0.0), (double)lth_dim(x, 0)) };
    lth_tensor state = lth_metric_add_(&m->state, step, lth_metric_stack_(rows, 2, file, line), file, line);
    lth_tensor mean = lth_div(lth_metric_row_(state, 0, file, line), lth_metric_row_(state, 1, file, line));
    mean = m->measure == LTH_MEASURE_RMSE ? lth_sqrt(mean) : mean;
    return K == 1 ? lth_sum(mean) : mean;
}

#pragma pop_macro("LTH_HERE")
#define LTH_REGRESSION_METRIC_(s, name, type, measure, ...)                                                              \
    lth_regression_metric_new_((s), (name), (type), (measure), LTH_REF(lth_regression_metric_args, .outputs = __VA_ARGS__), LTH_HERE)
#define lth_mae_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "MeanAbsoluteError", LTH_MEASURE_MAE, __VA_ARGS__)
#define lth_mse_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "MeanSquaredError", LTH_MEASURE_MSE, __VA_ARGS__)
#define lth_rmse_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "RootMeanSquaredError", LTH_MEASURE_RMSE, __VA_ARGS__)
#define lth_mape_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "MeanAbsolutePercentageError", LTH_MEASURE_MAPE, __VA_ARGS__)
#define lth_smape_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "SymmetricMeanAbsolutePercentageError", LTH_MEASURE_SMAPE, __VA_ARGS__)
#define lth_msle_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "MeanSquaredLogError", LTH_MEASURE_MSLE, __VA_ARGS__)
#define lth_log_cosh_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "LogCoshError", LTH_MEASURE_LOG_COSH, __VA_ARGS__)
#define lth_r2_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "R2Score", LTH_MEASURE_R2, __VA_ARGS__)
#define lth_explained_variance_new(s, name, ...)                                                                         \
    LTH_REGRESSION_METRIC_(s, name, "ExplainedVariance", LTH_MEASURE_EXPLAINED_VARIANCE, __VA_ARGS__)
#define lth_pearson_new(s, name, ...) LTH_REGRESSION_METRIC_(s, name, "PearsonCorrCoef", LTH_MEASURE_PEARSON, __VA_ARGS__)
/* The measure over all batches of the epoch so far, f64. prediction and target of one shape. */
#define lth_regression_metric_update(m, step, prediction, target)                                                        \
    lth_regression_metric_update_((m), (step), (prediction), (target), LTH_HERE)

LTH_END_C
#endif
