/* SPDX-License-Identifier: Apache-2.0
 * adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", as torch.optim.Adam has it:
 *
 *     g = gradient + weight_decay p
 *     m = m + (1 - beta1) (g - m)              v = beta2 v + (1 - beta2) g^2
 *     p = p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * amsgrad (Reddi et al. 2018) divides by the greatest v so far. t counts the steps that were taken; it is state, so that a
 * step that was skipped does not count. */
#include <lthost/optimizer.h>

struct adam {
    double lr, eps, weight_decay;
    lth_float_list betas;
    bool amsgrad;
    lth_slot exp_avg, exp_avg_sq, max_exp_avg_sq, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct adam, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, betas, "0.9, 0.999", "[0..1)", "decay of the averages of the gradient and of its square", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, weight_decay, "0", "0..", "adds this times the parameter to its gradient (adamw decays apart)",
               .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, amsgrad, "false", NULL, "divide by the greatest average of squares so far"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct adam *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.999'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct adam *o = self;
    o->exp_avg = lth_state_new(s, "exp_avg", 0);
    o->exp_avg_sq = lth_state_new(s, "exp_avg_sq", 0);
    if (o->amsgrad)
        o->max_exp_avg_sq = lth_state_new(s, "max_exp_avg_sq", 0);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* 1 - beta^t as -expm1(t log beta): the plain form loses half of its digits in f32 while t is small. */
static lth_tensor bias_correction(lth_tensor beta, lth_tensor t) { return lth_neg(lth_expm1(lth_mul(lth_ln(beta), t))); }

static lth_status update(void *self, lth_update *u)
{
    const struct adam *o = self;
    lth_tensor beta1 = lth_hyper_at(u, struct adam, betas, 0), beta2 = lth_hyper_at(u, struct adam, betas, 1);
    lth_tensor t = lth_add(lth_update_state(u, o->step), 1), p = lth_update_parameter(u);
    lth_tensor g = lth_add(lth_update_gradient(u), lth_mul(p, lth_hyper(u, struct adam, weight_decay)));

    lth_tensor m = lth_update_state(u, o->exp_avg);
    m = lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta1)));
    lth_tensor v = lth_mul(lth_update_state(u, o->exp_avg_sq), beta2);
    v = lth_add(v, lth_mul(lth_square(g), lth_sub(1, beta2)));
    lth_tensor largest = o->amsgrad ? lth_maximum(lth_update_state(u, o->max_exp_avg_sq), v) : v;

    lth_tensor root = lth_div(lth_sqrt(largest), lth_sqrt(bias_correction(beta2, t)));
    lth_tensor rate = lth_div(lth_hyper(u, struct adam, lr), bias_correction(beta1, t));
    lth_tensor step = lth_div(lth_mul(m, rate), lth_add(root, lth_hyper(u, struct adam, eps)));

    lth_update_set_parameter(u, lth_sub(p, step));
    lth_update_set(u, o->exp_avg, m);
    lth_update_set(u, o->exp_avg_sq, v);
    if (o->amsgrad)
        lth_update_set(u, o->max_exp_avg_sq, largest);
    lth_update_set(u, o->step, t);
    return LTH_OK;
}

LTH_OPTIMIZER(adam, .summary = "Adam: steps scaled by running averages of the gradient and its square", .options = LTH_OPTIONS(options),
              .init = init, .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(adam));
