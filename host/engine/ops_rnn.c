/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_rnn.c: recurrent layers: one layer, one direction (Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014).
 *
 * T steps, B sequences, I input channels, H of the state, G gates (1, LSTM 4: i f g o, GRU 3: r z n, PyTorch's order):
 *   tanh, relu: h' = f(x W' + b + h U' + c), with W = w_ih, U = w_hh, b = b_ih, c = b_hh
 *   LSTM: c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c')
 *   GRU:  n = tanh(x W_n' + b_n + r (h U_n' + c_n)), h' = n + z (h - n)
 *
 * x W' + b is one product for all steps; the steps follow each other as nodes of their own, and the gradient goes through
 * them as through any others. */
#include "engine/ops.h"
#include "util/memory.h"

#include <stdlib.h>

typedef struct recurrence {
    int64_t T, B, I, H, G;
    lth_dtype type, wide; /* of the operands; of the cell's arithmetic and of the state between steps: f32 for 16 bits */
    uint32_t cell;
    bool reverse, has_c;
    uint32_t h0, c0, w_ih, w_hh, b_ih, b_hh; /* operands, by index */
} recurrence;

static recurrence recurrence_of(const lth_attr_rnn *a, const lth_shape *x, const lth_shape *h0)
{
    static const int64_t gates[] = { [LTH_RNN_TANH] = 1, [LTH_RNN_RELU] = 1, [LTH_RNN_LSTM] = 4, [LTH_RNN_GRU] = 3 };
    bool has_c = a->cell == LTH_RNN_LSTM;
    uint32_t first = has_c ? 3 : 2;
    lth_dtype wide = lth_dtype_size(x->dtype) == 2 ? LTH_F32 : x->dtype;
    return (recurrence) { x->dim[0],       x->dim[1], x->dim[2], h0->dim[1], gates[a->cell], x->dtype,  wide,      a->cell,
                          a->reverse != 0, has_c,     1,         2,          first,          first + 1, first + 2, first + 3 };
}

/* ---- Shape rule ---- */

/* Each step is nodes of its own. */
enum { MOST_STEPS = 1 << 16 };

static bool expects(op_shapes *s, uint32_t i, const char *name, int32_t rank, int64_t d0, int64_t d1)
{
    const lth_shape *got = s->operands[i];
    lth_shape wanted = { got->dtype, rank, { d0, rank > 1 ? d1 : 0 } };
    return op_same_dims(got, &wanted) ||
           op_refuse(s, "%s is %s, must be %s", name, op_shape_text(got).text, op_shape_text(&wanted).text);
}

bool shape_rnn(op_shapes *s)
{
    lth_attr_rnn *a = s->attributes;
    const lth_shape *x = s->operands[0], *h0 = s->operands[1];
    if (a->cell > LTH_RNN_GRU)
        return op_refuse(s, "there is no cell %u", a->cell);
    a->reverse = a->reverse != 0;
    uint32_t wanted = a->cell == LTH_RNN_LSTM ? 7 : 6;
    if (s->count != wanted)
        return op_refuse(s, "%u operands, where its cell takes %u", s->count, wanted);
    if (!op_needs_float(s, 0) || !op_same_dtypes(s, 0))
        return false;
    if (x->rank != 3 || h0->rank != 2)
        return op_refuse(s, "a sequence is (T, B, I) and a state (B, H), got %s and %s", op_shape_text(x).text,
                         op_shape_text(h0).text);
    recurrence n = recurrence_of(a, x, h0);
    int64_t rows;
    if (n.T > MOST_STEPS)
        return op_refuse(
            s, "%lld steps, each of which is compiled; at most %d are: cut the sequence into parts, and hand the state on",
            (long long)n.T, MOST_STEPS);
    if (__builtin_mul_overflow(n.G, n.H, &rows))
        return op_refuse(s, "a state %s is too wide", op_shape_text(h0).text);
    if (!expects(s, n.h0, "the state h0", 2, n.B, n.H) || (n.has_c && !expects(s, n.c0, "the cell's state c0", 2, n.B, n.H)) ||
        !expects(s, n.w_ih, "w_ih", 2, rows, n.I) || !expects(s, n.w_hh, "w_hh", 2, rows, n.H) ||
        !expects(s, n.b_ih, "b_ih", 1, rows, 0) || !expects(s, n.b_hh, "b_hh", 1, rows, 0))
        return false;
    s->results[0] = (lth_shape) { n.type, 3, { n.T, n.B, n.H } };
    s->results[1] = s->results[2] = *h0;
    return op_checks_size(s, &s->results[0]);
}

/* ---- Cells: from a step's x W' + b to the next h and c, each (B, H) ---- */

typedef struct state {
    uint32_t h, c;
} state;

/* sigmoid(x) = (1 + tanh(x / 2)) / 2: four nodes a step, none of which overflows. */
static uint32_t gate_sigmoid(op_rule *r, uint32_t x)
{
    return op_plus(r, op_scale(r, op_1(r, LTH_OP_TANH, op_scale(r, x, 0.5)), 0.5), 0.5);
}

