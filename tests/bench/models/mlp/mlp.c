/* SPDX-License-Identifier: Apache-2.0
 * bench_mlp: fc3(relu(fc2(relu(fc1(x))))), trained with cross entropy. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct bench_mlp { int64_t hidden; lth_linear fc1, fc2, fc3; };

static const lth_option options[] = {
    LTH_OPTION(struct bench_mlp, hidden, "128", "1..65536", "width of both hidden layers"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct bench_mlp *m = self;
    m->fc1 = lth_linear_new(s, "fc1", lth_input_size(s, "x"), m->hidden);
    m->fc2 = lth_linear_new(s, "fc2", m->hidden, m->hidden);
    m->fc3 = lth_linear_new(s, "fc3", m->hidden, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct bench_mlp *m = self;
    lth_tensor h = lth_relu(lth_linear_apply(&m->fc1, lth_input(step, "x")));
    h = lth_relu(lth_linear_apply(&m->fc2, h));
    lth_tensor loss = lth_cross_entropy(lth_linear_apply(&m->fc3, h), lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(bench_mlp, .summary = "perceptron of two hidden layers", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(bench_mlp));
