/* SPDX-License-Identifier: Apache-2.0
 * lars: You, Gitman & Ginsburg 2017, "Large Batch Training of Convolutional Networks", for each parameter as a whole:
 *
 *     d = gradient + weight_decay p
 *     r = trust_coefficient |p| / (|gradient| + weight_decay |p| + eps)       1 where |p| or |gradient| is 0
 *     b = momentum b + r d
 *     p = p - lr b                             nesterov: p - lr (r d + momentum b)
 *
 * The paper keeps lr inside the momentum; here it is outside as in torch's SGD, which is the same while lr does not change. */
#include <lthost/optimizer.h>

struct lars {
    double lr, momentum, weight_decay, trust_coefficient, eps;
    bool nesterov, maximize;
    lth_slot momentum_buffer;
};

static const lth_option options[] = {
    LTH_OPTION(struct lars, lr, "0.1", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lars, momentum, "0.9", "0..", "share of the last step's direction that is kept; 0: no momentum", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lars, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lars, trust_coefficient, "1e-3", "0..", "a step's size in parts of the parameter's", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lars, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct lars, nesterov, "false", NULL, "look ahead by one step of momentum; needs momentum > 0"),
    LTH_OPTION(struct lars, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct lars *o = self;
    if (o->nesterov && o->momentum <= 0)
        return lth_fail(host, LTH_INVALID, "nesterov = true needs momentum > 0; it is %g", o->momentum);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct lars *o = self;
    if (o->momentum != 0)
        o->momentum_buffer = lth_state_new(s, "momentum_buffer", 0);
    return LTH_OK;
}

static lth_tensor norm(lth_tensor x) { return lth_sqrt(lth_sum(lth_square(x))); }

static lth_tensor trust_ratio(lth_update *u, lth_tensor p, lth_tensor g)
{
    lth_tensor a = norm(p), b = norm(g), both = lth_and(lth_gt(a, 0), lth_gt(b, 0));
    lth_tensor divisor = lth_add(lth_add(b, lth_mul(a, lth_hyper(u, struct lars, weight_decay))), lth_hyper(u, struct lars, eps));
    return lth_where(both, lth_div(lth_mul(a, lth_hyper(u, struct lars, trust_coefficient)), lth_where(both, divisor, 1)), 1);
}

static lth_status update(void *self, lth_update *u)
{
    const struct lars *o = self;
    lth_tensor p = lth_update_parameter(u), g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    lth_tensor d = lth_mul(lth_add(g, lth_mul(p, lth_hyper(u, struct lars, weight_decay))), trust_ratio(u, p, g));
    if (o->momentum_buffer.id) {
        lth_tensor momentum = lth_hyper(u, struct lars, momentum);
        lth_tensor b = lth_add(lth_mul(lth_update_state(u, o->momentum_buffer), momentum), d);
        lth_update_set(u, o->momentum_buffer, b);
        d = o->nesterov ? lth_add(d, lth_mul(b, momentum)) : b;
    }
    lth_update_set_parameter(u, lth_sub(p, lth_mul(d, lth_hyper(u, struct lars, lr))));
    return LTH_OK;
}

LTH_OPTIMIZER(lars, .summary = "SGD with a rate for each layer, for large batches", .options = LTH_OPTIONS(options), .init = init,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(lars));
