/* SPDX-License-Identifier: Apache-2.0
 * bench_unet: the network of denoising diffusion (Ho et al. 2020): residual blocks that hear of the time, four resolutions,
 * attention at the second, what goes down is seen again on the way up. Says which noise is in x sqrt(a) + noise sqrt(1 - a), a
 * of the continuous schedule (Song et al. 2021). */
#include <lthost/model.h>
#include <lthost/nn.h>

enum { LEVELS = 4, BLOCKS = 2, GROUPS = 32, ATTENTIVE = 1 /* the level */, STEPS = 1000 };

/* Two convolutions, added to their input; then attention, where there is any. */
typedef struct block {
    lth_group_norm norm1, norm2, norm;
    lth_conv2d conv1, conv2, shortcut;
    lth_linear time, qkv, proj;
} block;

struct bench_unet {
    int64_t width;
    lth_linear time1, time2;
    lth_conv2d conv_in, conv_out, smaller[LEVELS], larger[LEVELS];
    block down[LEVELS][BLOCKS], mid[2], up[LEVELS][BLOCKS + 1];
    lth_group_norm norm_out;
};

static const lth_option options[] = {
    LTH_OPTION(struct bench_unet, width, "64", "32..4096", "channels at full resolution; twice as many below, a multiple of 32"),
};

static block block_new(lth_setup *s, const char *way, int level, int number, int64_t in, int64_t out, int64_t time,
                       bool attentive)
{
    block b = { 0 };
    char name[32];
    snprintf(name, sizeof name, "%s.%d.%d", way, level, number);
    lth_enter(s, name);
    b.norm1 = lth_group_norm_new(s, "norm1", GROUPS, in);
    b.conv1 = lth_conv2d_new(s, "conv1", in, out, 3, .padding = 1);
    b.time = lth_linear_new(s, "time", time, out);
    b.norm2 = lth_group_norm_new(s, "norm2", GROUPS, out);
    b.conv2 = lth_conv2d_new(s, "conv2", out, out, 3, .padding = 1);
    if (in != out)
        b.shortcut = lth_conv2d_new(s, "shortcut", in, out, 1);
    if (attentive) {
        b.norm = lth_group_norm_new(s, "norm", GROUPS, out);
        b.qkv = lth_linear_new(s, "qkv", out, 3 * out);
        b.proj = lth_linear_new(s, "proj", out, out);
    }
    lth_leave(s);
    return b;
}

static lth_status configure(void *self, lth_setup *s)
{
    struct bench_unet *m = self;
    const int64_t C = m->width, images = lth_input_dim(s, "x", 1);
    int64_t kept[LEVELS * (BLOCKS + 1)], count = 0, now = C;
    char name[32];
    m->time1 = lth_linear_new(s, "time1", C, 4 * C);
    m->time2 = lth_linear_new(s, "time2", 4 * C, 4 * C);
    m->conv_in = lth_conv2d_new(s, "conv_in", images, C, 3, .padding = 1);
    kept[count++] = C;
    for (int i = 0; i < LEVELS; i++) {
        for (int j = 0; j < BLOCKS; j++, kept[count++] = now = i ? 2 * C : C)
            m->down[i][j] = block_new(s, "down", i, j, now, i ? 2 * C : C, 4 * C, i == ATTENTIVE);
        snprintf(name, sizeof name, "smaller.%d", i);
        if (i < LEVELS - 1)
            m->smaller[i] = lth_conv2d_new(s, name, kept[count++] = now, now, 3, .stride = 2, .padding = 1);
    }
    for (int j = 0; j < 2; j++)
        m->mid[j] = block_new(s, "mid", 0, j, now, now, 4 * C, j == 0);
    for (int i = LEVELS - 1; i >= 0; i--) {
        for (int j = 0; j <= BLOCKS; j++, now = i ? 2 * C : C)
            m->up[i][j] = block_new(s, "up", i, j, now + kept[--count], i ? 2 * C : C, 4 * C, i == ATTENTIVE);
        snprintf(name, sizeof name, "larger.%d", i);
        if (i)
            m->larger[i] = lth_conv2d_new(s, name, now, now, 3, .padding = 1);
    }
    m->norm_out = lth_group_norm_new(s, "norm_out", GROUPS, now);
    m->conv_out = lth_conv2d_new(s, "conv_out", now, images, 3, .padding = 1);
    return lth_setup_status(s);
}

