/* SPDX-License-Identifier: Apache-2.0
 * lthost/einsum.h: sums of products by a formula, as torch.einsum, and a few products by name.
 *
 *     lth_einsum("bij,bjk->bik", a, b)      a batch of matrix products
 *     lth_einsum("bhtd,bhsd->bhts", q, k)   scores of attention
 *     lth_einsum("ii", a)                   the trace: what stands on the right is left out, as torch does it
 *     lth_einsum("...ij->...ji", a)         whatever axes are in front
 *
 * A letter (a-z, A-Z) names an axis; two operands that share it have it in common. A letter twice in one operand takes its
 * diagonal. What does not stand right of the arrow is summed over. Without an arrow the result has the letters that occur once,
 * in ASCII's order, after the axes of "...". Axes of one name are equal in length, or 1, which is broadcast. Operands are taken
 * from left to right, two at a time, by matrix products.
 *
 * All functions: [main], during a step function or a recorded hook; errors are sticky (tensor.h). */
#ifndef LTHOST_EINSUM_H
#define LTHOST_EINSUM_H

#include "refuse.h"
#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

enum {
    LTH_EINSUM_OPERANDS = 8,
    LTH_EINSUM_REST = 52, /* the first of the LTH_MAX_RANK labels of axes of "..."; the last one is the last axis' */
    LTH_EINSUM_LABELS = LTH_EINSUM_REST + LTH_MAX_RANK
};

/* What one operand's axes are called, and the operand. */
typedef struct lth_einsum_term_ {
    lth_tensor x;
    int32_t count, rest; /* rest: where "..." stands, -1: nowhere */
    uint8_t label[LTH_MAX_RANK];
} lth_einsum_term_;

typedef struct lth_einsum_call_ {
    const char *formula, *file;
    lth_einsum_term_ terms[LTH_EINSUM_OPERANDS], out;
    int64_t size[LTH_EINSUM_LABELS]; /* -1: not met */
    lth_tensor bad;                  /* for messages: any operand; poison once refused */
    uint32_t count, line, refused, reserved;
} lth_einsum_call_;

static inline bool lth_einsum_refuse_(lth_einsum_call_ *c, const char *what, const char *more)
{
    c->bad = lth_refuse_(c->bad, c->file, c->line, "lth_einsum(\"%.80s\"): %s%s", c->formula, what, more);
    c->refused = 1;
    return false;
}

static inline int32_t lth_einsum_label_(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? letter - 'A' : letter >= 'a' && letter <= 'z' ? 26 + letter - 'a' : -1;
}

static inline uint64_t lth_einsum_mask_(const lth_einsum_term_ *t)
{
    uint64_t mask = 0;
    for (int32_t i = 0; i < t->count; i++)
        mask |= (uint64_t)1 << t->label[i];
    return mask;
}

/* Reads one term, up to a comma, an arrow or the end. */
static inline const char *lth_einsum_read_(lth_einsum_call_ *c, const char *at, lth_einsum_term_ *t)
{
    t->rest = -1;
    for (; *at && *at != ',' && *at != '-' && !c->refused; at++) {
        int32_t label = lth_einsum_label_(*at);
        const char letter[2] = { *at, 0 };
        if (*at == ' ')
            continue;
        if (at[0] == '.' && at[1] == '.' && at[2] == '.' && t->rest < 0) {
            t->rest = t->count;
            at += 2;
        } else if (label < 0)
            lth_einsum_refuse_(c, "what is wanted are letters, \"...\" once a term, \",\" and one \"->\", not ", letter);
        else if (t->count == LTH_MAX_RANK)
            lth_einsum_refuse_(c, "a tensor has at most 8 dimensions", "");
        else
            t->label[t->count++] = (uint8_t)label;
    }
    return at;
}

/* "..." becomes `more` labels, which end with the last one. */
static inline void lth_einsum_fill_(lth_einsum_term_ *t, int32_t more)
{
    if (t->rest < 0)
        return;
    for (int32_t i = t->count - 1; i >= t->rest; i--)
        t->label[i + more] = t->label[i];
    for (int32_t i = 0; i < more; i++)
        t->label[t->rest + i] = (uint8_t)(LTH_EINSUM_LABELS - more + i);
    t->count += more;
}

