/* SPDX-License-Identifier: Apache-2.0
 * gpt/gpt.h: what training (gpt.c) and generation (generate.c) share. B sequences, T tokens, C channels, H heads of D channels,
 * V tokens of the vocabulary. */
#ifndef GPT_H
#define GPT_H

#include <lthost/model.h>
#include <lthost/nn.h>

enum { GPT_LAYERS = 64 };

struct gpt {
    int64_t layers, heads, width, context, generate, top_k;
    double dropout, temperature;
    bool bias, gradient_checkpointing;
    int64_t vocabulary;
    lth_embedding wte, wpe;
    lth_gpt_block h[GPT_LAYERS];
    lth_layer_norm ln_f;
};

/* (B, T, C) -> (B T, V) */
lth_tensor gpt_logits(const struct gpt *m, lth_tensor x);

/* predict_step: x (B, P), prompts -> (B, P + generate), each with the tokens that follow it. */
lth_tensor gpt_generate(void *self, lth_step *step);

#endif
