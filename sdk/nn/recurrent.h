/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/recurrent.h: torch.nn.RNN, LSTM and GRU, their names, shapes and initial distributions, and their cells. [main]
 *
 * T steps, B sequences, I input channels, H of the state, L layers, D directions. A layer is one op for each direction
 * (lthost/sequence.h): a new T is a new plan. */
#ifndef LTHOST_NN_RECURRENT_H
#define LTHOST_NN_RECURRENT_H

#include "check.h"
#include "init.h"

#include <lthost/sequence.h>
#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

enum { LTH_RECURRENT_LAYERS = 16 };

/* What a layer in one direction, or a cell, is made of; ids 0: none. */
typedef struct lth_recurrent_parameters {
    lth_parameter w_ih, w_hh, b_ih, b_hh;
} lth_recurrent_parameters;

typedef struct lth_recurrent {
    lth_recurrent_parameters at[2 * LTH_RECURRENT_LAYERS]; /* layer D + direction */
    uint32_t cell, batch_first;
    int64_t inputs, hidden, layers, directions;
    double dropout;
} lth_recurrent;

typedef struct lth_recurrent_args {
    int64_t hidden LTH_ZERO;
    int64_t layers LTH_ZERO; /* default 1 */
    double dropout LTH_ZERO; /* of what each layer but the last gives to the next */
    int32_t bidirectional LTH_ZERO;
    int32_t batch_first LTH_ZERO; /* 1: sequences are (B, T, ...), else (T, B, ...) */
    int32_t no_bias LTH_ZERO;
    int32_t relu LTH_ZERO; /* of lth_rnn_new alone: relu in place of tanh */
} lth_recurrent_args;

/* Gates G: rows of the weights over H. */
static inline int64_t lth_recurrent_gates_(uint32_t cell) { return cell == LTH_RNN_LSTM ? 4 : cell == LTH_RNN_GRU ? 3 : 1; }

static inline lth_recurrent_parameters lth_recurrent_parameters_(lth_setup *s, const char *suffix, uint32_t cell, int64_t I,
                                                                 int64_t H, int32_t no_bias, const char *file, uint32_t line)
{
    lth_recurrent_parameters p = { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } };
    const double bound = 1 / sqrt(H > 0 ? (double)H : 1);
    const lth_init init = { LTH_INIT_UNIFORM, 0, -bound, bound, NULL };
    int64_t rows = lth_recurrent_gates_(cell) * H;
    char name[64];
    snprintf(name, sizeof name, "weight_ih%s", suffix);
    p.w_ih = lth_parameter_new(s, name, LTH_SHAPE(rows, I), &init);
    snprintf(name, sizeof name, "weight_hh%s", suffix);
    p.w_hh = lth_parameter_new(s, name, LTH_SHAPE(rows, H), &init);
    if (no_bias)
        return p;
    snprintf(name, sizeof name, "bias_ih%s", suffix);
    p.b_ih = lth_parameter_new(s, name, LTH_SHAPE(rows), &init);
    snprintf(name, sizeof name, "bias_hh%s", suffix);
    p.b_hh = lth_parameter_new(s, name, LTH_SHAPE(rows), &init);
    return p;
}

