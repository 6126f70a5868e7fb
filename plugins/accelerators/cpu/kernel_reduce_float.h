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
static void NAME(column_extreme)(const reduction *d, const T *x, T *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = d->op == LTH_OP_MAX ? -INFINITY : INFINITY;
    for (int64_t m = 0; m < d->middle; m++)
        (d->op == LTH_OP_MAX ? cpu_kernels()->KERNELS.max_of
                             : cpu_kernels()->KERNELS.min_of)(y, x + plain_walk_at(&d->reduced, m), n);
}

/* Rows first..last of short ones that lie side by side: as many at once as make a long one. */
static void NAME(short_column_sum)(const reduction *d, const T *x, double *total, int64_t first, int64_t last)
{
    double wide[WIDE] = { 0 };
    int64_t n = d->inner, rows = WIDE / n, m = first;
    for (; m + rows <= last; m += rows)
        cpu_kernels()->KERNELS.add(wide, x + m * n, rows * n);
    cpu_kernels()->KERNELS.add(wide, x + m * n, (last - m) * n);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < n; k++)
            total[k] += wide[r * n + k];
}

/* Or one of the parts of its sum. */
static void NAME(column_sum)(const reduction *d, const T *x, double *total, int64_t n, int64_t part)
{
    int64_t first, last;
    pool_share(d->middle, 1, (int32_t)part, (int32_t)d->parts, &first, &last);
    memset(total, 0, (size_t)n * sizeof *total);
    if (d->side_by_side) {
        NAME(short_column_sum)(d, x, total, first, last);
        return;
    }
    if (d->reduced.rank == 1)
        cpu_kernels()->KERNELS.add_rows(total, x + plain_walk_at(&d->reduced, first), d->reduced.stride[0], last - first, n);
    for (int64_t m = first; d->reduced.rank != 1 && m < last; m++)
        cpu_kernels()->KERNELS.add(total, x + plain_walk_at(&d->reduced, m), n);
}

static void NAME(columns)(void *context, int32_t thread, int32_t threads)
{
    const reduce_call *c = context;
    const reduction *d = c->d;
    int64_t first, last, stretches = (d->inner + STRETCH - 1) / STRETCH;
    pool_share(d->outer * stretches * d->parts, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        int64_t o = i / d->parts / stretches, at = i / d->parts % stretches * STRETCH;
        int64_t n = d->inner - at < STRETCH ? d->inner - at : STRETCH;
        const T *x = (const T *)c->x + plain_walk_at(&d->kept, o) + at;
        T *y = (T *)c->y + o * d->inner + at;
        double here[STRETCH], *total = c->partial ? c->partial + i * STRETCH : here;
        if (d->op == LTH_OP_MAX || d->op == LTH_OP_MIN) {
            NAME(column_extreme)(d, x, y, n);
            continue;
        }
        NAME(column_sum)(d, x, total, n, i % d->parts);
        for (int64_t k = 0; k < n && !c->partial; k++)
            y[k] = (T)(total[k] / d->divisor);
    }
}

static void NAME(join_parts)(const reduce_call *c)
{
    const reduction *d = c->d;
    int64_t stretches = (d->inner + STRETCH - 1) / STRETCH;
    for (int64_t i = 0; i < d->outer * stretches; i++) {
        int64_t at = i % stretches * STRETCH, n = d->inner - at < STRETCH ? d->inner - at : STRETCH;
        T *y = (T *)c->y + i / stretches * d->inner + at;
        double *total = c->partial + i * d->parts * STRETCH;
        for (int64_t p = 1; p < d->parts; p++)
            for (int64_t k = 0; k < n; k++)
                total[k] += total[p * STRETCH + k];
        for (int64_t k = 0; k < n; k++)
            y[k] = (T)(total[k] / d->divisor);
    }
}
