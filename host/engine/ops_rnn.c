/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_rnn.c: recurrent layers: one layer, one direction (Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014).
 * The formulas are in ops_rnn.h. Where an accelerator has no kernel for RNN_STEPS, steps are nodes of their own. */
#include "engine/ops_rnn.h"
#include "util/memory.h"

#include <stdlib.h>

recurrence recurrence_of(const lth_attr_rnn *a, const lth_shape *x, const lth_shape *h0)
{
    static const int64_t gates[] = { [LTH_RNN_TANH] = 1, [LTH_RNN_RELU] = 1, [LTH_RNN_LSTM] = 4, [LTH_RNN_GRU] = 3 };
    static const int64_t saved[] = { [LTH_RNN_TANH] = 1, [LTH_RNN_RELU] = 1, [LTH_RNN_LSTM] = 5, [LTH_RNN_GRU] = 4 };
    lth_dtype wide = lth_dtype_size(h0->dtype) == 2 ? LTH_F32 : h0->dtype;
    return (recurrence) { x->dim[0], x->dim[1], h0->dim[1], gates[a->cell],  saved[a->cell],
                          h0->dtype, wide,      a->cell,    a->reverse != 0, a->cell == LTH_RNN_LSTM };
}

/* ---- Shape rules ---- */

bool recurrence_expects(op_shapes *s, uint32_t i, const char *name, lth_dtype type, int32_t rank, const int64_t *dim)
{
    const lth_shape *got = s->operands[i];
    lth_shape wanted = { type, rank, { 0 } };
    for (int32_t k = 0; k < rank; k++)
        wanted.dim[k] = dim[k];
    return (got->dtype == type && op_same_dims(got, &wanted)) ||
           op_refuse(s, "%s is %s %s, must be %s %s", name, lth_dtype_name(got->dtype), op_shape_text(got).text,
                     lth_dtype_name(type), op_shape_text(&wanted).text);
}

bool recurrence_checks(op_shapes *s, uint32_t shared, uint32_t of_lstm)
{
    lth_attr_rnn *a = s->attributes;
    const lth_shape *x = s->operands[0], *h0 = s->operands[1];
    int64_t most;
    if (a->cell > LTH_RNN_GRU)
        return op_refuse(s, "there is no cell %u", a->cell);
    a->reverse = a->reverse != 0;
    uint32_t wanted = shared + (a->cell == LTH_RNN_LSTM ? of_lstm : 0);
    if (s->count != wanted)
        return op_refuse(s, "%u operands, where its cell takes %u", s->count, wanted);
    if (!op_needs_float(s, 0) || !op_needs_float(s, 1))
        return false;
    if (x->rank != 3 || h0->rank != 2)
        return op_refuse(s, "a sequence is (T, B, I) and a state (B, H), got %s and %s", op_shape_text(x).text,
                         op_shape_text(h0).text);
    return !__builtin_mul_overflow(5, h0->dim[1], &most) || op_refuse(s, "a state %s is too wide", op_shape_text(h0).text);
}

static bool fits_state(op_shapes *s, const recurrence *n)
{
    const int64_t state[2] = { n->B, n->H };
    return recurrence_expects(s, 1, "the state h0", n->type, 2, state) &&
           (!n->has_c || recurrence_expects(s, 2, "the cell's state c0", n->type, 2, state));
}

/* w_hh and the biases, from `at` on. */
static bool fits_weights(op_shapes *s, const recurrence *n, uint32_t at)
{
    const int64_t w_hh[2] = { n->G * n->H, n->H };
    return recurrence_expects(s, at, "w_hh", n->type, 2, w_hh) && recurrence_expects(s, at + 1, "b_ih", n->type, 1, w_hh) &&
           recurrence_expects(s, at + 2, "b_hh", n->type, 1, w_hh);
}

bool shape_rnn(op_shapes *s)
{
    const lth_shape *x = s->operands[0], *h0 = s->operands[1];
    if (!op_same_dtypes(s, 0) || !recurrence_checks(s, 6, 1))
        return false;
    recurrence n = recurrence_of(s->attributes, x, h0);
    uint32_t w_ih = n.has_c ? 3 : 2;
    const int64_t weight[2] = { n.G * n.H, x->dim[2] };
    if (!fits_state(s, &n) || !recurrence_expects(s, w_ih, "w_ih", n.type, 2, weight) || !fits_weights(s, &n, w_ih + 1))
        return false;
    s->results[0] = (lth_shape) { n.type, 3, { n.T, n.B, n.H } };
    s->results[1] = s->results[2] = *h0;
    return op_checks_size(s, &s->results[0]);
}

