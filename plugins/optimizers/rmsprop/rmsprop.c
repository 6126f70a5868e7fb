/* SPDX-License-Identifier: Apache-2.0
 * rmsprop: Hinton 2012, lecture 6e of "Neural Networks for Machine Learning", as torch.optim.RMSprop has it:
 *
 *     g = gradient + weight_decay p
 *     v = alpha v + (1 - alpha) g^2
 *     d = g / (sqrt(v) + eps)                  centered (Graves 2013): sqrt(v - m^2), m = m + (1 - alpha) (g - m)
 *     p = p - lr d                             with momentum: b = momentum b + d, p = p - lr b
 *
 * Whether there is a momentum buffer is settled when the run starts: a momentum of 0 stays 0. */
#include <lthost/optimizer.h>

struct rmsprop {
    double lr, alpha, eps, weight_decay, momentum;
    bool centered, maximize;
    lth_slot square_avg, grad_avg, momentum_buffer;
};

static const lth_option options[] = {
    LTH_OPTION(struct rmsprop, lr, "1e-2", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rmsprop, alpha, "0.99", "[0..1]", "decay of the averages", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rmsprop, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rmsprop, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rmsprop, momentum, "0", "0..", "share of the last step's direction that is kept; 0: no momentum", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rmsprop, centered, "false", NULL, "divide by the deviation from the average gradient"),
    LTH_OPTION(struct rmsprop, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct rmsprop *o = self;
    o->square_avg = lth_state_new(s, "square_avg", 0);
    if (o->centered)
        o->grad_avg = lth_state_new(s, "grad_avg", 0);
    if (o->momentum != 0)
        o->momentum_buffer = lth_state_new(s, "momentum_buffer", 0);
    return LTH_OK;
}

/* v, less the square of the average gradient where it is centered; rounding may leave less than 0, of which there is no root. */
static lth_tensor spread(const struct rmsprop *o, lth_update *u, lth_tensor v, lth_tensor g, lth_tensor rest)
{
    if (!o->centered)
        return v;
    lth_tensor m = lth_update_state(u, o->grad_avg);
    m = lth_add(m, lth_mul(lth_sub(g, m), rest));
    lth_update_set(u, o->grad_avg, m);
    return lth_maximum(lth_sub(v, lth_square(m)), 0);
}

static lth_status update(void *self, lth_update *u)
{
    const struct rmsprop *o = self;
    lth_tensor p = lth_update_parameter(u), alpha = lth_hyper(u, struct rmsprop, alpha), rest = lth_sub(1, alpha);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    g = lth_add(g, lth_mul(p, lth_hyper(u, struct rmsprop, weight_decay)));
    lth_tensor v = lth_add(lth_mul(lth_update_state(u, o->square_avg), alpha), lth_mul(lth_square(g), rest));
    lth_update_set(u, o->square_avg, v);
    lth_tensor d = lth_div(g, lth_add(lth_sqrt(spread(o, u, v, g, rest)), lth_hyper(u, struct rmsprop, eps)));
    if (o->momentum_buffer.id) {
        d = lth_add(lth_mul(lth_update_state(u, o->momentum_buffer), lth_hyper(u, struct rmsprop, momentum)), d);
        lth_update_set(u, o->momentum_buffer, d);
    }
    lth_update_set_parameter(u, lth_sub(p, lth_mul(d, lth_hyper(u, struct rmsprop, lr))));
    return LTH_OK;
}

LTH_OPTIMIZER(rmsprop, .summary = "gradients divided by their root mean square", .options = LTH_OPTIONS(options), .elementwise = 1,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(rmsprop));