/* One head over all places: (B, C, H, W) -> the same. */
static lth_tensor attend(const block *b, lth_tensor x)
{
    const int64_t B = lth_dim(x, 0), C = lth_dim(x, 1), T = lth_dim(x, 2) * lth_dim(x, 3);
    lth_tensor h = lth_transpose(lth_flatten(lth_group_norm_apply(&b->norm, x), 2), 1, 2), part[3]; /* (B, T, C) */
    h = lth_reshape(lth_linear_apply(&b->qkv, h), B, 1, T, 3 * C);
    for (int i = 0; i < 3; i++)
        part[i] = lth_slice(h, 3, i * C, (i + 1) * C);
    h = lth_linear_apply(&b->proj, lth_reshape(lth_attention(part[0], part[1], part[2]), B, T, C));
    return lth_add(x, lth_reshape_to(lth_transpose(h, 1, 2), lth_shape_of(x)));
}

/* x (B, in, H, W), time (B, 4 C) -> (B, out, H, W) */
static lth_tensor apply(const block *b, lth_tensor x, lth_tensor time)
{
    lth_tensor h = lth_conv_apply(&b->conv1, lth_silu(lth_group_norm_apply(&b->norm1, x)));
    h = lth_add(h, lth_reshape(lth_linear_apply(&b->time, lth_silu(time)), lth_dim(h, 0), lth_dim(h, 1), 1, 1));
    h = lth_conv_apply(&b->conv2, lth_silu(lth_group_norm_apply(&b->norm2, h)));
    h = lth_add(h, b->shortcut.weight.id ? lth_conv_apply(&b->shortcut, x) : x);
    return b->qkv.weight.id ? attend(b, h) : h;
}

/* Sines and cosines of t (B): (B, C) */
static lth_tensor time_features(lth_tensor t, int64_t C)
{
    lth_tensor f = lth_exp(lth_mul(lth_arange(t, 0, (double)(C / 2), .dtype = LTH_F32), -log(10000.0) / ((double)(C / 2) - 1)));
    lth_tensor angle = lth_mul(lth_reshape(t, -1, 1), lth_reshape(f, 1, -1));
    const lth_tensor parts[] = { lth_sin(angle), lth_cos(angle) };
    return lth_concat(parts, 2, 1);
}

static lth_tensor predict_noise(const struct bench_unet *m, lth_tensor x, lth_tensor t)
{
    lth_tensor time = lth_linear_apply(&m->time1, time_features(t, m->width)), kept[LEVELS * (BLOCKS + 1)];
    time = lth_linear_apply(&m->time2, lth_silu(time));
    int count = 0;
    kept[count++] = x = lth_conv_apply(&m->conv_in, x);
    for (int i = 0; i < LEVELS; i++) {
        for (int j = 0; j < BLOCKS; j++)
            kept[count++] = x = apply(&m->down[i][j], x, time);
        if (i < LEVELS - 1)
            kept[count++] = x = lth_conv_apply(&m->smaller[i], x);
    }
    x = apply(&m->mid[1], apply(&m->mid[0], x, time), time);
    for (int i = LEVELS - 1; i >= 0; i--) {
        for (int j = 0; j <= BLOCKS; j++)
            x = apply(&m->up[i][j], lth_concat(LTH_TENSORS_(x, kept[--count]), 2, 1), time);
        if (i)
            x = lth_conv_apply(&m->larger[i], lth_upsample(x, 2, LTH_RESIZE_NEAREST));
    }
    return lth_conv_apply(&m->conv_out, lth_silu(lth_group_norm_apply(&m->norm_out, x)));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor x = lth_input(step, "x"), noise = lth_input(step, "noise"), t = lth_cast(lth_input(step, "t"), LTH_F32);
    lth_tensor u = lth_div(lth_reshape(t, -1, 1, 1, 1), STEPS); /* a = exp(-(0.1 u + 9.95 u^2)) */
    lth_tensor a = lth_exp(lth_neg(lth_add(lth_mul(u, 0.1), lth_mul(lth_square(u), 9.95))));
    lth_tensor seen = lth_add(lth_mul(x, lth_sqrt(a)), lth_mul(noise, lth_sqrt(lth_sub(1, a))));
    lth_tensor loss = lth_mse_loss(predict_noise(self, seen, t), noise);
    lth_log(step, "train_loss", loss, .prog_bar = 1);
    return loss;
}

LTH_MODEL(bench_unet, .summary = "network of denoising diffusion", .options = LTH_OPTIONS(options), .configure = configure,
          .training_step = training_step);
LTH_PLUGIN(LTH_MODEL_COMPONENT(bench_unet));
