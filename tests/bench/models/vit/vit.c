/* SPDX-License-Identifier: Apache-2.0
 * bench_vit: a vision transformer (Dosovitskiy et al. 2021): patches, a class token, learned positions, blocks with the norm
 * first, a linear layer that looks at the class token. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct bench_vit {
    int64_t width, heads, layers, patch;
    lth_conv2d embed;
    lth_parameter token, positions; /* (1, 1, C), (1, T, C) */
    lth_transformer_stack encoder;
    lth_linear head;
};

static const lth_option options[] = {
    LTH_OPTION(struct bench_vit, width, "192", "1..65536", "channels of a patch; hidden layers have four times as many"),
    LTH_OPTION(struct bench_vit, heads, "3", "1..1024", "heads of attention"),
    LTH_OPTION(struct bench_vit, layers, "12", "1..64", "transformer blocks"),
    LTH_OPTION(struct bench_vit, patch, "4", "1..1024", "pixels of a patch's side"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct bench_vit *m = self;
    const int64_t C = m->width, T = 1 + lth_input_dim(s, "x", 2) / m->patch * (lth_input_dim(s, "x", 3) / m->patch);
    m->embed = lth_conv2d_new(s, "embed", lth_input_dim(s, "x", 1), C, m->patch, .stride = m->patch);
    m->token = lth_parameter_new(s, "token", LTH_SHAPE(1, 1, C), lth_init_normal(0, 0.02));
    m->positions = lth_parameter_new(s, "positions", LTH_SHAPE(1, T, C), lth_init_normal(0, 0.02));
    m->encoder = lth_transformer_encoder_new(s, "encoder", m->layers, C, m->heads, .hidden = 4 * C, .activation = LTH_OP_GELU,
                                             .norm_first = 1, .norm = 1);
    m->head = lth_linear_new(s, "head", C, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct bench_vit *m = self;
    lth_tensor x = lth_flatten(lth_conv_apply(&m->embed, lth_input(step, "x")), 2); /* (B, C, T - 1) */
    const int64_t B = lth_dim(x, 0), C = m->width;
    const lth_tensor parts[] = { lth_expand(lth_parameter_value(x, m->token), B, 1, C), lth_transpose(x, 1, 2) };
    x = lth_add(lth_concat(parts, 2, 1), lth_parameter_value(x, m->positions)); /* (B, T, C) */
    x = lth_transformer_encoder_apply(&m->encoder, x);
    lth_tensor logits = lth_linear_apply(&m->head, lth_reshape(lth_slice(x, 1, 0, 1), B, C));
    lth_tensor loss = lth_cross_entropy(logits, lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(bench_vit, .summary = "vision transformer", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(bench_vit));
