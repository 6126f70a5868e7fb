/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/classification_loss.h: losses of one class out of C, and of distributions. [main]
 *
 * logits (N, C) or (N, C, d...), target i32 or i64 (N) or (N, d...), each in 0..C-1: another one fails the run and is
 * named. No class is passed over unless .ignore = 1 says so. */
#ifndef LTHOST_NN_CLASSIFICATION_LOSS_H
#define LTHOST_NN_CLASSIFICATION_LOSS_H

#include "reduction.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_cross_entropy_args {
    lth_tensor target LTH_ZERO;    /* classes; or probabilities: floating, of the logits' shape */
    lth_tensor weight LTH_ZERO;    /* (C): of each class; the mean divides by the sum of the targets' weights */
    double label_smoothing LTH_ZERO; /* in [0, 1): that share of the target is spread evenly over the classes */
    lth_reduction reduction LTH_ZERO;
    int32_t ignore LTH_ZERO;       /* 1: targets equal to ignore_index count for nothing, in the mean's divisor neither */
    int64_t ignore_index LTH_ZERO;
} lth_cross_entropy_args;

typedef struct lth_nll_args {
    lth_tensor target LTH_ZERO, weight LTH_ZERO;
    lth_reduction reduction LTH_ZERO;
    int32_t ignore LTH_ZERO;
    int64_t ignore_index LTH_ZERO;
} lth_nll_args;

/* The shared form of both: one row a decision. */
typedef struct lth_class_rows {
    lth_tensor x;      /* (M, C) */
    lth_tensor target; /* (M), with 0 where it is ignored */
    lth_tensor keep;   /* (M): 0 where it is ignored, else 1; none: all are kept */
    lth_tensor weight; /* (M): of each row's class, times keep; none: 1 */
} lth_class_rows;

/* (N, C, d...) -> (M, C), M = N d... */
static inline lth_tensor lth_class_rows_of_(lth_tensor x, const char *file, uint32_t line)
{
    const lth_shape s = *lth_shape_of(x);
    if (s.rank <= 2)
        return x;
    lth_attr_dims order = { s.rank, 0, { 0 } }; /* 0, 2, 3, ..., 1 */
    for (int32_t i = 2; i < s.rank; i++)
        order.dim[i - 1] = i;
    order.dim[s.rank - 1] = 1;
    return lth_reshape(lth_op1_(LTH_OP_PERMUTE, x, &order, sizeof order, file, line), -1, s.dim[1]);
}

/* False, with the error recorded, unless target is (N, d...) to x (N, C, d...). */
static inline bool lth_class_shapes_(const char *name, lth_tensor x, lth_tensor target, const char *file, uint32_t line)
{
    const lth_shape *s = lth_shape_of(x), *t = lth_shape_of(target);
    bool good = s->rank >= 2 && t->rank == s->rank - 1 && s->dim[0] == t->dim[0] && !lth_dtype_is_float(t->dtype);
    for (int32_t i = 1; good && i < t->rank; i++)
        good = t->dim[i] == s->dim[i + 1];
    if (!good && x.trace && target.trace)
        lth_nn_fail_(x, file, line, "%s: logits (N, C, ...) with one class (N, ...) each are wanted, of type i64; got %s and %s of type %s",
                     name, lth_shape_text_(x).at, lth_shape_text_(target).at, lth_dtype_name(t->dtype));
    return good;
}

/* False, with the error recorded: .ignore_index says nothing without .ignore = 1, as 0 may be a class. */
static inline bool lth_ignore_good_(const char *name, lth_tensor x, int32_t ignore, int64_t index, const char *file, uint32_t line)
{
    if (ignore || !index)
        return true;
    lth_nn_fail_(x, file, line, "%s: .ignore_index = %lld needs .ignore = 1 beside it", name, (long long)index);
    return false;
}

static inline lth_class_rows lth_class_rows_(lth_tensor x, const lth_nll_args *a, const char *file, uint32_t line)
{
    lth_class_rows r = { lth_class_rows_of_(x, file, line), lth_flatten(a->target, 0), lth_none(), lth_none() };
    if (a->ignore) {
        lth_tensor ignored = lth_eq(r.target, (double)a->ignore_index);
        r.keep = lth_cast(lth_not(ignored), lth_dtype_of(x));
        r.target = lth_where(ignored, 0, r.target);
    }
    r.weight = a->weight.trace ? lth_gather(a->weight, r.target) : r.keep;
    if (a->weight.trace && a->ignore)
        r.weight = lth_mul(r.weight, r.keep);
    return r;
}

