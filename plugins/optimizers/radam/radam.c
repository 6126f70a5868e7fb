/* SPDX-License-Identifier: Apache-2.0
 * radam: Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", as torch.optim.RAdam has it:
 *
 *     g = gradient + weight_decay p            decoupled: p = p - lr weight_decay p
 *     m = m + (1 - beta1) (g - m)              v = beta2 v + (1 - beta2) g^2
 *     R = 2 / (1 - beta2) - 1                  r = R - 2 t beta2^t / (1 - beta2^t)
 *     r > 5: p = p - lr m / (1 - beta1^t) sqrt(1 - beta2^t) / (sqrt(v) + eps)
 *                     sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r))
 *     else:  p = p - lr m / (1 - beta1^t) */
#include <lthost/optimizer.h>

struct radam {
    double lr, eps, weight_decay;
    lth_float_list betas;
    bool decoupled_weight_decay, maximize;
    lth_slot exp_avg, exp_avg_sq, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct radam, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct radam, betas, "0.9, 0.999", "[0..1)", "decay of the averages of the gradient and of its square", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct radam, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct radam, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct radam, decoupled_weight_decay, "false", NULL, "shrink the parameter itself, as adamw does"),
    LTH_OPTION(struct radam, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct radam *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.999'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct radam *o = self;
    o->exp_avg = lth_state_new(s, "exp_avg", 0);
    o->exp_avg_sq = lth_state_new(s, "exp_avg_sq", 0);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* 1 - beta^t as -expm1(t log beta): the plain form loses half of its digits in f32 while t is small. */
static lth_tensor bias_correction(lth_tensor beta, lth_tensor t) { return lth_neg(lth_expm1(lth_mul(lth_ln(beta), t))); }

/* The parameter after decoupled decay; else what the decay adds goes into *g. */
static lth_tensor decayed(const struct radam *o, lth_update *u, lth_tensor *g)
{
    lth_tensor p = lth_update_parameter(u), decay = lth_hyper(u, struct radam, weight_decay);
    if (o->decoupled_weight_decay)
        return lth_sub(p, lth_mul(p, lth_mul(lth_hyper(u, struct radam, lr), decay)));
    *g = lth_add(*g, lth_mul(p, decay));
    return p;
}

/* The rectification, 0 where there are too few squares for one. r is a small difference of great numbers: in f64. */
static lth_tensor rectification(lth_tensor beta2, lth_tensor t)
{
    lth_tensor beta = lth_cast(beta2, LTH_F64), n = lth_cast(t, LTH_F64);
    lth_tensor all = lth_sub(lth_div(2, lth_sub(1, beta)), 1), power = lth_exp(lth_mul(lth_ln(beta), n));
    lth_tensor r = lth_sub(all, lth_div(lth_mul(lth_mul(n, power), 2), bias_correction(beta, n)));
    lth_tensor top = lth_mul(lth_mul(lth_sub(r, 4), lth_sub(r, 2)), all);
    lth_tensor root = lth_sqrt(lth_div(lth_maximum(top, 0), lth_mul(lth_mul(lth_sub(all, 4), lth_sub(all, 2)), r)));
    return lth_cast(lth_where(lth_gt(r, 5), root, lth_mul(r, 0)), lth_dtype_of(t));
}

static lth_status update(void *self, lth_update *u)
{
    const struct radam *o = self;
    lth_tensor beta1 = lth_hyper_at(u, struct radam, betas, 0), beta2 = lth_hyper_at(u, struct radam, betas, 1);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u), p = decayed(o, u, &g);
    lth_tensor t = lth_add(lth_update_state(u, o->step), 1), m = lth_update_state(u, o->exp_avg), v = lth_update_state(u, o->exp_avg_sq);
    m = lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta1)));
    v = lth_add(lth_mul(v, beta2), lth_mul(lth_square(g), lth_sub(1, beta2)));
    lth_tensor rectified = rectification(beta2, t), scale = lth_mul(lth_sqrt(bias_correction(beta2, t)), rectified);
    lth_tensor adapted = lth_div(scale, lth_add(lth_sqrt(v), lth_hyper(u, struct radam, eps)));
    lth_tensor factor = lth_where(lth_gt(rectified, 0), adapted, 1);
    lth_tensor step = lth_mul(lth_mul(m, lth_div(lth_hyper(u, struct radam, lr), bias_correction(beta1, t))), factor);
    lth_update_set_parameter(u, lth_sub(p, step));
    lth_update_set(u, o->exp_avg, m);
    lth_update_set(u, o->exp_avg_sq, v);
    lth_update_set(u, o->step, t);
    return LTH_OK;
}

LTH_OPTIMIZER(radam, .summary = "Adam that waits until its variance is known", .options = LTH_OPTIONS(options), .init = init,
              .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(radam));