/* Gives an operand its labels, and the labels their sizes. */
static inline bool lth_einsum_bind_(lth_einsum_call_ *c, lth_einsum_term_ *t, uint32_t number)
{
    char text[320];
    const lth_shape *s = lth_shape_of(t->x);
    int32_t more = s->rank - t->count;
    if (t->rest < 0 ? more != 0 : more < 0) {
        snprintf(text, sizeof text, "operand %u is %s, but has %d letters", (unsigned)number + 1, lth_shape_text_(t->x).at, (int)t->count);
        return lth_einsum_refuse_(c, text, "");
    }
    lth_einsum_fill_(t, more);
    for (int32_t i = 0; i < t->count; i++) {
        int64_t *size = &c->size[t->label[i]];
        if (*size >= 0 && *size != 1 && s->dim[i] != *size && s->dim[i] != 1) {
            snprintf(text, sizeof text, "axis %d of operand %u %s is not of length %lld, as another of its name", (int)i,
                     (unsigned)number + 1, lth_shape_text_(t->x).at, (long long)*size);
            return lth_einsum_refuse_(c, text, "");
        }
        if (*size < 0 || *size == 1)
            *size = s->dim[i];
    }
    return true;
}

/* Without an arrow: the axes of "...", then the letters that occur once. */
static inline void lth_einsum_implied_(lth_einsum_call_ *c)
{
    int32_t met[LTH_EINSUM_LABELS] = { 0 };
    for (uint32_t t = 0; t < c->count; t++)
        for (int32_t i = 0; i < c->terms[t].count; i++)
            met[c->terms[t].label[i]]++;
    for (int32_t i = 0, l; i < LTH_EINSUM_LABELS; i++) {
        l = i < LTH_MAX_RANK ? LTH_EINSUM_REST + i : i - LTH_MAX_RANK;
        if (l >= LTH_EINSUM_REST ? met[l] == 0 : met[l] != 1)
            continue;
        if (c->out.count == LTH_MAX_RANK) {
            lth_einsum_refuse_(c, "the result would have more than 8 dimensions", "");
            return;
        }
        c->out.label[c->out.count++] = (uint8_t)l;
    }
}

static inline bool lth_einsum_output_(lth_einsum_call_ *c, const char *at)
{
    int32_t more = 0;
    uint64_t seen = 0;
    if (*at == 0) {
        lth_einsum_implied_(c);
        return !c->refused;
    }
    if (at[0] != '-' || at[1] != '>')
        return lth_einsum_refuse_(c, "an arrow is written ->", "");
    at = lth_einsum_read_(c, at + 2, &c->out);
    if (*at)
        return lth_einsum_refuse_(c, "there is one result", "");
    for (int32_t i = LTH_EINSUM_REST; i < LTH_EINSUM_LABELS; i++)
        more += c->size[i] >= 0;
    if (!c->refused && c->out.rest >= 0 && c->out.count + more > LTH_MAX_RANK)
        return lth_einsum_refuse_(c, "the result would have more than 8 dimensions", "");
    lth_einsum_fill_(&c->out, more);
    for (int32_t i = 0; i < c->out.count; i++) {
        if (c->size[c->out.label[i]] < 0)
            return lth_einsum_refuse_(c, "a letter of the result is in no operand", "");
        if (seen >> c->out.label[i] & 1)
            return lth_einsum_refuse_(c, "a letter stands twice in the result", "");
        seen |= (uint64_t)1 << c->out.label[i];
    }
    return !c->refused;
}

/* ---- Steps on one operand ---- */

/* The axes in the order of `to`, which has the same labels. */
static inline lth_tensor lth_einsum_ordered_(const lth_einsum_term_ *t, const uint8_t *to, const char *file, uint32_t line)
{
    int64_t order[LTH_MAX_RANK] = { 0 };
    bool moved = false;
    for (int32_t i = 0; i < t->count; i++) {
        int32_t from = 0;
        while (t->label[from] != to[i])
            from++;
        order[i] = from;
        moved = moved || from != i;
    }
    return moved ? lth_op_dims_(LTH_OP_PERMUTE, t->x, order, (uint64_t)t->count, file, line) : t->x;
}

/* Axes p < q of one name become one, at the end: every (n + 1)th of their n n elements. */
static inline void lth_einsum_diagonal_(lth_einsum_term_ *t, int32_t p, int32_t q, const char *file, uint32_t line)
{
    lth_attr_slice at = { { 0 }, { 0 }, { 0 } };
    lth_shape s = { LTH_DTYPE_NONE, t->count - 1, { 0 } };
    int64_t order[LTH_MAX_RANK] = { 0 }, n = lth_dim(t->x, p);
    uint8_t label = t->label[p];
    int32_t kept = 0;
    for (int32_t i = 0; i < t->count; i++)
        if (i != p && i != q) {
            s.dim[kept] = at.length[kept] = lth_dim(t->x, i);
            at.step[kept] = 1;
            t->label[kept] = t->label[i];
            order[kept++] = i;
        }
    order[kept] = p;
    order[kept + 1] = q;
    s.dim[kept] = n * n;
    at.length[kept] = n;
    at.step[kept] = n + 1;
    t->label[kept] = label;
    lth_tensor square = lth_op_dims_(LTH_OP_PERMUTE, t->x, order, (uint64_t)t->count, file, line);
    t->x = lth_op1_(LTH_OP_SLICE, lth_reshape_to(square, &s), &at, sizeof at, file, line);
    t->count = kept + 1;
}

