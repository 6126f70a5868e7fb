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

static const module_row golden_rows[] = {
    { "scaled_dot_product_attention", make_nothing, run_attention },
    { "MultiheadAttention", make_multihead, run_multihead },
};

Test(nn_attention, layers_have_the_values_and_gradients_of_torch)
{
    module_golden("attention.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_attention, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("attention.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 4);
}

Test(nn_attention, parameters_begin_as_torch_s_do)
{
    static const module_row rows[] = { { "MultiheadAttention", make_multihead, NULL } };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}

/* ---- What torch does not say ---- */

/* Two queries; one sees the first of two keys alone, the other, `blind`, none: by a mask, by minus infinity added, or because
 * there is one key, and with causality the last query alone sees it. */
typedef struct blindness {
    const char *keys;
    bool masked, added;
    int64_t blind;
} blindness;

static lth_tensor blind_mask(const blindness *b, lth_tensor q)
{
    const lth_shape pairs = { LTH_I64, 2, { 2, 2 } };
    lth_tensor seen = lth_eq(lth_add(lth_iota(q, &pairs, 0), lth_iota(q, &pairs, 1)), 0); /* 1 0 / 0 0 */
    return !b->masked ? lth_none() : b->added ? lth_where(seen, 0.5, -INFINITY) : seen;
}

Test(nn_attention, a_query_that_sees_no_key_gets_0_and_gives_no_gradient)
{
    static const blindness rows[] = { { "[[[[0.5, 2.0], [1.5, -1.0]]]]", true, false, 1 },
                                      { "[[[[0.5, 2.0], [1.5, -1.0]]]]", true, true, 1 },
                                      { "[[[[0.5, 2.0]]]]", false, false, 0 } };
    lab l;
    lab_open(&l, LTH_F64, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        const blindness *b = &rows[i];
        lab_field_text(&l, "q", "[[[[1.0, 2.0], [3.0, -1.0]]]]");
        lab_field_text(&l, "k", b->keys);
        lab_begin(&l, true);
        lth_tensor in[2] = { lab_input(&l, "q"), lab_input(&l, "k") }, d[2];
        lth_tensor y = lth_attention(in[0], in[1], in[1], .mask = blind_mask(b, in[0]), .causal = !b->masked);
        lth_grad(lth_sum(lth_square(y)), in, 2, d);
        const lth_tensor outputs[] = { y, lth_attention_log_sum_exp(y), d[0], d[1] };
        for (int k = 0; k < 4; k++)
            engine_output(l.g, outputs[k], LTH_HERE);
        lab_end(&l);
        cr_assert_eq(lab_value(&l, 1, b->blind), -INFINITY);
        for (int64_t c = 0; c < 2; c++) {
            cr_assert_eq(lab_value(&l, 0, 2 * b->blind + c), 0);
            cr_assert_neq(lab_value(&l, 0, 2 * (1 - b->blind) + c), 0);
            cr_assert_eq(lab_value(&l, 2, 2 * b->blind + c), 0);
            cr_assert(isfinite(lab_value(&l, 2, 2 * (1 - b->blind) + c)));
            cr_assert(lab_value(&l, 3, c) != 0 && isfinite(lab_value(&l, 3, c)));
            cr_assert(!b->masked || lab_value(&l, 3, 2 + c) == 0, "a key that nobody sees");
        }
        lab_clear_fields(&l);
    }
    lab_close(&l);
}

static lth_status make_wrong(void *self, lth_setup *s)
{
    switch (*(int *)self) {
    case 0:
        lth_multihead_attention_new(s, "m", 6, 4);
        break;
    case 1:
        lth_multihead_attention_new(s, "m", 6, 0);
        break;
    default:
        lth_causal_attention_new(s, "m", 6, 4);
        break;
    }
    return lth_setup_status(s);
}

typedef struct layers {
    lth_multihead_attention multihead;
    lth_causal_attention causal;
} layers;

