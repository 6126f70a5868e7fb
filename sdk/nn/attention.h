/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/attention.h: layers of attention (lthost/sequence.h has the op). B sequences, T queries, S keys, C channels, H heads,
 * G heads of keys and values. Sequences are (B, T, C) throughout. [main] */
#ifndef LTHOST_NN_ATTENTION_H
#define LTHOST_NN_ATTENTION_H

#include "attention_cache.h"
#include "check.h"
#include "init.h"
#include "linear.h"

#include <lthost/sequence.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* (B, T, heads D) -> (B, heads, T, D), and back. */
static inline lth_tensor lth_split_heads_(lth_tensor x, int64_t heads, const char *file, uint32_t line)
{
    return lth_permute(lth_reshape(x, lth_dim(x, 0), lth_dim(x, 1), heads, lth_dim(x, 2) / (heads > 0 ? heads : 1)), 0, 2, 1, 3);
}
static inline lth_tensor lth_join_heads_(lth_tensor x, const char *file, uint32_t line)
{
    int64_t B = lth_dim(x, 0), T = lth_dim(x, 2), C = lth_dim(x, 1) * lth_dim(x, 3);
    return lth_reshape(lth_permute(x, 0, 2, 1, 3), B, T, C);
}

/* Whether x is (B, T, channels); if not, says so. */
static inline bool lth_is_sequence_(const char *name, lth_tensor x, int64_t channels, const char *file, uint32_t line)
{
    if (!x.trace || (lth_rank(x) == 3 && lth_dim(x, 2) == channels))
        return true;
    lth_nn_fail_(x, file, line, "%s: expected (B, T, %lld), got %s", name, (long long)channels, lth_shape_text_(x).at);
    return false;
}

/* ---- torch.nn.MultiheadAttention ---- */

typedef struct lth_multihead_attention {
    lth_parameter in_proj_weight;                              /* (3 C, C): where keys and values have C channels, too */
    lth_parameter q_proj_weight, k_proj_weight, v_proj_weight; /* (C, C), (C, kdim), (C, vdim): else */
    lth_parameter in_proj_bias;                                /* (3 C); id 0: none */
    lth_linear out_proj;
    int64_t channels, heads, kdim, vdim;
    double dropout;
} lth_multihead_attention;

typedef struct lth_multihead_attention_args {
    int64_t heads LTH_ZERO;
    double dropout LTH_ZERO; /* of the probabilities */
    int64_t kdim LTH_ZERO;   /* channels of the keys; default: those of the queries */
    int64_t vdim LTH_ZERO;
    const lth_init *out_proj LTH_ZERO; /* of its weight; default: PyTorch's of a linear layer */
    int32_t no_bias LTH_ZERO;
    int32_t reserved LTH_ZERO;
} lth_multihead_attention_args;

static inline lth_multihead_attention lth_multihead_attention_new_(lth_setup *s, const char *name, int64_t C,
                                                                   const lth_multihead_attention_args *a, const char *file,
                                                                   uint32_t line)
{
    lth_multihead_attention m = { { 0, 0 },
                                  { 0, 0 },
                                  { 0, 0 },
                                  { 0, 0 },
                                  { 0, 0 },
                                  { { 0, 0 }, { 0, 0 }, 0, 0 },
                                  C,
                                  a->heads,
                                  a->kdim > 0 ? a->kdim : C,
                                  a->vdim > 0 ? a->vdim : C,
                                  a->dropout };
    if (a->heads < 1 || C % a->heads != 0) {
        s->api->fail(s, file, line, "multi-head attention: the channels must be a multiple of the number of heads");
        return m;
    }
    s->api->module(s, name, "MultiheadAttention");
    lth_enter(s, name);
    if (m.kdim == C && m.vdim == C)
        m.in_proj_weight = lth_parameter_new(s, "in_proj_weight", LTH_SHAPE(3 * C, C), lth_init_xavier_uniform(C, 3 * C));
    else {
        m.q_proj_weight = lth_parameter_new(s, "q_proj_weight", LTH_SHAPE(C, C), lth_init_xavier_uniform(C, C));
        m.k_proj_weight = lth_parameter_new(s, "k_proj_weight", LTH_SHAPE(C, m.kdim), lth_init_xavier_uniform(m.kdim, C));
        m.v_proj_weight = lth_parameter_new(s, "v_proj_weight", LTH_SHAPE(C, m.vdim), lth_init_xavier_uniform(m.vdim, C));
    }
    if (!a->no_bias)
        m.in_proj_bias = lth_parameter_new(s, "in_proj_bias", LTH_SHAPE(3 * C), lth_init_constant(0));
    m.out_proj = lth_linear_new(s, "out_proj", C, C, .weight = a->out_proj, .bias = lth_init_constant(0), .no_bias = a->no_bias);
    lth_leave(s);
    return m;
}

