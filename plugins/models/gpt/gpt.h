/* SPDX-License-Identifier: Apache-2.0
 * gpt/gpt.h: what training (gpt.c) and generation (generate.c) share. B sequences, T tokens, C channels, H heads of D channels,
 * V tokens of the vocabulary. */
#ifndef GPT_H
#define GPT_H

#include <lthost/model.h>
#include <lthost/nn.h>

enum { GPT_LAYERS = 64 };

typedef struct gpt_block {
    lth_layer_norm ln_1, ln_2;
    lth_linear c_attn, attn_proj, c_fc, mlp_proj;
} gpt_block;

struct gpt {
    int64_t layers, heads, width, context, generate, top_k;
    double dropout, temperature;
    bool bias;
    int64_t vocabulary;
    lth_embedding wte, wpe;
    gpt_block h[GPT_LAYERS];
    lth_layer_norm ln_f;
};

/* Queries (part 0), keys (1) or values (2) of a projection (B, T, 3 C): (B, H, T, D). */
lth_tensor gpt_heads(const struct gpt *m, lth_tensor qkv, int part);
/* The rest of a block: its input x (B, T, C) and what attention gave (B, H, T, D) -> (B, T, C). */
lth_tensor gpt_block_end(const struct gpt *m, const gpt_block *b, lth_tensor x, lth_tensor y);
/* (B, T, C) -> (B T, V) */
lth_tensor gpt_logits(const struct gpt *m, lth_tensor x);

/* predict_step: x (B, P), prompts -> (B, P + generate), each with the tokens that follow it. */
lth_tensor gpt_generate(void *self, lth_step *step);

#endif
