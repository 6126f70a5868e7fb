/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h, each_integer.h): reductions of every numeric type. */
static bool NAME(sum)(const plain_call *c)
{
    plain_reduction r = plain_reduction_of(c);
    T *y = c->out[0];
    for (int64_t o = 0; o < r.outer; o++) {
        const T *x = (const T *)c->in[0] + plain_walk_at(&r.kept, o);
        NAME(pairwise) s;
        s.count = 0;
        for (int64_t i = 0; i < r.inner; i++)
            NAME(add_term)(&s, x[plain_walk_at(&r.reduced, i)]);
        y[o] = NAME(total)(&s);
    }
    return true;
}

/* Which of r.inner > 0 elements is the greatest (direction 1) or the least (-1): the first of equals; NaN wins. */
static int64_t NAME(extreme)(const T *x, const plain_reduction *r, int direction)
{
    int64_t best = 0;
    for (int64_t i = 1; i < r->inner; i++) {
        T old = x[plain_walk_at(&r->reduced, best)], new = x[plain_walk_at(&r->reduced, i)];
        if (!IS_NAN(old) && (IS_NAN(new) || (direction > 0 ? new > old : new < old)))
            best = i;
    }
    return best;
}

static bool NAME(extremes)(const plain_call *c, int direction)
{
    plain_reduction r = plain_reduction_of(c);
    T *y = c->out[0];
    if (!r.inner && r.outer)
        return plain_fail(c, "nothing to reduce: an axis has no elements");
    for (int64_t o = 0; o < r.outer; o++) {
        const T *x = (const T *)c->in[0] + plain_walk_at(&r.kept, o);
        y[o] = x[plain_walk_at(&r.reduced, NAME(extreme)(x, &r, direction))];
    }
    return true;
}

static bool NAME(places)(const plain_call *c, int direction)
{
    plain_reduction r = plain_reduction_of_axis(c);
    int64_t *y = c->out[0];
    if (!r.inner && r.outer)
        return plain_fail(c, "nothing to reduce: the axis has no elements");
    for (int64_t o = 0; o < r.outer; o++)
        y[o] = NAME(extreme)((const T *)c->in[0] + plain_walk_at(&r.kept, o), &r, direction);
    return true;
}

static bool NAME(max)(const plain_call *c) { return NAME(extremes)(c, 1); }
static bool NAME(min)(const plain_call *c) { return NAME(extremes)(c, -1); }
static bool NAME(argmax)(const plain_call *c) { return NAME(places)(c, 1); }
static bool NAME(argmin)(const plain_call *c) { return NAME(places)(c, -1); }