/* loss (M), already weighted -> as `reduction` says; the mean divides by the sum of the weights. */
static inline lth_tensor lth_class_reduce_(lth_tensor loss, lth_tensor weight, const lth_nll_args *a, const char *file, uint32_t line)
{
    if (a->reduction == LTH_REDUCTION_NONE)
        return lth_rank(a->target) == 1 ? loss : lth_reshape_to(loss, lth_shape_of(a->target));
    if (a->reduction == LTH_REDUCTION_MEAN && weight.trace)
        return lth_div(lth_sum(loss), lth_sum(weight));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

/* Probabilities as target: -sum over classes of weight * p * log q. */
static inline lth_tensor lth_soft_cross_entropy_(lth_tensor logits, const lth_cross_entropy_args *a, const char *file, uint32_t line)
{
    if (!lth_nn_match_("lth_cross_entropy (a floating target holds probabilities, of the logits' shape; classes are i64: lth_cast them)",
                       logits, a->target, file, line))
        return logits;
    if (a->ignore)
        return lth_nn_fail_(logits, file, line, "lth_cross_entropy: .ignore is for classes; this target holds probabilities");
    lth_tensor x = lth_class_rows_of_(logits, file, line), p = lth_class_rows_of_(a->target, file, line);
    if (a->label_smoothing > 0)
        p = lth_add(lth_mul(p, 1 - a->label_smoothing), a->label_smoothing / (double)lth_dim(x, 1));
    lth_tensor terms = lth_mul(p, lth_log_softmax(x, -1));
    lth_tensor loss = lth_neg(lth_sum_axis(a->weight.trace ? lth_mul(terms, a->weight) : terms, -1, 0));
    if (a->reduction != LTH_REDUCTION_NONE || lth_rank(logits) == 2)
        return lth_reduce_loss_(loss, a->reduction, file, line);
    lth_shape s = *lth_shape_of(logits); /* (N, C, d...) -> (N, d...) */
    s.rank--;
    for (int32_t i = 1; i < s.rank; i++)
        s.dim[i] = s.dim[i + 1];
    return lth_reshape_to(loss, &s);
}

static inline lth_tensor lth_cross_entropy_(lth_tensor logits, const lth_cross_entropy_args *a, const char *file, uint32_t line)
{
    const double smooth = a->label_smoothing;
    if (!(smooth >= 0 && smooth < 1))
        return lth_nn_fail_(logits, file, line, "lth_cross_entropy: label_smoothing must be in [0, 1), not %g", smooth);
    if (lth_dtype_is_float(lth_dtype_of(a->target)))
        return lth_soft_cross_entropy_(logits, a, file, line);
    if (!lth_class_shapes_("lth_cross_entropy", logits, a->target, file, line) ||
        !lth_ignore_good_("lth_cross_entropy", logits, a->ignore, a->ignore_index, file, line))
        return logits;
    const lth_nll_args as_nll = { a->target, a->weight, a->reduction, a->ignore, a->ignore_index };
    lth_class_rows r = lth_class_rows_(logits, &as_nll, file, line);
    lth_tensor operands[2] = { r.x, r.target };
    lth_tensor loss = lth_op_(LTH_OP_CROSS_ENTROPY, operands, 2, NULL, 0, file, line); /* (M) */
    if (r.weight.trace)
        loss = lth_mul(loss, r.weight);
    if (smooth > 0) {
        lth_tensor terms = lth_log_softmax(r.x, -1); /* (M, C) */
        lth_tensor even = lth_sum_axis(a->weight.trace ? lth_mul(terms, a->weight) : terms, -1, 0);
        if (r.keep.trace)
            even = lth_mul(even, r.keep);
        loss = lth_sub(lth_mul(loss, 1 - smooth), lth_mul(even, smooth / (double)lth_dim(r.x, 1)));
    }
    return lth_class_reduce_(loss, r.weight, &as_nll, file, line);
}

/* Negative log likelihood: x holds log probabilities. */
static inline lth_tensor lth_nll_loss_(lth_tensor x, const lth_nll_args *a, const char *file, uint32_t line)
{
    if (!lth_class_shapes_("lth_nll_loss", x, a->target, file, line) ||
        !lth_ignore_good_("lth_nll_loss", x, a->ignore, a->ignore_index, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    lth_class_rows r = lth_class_rows_(x, a, file, line);
    lth_tensor loss = lth_neg(lth_reshape(lth_gather_along(r.x, lth_reshape(r.target, -1, 1), 1), -1)); /* (M) */
    return lth_class_reduce_(r.weight.trace ? lth_mul(loss, r.weight) : loss, r.weight, a, file, line);
}

typedef struct lth_multi_margin_args {
    lth_tensor target LTH_ZERO, weight LTH_ZERO; /* (N), (C) */
    double margin LTH_ZERO;                      /* default 1 */
    lth_reduction reduction LTH_ZERO;
    int32_t squared LTH_ZERO;                    /* 1: each term squared (p = 2) */
} lth_multi_margin_args;

/* The hinge loss of several classes: the mean over c of max(0, margin - x[target] + x[c]), c != target. x (N, C) */
static inline lth_tensor lth_multi_margin_loss_(lth_tensor x, const lth_multi_margin_args *a, const char *file, uint32_t line)
{
    if (!lth_class_shapes_("lth_multi_margin_loss", x, a->target, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (lth_rank(x) != 2)
        return lth_nn_fail_(x, file, line, "lth_multi_margin_loss takes (N, C), not %s", lth_shape_text_(x).at);
    lth_tensor target = lth_reshape(a->target, -1, 1); /* (N, 1) */
    lth_shape classes = *lth_shape_of(x);
    classes.dtype = lth_dtype_of(target);
    lth_tensor other = lth_cast(lth_ne(lth_iota(x, &classes, 1), target), lth_dtype_of(x));
    lth_tensor gap = lth_add(lth_sub(x, lth_gather_along(x, target, 1)), a->margin != 0 ? a->margin : 1);
    lth_tensor terms = lth_mul(lth_relu(gap), other);
    lth_tensor loss = lth_mean_axis(a->squared ? lth_square(terms) : terms, 1, 0); /* (N) */
    if (a->weight.trace)
        loss = lth_mul(loss, lth_gather(a->weight, a->target));
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

typedef struct lth_kl_div_args {
    lth_tensor target LTH_ZERO; /* probabilities, of the input's shape */
    lth_reduction reduction LTH_ZERO; /* LTH_REDUCTION_BATCH_MEAN is the divergence; the default is torch's mean of elements */
    int32_t log_target LTH_ZERO;      /* 1: the target holds log probabilities */
} lth_kl_div_args;

/* target (log target - x), 0 where the target is 0; x holds log probabilities. */
static inline lth_tensor lth_kl_div_(lth_tensor x, const lth_kl_div_args *a, const char *file, uint32_t line)
{
    lth_tensor p = a->target, loss;
    if (!lth_nn_match_("lth_kl_div", x, p, file, line))
        return x;
    x = lth_nn_unlowered_(x, file, line);
    if (a->log_target) {
        loss = lth_mul(lth_exp(p), lth_sub(p, x));
    } else {
        lth_tensor positive = lth_gt(p, 0);
        loss = lth_mul(p, lth_sub(lth_ln(lth_where(positive, p, 1)), x));
    }
    return lth_reduce_loss_(loss, a->reduction, file, line);
}

#pragma pop_macro("LTH_HERE")
#define lth_cross_entropy(logits, ...) lth_cross_entropy_((logits), LTH_REF(lth_cross_entropy_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_nll_loss(x, ...) lth_nll_loss_((x), LTH_REF(lth_nll_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_multi_margin_loss(x, ...) lth_multi_margin_loss_((x), LTH_REF(lth_multi_margin_args, .target = __VA_ARGS__), LTH_HERE)
#define lth_kl_div(x, ...) lth_kl_div_((x), LTH_REF(lth_kl_div_args, .target = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
