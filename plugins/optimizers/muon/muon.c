/* SPDX-License-Identifier: Apache-2.0
 * muon: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", as torch.optim.Muon has it, for
 * matrices (A, B):
 *
 *     b = b + (1 - momentum) (gradient - b)
 *     x = b                                    nesterov: gradient + momentum (b - gradient)
 *     x = x / |x|; ns_steps times: x = a x + (b s + c s s) x with s = x x^T
 *     p = p - lr weight_decay p - lr r x
 *
 * r is sqrt(max(1, A / B)) (original), 0.2 sqrt(max(A, B)) (match_rms_adamw) or sqrt(A / B) (spectral_unclamped). The
 * iteration runs in the parameters' type, where torch's is in bf16. */
#include <lthost/optimizer.h>
#include <string.h>

struct muon {
    double lr, momentum, weight_decay, eps;
    lth_float_list ns_coefficients;
    int64_t ns_steps;
    const char *adjust_lr_fn;
    bool nesterov;
    lth_slot momentum_buffer;
};

static const lth_option options[] = {
    LTH_OPTION(struct muon, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct muon, momentum, "0.95", "[0..1)", "decay of the average gradient", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct muon, nesterov, "true", NULL, "look ahead by one step of momentum"),
    LTH_OPTION(struct muon, weight_decay, "0.1", "0..", "each step shrinks the parameter by lr times this", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct muon, ns_coefficients, "3.4445, -4.775, 2.0315", NULL, "a, b, c of the iteration that makes the step orthogonal"),
    LTH_OPTION(struct muon, ns_steps, "5", "1..99", "how often the iteration runs"),
    LTH_OPTION(struct muon, eps, "1e-7", "(0..", "lower end of the norm that the step is divided by", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct muon, adjust_lr_fn, "original", "original|match_rms_adamw|spectral_unclamped", "how the rate follows the matrix's shape"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct muon *o = self;
    if (o->ns_coefficients.count != 3)
        return lth_fail(host, LTH_INVALID, "ns_coefficients wants three numbers, as in 'ns_coefficients = 3.4445, -4.775, 2.0315'; it has %lld",
                        (long long)o->ns_coefficients.count);
    return LTH_OK;
}

static lth_status setup(void *self, lth_optimizer_setup *s)
{
    ((struct muon *)self)->momentum_buffer = lth_state_new(s, "momentum_buffer", 0);
    return LTH_OK;
}

/* x (M, N) with M <= N made nearly orthogonal: its singular values go to about 1. */
static lth_tensor orthogonal(const struct muon *o, lth_update *u, lth_tensor x)
{
    const double *k = o->ns_coefficients.at;
    lth_tensor norm = lth_sqrt(lth_sum(lth_square(x)));
    x = lth_div(x, lth_maximum(norm, lth_hyper(u, struct muon, eps)));
    for (int64_t i = 0; i < o->ns_steps; i++) {
        lth_tensor s = lth_matmul_t(x, x); /* (M, M) */
        lth_tensor polynomial = lth_add(lth_mul(s, k[1]), lth_mul(lth_matmul(s, s), k[2]));
        x = lth_add(lth_mul(x, k[0]), lth_matmul(polynomial, x));
    }
    return x;
}

static double rate_of_shape(const struct muon *o, double A, double B)
{
    if (strcmp(o->adjust_lr_fn, "match_rms_adamw") == 0)
        return 0.2 * sqrt(A > B ? A : B);
    return sqrt(A < B && strcmp(o->adjust_lr_fn, "original") == 0 ? 1 : A / B);
}

static lth_status update(void *self, lth_update *u)
{
    const struct muon *o = self;
    lth_tensor p = lth_update_parameter(u), g = lth_update_gradient(u), momentum = lth_hyper(u, struct muon, momentum);
    if (lth_rank(p) != 2 || lth_count(p) == 0) {
        lth_tensor none = p.trace->api->fail(p.trace, LTH_HERE,
                                             "muon is for matrices; give a group of other parameters (biases, norms, kernels of "
                                             "convolutions) an optimizer of their own, as adamw");
        lth_update_set_parameter(u, none);
        return LTH_OK;
    }
    lth_tensor b = lth_update_state(u, o->momentum_buffer), lr = lth_hyper(u, struct muon, lr);
    b = lth_add(b, lth_mul(lth_sub(g, b), lth_sub(1, momentum)));
    lth_update_set(u, o->momentum_buffer, b);
    lth_tensor x = o->nesterov ? lth_add(g, lth_mul(lth_sub(b, g), momentum)) : b;
    bool tall = lth_dim(x, 0) > lth_dim(x, 1);
    x = tall ? lth_transpose(orthogonal(o, u, lth_transpose(x, 0, 1)), 0, 1) : orthogonal(o, u, x);
    p = lth_sub(p, lth_mul(p, lth_mul(lr, lth_hyper(u, struct muon, weight_decay))));
    double ratio = rate_of_shape(o, (double)lth_dim(p, 0), (double)lth_dim(p, 1));
    lth_update_set_parameter(u, lth_sub(p, lth_mul(x, lth_mul(lr, ratio))));
    return LTH_OK;
}

LTH_OPTIMIZER(muon, .summary = "momentum made orthogonal, for matrices", .options = LTH_OPTIONS(options), .init = init, .setup = setup,
              .update = update);
LTH_PLUGIN(LTH_OPTIMIZER_COMPONENT(muon));
