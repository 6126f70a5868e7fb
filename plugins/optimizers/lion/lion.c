/* SPDX-License-Identifier: Apache-2.0
 * lion: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2:
 *
 *     c = beta1 m + (1 - beta1) gradient
 *     p = p - lr (sign(c) + weight_decay p)
 *     m = beta2 m + (1 - beta2) gradient */
#include <lthost/optimizer.h>

struct lion {
    double lr, weight_decay;
    lth_float_list betas;
    bool maximize;
    lth_slot exp_avg;
};

static const lth_option options[] = {
    LTH_OPTION(struct lion, lr, "1e-4", "0..", "learning rate: the size of every element's step", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lion, betas, "0.9, 0.99", "[0..1)", "share of the average in the step's direction; decay of the average", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lion, weight_decay, "0", "0..", "each step shrinks the parameter by lr times this", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lion, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct lion *o = self;
    if (o->betas.count != 2)
        return lth_fail(host, LTH_INVALID, "betas wants two numbers, as in 'betas = 0.9, 0.99'; it has %lld", (long long)o->betas.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    ((struct lion *)self)->exp_avg = lth_state_new(s, "exp_avg", 0);
    return LTH_OK;
}

/* m + (1 - beta) (g - m) */
static lth_tensor between(lth_tensor m, lth_tensor g, lth_tensor beta) { return lth_add(m, lth_mul(lth_sub(g, m), lth_sub(1, beta))); }

static lth_status update(void *self, lth_update *u)
{
    const struct lion *o = self;
    lth_tensor p = lth_update_parameter(u), m = lth_update_state(u, o->exp_avg), lr = lth_hyper(u, struct lion, lr);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    lth_tensor direction = lth_sign(between(m, g, lth_hyper_at(u, struct lion, betas, 0)));
    p = lth_sub(p, lth_mul(p, lth_mul(lr, lth_hyper(u, struct lion, weight_decay))));
    lth_update_set_parameter(u, lth_sub(p, lth_mul(direction, lr)));
    lth_update_set(u, o->exp_avg, between(m, g, lth_hyper_at(u, struct lion, betas, 1)));
    return LTH_OK;
}

LTH_OPTIMIZER(lion, .summary = "steps of one size, by the sign of the momentum", .options = LTH_OPTIONS(options), .init = init,
              .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(lion));
