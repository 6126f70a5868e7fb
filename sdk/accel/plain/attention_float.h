/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): attention. B sequences, H heads of queries, G of keys, T queries, S keys, D and E channels. */

typedef struct NAME(attention_row) {
    const plain_call *c;
    const lth_shape *mask; /* NULL: none */
    const void *mask_data;
    const T *q, *k, *v, *scale;
    T p;             /* of dropout; 0: none */
    int64_t at[3];   /* b, h, t */
    int64_t D, seen; /* seen: keys that causality leaves */
    uint32_t id;
    int64_t first; /* element of the probabilities where the row begins */
} NAME(attention_row);

/* The mask's element for key s, or whether it is hidden: bool or a number to add. */
static T NAME(attention_masked)(const NAME(attention_row) * r, int64_t s, T score)
{
    if (!r->mask)
        return score;
    int64_t at[4] = { r->at[0], r->at[1], r->at[2], s }, i = 0;
    for (int32_t d = 0; d < r->mask->rank; d++)
        i = i * r->mask->dim[d] + (r->mask->dim[d] == 1 ? 0 : at[4 - r->mask->rank + d]);
    if (r->mask->dtype != LTH_BOOL)
        return score + ((const T *)r->mask_data)[i];
    return ((const uint8_t *)r->mask_data)[i] ? score : -(T)INFINITY;
}

static T NAME(attention_score)(const NAME(attention_row) * r, int64_t s)
{
    double sum = 0;
    for (int64_t d = 0; d < r->D; d++)
        sum += (double)r->q[d] * (double)r->k[s * r->D + d];
    return NAME(attention_masked)(r, s, (T)sum * *r->scale);
}

/* log(sum exp(score)): -inf where nothing is seen. */
static T NAME(attention_log_sum)(const NAME(attention_row) * r)
{
    T max = -(T)INFINITY;
    NAME(pairwise) sum;
    sum.count = 0;
    for (int64_t s = 0; s < r->seen; s++) {
        T score = NAME(attention_score)(r, s);
        if (score > max || IS_NAN(score))
            max = score;
    }
    if (max == -(T)INFINITY)
        return max;
    for (int64_t s = 0; s < r->seen; s++)
        NAME(add_term)(&sum, M(exp)(NAME(attention_score)(r, s) - max));
    return M(log)(NAME(total)(&sum)) + max;
}

/* The row's probabilities times the values, (E). */
static void NAME(attention_mix)(const NAME(attention_row) * r, T l, T *y, int64_t E)
{
    const lth_bindings *b = r->c->bindings;
    for (int64_t e = 0; e < E; e++)
        y[e] = 0;
    for (int64_t s = 0; s < r->seen && l != -(T)INFINITY; s++) {
        if (r->p > 0 && (T)lth_random_uniform(b->seed, r->id, b->step, b->stream, r->first + s) < r->p)
            continue;
        T p = M(exp)(NAME(attention_score)(r, s) - l) / (1 - r->p);
        for (int64_t e = 0; e < E; e++)
            y[e] += p * r->v[s * E + e];
    }
}

/* (q (B, H, T, D), k (B, G, S, D), v (B, G, S, E), scale, [p], [mask]) -> (B, H, T, E), log-sum-exp (B, H, T) */
static bool NAME(attention)(const plain_call *c)
{
    const lth_attr_attention *a = plain_attributes(c);
    const lth_shape *q = plain_in(c, 0), *k = plain_in(c, 1);
    int64_t H = q->dim[1], G = k->dim[1], steps = q->dim[2], S = k->dim[2], D = q->dim[3], E = plain_in(c, 2)->dim[3];
    bool dropout = a->flags & LTH_ATTENTION_DROPOUT, mask = a->flags & LTH_ATTENTION_MASK;
    NAME(attention_row) r = { .c = c, .scale = c->in[3], .D = D, .id = a->id };
    if (dropout)
        r.p = *(const T *)c->in[4];
    if (mask)
        r.mask = plain_in(c, 4 + dropout), r.mask_data = c->in[4 + dropout];
    for (int64_t row = 0, rows = lth_shape_count(plain_out(c, 1)); row < rows; row++) {
        int64_t t = row % steps, h = row / steps % H, b = row / steps / H, group = b * G + h / (H / G);
        int64_t seen = a->flags & LTH_ATTENTION_CAUSAL ? t + 1 + S - steps : S;
        r.at[0] = b, r.at[1] = h, r.at[2] = t;
        r.q = (const T *)c->in[0] + row * D;
        r.k = (const T *)c->in[1] + group * S * D;
        r.v = (const T *)c->in[2] + group * S * E;
        r.seen = seen < 0 ? 0 : seen;
        r.first = row * S;
        T l = ((T *)c->out[1])[row] = NAME(attention_log_sum)(&r);
        NAME(attention_mix)(&r, l, (T *)c->out[0] + row * E, E);
    }
    return true;
}
