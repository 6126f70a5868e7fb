/* SPDX-License-Identifier: Apache-2.0
 * Recurrent layers: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

enum { I = 2, H = 2 }; /* of the recording */

static uint32_t is_relu(const module_trial *t) { return strcmp(module_word(t, "nonlinearity", "tanh"), "relu") == 0; }

static lth_status make_layer(module_trial *t, lth_setup *s, uint32_t cell)
{
    const lth_recurrent_args a = { .hidden = H,
                                   .layers = (int64_t)module_option(t, "num_layers", 1),
                                   .bidirectional = (int32_t)module_option(t, "bidirectional", 0),
                                   .batch_first = (int32_t)module_option(t, "batch_first", 0),
                                   .no_bias = !module_option(t, "bias", 1),
                                   .relu = (int32_t)is_relu(t) };
    *(lth_recurrent *)(void *)t->layer.bytes = lth_recurrent_new_(s, "m", cell, I, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_cell(module_trial *t, lth_setup *s, uint32_t cell)
{
    const lth_recurrent_args a = { .hidden = H, .no_bias = !module_option(t, "bias", 1), .relu = (int32_t)is_relu(t) };
    *(lth_recurrent_cell *)(void *)t->layer.bytes = lth_recurrent_cell_new_(s, "m", cell, I, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_rnn(void *self, lth_setup *s) { return make_layer(self, s, LTH_RNN_TANH); }
static lth_status make_lstm(void *self, lth_setup *s) { return make_layer(self, s, LTH_RNN_LSTM); }
static lth_status make_gru(void *self, lth_setup *s) { return make_layer(self, s, LTH_RNN_GRU); }
static lth_status make_rnn_cell(void *self, lth_setup *s) { return make_cell(self, s, LTH_RNN_TANH); }
static lth_status make_lstm_cell(void *self, lth_setup *s) { return make_cell(self, s, LTH_RNN_LSTM); }
static lth_status make_gru_cell(void *self, lth_setup *s) { return make_cell(self, s, LTH_RNN_GRU); }

static void run_layer(module_trial *t, lth_tensor *outputs)
{
    lth_rnn_result r =
        lth_recurrent_apply((lth_recurrent *)(void *)t->layer.bytes, module_input(t, "input"), .h0 = module_input(t, "h0"),
                            .c0 = module_input(t, "c0"), .lengths = module_input(t, "lengths"));
    outputs[0] = r.y;
    outputs[1] = r.h;
    outputs[2] = r.c;
}

static void run_cell(module_trial *t, lth_tensor *outputs)
{
    lth_rnn_result r = lth_recurrent_cell_apply((lth_recurrent_cell *)(void *)t->layer.bytes, module_input(t, "input"),
                                                module_input(t, "h0"), module_input(t, "c0"));
    outputs[0] = r.h;
    outputs[1] = r.c;
}

Test(nn_recurrent, layers_and_cells_have_the_values_and_gradients_of_torch)
{
    static const module_row rows[] = {
        { "RNN", make_rnn, run_layer },         { "LSTM", make_lstm, run_layer },         { "GRU", make_gru, run_layer },
        { "RNNCell", make_rnn_cell, run_cell }, { "LSTMCell", make_lstm_cell, run_cell }, { "GRUCell", make_gru_cell, run_cell },
    };
    module_golden("recurrent.json", rows, sizeof rows / sizeof *rows);
}
