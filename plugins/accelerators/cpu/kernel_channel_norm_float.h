/* SPDX-License-Identifier: Apache-2.0
 * Part of kernel_channel_norm.c for the type T, whose kernels are cpu_kernels()->KERNELS. */

/* Calls for each share of the pixels that a thread works on. */
typedef void NAME(part_function)(const norm_call *c, int64_t sample, const T *x, T *y, int64_t pixels, double *partial);

static void NAME(parts)(const norm_call *c, int32_t thread, int32_t threads, NAME(part_function) * part)
{
    const channel_norm *d = c->d;
    int64_t first, last, from, to;
    pool_share(d->samples * d->parts, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        int64_t sample = i / d->parts;
        pool_share(d->pixels, 1, (int32_t)(i % d->parts), (int32_t)d->parts, &from, &to);
        int64_t at = (sample * d->pixels + from) * d->C;
        part(c, sample, (const T *)c->x + at, (T *)c->y + at, to - from, c->partial + i * d->C);
    }
}

static void NAME(sum_part)(const norm_call *c, int64_t sample, const T *x, T *y, int64_t pixels, double *partial)
{
    (void)sample, (void)y;
    memset(partial, 0, (size_t)c->d->C * sizeof *partial);
    for (int64_t p = 0; p < pixels; p++, x += c->d->C)
        cpu_kernels()->KERNELS.add(partial, x, c->d->C);
}

static void NAME(squares_part)(const norm_call *c, int64_t sample, const T *x, T *y, int64_t pixels, double *partial)
{
    (void)y;
    memset(partial, 0, (size_t)c->d->C * sizeof *partial);
    cpu_image_kernels()->KERNELS.add_squares(partial, x, (const T *)c->mean + sample * c->d->C, pixels, c->d->C);
}

static void NAME(normalize_part)(const norm_call *c, int64_t sample, const T *x, T *y, int64_t pixels, double *partial)
{
    (void)partial;
    cpu_image_kernels()->KERNELS.normalize(x, (const T *)c->mean + sample * c->d->C, (const T *)c->scale + sample * c->d->C, y,
                                           pixels, c->d->C);
}

static void NAME(sum)(void *c, int32_t thread, int32_t threads) { NAME(parts)(c, thread, threads, NAME(sum_part)); }
static void NAME(squares)(void *c, int32_t thread, int32_t threads) { NAME(parts)(c, thread, threads, NAME(squares_part)); }
static void NAME(normalize)(void *c, int32_t thread, int32_t threads) { NAME(parts)(c, thread, threads, NAME(normalize_part)); }

/* The mean over a group of what was summed. */
static double NAME(of_group)(const norm_call *c, int64_t sample, int64_t group)
{
    const channel_norm *d = c->d;
    int64_t each = d->C / d->groups;
    double sum = 0;
    for (int64_t p = 0; p < d->parts; p++)
        for (int64_t i = 0; i < each; i++)
            sum += c->partial[(sample * d->parts + p) * d->C + group * each + i];
    return sum / (double)(d->pixels * each);
}

static void NAME(spread)(const norm_call *c, int64_t sample, int64_t group, double value, void *to)
{
    int64_t each = c->d->C / c->d->groups;
    for (int64_t i = 0; i < each; i++)
        ((T *)to)[sample * c->d->C + group * each + i] = (T)value;
}

static void NAME(finish_means)(const norm_call *c)
{
    for (int64_t s = 0; s < c->d->samples; s++)
        for (int64_t g = 0; g < c->d->groups; g++)
            NAME(spread)(c, s, g, NAME(of_group)(c, s, g), c->mean);
}

/* And the other results: of a batch norm mean and variance, of a layer norm 1 / deviation. */
static void NAME(finish_scales)(const norm_call *c, const accel_call *call)
{
    const channel_norm *d = c->d;
    double eps = *(const T *)call->in[1];
    bool batch = call->node->op == LTH_OP_BATCH_NORM;
    for (int64_t s = 0; s < d->samples; s++)
        for (int64_t g = 0; g < d->groups; g++) {
            double variance = NAME(of_group)(c, s, g), scale = 1 / sqrt(variance + eps);
            NAME(spread)(c, s, g, scale, c->scale);
            if (batch)
                ((T *)call->out[2])[g] = (T)variance;
            else
                ((T *)call->out[1])[s * d->groups + g] = (T)scale;
        }
    if (batch)
        memcpy(call->out[1], c->mean, (size_t)d->C * sizeof(T));
}
