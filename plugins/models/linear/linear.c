/* SPDX-License-Identifier: Apache-2.0
 * linear: linear regression (mean squared error) or logistic regression (cross entropy): fc(x). */
#include <lthost/model.h>
#include <lthost/nn.h>
#include <string.h>

struct linear { const char *task; bool bias; bool classifies; lth_linear fc; };

static const lth_option options[] = {
    LTH_OPTION(struct linear, task, "classification", "classification|regression", "what y holds: a class, or numbers"),
    LTH_OPTION(struct linear, bias, "true", NULL, "whether the layer has a bias"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct linear *m = self;
    m->classifies = strcmp(m->task, "classification") == 0;
    int64_t out = m->classifies ? lth_num_classes(s, "y") : lth_input_size(s, "y");
    m->fc = lth_linear_new(s, "fc", lth_input_size(s, "x"), out, .no_bias = !m->bias);
    return lth_setup_status(s);
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct linear *m = self;
    return lth_linear_apply(&m->fc, lth_flatten(lth_input(step, "x"), 1)); /* (B, D) -> (B, C) */
}

/* The loss of predictions (B, C); y: classes (B), or numbers (B, ...) of C elements. */
static lth_tensor loss_of(const struct linear *m, lth_tensor predicted, lth_tensor y)
{
    return m->classifies ? lth_cross_entropy(predicted, y) : lth_mse_loss(predicted, lth_reshape_to(y, lth_shape_of(predicted)));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor loss = loss_of(self, forward(self, step), lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

static lth_tensor evaluate(void *self, lth_step *step, const char *loss, const char *accuracy)
{
    struct linear *m = self;
    lth_tensor predicted = forward(self, step), y = lth_input(step, "y");
    lth_log(step, loss, loss_of(m, predicted, y), .prog_bar = 1);
    if (m->classifies)
        lth_log(step, accuracy, lth_accuracy(predicted, y), .prog_bar = 1);
    return predicted;
}

static lth_tensor validation_step(void *self, lth_step *step) { return evaluate(self, step, "val_loss", "val_acc"); }
static lth_tensor test_step(void *self, lth_step *step) { return evaluate(self, step, "test_loss", "test_acc"); }

LTH_MODEL(linear, .summary = "linear or logistic regression", .options = LTH_OPTIONS(options), .configure = configure,
          .forward = forward, .training_step = training_step, .validation_step = validation_step, .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(linear));