static inline lth_recurrent lth_recurrent_new_(lth_setup *s, const char *name, uint32_t cell, int64_t I,
                                               const lth_recurrent_args *a, const char *file, uint32_t line)
{
    static const char *const types[] = { "RNN", "RNN", "LSTM", "GRU" };
    lth_recurrent m;
    memset(&m, 0, sizeof m);
    m.cell = cell == LTH_RNN_TANH && a->relu ? (uint32_t)LTH_RNN_RELU : cell;
    m.batch_first = a->batch_first > 0;
    m.inputs = I;
    m.hidden = a->hidden;
    m.directions = a->bidirectional > 0 ? 2 : 1;
    m.dropout = a->dropout;
    int64_t layers = a->layers > 0 ? a->layers : 1;
    if (layers > LTH_RECURRENT_LAYERS || a->hidden < 1 || !(a->dropout >= 0 && a->dropout < 1)) {
        s->api->fail(s, file, line, "a recurrent layer has 1 to 16 layers, a hidden size of at least 1 and a dropout in [0, 1)");
        return m;
    }
    m.layers = layers;
    s->api->module(s, name, types[m.cell]);
    lth_enter(s, name);
    for (int64_t l = 0; l < m.layers; l++)
        for (int64_t d = 0; d < m.directions; d++) {
            char suffix[32];
            snprintf(suffix, sizeof suffix, "_l%d%s", (int)l, d ? "_reverse" : "");
            m.at[l * m.directions + d] =
                lth_recurrent_parameters_(s, suffix, m.cell, l ? m.hidden * m.directions : I, m.hidden, a->no_bias, file, line);
        }
    lth_leave(s);
    return m;
}

static inline lth_rnn_weights lth_recurrent_weights_(const lth_recurrent_parameters *p, lth_tensor near_, const char *file,
                                                     uint32_t line)
{
    lth_rnn_weights w = { lth_parameter_value(near_, p->w_ih), lth_parameter_value(near_, p->w_hh), lth_none(), lth_none() };
    if (p->b_ih.id) {
        w.b_ih = lth_parameter_value(near_, p->b_ih);
        w.b_hh = lth_parameter_value(near_, p->b_hh);
        return w;
    }
    lth_tensor zero = lth_cast(lth_scalar(near_, 0), lth_dtype_of(w.w_ih));
    w.b_ih = w.b_hh = lth_expand(zero, lth_dim(w.w_ih, 0));
    return w;
}

/* ---- Sequences of their own lengths, as torch's packed ones ---- */

typedef struct lth_lengths_ {
    lth_tensor valid;  /* bool (T, B, 1): steps that a sequence has */
    lth_tensor turned; /* i64 (T, B): where each step lies when every sequence runs backwards from its own end */
    lth_tensor last;   /* i64 (1, B): the last step; 0 for an empty sequence */
    lth_tensor empty;  /* bool (B, 1) */
} lth_lengths_;

static inline lth_lengths_ lth_lengths_of_(lth_tensor lengths, int64_t T, int64_t B, const char *file, uint32_t line)
{
    lth_tensor n = lth_dtype_of(lengths) == LTH_I64 ? lengths : lth_cast(lengths, LTH_I64), t = lth_iota(n, LTH_SHAPE(T, B), 0);
    lth_tensor valid = lth_lt(t, n);
    lth_lengths_ l = { lth_reshape(valid, T, B, 1), lth_where(valid, lth_sub(lth_sub(n, 1), t), t),
                       lth_reshape(lth_maximum(lth_sub(n, 1), 0), 1, B), lth_reshape(lth_le(n, 0), B, 1) };
    return l;
}

/* x (T, B, C) at the steps `index` (T', B) of each sequence. */
static inline lth_tensor lth_steps_at_(lth_tensor x, lth_tensor index, const char *file, uint32_t line)
{
    int64_t T = lth_dim(index, 0), B = lth_dim(index, 1), C = lth_dim(x, 2);
    return lth_gather_along(x, lth_expand(lth_reshape(index, T, B, 1), T, B, C), 0);
}

/* Steps that a sequence does not have leave an LSTM's c as it is: a channel of their own closes their input gates and opens
 * their forget gates. 1e4 is beyond where a sigmoid is 0 or 1 to the last bit. */
static inline void lth_keep_cell_state_(lth_tensor *x, lth_rnn_weights *w, const lth_lengths_ *l, int64_t H, const char *file,
                                        uint32_t line)
{
    lth_dtype type = lth_dtype_of(*x);
    lth_tensor big = lth_expand(lth_cast(lth_scalar(*x, 1e4), type), H, 1),
               zero = lth_expand(lth_cast(lth_scalar(*x, 0), type), 2 * H, 1);
    lth_tensor column[3] = { lth_neg(big), big, zero };
    lth_tensor inputs[2] = { *x, lth_cast(lth_not(l->valid), type) }, weights[2] = { w->w_ih, lth_concat(column, 3, 0) };
    *x = lth_concat(inputs, 2, 2);
    w->w_ih = lth_concat(weights, 2, 1);
}

