/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_attention.c: attention (Vaswani et al. 2017) and rotary embedding (Su et al. 2021).
 *
 * B sequences, H heads of queries, G of keys and values (H a multiple of G; head h reads group h / (H / G)), T queries,
 * S keys, D and E channels. With s = scale q k' + mask, where a pair that may not look is -inf:
 *   l = log(sum exp(s)),  P = exp(s - l),  y = (P dropped) v.
 * A row that sees no key has l = -inf, P = 0 and y = 0, and passes no gradient: never NaN.
 *
 * Heads of one group stand side by side, so (B, H, T, ..) is (B, G, H / G T, ..) without moving an element, and keys and
 * values are never repeated. Scores, P and l are f32 where q is of 16 bits. */
#include "engine/ops.h"

#include <math.h>

typedef struct heads {
    int64_t B, H, G, T, S, D, E;
    lth_dtype type, wide; /* q's; of scores and l */
    const lth_attr_attention *a;
    bool causal, dropout, mask;
} heads;

enum { Q, K, V, SCALE, FIRST_OPTION };

static heads heads_of(const lth_attr_attention *a, const lth_shape *q, const lth_shape *k, const lth_shape *v)
{
    heads h = { q->dim[0], q->dim[1], k->dim[1], q->dim[2], k->dim[2], q->dim[3], v->dim[3], .type = q->dtype, .a = a };
    h.wide = lth_dtype_size(q->dtype) == 2 ? LTH_F32 : q->dtype;
    h.causal = a->flags & LTH_ATTENTION_CAUSAL;
    h.dropout = a->flags & LTH_ATTENTION_DROPOUT;
    h.mask = a->flags & LTH_ATTENTION_MASK;
    return h;
}

static heads heads_of_rule(const op_rule *r)
{
    return heads_of(r->attributes, op_operand_shape(r, Q), op_operand_shape(r, K), op_operand_shape(r, V));
}

static uint32_t option_count(const heads *h) { return (uint32_t)h->dropout + h->mask; }
static uint32_t dropout_operand(void) { return FIRST_OPTION; }
static uint32_t mask_operand(const heads *h) { return FIRST_OPTION + h->dropout; }

/* ---- Shape rules ---- */

static bool fits_heads(op_shapes *s)
{
    const lth_shape *q = s->operands[Q], *k = s->operands[K], *v = s->operands[V];
    for (uint32_t i = Q; i <= V; i++) {
        if (s->operands[i]->rank != 4)
            return op_refuse(s, "queries, keys and values are (B, heads, length, channels), got %s as operand %u",
                             op_shape_text(s->operands[i]).text, i);
        if (s->operands[i]->dtype != q->dtype)
            return op_refuse(s, "queries of %s, but operand %u is of %s: lth_cast one of them", lth_dtype_name(q->dtype), i,
                             lth_dtype_name(s->operands[i]->dtype));
    }
    if (k->dim[0] != q->dim[0] || k->dim[3] != q->dim[3])
        return op_refuse(s, "queries %s and keys %s differ in batch or channels", op_shape_text(q).text, op_shape_text(k).text);
    if (v->dim[0] != k->dim[0] || v->dim[1] != k->dim[1] || v->dim[2] != k->dim[2])
        return op_refuse(s, "keys %s and values %s differ in more than channels", op_shape_text(k).text, op_shape_text(v).text);
    bool whole = k->dim[1] > 0 ? q->dim[1] % k->dim[1] == 0 : q->dim[1] == 0;
    return whole ||
           op_refuse(s, "%lld heads of queries are no multiple of the %lld of keys", (long long)q->dim[1], (long long)k->dim[1]);
}

/* A scalar of q's type or of the scores'. */
static bool is_number(op_shapes *s, const heads *h, uint32_t i, const char *name)
{
    lth_dtype t = s->operands[i]->dtype;
    return op_needs_scalar(s, i, name) &&
           (t == h->type || t == h->wide ||
            op_refuse(s, "%s of %s, where queries are of %s", name, lth_dtype_name(t), lth_dtype_name(h->type)));
}

