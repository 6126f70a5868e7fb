/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_rnn_grad.c: the way back through time (formulas and what was saved: ops_rnn.h). With dh and dc what reaches a
 * step's state, from its output and from the step after it:
 *   tanh: d = dh (1 - h'^2);  relu: d = dh where the argument is above 0
 *   LSTM: dc += dh o (1 - tanh(c')^2), and by the gates' arguments
 *         dc g i (1 - i), dc c f (1 - f), dc i (1 - g^2), dh tanh(c') o (1 - o);  c gets dc f
 *   GRU:  dn = dh (1 - z) (1 - n^2), dr = dn u r (1 - r), dz = dh (h - n) z (1 - z), with u = h U_n' + c_n, which gets dn r;
 *         h gets dh z
 * d_x is by x W' + b, d_u by h U' + c: the same but for a GRU. h gets d_u U. */
#include "engine/ops_rnn.h"
#include "util/memory.h"

#include <stdlib.h>

bool shape_rnn_steps_grad(op_shapes *s)
{
    if (!recurrence_checks(s, 6, 2))
        return false;
    const lth_shape *h0 = s->operands[1];
    recurrence n = recurrence_of(s->attributes, s->operands[0], h0);
    uint32_t at = n.has_c ? 3 : 2;
    const int64_t saved[3] = { n.T, n.B, n.S * n.H }, sequence[3] = { n.T, n.B, n.H }, *state = sequence + 1,
                  w_hh[2] = { n.G * n.H, n.H };
    if (!recurrence_expects(s, 0, "what was saved", n.wide, 3, saved) ||
        !recurrence_expects(s, 1, "the state h0", n.type, 2, state) ||
        (n.has_c && !recurrence_expects(s, 2, "the cell's state c0", n.type, 2, state)) ||
        !recurrence_expects(s, at, "w_hh", n.type, 2, w_hh) || !recurrence_expects(s, at + 1, "y", n.type, 3, sequence) ||
        !recurrence_expects(s, at + 2, "the gradient by y", n.type, 3, sequence) ||
        !recurrence_expects(s, at + 3, "the gradient by h", n.type, 2, state) ||
        (n.has_c && !recurrence_expects(s, at + 4, "the gradient by c", n.type, 2, state)))
        return false;
    s->results[0] = (lth_shape) { n.wide, 3, { n.T, n.B, n.G * n.H } };
    s->results[1] = (lth_shape) { n.wide, 3, { n.cell == LTH_RNN_GRU ? n.T : 0, n.B, n.G * n.H } };
    s->results[2] = *h0;
    s->results[3] = (lth_shape) { n.type, 2, { n.has_c ? n.B : 0, n.H } };
    return op_checks_size(s, &s->results[0]);
}

typedef struct way_back {
    uint32_t h0, c0, w_hh, y, saved, d_saved;
    uint32_t d_y, d_h, d_c; /* d_h and d_c: of the last state, then of each before it, in the wide type */
    uint32_t d_x, d_u;      /* of a step */
} way_back;

/* A step's values: what came before it, what it saved, and the gradient by that where it was read. */
typedef struct step_back {
    uint32_t h, c, saved, d_saved;
} step_back;

static uint32_t saved(op_rule *r, const recurrence *n, const step_back *s, int64_t part)
{
    return recurrence_part(r, n, s->saved, part, 1);
}

/* d and the gradient by a part of what was saved. */
static uint32_t with_saved(op_rule *r, const recurrence *n, const step_back *s, int64_t part, uint32_t d)
{
    return op_accumulate(r, d, recurrence_part(r, n, s->d_saved, part, 1));
}

/* d x, x being a gate's argument: through y = tanh(x) it is d (1 - y^2), through y = sigmoid(x) d y (1 - y). */
static uint32_t through_tanh(op_rule *r, uint32_t d, uint32_t y) { return op_sub(r, d, op_mul(r, d, op_mul(r, y, y))); }

static uint32_t through_sigmoid(op_rule *r, uint32_t d, uint32_t y) { return op_mul(r, d, op_sub(r, y, op_mul(r, y, y))); }

/* Each makes of b->d_h (and d_c) what reaches its step's arguments; b->d_h is then what reaches h beside d_u U. */
typedef void back(op_rule *r, const recurrence *n, const step_back *s, way_back *b);

static void back_tanh(op_rule *r, const recurrence *n, const step_back *s, way_back *b)
{
    b->d_x = b->d_u = through_tanh(r, with_saved(r, n, s, 0, b->d_h), s->saved);
    b->d_h = LTH_NO_VALUE;
}

/* On the kink half of it, as by MAXIMUM; where the argument is NaN all of it. */
static void back_relu(op_rule *r, const recurrence *n, const step_back *s, way_back *b)
{
    uint32_t zero = op_number_like(r, s->saved, 0), half = op_scale(r, b->d_h, 0.5);
    uint32_t below = op_where(r, op_2(r, LTH_OP_LT, s->saved, zero), zero, b->d_h);
    b->d_x = b->d_u = with_saved(r, n, s, 0, op_where(r, op_2(r, LTH_OP_EQ, s->saved, zero), half, below));
    b->d_h = LTH_NO_VALUE;
}

static void back_lstm(op_rule *r, const recurrence *n, const step_back *s, way_back *b)
{
    uint32_t i = saved(r, n, s, 0), f = saved(r, n, s, 1), g = saved(r, n, s, 2), o = saved(r, n, s, 3);
    uint32_t tanh_c = op_1(r, LTH_OP_TANH, saved(r, n, s, 4));
    uint32_t dc = op_add(r, b->d_c, through_tanh(r, op_mul(r, b->d_h, o), tanh_c));
    dc = with_saved(r, n, s, 4, dc);
    uint32_t d[4] = { through_sigmoid(r, with_saved(r, n, s, 0, op_mul(r, dc, g)), i),
                      through_sigmoid(r, with_saved(r, n, s, 1, op_mul(r, dc, s->c)), f),
                      through_tanh(r, with_saved(r, n, s, 2, op_mul(r, dc, i)), g),
                      through_sigmoid(r, with_saved(r, n, s, 3, op_mul(r, b->d_h, tanh_c)), o) };
    b->d_x = b->d_u = op_concat(r, d, 4, 1);
    b->d_c = op_mul(r, dc, f);
    b->d_h = LTH_NO_VALUE;
}

static void back_gru(op_rule *r, const recurrence *n, const step_back *s, way_back *b)
{
    uint32_t reset = saved(r, n, s, 0), z = saved(r, n, s, 1), new_ = saved(r, n, s, 2), u = saved(r, n, s, 3);
    uint32_t kept = op_mul(r, b->d_h, z), dn = with_saved(r, n, s, 2, op_sub(r, b->d_h, kept));
    dn = through_tanh(r, dn, new_);
    uint32_t dz = with_saved(r, n, s, 1, op_mul(r, b->d_h, op_sub(r, s->h, new_)));
    uint32_t dr = with_saved(r, n, s, 0, op_mul(r, dn, u)), du = with_saved(r, n, s, 3, op_mul(r, dn, reset));
    uint32_t d[3] = { through_sigmoid(r, dr, reset), through_sigmoid(r, dz, z), dn };
    b->d_x = op_concat(r, d, 3, 1);
    d[2] = du;
    b->d_u = op_concat(r, d, 3, 1);
    b->d_h = kept;
}

static step_back step_of(op_rule *r, const recurrence *n, const way_back *b, int64_t i)
{
    int64_t t = recurrence_at(n, i);
    step_back s = { .saved = recurrence_step(r, n, b->saved, t), .d_saved = recurrence_step(r, n, b->d_saved, t) };
    s.h = op_cast(r, i ? recurrence_step(r, n, b->y, recurrence_at(n, i - 1)) : b->h0, n->wide);
    s.c = n->has_c && i ? recurrence_part(r, n, recurrence_step(r, n, b->saved, recurrence_at(n, i - 1)), 4, 1)
                        : op_cast(r, b->c0, n->wide);
    return s;
}

/* d_u U: factors of the state's type, the sum in the wide one. */
static uint32_t into_state(op_rule *r, const recurrence *n, uint32_t d_u, uint32_t w_hh)
{
    lth_attr_matmul t = { 0, 0, n->wide, 0 };
    uint32_t in[2] = { op_cast(r, d_u, n->type), w_hh };
    return op_emit(r, LTH_OP_MATMUL, in, 2, &t, sizeof t);
}

/* All steps, from the last to the first, as nodes; outputs as RNN_STEPS_GRAD's results. */
static void go_back(op_rule *r, const recurrence *n, way_back *b, uint32_t *outputs)
{
    static back *const through[] = {
        [LTH_RNN_TANH] = back_tanh, [LTH_RNN_RELU] = back_relu, [LTH_RNN_LSTM] = back_lstm, [LTH_RNN_GRU] = back_gru
    };
    if (!recurrence_unrolls(r, n))
        return;
    uint32_t *d_x = memory_new(2 * (size_t)n->T * sizeof *d_x + 1), *d_u = d_x + n->T;
    lth_shape none = { n->wide, 3, { 0, n->B, n->G * n->H } };
    b->d_h = op_cast(r, b->d_h, n->wide);
    b->d_c = op_cast(r, b->d_c, n->wide);
    for (int64_t i = n->T; i-- > 0;) {
        int64_t t = recurrence_at(n, i);
        step_back s = step_of(r, n, b, i);
        b->d_h = op_accumulate(r, b->d_h, op_cast(r, recurrence_step(r, n, b->d_y, t), n->wide));
        through[n->cell](r, n, &s, b);
        b->d_h = op_accumulate(r, b->d_h, into_state(r, n, b->d_u, b->w_hh));
        d_x[t] = b->d_x;
        d_u[t] = b->d_u;
    }
    outputs[0] = recurrence_stack(r, n, d_x, n->G, n->wide);
    outputs[1] = n->cell == LTH_RNN_GRU ? recurrence_stack(r, n, d_u, n->G, n->wide) : op_filled(r, &none, 0);
    outputs[2] = op_cast(r, b->d_h, n->type);
    outputs[3] = op_cast(r, n->has_c ? b->d_c : op_slice_axis(r, b->d_h, 0, 0, 0), n->type);
    free(d_x);
}

void decompose_rnn_steps_grad(op_rule *r)
{
    recurrence n = recurrence_of(r->attributes, op_operand_shape(r, 0), op_operand_shape(r, 1));
    const uint32_t *in = r->operands + (n.has_c ? 3 : 2);
    way_back b = { .saved = r->operands[0],
                   .d_saved = LTH_NO_VALUE,
                   .h0 = r->operands[1],
                   .c0 = r->operands[n.has_c ? 2 : 1],
                   .w_hh = in[0],
                   .y = in[1],
                   .d_y = in[2],
                   .d_h = in[3],
                   .d_c = n.has_c ? in[4] : LTH_NO_VALUE };
    go_back(r, &n, &b, r->outputs);
}

/* ---- The gradient rule of RNN_STEPS ---- */

static uint32_t or_zeros(op_rule *r, uint32_t d, uint32_t like)
{
    lth_shape shape = *op_shape_of(r, like);
    return d == LTH_NO_VALUE ? op_filled(r, &shape, 0) : d;
}

/* By a kernel's op; by nodes where the gradient reaches what was saved, as the gradient of that op does. */
static void grad_of_steps(op_rule *r, const recurrence *n, way_back *b, uint32_t *d)
{
    if (b->d_saved != LTH_NO_VALUE) {
        go_back(r, n, b, d);
        return;
    }
    uint32_t in[8] = { b->saved, b->h0, b->c0 }, count = n->has_c ? 3 : 2;
    in[count++] = b->w_hh;
    in[count++] = b->y;
    in[count++] = b->d_y;
    in[count++] = b->d_h;
    if (n->has_c)
        in[count++] = b->d_c;
    uint32_t first = op_emit(r, LTH_OP_RNN_STEPS_GRAD, in, count, r->attributes, sizeof(lth_attr_rnn));
    for (uint32_t i = 0; i < 4; i++)
        d[i] = first == LTH_NO_VALUE ? first : first + i;
}

/* The state that each step began with: (T B, H). */
static uint32_t states_before(op_rule *r, const recurrence *n, uint32_t y, uint32_t h0)
{
    lth_shape one = { n->type, 3, { 1, n->B, n->H } }, rows = { n->type, 2, { n->T * n->B, n->H } };
    uint32_t first = op_reshape(r, h0, &one), rest = op_slice_axis(r, y, 0, n->reverse ? 1 : 0, n->T - 1);
    uint32_t parts[2] = { n->reverse ? rest : first, n->reverse ? first : rest };
    return op_reshape(r, op_concat(r, parts, 2, 0), &rows);
}

/* Sums over steps and sequences, in the state's type. */
static uint32_t bias_gradient(op_rule *r, const recurrence *n, uint32_t d)
{
    return op_cast(r, op_reduce(r, LTH_OP_SUM, d, 3, false), n->type);
}

void grad_rnn_steps(op_rule *r)
{
    recurrence n = recurrence_of(r->attributes, op_operand_shape(r, 0), op_operand_shape(r, 1));
    uint32_t h0 = r->operands[1], c0 = r->operands[n.has_c ? 2 : 1], weights = n.has_c ? 3 : 2, d[4];
    way_back b = { .saved = r->results[3],
                   .d_saved = r->d_results[3],
                   .h0 = h0,
                   .c0 = c0,
                   .w_hh = r->operands[weights],
                   .y = r->results[0],
                   .d_y = or_zeros(r, r->d_results[0], r->results[0]),
                   .d_h = or_zeros(r, r->d_results[1], h0),
                   .d_c = n.has_c ? or_zeros(r, r->d_results[2], c0) : LTH_NO_VALUE };
    lth_shape rows = { n.wide, 2, { n.T * n.B, n.G * n.H } };
    for (uint32_t i = 0; i < 4; i++)
        d[i] = LTH_NO_VALUE;
    grad_of_steps(r, &n, &b, d);
    r->d_operands[0] = d[0];
    r->d_operands[1] = d[2];
    if (n.has_c)
        r->d_operands[2] = d[3];
    if (n.T == 0)
        return;
    uint32_t d_u = n.cell == LTH_RNN_GRU ? d[1] : d[0], factor = op_cast(r, op_reshape(r, d_u, &rows), n.type);
    r->d_operands[weights] = op_matmul(r, factor, states_before(r, &n, b.y, h0), true, false);
    r->d_operands[weights + 1] = bias_gradient(r, &n, d[0]);
    r->d_operands[weights + 2] = bias_gradient(r, &n, d_u);
}
