/* SPDX-License-Identifier: Apache-2.0
 * gpt/generate.c: writing on from prompts, a token a turn, all in one step and so in one plan.
 *
 * Keys and values of the tokens read so far are kept, at the positions that the tokens have. Once all T positions are taken, the
 * last T / 2 tokens are read again from position 0, and so on: turn j reads, in its window j / T, the token at position j % T,
 * which is number j / T (T - T / 2) + j % T of the text. A turn whose next token is there already (the prompt, or what is read
 * again) writes none. */
#include "gpt.h"

/* A rank-0 i64 of the step: another value is no other plan. */
static lth_tensor index_of(lth_tensor near, int64_t value)
{
    return near.trace ? near.trace->api->scalar(near.trace, (double)value, LTH_I64, LTH_HERE) : near;
}

/* One token of each text through a block: x (B, 1, C); keys and values (B, H, T, D) get those at `place`. seen (T): the positions
 * that are taken. */
static lth_tensor block_read(const struct gpt *m, const gpt_block *b, lth_tensor x, lth_tensor place, lth_tensor seen,
                             lth_tensor *cache)
{
    lth_tensor qkv = lth_linear_apply(&b->c_attn, lth_layer_norm_apply(&b->ln_1, x));
    for (int i = 0; i < 2; i++)
        cache[i] = lth_update_at(cache[i], 2, place, gpt_heads(m, qkv, 1 + i));
    return gpt_block_end(m, b, x, lth_attention(gpt_heads(m, qkv, 0), cache[0], cache[1], .mask = seen));
}

/* The token `number` of each text, which stands at `place`, through all blocks: (B, 1, C). */
static lth_tensor read(const struct gpt *m, lth_tensor text, int64_t number, int64_t place, lth_tensor *caches)
{
    lth_tensor at = index_of(text, place), places = lth_parameter_value(text, m->wpe.weight);
    const lth_shape all = { LTH_I64, 1, { m->context } };
    lth_tensor seen = lth_le(lth_iota(text, &all, 0), at);
    lth_tensor x = lth_embedding_apply(&m->wte, lth_slice_at(text, 1, index_of(text, number), 1));
    x = lth_add(x, lth_slice_at(places, 0, at, 1));
    for (int64_t i = 0; i < m->layers; i++)
        x = block_read(m, &m->h[i], x, at, seen, caches + 2 * i);
    return x;
}

/* The k greatest logits (B, V) of a row as they are, -inf for the rest. Compares each with each. */
static lth_tensor keep_greatest(lth_tensor logits, int64_t k)
{
    const int64_t B = lth_dim(logits, 0), V = lth_dim(logits, 1);
    lth_tensor greater = lth_gt(lth_reshape(logits, B, 1, V), lth_reshape(logits, B, V, 1)); /* (B, V, V) */
    lth_tensor before = lth_sum_axis(lth_cast(greater, LTH_I64), 2, 0);
    return lth_where(lth_lt(before, (double)k), logits, -INFINITY);
}

/* A token for each row of logits (B, V), by their softmax (the Gumbel-max trick): (B, 1). */
static lth_tensor draw(const struct gpt *m, lth_tensor logits)
{
    if (m->temperature > 0 && m->top_k > 0 && m->top_k < m->vocabulary)
        logits = keep_greatest(logits, m->top_k);
    if (m->temperature > 0) {
        lth_tensor u = lth_uniform(logits, lth_shape_of(logits));
        logits = lth_sub(lth_div(logits, m->temperature), lth_ln(lth_neg(lth_ln(u))));
    }
    return lth_reshape(lth_argmax(logits, 1), -1, 1);
}

lth_tensor gpt_generate(void *self, lth_step *step)
{
    const struct gpt *m = self;
    lth_tensor prompt = lth_input(step, "x"), caches[2 * GPT_LAYERS];
    const int64_t B = lth_dim(prompt, 0), P = lth_dim(prompt, 1), T = m->context, again = T / 2, length = P + m->generate;
    const lth_shape *cache = LTH_SHAPE(B, m->heads, T, m->width / m->heads);
    lth_tensor zero = lth_scalar(lth_parameter_value(prompt, m->wte.weight), 0);
    for (int64_t i = 0; i < 2 * m->layers; i++)
        caches[i] = lth_expand_to(zero, cache);
    const lth_tensor parts[] = { prompt, lth_expand(index_of(prompt, 0), B, m->generate) };
    lth_tensor text = lth_concat(parts, 2, 1); /* (B, length) */
    for (int64_t turn = 0, number = 0; number + 1 < length; turn++, number = turn / T * (T - again) + turn % T) {
        lth_tensor x = read(m, text, number, turn % T, caches);
        if (number + 1 >= P && (turn < T || turn % T >= again))
            text = lth_update_at(text, 1, index_of(text, number + 1), draw(m, gpt_logits(m, x)));
    }
    return text;
}
