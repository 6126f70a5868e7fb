/* SPDX-License-Identifier: Apache-2.0
 * resnet: a residual network for small images (He et al. 2015): a convolution, stages of blocks whose input is added to their
 * output, the mean of each channel, a linear layer. The first block of each stage but the first halves the image. */
#include <lthost/model.h>
#include <lthost/nn.h>

enum { STAGES = 8, BLOCKS = 64 };

/* relu(bn2(conv2(relu(bn1(conv1(x))))) + x), with x through a convolution of 1 x 1 where its shape is another. */
typedef struct block {
    lth_conv2d conv1, conv2, shortcut;
    lth_batch_norm2d bn1, bn2, shortcut_bn;
} block;

struct resnet {
    int64_t width, stem_stride;
    lth_int_list blocks;
    int64_t count;
    lth_conv2d conv1;
    lth_batch_norm2d bn1;
    block block[BLOCKS];
    lth_linear fc;
};

static const lth_option options[] = {
    LTH_OPTION(struct resnet, width, "16", "1..4096", "channels of the first stage; each further stage has twice as many"),
    LTH_OPTION(struct resnet, blocks, "2, 2, 2", "1..64", "blocks of each stage"),
    LTH_OPTION(struct resnet, stem_stride, "1", "1..4", "stride of the first convolution"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct resnet *m = self;
    for (int64_t i = 0; i < m->blocks.count; i++)
        m->count += m->blocks.at[i];
    if (m->blocks.count < 1 || m->blocks.count > STAGES || m->count > BLOCKS)
        return lth_fail(host, LTH_INVALID,
                        "blocks names %lld stages of %lld blocks in all; there are 1 to %d stages, %d blocks at most",
                        (long long)m->blocks.count, (long long)m->count, STAGES, BLOCKS);
    return LTH_OK;
}

static block block_new(lth_setup *s, const char *name, int64_t in, int64_t out, int64_t stride)
{
    block b = { 0 };
    lth_enter(s, name);
    b.conv1 = lth_conv2d_new(s, "conv1", in, out, 3, .stride = stride, .padding = 1, .no_bias = 1);
    b.bn1 = lth_batch_norm2d_new(s, "bn1", out);
    b.conv2 = lth_conv2d_new(s, "conv2", out, out, 3, .padding = 1, .no_bias = 1);
    b.bn2 = lth_batch_norm2d_new(s, "bn2", out);
    if (stride != 1 || in != out) {
        lth_enter(s, "downsample");
        b.shortcut = lth_conv2d_new(s, "0", in, out, 1, .stride = stride, .no_bias = 1);
        b.shortcut_bn = lth_batch_norm2d_new(s, "1", out);
        lth_leave(s);
    }
    lth_leave(s);
    return b;
}

static lth_status configure(void *self, lth_setup *s)
{
    struct resnet *m = self;
    int64_t in = m->width;
    m->conv1 = lth_conv2d_new(s, "conv1", lth_input_dim(s, "x", 1), in, 3, .stride = m->stem_stride, .padding = 1, .no_bias = 1);
    m->bn1 = lth_batch_norm2d_new(s, "bn1", in);
    for (int64_t stage = 0, at = 0; stage < m->blocks.count; stage++)
        for (int64_t i = 0; i < m->blocks.at[stage]; i++, in = m->width << stage) {
            char name[48];
            snprintf(name, sizeof name, "layer%lld.%lld", (long long)stage + 1, (long long)i);
            m->block[at++] = block_new(s, name, in, m->width << stage, stage && i == 0 ? 2 : 1);
        }
    m->fc = lth_linear_new(s, "fc", in, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

/* (B, in, H, W) -> (B, out, H / stride, W / stride) */
static lth_tensor block_apply(const block *b, lth_tensor x)
{
    lth_tensor h = lth_relu(lth_batch_norm_apply(&b->bn1, lth_conv_apply(&b->conv1, x)));
    h = lth_batch_norm_apply(&b->bn2, lth_conv_apply(&b->conv2, h));
    if (b->shortcut.weight.id)
        x = lth_batch_norm_apply(&b->shortcut_bn, lth_conv_apply(&b->shortcut, x));
    return lth_relu(lth_add(h, x));
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct resnet *m = self;
    lth_tensor x = lth_relu(lth_batch_norm_apply(&m->bn1, lth_conv_apply(&m->conv1, lth_input(step, "x")))); /* (B, C, H, W) */
    for (int64_t i = 0; i < m->count; i++)
        x = block_apply(&m->block[i], x);
    return lth_linear_apply(&m->fc, lth_mean_axis(lth_flatten(x, 2), 2, 0)); /* (B, classes) */
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

LTH_MODEL(resnet, .summary = "residual network: tells small images apart", .options = LTH_OPTIONS(options), .init = init,
          .configure = configure, .forward = forward, .training_step = training_step, .validation_step = validation_step,
          .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(resnet));
