/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/ctc_loss.h: connectionist temporal classification (Graves et al. 2006), as torch.nn.CTCLoss. [main] */
#ifndef LTHOST_NN_CTC_LOSS_H
#define LTHOST_NN_CTC_LOSS_H

#include "reduction.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_ctc_args {
    lth_tensor target_lengths LTH_ZERO; /* (N), i64, each in 0..S */
    int64_t blank LTH_ZERO;             /* the class that says nothing; default 0 */
    lth_reduction reduction LTH_ZERO;   /* the mean is that of loss / max(target length, 1), as torch's */
    int32_t zero_infinity LTH_ZERO;     /* 1: what cannot be aligned counts as 0, else as infinity; its gradient is 0 either way */
} lth_ctc_args;

/* As good as -infinity, but 0 times it is 0, so that a way that cannot be taken makes no NaN in the gradient. */
#define LTH_CTC_NEVER_ (-1e30)
/* Steps are taken out of blocks: the gradient of each is a sum over its block, not over all T. */
enum { LTH_CTC_BLOCK_ = 32 };

/* What the recursion is about: L = 2 S + 1 states, a blank before, between and after the labels. */
typedef struct lth_ctc_lattice {
    lth_tensor emission; /* (T, N, L): log probability of each state's class */
    lth_tensor skip;     /* (N, L), bool: whether a state can be reached past the blank before it */
    int64_t T, N, L;
} lth_ctc_lattice;

/* (N, L) with its columns moved right by `by`; `fill` comes in. */
static inline lth_tensor lth_ctc_shift_(lth_tensor x, int64_t by, lth_tensor fill, const char *file, uint32_t line)
{
    const lth_tensor parts[2] = { lth_expand(fill, lth_dim(x, 0), by), lth_slice(x, 1, 0, lth_dim(x, 1) - by) };
    return lth_concat(parts, 2, 1);
}

static inline lth_ctc_lattice lth_ctc_lattice_(lth_tensor x, lth_tensor target, const lth_ctc_args *a, const char *file, uint32_t line)
{
    const int64_t T = lth_dim(x, 0), N = lth_dim(x, 1), S = lth_dim(target, 1), L = 2 * S + 1;
    lth_shape labels = { LTH_I64, 2, { N, S } }, edge = { LTH_I64, 2, { N, 1 } };
    lth_tensor nought = lth_mul(lth_iota(x, &edge, 1), 0.0), blank = lth_add(nought, (double)a->blank); /* (N, 1) */
    lth_tensor real = lth_lt(lth_iota(x, &labels, 1), lth_reshape(a->target_lengths, N, 1));
    target = lth_where(real, target, (double)a->blank); /* whatever the padding holds */
    const lth_tensor pairs[2] = { lth_expand(lth_reshape(blank, N, 1, 1), N, S, 1), lth_reshape(target, N, S, 1) };
    const lth_tensor ends[2] = { lth_reshape(lth_concat(pairs, 2, 2), N, 2 * S), blank };
    lth_tensor states = lth_concat(ends, 2, 1); /* (N, L): blank label blank ... label blank */
    lth_tensor index = lth_expand(lth_reshape(states, 1, N, L), T, N, L);
    lth_ctc_lattice l = { lth_maximum(lth_gather_along(x, index, 2), LTH_CTC_NEVER_), lth_none(), T, N, L };
    lth_tensor other = lth_ne(states, (double)a->blank);
    if (L > 2)
        other = lth_and(other, lth_ne(states, lth_ctc_shift_(states, 2, blank, file, line)));
    l.skip = other;
    return l;
}

/* log(exp(a) + exp(b)), or of three, elementwise. */
static inline lth_tensor lth_ctc_sum_(const lth_tensor *x, uint32_t count, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x[0]);
    s.dim[s.rank++] = 1;
    lth_tensor parts[3] = { x[0], x[0], x[0] };
    for (uint32_t i = 0; i < count; i++)
        parts[i] = lth_reshape_to(x[i], &s);
    return lth_logsumexp(lth_concat(parts, count, -1), -1, 0);
}

