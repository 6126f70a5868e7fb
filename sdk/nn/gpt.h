/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/gpt.h: a block of GPT-2 (Radford et al. 2019), with nanoGPT's names. B sequences, T steps, C channels. [main] */
#ifndef LTHOST_NN_GPT_H
#define LTHOST_NN_GPT_H

#include "attention.h"
#include "norm.h"

#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_gpt_block {
    lth_layer_norm ln_1, ln_2;
    lth_causal_attention attn;
    lth_linear c_fc, c_proj; /* of mlp */
    double dropout;
    uint32_t activation, reserved;
} lth_gpt_block;

typedef struct lth_gpt_block_args {
    int64_t heads LTH_ZERO;
    int64_t hidden LTH_ZERO;          /* channels between mlp's layers; default 4 C */
    double dropout LTH_ZERO;          /* of probabilities and of what is added */
    double eps LTH_ZERO;              /* of the norms; default 1e-5 */
    const lth_init *weight LTH_ZERO;  /* default: normal, 0.02 */
    const lth_init *project LTH_ZERO; /* of both c_proj; default: as weight. GPT-2: normal, 0.02 / sqrt(2 layers) */
    uint32_t activation LTH_ZERO;     /* LTH_OP_GELU (default, nanoGPT's) or LTH_OP_GELU_TANH (GPT-2's own) */
    int32_t no_bias LTH_ZERO;         /* 1: linear layers and norms without biases */
} lth_gpt_block_args;

static inline lth_gpt_block lth_gpt_block_new_(lth_setup *s, const char *name, int64_t C, const lth_gpt_block_args *a,
                                               const char *file, uint32_t line)
{
    const lth_init zero = { LTH_INIT_CONSTANT, 0, 0, 0, NULL }, normal = { LTH_INIT_NORMAL, 0, 0, 0.02, NULL };
    const lth_init *weight = a->weight ? a->weight : &normal, *project = a->project ? a->project : weight;
    const int64_t hidden = a->hidden ? a->hidden : 4 * C;
    lth_gpt_block b;
    memset(&b, 0, sizeof b);
    b.dropout = a->dropout;
    b.activation = a->activation ? a->activation : (uint32_t)LTH_OP_GELU;
    if (hidden < 1 || (b.activation != LTH_OP_GELU && b.activation != LTH_OP_GELU_TANH)) {
        s->api->fail(s, file, line, "a GPT's block has a hidden width of at least 1, and LTH_OP_GELU or LTH_OP_GELU_TANH");
        return b;
    }
    s->api->module(s, name, "Block");
    lth_enter(s, name);
    b.ln_1 = lth_layer_norm_new(s, "ln_1", C, .eps = a->eps, .no_bias = a->no_bias);
    b.attn = lth_causal_attention_new(s, "attn", C, a->heads, .dropout = a->dropout, .weight = weight, .project = project,
                                      .bias = &zero, .no_bias = a->no_bias);
    b.ln_2 = lth_layer_norm_new(s, "ln_2", C, .eps = a->eps, .no_bias = a->no_bias);
    lth_enter(s, "mlp");
    b.c_fc = lth_linear_new(s, "c_fc", C, hidden, .weight = weight, .bias = &zero, .no_bias = a->no_bias);
    b.c_proj = lth_linear_new(s, "c_proj", hidden, C, .weight = project, .bias = &zero, .no_bias = a->no_bias);
    lth_leave(s);
    lth_leave(s);
    return b;
}

/* x (B, T, C) -> the same. cache: as lth_causal_attention_apply's. */
static inline lth_tensor lth_gpt_block_apply_(const lth_gpt_block *b, const lth_causal_attention_call *a, const char *file,
                                              uint32_t line)
{
    lth_causal_attention_call inner = *a;
    lth_tensor x = a->x;
    if (!x.trace)
        return x;
    if (!b->c_fc.weight.id)
        return lth_nn_fail_(x, file, line, "this block was never made: call lth_gpt_block_new in configure");
    inner.x = lth_layer_norm_apply(&b->ln_1, x);
    x = lth_add(x, lth_causal_attention_apply_(&b->attn, &inner, file, line));
    lth_tensor wide = lth_linear_apply(&b->c_fc, lth_layer_norm_apply(&b->ln_2, x)); /* (B, T, hidden) */
    wide = lth_op1_(b->activation, wide, NULL, 0, file, line);
    return lth_add(x, lth_dropout(lth_linear_apply(&b->c_proj, wide), b->dropout));
}

#pragma pop_macro("LTH_HERE")
/* m->h[i] = lth_gpt_block_new(s, name, C, heads); options follow: .hidden, .dropout, .eps, .weight, .project, .activation,
 * .no_bias = 1 */
#define lth_gpt_block_new(s, name, channels, ...) \
    lth_gpt_block_new_((s), (name), (channels), LTH_REF(lth_gpt_block_args, .heads = __VA_ARGS__), LTH_HERE)
/* x = lth_gpt_block_apply(&m->h[i], x); options follow: .cache = &kept[2 * i], .place */
#define lth_gpt_block_apply(b, ...) lth_gpt_block_apply_((b), LTH_REF(lth_causal_attention_call, .x = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