typedef struct lth_multihead_attention_call {
    lth_tensor value LTH_ZERO;     /* (B, S, vdim) */
    lth_tensor attn_mask LTH_ZERO; /* (T, S), (B H, T, S) or what broadcasts to (B, H, T, S): bool, true where a key is NOT seen,
                                    * as torch has it here, or floating: added */
    lth_tensor key_padding_mask LTH_ZERO; /* (B, S): the same, for each sequence's keys */
    lth_tensor *weights LTH_ZERO;         /* receives the probabilities before dropout: mean over heads, (B, T, S) */
    int32_t per_head LTH_ZERO;            /* 1: weights (B, H, T, S) */
    int32_t causal LTH_ZERO;              /* 1: needs no mask */
} lth_multihead_attention_call;

/* Rows first .. first + C - 1 of the projection, applied: x (B, T, in) -> heads (B, H, T, D). */
static inline lth_tensor lth_multihead_project_(const lth_multihead_attention *m, lth_tensor x, lth_parameter own, int64_t part,
                                                int64_t in, const char *file, uint32_t line)
{
    int64_t C = m->channels, B = lth_dim(x, 0), T = lth_dim(x, 1);
    lth_tensor w =
        own.id ? lth_parameter_value(x, own) : lth_slice(lth_parameter_value(x, m->in_proj_weight), 0, part * C, (part + 1) * C);
    lth_tensor y = lth_matmul_t(lth_reshape(x, B * T, in), w);
    if (m->in_proj_bias.id)
        y = lth_add(y, lth_slice(lth_parameter_value(x, m->in_proj_bias), 0, part * C, (part + 1) * C));
    return lth_split_heads_(lth_reshape(y, B, T, C), m->heads, file, line);
}

/* One product where queries, keys and values are one sequence: (B, T, 3 C), whose thirds are the heads. */
static inline void lth_multihead_project_self_(const lth_multihead_attention *m, lth_tensor x, lth_tensor *qkv, const char *file,
                                               uint32_t line)
{
    int64_t C = m->channels, B = lth_dim(x, 0), T = lth_dim(x, 1);
    lth_tensor y = lth_matmul_t(lth_reshape(x, B * T, C), lth_parameter_value(x, m->in_proj_weight));
    if (m->in_proj_bias.id)
        y = lth_add(y, lth_parameter_value(x, m->in_proj_bias));
    y = lth_reshape(y, B, T, 3 * C);
    for (int32_t i = 0; i < 3; i++)
        qkv[i] = lth_split_heads_(lth_slice(y, 2, i * C, (i + 1) * C), m->heads, file, line);
}

/* torch's masks (true: hidden) as the op's (true: seen), or, where one is floating, as numbers to add. */
static inline lth_tensor lth_multihead_mask_(const lth_multihead_attention *m, const lth_multihead_attention_call *a,
                                             lth_tensor q, lth_tensor k, const char *file, uint32_t line)
{
    int64_t B = lth_dim(q, 0), T = lth_dim(q, 2), S = lth_dim(k, 2);
    lth_tensor parts[2] = { a->attn_mask, a->key_padding_mask }, all = lth_none();
    if (lth_rank(parts[0]) == 3 && lth_dim(parts[0], 0) == B * m->heads && lth_dim(parts[0], 1) == T && lth_dim(parts[0], 2) == S)
        parts[0] = lth_reshape(parts[0], B, m->heads, T, S);
    if (parts[1].trace && (lth_rank(parts[1]) != 2 || lth_dim(parts[1], 0) != B || lth_dim(parts[1], 1) != S))
        return lth_nn_fail_(q, file, line, "key_padding_mask: expected (%lld, %lld), a line for each sequence, got %s",
                            (long long)B, (long long)S, lth_shape_text_(parts[1]).at);
    if (parts[1].trace)
        parts[1] = lth_reshape(parts[1], B, 1, 1, S);
    bool boolean = true;
    for (int32_t i = 0; i < 2; i++)
        boolean = boolean && (!parts[i].trace || lth_dtype_of(parts[i]) == LTH_BOOL);
    for (int32_t i = 0; i < 2; i++) {
        lth_tensor p = parts[i];
        if (!p.trace)
            continue;
        if (boolean)
            p = lth_not(p);
        else if (lth_dtype_of(p) == LTH_BOOL)
            p = lth_cast(lth_where(p, -INFINITY, 0.0), lth_dtype_of(q));
        all = lth_is_none(all) ? p : boolean ? lth_and(all, p) : lth_add(all, p);
    }
    return all;
}