/* The logarithm of the probability of all ways, (N), at most about LTH_CTC_NEVER_ where there is none. */
static inline lth_tensor lth_ctc_forward_(const lth_ctc_lattice *l, lth_tensor input_lengths, lth_tensor target_lengths,
                                          const char *file, uint32_t line)
{
    const int64_t N = l->N, L = l->L;
    lth_tensor first = lth_reshape(lth_slice(l->emission, 0, 0, 1), N, L);
    lth_tensor never = lth_reshape(lth_operand_resolve_(lth_operand_number_(LTH_CTC_NEVER_), first, file, line), 1, 1);
    lth_shape s = { LTH_I64, 2, { N, L } };
    lth_tensor alpha = lth_where(lth_lt(lth_iota(first, &s, 1), 2.0), first, LTH_CTC_NEVER_); /* (N, L) */
    lth_tensor block = l->emission;
    for (int64_t t = 1; t < l->T; t++) {
        if (t == 1 || t % LTH_CTC_BLOCK_ == 0) {
            int64_t end = t - t % LTH_CTC_BLOCK_ + LTH_CTC_BLOCK_;
            block = lth_slice(l->emission, 0, t - t % LTH_CTC_BLOCK_, end < l->T ? end : l->T);
        }
        lth_tensor ways[3] = { alpha, alpha, alpha };
        uint32_t count = 1;
        if (L > 1)
            ways[count++] = lth_ctc_shift_(alpha, 1, never, file, line);
        if (L > 2)
            ways[count++] = lth_where(l->skip, lth_ctc_shift_(alpha, 2, never, file, line), LTH_CTC_NEVER_);
        lth_tensor now = lth_slice(block, 0, t % LTH_CTC_BLOCK_, t % LTH_CTC_BLOCK_ + 1);
        lth_tensor next = lth_add(lth_ctc_sum_(ways, count, file, line), lth_reshape(now, N, L));
        alpha = lth_where(lth_gt(lth_reshape(input_lengths, N, 1), (double)t), next, alpha);
    }
    lth_tensor last = lth_reshape(lth_mul(target_lengths, 2.0), N, 1); /* the last blank; the label before it, if there is one */
    lth_tensor empty = lth_eq(last, 0);
    lth_tensor label = lth_gather_along(alpha, lth_where(empty, 0, lth_sub(last, 1.0)), 1);
    const lth_tensor ends[2] = { lth_gather_along(alpha, last, 1), lth_where(empty, LTH_CTC_NEVER_, label) };
    return lth_reshape(lth_ctc_sum_(ends, 2, file, line), N);
}

/* True for (N) of type i32 or i64. */
static inline bool lth_ctc_lengths_good_(lth_tensor x, int64_t N)
{
    return lth_rank(x) == 1 && lth_dim(x, 0) == N && (lth_dtype_of(x) == LTH_I64 || lth_dtype_of(x) == LTH_I32);
}

/* x (T, N, C): log probabilities (lth_log_softmax); target (N, S), i32 or i64, padded with anything; input_lengths (N), each in 1..T.
 * -log of the probability that the path of classes, repetitions joined and blanks left out, is the target. Recorded for each
 * of the T steps: each T is a plan of its own, so pad to few lengths. The gradient is that of this function; torch's leaves
 * the softmax's part to be added in the log-softmax, which gives the same gradient by the logits. */
static inline lth_tensor lth_ctc_loss_(lth_tensor x, lth_tensor target, lth_tensor input_lengths, const lth_ctc_args *a,
                                       const char *file, uint32_t line)
{
    const int64_t T = lth_dim(x, 0), N = lth_dim(x, 1), S = lth_dim(target, 1);
    if (!x.trace)
        return x;
    if (lth_rank(x) != 3 || T < 1 || lth_rank(target) != 2 || lth_dim(target, 0) != N || lth_dtype_is_float(lth_dtype_of(target)))
        return lth_nn_fail_(x, file, line, "lth_ctc_loss takes log probabilities (T, N, C) and targets (N, S) of type i64, padded; got %s "
                            "and %s (targets one after the other in one axis are not taken: pad them)", lth_shape_text_(x).at,
                            lth_shape_text_(target).at);
    if (!lth_ctc_lengths_good_(input_lengths, N) || !lth_ctc_lengths_good_(a->target_lengths, N))
        return lth_nn_fail_(x, file, line, "lth_ctc_loss takes lengths (%lld) of type i64, not %s and %s", (long long)N,
                            lth_shape_text_(input_lengths).at, lth_shape_text_(a->target_lengths).at);
    if (a->blank < 0 || a->blank >= lth_dim(x, 2))
        return lth_nn_fail_(x, file, line, "lth_ctc_loss: blank must be one of the %lld classes, not %lld", (long long)lth_dim(x, 2),
                            (long long)a->blank);
    lth_ctc_args as = *a;
    lth_tensor steps = lth_cast(input_lengths, LTH_I64);
    as.target_lengths = lth_cast(a->target_lengths, LTH_I64);
    target = lth_cast(target, LTH_I64);
    x = lth_dtype_size(lth_dtype_of(x)) < 4 ? lth_cast(x, LTH_F32) : lth_nn_unlowered_(x, file, line);
    lth_assert(lth_and(lth_ge(steps, 1.0), lth_le(steps, (double)T)), "lth_ctc_loss: an input length outside 1..T");
    lth_assert(lth_and(lth_ge(as.target_lengths, 0), lth_le(as.target_lengths, (double)S)), "lth_ctc_loss: a target length outside 0..S");
    lth_ctc_lattice lattice = lth_ctc_lattice_(x, target, &as, file, line);
    lth_tensor likelihood = lth_ctc_forward_(&lattice, steps, as.target_lengths, file, line);
    lth_tensor loss = lth_where(lth_lt(likelihood, LTH_CTC_NEVER_ / 10), a->zero_infinity ? 0.0 : INFINITY, lth_neg(likelihood));
    if (a->reduction == LTH_REDUCTION_MEAN)
        loss = lth_div(loss, lth_maximum(lth_cast(as.target_lengths, lth_dtype_of(loss)), 1.0));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

#pragma pop_macro("LTH_HERE")
/* lth_ctc_loss(log_p, targets, input_lengths, target_lengths); options follow: .blank, .reduction, .zero_infinity = 1 */
#define lth_ctc_loss(x, target, input_lengths, ...)                                                                      \
    lth_ctc_loss_((x), (target), (input_lengths), LTH_REF(lth_ctc_args, .target_lengths = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