/* One layer, one direction, of sequences with lengths. */
static inline lth_rnn_result lth_recurrent_of_lengths_(uint32_t cell, lth_tensor x, lth_tensor h, lth_tensor c, lth_rnn_weights w,
                                                       int64_t reverse, const lth_lengths_ *l, const char *file, uint32_t line)
{
    int64_t B = lth_dim(h, 0), H = lth_dim(h, 1);
    if (reverse)
        x = lth_steps_at_(x, l->turned, file, line);
    if (cell == LTH_RNN_LSTM)
        lth_keep_cell_state_(&x, &w, l, H, file, line);
    lth_rnn_result r = lth_rnn_(cell, x, h, c, &w, 0, file, line);
    if (lth_dim(x, 0) == 0)
        return r;
    r.h = lth_where(l->empty, h, lth_reshape(lth_steps_at_(r.y, l->last, file, line), B, H));
    r.c = cell == LTH_RNN_LSTM ? r.c : r.h;
    if (reverse)
        r.y = lth_steps_at_(r.y, l->turned, file, line);
    r.y = lth_where(l->valid, r.y, 0);
    return r;
}

/* ---- Whole stacks ---- */

typedef struct lth_recurrent_call {
    lth_tensor x LTH_ZERO;
    lth_tensor h0 LTH_ZERO; /* (L D, B, H); default zeros */
    lth_tensor c0 LTH_ZERO; /* of an LSTM, the same */
    lth_tensor lengths
        LTH_ZERO; /* i64 or i32 (B), each at most T: steps beyond are not seen, y is 0 there, h and c are those of the
                   * last step, and the backward direction begins at it: torch's pack_padded_sequence and back */
} lth_recurrent_call;

/* Row i of a state (L D, B, H), or zeros, as (B, H). */
static inline lth_tensor lth_recurrent_state_(lth_tensor all, lth_tensor x, int64_t i, int64_t B, int64_t H, const char *file,
                                              uint32_t line)
{
    if (lth_is_none(all))
        return lth_expand(lth_cast(lth_scalar(x, 0), lth_dtype_of(x)), B, H);
    return lth_reshape(lth_slice(all, 0, i, i + 1), B, H);
}

/* What cannot be run, said at the author's place. */
static inline bool lth_recurrent_accepts_(const lth_recurrent *m, const lth_recurrent_call *a, int64_t B, const char *file,
                                          uint32_t line)
{
    const lth_tensor states[2] = { a->h0, a->c0 };
    for (int32_t i = 0; i < 2; i++) {
        lth_tensor s = states[i];
        if (s.trace && (lth_rank(s) != 3 || lth_dim(s, 0) != m->layers * m->directions || lth_dim(s, 1) != B ||
                        lth_dim(s, 2) != m->hidden)) {
            lth_nn_fail_(a->x, file, line, "%s is (layers x directions, B, H), (%lld, %lld, %lld) here; got %s", i ? "c0" : "h0",
                         (long long)m->layers * (long long)m->directions, (long long)B, (long long)m->hidden,
                         lth_shape_text_(s).at);
            return false;
        }
    }
    if (a->c0.trace && m->cell != LTH_RNN_LSTM) {
        lth_nn_fail_(a->x, file, line, "only an LSTM has a state c0");
        return false;
    }
    if (a->lengths.trace && (lth_rank(a->lengths) != 1 || lth_dim(a->lengths, 0) != B)) {
        lth_nn_fail_(a->x, file, line, "lengths are (B), (%lld) here; got %s", (long long)B, lth_shape_text_(a->lengths).at);
        return false;
    }
    return true;
}

