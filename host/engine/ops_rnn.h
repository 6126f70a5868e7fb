/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_rnn.h: what the rules of recurrent ops share.
 *
 * T steps, B sequences, I input channels, H of the state, G gates (1, LSTM 4: i f g o, GRU 3: r z n, PyTorch's order):
 *   tanh, relu: h' = f(x W' + b + h U' + c), with W = w_ih, U = w_hh, b = b_ih, c = b_hh
 *   LSTM: c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c')
 *   GRU:  n = tanh(x W_n' + b_n + r (h U_n' + c_n)), h' = n + z (h - n)
 *
 * RNN is x W', one product for all steps, and RNN_STEPS, what one step after the other makes of it; that one saves for
 * RNN_STEPS_GRAD, its gradient, S numbers for each of the state's:
 *   tanh: h';  relu: its argument;  LSTM: i f g o after their functions, and c';  GRU: r z n likewise, and h U_n' + c_n */
#ifndef ENGINE_OPS_RNN_H
#define ENGINE_OPS_RNN_H

#include "engine/ops.h"

typedef struct recurrence {
    int64_t T, B, H, G, S;
    lth_dtype type, wide; /* of the state; of the cell's arithmetic and of what is saved: f32 where the state is of 16 bits */
    uint32_t cell;
    bool reverse, has_c;
} recurrence;

recurrence recurrence_of(const lth_attr_rnn *a, const lth_shape *x, const lth_shape *h0);

/* Whether operand i is of the type and the dimensions (rank of them); if not, says what `name` must be. */
bool recurrence_expects(op_shapes *s, uint32_t i, const char *name, lth_dtype type, int32_t rank, const int64_t *dim);
/* Whether the attributes are an op's, x (T, B, ...) and h0 (B, H), and the operands `shared` and one for each state. */
bool recurrence_checks(op_shapes *s, uint32_t shared, uint32_t of_lstm);

/* The step that comes i-th lies at t. */
static inline int64_t recurrence_at(const recurrence *n, int64_t i) { return n->reverse ? n->T - 1 - i : i; }

/* Step t of (T, B, k H) as (B, k H); part `first` .. + count of (B, k H), in units of H. */
uint32_t recurrence_step(op_rule *r, const recurrence *n, uint32_t x, int64_t t);
uint32_t recurrence_part(op_rule *r, const recurrence *n, uint32_t x, int64_t first, int64_t count);
/* (B, k H) of each step as (T, B, k H) of a type; parts are freed by the caller. */
uint32_t recurrence_stack(op_rule *r, const recurrence *n, uint32_t *parts, int64_t k, lth_dtype type);
/* Whether there are few enough steps to be made nodes of; if not, the rule fails. */
bool recurrence_unrolls(op_rule *r, const recurrence *n);

#endif
