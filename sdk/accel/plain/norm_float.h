/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): the norms. */

/* The elements of x that r.reduced names, from `at` on: y = (x - mean) / sqrt(var + eps), biased variance. Returns the divisor's
 * reciprocal. mean: in, 0 where nothing is to be taken off; var: out. */
static T NAME(normalize)(const plain_reduction *r, const T *x, T *y, T mean, T eps, T *var)
{
    NAME(pairwise) squares;
    squares.count = 0;
    for (int64_t i = 0; i < r->inner; i++) {
        T away = x[plain_walk_at(&r->reduced, i)] - mean;
        NAME(add_term)(&squares, away * away);
    }
    *var = NAME(total)(&squares) / (T)r->inner;
    T scale = 1 / M(sqrt)(*var + eps);
    for (int64_t i = 0; i < r->inner; i++) {
        int64_t at = plain_walk_at(&r->reduced, i);
        y[at] = (x[at] - mean) * scale;
    }
    return scale;
}

static T NAME(mean_of)(const plain_reduction *r, const T *x)
{
    NAME(pairwise) sum;
    sum.count = 0;
    for (int64_t i = 0; i < r->inner; i++)
        NAME(add_term)(&sum, x[plain_walk_at(&r->reduced, i)]);
    return NAME(total)(&sum) / (T)r->inner;
}

/* (x, eps) -> (x - mean) / sqrt(var + eps), 1 / sqrt(var + eps) over the last axes. */
static bool NAME(rows_norm)(const plain_call *c, bool centred)
{
    int32_t rank = plain_in(c, 0)->rank;
    const lth_attr_axis *a = plain_attributes(c);
    plain_reduction r = plain_reduction_over(plain_in(c, 0), (1u << rank) - (1u << (rank - a->axis)));
    T eps = *(const T *)c->in[1], *rstd = c->out[1], ignored;
    for (int64_t row = 0; row < r.outer; row++) {
        const T *x = (const T *)c->in[0] + row * r.inner;
        T mean = centred ? NAME(mean_of)(&r, x) : 0;
        rstd[row] = NAME(normalize)(&r, x, (T *)c->out[0] + row * r.inner, mean, eps, &ignored);
    }
    return true;
}

static bool NAME(layer_norm)(const plain_call *c) { return NAME(rows_norm)(c, true); }
static bool NAME(rms_norm)(const plain_call *c) { return NAME(rows_norm)(c, false); }

/* (x, eps) -> (x - mean) / sqrt(var + eps), mean (C), var (C) over all axes but one. */
static bool NAME(batch_norm)(const plain_call *c)
{
    const lth_attr_axis *a = plain_attributes(c);
    plain_reduction r = plain_reduction_over(plain_in(c, 0), ((1u << plain_in(c, 0)->rank) - 1) & ~(1u << a->axis));
    T eps = *(const T *)c->in[1], *mean = c->out[1], *var = c->out[2];
    for (int64_t i = 0; i < r.outer; i++) {
        int64_t at = plain_walk_at(&r.kept, i);
        mean[i] = NAME(mean_of)(&r, (const T *)c->in[0] + at);
        NAME(normalize)(&r, (const T *)c->in[0] + at, (T *)c->out[0] + at, mean[i], eps, &var[i]);
    }
    return true;
}
