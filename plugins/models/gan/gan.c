/* SPDX-License-Identifier: Apache-2.0
 * gan: a generative adversarial network (Goodfellow et al. 2014): a generator that makes samples of noise, and a discriminator
 * that tells them from real ones. Each has an optimizer of its own; training_step steps one, then the other. */
#include <lthost/model.h>
#include <lthost/nn.h>

/* fc2(leaky_relu(fc1(x))) */
typedef struct perceptron {
    lth_linear fc1, fc2;
} perceptron;

struct gan {
    int64_t latent, hidden;
    const char *noise;
    lth_shape sample; /* of x, without the batch axis */
    perceptron generator, discriminator;
};

static const lth_option options[] = {
    LTH_OPTION(struct gan, latent, "64", "1..65536", "numbers of noise that a sample is made of"),
    LTH_OPTION(struct gan, hidden, "128", "1..65536", "width of the hidden layers"),
    LTH_OPTION(struct gan, noise, "", NULL, "the batch's field that holds the noise; empty: it is drawn"),
};

static perceptron perceptron_new(lth_setup *s, const char *name, int64_t inputs, int64_t hidden, int64_t outputs)
{
    perceptron p;
    lth_enter(s, name);
    p.fc1 = lth_linear_new(s, "fc1", inputs, hidden);
    p.fc2 = lth_linear_new(s, "fc2", hidden, outputs);
    lth_leave(s);
    return p;
}

static lth_tensor perceptron_apply(const perceptron *p, lth_tensor x)
{
    return lth_linear_apply(&p->fc2, lth_leaky_relu(lth_linear_apply(&p->fc1, x), 0.2));
}

static lth_status configure(void *self, lth_setup *s)
{
    struct gan *m = self;
    const lth_field_info *x = s->api->field(s, "x", LTH_HERE);
    if (!x)
        return lth_setup_status(s);
    m->sample = x->shape;
    m->generator = perceptron_new(s, "generator", m->latent, m->hidden, lth_shape_count(&m->sample));
    m->discriminator = perceptron_new(s, "discriminator", lth_shape_count(&m->sample), m->hidden, 1);
    return lth_setup_status(s);
}

static lth_status configure_optimizers(void *self, lth_optimizers *o)
{
    (void)self;
    lth_optimizer_parameters(o, lth_optimizer_add(o, "optimizer.generator"), "generator.", NULL);
    return lth_optimizer_parameters(o, lth_optimizer_add(o, "optimizer.discriminator"), "discriminator.", NULL);
}

static lth_tensor noise_of(const struct gan *m, lth_step *step, lth_tensor x)
{
    return *m->noise ? lth_input(step, m->noise) : lth_normal(x, LTH_SHAPE(lth_dim(x, 0), m->latent)); /* (B, Z) */
}

/* How far the discriminator's logits (B, 1) are from calling all samples real, or all made. */
static lth_tensor far_from(lth_tensor logits, double real)
{
    return lth_binary_cross_entropy_with_logits(logits, lth_expand_to(lth_scalar(logits, real), lth_shape_of(logits)));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct gan *m = self;
    lth_tensor x = lth_flatten(lth_input(step, "x"), 1), z = noise_of(m, step, x); /* (B, D), (B, Z) */

    lth_tensor g_loss = far_from(perceptron_apply(&m->discriminator, perceptron_apply(&m->generator, z)), 1);
    lth_minimize(step, 0, g_loss);

    lth_tensor made = lth_stop_gradient(perceptron_apply(&m->generator, z)); /* by the generator as it is now */
    lth_tensor told =
        lth_add(far_from(perceptron_apply(&m->discriminator, x), 1), far_from(perceptron_apply(&m->discriminator, made), 0));
    lth_tensor d_loss = lth_div(told, 2);
    lth_minimize(step, 1, d_loss);

    lth_log(step, "g_loss", g_loss, .prog_bar = 1);
    lth_log(step, "d_loss", d_loss, .prog_bar = 1);
    return g_loss;
}

/* A made sample for each one of the batch, in its shape. */
static lth_tensor predict_step(void *self, lth_step *step)
{
    struct gan *m = self;
    lth_tensor x = lth_input(step, "x");
    return lth_reshape_to(perceptron_apply(&m->generator, noise_of(m, step, x)), lth_shape_of(x));
}

LTH_MODEL(gan, .summary = "generative adversarial network: makes samples like the data", .options = LTH_OPTIONS(options),
          .manual_optimization = 1, .configure = configure, .training_step = training_step, .predict_step = predict_step,
          .configure_optimizers = configure_optimizers);
LTH_PLUGIN(LTH_MODEL_COMPONENT(gan));
