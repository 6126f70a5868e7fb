/* SPDX-License-Identifier: Apache-2.0
 * Transformers: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <lthost/control.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

enum { C = 4, HEADS = 2, HIDDEN = 3 }; /* of transformer.json; init.json says its own */

static int64_t channels(const module_trial *t) { return (int64_t)module_option(t, "d_model", C); }

LTH_STATIC_ASSERT(sizeof(lth_transformer) <= sizeof((module_trial *)0)->layer, "the greatest layer of the rows fits");

static lth_transformer_args args_of(const module_trial *t)
{
    return (lth_transformer_args) {
        .heads = (int64_t)module_option(t, "nhead", HEADS),
        .hidden = (int64_t)module_option(t, "dim_feedforward", HIDDEN),
        .eps = module_option(t, "layer_norm_eps", 0),
        .activation = strcmp(module_word(t, "activation", "relu"), "gelu") == 0 ? LTH_OP_GELU : 0,
        .norm_first = (int32_t)module_option(t, "norm_first", 0),
        .no_bias = !module_option(t, "bias", 1),
        .norm = (int32_t)module_option(t, "norm", 0),
    };
}

static lth_status make_layer(module_trial *t, lth_setup *s, bool decodes)
{
    const lth_transformer_args a = args_of(t);
    *(lth_transformer_layer *)(void *)t->layer.bytes = lth_transformer_layer_new_(s, "m", channels(t), decodes, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_stack(module_trial *t, lth_setup *s, bool decodes)
{
    const lth_transformer_args a = args_of(t);
    *(lth_transformer_stack *)(void *)t->layer.bytes =
        lth_transformer_stack_new_(s, "m", (int64_t)module_option(t, "layers", 0), channels(t), decodes, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_encoder_layer(void *self, lth_setup *s) { return make_layer(self, s, false); }
static lth_status make_decoder_layer(void *self, lth_setup *s) { return make_layer(self, s, true); }
static lth_status make_encoder(void *self, lth_setup *s) { return make_stack(self, s, false); }
static lth_status make_decoder(void *self, lth_setup *s) { return make_stack(self, s, true); }

static lth_status make_transformer(void *self, lth_setup *s)
{
    module_trial *t = self;
    const lth_transformer_args a = args_of(t);
    *(lth_transformer *)(void *)t->layer.bytes = lth_transformer_new_(s, "m", 1, 1, channels(t), &a, LTH_HERE);
    return lth_setup_status(s);
}

static int32_t flag(const module_trial *t, const char *name) { return (int32_t)module_option(t, name, 0); }

static void run_encoder_layer(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_transformer_encoder_layer_apply(
        (lth_transformer_layer *)(void *)t->layer.bytes, module_input(t, "x"), .mask = module_input(t, "src_mask"),
        .key_padding_mask = module_input(t, "src_key_padding_mask"), .causal = flag(t, "causal"));
}

static void run_decoder_layer(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_transformer_decoder_layer_apply(
        (lth_transformer_layer *)(void *)t->layer.bytes, module_input(t, "x"), module_input(t, "memory"),
        .mask = module_input(t, "tgt_mask"), .key_padding_mask = module_input(t, "tgt_key_padding_mask"),
        .memory_mask = module_input(t, "memory_mask"), .memory_key_padding_mask = module_input(t, "memory_key_padding_mask"),
        .causal = flag(t, "causal"), .memory_causal = flag(t, "memory_causal"));
}

static void run_encoder(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_transformer_encoder_apply((lth_transformer_stack *)(void *)t->layer.bytes, module_input(t, "x"),
                                               .key_padding_mask = module_input(t, "src_key_padding_mask"));
}

static void run_decoder(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_transformer_decoder_apply((lth_transformer_stack *)(void *)t->layer.bytes, module_input(t, "x"),
                                               module_input(t, "memory"), .causal = flag(t, "causal"));
}

static void run_transformer(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_transformer_apply(
        (lth_transformer *)(void *)t->layer.bytes, module_input(t, "src"), module_input(t, "tgt"),
        .src_mask = module_input(t, "src_mask"), .src_key_padding_mask = module_input(t, "src_key_padding_mask"),
        .tgt_mask = module_input(t, "tgt_mask"), .tgt_key_padding_mask = module_input(t, "tgt_key_padding_mask"),
        .memory_mask = module_input(t, "memory_mask"), .memory_key_padding_mask = module_input(t, "memory_key_padding_mask"),
        .src_causal = flag(t, "src_causal"), .tgt_causal = flag(t, "tgt_causal"), .memory_causal = flag(t, "memory_causal"));
}

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

/* Where the recording begins: none where that is 0, so that both ways are met. */
static lth_tensor first_place(module_trial *t, lth_tensor near_)
{
    double first = module_option(t, "first", 0);
    return first > 0 ? lth_index(near_, (int64_t)first) : lth_none();
}

static void run_rotary(module_trial *t, lth_tensor *outputs)
{
    lth_tensor x = module_input(t, "x");
    lth_rotary_table table = lth_rotary_tables(x, .channels = (int64_t)module_option(t, "channels", 0),
                                               .theta = module_option(t, "theta", 0), .first = first_place(t, x));
    outputs[0] = flag(t, "interleaved") ? lth_rotary_interleaved(x, table.cosines, table.sines)
                                        : lth_rotary(x, table.cosines, table.sines);
}

static void run_sinusoidal(module_trial *t, lth_tensor *outputs)
{
    lth_tensor x = module_input(t, "x");
    outputs[0] = lth_add(x, lth_sinusoidal_positions(x, .theta = module_option(t, "theta", 0), .first = first_place(t, x)));
}

static lth_status make_gpt(void *self, lth_setup *s)
{
    module_trial *t = self;
    *(lth_gpt_block *)(void *)t->layer.bytes = lth_gpt_block_new(
        s, "m", C, HEADS, .hidden = HIDDEN, .activation = flag(t, "tanh") ? LTH_OP_GELU_TANH : 0, .no_bias = !flag(t, "bias"));
    return lth_setup_status(s);
}

static void run_gpt(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_gpt_block_apply((lth_gpt_block *)(void *)t->layer.bytes, module_input(t, "x"));
}

static lth_llama_args llama_args(const module_trial *t)
{
    return (lth_llama_args) {
        .heads = (int64_t)module_option(t, "heads", HEADS),
        .groups = (int64_t)module_option(t, "groups", 1),
        .head = (int64_t)module_option(t, "head", 0),
        .bias = flag(t, "bias"),
        .interleaved = flag(t, "interleaved"),
    };
}

static lth_status make_grouped(void *self, lth_setup *s)
{
    module_trial *t = self;
    const lth_llama_args a = llama_args(t);
    *(lth_grouped_attention *)(void *)t->layer.bytes = lth_grouped_attention_new_(s, "m", C, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_llama(void *self, lth_setup *s)
{
    module_trial *t = self;
    lth_llama_args a = llama_args(t);
    a.hidden = HIDDEN;
    a.eps = module_option(t, "eps", 0);
    *(lth_llama_layer *)(void *)t->layer.bytes = lth_llama_layer_new_(s, "m", C, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_rotary_table llama_table(module_trial *t)
{
    lth_tensor x = module_input(t, "x");
    lth_rotary_table none = { lth_none(), lth_none() };
    return flag(t, "rotary") ? lth_rotary_tables(x, .channels = (int64_t)module_option(t, "channels", 2),
                                                 .theta = module_option(t, "theta", 0), .first = first_place(t, x))
                             : none;
}

static void run_grouped(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_grouped_attention_apply((lth_grouped_attention *)(void *)t->layer.bytes, module_input(t, "x"),
                                             llama_table(t), .mask = module_input(t, "mask"));
}

static void run_llama(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_llama_layer_apply((lth_llama_layer *)(void *)t->layer.bytes, module_input(t, "x"), llama_table(t));
}

static const module_row golden_rows[] = {
    { "TransformerEncoderLayer", make_encoder_layer, run_encoder_layer },
    { "TransformerDecoderLayer", make_decoder_layer, run_decoder_layer },
    { "TransformerEncoder", make_encoder, run_encoder },
    { "TransformerDecoder", make_decoder, run_decoder },
    { "Transformer", make_transformer, run_transformer },
    { "rotary", make_nothing, run_rotary },
    { "sinusoidal", make_nothing, run_sinusoidal },
    { "GptBlock", make_gpt, run_gpt },
    { "GroupedQueryAttention", make_grouped, run_grouped },
    { "LlamaLayer", make_llama, run_llama },
};

Test(nn_transformer, layers_and_stacks_have_the_values_and_gradients_of_torch)
{
    module_golden("transformer.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_transformer, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("transformer.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 8);
}

Test(nn_transformer, parameters_begin_as_torch_s_do)
{
    static const module_row rows[] = {
        { "TransformerEncoderLayer", make_encoder_layer, NULL },
        { "TransformerDecoderLayer", make_decoder_layer, NULL },
        { "Transformer", make_transformer, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}

/* ---- What torch does not say ---- */

/* A block of GPT, and a layer of Llama with one head of keys and values. */
typedef struct reader {
    lth_gpt_block gpt;
    lth_llama_layer llama;
    lth_embedding places;
} reader;

static lth_status make_reader(void *self, lth_setup *s)
{
    reader *t = self;
    t->gpt = lth_gpt_block_new(s, "gpt", C, HEADS, .weight = lth_init_normal(0, 1));
    t->llama = lth_llama_layer_new(s, "llama", C, HEADS, .groups = 1, .hidden = HIDDEN, .weight = lth_init_normal(0, 1));
    t->places = lth_embedding_new(s, "places", 4, C);
    return lth_setup_status(s);
}

/* kept: keys and values of both; NULL: x is read at once. */
static lth_tensor read_part(const reader *t, lth_tensor x, lth_tensor place, lth_tensor *kept)
{
    x = lth_add(x, lth_learned_positions(&t->places, x, .first = place));
    x = lth_gpt_block_apply(&t->gpt, x, .cache = kept, .place = place);
    lth_rotary_table table = lth_rotary_tables(x, .channels = C / HEADS, .first = place);
    return lth_llama_layer_apply(&t->llama, x, table, .cache = kept ? kept + 2 : NULL, .place = place);
}

/* The first two steps of x (1, 4, C) at once, the others one by one in a loop that carries what is kept. */
static lth_tensor read_in_turns(const reader *t, lth_tensor x)
{
    lth_tensor kept[4], parts[2], one;
    for (int i = 0; i < 4; i++)
        kept[i] = lth_attention_cache_new(x, 1, i < 2 ? HEADS : 1, 4, C / HEADS);
    parts[0] = read_part(t, lth_slice(x, 1, 0, 2), lth_index(x, 0), kept);
    lth_loop l = lth_loop_begin(lth_none(), 2, kept, 4, NULL, 0);
    for (int i = 0; i < 4; i++)
        kept[i] = lth_loop_carried(&l, (uint32_t)i);
    lth_tensor place = lth_add(lth_loop_index(&l), 2);
    one = lth_reshape(read_part(t, lth_slice_at(x, 1, place, 1), place, kept), C);
    lth_loop_end(&l, kept, 4, &one, 1);
    parts[1] = lth_reshape(lth_loop_stack(&l, 0), 1, 2, C);
    return lth_concat(parts, 2, 1);
}

Test(nn_transformer, what_is_read_on_with_a_cache_is_what_is_read_at_once)
{
    lab l;
    reader t;
    lab_open(&l, LTH_F64, make_reader, &t);
    lab_field_text(&l, "x", "[[[0.5, -1.0, 0.25, 2.0], [1.5, 0.0, -0.5, 1.0], [0.1, 0.2, 0.3, -2.0], [-1.0, 1.0, 0.7, 0.4]]]");
    lab_begin(&l, false);
    lth_tensor x = lab_input(&l, "x");
    engine_output(l.g, read_part(&t, x, lth_none(), NULL), LTH_HERE);
    engine_output(l.g, read_in_turns(&t, x), LTH_HERE);
    lab_end(&l);
    for (int64_t i = 0; i < 4 * C; i++)
        cr_assert_float_eq(lab_value(&l, 1, i), lab_value(&l, 0, i), 1e-12, "element %d: %g, not %g", (int)i, lab_value(&l, 1, i),
                           lab_value(&l, 0, i));
    lab_close(&l);
}

static lth_status make_wrong(void *self, lth_setup *s)
{
    switch (*(int *)self) {
    case 0:
        lth_transformer_encoder_layer_new(s, "m", 6, 4);
        break;
    case 1:
        lth_transformer_decoder_layer_new(s, "m", 4, 2, .dropout = 1);
        break;
    case 2:
        lth_transformer_encoder_layer_new(s, "m", 4, 2, .activation = LTH_OP_EXP);
        break;
    case 3:
        lth_transformer_encoder_new(s, "m", 65, 4, 2);
        break;
    case 4:
        lth_transformer_new(s, "m", 1, 0, 4, 2);
        break;
    case 5:
        lth_gpt_block_new(s, "m", 6, 4);
        break;
    case 6:
        lth_gpt_block_new(s, "m", 4, 2, .activation = LTH_OP_RELU);
        break;
    case 7:
        lth_grouped_attention_new(s, "m", 6, 3, .groups = 2);
        break;
    case 8:
        lth_grouped_attention_new(s, "m", 6, 4);
        break;
    case 9:
        lth_llama_layer_new(s, "m", 6, 3);
        break;
    case 10:
        lth_grouped_attention_new(s, "m", 6, 3, .hidden = 4);
        break;
    default:
        lth_transformer_encoder_layer_new(s, "m", 4, 2, .norm = 1);
        break;
    }
    return lth_setup_status(s);
}

typedef struct layers {
    lth_transformer_layer encoder, decoder;
    lth_transformer_stack stack;
    lth_embedding places;
    lth_gpt_block block;
    lth_llama_layer llama;
} layers;

static lth_status make_layers(void *self, lth_setup *s)
{
    layers *m = self;
    m->encoder = lth_transformer_encoder_layer_new(s, "encoder", 2, 1, .hidden = 2);
    m->decoder = lth_transformer_decoder_layer_new(s, "decoder", 2, 1, .hidden = 2);
    m->stack = lth_transformer_encoder_new(s, "stack", 1, 2, 1, .hidden = 2);
    m->places = lth_embedding_new(s, "places", 2, 2);
    m->llama = lth_llama_layer_new(s, "llama", 2, 1, .hidden = 2);
    return lth_setup_status(s);
}

#define REFUSES(expression, message)                               \
    do {                                                           \
        lab_begin(&l, true);                                       \
        lth_tensor x = lab_input(&l, "x"), n = lab_input(&l, "n"); \
        lth_rotary_table table = lth_rotary_tables(x);             \
        (void)n, (void)table;                                      \
        LAB_REFUSES(&l, expression, message);                      \
    } while (0)

Test(nn_transformer, what_does_not_fit_is_refused_at_the_author_s_line)
{
    static const char *const wrong[] = {
        "a transformer's channels must be a multiple of its number of heads",
        "its dropout in [0, 1)",
        "a transformer's activation is LTH_OP_RELU, LTH_OP_GELU, LTH_OP_GELU_TANH or LTH_OP_SILU",
        "a stack of a transformer has 1 to 64 layers",
        "a stack of a transformer has 1 to 64 layers",
        "causal attention: the channels must be a multiple of the number of heads",
        "LTH_OP_GELU or LTH_OP_GELU_TANH",
        "grouped attention: the heads must be a multiple of the groups",
        "grouped attention: the heads must be a multiple of the groups, and the channels of the heads where .head is not given",
        "SwiGLU: the width within must be at least 1",
        "grouped attention: .hidden and .eps are of a whole layer",
        "a last norm, .norm = 1, is of a stack",
    };
    for (int i = 0; i < 12; i++)
        lab_refuses_to_make(make_wrong, &i, wrong[i], __FILE__);
    lab l;
    static layers m, none;
    lab_open(&l, LTH_F64, make_layers, &m);
    lab_field_text(&l, "x", "[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]");
    lab_field_text(&l, "n", "[[1, 2, 3]]");
    REFUSES(lth_transformer_encoder_layer_apply(&none.encoder, x), "call lth_transformer_encoder_layer_new in configure");
    REFUSES(lth_transformer_encoder_layer_apply(&m.decoder, x), "call lth_transformer_encoder_layer_new in configure");
    REFUSES(lth_transformer_decoder_layer_apply(&m.encoder, x, x), "call lth_transformer_decoder_layer_new in configure");
    REFUSES(lth_transformer_decoder_apply(&m.stack, x, x), "call lth_transformer_decoder_layer_new in configure");
    REFUSES(lth_transformer_encoder_apply(&none.stack, x), "call lth_transformer_encoder_new in configure");
    REFUSES(lth_transformer_encoder_apply(&m.stack, lth_slice(x, 2, 0, 1)), "query: expected (B, T, 2), got (1, 3, 1)");
    REFUSES(lth_transformer_decoder_layer_apply(&m.decoder, x, lth_none()), "wants the memory that it looks at");
    REFUSES(lth_gpt_block_apply(&none.block, x), "call lth_gpt_block_new in configure");
    REFUSES(lth_grouped_attention_apply(&none.llama.self_attn, x, table), "call lth_grouped_attention_new in configure");
    REFUSES(lth_swiglu_apply(&none.llama.mlp, x), "call lth_swiglu_new in configure");
    REFUSES(lth_grouped_attention_apply(&m.llama.self_attn, lth_slice(x, 2, 0, 1), table), "expected (B, T, 2), got (1, 3, 1)");
    REFUSES(lth_llama_layer_apply(&m.llama, lth_slice(x, 1, 0, 2), table), "wants cosines and sines (2, R / 2), got (3, 1)");
    REFUSES(lth_rotary_tables(n),
            "rotary tables: expected (..., T, C), floating, an even number of channels and a theta above 0; "
            "got i64 (1, 3), 3 channels");
    REFUSES(lth_rotary_tables(x, .channels = 3), "got f64 (1, 3, 2), 3 channels");
    REFUSES(lth_sinusoidal_positions(x, .theta = -1), "sinusoidal positions: expected (..., T, C)");
    REFUSES(lth_learned_positions(&none.places, x), "call lth_embedding_new in configure");
    REFUSES(lth_learned_positions(&m.places, x), "learned positions: 2 places for the steps of (..., T, C), got (1, 3, 2)");
    REFUSES(lth_learned_positions(&m.places, x, .theta = 10), "learned positions take .first alone");
    lab_close(&l);
}
