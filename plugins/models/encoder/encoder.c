/* SPDX-License-Identifier: Apache-2.0
 * encoder: tells sequences of tokens apart: a transformer encoder (Vaswani et al. 2017; norms first, as Xiong et al. 2020) that
 * looks away from padding, the mean of what it says at the tokens, a linear layer. */
#include <lthost/model.h>
#include <lthost/nn.h>

struct encoder {
    int64_t layers, heads, width, hidden, padding;
    double dropout;
    int64_t context;
    lth_embedding embedding, position;
    lth_transformer_stack encoder;
    lth_linear fc;
};

static const lth_option options[] = {
    LTH_OPTION(struct encoder, layers, "2", "1..64", "layers of the encoder"),
    LTH_OPTION(struct encoder, heads, "4", "1..1024", "heads of attention"),
    LTH_OPTION(struct encoder, width, "64", "1..65536", "channels of a token"),
    LTH_OPTION(struct encoder, hidden, "0", "0..1048576",
               "width between the two linear layers of a layer; 0: four times that of a token"),
    LTH_OPTION(struct encoder, padding, "0", "0..", "the token that stands for nothing"),
    LTH_OPTION(struct encoder, dropout, "0.1", "[0..1)", "probability that dropout zeroes an element"),
};

static lth_status configure(void *self, lth_setup *s)
{
    struct encoder *m = self;
    m->context = lth_input_dim(s, "x", 1);
    m->hidden = m->hidden ? m->hidden : 4 * m->width;
    m->embedding = lth_embedding_new(s, "embedding", lth_num_classes(s, "x"), m->width, .padding = 1, .padding_idx = m->padding);
    m->position = lth_embedding_new(s, "position", m->context, m->width);
    m->encoder = lth_transformer_encoder_new(s, "encoder", m->layers, m->width, m->heads, .hidden = m->hidden,
                                             .dropout = m->dropout, .activation = LTH_OP_GELU, .norm_first = 1, .norm = 1);
    m->fc = lth_linear_new(s, "fc", m->width, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct encoder *m = self;
    lth_tensor tokens = lth_input(step, "x"), padding = lth_eq(tokens, (double)m->padding); /* (B, T) */
    lth_tensor x = lth_embedding_apply(&m->embedding, tokens);
    x = lth_dropout(lth_add(x, lth_learned_positions(&m->position, x)), m->dropout);
    x = lth_transformer_encoder_apply(&m->encoder, x, .key_padding_mask = padding); /* (B, T, C) */
    lth_tensor seen = lth_cast(lth_not(padding), lth_dtype_of(x));
    lth_tensor weight = lth_div(seen, lth_maximum(lth_sum_axis(seen, 1, 1), 1)); /* (B, T): a mean's */
    lth_tensor mean = lth_sum_axis(lth_mul(x, lth_reshape(weight, lth_dim(x, 0), lth_dim(x, 1), 1)), 1, 0);
    return lth_linear_apply(&m->fc, mean); /* (B, classes) */
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

LTH_MODEL(encoder, .summary = "transformer encoder: tells sequences of tokens apart", .options = LTH_OPTIONS(options),
          .configure = configure, .forward = forward, .training_step = training_step, .validation_step = validation_step,
          .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(encoder));
