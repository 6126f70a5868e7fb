/* SPDX-License-Identifier: Apache-2.0
 * lamb: You et al. 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", algorithm 2, for each
 * parameter as a whole:
 *
 *     m = m + (1 - beta1) (gradient - m)       v = beta2 v + (1 - beta2) gradient^2
 *     u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
 *     p = p - lr |p| / |u| u                   the ratio is 1 where either norm is 0 */
#include <lthost/optimizer.h>

struct lamb {
    double lr, eps, weight_decay;
    lth_float_list betas;
    bool bias_correction, maximize;
    lth_slot exp_avg, exp_avg_sq, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct lamb, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lamb, betas, "0.9, 0.999", "[0..1)", "decay of the averages of the gradient and of its square", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lamb, eps, "1e-6", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lamb, weight_decay, "1e-2", "0..", "this times the parameter joins the step's direction", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lamb, bias_correction, "true", NULL, "divide the averages by what they lack in the first steps"),
    LTH_OPTION(struct lamb, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct lamb *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.999'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct lamb *o = self;
    o->exp_avg = lth_state_new(s, "exp_avg", 0);
    o->exp_avg_sq = lth_state_new(s, "exp_avg_sq", 0);
    if (o->bias_correction)
        o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* 1 - beta^t as -expm1(t log beta): the plain form loses half of its digits in f32 while t is small. */
static lth_tensor bias_correction(lth_tensor beta, lth_tensor t) { return lth_neg(lth_expm1(lth_mul(lth_ln(beta), t))); }

static lth_tensor norm(lth_tensor x) { return lth_sqrt(lth_sum(lth_square(x))); }

/* |p| / |u|; 1 where either is 0. */
static lth_tensor trust_ratio(lth_tensor p, lth_tensor u)
{
    lth_tensor a = norm(p), b = norm(u), both = lth_and(lth_gt(a, 0), lth_gt(b, 0));
    return lth_where(both, lth_div(a, lth_where(both, b, 1)), 1);
}

static lth_status update(void *self, lth_update *u)
{
    const struct lamb *o = self;
    lth_tensor beta1 = lth_hyper_at(u, struct lamb, betas, 0), beta2 = lth_hyper_at(u, struct lamb, betas, 1);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u), p = lth_update_parameter(u);
    lth_tensor m = lth_update_state(u, o->exp_avg), v = lth_update_state(u, o->exp_avg_sq);
    m = lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta1)));
    v = lth_add(lth_mul(v, beta2), lth_mul(lth_square(g), lth_sub(1, beta2)));
    lth_update_set(u, o->exp_avg, m);
    lth_update_set(u, o->exp_avg_sq, v);
    if (o->bias_correction) {
        lth_tensor t = lth_add(lth_update_state(u, o->step), 1);
        m = lth_div(m, bias_correction(beta1, t));
        v = lth_div(v, bias_correction(beta2, t));
        lth_update_set(u, o->step, t);
    }
    lth_tensor step = lth_div(m, lth_add(lth_sqrt(v), lth_hyper(u, struct lamb, eps)));
    step = lth_add(step, lth_mul(p, lth_hyper(u, struct lamb, weight_decay)));
    lth_update_set_parameter(u, lth_sub(p, lth_mul(step, lth_mul(lth_hyper(u, struct lamb, lr), trust_ratio(p, step)))));
    return LTH_OK;
}

LTH_OPTIMIZER(lamb, .summary = "Adam with a rate for each layer, for large batches", .options = LTH_OPTIONS(options), .init = init,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(lamb));