static bool fits_mask(op_shapes *s, const heads *h, const lth_shape *m)
{
    const int64_t to[4] = { h->B, h->H, h->T, h->S };
    if (m->dtype != LTH_BOOL && m->dtype != h->type && m->dtype != h->wide)
        return op_refuse(s, "a mask is bool (true: looked at) or %s (added), got %s", lth_dtype_name(h->type),
                         lth_dtype_name(m->dtype));
    bool fits = m->rank <= 4;
    for (int32_t i = 0; fits && i < m->rank; i++)
        fits = m->dim[i] == 1 || m->dim[i] == to[4 - m->rank + i];
    return fits || op_refuse(s, "a mask %s does not broadcast to (%lld, %lld, %lld, %lld), batch, heads, queries and keys",
                             op_shape_text(m).text, (long long)h->B, (long long)h->H, (long long)h->T, (long long)h->S);
}

/* What both ops begin with; `more` operands follow. */
static bool check_attention(op_shapes *s, uint32_t more, heads *h)
{
    lth_attr_attention *a = s->attributes;
    const uint32_t known = LTH_ATTENTION_CAUSAL | LTH_ATTENTION_DROPOUT | LTH_ATTENTION_MASK;
    if (a->flags & ~known)
        return op_refuse(s, "flags 0x%x are unknown here", a->flags & ~known);
    if (!op_needs_float(s, Q) || !fits_heads(s))
        return false;
    *h = heads_of(a, s->operands[Q], s->operands[K], s->operands[V]);
    if (!h->dropout)
        a->id = 0;
    uint32_t wanted = FIRST_OPTION + option_count(h) + more;
    if (s->count != wanted)
        return op_refuse(s, "%u operands, where its flags 0x%x make it %u", s->count, a->flags, wanted);
    return is_number(s, h, SCALE, "the scale") && (!h->dropout || is_number(s, h, dropout_operand(), "the probability")) &&
           (!h->mask || fits_mask(s, h, s->operands[mask_operand(h)]));
}

bool shape_attention(op_shapes *s)
{
    heads h;
    if (!check_attention(s, 0, &h))
        return false;
    s->results[0] = (lth_shape) { h.type, 4, { h.B, h.H, h.T, h.E } };
    s->results[1] = (lth_shape) { h.wide, 3, { h.B, h.H, h.T } };
    return op_checks_size(s, &s->results[0]);
}

bool shape_attention_grad(op_shapes *s)
{
    heads h;
    if (!check_attention(s, 3, &h))
        return false;
    const lth_shape y = { h.type, 4, { h.B, h.H, h.T, h.E } }, l = { h.wide, 3, { h.B, h.H, h.T } };
    for (uint32_t i = 0; i < 3; i++) {
        const lth_shape *wanted = i == 1 ? &l : &y, *got = s->operands[s->count - 3 + i];
        if (got->dtype != wanted->dtype || !op_same_dims(got, wanted))
            return op_refuse(s, "operand %u is %s %s, must be %s %s", s->count - 3 + i, lth_dtype_name(got->dtype),
                             op_shape_text(got).text, lth_dtype_name(wanted->dtype), op_shape_text(wanted).text);
        s->results[i] = *s->operands[i];
    }
    return true;
}

/* ---- Parts of both decompositions ---- */

static lth_shape scores_shape(const heads *h, lth_dtype type) { return (lth_shape) { type, 4, { h->B, h->H, h->T, h->S } }; }

/* (B, H, T, n) as (B, G, H / G T, n), and back. */
static uint32_t by_group(op_rule *r, const heads *h, uint32_t x, int64_t n)
{
    lth_shape to = { h->type, 4, { h->B, h->G, h->G ? h->H / h->G * h->T : 0, n } };
    return op_reshape(r, x, &to);
}

static uint32_t by_head(op_rule *r, const heads *h, uint32_t x, int64_t n)
{
    lth_shape to = { h->type, 4, { h->B, h->H, h->T, n } };
    return op_reshape(r, x, &to);
}

