/* SPDX-License-Identifier: Apache-2.0
 * A template (kernel_columns.c): T the type, NAME(f) f's name for it, GEMM cblas_?gemm. x, w and d are those of one image and one
 * group; columns (rows, count) holds, for each of `count` outputs from `first` on, the elements of its window. */

static void NAME(gather_row)(const plain_conv *v, const T *x, const int64_t *k, int64_t first, int64_t end, T *to)
{
    while (first < end) {
        run r = run_at(v, first, end);
        int64_t row = row_of(v, &r, k), i = r.o2 * v->stride[2] - v->low[2] + k[2] * v->dilation[2];
        for (int64_t o = 0; o < r.length; o++, i += v->stride[2])
            to[o] = row >= 0 && i >= 0 && i < v->in[2] ? x[row + i] : 0;
        to += r.length;
        first += r.length;
    }
}

static void NAME(scatter_row)(const plain_conv *v, T *x, const int64_t *k, int64_t first, int64_t end, const T *from)
{
    while (first < end) {
        run r = run_at(v, first, end);
        int64_t row = row_of(v, &r, k), i = r.o2 * v->stride[2] - v->low[2] + k[2] * v->dilation[2];
        for (int64_t o = 0; row >= 0 && o < r.length; o++, i += v->stride[2])
            if (i >= 0 && i < v->in[2])
                x[row + i] += from[o];
        from += r.length;
        first += r.length;
    }
}

/* All rows of columns, one for each channel and kernel place: filled from x, or added to it. */
static void NAME(move_columns)(const plain_conv *v, T *x, int64_t first, int64_t count, T *columns, bool fills)
{
    int64_t k[PLAIN_SPATIAL];
    for (int64_t c = 0; c < v->C / v->groups; c++, x += plain_volume(v->in))
        for (k[0] = 0; k[0] < v->kernel[0]; k[0]++)
            for (k[1] = 0; k[1] < v->kernel[1]; k[1]++)
                for (k[2] = 0; k[2] < v->kernel[2]; k[2]++, columns += count)
                    if (fills)
                        NAME(gather_row)(v, x, k, first, first + count, columns);
                    else
                        NAME(scatter_row)(v, x, k, first, first + count, columns);
}

/* y (K, outputs) = w (K, rows) columns */
static void NAME(forward)(const columns *c, const T *x, const T *w, T *y, T *work)
{
    blasint K = (blasint)(c->v.K / c->v.groups), rows = (blasint)c->rows, outputs = (blasint)plain_volume(c->v.out);
    for (int64_t first = 0; first < outputs; first += c->block) {
        blasint count = (blasint)(outputs - first < c->block ? outputs - first : c->block);
        NAME(move_columns)(&c->v, (T *)x, first, count, work, true);
        GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, K, count, rows, 1, w, rows, work, count, 0, y + first, outputs);
    }
}

/* columns = w' d, added up in x */
static void NAME(data_grad)(const columns *c, const T *d, const T *w, T *x, T *work)
{
    blasint K = (blasint)(c->v.K / c->v.groups), rows = (blasint)c->rows, outputs = (blasint)plain_volume(c->v.out);
    memset(x, 0, (size_t)(c->v.C / c->v.groups * plain_volume(c->v.in)) * sizeof *x);
    for (int64_t first = 0; first < outputs; first += c->block) {
        blasint count = (blasint)(outputs - first < c->block ? outputs - first : c->block);
        GEMM(CblasRowMajor, CblasTrans, CblasNoTrans, rows, count, K, 1, w, rows, d + first, outputs, 0, work, count);
        NAME(move_columns)(&c->v, x, first, count, work, false);
    }
}

/* w += d columns' */
static void NAME(weight_grad)(const columns *c, const T *x, const T *d, T *w, T *work)
{
    blasint K = (blasint)(c->v.K / c->v.groups), rows = (blasint)c->rows, outputs = (blasint)plain_volume(c->v.out);
    for (int64_t first = 0; first < outputs; first += c->block) {
        blasint count = (blasint)(outputs - first < c->block ? outputs - first : c->block);
        NAME(move_columns)(&c->v, (T *)x, first, count, work, true);
        GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, K, rows, count, 1, d + first, outputs, work, count, 1, w, rows);
    }
}

/* Images and groups from..to of CONV or CONV_DATA_GRAD. */
static void NAME(images)(const columns *c, const accel_call *call, int64_t from, int64_t to, T *work)
{
    const plain_conv *v = &c->v;
    int64_t x_size = v->C / v->groups * plain_volume(v->in), y_size = v->K / v->groups * plain_volume(v->out),
            w_size = v->K / v->groups * c->rows;
    for (int64_t i = from; i < to; i++) {
        const T *w = (const T *)call->in[1] + i % v->groups * w_size;
        if (c->op == LTH_OP_CONV)
            NAME(forward)(c, (const T *)call->in[0] + i * x_size, w, (T *)call->out[0] + i * y_size, work);
        else
            NAME(data_grad)(c, (const T *)call->in[0] + i * y_size, w, (T *)call->out[0] + i * x_size, work);
    }
}

/* The sum over images from..to of the weight's gradient. */
static void NAME(weights)(const columns *c, const accel_call *call, int64_t from, int64_t to, T *w, T *work)
{
    const plain_conv *v = &c->v;
    int64_t x_size = v->C / v->groups * plain_volume(v->in), y_size = v->K / v->groups * plain_volume(v->out),
            w_size = v->K / v->groups * c->rows;
    memset(w, 0, (size_t)(v->groups * w_size) * sizeof *w);
    for (int64_t i = from * v->groups; i < to * v->groups; i++)
        NAME(weight_grad)
    (c, (const T *)call->in[0] + i * x_size, (const T *)call->in[1] + i * y_size, w + i % v->groups * w_size, work);
}

static void NAME(columns_task)(void *context, int32_t thread, int32_t threads)
{
    const struct columns_call *call = context;
    const columns *c = call->columns;
    bool weight = c->op == LTH_OP_CONV_WEIGHT_GRAD;
    int64_t first, last;
    T *work = (T *)(void *)((char *)call->call->workspace + thread * c->thread_bytes), *partial = work + c->rows * c->block;
    pool_share(weight ? c->v.N : c->v.N * c->v.groups, 1, thread, threads, &first, &last);
    if (weight)
        NAME(weights)(c, call->call, first, last, thread ? partial : call->call->out[0], work);
    else
        NAME(images)(c, call->call, first, last, work);
}

/* The threads' sums, in their order. */
static void NAME(add_partials)(const columns *c, const accel_call *call, int32_t threads)
{
    T *w = call->out[0];
    int64_t count = c->v.K * c->rows;
    for (int32_t t = 1; t < threads; t++) {
        const T *partial = (const T *)(const void *)((const char *)call->workspace + t * c->thread_bytes) + c->rows * c->block;
        for (int64_t i = 0; i < count; i++)
            w[i] += partial[i];
    }
}
