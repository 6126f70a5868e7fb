/* SPDX-License-Identifier: Apache-2.0
 * llama: a decoder that predicts the next token, as Llama (Touvron et al. 2023): rotary embedding (Su et al. 2021), grouped heads
 * (Ainslie et al. 2023), RMS norm (Zhang and Sennrich 2019) and SwiGLU (Shazeer 2020). Names are Hugging Face's. */
#include <lthost/model.h>
#include <lthost/nn.h>

enum { LAYERS = 64 };
static const double EPS = 1e-5; /* of the norms */

typedef struct layer {
    lth_rms_norm input_layernorm, post_attention_layernorm;
    lth_linear q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj;
} layer;

struct llama {
    int64_t layers, heads, groups, width, hidden;
    double theta;
    lth_embedding embed_tokens;
    layer layer[LAYERS];
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

static layer layer_new(const struct llama *m, lth_setup *s, int64_t index)
{
    const int64_t C = m->width, G = m->groups * (C / m->heads);
    const lth_init *weight = lth_init_normal(0, 0.02);
    char name[24];
    layer l;
    snprintf(name, sizeof name, "%lld", (long long)index);
    lth_enter(s, name);
    l.input_layernorm = lth_rms_norm_new(s, "input_layernorm", C, .eps = EPS);
    lth_enter(s, "self_attn");
    l.q_proj = lth_linear_new(s, "q_proj", C, C, .weight = weight, .no_bias = 1);
    l.k_proj = lth_linear_new(s, "k_proj", C, G, .weight = weight, .no_bias = 1);
    l.v_proj = lth_linear_new(s, "v_proj", C, G, .weight = weight, .no_bias = 1);
    l.o_proj = lth_linear_new(s, "o_proj", C, C, .weight = weight, .no_bias = 1);
    lth_leave(s);
    l.post_attention_layernorm = lth_rms_norm_new(s, "post_attention_layernorm", C, .eps = EPS);
    lth_enter(s, "mlp");
    l.gate_proj = lth_linear_new(s, "gate_proj", C, m->hidden, .weight = weight, .no_bias = 1);
    l.up_proj = lth_linear_new(s, "up_proj", C, m->hidden, .weight = weight, .no_bias = 1);
    l.down_proj = lth_linear_new(s, "down_proj", m->hidden, C, .weight = weight, .no_bias = 1);
    lth_leave(s);
    lth_leave(s);
    return l;
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
    m->norm = lth_rms_norm_new(s, "norm", m->width, .eps = EPS);
    lth_leave(s);
    m->lm_head =
        lth_linear_new(s, "lm_head", m->width, lth_num_classes(s, "x"), .weight = lth_init_normal(0, 0.02), .no_bias = 1);
    return lth_setup_status(s);
}

/* (B, T, heads D) -> (B, heads, T, D) */
static lth_tensor split(lth_tensor x, int64_t heads)
{
    return lth_transpose(lth_reshape(x, lth_dim(x, 0), lth_dim(x, 1), heads, lth_dim(x, 2) / heads), 1, 2);
}

/* The angles of T steps and D / 2 pairs of channels. */
static lth_tensor angles(const struct llama *m, lth_tensor near)
{
    const int64_t T = lth_dim(near, 1), half = m->width / m->heads / 2;
    const lth_shape *shape = LTH_SHAPE(T, half);
    lth_tensor pair = lth_iota(near, shape, 1), step = lth_iota(near, shape, 0);
    return lth_mul(step, lth_exp(lth_mul(pair, -log(m->theta) / (double)half)));
}

static lth_tensor layer_apply(const struct llama *m, const layer *l, lth_tensor x, lth_tensor cosines, lth_tensor sines)
{
    lth_tensor h = lth_rms_norm_apply(&l->input_layernorm, x);                                    /* (B, T, C) */
    lth_tensor q = lth_rotary(split(lth_linear_apply(&l->q_proj, h), m->heads), cosines, sines);  /* (B, H, T, D) */
    lth_tensor k = lth_rotary(split(lth_linear_apply(&l->k_proj, h), m->groups), cosines, sines); /* (B, G, T, D) */
    lth_tensor v = split(lth_linear_apply(&l->v_proj, h), m->groups);
    lth_tensor y = lth_reshape_to(lth_transpose(lth_attention(q, k, v, .causal = 1), 1, 2), lth_shape_of(x));
    x = lth_add(x, lth_linear_apply(&l->o_proj, y));
    h = lth_rms_norm_apply(&l->post_attention_layernorm, x);
    h = lth_swiglu(lth_linear_apply(&l->gate_proj, h), lth_linear_apply(&l->up_proj, h));
    return lth_add(x, lth_linear_apply(&l->down_proj, h));
}

static lth_tensor forward(void *self, lth_step *step)
{
    struct llama *m = self;
    lth_tensor x = lth_embedding_apply(&m->embed_tokens, lth_input(step, "x")), angle = angles(m, x); /* (B, T, C), (T, D / 2) */
    for (int64_t i = 0; i < m->layers; i++)
        x = layer_apply(m, &m->layer[i], x, lth_cos(angle), lth_sin(angle));
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