/* A product in the scores' type. */
static uint32_t wide_matmul(op_rule *r, const heads *h, uint32_t a, uint32_t b, bool transpose_b)
{
    lth_attr_matmul at = { false, transpose_b, h->wide == h->type ? LTH_DTYPE_NONE : h->wide, 0 };
    uint32_t in[2] = { a, b };
    return op_emit(r, LTH_OP_MATMUL, in, 2, &at, sizeof at);
}

/* q k' (B, H, T, S) */
static uint32_t products(op_rule *r, const heads *h)
{
    uint32_t q = by_group(r, h, r->operands[Q], h->D);
    return by_head(r, h, wide_matmul(r, h, q, r->operands[K], true), h->S);
}

/* bool (T, S): query t sees keys up to t + S - T. */
static uint32_t not_later(op_rule *r, const heads *h)
{
    lth_attr_shape query = { { LTH_I64, 2, { h->T, h->S } }, 0 }, key = { { LTH_I64, 2, { h->T, h->S } }, 1 };
    uint32_t t = op_emit(r, LTH_OP_IOTA, NULL, 0, &query, sizeof query);
    uint32_t s = op_emit(r, LTH_OP_IOTA, NULL, 0, &key, sizeof key);
    return op_2(r, LTH_OP_LE, s, h->S == h->T ? t : op_plus(r, t, (double)(h->S - h->T)));
}

/* scale q k' + mask, -inf where a query may not look. */
static uint32_t scores(op_rule *r, const heads *h, uint32_t product)
{
    uint32_t s = op_mul(r, product, op_cast(r, r->operands[SCALE], h->wide)), hidden = op_number_like(r, s, -INFINITY);
    uint32_t mask = h->mask ? r->operands[mask_operand(h)] : LTH_NO_VALUE;
    bool boolean = h->mask && op_dtype_of(r, mask) == LTH_BOOL;
    if (h->mask)
        s = boolean ? op_where(r, mask, s, hidden) : op_add(r, s, op_cast(r, mask, h->wide));
    return h->causal ? op_where(r, not_later(r, h), s, hidden) : s;
}

/* Whether a row may see nothing: its maximum, and its log-sum-exp, are then -inf. */
static bool may_see_nothing(const heads *h) { return h->mask || (h->causal && h->S < h->T); }

/* x with 0 where it is -inf, so that -inf less it stays -inf. */
static uint32_t unless_hidden(op_rule *r, const heads *h, uint32_t x)
{
    return may_see_nothing(h) ? op_where(r, op_2n(r, LTH_OP_EQ, x, -INFINITY), op_number_like(r, x, 0), x) : x;
}

/* P: what exp makes of -inf is 0, and so is its derivative. */
static uint32_t probabilities(op_rule *r, const heads *h, uint32_t product, uint32_t log_sum_exp)
{
    lth_shape column = scores_shape(h, h->wide);
    column.dim[3] = 1;
    uint32_t l = unless_hidden(r, h, op_reshape(r, log_sum_exp, &column));
    return op_1(r, LTH_OP_EXP, op_sub(r, scores(r, h, product), l));
}

/* Zeroes what dropout drops and scales the rest by 1 / (1 - p), as DROPOUT does. */
static uint32_t dropped(op_rule *r, const heads *h, uint32_t x)
{
    if (!h->dropout)
        return x;
    lth_attr_random a = { scores_shape(h, h->wide), h->a->id, 0 };
    uint32_t p = op_cast(r, r->operands[dropout_operand()], h->wide);
    uint32_t kept = op_2(r, LTH_OP_GE, op_emit(r, LTH_OP_UNIFORM, NULL, 0, &a, sizeof a), p);
    return op_where(r, kept, op_div(r, x, op_sub(r, op_number_like(r, p, 1), p)), op_number_like(r, x, 0));
}

/* ---- Attention ---- */

