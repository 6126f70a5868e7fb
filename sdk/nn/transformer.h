/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/transformer.h: torch.nn.TransformerEncoder, TransformerDecoder, their layers and Transformer (Vaswani et al. 2017;
 * with norm_first as Xiong et al. 2020): names, masks and initial distributions are PyTorch's. [main]
 *
 * B sequences, T steps of what a stack transforms, S of the memory that a decoder looks at, C channels, H heads. Sequences are
 * (B, T, C) throughout, as with torch's batch_first. A layer: attention to the sequence itself, in a decoder attention to the
 * memory, then linear2(activation(linear1(x))); each is added to its input, and there is a norm for each. */
#ifndef LTHOST_NN_TRANSFORMER_H
#define LTHOST_NN_TRANSFORMER_H

#include "attention.h"
#include "norm.h"

#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

enum { LTH_TRANSFORMER_LAYERS = 64 };

typedef struct lth_transformer_layer {
    lth_multihead_attention self_attn, multihead_attn; /* multihead_attn, to the memory, and norm3: of a decoder's layer */
    lth_linear linear1, linear2;
    lth_layer_norm norm1, norm2, norm3;
    double dropout;
    uint32_t activation, norm_first, decodes, reserved;
} lth_transformer_layer;

typedef struct lth_transformer_stack {
    lth_transformer_layer layers[LTH_TRANSFORMER_LAYERS];
    lth_layer_norm norm; /* after the last layer, with .norm */
    int64_t count;
    uint32_t has_norm, reserved;
} lth_transformer_stack;

typedef struct lth_transformer_args {
    int64_t heads LTH_ZERO;
    int64_t hidden LTH_ZERO;      /* torch's dim_feedforward; default 2048 */
    double dropout LTH_ZERO;      /* of probabilities, after the activation and of what is added; default 0 (torch: 0.1) */
    double eps LTH_ZERO;          /* of the norms; default 1e-5 */
    uint32_t activation LTH_ZERO; /* LTH_OP_RELU (default), LTH_OP_GELU, LTH_OP_GELU_TANH or LTH_OP_SILU */
    int32_t norm_first LTH_ZERO;  /* 1: norms before attention and linear layers, else after what they are added to */
    int32_t no_bias LTH_ZERO;     /* 1: linear layers and norms without biases */
    int32_t norm LTH_ZERO;        /* of a stack: 1: a last norm */
    int32_t xavier LTH_ZERO;      /* 1: all matrices begin by Glorot's law, as in torch's Transformer */
    int32_t reserved LTH_ZERO;
} lth_transformer_args;

/* ---- Making them ---- */

static inline bool lth_transformer_accepts_(lth_setup *s, int64_t C, const lth_transformer_args *a, const char *file,
                                            uint32_t line)
{
    const char *wrong = NULL;
    uint32_t f = a->activation;
    if (a->heads < 1 || C < 1 || C % a->heads != 0)
        wrong = "a transformer's channels must be a multiple of its number of heads";
    else if (a->hidden < 0 || !(a->dropout >= 0 && a->dropout < 1) || !(a->eps >= 0))
        wrong = "a transformer's hidden width must be at least 1, its dropout in [0, 1) and its eps above 0";
    else if (f && f != LTH_OP_RELU && f != LTH_OP_GELU && f != LTH_OP_GELU_TANH && f != LTH_OP_SILU)
        wrong = "a transformer's activation is LTH_OP_RELU, LTH_OP_GELU, LTH_OP_GELU_TANH or LTH_OP_SILU";
    if (wrong)
        s->api->fail(s, file, line, wrong);
    return !wrong;
}

