/* SPDX-License-Identifier: Apache-2.0
 * lstm: tells sequences apart: what a recurrent network's last layer says at the last step, through a linear layer. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct lstm {
    int64_t hidden, layers;
    double dropout;
    lth_recurrent lstm;
    lth_linear fc;
};

static const lth_option options[] = {
    LTH_OPTION(struct lstm, hidden, "64", "1..65536", "width of the state"),
    LTH_OPTION(struct lstm, layers, "1", "1..16", "recurrent layers"),
    LTH_OPTION(struct lstm, dropout, "0", "[0..1)", "probability that dropout zeroes what a layer gives to the next"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct lstm *m = self;
    m->lstm = lth_lstm_new(s, "lstm", lth_input_dim(s, "x", 2), m->hidden, .layers = m->layers, .dropout = m->dropout,
                           .batch_first = 1);
    m->fc = lth_linear_new(s, "fc", m->hidden, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct lstm *m = self;
    lth_tensor y = lth_recurrent_apply(&m->lstm, lth_input(step, "x")).y;                /* (B, T, I) -> (B, T, H) */
    lth_tensor last = lth_flatten(lth_slice(y, 1, lth_dim(y, 1) - 1, lth_dim(y, 1)), 1); /* (B, H) */
    return lth_linear_apply(&m->fc, last);                                               /* (B, C) */
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor loss = lth_cross_entropy(forward(self, step), lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

static lth_tensor evaluate(void *self, lth_step *step, const char *loss, const char *accuracy)
{
    lth_tensor logits = forward(self, step), y = lth_input(step, "y");
    lth_log(step, loss, lth_cross_entropy(logits, y), .prog_bar = 1);
    lth_log(step, accuracy, lth_accuracy(logits, y), .prog_bar = 1);
    return logits;
}

static lth_tensor validation_step(void *self, lth_step *step) { return evaluate(self, step, "val_loss", "val_acc"); }
static lth_tensor test_step(void *self, lth_step *step) { return evaluate(self, step, "test_loss", "test_acc"); }

LTH_MODEL(lstm, .summary = "LSTM: tells sequences apart", .options = LTH_OPTIONS(options), .configure = configure,
          .forward = forward, .training_step = training_step, .validation_step = validation_step, .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(lstm));
