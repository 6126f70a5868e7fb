/* SPDX-License-Identifier: Apache-2.0
 * gpt: a decoder of transformer blocks that predicts the next token, as GPT-2 (Radford et al. 2019); names and arithmetic are
 * nanoGPT's. predict_step goes on from a prompt (generate.c). */
#include "gpt.h"

#include <lthost/control.h>

static const lth_option options[] = {
    LTH_OPTION(struct gpt, layers, "4", "1..64", "transformer blocks"),
    LTH_OPTION(struct gpt, heads, "4", "1..1024", "heads of attention"),
    LTH_OPTION(struct gpt, width, "128", "1..65536", "channels of a token"),
    LTH_OPTION(struct gpt, context, "64", "1..1048576", "positions: the most tokens that are looked at together"),
    LTH_OPTION(struct gpt, dropout, "0", "[0..1)", "probability that dropout zeroes an element"),
    LTH_OPTION(struct gpt, bias, "false", NULL, "whether linear layers and layer norms have biases"),
    LTH_OPTION(struct gpt, generate, "200", "1..1048576", "predict: tokens that follow the prompt"),
    LTH_OPTION(struct gpt, temperature, "1", "0..1000", "predict: what logits are divided by; 0: always the likeliest token"),
    LTH_OPTION(struct gpt, top_k, "0", "0..", "predict: draws among so many likeliest tokens; 0: among all"),
    LTH_OPTION(struct gpt, gradient_checkpointing, "false", NULL,
               "blocks are computed again in the backward pass: less memory, more work, the same bits (in bf16, to rounding)"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct gpt *m = self;
    return m->width % m->heads == 0 ? LTH_OK
                                    : lth_fail(host, LTH_INVALID, "width = %lld is no multiple of heads = %lld",
                                               (long long)m->width, (long long)m->heads);
}

static lth_gpt_block block_new(const struct gpt *m, lth_setup *s, int64_t layer)
{
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)layer);
    return lth_gpt_block_new(s, name, m->width, m->heads, .dropout = m->dropout,
                             .project = lth_init_normal(0, 0.02 / sqrt(2.0 * (double)m->layers)), .no_bias = !m->bias);
}

static lth_status configure(void *self, lth_setup *s)
{
    struct gpt *m = self;
    m->vocabulary = lth_num_classes(s, "x");
    lth_enter(s, "transformer");
    m->wte = lth_embedding_new(s, "wte", m->vocabulary, m->width, .weight = lth_init_normal(0, 0.02));
    m->wpe = lth_embedding_new(s, "wpe", m->context, m->width, .weight = lth_init_normal(0, 0.02));
    lth_enter(s, "h");
    for (int64_t i = 0; i < m->layers; i++)
        m->h[i] = block_new(m, s, i);
    lth_leave(s);
    m->ln_f = lth_layer_norm_new(s, "ln_f", m->width, .no_bias = !m->bias);
    lth_leave(s);
    return lth_setup_status(s);
}

/* The head's weight is that of the embedding (Press and Wolf 2017). */
lth_tensor gpt_logits(const struct gpt *m, lth_tensor x)
{
    x = lth_reshape(lth_layer_norm_apply(&m->ln_f, x), -1, m->width);
    return lth_matmul_t(x, lth_parameter_value(x, m->wte.weight)); /* (B T, V) */
}

/* Tokens (B, T) -> logits (B T, V). */
static lth_tensor apply(const struct gpt *m, lth_tensor tokens)
{
    const int64_t T = lth_dim(tokens, 1);
    if (T > m->context)
        return tokens.trace->api->fail(tokens.trace, LTH_HERE,
                                       "the model's context is shorter than a sample: raise [model] context");
    lth_tensor x = lth_embedding_apply(&m->wte, tokens); /* (B, T, C) */
    x = lth_dropout(lth_add(x, lth_learned_positions(&m->wpe, x)), m->dropout);
    for (int64_t i = 0; i < m->layers; i++) {
        if (m->gradient_checkpointing)
            lth_checkpoint_begin(x);
        x = lth_gpt_block_apply(&m->h[i], x);
        if (m->gradient_checkpointing)
            lth_checkpoint_end(x);
    }
    return gpt_logits(m, x);
}

static lth_tensor step_loss(void *self, lth_step *step, const char *name)
{
    lth_tensor loss = lth_cross_entropy(apply(self, lth_input(step, "x")), lth_reshape(lth_input(step, "y"), -1));
    lth_log(step, name, loss, .prog_bar = 1);
    return loss;
}

static lth_tensor training_step(void *self, lth_step *step) { return step_loss(self, step, "train_loss"); }
static lth_tensor validation_step(void *self, lth_step *step) { return step_loss(self, step, "val_loss"); }
static lth_tensor test_step(void *self, lth_step *step) { return step_loss(self, step, "test_loss"); }

LTH_MODEL(gpt, .summary = "GPT: predicts the next token, and writes on from a prompt", .options = LTH_OPTIONS(options),
          .init = init, .configure = configure, .training_step = training_step, .validation_step = validation_step,
          .test_step = test_step, .predict_step = gpt_generate);
LTH_PLUGIN(LTH_MODEL_COMPONENT(gpt));
