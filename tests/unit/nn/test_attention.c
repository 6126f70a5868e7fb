/* SPDX-License-Identifier: Apache-2.0
 * Layers of attention: as torch's, and what torch does not say. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Against torch ---- */

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

static void run_attention(module_trial *t, lth_tensor *outputs)
{
    outputs[0] = lth_attention(module_input(t, "query"), module_input(t, "key"), module_input(t, "value"),
                               .mask = module_input(t, "attn_mask"), .scale = module_option(t, "scale", 0),
                               .causal = (int32_t)module_option(t, "is_causal", 0));
}

static lth_status make_multihead(void *self, lth_setup *s)
{
    module_trial *t = self;
    lth_multihead_attention *m = (void *)t->layer.bytes;
    *m = lth_multihead_attention_new(s, "m", (int64_t)module_option(t, "embed_dim", 0), (int64_t)module_option(t, "num_heads", 0),
                                     .kdim = (int64_t)module_option(t, "kdim", 0), .vdim = (int64_t)module_option(t, "vdim", 0),
                                     .no_bias = !module_option(t, "bias", 1));
    return lth_setup_status(s);
}

static void run_multihead(module_trial *t, lth_tensor *outputs)
{
    const lth_multihead_attention *m = (void *)t->layer.bytes;
    lth_tensor q = module_input(t, "query"), k = module_input(t, "key"), v = module_input(t, "value");
    k = lth_is_none(k) ? q : k;
    v = lth_is_none(v) ? k : v;
    outputs[0] = lth_multihead_attention_apply(m, q, k, v, .attn_mask = module_input(t, "attn_mask"),
                                               .key_padding_mask = module_input(t, "key_padding_mask"), .weights = &outputs[1],
                                               .per_head = !module_option(t, "average_attn_weights", 1),
                                               .causal = (int32_t)module_option(t, "causal", 0));
}

Test(nn_attention, layers_have_the_values_and_gradients_of_torch)
{
    static const module_row rows[] = {
        { "scaled_dot_product_attention", make_nothing, run_attention },
        { "MultiheadAttention", make_multihead, run_multihead },
    };
    module_golden("attention.json", rows, sizeof rows / sizeof *rows);
}