bool shape_rnn_steps(op_shapes *s)
{
    const lth_shape *x = s->operands[0], *h0 = s->operands[1];
    if (!op_same_dtypes(s, 1) || !recurrence_checks(s, 5, 1))
        return false;
    recurrence n = recurrence_of(s->attributes, x, h0);
    const int64_t product[3] = { n.T, n.B, n.G * n.H };
    if (!recurrence_expects(s, 0, "the product with w_ih", n.wide, 3, product) || !fits_state(s, &n) ||
        !fits_weights(s, &n, n.has_c ? 3 : 2))
        return false;
    s->results[0] = (lth_shape) { n.type, 3, { n.T, n.B, n.H } };
    s->results[1] = *h0;
    s->results[2] = (lth_shape) { n.type, 2, { n.has_c ? n.B : 0, n.H } };
    s->results[3] = (lth_shape) { n.wide, 3, { n.T, n.B, n.S * n.H } };
    return op_checks_size(s, &s->results[3]);
}

/* ---- RNN ---- */

/* Factors of the state's type, the sum in the wide one. */
static uint32_t wide_product(op_rule *r, const recurrence *n, uint32_t x, uint32_t w)
{
    lth_attr_matmul t = { 0, 1, n->wide, 0 };
    uint32_t in[2] = { op_cast(r, x, n->type), w };
    return op_emit(r, LTH_OP_MATMUL, in, 2, &t, sizeof t);
}

void decompose_rnn(op_rule *r)
{
    const lth_shape x = *op_operand_shape(r, 0);
    recurrence n = recurrence_of(r->attributes, &x, op_operand_shape(r, 1));
    uint32_t w_ih = n.has_c ? 3 : 2, in[7], count = 1;
    lth_shape rows = { n.type, 2, { n.T * n.B, x.dim[2] } }, steps = { n.wide, 3, { n.T, n.B, n.G * n.H } };
    in[0] = op_reshape(r, wide_product(r, &n, op_reshape(r, r->operands[0], &rows), r->operands[w_ih]), &steps);
    for (uint32_t i = 1; i < r->count; i++)
        if (i != w_ih)
            in[count++] = r->operands[i];
    uint32_t y = op_emit(r, LTH_OP_RNN_STEPS, in, count, r->attributes, sizeof(lth_attr_rnn));
    for (uint32_t i = 0; i < 3 && y != LTH_NO_VALUE; i++)
        r->outputs[i] = y + (n.has_c || i < 2 ? i : 1);
}

/* ---- Steps as nodes ---- */

/* For time and memory of a compilation. */
enum { MOST_STEPS = 1 << 16 };

bool recurrence_unrolls(op_rule *r, const recurrence *n)
{
    return n->T <= MOST_STEPS ||
           error_set(r->error, LTH_UNSUPPORTED,
                     "%lld steps, each of which is compiled here; at most %d are: cut the sequence into parts, and hand the "
                     "state on",
                     (long long)n->T, MOST_STEPS) == LTH_OK;
}

uint32_t recurrence_step(op_rule *r, const recurrence *n, uint32_t x, int64_t t)
{
    if (x == LTH_NO_VALUE)
        return x;
    const lth_shape *all = op_shape_of(r, x);
    lth_shape row = { all->dtype, 2, { n->B, all->dim[2] } };
    return op_reshape(r, op_slice_axis(r, x, 0, t, 1), &row);
}

uint32_t recurrence_part(op_rule *r, const recurrence *n, uint32_t x, int64_t first, int64_t count)
{
    return op_slice_axis(r, x, 1, first * n->H, count * n->H);
}

uint32_t recurrence_stack(op_rule *r, const recurrence *n, uint32_t *parts, int64_t k, lth_dtype type)
{
    lth_shape all = { type, 3, { n->T, n->B, k * n->H } }, one = all;
    one.dim[0] = 1;
    for (int64_t t = 0; t < n->T; t++)
        parts[t] = op_reshape(r, op_cast(r, parts[t], type), &one);
    return n->T ? op_concat(r, parts, (uint32_t)n->T, 0) : op_filled(r, &all, 0);
}

typedef struct state {
    uint32_t h, c, saved; /* (B, H), (B, H), (B, S H) */
} state;

/* sigmoid(x) = (1 + tanh(x / 2)) / 2: four nodes a step, none of which overflows. */
static uint32_t gate_sigmoid(op_rule *r, uint32_t x)
{
    return op_plus(r, op_scale(r, op_1(r, LTH_OP_TANH, op_scale(r, x, 0.5)), 0.5), 0.5);
}

