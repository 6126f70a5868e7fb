// SPDX-License-Identifier: Apache-2.0
// A model in C++20: one hidden layer.
#include <lthost/model.h>
#include <lthost/nn/linear.h>

struct curve { int64_t hidden; lth_linear in, out; };

static const lth_option options[] = {
    LTH_OPTION(curve, hidden, "16", "1..4096", "width of the hidden layer"),
};

static lth_status configure(void *self, lth_setup *s)
{
    auto *m = static_cast<curve *>(self);
    m->in = lth_linear_new(s, "in", lth_input_dim(s, "x", 1), m->hidden);
    m->out = lth_linear_new(s, "out", m->hidden, lth_input_dim(s, "y", 1));
    return lth_setup_status(s);
}

static lth_tensor error_of(curve *m, lth_step *step)
{
    lth_tensor h = lth_tanh(lth_linear_apply(&m->in, lth_input(step, "x")));
    return lth_mean(lth_square(lth_sub(lth_linear_apply(&m->out, h), lth_input(step, "y"))));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor loss = error_of(static_cast<curve *>(self), step);
    lth_log(step, "train_loss", loss, .on_step = -1, .on_epoch = 1);
    return loss;
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    lth_tensor loss = error_of(static_cast<curve *>(self), step);
    lth_log(step, "val_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(curve, .summary = "one hidden layer", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step, .validation_step = validation_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(curve));