/* Diagonals taken, and axes of 1 as long as their name is. */
static inline bool lth_einsum_prepare_(lth_einsum_call_ *c, lth_einsum_term_ *t, const char *file, uint32_t line)
{
    for (int32_t q = 1; q < t->count; q++)
        for (int32_t p = 0; p < q; p++)
            if (t->label[p] == t->label[q]) {
                if (lth_dim(t->x, p) != lth_dim(t->x, q))
                    return lth_einsum_refuse_(c, "there is no diagonal of axes of different lengths: ", lth_shape_text_(t->x).at);
                lth_einsum_diagonal_(t, p, q, file, line);
                q = 0;
                break;
            }
    lth_shape wide = *lth_shape_of(t->x);
    bool grows = false;
    for (int32_t i = 0; i < t->count; i++) {
        grows = grows || wide.dim[i] != c->size[t->label[i]];
        wide.dim[i] = c->size[t->label[i]];
    }
    if (grows)
        t->x = lth_expand_to(t->x, &wide);
    return true;
}

/* Sums over the axes that nobody needs. */
static inline void lth_einsum_sum_(lth_einsum_term_ *t, uint64_t needed, const char *file, uint32_t line)
{
    lth_attr_reduce a = { 0, 0 };
    int32_t kept = 0;
    for (int32_t i = 0; i < t->count; i++)
        if (needed >> t->label[i] & 1)
            t->label[kept++] = t->label[i];
        else
            a.axes |= 1u << i;
    t->count = kept;
    if (a.axes)
        t->x = lth_op1_(LTH_OP_SUM, t->x, &a, sizeof a, file, line);
}

/* ---- Two operands ---- */

/* Appends the labels of t that are in `which`; returns the product of their sizes. */
static inline int64_t lth_einsum_gather_(const lth_einsum_call_ *c, const lth_einsum_term_ *t, uint64_t which, uint8_t *to, int32_t *count)
{
    int64_t n = 1;
    for (int32_t i = 0; i < t->count; i++)
        if (which >> t->label[i] & 1) {
            to[(*count)++] = t->label[i];
            n *= c->size[t->label[i]];
        }
    return n;
}

/* a becomes the sum of products of a and b over what is not in `later`. Axes of both that stay come first, then a's own, then b's. */
static inline bool lth_einsum_product_(lth_einsum_call_ *c, lth_einsum_term_ *a, const lth_einsum_term_ *b, uint64_t later,
                                       const char *file, uint32_t line)
{
    uint64_t in_a = lth_einsum_mask_(a), in_b = lth_einsum_mask_(b), both = in_a & in_b;
    uint8_t of_a[2 * LTH_MAX_RANK], of_b[2 * LTH_MAX_RANK], to[2 * LTH_MAX_RANK];
    int32_t na = 0, nb = 0, n = 0;
    int64_t B = lth_einsum_gather_(c, a, both & later, of_a, &na), M = lth_einsum_gather_(c, a, in_a & ~in_b, of_a, &na);
    int64_t K = lth_einsum_gather_(c, a, both & ~later, of_a, &na);
    lth_einsum_gather_(c, a, both & later, of_b, &nb);
    lth_einsum_gather_(c, a, both & ~later, of_b, &nb);
    int64_t N = lth_einsum_gather_(c, b, in_b & ~in_a, of_b, &nb);
    lth_einsum_gather_(c, a, both & later, to, &n);
    lth_einsum_gather_(c, a, in_a & ~in_b, to, &n);
    lth_einsum_gather_(c, b, in_b & ~in_a, to, &n);
    if (n > LTH_MAX_RANK)
        return lth_einsum_refuse_(c, "there would be more than 8 dimensions on the way", "");
    const bool summed = (both & ~later) != 0;
    if (summed && !lth_dtype_is_float(lth_dtype_of(a->x)))
        return lth_einsum_refuse_(c, "matrix products need a floating type: lth_cast the operands, which are ", lth_dtype_name(lth_dtype_of(a->x)));
    lth_tensor x = lth_reshape(lth_einsum_ordered_(a, of_a, file, line), B, M, K);
    lth_tensor y = lth_reshape(lth_einsum_ordered_(b, of_b, file, line), B, K, N);
    lth_tensor z = summed ? lth_matmul(x, y) : lth_mul(x, y); /* (B, M, N); without a sum K is 1 */
    lth_shape s = { LTH_DTYPE_NONE, n, { 0 } };
    for (int32_t i = 0; i < n; i++) {
        s.dim[i] = c->size[to[i]];
        a->label[i] = to[i];
    }
    a->count = n;
    a->x = lth_reshape_to(z, &s);
    return true;
}

