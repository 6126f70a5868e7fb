/* SPDX-License-Identifier: Apache-2.0
 * bench_lenet: LeNet-5 (LeCun et al. 1998) as it is written today: relu, max pooling, one channel of 28 x 28. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct bench_lenet { lth_conv2d conv1, conv2; lth_linear fc1, fc2, fc3; };

static lth_status configure(void *self, lth_setup *s)
{
    struct bench_lenet *m = self;
    m->conv1 = lth_conv2d_new(s, "conv1", 1, 6, 5, .padding = 2);
    m->conv2 = lth_conv2d_new(s, "conv2", 6, 16, 5);
    m->fc1 = lth_linear_new(s, "fc1", 400, 120);
    m->fc2 = lth_linear_new(s, "fc2", 120, 84);
    m->fc3 = lth_linear_new(s, "fc3", 84, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct bench_lenet *m = self;
    lth_tensor h = lth_max_pool(lth_relu(lth_conv_apply(&m->conv1, lth_input(step, "x"))), 2); /* (B, 6, 14, 14) */
    h = lth_flatten(lth_max_pool(lth_relu(lth_conv_apply(&m->conv2, h)), 2), 1);               /* (B, 16 5 5) */
    h = lth_relu(lth_linear_apply(&m->fc2, lth_relu(lth_linear_apply(&m->fc1, h))));
    lth_tensor loss = lth_cross_entropy(lth_linear_apply(&m->fc3, h), lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(bench_lenet, .summary = "LeNet-5", .configure = configure, .training_step = training_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(bench_lenet));