static inline lth_transformer_layer lth_transformer_layer_new_(lth_setup *s, const char *name, int64_t C, bool decodes,
                                                               const lth_transformer_args *a, const char *file, uint32_t line)
{
    lth_transformer_layer l;
    memset(&l, 0, sizeof l);
    if (!lth_transformer_accepts_(s, C, a, file, line))
        return l;
    if (a->norm) {
        s->api->fail(s, file, line, "a last norm, .norm = 1, is of a stack, not of a layer of a transformer");
        return l;
    }
    const int64_t F = a->hidden > 0 ? a->hidden : 2048;
    const double c = sqrt(3.0) * lth_xavier_std(C, C), f = sqrt(3.0) * lth_xavier_std(C, F);
    const lth_init xavier[2] = { { LTH_INIT_UNIFORM, 0, -c, c, NULL }, { LTH_INIT_UNIFORM, 0, -f, f, NULL } };
    const lth_init *square = a->xavier ? &xavier[0] : NULL, *wide = a->xavier ? &xavier[1] : NULL;
    s->api->module(s, name, decodes ? "TransformerDecoderLayer" : "TransformerEncoderLayer");
    lth_enter(s, name);
    l.self_attn = lth_multihead_attention_new(s, "self_attn", C, a->heads, .dropout = a->dropout, .out_proj = square,
                                              .no_bias = a->no_bias);
    if (decodes)
        l.multihead_attn = lth_multihead_attention_new(s, "multihead_attn", C, a->heads, .dropout = a->dropout,
                                                       .out_proj = square, .no_bias = a->no_bias);
    l.linear1 = lth_linear_new(s, "linear1", C, F, .weight = wide, .no_bias = a->no_bias);
    l.linear2 = lth_linear_new(s, "linear2", F, C, .weight = wide, .no_bias = a->no_bias);
    l.norm1 = lth_layer_norm_new(s, "norm1", C, .eps = a->eps, .no_bias = a->no_bias);
    l.norm2 = lth_layer_norm_new(s, "norm2", C, .eps = a->eps, .no_bias = a->no_bias);
    if (decodes)
        l.norm3 = lth_layer_norm_new(s, "norm3", C, .eps = a->eps, .no_bias = a->no_bias);
    lth_leave(s);
    l.dropout = a->dropout;
    l.activation = a->activation ? a->activation : (uint32_t)LTH_OP_RELU;
    l.norm_first = a->norm_first > 0;
    l.decodes = decodes;
    return l;
}

static inline lth_transformer_stack lth_transformer_stack_new_(lth_setup *s, const char *name, int64_t layers, int64_t C,
                                                               bool decodes, const lth_transformer_args *a, const char *file,
                                                               uint32_t line)
{
    lth_transformer_stack m;
    lth_transformer_args each = *a;
    each.norm = 0;
    memset(&m, 0, sizeof m);
    if (layers < 1 || layers > LTH_TRANSFORMER_LAYERS) {
        s->api->fail(s, file, line, "a stack of a transformer has 1 to 64 layers");
        return m;
    }
    if (!lth_transformer_accepts_(s, C, a, file, line))
        return m;
    s->api->module(s, name, decodes ? "TransformerDecoder" : "TransformerEncoder");
    lth_enter(s, name);
    lth_enter(s, "layers");
    for (int64_t i = 0; i < layers; i++) {
        char index[24];
        snprintf(index, sizeof index, "%lld", (long long)i);
        m.layers[i] = lth_transformer_layer_new_(s, index, C, decodes, &each, file, line);
    }
    lth_leave(s);
    if (a->norm > 0)
        m.norm = lth_layer_norm_new(s, "norm", C, .eps = a->eps, .no_bias = a->no_bias);
    lth_leave(s);
    m.count = layers;
    m.has_norm = a->norm > 0;
    return m;
}

/* ---- Applying them ---- */

/* Masks are those of lth_multihead_attention_apply: bool, true where a key is NOT seen, or floating: added. */
typedef struct lth_transformer_call {
    lth_tensor x LTH_ZERO;                       /* (B, T, C) */
    lth_tensor memory LTH_ZERO;                  /* (B, S, C): what a decoder looks at */
    lth_tensor mask LTH_ZERO;                    /* (T, T), (B H, T, T) */
    lth_tensor key_padding_mask LTH_ZERO;        /* (B, T) */
    lth_tensor memory_mask LTH_ZERO;             /* (T, S), (B H, T, S) */
    lth_tensor memory_key_padding_mask LTH_ZERO; /* (B, S) */
    int32_t causal LTH_ZERO;                     /* 1: a step sees none that follow it; needs no mask */
    int32_t memory_causal LTH_ZERO;              /* the same, of the memory: step t sees up to t + S - T */
} lth_transformer_call;

