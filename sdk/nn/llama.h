/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/llama.h: a layer of Llama (Touvron et al. 2023) and its attention, with rotary embedding (Su et al. 2021) and
 * grouped heads (Ainslie et al. 2023); SwiGLU; RMS norms before both. Names are Hugging Face's. [main]
 *
 * B sequences, T steps, C channels, H heads of queries, G of keys and values, D channels of a head. */
#ifndef LTHOST_NN_LLAMA_H
#define LTHOST_NN_LLAMA_H

#include "attention.h"
#include "attention_cache.h"
#include "norm.h"
#include "positional.h"
#include "swiglu.h"

#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* ---- Grouped-query attention ---- */

typedef struct lth_grouped_attention {
    lth_linear q_proj, k_proj, v_proj, o_proj; /* (H D, C), (G D, C), (G D, C), (C, H D) */
    int64_t heads, groups;
    double dropout;
    uint32_t interleaved, reserved;
} lth_grouped_attention;

typedef struct lth_llama_args {
    int64_t heads LTH_ZERO;
    int64_t groups LTH_ZERO;         /* heads of keys and values; default: heads */
    int64_t hidden LTH_ZERO;         /* of a layer: width within its SwiGLU */
    int64_t head LTH_ZERO;           /* channels of a head; default C / heads */
    double eps LTH_ZERO;             /* of the norms; default 1e-5 */
    double dropout LTH_ZERO;         /* of the probabilities */
    const lth_init *weight LTH_ZERO; /* default: normal, 0.02 */
    int32_t bias LTH_ZERO;           /* 1: queries, keys and values have biases, as Qwen's; they begin as 0 */
    int32_t interleaved LTH_ZERO;    /* 1: rotates channels 2 i and 2 i + 1, else i and i + R / 2 */
} lth_llama_args;

static inline lth_grouped_attention lth_grouped_attention_new_(lth_setup *s, const char *name, int64_t C, const lth_llama_args *a,
                                                               const char *file, uint32_t line)
{
    const lth_init zero = { LTH_INIT_CONSTANT, 0, 0, 0, NULL }, normal = { LTH_INIT_NORMAL, 0, 0, 0.02, NULL };
    const lth_init *weight = a->weight ? a->weight : &normal;
    const int64_t H = a->heads, G = a->groups ? a->groups : H, D = a->head || H < 1 ? a->head : C / H;
    lth_grouped_attention m;
    memset(&m, 0, sizeof m);
    if (H < 1 || G < 1 || H % G != 0 || D < 1 || (!a->head && C % H != 0)) {
        s->api->fail(s, file, line,
                     "grouped attention: the heads must be a multiple of the groups, and the channels of the heads where "
                     ".head is not given");
        return m;
    }
    if (a->hidden || a->eps > 0) {
        s->api->fail(s, file, line, "grouped attention: .hidden and .eps are of a whole layer");
        return m;
    }
    m.heads = H;
    m.groups = G;
    m.dropout = a->dropout;
    m.interleaved = a->interleaved > 0;
    s->api->module(s, name, "GroupedQueryAttention");
    lth_enter(s, name);
    m.q_proj = lth_linear_new(s, "q_proj", C, H * D, .weight = weight, .bias = &zero, .no_bias = !a->bias);
    m.k_proj = lth_linear_new(s, "k_proj", C, G * D, .weight = weight, .bias = &zero, .no_bias = !a->bias);
    m.v_proj = lth_linear_new(s, "v_proj", C, G * D, .weight = weight, .bias = &zero, .no_bias = !a->bias);
    m.o_proj = lth_linear_new(s, "o_proj", H * D, C, .weight = weight, .no_bias = 1);
    lth_leave(s);
    return m;
}

typedef struct lth_llama_call {
    lth_rotary_table rotary LTH_ZERO; /* (T, R / 2), R at most D; none: nothing is rotated */
    lth_tensor mask LTH_ZERO;         /* as lth_attention's, beside that no step sees those that follow it */
    lth_tensor *cache LTH_ZERO;       /* keys and values (B, G, S, D): seen, too, and those of x are written at `place` */
    lth_tensor place LTH_ZERO;        /* i64 of rank 0; the tables' .first is the same */
} lth_llama_call;

