/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): reductions of the floating types. */
static bool NAME(mean)(const plain_call *c)
{
    plain_reduction r = plain_reduction_of(c);
    T *y = c->out[0];
    NAME(sum)(c);
    for (int64_t o = 0; o < r.outer; o++)
        y[o] /= (T)r.inner;
    return true;
}

static bool NAME(prod)(const plain_call *c)
{
    plain_reduction r = plain_reduction_of(c);
    T *y = c->out[0];
    for (int64_t o = 0; o < r.outer; o++) {
        const T *x = (const T *)c->in[0] + plain_walk_at(&r.kept, o);
        y[o] = 1;
        for (int64_t i = 0; i < r.inner; i++)
            y[o] *= x[plain_walk_at(&r.reduced, i)];
    }
    return true;
}

/* The greatest is taken out, so that nothing overflows; where it is infinite itself, that is the answer without it. */
static bool NAME(logsumexp)(const plain_call *c)
{
    plain_reduction r = plain_reduction_of(c);
    T *y = c->out[0];
    for (int64_t o = 0; o < r.outer; o++) {
        const T *x = (const T *)c->in[0] + plain_walk_at(&r.kept, o);
        T greatest = r.inner ? x[plain_walk_at(&r.reduced, NAME(extreme)(x, &r, 1))] : 0;
        T shift = isinf(greatest) ? 0 : greatest;
        NAME(pairwise) s;
        s.count = 0;
        for (int64_t i = 0; i < r.inner; i++)
            NAME(add_term)(&s, M(exp)(x[plain_walk_at(&r.reduced, i)] - shift));
        y[o] = shift + M(log)(NAME(total)(&s));
    }
    return true;
}

static bool NAME(all_finite)(const plain_call *c)
{
    const T *x = c->in[0];
    uint8_t *y = c->out[0];
    *y = 1;
    for (int64_t i = 0, n = lth_shape_count(plain_in(c, 0)); i < n; i++)
        if (!isfinite(x[i]))
            *y = 0;
    return true;
}