/* x (T, B, I), or (B, T, I) with batch_first -> y of the same order, (T, B, D H), h and c (L D, B, H). */
static inline lth_rnn_result lth_recurrent_apply_(const lth_recurrent *m, const lth_recurrent_call *a, const char *file,
                                                  uint32_t line)
{
    lth_tensor x = a->x;
    lth_rnn_result r = { x, x, x };
    if (!x.trace)
        return r;
    if (m->layers < 1)
        r.y = lth_nn_fail_(x, file, line, "this recurrent layer was never made: call lth_lstm_new, say, in configure");
    else if (lth_rank(x) != 3 || lth_dim(x, 2) != m->inputs)
        r.y = lth_nn_fail_(x, file, line, "a recurrent layer of (%s, %lld) was given %s", m->batch_first ? "B, T" : "T, B",
                           (long long)m->inputs, lth_shape_text_(x).at);
    else if (lth_recurrent_accepts_(m, a, lth_dim(x, m->batch_first ? 0 : 1), file, line)) {
        x = m->batch_first ? lth_permute(x, 1, 0, 2) : x;
        int64_t T = lth_dim(x, 0), B = lth_dim(x, 1), D = m->directions, H = m->hidden;
        lth_tensor h[2 * LTH_RECURRENT_LAYERS], c[2 * LTH_RECURRENT_LAYERS], y[2];
        lth_lengths_ lengths = { lth_none(), lth_none(), lth_none(), lth_none() };
        if (a->lengths.trace)
            lengths = lth_lengths_of_(a->lengths, T, B, file, line);
        for (int64_t i = 0; i < m->layers * D; i++) {
            lth_tensor h0 = lth_recurrent_state_(a->h0, x, i, B, H, file, line),
                       c0 = lth_recurrent_state_(a->c0, x, i, B, H, file, line);
            lth_rnn_weights w = lth_recurrent_weights_(&m->at[i], x, file, line);
            r = a->lengths.trace ? lth_recurrent_of_lengths_(m->cell, x, h0, c0, w, i % D, &lengths, file, line)
                                 : lth_rnn_(m->cell, x, h0, c0, &w, (int32_t)(i % D), file, line);
            h[i] = lth_reshape(r.h, 1, B, H);
            c[i] = lth_reshape(r.c, 1, B, H);
            y[i % D] = r.y;
            if (i % D == D - 1) {
                x = D == 2 ? lth_concat(y, 2, 2) : r.y;
                x = i < (m->layers - 1) * D ? lth_dropout(x, m->dropout) : x;
            }
        }
        r.y = m->batch_first ? lth_permute(x, 1, 0, 2) : x;
        r.h = lth_concat(h, m->layers * D, 0);
        r.c = lth_concat(c, m->layers * D, 0);
    }
    return r;
}

/* ---- Cells: one step ---- */

typedef struct lth_recurrent_cell {
    lth_recurrent_parameters parameters;
    uint32_t cell, reserved;
    int64_t inputs, hidden;
} lth_recurrent_cell;

static inline lth_recurrent_cell lth_recurrent_cell_new_(lth_setup *s, const char *name, uint32_t cell, int64_t I,
                                                         const lth_recurrent_args *a, const char *file, uint32_t line)
{
    static const char *const types[] = { "RNNCell", "RNNCell", "LSTMCell", "GRUCell" };
    lth_recurrent_cell m = { { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } },
                             cell == LTH_RNN_TANH && a->relu ? (uint32_t)LTH_RNN_RELU : cell,
                             0,
                             I,
                             a->hidden };
    if (a->layers || a->dropout > 0 || a->bidirectional || a->batch_first) {
        s->api->fail(s, file, line, "a cell is one layer of one step: it takes .no_bias and .relu alone");
        return m;
    }
    s->api->module(s, name, types[m.cell]);
    lth_enter(s, name);
    m.parameters = lth_recurrent_parameters_(s, "", m.cell, I, a->hidden, a->no_bias, file, line);
    lth_leave(s);
    return m;
}

