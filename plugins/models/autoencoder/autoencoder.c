/* SPDX-License-Identifier: Apache-2.0
 * autoencoder: makes a few numbers of an image, and the image of them again: convolutions that halve it twice, and transposed
 * convolutions that double it twice. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct autoencoder {
    int64_t width, latent;
    int64_t channels, height, length; /* of x: (C, H, W) */
    lth_conv2d conv1, conv2;
    lth_conv_transpose2d up1, up2;
    lth_linear encode, decode;
};

static const lth_option options[] = {
    LTH_OPTION(struct autoencoder, width, "16", "1..4096", "channels of the first convolution; the second has twice as many"),
    LTH_OPTION(struct autoencoder, latent, "16", "1..65536", "numbers that an image is made of"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct autoencoder *m = self;
    const int64_t C = m->channels = lth_input_dim(s, "x", 1), H = m->height = lth_input_dim(s, "x", 2),
                  W = m->length = lth_input_dim(s, "x", 3);
    if (H % 4 || W % 4)
        return s->api->fail(s, LTH_HERE, "x is halved twice: its height and width must be multiples of 4");
    const int64_t flat = 2 * m->width * (H / 4) * (W / 4);
    lth_enter(s, "encoder");
    m->conv1 = lth_conv2d_new(s, "conv1", C, m->width, 4, .stride = 2, .padding = 1);
    m->conv2 = lth_conv2d_new(s, "conv2", m->width, 2 * m->width, 4, .stride = 2, .padding = 1);
    m->encode = lth_linear_new(s, "fc", flat, m->latent);
    lth_leave(s);
    lth_enter(s, "decoder");
    m->decode = lth_linear_new(s, "fc", m->latent, flat);
    m->up1 = lth_conv_transpose2d_new(s, "conv1", 2 * m->width, m->width, 4, .stride = 2, .padding = 1);
    m->up2 = lth_conv_transpose2d_new(s, "conv2", m->width, C, 4, .stride = 2, .padding = 1);
    lth_leave(s);
    return lth_setup_status(s);
}

static lth_tensor encode(const struct autoencoder *m, lth_tensor x)
{
    lth_tensor h = lth_relu(lth_conv_apply(&m->conv1, x));  /* (B, W, H/2, W/2) */
    h = lth_relu(lth_conv_apply(&m->conv2, h));             /* (B, 2 W, H/4, W/4) */
    return lth_linear_apply(&m->encode, lth_flatten(h, 1)); /* (B, Z) */
}

static lth_tensor decode(const struct autoencoder *m, lth_tensor z)
{
    lth_tensor h = lth_relu(lth_linear_apply(&m->decode, z));
    h = lth_reshape(h, -1, 2 * m->width, m->height / 4, m->length / 4);
    return lth_conv_apply(&m->up2, lth_relu(lth_conv_apply(&m->up1, h))); /* (B, C, H, W) */
}

static lth_tensor forward(void *self, lth_step *step) { return decode(self, encode(self, lth_input(step, "x"))); }

static lth_tensor step_loss(void *self, lth_step *step, const char *name)
{
    lth_tensor loss = lth_mse_loss(forward(self, step), lth_input(step, "x"));
    lth_log(step, name, loss, .prog_bar = 1);
    return loss;
}

static lth_tensor training_step(void *self, lth_step *step) { return step_loss(self, step, "train_loss"); }
static lth_tensor validation_step(void *self, lth_step *step) { return step_loss(self, step, "val_loss"); }
static lth_tensor test_step(void *self, lth_step *step) { return step_loss(self, step, "test_loss"); }

LTH_MODEL(autoencoder, .summary = "convolutional autoencoder: an image through a few numbers", .options = LTH_OPTIONS(options),
          .configure = configure, .forward = forward, .training_step = training_step, .validation_step = validation_step,
          .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(autoencoder));