/* Each makes of a step's x W' + b, its h U' + c and the state the next one. */
typedef state step(op_rule *r, const recurrence *n, uint32_t x, uint32_t u, state s);

static state step_tanh(op_rule *r, const recurrence *n, uint32_t x, uint32_t u, state s)
{
    (void)n, (void)s;
    uint32_t h = op_1(r, LTH_OP_TANH, op_add(r, x, u));
    return (state) { h, h, h };
}

static state step_relu(op_rule *r, const recurrence *n, uint32_t x, uint32_t u, state s)
{
    (void)n, (void)s;
    uint32_t sum = op_add(r, x, u), h = op_2n(r, LTH_OP_MAXIMUM, sum, 0);
    return (state) { h, h, sum };
}

static state step_lstm(op_rule *r, const recurrence *n, uint32_t x, uint32_t u, state s)
{
    uint32_t sum = op_add(r, x, u);
    uint32_t if_ = gate_sigmoid(r, recurrence_part(r, n, sum, 0, 2)), o = gate_sigmoid(r, recurrence_part(r, n, sum, 3, 1));
    uint32_t g = op_1(r, LTH_OP_TANH, recurrence_part(r, n, sum, 2, 1));
    uint32_t kept = op_mul(r, recurrence_part(r, n, if_, 1, 1), s.c), added = op_mul(r, recurrence_part(r, n, if_, 0, 1), g);
    uint32_t c = op_add(r, kept, added), saved[] = { if_, g, o, c };
    return (state) { op_mul(r, o, op_1(r, LTH_OP_TANH, c)), c, op_concat(r, saved, 4, 1) };
}

static state step_gru(op_rule *r, const recurrence *n, uint32_t x, uint32_t u, state s)
{
    uint32_t rz = gate_sigmoid(r, op_add(r, recurrence_part(r, n, x, 0, 2), recurrence_part(r, n, u, 0, 2)));
    uint32_t u_n = recurrence_part(r, n, u, 2, 1), reset = op_mul(r, recurrence_part(r, n, rz, 0, 1), u_n);
    uint32_t new_ = op_1(r, LTH_OP_TANH, op_add(r, recurrence_part(r, n, x, 2, 1), reset)), saved[] = { rz, new_, u_n };
    uint32_t h = op_add(r, new_, op_mul(r, recurrence_part(r, n, rz, 1, 1), op_sub(r, s.h, new_)));
    return (state) { h, h, op_concat(r, saved, 3, 1) };
}

static step *const step_of[] = {
    [LTH_RNN_TANH] = step_tanh, [LTH_RNN_RELU] = step_relu, [LTH_RNN_LSTM] = step_lstm, [LTH_RNN_GRU] = step_gru
};

void decompose_rnn_steps(op_rule *r)
{
    recurrence n = recurrence_of(r->attributes, op_operand_shape(r, 0), op_operand_shape(r, 1));
    const uint32_t *weights = r->operands + (n.has_c ? 3 : 2), h0 = r->operands[1], c0 = r->operands[n.has_c ? 2 : 1];
    if (!recurrence_unrolls(r, &n))
        return;
    uint32_t w_hh = weights[0], b_ih = op_cast(r, weights[1], n.wide), b_hh = op_cast(r, weights[2], n.wide);
    uint32_t *y = memory_new(2 * (size_t)n.T * sizeof *y + 1), *saved = y + n.T;
    state s = { op_cast(r, h0, n.wide), op_cast(r, c0, n.wide), LTH_NO_VALUE };
    for (int64_t i = 0; i < n.T; i++) {
        int64_t t = recurrence_at(&n, i);
        uint32_t x = op_add(r, recurrence_step(r, &n, r->operands[0], t), b_ih);
        s = step_of[n.cell](r, &n, x, op_add(r, wide_product(r, &n, s.h, w_hh), b_hh), s);
        y[t] = s.h;
        saved[t] = s.saved;
    }
    r->outputs[0] = recurrence_stack(r, &n, y, 1, n.type);
    r->outputs[1] = n.T ? op_cast(r, s.h, n.type) : h0;
    r->outputs[2] = n.T && n.has_c ? op_cast(r, s.c, n.type) : n.has_c ? c0 : op_slice_axis(r, h0, 0, 0, 0);
    r->outputs[3] = recurrence_stack(r, &n, saved, n.S, n.wide);
    free(y);
}
