/* SPDX-License-Identifier: Apache-2.0
 * gpt/generate.c: writing on from prompts, a token a turn of a loop, all in one step and so in one plan.
 *
 * Keys and values of the tokens read so far are kept, at the positions that the tokens have. Once all T positions are taken, the
 * last T / 2 tokens are read again from position 0, and so on: turn j reads, in its window j / T, the token at position j % T,
 * which is number j / T (T - T / 2) + j % T of the text. A turn whose next token is there already (the prompt, or what is read
 * again) leaves it as it is. */
#include "gpt.h"

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

/* The text (B, length) after a turn. P: tokens of the prompt. */
static lth_tensor turn(const struct gpt *m, lth_tensor text, lth_tensor j, int64_t P, lth_tensor *caches)
{
    const int64_t T = m->context, again = T / 2;
    lth_tensor window = lth_div(j, (double)T), place = lth_sub(j, lth_mul(window, (double)T));
    lth_tensor number = lth_add(lth_mul(window, (double)(T - again)), place), next = lth_add(number, 1);
    lth_tensor x = lth_embedding_apply(&m->wte, lth_slice_at(text, 1, number, 1)); /* (B, 1, C) */
    x = lth_add(x, lth_learned_positions(&m->wpe, x, .first = place));
    for (int64_t i = 0; i < m->layers; i++)
        x = lth_gpt_block_apply(&m->h[i], x, .cache = &caches[2 * i], .place = place);
    lth_tensor is_new = lth_and(lth_ge(next, (double)P), lth_or(lth_lt(j, (double)T), lth_ge(place, (double)again)));
    lth_tensor token = lth_where(is_new, draw(m, gpt_logits(m, x)), lth_slice_at(text, 1, next, 1));
    return lth_update_at(text, 1, next, token);
}

/* How many turns write the last of `length` tokens: it follows number length - 2, which is read in the first window that has it.
 */
static int64_t turns_of(int64_t length, int64_t T)
{
    const int64_t fresh = T - T / 2, last = length - 2, window = last < T ? 0 : (last - T) / fresh + 1;
    return window * T + last - window * fresh + 1;
}

lth_tensor gpt_generate(void *self, lth_step *step)
{
    const struct gpt *m = self;
    const int64_t n = 2 * m->layers; /* keys and values of each layer; the text is kept behind them */
    lth_tensor prompt = lth_input(step, "x"), kept[2 * GPT_LAYERS + 1];
    const int64_t B = lth_dim(prompt, 0), P = lth_dim(prompt, 1), T = m->context, length = P + m->generate;
    const lth_tensor parts[] = { prompt, lth_expand(lth_index(prompt, 0), B, m->generate) };
    for (int64_t i = 0; i < n; i++)
        kept[i] = lth_attention_cache_new(prompt, B, m->heads, T, m->width / m->heads);
    kept[n] = lth_concat(parts, 2, 1); /* (B, length) */
    lth_loop l = lth_loop_begin(lth_none(), turns_of(length, T), kept, n + 1, NULL, 0);
    for (int64_t i = 0; i <= n; i++)
        kept[i] = lth_loop_carried(&l, (uint32_t)i);
    kept[n] = turn(m, kept[n], lth_loop_index(&l), P, kept);
    lth_loop_end(&l, kept, n + 1, NULL, 0);
    return lth_loop_last(&l, (uint32_t)n);
}