/* A layer's parts in their order: it looks at the sequence, a decoder's at the memory, and the linear layers follow. */
static inline lth_tensor lth_transformer_part_(const lth_transformer_layer *l, int32_t part, lth_tensor x,
                                               const lth_transformer_call *a, const char *file, uint32_t line)
{
    if (part == 0)
        return lth_multihead_attention_apply(&l->self_attn, x, x, x, .attn_mask = a->mask,
                                             .key_padding_mask = a->key_padding_mask, .causal = a->causal);
    if (part == 1 && l->decodes)
        return lth_multihead_attention_apply(&l->multihead_attn, x, a->memory, a->memory, .attn_mask = a->memory_mask,
                                             .key_padding_mask = a->memory_key_padding_mask, .causal = a->memory_causal);
    x = lth_op1_(l->activation, lth_linear_apply(&l->linear1, x), NULL, 0, file, line);
    return lth_linear_apply(&l->linear2, lth_dropout(x, l->dropout));
}

static inline lth_tensor lth_transformer_layer_apply_(const lth_transformer_layer *l, bool decodes, const lth_transformer_call *a,
                                                      const char *file, uint32_t line)
{
    lth_tensor x = a->x;
    if (!x.trace)
        return x;
    if (!l->linear1.weight.id || (bool)l->decodes != decodes)
        return lth_nn_fail_(x, file, line,
                            "this layer of a transformer was never made: call lth_transformer_%s_layer_new in configure",
                            decodes ? "decoder" : "encoder");
    if (decodes && !a->memory.trace)
        return lth_nn_fail_(x, file, line, "a decoder of a transformer wants the memory that it looks at, (B, S, C)");
    const lth_layer_norm *const norms[3] = { &l->norm1, &l->norm2, &l->norm3 };
    for (int32_t part = 0; part < (decodes ? 3 : 2); part++) {
        lth_tensor y = l->norm_first ? lth_layer_norm_apply(norms[part], x) : x;
        x = lth_add(x, lth_dropout(lth_transformer_part_(l, part, y, a, file, line), l->dropout));
        x = l->norm_first ? x : lth_layer_norm_apply(norms[part], x);
    }
    return x;
}

static inline lth_tensor lth_transformer_stack_apply_(const lth_transformer_stack *m, bool decodes, const lth_transformer_call *a,
                                                      const char *file, uint32_t line)
{
    lth_transformer_call now = *a;
    if (!a->x.trace)
        return a->x;
    if (m->count < 1)
        return lth_nn_fail_(a->x, file, line,
                            "this stack of a transformer was never made: call lth_transformer_%s_new in configure",
                            decodes ? "decoder" : "encoder");
    for (int64_t i = 0; i < m->count; i++)
        now.x = lth_transformer_layer_apply_(&m->layers[i], decodes, &now, file, line);
    return m->has_norm ? lth_layer_norm_apply(&m->norm, now.x) : now.x;
}

/* ---- torch.nn.Transformer: an encoder, and a decoder that looks at what it says ---- */

typedef struct lth_transformer {
    lth_transformer_stack encoder, decoder;
} lth_transformer;

/* encoder and decoder: layers of each. Both stacks have a last norm, and all matrices begin by Glorot's law. */
static inline lth_transformer lth_transformer_new_(lth_setup *s, const char *name, int64_t encoder, int64_t decoder, int64_t C,
                                                   const lth_transformer_args *a, const char *file, uint32_t line)
{
    lth_transformer m;
    lth_transformer_args both = *a;
    both.norm = both.xavier = 1;
    s->api->module(s, name, "Transformer");
    lth_enter(s, name);
    m.encoder = lth_transformer_stack_new_(s, "encoder", encoder, C, false, &both, file, line);
    m.decoder = lth_transformer_stack_new_(s, "decoder", decoder, C, true, &both, file, line);
    lth_leave(s);
    return m;
}

typedef struct lth_transformer_pair {
    lth_tensor tgt LTH_ZERO; /* (B, T, C) */
    lth_tensor src_mask LTH_ZERO, src_key_padding_mask LTH_ZERO;
    lth_tensor tgt_mask LTH_ZERO, tgt_key_padding_mask LTH_ZERO;
    lth_tensor memory_mask LTH_ZERO, memory_key_padding_mask LTH_ZERO;
    int32_t src_causal LTH_ZERO, tgt_causal LTH_ZERO, memory_causal LTH_ZERO, reserved LTH_ZERO;
} lth_transformer_pair;