void decompose_attention(op_rule *r)
{
    heads h = heads_of_rule(r);
    lth_shape y = { h.type, 4, { h.B, h.H, h.T, h.E } }, l = { h.wide, 3, { h.B, h.H, h.T } };
    if (lth_shape_count(&l) == 0 || h.S == 0) {
        r->outputs[0] = op_filled(r, &y, 0);
        r->outputs[1] = op_filled(r, &l, -INFINITY);
        return;
    }
    uint32_t s = scores(r, &h, products(r, &h)), max = unless_hidden(r, &h, op_reduce(r, LTH_OP_MAX, s, 8, true));
    uint32_t e = op_1(r, LTH_OP_EXP, op_sub(r, s, max)), sum = op_reduce(r, LTH_OP_SUM, e, 8, true);
    uint32_t nothing = may_see_nothing(&h) ? op_2n(r, LTH_OP_EQ, sum, 0) : LTH_NO_VALUE;
    uint32_t divisor = may_see_nothing(&h) ? op_where(r, nothing, op_number_like(r, sum, 1), sum) : sum;
    uint32_t p = op_cast(r, dropped(r, &h, op_div(r, e, divisor)), h.type);
    r->outputs[0] = by_head(r, &h, op_matmul(r, by_group(r, &h, p, h.S), r->operands[V], false, false), h.E);
    uint32_t log_sum = op_add(r, op_1(r, LTH_OP_LOG, divisor), max); /* no log of 0, which would look like a fault */
    if (may_see_nothing(&h))
        log_sum = op_where(r, nothing, op_number_like(r, log_sum, -INFINITY), log_sum);
    r->outputs[1] = op_reshape(r, log_sum, &l);
}

/* The way back, d_y and d_l being the results' gradients, either of which may be none:
 *   d P = dropped(d_y v'),  d s = P (d P - sum(d_y y) + d_l),  d q = scale d s k,  d k = scale d s' q,  d v = (P dropped)' d_y.
 */
typedef struct backward {
    uint32_t y, l, d_y, d_l;
    uint32_t product, d_s, q, k, v; /* q k', and the gradients of the scores and the operands */
} backward;

static uint32_t row_sum(op_rule *r, const heads *h, uint32_t a, uint32_t b)
{
    return op_reduce(r, LTH_OP_SUM, op_mul(r, op_cast(r, a, h->wide), op_cast(r, b, h->wide)), 8, true);
}

static void go_back(op_rule *r, const heads *h, backward *b)
{
    b->product = products(r, h);
    uint32_t p = probabilities(r, h, b->product, b->l), inner = LTH_NO_VALUE;
    b->v = LTH_NO_VALUE;
    if (b->d_y != LTH_NO_VALUE) {
        uint32_t d = by_group(r, h, b->d_y, h->E), used = op_cast(r, dropped(r, h, p), h->type);
        uint32_t d_p = by_head(r, h, wide_matmul(r, h, d, r->operands[V], true), h->S);
        b->v = op_matmul(r, by_group(r, h, used, h->S), d, true, false);
        inner = op_sub(r, dropped(r, h, d_p), row_sum(r, h, b->d_y, b->y));
    }
    if (b->d_l != LTH_NO_VALUE) {
        lth_shape column = { h->wide, 4, { h->B, h->H, h->T, 1 } };
        inner = op_accumulate(r, inner, op_reshape(r, b->d_l, &column));
    }
    b->d_s = op_mul(r, p, inner);
    uint32_t scaled = op_cast(r, op_mul(r, b->d_s, op_cast(r, r->operands[SCALE], h->wide)), h->type);
    uint32_t d = by_group(r, h, scaled, h->S);
    b->q = by_head(r, h, op_matmul(r, d, r->operands[K], false, false), h->D);
    b->k = op_matmul(r, d, by_group(r, h, r->operands[Q], h->D), true, false);
}

void decompose_attention_grad(op_rule *r)
{
    heads h = heads_of_rule(r);
    const uint32_t *last = r->operands + r->count - 3;
    backward b = { last[0], last[1], last[2], LTH_NO_VALUE, 0, 0, 0, 0, 0 };
    go_back(r, &h, &b);
    r->outputs[Q] = b.q;
    r->outputs[K] = b.k;
    r->outputs[V] = b.v;
}

