/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/embedding.h: a row of a table for each index, as torch.nn.Embedding, and one for a bag of
 * indices. There is no max_norm (rows shrunk in place when they are read): weight decay serves that end. [main] */
#ifndef LTHOST_NN_EMBEDDING_H
#define LTHOST_NN_EMBEDDING_H

#include "check.h"
#include "init.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_embedding {
    lth_parameter weight; /* (count, dim) */
    int64_t count, dim;
    int64_t padding; /* 1 + the index of the padding row; 0: none */
} lth_embedding;

typedef struct lth_embedding_args {
    int64_t dim LTH_ZERO;
    const lth_init *weight LTH_ZERO; /* default: standard normal */
    int32_t padding LTH_ZERO;        /* 1: row `padding_idx` begins as zero and gets no gradient */
    int32_t reserved LTH_ZERO;
    int64_t padding_idx LTH_ZERO;
} lth_embedding_args;

static inline lth_embedding lth_embedding_new_(lth_setup *s, const char *name, int64_t count, const lth_embedding_args *a,
                                               const char *file, uint32_t line)
{
    lth_embedding e = { { 0, 0 }, count, a->dim, a->padding ? a->padding_idx + 1 : 0 };
    lth_init initial = { LTH_INIT_NORMAL, 0, 0, 1, NULL };
    if (a->weight)
        initial = *a->weight;
    if (a->padding && (a->padding_idx < 0 || a->padding_idx >= count)) {
        s->api->fail(s, file, line, "an embedding's padding_idx must be the index of one of its rows");
        return e;
    }
    initial.zero_row = (uint32_t)e.padding;
    s->api->module(s, name, "Embedding");
    lth_enter(s, name);
    e.weight = lth_parameter_new(s, "weight", LTH_SHAPE(count, a->dim), &initial);
    lth_leave(s);
    return e;
}

/* index (...), i32 or i64 -> (..., dim). An index out of range fails the run and is named. */
static inline lth_tensor lth_embedding_apply_(const lth_embedding *e, lth_tensor index, const char *file, uint32_t line)
{
    if (!index.trace)
        return index;
    if (!e->weight.id)
        return lth_nn_fail_(index, file, line, "this embedding was never made: call lth_embedding_new in configure");
    lth_shape s = *lth_shape_of(index);
    lth_tensor rows = lth_gather(lth_parameter_value(index, e->weight), index);
    if (!e->padding || s.rank == LTH_MAX_RANK)
        return rows;
    s.dim[s.rank++] = 1;
    lth_tensor is_padding = lth_reshape_to(lth_eq(index, (double)(e->padding - 1)), &s); /* (..., 1) */
    return lth_where(is_padding, lth_stop_gradient(rows), rows);
}

typedef uint32_t lth_bag;
enum { LTH_BAG_MEAN = 0, LTH_BAG_SUM = 1, LTH_BAG_MAX = 2 };

typedef struct lth_bag_args {
    lth_tensor index LTH_ZERO;
    lth_bag mode LTH_ZERO;     /* default mean, as torch's */
    uint32_t reserved LTH_ZERO;
    lth_tensor weight LTH_ZERO; /* (B, L): a factor of each row, of sums alone */
} lth_bag_args;

/* index (B, L), i32 or i64, a bag a row -> (B, dim): the mean, sum or maximum of the rows of each bag, as torch.nn.EmbeddingBag.
 * An embedding with a padding row leaves it out, so that bags of uneven length are padded with it; a bag of nothing else is 0. */
static inline lth_tensor lth_embedding_bag_apply_(const lth_embedding *e, const lth_bag_args *a, const char *file, uint32_t line)
{
    lth_tensor index = a->index;
    if (!index.trace)
        return index;
    if (lth_rank(index) != 2 || a->mode > LTH_BAG_MAX || lth_dim(index, 1) < 1)
        return lth_nn_fail_(index, file, line, "lth_embedding_bag_apply takes (B, L), L at least 1, and a mode LTH_BAG_*; got %s (bags one "
                            "after the other with offsets are not taken: pad them)", lth_shape_text_(index).at);
    if (a->weight.trace && (a->mode != LTH_BAG_SUM || !lth_nn_match_("lth_embedding_bag_apply", index, a->weight, file, line)))
        return lth_nn_fail_(index, file, line, "lth_embedding_bag_apply: weights are for sums");
    lth_tensor rows = lth_embedding_apply_(e, index, file, line); /* (B, L, dim) */
    lth_tensor real = e->padding ? lth_ne(index, (double)(e->padding - 1)) : lth_eq(index, index);
    real = lth_reshape(real, lth_dim(index, 0), lth_dim(index, 1), 1);
    if (a->mode == LTH_BAG_MAX) {
        lth_tensor best = lth_max_axis(lth_where(real, rows, -INFINITY), 1, 0);
        return e->padding ? lth_where(lth_eq(best, -INFINITY), 0, best) : best;
    }
    lth_tensor kept = lth_cast(real, lth_dtype_of(rows));
    lth_tensor share = a->weight.trace ? lth_mul(kept, lth_reshape(a->weight, lth_dim(index, 0), lth_dim(index, 1), 1)) : kept;
    lth_tensor sum = lth_sum_axis(lth_mul(rows, share), 1, 0);
    return a->mode == LTH_BAG_SUM ? sum : lth_div(sum, lth_maximum(lth_sum_axis(kept, 1, 0), 1.0));
}

#pragma pop_macro("LTH_HERE")
/* m->wte = lth_embedding_new(s, "wte", vocabulary, dim); options follow: .weight, .padding = 1, .padding_idx = 0 */
#define lth_embedding_new(s, name, count, ...)                                                                           \
    lth_embedding_new_((s), (name), (count), LTH_REF(lth_embedding_args, .dim = __VA_ARGS__), LTH_HERE)
#define lth_embedding_apply(e, index) lth_embedding_apply_((e), (index), LTH_HERE)
/* lth_embedding_bag_apply(&m->wte, index); options follow: .mode = LTH_BAG_SUM, .weight */
#define lth_embedding_bag_apply(e, ...) lth_embedding_bag_apply_((e), LTH_REF(lth_bag_args, .index = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