/* src (B, S, C), tgt (B, T, C) -> (B, T, C) */
static inline lth_tensor lth_transformer_apply_(const lth_transformer *m, lth_tensor src, const lth_transformer_pair *a,
                                                const char *file, uint32_t line)
{
    lth_transformer_call call = LTH_VALUE(lth_transformer_call, .x = src, .mask = a->src_mask,
                                          .key_padding_mask = a->src_key_padding_mask, .causal = a->src_causal);
    lth_tensor memory = lth_transformer_stack_apply_(&m->encoder, false, &call, file, line);
    call = LTH_VALUE(lth_transformer_call, .x = a->tgt, .memory = memory, .mask = a->tgt_mask,
                     .key_padding_mask = a->tgt_key_padding_mask, .memory_mask = a->memory_mask,
                     .memory_key_padding_mask = a->memory_key_padding_mask, .causal = a->tgt_causal,
                     .memory_causal = a->memory_causal);
    return lth_transformer_stack_apply_(&m->decoder, true, &call, file, line);
}

#pragma pop_macro("LTH_HERE")
/* m->layer = lth_transformer_encoder_layer_new(s, "layer", C, heads); options follow: .hidden, .dropout, .eps, .activation =
 * LTH_OP_GELU, .norm_first = 1, .no_bias = 1; of stacks, which take the number of layers before C, .norm = 1, too. */
#define lth_transformer_encoder_layer_new(s, name, channels, ...) \
    lth_transformer_layer_new_((s), (name), (channels), false, LTH_REF(lth_transformer_args, .heads = __VA_ARGS__), LTH_HERE)
#define lth_transformer_decoder_layer_new(s, name, channels, ...) \
    lth_transformer_layer_new_((s), (name), (channels), true, LTH_REF(lth_transformer_args, .heads = __VA_ARGS__), LTH_HERE)
#define lth_transformer_encoder_new(s, name, layers, channels, ...)                                                           \
    lth_transformer_stack_new_((s), (name), (layers), (channels), false, LTH_REF(lth_transformer_args, .heads = __VA_ARGS__), \
                               LTH_HERE)
#define lth_transformer_decoder_new(s, name, layers, channels, ...)                                                          \
    lth_transformer_stack_new_((s), (name), (layers), (channels), true, LTH_REF(lth_transformer_args, .heads = __VA_ARGS__), \
                               LTH_HERE)
/* lth_transformer_encoder_apply(&m->encoder, x); options follow: .mask, .key_padding_mask, .causal = 1 */
#define lth_transformer_encoder_layer_apply(l, ...) \
    lth_transformer_layer_apply_((l), false, LTH_REF(lth_transformer_call, .x = __VA_ARGS__), LTH_HERE)
#define lth_transformer_encoder_apply(m, ...) \
    lth_transformer_stack_apply_((m), false, LTH_REF(lth_transformer_call, .x = __VA_ARGS__), LTH_HERE)
/* lth_transformer_decoder_apply(&m->decoder, x, memory); options follow: .mask, .key_padding_mask, .memory_mask,
 * .memory_key_padding_mask, .causal = 1, .memory_causal = 1 */
#define lth_transformer_decoder_layer_apply(l, input, ...) \
    lth_transformer_layer_apply_((l), true, LTH_REF(lth_transformer_call, .x = (input), .memory = __VA_ARGS__), LTH_HERE)
#define lth_transformer_decoder_apply(m, input, ...) \
    lth_transformer_stack_apply_((m), true, LTH_REF(lth_transformer_call, .x = (input), .memory = __VA_ARGS__), LTH_HERE)
/* m->transformer = lth_transformer_new(s, "transformer", 6, 6, C, heads); options as a layer's. Then
 * lth_transformer_apply(&m->transformer, src, tgt); options: .src_mask, .src_key_padding_mask, .tgt_mask, .tgt_key_padding_mask,
 * .memory_mask, .memory_key_padding_mask, .src_causal, .tgt_causal = 1, .memory_causal */
#define lth_transformer_new(s, name, encoder, decoder, channels, ...)                                                        \
    lth_transformer_new_((s), (name), (encoder), (decoder), (channels), LTH_REF(lth_transformer_args, .heads = __VA_ARGS__), \
                         LTH_HERE)
#define lth_transformer_apply(m, src, ...) \
    lth_transformer_apply_((m), (src), LTH_REF(lth_transformer_pair, .tgt = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
