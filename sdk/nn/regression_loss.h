/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/regression_loss.h: losses of numbers: x and target of one shape and type. [main] */
#ifndef LTHOST_NN_REGRESSION_LOSS_H
#define LTHOST_NN_REGRESSION_LOSS_H

#include "reduction.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_loss_args {
    lth_tensor target LTH_ZERO;
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_loss_args;

/* (x - target)^2 */
static inline lth_tensor lth_mse_loss_(lth_tensor x, const lth_loss_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_mse_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    return lth_reduce_loss_(lth_square(lth_sub(x, a->target)), a->reduction, file, line);
}

/* |x - target| */
static inline lth_tensor lth_l1_loss_(lth_tensor x, const lth_loss_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_l1_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    return lth_reduce_loss_(lth_abs(lth_sub(x, a->target)), a->reduction, file, line);
}

typedef struct lth_smooth_l1_args {
    lth_tensor target LTH_ZERO;
    double beta LTH_ZERO; /* default 1; for 0 there is lth_l1_loss */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_smooth_l1_args;

/* With z = |x - target|: z^2 / (2 beta) where z < beta, else z - beta / 2 (Girshick 2015). */
static inline lth_tensor lth_smooth_l1_loss_(lth_tensor x, const lth_smooth_l1_args *a, const char *file, uint32_t line)
{
    const double beta = a->beta != 0 ? a->beta : 1;
    if (!lth_nn_match_("lth_smooth_l1_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (beta < 0)
        return lth_nn_fail_(x, file, line, "lth_smooth_l1_loss: beta must be positive, not %g", beta);
    lth_tensor d = lth_sub(x, a->target), z = lth_abs(d);
    lth_tensor loss = lth_where(lth_lt(z, beta), lth_mul(lth_square(d), 0.5 / beta), lth_sub(z, 0.5 * beta));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_huber_args {
    lth_tensor target LTH_ZERO;
    double delta LTH_ZERO; /* default 1 */
    lth_reduction reduction LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_huber_args;

/* With z = |x - target|: z^2 / 2 where z <= delta, else delta (z - delta / 2) (Huber 1964). */
static inline lth_tensor lth_huber_loss_(lth_tensor x, const lth_huber_args *a, const char *file, uint32_t line)
{
    const double delta = a->delta != 0 ? a->delta : 1;
    if (!lth_nn_match_("lth_huber_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (delta < 0)
        return lth_nn_fail_(x, file, line, "lth_huber_loss: delta must be positive, not %g", delta);
    lth_tensor d = lth_sub(x, a->target), z = lth_abs(d);
    lth_tensor loss = lth_where(lth_le(z, delta), lth_mul(lth_square(d), 0.5), lth_mul(lth_sub(z, 0.5 * delta), delta));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_gaussian_nll_args {
    lth_tensor variance LTH_ZERO; /* predicted, of x's shape */
    double eps LTH_ZERO;          /* default 1e-6: a smaller variance counts as this; its gradient passes all the same */
    lth_reduction reduction LTH_ZERO;
    int32_t full LTH_ZERO;        /* 1: with the constant log(2 pi) / 2 */
} lth_gaussian_nll_args;

/* (log variance + (x - target)^2 / variance) / 2 */
static inline lth_tensor lth_gaussian_nll_loss_(lth_tensor x, lth_tensor target, const lth_gaussian_nll_args *a, const char *file,
                                                uint32_t line)
{
    lth_tensor v = a->variance;
    if (!lth_nn_match_("lth_gaussian_nll_loss", x, target, file, line) || !lth_nn_match_("lth_gaussian_nll_loss", x, v, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    v = lth_nn_unlowered_(v, file, line);
    lth_tensor raised = lth_maximum(v, a->eps > 0 ? a->eps : 1e-6);
    v = lth_add(v, lth_stop_gradient(lth_sub(raised, v))); /* the value raised, the gradient of v */
    lth_tensor loss = lth_mul(lth_add(lth_ln(v), lth_div(lth_square(lth_sub(x, target)), v)), 0.5);
    if (a->full)
        loss = lth_add(loss, 0.91893853320467274178);
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_poisson_nll_args {
    lth_tensor target LTH_ZERO; /* counts, as floating numbers */
    double eps LTH_ZERO;        /* default 1e-8: inside the logarithm of a rate */
    lth_reduction reduction LTH_ZERO;
    int32_t rate LTH_ZERO;      /* 1: x is the rate itself; else its logarithm */
    int32_t full LTH_ZERO;      /* 1: with Stirling's approximation of log(target!), for targets above 1 */
    int32_t reserved LTH_ZERO;
} lth_poisson_nll_args;

/* exp(x) - target x, for x the logarithm of the rate; rate - target log(rate + eps) for the rate itself. */
static inline lth_tensor lth_poisson_nll_loss_(lth_tensor x, const lth_poisson_nll_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_poisson_nll_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    lth_tensor rate = a->rate ? x : lth_exp(x);
    lth_tensor log_rate = a->rate ? lth_ln(lth_add(x, a->eps > 0 ? a->eps : 1e-8)) : x;
    lth_tensor loss = lth_sub(rate, lth_mul(a->target, log_rate));
    if (a->full) { /* t log t - t + log(2 pi t) / 2 */
        lth_tensor many = lth_gt(a->target, 1), t = lth_where(many, a->target, 1), log_t = lth_ln(t);
        lth_tensor stirling = lth_add(lth_sub(lth_mul(t, log_t), t), lth_mul(lth_add(log_t, 1.83787706640934548356), 0.5));
        loss = lth_add(loss, lth_where(many, stirling, 0));
    }
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

#pragma pop_macro("LTH_HERE")
#define lth_mse_loss(x, ...) lth_mse_loss_((x), LTH_REF(lth_loss_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_l1_loss(x, ...) lth_l1_loss_((x), LTH_REF(lth_loss_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_smooth_l1_loss(x, ...) lth_smooth_l1_loss_((x), LTH_REF(lth_smooth_l1_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_huber_loss(x, ...) lth_huber_loss_((x), LTH_REF(lth_huber_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_gaussian_nll_loss(x, target, ...)                                                                            \
    lth_gaussian_nll_loss_((x), (target), LTH_REF(lth_gaussian_nll_args, .variance = __VA_ARGS__), LTH_HERE)
#define lth_poisson_nll_loss(x, ...) lth_poisson_nll_loss_((x), LTH_REF(lth_poisson_nll_args, .target = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
