/* SPDX-License-Identifier: Apache-2.0
 * gpt: a decoder of transformer blocks that predicts the next token, as GPT-2 (Radford et al. 2019); names and arithmetic are
 * nanoGPT's. predict_step goes on from a prompt (generate.c). */
#include "gpt.h"

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
};

static lth_status init(void *self, const lth_host *host)
{
    const struct gpt *m = self;
    return m->width % m->heads == 0 ? LTH_OK
                                    : lth_fail(host, LTH_INVALID, "width = %lld is no multiple of heads = %lld",
                                               (long long)m->width, (long long)m->heads);
}

static gpt_block block_new(const struct gpt *m, lth_setup *s, int64_t layer)
{
    char name[24];
    const int64_t C = m->width;
    const lth_init *weight = lth_init_normal(0, 0.02), *residual = lth_init_normal(0, 0.02 / sqrt(2.0 * (double)m->layers));
    const lth_init *bias = lth_init_constant(0);
    gpt_block b;
    snprintf(name, sizeof name, "%lld", (long long)layer);
    lth_enter(s, name);
    b.ln_1 = lth_layer_norm_new(s, "ln_1", C, .no_bias = !m->bias);
    lth_enter(s, "attn");
    b.c_attn = lth_linear_new(s, "c_attn", C, 3 * C, .weight = weight, .bias = bias, .no_bias = !m->bias);
    b.attn_proj = lth_linear_new(s, "c_proj", C, C, .weight = residual, .bias = bias, .no_bias = !m->bias);
    lth_leave(s);
    b.ln_2 = lth_layer_norm_new(s, "ln_2", C, .no_bias = !m->bias);
    lth_enter(s, "mlp");
    b.c_fc = lth_linear_new(s, "c_fc", C, 4 * C, .weight = weight, .bias = bias, .no_bias = !m->bias);
    b.mlp_proj = lth_linear_new(s, "c_proj", 4 * C, C, .weight = residual, .bias = bias, .no_bias = !m->bias);
    lth_leave(s);
    lth_leave(s);
    return b;
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

lth_tensor gpt_heads(const struct gpt *m, lth_tensor qkv, int part)
{
    const int64_t B = lth_dim(qkv, 0), T = lth_dim(qkv, 1), C = m->width;
    lth_tensor x = lth_slice(qkv, 2, part * C, (part + 1) * C);               /* (B, T, C) */
    return lth_transpose(lth_reshape(x, B, T, m->heads, C / m->heads), 1, 2); /* (B, H, T, D) */
}

lth_tensor gpt_block_end(const struct gpt *m, const gpt_block *b, lth_tensor x, lth_tensor y)
{
    y = lth_reshape_to(lth_transpose(y, 1, 2), lth_shape_of(x)); /* (B, T, C) */
    x = lth_add(x, lth_dropout(lth_linear_apply(&b->attn_proj, y), m->dropout));
    lth_tensor wide = lth_gelu(lth_linear_apply(&b->c_fc, lth_layer_norm_apply(&b->ln_2, x))); /* (B, T, 4 C) */
    return lth_add(x, lth_dropout(lth_linear_apply(&b->mlp_proj, wide), m->dropout));
}

/* The head's weight is that of the embedding (Press and Wolf 2017). */
lth_tensor gpt_logits(const struct gpt *m, lth_tensor x)
{
    x = lth_reshape(lth_layer_norm_apply(&m->ln_f, x), -1, m->width);
    return lth_matmul_t(x, lth_parameter_value(x, m->wte.weight)); /* (B T, V) */
}

static lth_tensor block_apply(const struct gpt *m, const gpt_block *b, lth_tensor x)
{
    lth_tensor qkv = lth_linear_apply(&b->c_attn, lth_layer_norm_apply(&b->ln_1, x)); /* (B, T, 3 C) */
    lth_tensor y =
        lth_attention(gpt_heads(m, qkv, 0), gpt_heads(m, qkv, 1), gpt_heads(m, qkv, 2), .causal = 1, .dropout = m->dropout);
    return gpt_block_end(m, b, x, y);
}

/* Tokens (B, T) -> logits (B T, V). */
static lth_tensor apply(const struct gpt *m, lth_tensor tokens)
{
    const int64_t T = lth_dim(tokens, 1);
    if (T > m->context)
        return tokens.trace->api->fail(tokens.trace, LTH_HERE,
                                       "the model's context is shorter than a sample: raise [model] context");
    lth_tensor places = lth_slice(lth_parameter_value(tokens, m->wpe.weight), 0, 0, T); /* (T, C) */
    lth_tensor x = lth_dropout(lth_add(lth_embedding_apply(&m->wte, tokens), places), m->dropout);
    for (int64_t i = 0; i < m->layers; i++)
        x = block_apply(m, &m->h[i], x);
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
