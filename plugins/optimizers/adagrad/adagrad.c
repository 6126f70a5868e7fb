/* SPDX-License-Identifier: Apache-2.0
 * adagrad: Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", as
 * torch.optim.Adagrad has it:
 *
 *     g = gradient + weight_decay p
 *     s = s + g^2
 *     p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
 *
 * t counts the steps that were taken. */
#include <lthost/optimizer.h>

struct adagrad {
    double lr, lr_decay, weight_decay, initial_accumulator_value, eps;
    bool maximize;
    lth_slot sum, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct adagrad, lr, "1e-2", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adagrad, lr_decay, "0", "0..", "the rate is divided by 1 + this times the steps taken before", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adagrad, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adagrad, initial_accumulator_value, "0", "0..", "what the sum of squares begins with"),
    LTH_OPTION(struct adagrad, eps, "1e-10", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adagrad, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct adagrad *o = self;
    o->sum = lth_state_new(s, "sum", o->initial_accumulator_value);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

static lth_status update(void *self, lth_update *u)
{
    const struct adagrad *o = self;
    lth_tensor p = lth_update_parameter(u), before = lth_update_state(u, o->step);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    g = lth_add(g, lth_mul(p, lth_hyper(u, struct adagrad, weight_decay)));
    lth_tensor sum = lth_add(lth_update_state(u, o->sum), lth_square(g));
    lth_tensor rate = lth_div(lth_hyper(u, struct adagrad, lr), lth_add(lth_mul(before, lth_hyper(u, struct adagrad, lr_decay)), 1));
    lth_tensor divisor = lth_add(lth_sqrt(sum), lth_hyper(u, struct adagrad, eps));
    lth_update_set_parameter(u, lth_sub(p, lth_mul(rate, lth_div(g, divisor))));
    lth_update_set(u, o->sum, sum);
    lth_update_set(u, o->step, lth_add(before, 1));
    return LTH_OK;
}

LTH_OPTIMIZER(adagrad, .summary = "rates that shrink with the sum of squared gradients", .options = LTH_OPTIONS(options),
              .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(adagrad));
