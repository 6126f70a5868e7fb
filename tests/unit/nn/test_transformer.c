/* SPDX-License-Identifier: Apache-2.0
 * Transformers: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

enum { C = 4, HEADS = 2, HIDDEN = 3 }; /* of the recording */

LTH_STATIC_ASSERT(sizeof(lth_transformer) <= sizeof((module_trial *)0)->layer, "the greatest layer of the rows fits");

static lth_transformer_args args_of(const module_trial *t)
{
    return (lth_transformer_args) {
        .heads = HEADS,
        .hidden = HIDDEN,
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
    *(lth_transformer_layer *)(void *)t->layer.bytes = lth_transformer_layer_new_(s, "m", C, decodes, &a, LTH_HERE);
    return lth_setup_status(s);
}

static lth_status make_stack(module_trial *t, lth_setup *s, bool decodes)
{
    const lth_transformer_args a = args_of(t);
    *(lth_transformer_stack *)(void *)t->layer.bytes =
        lth_transformer_stack_new_(s, "m", (int64_t)module_option(t, "layers", 0), C, decodes, &a, LTH_HERE);
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
    *(lth_transformer *)(void *)t->layer.bytes = lth_transformer_new_(s, "m", 1, 1, C, &a, LTH_HERE);
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

Test(nn_transformer, layers_and_stacks_have_the_values_and_gradients_of_torch)
{
    static const module_row rows[] = {
        { "TransformerEncoderLayer", make_encoder_layer, run_encoder_layer },
        { "TransformerDecoderLayer", make_decoder_layer, run_decoder_layer },
        { "TransformerEncoder", make_encoder, run_encoder },
        { "TransformerDecoder", make_decoder, run_decoder },
        { "Transformer", make_transformer, run_transformer },
    };
    module_golden("transformer.json", rows, sizeof rows / sizeof *rows);
}
