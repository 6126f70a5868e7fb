/* SPDX-License-Identifier: Apache-2.0
 * nadam: Dozat 2016, "Incorporating Nesterov Momentum into Adam", as torch.optim.NAdam has it:
 *
 *     g = gradient + weight_decay p            decoupled: p = p - lr weight_decay p
 *     mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)         M = mu_1 mu_2 ... mu_t
 *     m = m + (1 - beta1) (g - m)              v = beta2 v + (1 - beta2) g^2
 *     d = sqrt(v / (1 - beta2^t)) + eps
 *     p = p - lr (1 - mu_t) / (1 - M) g / d - lr mu_(t+1) / (1 - M mu_(t+1)) m / d */
#include <lthost/optimizer.h>

struct nadam {
    double lr, eps, weight_decay, momentum_decay;
    lth_float_list betas;
    bool decoupled_weight_decay, maximize;
    lth_slot exp_avg, exp_avg_sq, mu_product, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct nadam, lr, "2e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct nadam, betas, "0.9, 0.999", "[0..1)", "decay of the averages of the gradient and of its square", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct nadam, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct nadam, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct nadam, momentum_decay, "4e-3", "0..", "how fast the momentum grows to beta1", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct nadam, decoupled_weight_decay, "false", NULL, "shrink the parameter itself, as adamw does"),
    LTH_OPTION(struct nadam, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct nadam *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.999'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct nadam *o = self;
    o->exp_avg = lth_state_new(s, "exp_avg", 0);
    o->exp_avg_sq = lth_state_new(s, "exp_avg_sq", 0);
    o->mu_product = lth_number_new(s, "mu_product", 1);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* 1 - beta^t as -expm1(t log beta): the plain form loses half of its digits in f32 while t is small. */
static lth_tensor bias_correction(lth_tensor beta, lth_tensor t) { return lth_neg(lth_expm1(lth_mul(lth_ln(beta), t))); }

/* The parameter after decoupled decay; else what the decay adds goes into *g. */
static lth_tensor decayed(const struct nadam *o, lth_update *u, lth_tensor *g)
{
    lth_tensor p = lth_update_parameter(u), decay = lth_hyper(u, struct nadam, weight_decay);
    if (o->decoupled_weight_decay)
        return lth_sub(p, lth_mul(p, lth_mul(lth_hyper(u, struct nadam, lr), decay)));
    *g = lth_add(*g, lth_mul(p, decay));
    return p;
}

/* beta1 (1 - 0.96^(t decay) / 2) */
static lth_tensor momentum_at(lth_tensor beta1, lth_tensor t, lth_tensor decay)
{
    return lth_mul(beta1, lth_sub(1, lth_mul(lth_exp(lth_mul(lth_mul(t, decay), log(0.96))), 0.5)));
}

static lth_status update(void *self, lth_update *u)
{
    const struct nadam *o = self;
    lth_tensor beta1 = lth_hyper_at(u, struct nadam, betas, 0), beta2 = lth_hyper_at(u, struct nadam, betas, 1);
    lth_tensor lr = lth_hyper(u, struct nadam, lr), decay = lth_hyper(u, struct nadam, momentum_decay);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u), p = decayed(o, u, &g);
    lth_tensor t = lth_add(lth_update_state(u, o->step), 1), m = lth_update_state(u, o->exp_avg), v = lth_update_state(u, o->exp_avg_sq);
    m = lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta1)));
    v = lth_add(lth_mul(v, beta2), lth_mul(lth_square(g), lth_sub(1, beta2)));
    lth_tensor mu = momentum_at(beta1, t, decay), next = momentum_at(beta1, lth_add(t, 1), decay);
    lth_tensor product = lth_mul(lth_update_state(u, o->mu_product), mu);

    lth_tensor d = lth_add(lth_sqrt(lth_div(v, bias_correction(beta2, t))), lth_hyper(u, struct nadam, eps));
    lth_tensor of_g = lth_div(lth_mul(lr, lth_sub(1, mu)), lth_sub(1, product));
    lth_tensor of_m = lth_div(lth_mul(lr, next), lth_sub(1, lth_mul(product, next)));
    lth_update_set_parameter(u, lth_sub(p, lth_div(lth_add(lth_mul(g, of_g), lth_mul(m, of_m)), d)));
    lth_update_set(u, o->exp_avg, m);
    lth_update_set(u, o->exp_avg_sq, v);
    lth_update_set(u, o->mu_product, product);
    lth_update_set(u, o->step, t);
    return LTH_OK;
}

LTH_OPTIMIZER(nadam, .summary = "Adam with Nesterov momentum", .options = LTH_OPTIONS(options), .init = init, .elementwise = 1,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(nadam));