/* Scale, probability and an added mask are seldom differentiated by: what is made for them here is dropped when nobody reads it.
 */
static void grad_of_options(op_rule *r, const heads *h, const backward *b)
{
    lth_shape scale = *op_operand_shape(r, SCALE);
    uint32_t by_scale = op_sum_to(r, op_mul(r, b->d_s, b->product), &scale);
    r->d_operands[SCALE] = op_cast(r, by_scale, scale.dtype);
    if (h->dropout && b->d_y != LTH_NO_VALUE) { /* d_y y / (1 - p) */
        uint32_t i = dropout_operand(), p = r->operands[i];
        lth_shape scalar = *op_operand_shape(r, i);
        uint32_t sum = op_cast(r, op_sum_to(r, row_sum(r, h, b->d_y, b->y), &scalar), scalar.dtype);
        r->d_operands[i] = op_div(r, sum, op_sub(r, op_number_like(r, p, 1), p));
    }
    if (h->mask && op_operand_shape(r, mask_operand(h))->dtype != LTH_BOOL) {
        lth_shape mask = *op_operand_shape(r, mask_operand(h));
        r->d_operands[mask_operand(h)] = op_cast(r, op_sum_to(r, b->d_s, &mask), mask.dtype);
    }
}

void grad_attention(op_rule *r)
{
    heads h = heads_of_rule(r);
    backward b = { r->results[0], r->results[1], r->d_results[0], r->d_results[1], 0, 0, 0, 0, 0 };
    go_back(r, &h, &b);
    grad_of_options(r, &h, &b);
    r->d_operands[Q] = b.q;
    r->d_operands[K] = b.k;
    r->d_operands[V] = b.v;
    if (b.d_l != LTH_NO_VALUE) /* the op takes none */
        return;
    uint32_t in[OP_MAX_COMPOSITE], count = r->count;
    for (uint32_t i = 0; i < count; i++)
        in[i] = r->operands[i];
    in[count++] = b.y;
    in[count++] = b.l;
    in[count++] = b.d_y;
    uint32_t d = op_emit(r, LTH_OP_ATTENTION_GRAD, in, count, r->attributes, sizeof(lth_attr_attention));
    for (uint32_t i = Q; i <= V; i++)
        r->d_operands[i] = d == LTH_NO_VALUE ? d : d + i;
}

/* ---- Rotary embedding ---- */

/* x (..., T, D), cos and sin (T, R / 2) */
bool shape_rotary(op_shapes *s)
{
    lth_attr_rotary *a = s->attributes;
    const lth_shape *x = s->operands[0], *table = s->operands[1];
    if (!op_needs_float(s, 0) || !op_same_dtypes(s, 0))
        return false;
    a->interleaved = a->interleaved != 0;
    a->reserved = 0;
    if (x->rank < 2)
        return op_refuse(s, "rotates the channels of (..., T, D), got %s", op_shape_text(x).text);
    if (table->rank != 2 || table->dim[0] != x->dim[x->rank - 2] || !op_same_dims(table, s->operands[2]))
        return op_refuse(s, "%s wants cosines and sines (%lld, R / 2), got %s and %s", op_shape_text(x).text,
                         (long long)x->dim[x->rank - 2], op_shape_text(table).text, op_shape_text(s->operands[2]).text);
    if (table->dim[1] > x->dim[x->rank - 1] / 2)
        return op_refuse(s, "%lld pairs of channels, where %s has %lld channels", (long long)table->dim[1], op_shape_text(x).text,
                         (long long)x->dim[x->rank - 1]);
    s->results[0] = *x;
    return true;
}

typedef struct rotary {
    bool interleaved;
    int32_t last; /* axis of the channels, once x is (N, T, D) */
    int64_t N, T, D, pairs;
    lth_dtype type;
} rotary;