/* The probabilities again, from the log-sum-exp: for who wants to look at them. */
static inline lth_tensor lth_attention_weights_(lth_tensor q, lth_tensor k, lth_tensor y, lth_tensor mask, int32_t causal,
                                                const char *file, uint32_t line)
{
    int64_t B = lth_dim(q, 0), H = lth_dim(q, 1), T = lth_dim(q, 2), S = lth_dim(k, 2);
    lth_tensor l = lth_reshape(lth_attention_log_sum_exp(y), B, H, T, 1);
    lth_tensor s = lth_mul(lth_matmul_t(q, k), 1 / sqrt((double)lth_dim(q, 3)));
    if (mask.trace)
        s = lth_dtype_of(mask) == LTH_BOOL ? lth_where(mask, s, -INFINITY) : lth_add(s, mask);
    if (causal) {
        lth_tensor key = lth_iota(s, LTH_SHAPE(T, S), 1), query = lth_iota(s, LTH_SHAPE(T, S), 0);
        s = lth_where(lth_le(key, lth_add(query, (double)(S - T))), s, -INFINITY);
    }
    return lth_exp(lth_sub(s, lth_where(lth_eq(l, -INFINITY), 0, l)));
}

/* query (B, T, C), key (B, S, kdim), value (B, S, vdim) -> (B, T, C). A query that sees no key gets out_proj's bias (torch: NaN).
 */
static inline lth_tensor lth_multihead_attention_apply_(const lth_multihead_attention *m, lth_tensor query, lth_tensor key,
                                                        const lth_multihead_attention_call *a, const char *file, uint32_t line)
{
    if (!query.trace)
        return query;
    if (!m->out_proj.weight.id)
        return lth_nn_fail_(query, file, line, "this attention was never made: call lth_multihead_attention_new in configure");
    if (!lth_is_sequence_("query", query, m->channels, file, line) || !lth_is_sequence_("key", key, m->kdim, file, line) ||
        !lth_is_sequence_("value", a->value, m->vdim, file, line))
        return lth_nn_fail_(query, file, line, "multi-head attention was refused");
    lth_tensor qkv[3];
    bool self = query.node == key.node && key.node == a->value.node && m->in_proj_weight.id;
    if (self)
        lth_multihead_project_self_(m, query, qkv, file, line);
    else {
        qkv[0] = lth_multihead_project_(m, query, m->q_proj_weight, 0, m->channels, file, line);
        qkv[1] = lth_multihead_project_(m, key, m->k_proj_weight, 1, m->kdim, file, line);
        qkv[2] = lth_multihead_project_(m, a->value, m->v_proj_weight, 2, m->vdim, file, line);
    }
    lth_tensor mask = lth_multihead_mask_(m, a, qkv[0], qkv[1], file, line);
    lth_tensor y = lth_attention(qkv[0], qkv[1], qkv[2], .mask = mask, .dropout = m->dropout, .causal = a->causal);
    if (a->weights) {
        lth_tensor w = lth_attention_weights_(qkv[0], qkv[1], y, mask, a->causal, file, line);
        *a->weights = a->per_head ? w : lth_mean_axis(w, 1, 0);
    }
    return lth_linear_apply(&m->out_proj, lth_join_heads_(y, file, line));
}

/* ---- As GPT-2 has it: one projection for queries, keys and values, causal ---- */

typedef struct lth_causal_attention {
    lth_linear c_attn, c_proj; /* (3 C, C), (C, C) */
    int64_t channels, heads;
    double dropout;
} lth_causal_attention;

