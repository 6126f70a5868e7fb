/* SPDX-License-Identifier: Apache-2.0
 * sgd: stochastic gradient descent, with momentum after Polyak or Nesterov as torch.optim.SGD has it:
 *
 *     g = gradient + weight_decay p
 *     b = momentum b + (1 - dampening) g       the first step: b = g
 *     p = p - lr b                             nesterov: p - lr (g + momentum b)
 *
 * Without momentum there is no buffer and p = p - lr g. Whether there is one is settled when the run starts: a momentum
 * of 0 stays 0, any other may be scheduled. */
#include <lthost/optimizer.h>

struct sgd {
    double lr, momentum, dampening, weight_decay;
    bool nesterov;
    lth_slot momentum_buffer;
    lth_slot step; /* taken so far; only kept for dampening, which the first step goes without */
};

static const lth_option options[] = {
    LTH_OPTION(struct sgd, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct sgd, momentum, "0", "0..", "share of the last step's direction that is kept; 0: no momentum", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct sgd, dampening, "0", NULL, "share of the gradient that momentum leaves out"),
    LTH_OPTION(struct sgd, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct sgd, nesterov, "false", NULL, "look ahead by one step of momentum; needs momentum > 0 and dampening = 0"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct sgd *o = self;
    if (o->nesterov && (o->momentum <= 0 || o->dampening != 0))
        return lth_fail(host, LTH_INVALID, "nesterov = true needs momentum > 0 and dampening = 0; they are %g and %g", o->momentum,
                        o->dampening);
    if (o->dampening != 0 && o->momentum == 0)
        return lth_fail(host, LTH_INVALID, "dampening = %g has no effect without momentum", o->dampening);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct sgd *o = self;
    if (o->momentum != 0)
        o->momentum_buffer = lth_state_new(s, "momentum_buffer", 0);
    if (o->dampening != 0)
        o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* The buffer after this step; g when it is the first, as momentum * 0 + g unless it is dampened. */
static lth_tensor buffer_after(const struct sgd *o, lth_update *u, lth_tensor g)
{
    lth_tensor kept = lth_mul(lth_update_state(u, o->momentum_buffer), lth_hyper(u, struct sgd, momentum));
    if (!o->step.id)
        return lth_add(kept, g);
    lth_tensor step = lth_update_state(u, o->step);
    lth_update_set(u, o->step, lth_add(step, 1));
    return lth_where(lth_eq(step, 0), g, lth_add(kept, lth_mul(g, 1 - o->dampening)));
}

static lth_status update(void *self, lth_update *u)
{
    const struct sgd *o = self;
    lth_tensor p = lth_update_parameter(u);
    lth_tensor g = lth_add(lth_update_gradient(u), lth_mul(p, lth_hyper(u, struct sgd, weight_decay)));
    if (o->momentum_buffer.id) {
        lth_tensor b = buffer_after(o, u, g);
        lth_update_set(u, o->momentum_buffer, b);
        g = o->nesterov ? lth_add(g, lth_mul(b, lth_hyper(u, struct sgd, momentum))) : b;
    }
    lth_update_set_parameter(u, lth_sub(p, lth_mul(g, lth_hyper(u, struct sgd, lr))));
    return LTH_OK;
}

LTH_OPTIMIZER(sgd, .summary = "stochastic gradient descent with momentum", .options = LTH_OPTIONS(options), .init = init,
              .elementwise = 1, .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(sgd));
