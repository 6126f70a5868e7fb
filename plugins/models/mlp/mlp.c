/* SPDX-License-Identifier: Apache-2.0
 * mlp: a multi-layer perceptron that tells classes apart: fc2(dropout(relu(fc1(x)))). */
#include <lthost/model.h>
#include <lthost/nn.h>

struct mlp { int64_t hidden; double dropout; lth_linear fc1, fc2; };

static const lth_option options[] = {
    LTH_OPTION(struct mlp, hidden, "128", "1..65536", "width of the hidden layer"),
    LTH_OPTION(struct mlp, dropout, "0.1", "[0..1)", "probability that dropout zeroes an element of the hidden layer"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct mlp *m = self;
    m->fc1 = lth_linear_new(s, "fc1", lth_input_size(s, "x"), m->hidden);
    m->fc2 = lth_linear_new(s, "fc2", m->hidden, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct mlp *m = self;
    lth_tensor x = lth_flatten(lth_input(step, "x"), 1);                                   /* (B, D) */
    lth_tensor h = lth_dropout(lth_relu(lth_linear_apply(&m->fc1, x)), m->dropout);        /* (B, H) */
    return lth_linear_apply(&m->fc2, h);                                                   /* (B, C) */
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

LTH_MODEL(mlp, .summary = "multi-layer perceptron: tells classes apart", .options = LTH_OPTIONS(options), .configure = configure,
          .forward = forward, .training_step = training_step, .validation_step = validation_step, .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(mlp));
