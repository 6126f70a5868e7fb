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

/* The token `number` of each text, which stands at `place`, through all blocks: (B, 1, C). */
static lth_tensor read(const struct gpt *m, lth_tensor text, int64_t number, int64_t place, lth_attention_cache *caches)
{
    lth_tensor at = index_of(text, place), x = lth_embedding_apply(&m->wte, lth_slice_at(text, 1, index_of(text, number), 1));
    x = lth_add(x, lth_learned_positions(&m->wpe, x, .first = at));
    for (int64_t i = 0; i < m->layers; i++)
        x = lth_gpt_block_apply(&m->h[i], x, .cache = &caches[i], .place = at);
    return x;
}

/* The k greatest logits (B, V) of a row as they are, and what equals the last of them; -inf for the rest. */
static lth_tensor keep_greatest(lth_tensor logits, int64_t k)
{
    lth_tensor least = lth_slice(lth_topk(logits, k, 1).values, 1, k - 1, k);
    return lth_masked_fill(logits, lth_lt(logits, least), -INFINITY);
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
    lth_tensor prompt = lth_input(step, "x");
    lth_attention_cache caches[GPT_LAYERS];
    const int64_t B = lth_dim(prompt, 0), P = lth_dim(prompt, 1), T = m->context, again = T / 2, length = P + m->generate;
    for (int64_t i = 0; i < m->layers; i++)
        caches[i] = lth_attention_cache_new(prompt, B, m->heads, T, m->width / m->heads);
    const lth_tensor parts[] = { prompt, lth_expand(index_of(prompt, 0), B, m->generate) };
    lth_tensor text = lth_concat(parts, 2, 1); /* (B, length) */
    for (int64_t turn = 0, number = 0; number + 1 < length; turn++, number = turn / T * (T - again) + turn % T) {
        lth_tensor x = read(m, text, number, turn % T, caches);
        if (number + 1 >= P && (turn < T || turn % T >= again))
            text = lth_update_at(text, 1, index_of(text, number + 1), draw(m, gpt_logits(m, x)));
    }
    return text;
}
