/* SPDX-License-Identifier: Apache-2.0
 * lthost/sequence.h: ops on sequences: attention, rotary embedding, recurrent layers. The layers made of them, with their
 * parameters, are in nn/attention.h, nn/transformer.h and nn/recurrent.h.
 *
 * B sequences, T (of queries) and S (of keys) steps, H and G heads, D and E channels of a head. All functions: [main], during
 * a step function or a recorded hook; errors are sticky, as everywhere (tensor.h). */
#ifndef LTHOST_SEQUENCE_H
#define LTHOST_SEQUENCE_H

#include "tensor.h"

LTH_BEGIN_C

typedef struct lth_attention_args {
    lth_tensor v LTH_ZERO;
    lth_tensor mask LTH_ZERO; /* none: all is seen */
    double scale LTH_ZERO;    /* default 1 / sqrt(D) */
    double dropout LTH_ZERO;  /* of the probabilities, in training alone */
    int32_t causal LTH_ZERO;  /* 1: query t sees keys up to t + S - T: the last query sees all */
    int32_t reserved LTH_ZERO;
} lth_attention_args;

/* softmax(scale q k' + mask) v, as torch's scaled_dot_product_attention (Vaswani et al. 2017): q (B, H, T, D), k (B, G, S, D),
 * v (B, G, S, E) -> (B, H, T, E). H is a multiple of G (Ainslie et al. 2023); head h reads keys and values of head h G / H. The
 * mask broadcasts to (B, H, T, S): bool, true where a key is seen, or of q's type, added, differentiated by, too. A query that
 * sees nothing gets 0, and gives no gradient. */
static inline lth_tensor lth_attention_(lth_tensor q, lth_tensor k, const lth_attention_args *a, const char *file, uint32_t line)
{
    if (!q.trace)
        return q;
    const lth_trace_api *api = q.trace->api;
    lth_attr_attention at = { a->causal > 0 ? (uint32_t)LTH_ATTENTION_CAUSAL : 0u, 0 };
    int64_t D = lth_dim(q, -1);
    double scale = a->scale != 0 ? a->scale : 1 / sqrt(D > 0 ? (double)D : 1);
    lth_dtype wide = lth_dtype_size(lth_dtype_of(q)) == 2 ? (lth_dtype)LTH_F32 : lth_dtype_of(q);
    lth_tensor in[6] = { q, k, a->v, api->scalar(q.trace, scale, wide, file, line), lth_none(), lth_none() };
    uint32_t n = 4;
    if (!(a->dropout >= 0 && a->dropout < 1))
        return api->fail(q.trace, file, line, "attention: the probability of dropout must be in [0, 1)");
    if (a->dropout > 0 && api->training(q.trace)) {
        at.flags |= LTH_ATTENTION_DROPOUT;
        at.id = api->random_id(q.trace);
        in[n++] = api->scalar(q.trace, a->dropout, wide, file, line);
    }
    if (!lth_is_none(a->mask)) {
        at.flags |= LTH_ATTENTION_MASK;
        in[n++] = a->mask;
    }
    return lth_op_(LTH_OP_ATTENTION, in, n, &at, sizeof at, file, line);
}
/* lth_attention(q, k, v); options follow: .mask, .scale, .dropout = 0.1, .causal = 1 */
#define lth_attention(q, k, ...) lth_attention_((q), (k), LTH_REF(lth_attention_args, .v = __VA_ARGS__), LTH_HERE)

/* The logarithms of the softmax's divisors (B, H, T), of what lth_attention returned: -inf where a query sees nothing. */
static inline lth_tensor lth_attention_log_sum_exp(lth_tensor y) { return y.trace ? y.trace->api->result(y.trace, y, 1) : y; }

/* Rotates the first R of the D channels of x (..., T, D) pairwise by an angle for each step and pair (Su et al. 2021,
 * "RoFormer"), whose cosines and sines are given, (T, R / 2): channels i and i + R / 2 (as Llama's), or 2 i and 2 i + 1,
 * interleaved. nn/positional.h makes the tables. */
#define lth_rotary(x, cos, sin) lth_rotary_((x), (cos), (sin), 0, LTH_HERE)
#define lth_rotary_interleaved(x, cos, sin) lth_rotary_((x), (cos), (sin), 1, LTH_HERE)
static inline lth_tensor lth_rotary_(lth_tensor x, lth_tensor cosines, lth_tensor sines, uint32_t interleaved, const char *file,
                                     uint32_t line)
{
    lth_attr_rotary at = { interleaved, 0 };
    lth_tensor in[3] = { x, cosines, sines };
    return lth_op_(LTH_OP_ROTARY, in, 3, &at, sizeof at, file, line);
}

/* ---- Recurrent layers: one layer, one direction ---- */

/* I input channels, H of the state, G gates in PyTorch's order (LSTM: i f g o; GRU: r z n; else 1). */
typedef struct lth_rnn_weights {
    lth_tensor w_ih; /* (G H, I) */
    lth_tensor w_hh; /* (G H, H) */
    lth_tensor b_ih; /* (G H) */
    lth_tensor b_hh; /* (G H) */
} lth_rnn_weights;

typedef struct lth_rnn_result {
    lth_tensor y; /* (T, B, H): h after each step */
    lth_tensor h; /* (B, H): after the last one taken */
    lth_tensor c; /* (B, H): of an LSTM; else h */
} lth_rnn_result;

/* x (T, B, I), h (B, H) and of an LSTM c (B, H): the state before the first step. reverse: from the last step to the first; y
 * stays in x's order. The cells are torch.nn's; the GRU's new gate is tanh(W_in x + b_in + r (W_hn h + b_hn)). */
static inline lth_rnn_result lth_rnn_(uint32_t cell, lth_tensor x, lth_tensor h, lth_tensor c, const lth_rnn_weights *w,
                                      int32_t reverse, const char *file, uint32_t line)
{
    lth_attr_rnn at = { cell, reverse > 0 ? 1u : 0u };
    lth_tensor in[7] = { x, h, c };
    uint32_t n = cell == LTH_RNN_LSTM ? 3 : 2;
    in[n++] = w->w_ih;
    in[n++] = w->w_hh;
    in[n++] = w->b_ih;
    in[n++] = w->b_hh;
    lth_rnn_result r = { lth_op_(LTH_OP_RNN, in, n, &at, sizeof at, file, line), lth_none(), lth_none() };
    if (!r.y.trace)
        return r;
    r.h = r.y.trace->api->result(r.y.trace, r.y, 1);
    r.c = r.y.trace->api->result(r.y.trace, r.y, 2);
    return r;
}
/* w: const lth_rnn_weights * */
#define lth_rnn_tanh(x, h, w, reverse) lth_rnn_(LTH_RNN_TANH, (x), (h), lth_none(), (w), (reverse), LTH_HERE)
#define lth_rnn_relu(x, h, w, reverse) lth_rnn_(LTH_RNN_RELU, (x), (h), lth_none(), (w), (reverse), LTH_HERE)
#define lth_rnn_gru(x, h, w, reverse) lth_rnn_(LTH_RNN_GRU, (x), (h), lth_none(), (w), (reverse), LTH_HERE)
#define lth_rnn_lstm(x, h, c, w, reverse) lth_rnn_(LTH_RNN_LSTM, (x), (h), (c), (w), (reverse), LTH_HERE)

LTH_END_C
#endif