/* x (B, T, C) -> the same; causal. */
static inline lth_tensor lth_grouped_attention_apply_(const lth_grouped_attention *m, lth_tensor x, const lth_llama_call *a,
                                                      const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    if (!m->q_proj.weight.id)
        return lth_nn_fail_(x, file, line, "this attention was never made: call lth_grouped_attention_new in configure");
    if (!lth_is_sequence_("grouped attention", x, m->q_proj.in, file, line))
        return lth_nn_fail_(x, file, line, "grouped attention was refused");
    lth_tensor q = lth_split_heads_(lth_linear_apply(&m->q_proj, x), m->heads, file, line);  /* (B, H, T, D) */
    lth_tensor k = lth_split_heads_(lth_linear_apply(&m->k_proj, x), m->groups, file, line); /* (B, G, T, D) */
    lth_tensor v = lth_split_heads_(lth_linear_apply(&m->v_proj, x), m->groups, file, line);
    if (a->rotary.cosines.trace) {
        q = lth_rotary_(q, a->rotary.cosines, a->rotary.sines, m->interleaved, file, line);
        k = lth_rotary_(k, a->rotary.cosines, a->rotary.sines, m->interleaved, file, line);
    }
    lth_tensor y = a->cache ? lth_attention_cached_(a->cache, a->place, q, k, v, a->mask, m->dropout, file, line)
                            : lth_attention(q, k, v, .mask = a->mask, .dropout = m->dropout, .causal = 1);
    return lth_linear_apply(&m->o_proj, lth_join_heads_(y, file, line));
}

/* ---- A layer ---- */

typedef struct lth_llama_layer {
    lth_rms_norm input_layernorm, post_attention_layernorm;
    lth_grouped_attention self_attn;
    lth_swiglu_layer mlp;
} lth_llama_layer;

static inline lth_llama_layer lth_llama_layer_new_(lth_setup *s, const char *name, int64_t C, const lth_llama_args *a,
                                                   const char *file, uint32_t line)
{
    lth_llama_layer l;
    lth_llama_args attention = *a;
    attention.hidden = 0;
    attention.eps = 0;
    s->api->module(s, name, "LlamaDecoderLayer");
    lth_enter(s, name);
    l.input_layernorm = lth_rms_norm_new(s, "input_layernorm", C, .eps = a->eps > 0 ? a->eps : 1e-5);
    l.self_attn = lth_grouped_attention_new_(s, "self_attn", C, &attention, file, line);
    l.post_attention_layernorm = lth_rms_norm_new(s, "post_attention_layernorm", C, .eps = a->eps > 0 ? a->eps : 1e-5);
    l.mlp = lth_swiglu_new(s, "mlp", C, a->hidden, .weight = a->weight);
    lth_leave(s);
    return l;
}

static inline lth_tensor lth_llama_layer_apply_(const lth_llama_layer *l, lth_tensor x, const lth_llama_call *a, const char *file,
                                                uint32_t line)
{
    x = lth_add(x, lth_grouped_attention_apply_(&l->self_attn, lth_rms_norm_apply(&l->input_layernorm, x), a, file, line));
    return lth_add(x, lth_swiglu_apply(&l->mlp, lth_rms_norm_apply(&l->post_attention_layernorm, x)));
}

#pragma pop_macro("LTH_HERE")
/* m->layer[i] = lth_llama_layer_new(s, name, C, heads, .hidden = F); options: .groups, .head, .eps, .dropout, .weight, .bias = 1,
 * .interleaved = 1. The attention alone takes the same but .hidden and .eps. */
#define lth_llama_layer_new(s, name, channels, ...) \
    lth_llama_layer_new_((s), (name), (channels), LTH_REF(lth_llama_args, .heads = __VA_ARGS__), LTH_HERE)
#define lth_grouped_attention_new(s, name, channels, ...) \
    lth_grouped_attention_new_((s), (name), (channels), LTH_REF(lth_llama_args, .heads = __VA_ARGS__), LTH_HERE)
/* lth_rotary_table table = lth_rotary_tables(x, .channels = D), once for all layers;
 * x = lth_llama_layer_apply(&m->layer[i], x, table); options follow: .mask, .cache = &kept[2 * i], .place */
#define lth_llama_layer_apply(l, x, ...) \
    lth_llama_layer_apply_((l), (x), LTH_REF(lth_llama_call, .rotary = __VA_ARGS__), LTH_HERE)
#define lth_grouped_attention_apply(m, x, ...) \
    lth_grouped_attention_apply_((m), (x), LTH_REF(lth_llama_call, .rotary = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
