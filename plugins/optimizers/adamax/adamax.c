/* SPDX-License-Identifier: Apache-2.0
 * adamax: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", section 7.1, as torch.optim.Adamax has it:
 *
 *     g = gradient + weight_decay p
 *     m = m + (1 - beta1) (g - m)              u = max(beta2 u, |g| + eps)
 *     p = p - lr / (1 - beta1^t) m / u */
#include <lthost/optimizer.h>

struct adamax {
    double lr, eps, weight_decay;
    lth_float_list betas;
    bool maximize;
    lth_slot exp_avg, exp_inf, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct adamax, lr, "2e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adamax, betas, "0.9, 0.999", "[0..1)", "decay of the average gradient and of its greatest size", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adamax, eps, "1e-8", "0..", "added to the size of the gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adamax, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adamax, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct adamax *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.999'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct adamax *o = self;
    o->exp_avg = lth_state_new(s, "exp_avg", 0);
    o->exp_inf = lth_state_new(s, "exp_inf", 0);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* 1 - beta^t as -expm1(t log beta): the plain form loses half of its digits in f32 while t is small. */
static lth_tensor bias_correction(lth_tensor beta, lth_tensor t) { return lth_neg(lth_expm1(lth_mul(lth_ln(beta), t))); }

static lth_status update(void *self, lth_update *u)
{
    const struct adamax *o = self;
    lth_tensor beta1 = lth_hyper_at(u, struct adamax, betas, 0), beta2 = lth_hyper_at(u, struct adamax, betas, 1);
    lth_tensor p = lth_update_parameter(u), t = lth_add(lth_update_state(u, o->step), 1), m = lth_update_state(u, o->exp_avg);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    g = lth_add(g, lth_mul(p, lth_hyper(u, struct adamax, weight_decay)));
    m = lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta1)));
    lth_tensor size = lth_add(lth_abs(g), lth_hyper(u, struct adamax, eps));
    lth_tensor greatest = lth_maximum(lth_mul(lth_update_state(u, o->exp_inf), beta2), size);
    lth_tensor rate = lth_div(lth_hyper(u, struct adamax, lr), bias_correction(beta1, t));
    lth_update_set_parameter(u, lth_sub(p, lth_div(lth_mul(m, rate), greatest)));
    lth_update_set(u, o->exp_avg, m);
    lth_update_set(u, o->exp_inf, greatest);
    lth_update_set(u, o->step, t);
    return LTH_OK;
}

LTH_OPTIMIZER(adamax, .summary = "Adam by the greatest gradient instead of the mean square", .options = LTH_OPTIONS(options),
              .init = init, .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(adamax));
