/* SPDX-License-Identifier: Apache-2.0
 * adadelta: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method", as torch.optim.Adadelta has it:
 *
 *     g = gradient + weight_decay p
 *     v = rho v + (1 - rho) g^2
 *     d = sqrt(a + eps) / sqrt(v + eps) g
 *     a = rho a + (1 - rho) d^2
 *     p = p - lr d */
#include <lthost/optimizer.h>

struct adadelta {
    double lr, rho, eps, weight_decay;
    bool maximize;
    lth_slot square_avg, acc_delta;
};

static const lth_option options[] = {
    LTH_OPTION(struct adadelta, lr, "1", "0..", "learning rate: scales the method's own step", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adadelta, rho, "0.9", "[0..1]", "decay of the averages of squares", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adadelta, eps, "1e-6", "0..", "added under both roots", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adadelta, weight_decay, "0", "0..", "adds this times the parameter to its gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adadelta, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct adadelta *o = self;
    o->square_avg = lth_state_new(s, "square_avg", 0);
    o->acc_delta = lth_state_new(s, "acc_delta", 0);
    return LTH_OK;
}

/* rho average + (1 - rho) x^2 */
static lth_tensor average(lth_tensor average, lth_tensor x, lth_tensor rho)
{
    return lth_add(lth_mul(average, rho), lth_mul(lth_square(x), lth_sub(1, rho)));
}

static lth_status update(void *self, lth_update *u)
{
    const struct adadelta *o = self;
    lth_tensor p = lth_update_parameter(u), rho = lth_hyper(u, struct adadelta, rho), eps = lth_hyper(u, struct adadelta, eps);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    g = lth_add(g, lth_mul(p, lth_hyper(u, struct adadelta, weight_decay)));
    lth_tensor acc = lth_update_state(u, o->acc_delta), v = average(lth_update_state(u, o->square_avg), g, rho);
    lth_tensor delta = lth_mul(lth_div(lth_sqrt(lth_add(acc, eps)), lth_sqrt(lth_add(v, eps))), g);
    lth_update_set_parameter(u, lth_sub(p, lth_mul(delta, lth_hyper(u, struct adadelta, lr))));
    lth_update_set(u, o->square_avg, v);
    lth_update_set(u, o->acc_delta, average(acc, delta, rho));
    return LTH_OK;
}

LTH_OPTIMIZER(adadelta, .summary = "steps scaled by the average step so far", .options = LTH_OPTIONS(options), .elementwise = 1,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(adadelta));