/* x (B, I), h and of an LSTM c (B, H), none: zeros -> the next h (also y) and c. */
static inline lth_rnn_result lth_recurrent_cell_apply_(const lth_recurrent_cell *m, lth_tensor x, lth_tensor h, lth_tensor c,
                                                       const char *file, uint32_t line)
{
    lth_rnn_result r = { x, x, x };
    if (!x.trace)
        return r;
    if (!m->parameters.w_ih.id)
        r.y = r.h = r.c = lth_nn_fail_(x, file, line, "this cell was never made: call lth_lstm_cell_new, say, in configure");
    else if (lth_rank(x) != 2 || lth_dim(x, 1) != m->inputs)
        r.y = r.h = r.c =
            lth_nn_fail_(x, file, line, "a cell of (B, %lld) was given %s", (long long)m->inputs, lth_shape_text_(x).at);
    else {
        int64_t B = lth_dim(x, 0), H = m->hidden;
        lth_tensor zeros = lth_recurrent_state_(lth_none(), x, 0, B, H, file, line);
        lth_rnn_weights w = lth_recurrent_weights_(&m->parameters, x, file, line);
        r = lth_rnn_(m->cell, lth_reshape(x, 1, B, m->inputs), lth_is_none(h) ? zeros : h, lth_is_none(c) ? zeros : c, &w, 0,
                     file, line);
        r.y = r.h;
    }
    return r;
}

#pragma pop_macro("LTH_HERE")
/* m->lstm = lth_lstm_new(s, "lstm", I, H); options follow: .layers = 2, .dropout, .bidirectional = 1, .batch_first = 1, .no_bias
 * = 1, and of lth_rnn_new .relu = 1. */
#define LTH_RECURRENT_NEW_(s, name, cell, inputs, ...) \
    lth_recurrent_new_((s), (name), (cell), (inputs), LTH_REF(lth_recurrent_args, .hidden = __VA_ARGS__), LTH_HERE)
#define lth_rnn_new(s, name, inputs, ...) LTH_RECURRENT_NEW_(s, name, LTH_RNN_TANH, inputs, __VA_ARGS__)
#define lth_lstm_new(s, name, inputs, ...) LTH_RECURRENT_NEW_(s, name, LTH_RNN_LSTM, inputs, __VA_ARGS__)
#define lth_gru_new(s, name, inputs, ...) LTH_RECURRENT_NEW_(s, name, LTH_RNN_GRU, inputs, __VA_ARGS__)
/* lth_rnn_result r = lth_recurrent_apply(&m->lstm, x); options follow: .h0, .c0, .lengths */
#define lth_recurrent_apply(m, ...) lth_recurrent_apply_((m), LTH_REF(lth_recurrent_call, .x = __VA_ARGS__), LTH_HERE)
/* m->cell = lth_lstm_cell_new(s, "cell", I, H); options: .no_bias = 1, and of lth_rnn_cell_new .relu = 1 */
#define LTH_RECURRENT_CELL_NEW_(s, name, cell, inputs, ...) \
    lth_recurrent_cell_new_((s), (name), (cell), (inputs), LTH_REF(lth_recurrent_args, .hidden = __VA_ARGS__), LTH_HERE)
#define lth_rnn_cell_new(s, name, inputs, ...) LTH_RECURRENT_CELL_NEW_(s, name, LTH_RNN_TANH, inputs, __VA_ARGS__)
#define lth_lstm_cell_new(s, name, inputs, ...) LTH_RECURRENT_CELL_NEW_(s, name, LTH_RNN_LSTM, inputs, __VA_ARGS__)
#define lth_gru_cell_new(s, name, inputs, ...) LTH_RECURRENT_CELL_NEW_(s, name, LTH_RNN_GRU, inputs, __VA_ARGS__)
#define lth_recurrent_cell_apply(m, x, h, c) lth_recurrent_cell_apply_((m), (x), (h), (c), LTH_HERE)

LTH_END_C
#endif