typedef struct lth_causal_attention_args {
    int64_t heads LTH_ZERO;
    double dropout LTH_ZERO;          /* of the probabilities, and of the result */
    const lth_init *weight LTH_ZERO;  /* default: PyTorch's of a linear layer */
    const lth_init *project LTH_ZERO; /* of c_proj; default: as weight. GPT-2: normal, 0.02 / sqrt(2 layers) */
    const lth_init *bias LTH_ZERO;
    int32_t no_bias LTH_ZERO;
    int32_t reserved LTH_ZERO;
} lth_causal_attention_args;

static inline lth_causal_attention lth_causal_attention_new_(lth_setup *s, const char *name, int64_t C,
                                                             const lth_causal_attention_args *a, const char *file, uint32_t line)
{
    lth_causal_attention m = { { { 0, 0 }, { 0, 0 }, 0, 0 }, { { 0, 0 }, { 0, 0 }, 0, 0 }, C, a->heads, a->dropout };
    if (a->heads < 1 || C % a->heads != 0) {
        s->api->fail(s, file, line, "causal attention: the channels must be a multiple of the number of heads");
        return m;
    }
    s->api->module(s, name, "CausalSelfAttention");
    lth_enter(s, name);
    m.c_attn = lth_linear_new(s, "c_attn", C, 3 * C, .weight = a->weight, .bias = a->bias, .no_bias = a->no_bias);
    m.c_proj =
        lth_linear_new(s, "c_proj", C, C, .weight = a->project ? a->project : a->weight, .bias = a->bias, .no_bias = a->no_bias);
    lth_leave(s);
    return m;
}

typedef struct lth_causal_attention_call {
    lth_tensor x LTH_ZERO;      /* (B, T, C) */
    lth_tensor *cache LTH_ZERO; /* keys and values (B, H, S, D): seen, too, and those of x are written at `place` */
    lth_tensor place LTH_ZERO;  /* i64 of rank 0 */
} lth_causal_attention_call;

/* x (B, T, C) -> the same. */
static inline lth_tensor lth_causal_attention_apply_(const lth_causal_attention *m, const lth_causal_attention_call *a,
                                                     const char *file, uint32_t line)
{
    lth_tensor x = a->x, qkv[3];
    if (!x.trace)
        return x;
    if (!m->c_attn.weight.id)
        return lth_nn_fail_(x, file, line, "this attention was never made: call lth_causal_attention_new in configure");
    if (!lth_is_sequence_("causal attention", x, m->channels, file, line))
        return x;
    lth_tensor y = lth_linear_apply(&m->c_attn, x);
    for (int32_t i = 0; i < 3; i++)
        qkv[i] = lth_split_heads_(lth_slice(y, 2, i * m->channels, (i + 1) * m->channels), m->heads, file, line);
    y = a->cache ? lth_attention_cached_(a->cache, a->place, qkv[0], qkv[1], qkv[2], lth_none(), m->dropout, file, line)
                 : lth_attention(qkv[0], qkv[1], qkv[2], .dropout = m->dropout, .causal = 1);
    return lth_dropout(lth_linear_apply(&m->c_proj, lth_join_heads_(y, file, line)), m->dropout);
}

#pragma pop_macro("LTH_HERE")
/* m->attn = lth_multihead_attention_new(s, "self_attn", C, heads); options follow: .dropout, .kdim, .vdim, .out_proj,
 * .no_bias = 1 */
#define lth_multihead_attention_new(s, name, channels, ...) \
    lth_multihead_attention_new_((s), (name), (channels), LTH_REF(lth_multihead_attention_args, .heads = __VA_ARGS__), LTH_HERE)
/* lth_multihead_attention_apply(&m->attn, query, key, value); options follow: .attn_mask, .key_padding_mask, .weights = &w,
 * .per_head = 1, .causal = 1 */
#define lth_multihead_attention_apply(m, query, key, ...) \
    lth_multihead_attention_apply_((m), (query), (key), LTH_REF(lth_multihead_attention_call, .value = __VA_ARGS__), LTH_HERE)
/* m->attn = lth_causal_attention_new(s, "attn", C, heads); options follow: .dropout, .weight, .project, .bias, .no_bias = 1 */
#define lth_causal_attention_new(s, name, channels, ...) \
    lth_causal_attention_new_((s), (name), (channels), LTH_REF(lth_causal_attention_args, .heads = __VA_ARGS__), LTH_HERE)
/* lth_causal_attention_apply(&m->attn, x); options follow: .cache = &kept[2 * i], .place */
#define lth_causal_attention_apply(m, ...) \
    lth_causal_attention_apply_((m), LTH_REF(lth_causal_attention_call, .x = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