/* Gates first .. first + count - 1 of (B, G H). */
static uint32_t gates(op_rule *r, const recurrence *n, uint32_t x, int64_t first, int64_t count)
{
    return op_slice_axis(r, x, 1, first * n->H, count * n->H);
}

/* x w' + b: factors of the operands' type, the sum in the wide one. */
static uint32_t affine(op_rule *r, const recurrence *n, uint32_t x, uint32_t w, uint32_t b)
{
    lth_attr_matmul t = { 0, 1, n->wide, 0 };
    uint32_t in[2] = { op_cast(r, x, n->type), r->operands[w] };
    return op_add(r, op_emit(r, LTH_OP_MATMUL, in, 2, &t, sizeof t), op_cast(r, r->operands[b], n->wide));
}

/* h U' + c */
static uint32_t from_state(op_rule *r, const recurrence *n, uint32_t h) { return affine(r, n, h, n->w_hh, n->b_hh); }

static state step_elman(op_rule *r, const recurrence *n, uint32_t x, state s)
{
    uint32_t sum = op_add(r, x, from_state(r, n, s.h));
    uint32_t h = n->cell == LTH_RNN_TANH ? op_1(r, LTH_OP_TANH, sum) : op_2n(r, LTH_OP_MAXIMUM, sum, 0);
    return (state) { h, h };
}

static state step_lstm(op_rule *r, const recurrence *n, uint32_t x, state s)
{
    uint32_t sum = op_add(r, x, from_state(r, n, s.h));
    uint32_t if_ = gate_sigmoid(r, gates(r, n, sum, 0, 2)), o = gate_sigmoid(r, gates(r, n, sum, 3, 1));
    uint32_t g = op_1(r, LTH_OP_TANH, gates(r, n, sum, 2, 1));
    uint32_t kept = op_mul(r, gates(r, n, if_, 1, 1), s.c), added = op_mul(r, gates(r, n, if_, 0, 1), g);
    uint32_t c = op_add(r, kept, added);
    return (state) { op_mul(r, o, op_1(r, LTH_OP_TANH, c)), c };
}

static state step_gru(op_rule *r, const recurrence *n, uint32_t x, state s)
{
    uint32_t u = from_state(r, n, s.h);
    uint32_t rz = gate_sigmoid(r, op_add(r, gates(r, n, x, 0, 2), gates(r, n, u, 0, 2)));
    uint32_t reset = op_mul(r, gates(r, n, rz, 0, 1), gates(r, n, u, 2, 1));
    uint32_t new_ = op_1(r, LTH_OP_TANH, op_add(r, gates(r, n, x, 2, 1), reset));
    uint32_t h = op_add(r, new_, op_mul(r, gates(r, n, rz, 1, 1), op_sub(r, s.h, new_)));
    return (state) { h, h };
}

/* ---- Decomposition ---- */

/* x W' + b for all steps: (T, B, G H) */
static uint32_t from_inputs(op_rule *r, const recurrence *n)
{
    lth_shape rows = { n->type, 2, { n->T * n->B, n->I } }, steps = { n->wide, 3, { n->T, n->B, n->G * n->H } };
    return op_reshape(r, affine(r, n, op_reshape(r, r->operands[0], &rows), n->w_ih, n->b_ih), &steps);
}

void decompose_rnn(op_rule *r)
{
    static state (*const steps[])(op_rule * r, const recurrence *n, uint32_t x, state s) = {
        [LTH_RNN_TANH] = step_elman, [LTH_RNN_RELU] = step_elman, [LTH_RNN_LSTM] = step_lstm, [LTH_RNN_GRU] = step_gru
    };
    recurrence n = recurrence_of(r->attributes, op_operand_shape(r, 0), op_operand_shape(r, 1));
    uint32_t first_h = r->operands[n.h0], first_c = r->operands[n.has_c ? n.c0 : n.h0];
    state s = { op_cast(r, first_h, n.wide), op_cast(r, first_c, n.wide) };
    lth_shape y = { n.type, 3, { n.T, n.B, n.H } }, one = { n.type, 3, { 1, n.B, n.H } }, row = { n.wide, 2, { n.B, n.G * n.H } };
    if (n.T == 0) {
        r->outputs[0] = op_filled(r, &y, 0);
        r->outputs[1] = first_h;
        r->outputs[2] = first_c;
        return;
    }
    uint32_t x = from_inputs(r, &n), *parts = memory_new((size_t)n.T * sizeof *parts);
    for (int64_t i = 0; i < n.T; i++) {
        int64_t t = n.reverse ? n.T - 1 - i : i;
        s = steps[n.cell](r, &n, op_reshape(r, op_slice_axis(r, x, 0, t, 1), &row), s);
        parts[t] = op_reshape(r, op_cast(r, s.h, n.type), &one);
    }
    r->outputs[0] = op_concat(r, parts, (uint32_t)n.T, 0);
    r->outputs[1] = op_cast(r, s.h, n.type);
    r->outputs[2] = op_cast(r, s.c, n.type);
    free(parts);
}
