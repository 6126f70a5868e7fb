/* SPDX-License-Identifier: Apache-2.0
 * A model by hand: no build system, one call of the compiler. y = x W^T + b, fitted by least squares. */
#define LTH_PLUGIN_VERSION "0.3.0"
#define LTH_PLUGIN_LICENSE "MIT"
#include <lthost/model.h>
#include <lthost/nn/linear.h>

struct plane { double ridge; lth_linear fit; };

static const lth_option options[] = {
    LTH_OPTION(struct plane, ridge, "1e-4", "0..", "weight of the squared norm of W in the loss"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct plane *m = self;
    m->fit = lth_linear_new(s, "fit", lth_input_dim(s, "x", 1), lth_input_dim(s, "y", 1));
    return lth_setup_status(s);
}

static lth_tensor error_of(struct plane *m, lth_step *step)
{
    lth_tensor answer = lth_linear_apply(&m->fit, lth_input(step, "x")); /* (B, 1) */
    return lth_mean(lth_square(lth_sub(answer, lth_input(step, "y"))));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct plane *m = self;
    lth_tensor error = error_of(m, step);
    lth_tensor norm = lth_sum(lth_square(lth_parameter_value(error, m->fit.weight)));
    lth_log(step, "train_loss", error, .on_step = -1, .on_epoch = 1);
    return lth_add(error, lth_mul(norm, m->ridge));
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    lth_tensor error = error_of(self, step);
    lth_log(step, "val_loss", error, .prog_bar = 1);
    return error;
}

LTH_MODEL(plane, .summary = "least squares", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step, .validation_step = validation_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(plane));