static rotary rotary_of(const op_rule *r)
{
    const lth_shape *x = op_operand_shape(r, 0);
    rotary o = { ((const lth_attr_rotary *)r->attributes)->interleaved,
                 2,
                 1,
                 x->dim[x->rank - 2],
                 x->dim[x->rank - 1],
                 op_operand_shape(r, 1)->dim[1],
                 x->dtype };
    for (int32_t i = 0; i < x->rank - 2; i++)
        o.N *= x->dim[i];
    return o;
}

/* The first and the second of each pair: (N, T, R / 2). */
static void take_pairs(op_rule *r, const rotary *o, uint32_t x, uint32_t *first, uint32_t *second)
{
    lth_shape half = { o->type, 3, { o->N, o->T, o->pairs } }, pairs = { o->type, 4, { o->N, o->T, o->pairs, 2 } };
    if (!o->interleaved) {
        *first = op_slice_axis(r, x, 2, 0, o->pairs);
        *second = op_slice_axis(r, x, 2, o->pairs, o->pairs);
        return;
    }
    x = op_reshape(r, op_slice_axis(r, x, 2, 0, 2 * o->pairs), &pairs);
    *first = op_reshape(r, op_slice_axis(r, x, 3, 0, 1), &half);
    *second = op_reshape(r, op_slice_axis(r, x, 3, 1, 1), &half);
}

/* Back in their places, and the channels of x that are not rotated behind them. */
static uint32_t put_pairs(op_rule *r, const rotary *o, uint32_t first, uint32_t second, uint32_t x)
{
    uint32_t parts[3] = { first, second, op_slice_axis(r, x, 2, 2 * o->pairs, o->D - 2 * o->pairs) };
    if (!o->interleaved)
        return op_concat(r, parts, 3, 2);
    lth_shape single = { o->type, 4, { o->N, o->T, o->pairs, 1 } }, rotated = { o->type, 3, { o->N, o->T, 2 * o->pairs } };
    uint32_t both[2] = { op_reshape(r, first, &single), op_reshape(r, second, &single) };
    uint32_t two[2] = { op_reshape(r, op_concat(r, both, 2, 3), &rotated), parts[2] };
    return op_concat(r, two, 2, 2);
}

static uint32_t flattened(op_rule *r, const rotary *o, uint32_t x)
{
    lth_shape to = { o->type, 3, { o->N, o->T, o->D } };
    return op_reshape(r, x, &to);
}

/* (a, b) -> (a cos - b sin, b cos + a sin) */
void decompose_rotary(op_rule *r)
{
    rotary o = rotary_of(r);
    lth_shape shape = *op_operand_shape(r, 0);
    uint32_t x = flattened(r, &o, r->operands[0]), cos = r->operands[1], sin = r->operands[2], a, b;
    take_pairs(r, &o, x, &a, &b);
    uint32_t first = op_sub(r, op_mul(r, a, cos), op_mul(r, b, sin)), second = op_add(r, op_mul(r, b, cos), op_mul(r, a, sin));
    r->outputs[0] = op_reshape(r, put_pairs(r, &o, first, second, x), &shape);
}

/* By x the rotation back; by the tables what each pair and its gradient give, summed over what shares a row. */
void grad_rotary(op_rule *r)
{
    rotary o = rotary_of(r);
    lth_shape table = *op_operand_shape(r, 1);
    uint32_t d = r->d_results[0], in[3] = { d, r->operands[1], op_neg(r, r->operands[2]) }, a, b, da, db;
    r->d_operands[0] = op_emit(r, LTH_OP_ROTARY, in, 3, r->attributes, sizeof(lth_attr_rotary));
    take_pairs(r, &o, flattened(r, &o, r->operands[0]), &a, &b);
    take_pairs(r, &o, flattened(r, &o, d), &da, &db);
    r->d_operands[1] = op_sum_to(r, op_add(r, op_mul(r, a, da), op_mul(r, b, db)), &table);
    r->d_operands[2] = op_sum_to(r, op_sub(r, op_mul(r, a, db), op_mul(r, b, da)), &table);
}
