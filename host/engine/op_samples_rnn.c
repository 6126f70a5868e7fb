/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_rnn.c: samples of recurrent layers. Gates are between -1 and 1, as their functions make them. */
#include "engine/op_samples_tables.h"

// clang-format off
#define CELL(name, ...) .attributes.rnn = { LTH_RNN_ ## name, __VA_ARGS__ + 0 }
#define GATES(...) BETWEEN(-0.9, 0.9, __VA_ARGS__)
/* Of T steps, B sequences, I inputs and a state of H, with G gates, of which S are saved. */
#define WEIGHTS(G, H) X(G * H, H), X(G * H), X(G * H)
#define LAYER(T, B, I, H, G) { X(T, B, I), X(B, H), X(G * H, I), WEIGHTS(G, H) }
#define LSTM_LAYER(T, B, I, H) { X(T, B, I), X(B, H), X(B, H), X(4 * H, I), WEIGHTS(4, H) }
#define STEPS(T, B, H, G) { X(T, B, G * H), X(B, H), WEIGHTS(G, H) }
#define LSTM_STEPS(T, B, H) { X(T, B, 4 * H), X(B, H), X(B, H), WEIGHTS(4, H) }
#define BACK(T, B, H, G, S) { GATES(T, B, S * H), X(B, H), X(G * H, H), X(T, B, H), X(T, B, H), X(B, H) }
#define LSTM_BACK(T, B, H) { GATES(T, B, 5 * H), X(B, H), X(B, H), X(4 * H, H), X(T, B, H), X(T, B, H), X(B, H), X(B, H) }

static const op_sample rows[] = {
    { .op = LTH_OP_RNN, 6, 0, "tanh", LAYER(3, 2, 2, 3, 1), CELL(TANH) },
    { .op = LTH_OP_RNN, 6, 0, "tanh, backwards", LAYER(3, 2, 2, 3, 1), CELL(TANH, 1) },
    { .op = LTH_OP_RNN, 6, 0, "relu", LAYER(3, 2, 2, 3, 1), CELL(RELU) },
    { .op = LTH_OP_RNN, 7, 0, "LSTM", LSTM_LAYER(3, 2, 2, 3), CELL(LSTM) },
    { .op = LTH_OP_RNN, 7, 0, "LSTM, backwards", LSTM_LAYER(3, 2, 2, 2), CELL(LSTM, 1) },
    { .op = LTH_OP_RNN, 6, 0, "GRU", LAYER(3, 2, 2, 3, 3), CELL(GRU) },
    { .op = LTH_OP_RNN, 6, 0, "GRU, backwards", LAYER(3, 2, 2, 2, 3), CELL(GRU, 1) },
    { .op = LTH_OP_RNN, 7, 0, "LSTM, small", LSTM_LAYER(2, 1, 1, 1), CELL(LSTM) },
    { .op = LTH_OP_RNN, 6, 0, "one step of permuted and sliced",
      { PERMUTED(1, 2, 2), PERMUTED(2, 2), SLICED(2, 2), X(2, 2), SLICED(2), X(2) }, CELL(RELU) },
    { .op = LTH_OP_RNN, 7, 0, "no steps", LSTM_LAYER(0, 2, 2, 3), CELL(LSTM) },
    { .op = LTH_OP_RNN, 6, 0, "no sequences", LAYER(3, 0, 2, 3, 3), CELL(GRU) },
    { .op = LTH_OP_RNN, 6, 0, "no inputs", LAYER(2, 2, 0, 3, 1), CELL(TANH) },
    { .op = LTH_OP_RNN, 6, 0, "no state", LAYER(2, 2, 3, 0, 1), CELL(TANH) },
    { .op = LTH_OP_RNN, 6, 0, "one of everything", LAYER(1, 1, 1, 1, 1), CELL(TANH) },

    { .op = LTH_OP_RNN_STEPS, 5, 0, "tanh", STEPS(3, 2, 3, 1), CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "relu, backwards", STEPS(3, 2, 3, 1), CELL(RELU, 1) },
    { .op = LTH_OP_RNN_STEPS, 6, 0, "LSTM", LSTM_STEPS(3, 2, 2), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS, 6, 0, "LSTM, backwards", LSTM_STEPS(5, 3, 2), CELL(LSTM, 1) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "GRU", STEPS(3, 2, 2, 3), CELL(GRU) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "GRU, backwards", STEPS(5, 3, 2, 3), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS, 6, 0, "LSTM, wider than vectors", LSTM_STEPS(4, 7, 19), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "GRU, wider than vectors", STEPS(4, 13, 17, 3), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "permuted and sliced",
      { PERMUTED(2, 3, 2), SLICED(3, 2), SLICED(2, 2), X(2), PERMUTED(2) }, CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "one of everything", STEPS(1, 1, 1, 1), CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS, 6, 0, "no steps", LSTM_STEPS(0, 2, 3), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "no steps of a GRU", STEPS(0, 2, 3, 3), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS, 5, 0, "no sequences", STEPS(2, 0, 3, 3), CELL(GRU) },
    { .op = LTH_OP_RNN_STEPS, 6, 0, "no state", LSTM_STEPS(2, 2, 0), CELL(LSTM) },

    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "tanh", BACK(3, 2, 3, 1, 1), CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "relu, backwards", BACK(3, 2, 3, 1, 1), CELL(RELU, 1) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 8, 0, "LSTM", LSTM_BACK(3, 2, 2), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 8, 0, "LSTM, backwards", LSTM_BACK(5, 3, 2), CELL(LSTM, 1) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "GRU", BACK(3, 2, 2, 3, 4), CELL(GRU) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "GRU, backwards", BACK(5, 3, 2, 3, 4), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 8, 0, "LSTM, wider than vectors", LSTM_BACK(3, 7, 19), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "GRU, wider than vectors", BACK(3, 13, 17, 3, 4), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "permuted and sliced",
      { PERMUTED(2, 3, 2), SLICED(3, 2), PERMUTED(2, 2), SLICED(2, 3, 2), SLICED(2, 3, 2), PERMUTED(3, 2) }, CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "one of everything", BACK(1, 1, 1, 1, 1), CELL(TANH) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 8, 0, "no steps", LSTM_BACK(0, 2, 3), CELL(LSTM) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "no steps of a GRU", BACK(0, 2, 3, 3, 4), CELL(GRU, 1) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 6, 0, "no sequences", BACK(2, 0, 3, 3, 4), CELL(GRU) },
    { .op = LTH_OP_RNN_STEPS_GRAD, 8, 0, "no state", LSTM_BACK(2, 2, 0), CELL(LSTM) },
};
// clang-format on
const sample_table sample_rows_rnn = { rows, sizeof rows / sizeof *rows };