static lth_status make_layers(void *self, lth_setup *s)
{
    layers *m = self;
    m->multihead = lth_multihead_attention_new(s, "multihead", 2, 1);
    m->causal = lth_causal_attention_new(s, "causal", 2, 1);
    return lth_setup_status(s);
}

#define REFUSES(expression, message)                                        \
    do {                                                                    \
        lab_begin(&l, true);                                                \
        lth_tensor x = lab_input(&l, "x"), y = lab_input(&l, "y");          \
        lth_tensor empty = lth_attention_cache_new(x, 1, 1, 2, 2), cache[2] = { empty, empty }; \
        (void)y, (void)cache;                                               \
        LAB_REFUSES(&l, expression, message);                               \
    } while (0)

Test(nn_attention, what_does_not_fit_is_refused_at_the_author_s_line)
{
    static const char *const wrong[] = { "multi-head attention: the channels must be a multiple of the number of heads",
                                         "multi-head attention: the channels must be a multiple of the number of heads",
                                         "causal attention: the channels must be a multiple of the number of heads" };
    for (int i = 0; i < 3; i++)
        lab_refuses_to_make(make_wrong, &i, wrong[i], __FILE__);
    lab l;
    layers m, none = { .multihead = { .heads = 0 } };
    lab_open(&l, LTH_F64, make_layers, &m);
    lab_field_text(&l, "x", "[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]");
    lab_field_text(&l, "y", "[[[[1.0, 2.0, 3.0]]]]");
    REFUSES(lth_multihead_attention_apply(&none.multihead, x, x, x),
            "was never made: call lth_multihead_attention_new in configure");
    REFUSES(lth_multihead_attention_apply(&m.multihead, y, x, x), "query: expected (B, T, 2), got (1, 1, 1, 3)");
    REFUSES(lth_multihead_attention_apply(&m.multihead, x, y, x), "key: expected (B, T, 2), got (1, 1, 1, 3)");
    REFUSES(lth_multihead_attention_apply(&m.multihead, x, x, y), "value: expected (B, T, 2), got (1, 1, 1, 3)");
    REFUSES(lth_multihead_attention_apply(&m.multihead, x, x, x, .key_padding_mask = x),
            "key_padding_mask: expected (1, 3), a line for each sequence, got (1, 3, 2)");
    REFUSES(lth_multihead_attention_apply(&m.multihead, x, x, x, .attn_mask = lth_slice(x, 1, 0, 2)),
            "a mask (1, 2, 2) does not broadcast to (1, 1, 3, 3), batch, heads, queries and keys");
    REFUSES(lth_causal_attention_apply(&none.causal, x), "was never made: call lth_causal_attention_new in configure");
    REFUSES(lth_causal_attention_apply(&m.causal, y), "causal attention: expected (B, T, 2), got (1, 1, 1, 3)");
    REFUSES(lth_causal_attention_apply(&m.causal, x, .cache = cache), "wants .place, i64 of rank 0, and at most S steps");
    REFUSES(lth_attention(y, y, y, .dropout = 1), "attention: the probability of dropout must be in [0, 1)");
    REFUSES(lth_attention(x, x, x), "queries, keys and values are (B, heads, length, channels), got (1, 3, 2) as operand 0");
    REFUSES(lth_attention(y, y, y, .mask = lth_iota(x, LTH_SHAPE(2, 3), 0)), "a mask (2, 3) does not broadcast to (1, 1, 1, 1)");
    REFUSES(lth_rotary(x, x, x), "wants cosines and sines (3, R / 2), got (1, 3, 2) and (1, 3, 2)");
    REFUSES(lth_rotary(x, lth_iota(x, LTH_SHAPE(3, 2), 0), lth_iota(x, LTH_SHAPE(3, 2), 0)),
            "2 pairs of channels, where (1, 3, 2) has 2 channels");
    lab_close(&l);
}
