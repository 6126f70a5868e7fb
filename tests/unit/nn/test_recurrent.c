/* SPDX-License-Identifier: Apache-2.0
 * Recurrent layers: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

/* Sizes of recurrent.json, where they are not said; init.json says them. */
static int64_t inputs(const module_trial *t) { return (int64_t)module_option(t, "input_size", 2); }
static int64_t hidden(const module_trial *t) { return (int64_t)module_option(t, "hidden_size", 2); }

static uint32_t is_relu(const module_trial *t) { return strcmp(module_word(t, "nonlinearity", "tanh"), "relu") == 0; }

static lth_status make_layer(module_trial *t, lth_setup *s, uint32_t cell)
{
    const lth_recurrent_args a = { .hidden = hidden(t),
                                   .layers = (int64_t)module_option(t, "num_layers", 1),
                                   .bidirectional = (int32_t)module_option(t, "bidirectional", 0),
                                   .batch_first = (int32_t)module_option(t, "batch_first", 0),
                                   .no_bias = !module_option(t, "bias", 1),
                                   .relu = (int32_t)is_relu(t) };
    *(lth_recurrent *)(void *)t->layer.bytes = lth_recurrent_new_(s, "m", cell, inputs(t), &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_cell(module_trial *t, lth_setup *s, uint32_t cell)
{
    const lth_recurrent_args a = { .hidden = hidden(t), .no_bias = !module_option(t, "bias", 1), .relu = (int32_t)is_relu(t) };
    *(lth_recurrent_cell *)(void *)t->layer.bytes = lth_recurrent_cell_new_(s, "m", cell, inputs(t), &a, LTH_HERE);
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

static const module_row golden_rows[] = {
    { "RNN", make_rnn, run_layer },         { "LSTM", make_lstm, run_layer },         { "GRU", make_gru, run_layer },
    { "RNNCell", make_rnn_cell, run_cell }, { "LSTMCell", make_lstm_cell, run_cell }, { "GRUCell", make_gru_cell, run_cell },
};

Test(nn_recurrent, layers_and_cells_have_the_values_and_gradients_of_torch)
{
    module_golden("recurrent.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_recurrent, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("recurrent.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 4);
}

Test(nn_recurrent, parameters_begin_as_torch_s_do)
{
    static const module_row rows[] = {
        { "RNN", make_rnn, NULL },          { "LSTM", make_lstm, NULL },          { "GRU", make_gru, NULL },
        { "RNNCell", make_rnn_cell, NULL }, { "LSTMCell", make_lstm_cell, NULL }, { "GRUCell", make_gru_cell, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}

/* ---- What torch does not say ---- */

static lth_status make_wrong(void *self, lth_setup *s)
{
    switch (*(int *)self) {
    case 0:
        lth_lstm_new(s, "m", 2, 0);
        break;
    case 1:
        lth_gru_new(s, "m", 2, 3, .layers = 17);
        break;
    case 2:
        lth_rnn_new(s, "m", 2, 3, .dropout = 1);
        break;
    default:
        lth_gru_cell_new(s, "m", 2, 3, .layers = 2);
        break;
    }
    return lth_setup_status(s);
}

typedef struct layers {
    lth_recurrent lstm, gru;
    lth_recurrent_cell cell;
} layers;

static lth_status make_layers(void *self, lth_setup *s)
{
    layers *m = self;
    m->lstm = lth_lstm_new(s, "lstm", 2, 3, .layers = 2);
    m->gru = lth_gru_new(s, "gru", 2, 3, .batch_first = 1);
    m->cell = lth_lstm_cell_new(s, "cell", 2, 3);
    return lth_setup_status(s);
}

#define REFUSES(expression, message)                               \
    do {                                                           \
        lab_begin(&l, true);                                       \
        lth_tensor x = lab_input(&l, "x"), n = lab_input(&l, "n"); \
        (void)x, (void)n;                                          \
        LAB_REFUSES(&l, expression, message);                      \
    } while (0)

Test(nn_recurrent, what_does_not_fit_is_refused_at_the_author_s_line)
{
    static const char *const wrong[] = { "a hidden size of at least 1", "1 to 16 layers", "a dropout in [0, 1)",
                                         "a cell is one layer of one step: it takes .no_bias and .relu alone" };
    for (int i = 0; i < 4; i++)
        lab_refuses_to_make(make_wrong, &i, wrong[i], __FILE__);
    lab l;
    layers m, none = { .lstm = { .layers = 0 } };
    lab_open(&l, LTH_F64, make_layers, &m);
    lab_field_text(&l, "x", "[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]");
    lab_field_text(&l, "n", "[1, 2]");
    REFUSES(lth_recurrent_apply(&none.lstm, x), "was never made: call lth_lstm_new, say, in configure");
    REFUSES(lth_recurrent_apply(&m.lstm, lth_slice(x, 2, 0, 1)), "a recurrent layer of (T, B, 2) was given (1, 3, 1)");
    REFUSES(lth_recurrent_apply(&m.gru, lth_slice(x, 2, 0, 1)), "a recurrent layer of (B, T, 2) was given (1, 3, 1)");
    REFUSES(lth_recurrent_apply(&m.lstm, x, .h0 = x), "h0 is (layers x directions, B, H), (2, 3, 3) here; got (1, 3, 2)");
    REFUSES(lth_recurrent_apply(&m.lstm, x, .c0 = x), "c0 is (layers x directions, B, H), (2, 3, 3) here; got (1, 3, 2)");
    REFUSES(lth_recurrent_apply(&m.gru, x, .c0 = lth_iota(x, LTH_SHAPE(1, 1, 3), 0)), "only an LSTM has a state c0");
    REFUSES(lth_recurrent_apply(&m.lstm, x, .lengths = n), "lengths are (B), (3) here; got (2)");
    REFUSES(lth_recurrent_cell_apply(&none.cell, x, x, x), "was never made: call lth_lstm_cell_new, say, in configure");
    REFUSES(lth_recurrent_cell_apply(&m.cell, x, x, x), "a cell of (B, 2) was given (1, 3, 2)");
    REFUSES(lth_recurrent_cell_apply(&m.cell, lth_reshape(x, 3, 2), lth_reshape(x, 3, 2), lth_none()), "rnn");
    lab_close(&l);
}
