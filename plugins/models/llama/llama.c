/* SPDX-License-Identifier: Apache-2.0
 * llama: a decoder that predicts the next token, as Llama (Touvron et al. 2023): rotary embedding (Su et al. 2021), grouped heads
 * (Ainslie et al. 2023), RMS norm (Zhang and Sennrich 2019) and SwiGLU (Shazeer 2020). Names are Hugging Face's. */
#include <lthost/control.h>
#include <lthost/model.h>
#include <lthost/nn.h>

enum { LAYERS = 64 };

struct llama {
    int64_t layers, heads, groups, width, hidden;
    double theta;
    bool gradient_checkpointing;
    lth_embedding embed_tokens;
    lth_llama_layer layer[LAYERS];
    lth_rms_norm norm;
    lth_linear lm_head;
};

static const lth_option options[] = {
    LTH_OPTION(struct llama, layers, "4", "1..64", "layers"),
    LTH_OPTION(struct llama, heads, "4", "1..1024", "heads of queries"),
    LTH_OPTION(struct llama, groups, "2", "1..1024", "heads of keys and values, each for as many of queries"),
    LTH_OPTION(struct llama, width, "128", "1..65536", "channels of a token"),
    LTH_OPTION(struct llama, hidden, "344", "1..1048576", "width within the feed-forward part"),
    LTH_OPTION(struct llama, theta, "10000", "1..", "base of the rotary embedding's angles"),
    LTH_OPTION(struct llama, gradient_checkpointing, "false", NULL,
               "layers are computed again in the backward pass: less memory, more work, the same bits (in bf16, to rounding)"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct llama *m = self;
    const long long C = m->width, H = m->heads, G = m->groups;
    if (C % (2 * H))
        return lth_fail(host, LTH_INVALID, "width = %lld is no multiple of twice heads = %lld: channels are rotated in pairs", C,
                        H);
    return H % G == 0 ? LTH_OK : lth_fail(host, LTH_INVALID, "heads = %lld is no multiple of groups = %lld", H, G);
}

static lth_llama_layer layer_new(const struct llama *m, lth_setup *s, int64_t index)
{
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)index);
    return lth_llama_layer_new(s, name, m->width, m->heads, .groups = m->groups, .hidden = m->hidden);
}

static lth_status configure(void *self, lth_setup *s)
{
    struct llama *m = self;
    lth_enter(s, "model");
    m->embed_tokens = lth_embedding_new(s, "embed_tokens", lth_num_classes(s, "x"), m->width, .weight = lth_init_normal(0, 0.02));
    lth_enter(s, "layers");
    for (int64_t i = 0; i < m->layers; i++)
        m->layer[i] = layer_new(m, s, i);
    lth_leave(s);
    m->norm = lth_rms_norm_new(s, "norm", m->width, .eps = 1e-5);
    lth_leave(s);
    m->lm_head =
        lth_linear_new(s, "lm_head", m->width, lth_num_classes(s, "x"), .weight = lth_init_normal(0, 0.02), .no_bias = 1);
    return lth_setup_status(s);
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct llama *m = self;
    lth_tensor x = lth_embedding_apply(&m->embed_tokens, lth_input(step, "x")); /* (B, T, C) */
    lth_rotary_table table = lth_rotary_tables(x, .channels = m->width / m->heads, .theta = m->theta);
    for (int64_t i = 0; i < m->layers; i++) {
        if (m->gradient_checkpointing)
            lth_checkpoint_begin(x);
        x = lth_llama_layer_apply(&m->layer[i], x, table);
        if (m->gradient_checkpointing)
            lth_checkpoint_end(x);
    }
    return lth_linear_apply(&m->lm_head, lth_rms_norm_apply(&m->norm, x)); /* (B, T, V) */
}

static lth_tensor step_loss(void *self, lth_step *step, const char *name)
{
    const struct llama *m = self;
    lth_tensor logits = lth_reshape(forward(self, step), -1, m->lm_head.out), y = lth_reshape(lth_input(step, "y"), -1);
    lth_tensor loss = lth_cross_entropy(logits, y); /* (B T, V), (B T) */
    lth_log(step, name, loss, .prog_bar = 1);
    return loss;
}

static lth_tensor training_step(void *self, lth_step *step) { return step_loss(self, step, "train_loss"); }
static lth_tensor validation_step(void *self, lth_step *step) { return step_loss(self, step, "val_loss"); }
static lth_tensor test_step(void *self, lth_step *step) { return step_loss(self, step, "test_loss"); }

LTH_MODEL(llama, .summary = "Llama: predicts the next token", .options = LTH_OPTIONS(options), .init = init,
          .configure = configure, .forward = forward, .training_step = training_step, .validation_step = validation_step,
          .test_step = test_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(llama));
