/* SPDX-License-Identifier: Apache-2.0
 * Part of kernel_reduce.c for the type T, whose kernels are cpu_kernels()->KERNELS. */

/* An element of the result after another: each is made of `middle` stretches of `inner` elements. */
static void NAME(rows)(void *context, int32_t thread, int32_t threads)
{
    const reduce_call *c = context;
    const reduction *d = c->d;
    int64_t first, last;
    pool_share(d->outer, 1, thread, threads, &first, &last);
    for (int64_t o = first; o < last; o++) {
        const T *x = (const T *)c->x + plain_walk_at(&d->kept, o);
        if (d->op == LTH_OP_ARGMAX || d->op == LTH_OP_ARGMIN) {
            ((int64_t *)c->y)[o] = cpu_kernels()->KERNELS.place(x, d->inner, d->op == LTH_OP_ARGMAX);
        } else if (d->op == LTH_OP_SUM || d->op == LTH_OP_MEAN) {
            double sum = 0;
            for (int64_t m = 0; m < d->middle; m++)
                sum += cpu_kernels()->KERNELS.sum(x + plain_walk_at(&d->reduced, m), d->inner);
            ((T *)c->y)[o] = (T)(sum / d->divisor);
        } else {
            T best[1] = { d->op == LTH_OP_MAX ? -INFINITY : INFINITY };
            for (int64_t m = 0; m < d->middle; m++) {
                const T *part = x + plain_walk_at(&d->reduced, m);
                T one[1] = { d->op == LTH_OP_MAX ? cpu_kernels()->KERNELS.max(part, d->inner)
                                                 : cpu_kernels()->KERNELS.min(part, d->inner) };
                (d->op == LTH_OP_MAX ? cpu_kernels()->KERNELS.max_of : cpu_kernels()->KERNELS.min_of)(best, one, 1);
            }
            ((T *)c->y)[o] = best[0];
        }
    }
}

/* A stretch of at most STRETCH elements of the result, made of `middle` stretches of the operand. */
static void NAME(column)(const reduction *d, const T *x, T *y, int64_t n)
{
    double total[STRETCH];
    if (d->op == LTH_OP_MAX || d->op == LTH_OP_MIN) {
        for (int64_t i = 0; i < n; i++)
            y[i] = d->op == LTH_OP_MAX ? -INFINITY : INFINITY;
        for (int64_t m = 0; m < d->middle; m++)
            (d->op == LTH_OP_MAX ? cpu_kernels()->KERNELS.max_of
                                 : cpu_kernels()->KERNELS.min_of)(y, x + plain_walk_at(&d->reduced, m), n);
        return;
    }
    memset(total, 0, (size_t)n * sizeof *total);
    for (int64_t m = 0; m < d->middle; m++)
        cpu_kernels()->KERNELS.add(total, x + plain_walk_at(&d->reduced, m), n);
    for (int64_t i = 0; i < n; i++)
        y[i] = (T)(total[i] / d->divisor);
}

static void NAME(columns)(void *context, int32_t thread, int32_t threads)
{
    const reduce_call *c = context;
    const reduction *d = c->d;
    int64_t first, last, stretches = (d->inner + STRETCH - 1) / STRETCH;
    pool_share(d->outer * stretches, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        int64_t o = i / stretches, at = i % stretches * STRETCH, n = d->inner - at < STRETCH ? d->inner - at : STRETCH;
        NAME(column)(d, (const T *)c->x + plain_walk_at(&d->kept, o) + at, (T *)c->y + o * d->inner + at, n);
    }
}