static inline lth_tensor lth_einsum_run_(lth_einsum_call_ *c, const char *file, uint32_t line)
{
    const char *at = c->formula;
    for (uint32_t t = 0; t < c->count; t++, at += *at == ',') {
        at = lth_einsum_read_(c, at, &c->terms[t]);
        if (!c->refused && (t + 1 < c->count) != (*at == ','))
            lth_einsum_refuse_(c, "has another number of terms than operands", "");
        if (c->refused || !lth_einsum_bind_(c, &c->terms[t], t))
            return c->bad;
    }
    if (!lth_einsum_output_(c, at))
        return c->bad;
    uint64_t needed[LTH_EINSUM_OPERANDS + 1]; /* by the terms from each on, and by the result */
    needed[c->count] = lth_einsum_mask_(&c->out);
    for (uint32_t t = c->count; t-- > 0;)
        needed[t] = needed[t + 1] | lth_einsum_mask_(&c->terms[t]);
    lth_einsum_term_ *all = &c->terms[0];
    for (uint32_t t = 0; t < c->count; t++) {
        if (!lth_einsum_prepare_(c, &c->terms[t], file, line))
            return c->bad;
        lth_einsum_sum_(&c->terms[t], needed[t + 1] | (t ? lth_einsum_mask_(all) : 0), file, line);
        if (t && !lth_einsum_product_(c, all, &c->terms[t], needed[t + 1], file, line))
            return c->bad;
    }
    return lth_einsum_ordered_(all, c->out.label, file, line);
}

static inline lth_tensor lth_einsum_(const char *formula, const lth_tensor *operands, uint64_t count, const char *file, uint32_t line)
{
    lth_einsum_call_ c;
    memset(&c, 0, sizeof c);
    c.formula = formula;
    c.file = file;
    c.line = line;
    c.count = count < LTH_EINSUM_OPERANDS ? (uint32_t)count : (uint32_t)LTH_EINSUM_OPERANDS;
    for (uint32_t i = 0; i < c.count; i++) {
        c.terms[i].x = operands[i];
        c.bad = operands[i].trace ? operands[i] : c.bad;
    }
    for (uint32_t i = 0; i < c.count; i++)
        if (!operands[i].trace)
            lth_einsum_refuse_(&c, "an operand has no value: it was never assigned", "");
    for (int32_t i = 0; i < LTH_EINSUM_LABELS; i++)
        c.size[i] = -1;
    if (count > LTH_EINSUM_OPERANDS)
        lth_einsum_refuse_(&c, "takes at most 8 operands", "");
    return c.refused ? c.bad : lth_einsum_run_(&c, file, line);
}

/* a (M), b (N) -> (M, N) */
static inline lth_tensor lth_outer_(lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    if (a.trace && b.trace && (lth_rank(a) != 1 || lth_rank(b) != 1))
        return lth_refuse_(a, file, line, "lth_outer: takes two vectors, not %s and %s", lth_shape_text_(a).at, lth_shape_text_(b).at);
    return lth_mul(lth_reshape(a, -1, 1), lth_reshape(b, 1, -1));
}

static inline lth_tensor lth_bmm_(lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    bool fits = lth_rank(a) == 3 && lth_rank(b) == 3 && lth_dim(a, 0) == lth_dim(b, 0);
    if (a.trace && b.trace && !fits)
        return lth_refuse_(a, file, line, "lth_bmm: takes (B, M, K) and (B, K, N), not %s and %s (lth_matmul broadcasts)",
                           lth_shape_text_(a).at, lth_shape_text_(b).at);
    return lth_matmul(a, b);
}

#pragma pop_macro("LTH_HERE")
#ifdef __cplusplus
LTH_END_C
template <class... X> static inline lth_tensor lth_einsum_list_(const char *file, uint32_t line, const char *formula, X... x)
{
    const lth_tensor operands[] = { x... };
    return lth_einsum_(formula, operands, sizeof...(x), file, line);
}
#define lth_einsum(formula, ...) lth_einsum_list_(LTH_HERE, (formula), __VA_ARGS__)
LTH_BEGIN_C
#else
#define lth_einsum(formula, ...)                                                                                         \
    lth_einsum_((formula), (const lth_tensor[]){ __VA_ARGS__ }, sizeof((const lth_tensor[]){ __VA_ARGS__ }) / sizeof(lth_tensor), LTH_HERE)
#endif
/* a (M), b (N) -> (M, N); a (B, M, K), b (B, K, N) -> (B, M, N), nothing broadcast. */
#define lth_outer(a, b) lth_outer_((a), (b), LTH_HERE)
#define lth_bmm(a, b) lth_bmm_((a), (b), LTH_HERE)

LTH_END_C
#endif
