/* SPDX-License-Identifier: Apache-2.0
 * adafactor: Shazeer & Stern 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", as torch.optim.Adafactor
 * has it. For a parameter of two axes or more, with R and C the means of gradient^2 over its last axis and over the one
 * before:
 *
 *     rho = min(lr, 1 / sqrt(t))               a = max(eps2, rms(p)) rho
 *     p = p - lr weight_decay p
 *     r = r + t^beta2_decay (R - r)            c = c + t^beta2_decay (C - c)
 *     v = r c / max(mean(r), eps1)
 *     u = gradient / sqrt(max(v, eps1^2))
 *     p = p - a / max(1, rms(u) / d) u
 *
 * A vector keeps its v whole. r and c take R + C numbers for a matrix of R C. */
#include <lthost/optimizer.h>

struct adafactor {
    double lr, beta2_decay, weight_decay, d;
    lth_float_list eps;
    bool maximize;
    lth_slot row_var, col_var, variance, step;
};

static const lth_option options[] = {
    LTH_OPTION(struct adafactor, lr, "1e-2", "0..", "upper end of the relative learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adafactor, beta2_decay, "-0.8", "..0", "a new square enters the averages with the weight t to this power", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adafactor, eps, "0, 1e-3", "0..", "lower ends: of roots (0: the precision of the type), and of a parameter's size"),
    LTH_OPTION(struct adafactor, d, "1", "1..", "greatest root mean square of a step, before the rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adafactor, weight_decay, "0", "0..", "each step shrinks the parameter by lr times this", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adafactor, maximize, "false", NULL, "climb the gradient instead"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct adafactor *o = self;
    if (o->eps.count != 2)
        return lth_fail(host, LTH_INVALID, "eps wants two numbers, as in 'eps = 0, 1e-3'; it has %lld", (long long)o->eps.count);
    return LTH_OK;
}

/* ---- Shapes of the averages ---- */

static bool with_one_axis_less(const lth_shape *parameter, lth_shape *state, int32_t from_end)
{
    *state = *parameter;
    if (parameter->rank < 2)
        return false;
    state->dim[parameter->rank - from_end] = 1;
    return true;
}

static bool of_rows(const lth_shape *parameter, lth_shape *state) { return with_one_axis_less(parameter, state, 1); }
static bool of_columns(const lth_shape *parameter, lth_shape *state) { return with_one_axis_less(parameter, state, 2); }
static bool whole(const lth_shape *parameter, lth_shape *state)
{
    *state = *parameter;
    return parameter->rank < 2;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    struct adafactor *o = self;
    o->row_var = lth_shaped_state_new(s, "row_var", 0, of_rows);
    o->col_var = lth_shaped_state_new(s, "col_var", 0, of_columns);
    o->variance = lth_shaped_state_new(s, "variance", 0, whole);
    o->step = lth_number_new(s, "step", 0);
    return LTH_OK;
}

/* ---- The rule ---- */

static double smallest(const struct adafactor *o, lth_tensor p)
{
    return o->eps.at[0] > 0 ? o->eps.at[0] : lth_dtype_of(p) == LTH_F64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
}

static lth_tensor root_mean_square(lth_tensor x) { return lth_sqrt(lth_mean(lth_square(x))); }

/* Takes x into the average with a weight. */
static lth_tensor enter(lth_update *u, lth_slot slot, lth_tensor x, lth_tensor weight)
{
    lth_tensor average = lth_update_state(u, slot);
    average = lth_add(average, lth_mul(lth_sub(x, average), weight));
    lth_update_set(u, slot, average);
    return average;
}

static lth_tensor mean_square(const struct adafactor *o, lth_update *u, lth_tensor g, lth_tensor weight)
{
    lth_tensor square = lth_square(g);
    if (lth_rank(g) < 2)
        return enter(u, o->variance, square, weight);
    lth_tensor rows = enter(u, o->row_var, lth_mean_axis(square, -1, 1), weight);
    lth_tensor columns = enter(u, o->col_var, lth_mean_axis(square, -2, 1), weight);
    return lth_div(lth_mul(rows, columns), lth_maximum(lth_mean_axis(rows, -2, 1), smallest(o, g)));
}

static lth_status update(void *self, lth_update *u)
{
    const struct adafactor *o = self;
    lth_tensor p = lth_update_parameter(u), lr = lth_hyper(u, struct adafactor, lr), t = lth_add(lth_update_state(u, o->step), 1);
    lth_tensor g = o->maximize ? lth_neg(lth_update_gradient(u)) : lth_update_gradient(u);
    lth_tensor weight = lth_pow(t, lth_hyper(u, struct adafactor, beta2_decay)), rate = lth_minimum(lr, lth_rsqrt(t));
    lth_tensor size = lth_maximum(root_mean_square(p), o->eps.at[1]), low = lth_scalar(p, smallest(o, p) * smallest(o, p));
    p = lth_sub(p, lth_mul(p, lth_mul(lr, lth_hyper(u, struct adafactor, weight_decay))));
    lth_tensor step = lth_mul(lth_rsqrt(lth_maximum(mean_square(o, u, g, weight), low)), g);
    lth_tensor excess = lth_maximum(lth_div(root_mean_square(step), lth_hyper(u, struct adafactor, d)), 1);
    lth_update_set_parameter(u, lth_sub(p, lth_mul(step, lth_div(lth_mul(size, rate), excess))));
    lth_update_set(u, o->step, t);
    return LTH_OK;
}

LTH_OPTIMIZER(adafactor, .summary = "Adam's rates in the memory of a row and a column", .options = LTH_OPTIONS(options), .init = init,
              .setup = setup, .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(adafactor));
