/* SPDX-License-Identifier: Apache-2.0
 * A model with an op of its own: a hidden layer of bumps, exp(-x^2 / width), by the author's kernel. */
#include <lthost/custom.h>
#include <lthost/model.h>
#include <lthost/nn/linear.h>
#include <math.h>

struct bump { int64_t hidden; double width; lth_linear in, out; };

static const lth_option options[] = {
    LTH_OPTION(struct bump, hidden, "16", "1..4096", "width of the hidden layer"),
    LTH_OPTION(struct bump, width, "2", "0.01..", "width of a bump"),
};

/* ---- The op ---- */

struct gauss { double width; };

static bool gauss_shape(const lth_custom_shapes *s)
{
    s->results[0] = *s->operands[0];
    return s->results[0].dtype == LTH_F32 || lth_custom_fail(s, "it is of f32 alone, not %s", lth_dtype_name(s->results[0].dtype));
}

static bool gauss_run(const lth_custom_call *c)
{
    const struct gauss *a = c->attributes;
    const float *x = c->operands[0];
    float *y = c->results[0];
    for (int64_t i = 0, n = lth_shape_count(c->operand_shapes[0]); i < n; i++)
        y[i] = expf(-x[i] * x[i] / (float)a->width);
    return true;
}

/* d exp(-x^2 / w) = -2 x / w exp(-x^2 / w): the result is at hand. */
static void gauss_gradient(lth_custom_gradient *g)
{
    const struct gauss *a = g->attributes;
    lth_tensor slope = lth_mul(lth_mul(g->operands[0], g->results[0]), -2 / a->width);
    g->d_operands[0] = lth_mul(g->d_results[0], slope);
}

LTH_CUSTOM_OP(gauss, .version = 1, .name = "bump.gauss", .result_count = 1, .operand_count = 1, .shape = gauss_shape,
              .run = gauss_run, .gradient = gauss_gradient);

/* ---- The model ---- */

static lth_status configure(void *self, lth_setup *s)
{
    struct bump *m = self;
    m->in = lth_linear_new(s, "in", lth_input_dim(s, "x", 1), m->hidden);
    m->out = lth_linear_new(s, "out", m->hidden, lth_input_dim(s, "y", 1));
    return lth_setup_status(s);
}

static lth_tensor error_of(struct bump *m, lth_step *step)
{
    struct gauss a = { m->width };
    lth_tensor h = lth_linear_apply(&m->in, lth_input(step, "x"));
    h = lth_custom(&gauss, &h, 1, &a, sizeof a);
    return lth_mean(lth_square(lth_sub(lth_linear_apply(&m->out, h), lth_input(step, "y"))));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor loss = error_of(self, step);
    lth_log(step, "train_loss", loss, .on_step = -1, .on_epoch = 1);
    return loss;
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    lth_tensor loss = error_of(self, step);
    lth_log(step, "val_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(bump, .summary = "one hidden layer of bumps", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step, .validation_step = validation_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(bump));
