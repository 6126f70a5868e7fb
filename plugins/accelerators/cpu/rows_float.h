/* SPDX-License-Identifier: Apache-2.0
 * rows_float.h: ops on rows of C elements that lie one after the other, for the type T, whose functions are F(name). */

/* The n < VL elements at x, and `rest` in the lanes behind them. */
static inline NAME(vec) NAME(load_some)(const T *x, int64_t n, T rest)
{
    T all[NAME(VL)];
    NAME(store)(all, NAME(splat)(rest));
    for (int64_t i = 0; i < n; i++)
        all[i] = x[i];
    return NAME(load)(all);
}

static inline void NAME(store_some)(T *y, int64_t n, NAME(vec) v)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = v[i];
}

/* The sum of four vectors' lanes, halves by halves. */
static inline T NAME(total)(const NAME(vec) part[4])
{
    T lane[NAME(VL)];
    NAME(store)(lane, (part[0] + part[1]) + (part[2] + part[3]));
    for (int width = NAME(VL) / 2; width; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

/* The greatest, NaN left out: it comes back by its exponential. -inf of nothing. */
static T NAME(row_max)(const T *x, int64_t n)
{
    const int64_t VL = NAME(VL);
    const NAME(vec) least = NAME(splat)(-(T)INFINITY);
    NAME(vec) part[4] = { least, least, least, least };
    T best = -(T)INFINITY;
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int64_t k = 0; k < 4; k++)
            part[k] = VECTOR_MAX(NAME(load)(x + i + k * VL), part[k]);
    for (; i + VL <= n; i += VL)
        part[0] = VECTOR_MAX(NAME(load)(x + i), part[0]);
    if (i < n)
        part[1] = VECTOR_MAX(NAME(load_some)(x + i, n - i, best), part[1]);
    NAME(vec) both = VECTOR_MAX(part[0], part[1]), others = VECTOR_MAX(part[2], part[3]);
    both = VECTOR_MAX(both, others);
    for (int64_t k = 0; k < VL; k++)
        best = both[k] > best ? both[k] : best;
    return best;
}

/* y = exp(x - shift) of a vector, unless y is NULL. */
static inline NAME(vec) NAME(exponential)(const T *x, T *y, T shift)
{
    NAME(vec) e = NAME(exp_vector)(NAME(load)(x) - shift);
    if (y)
        NAME(store)(y, e);
    return e;
}

/* y = exp(x - shift), unless y is NULL; returns their sum. */
static inline T NAME(exponentials)(const T *x, T *y, int64_t C, T shift)
{
    const int64_t VL = NAME(VL);
    NAME(vec) part[4] = { { 0 } };
    int64_t i = 0;
    for (; i + 4 * VL <= C; i += 4 * VL)
        for (int64_t k = 0; k < 4; k++)
            part[k] += NAME(exponential)(x + i + k * VL, y ? y + i + k * VL : NULL, shift);
    for (; i + VL <= C; i += VL)
        part[0] += NAME(exponential)(x + i, y ? y + i : NULL, shift);
    if (i < C) {
        NAME(vec) e = NAME(exp_vector)(NAME(load_some)(x + i, C - i, -(T)INFINITY) - shift);
        part[1] += e;
        if (y)
            NAME(store_some)(y + i, C - i, e);
    }
    return NAME(total)(part);
}

static T NAME(sum_of_exponentials)(const T *x, int64_t C, T shift) { return NAME(exponentials)(x, NULL, C, shift); }

/* exp(x) / sum(exp(x)). The greatest is taken out, so that nothing overflows. */
static void NAME(softmax)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        T scale = 1 / NAME(exponentials)(x, y, C, NAME(row_max)(x, C));
        LOOP for (int64_t i = 0; i < C; i++) y[i] *= scale;
    }
}

static void NAME(log_softmax)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        T shift = NAME(row_max)(x, C), log_sum = F(log)(NAME(sum_of_exponentials)(x, C, shift));
        LOOP for (int64_t i = 0; i < C; i++) y[i] = x[i] - shift - log_sum;
    }
}

static void NAME(logsumexp)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C) {
        T greatest = NAME(row_max)(x, C), shift = isinf(greatest) ? 0 : greatest;
        y[r] = shift + F(log)(NAME(sum_of_exponentials)(x, C, shift));
    }
}

/* Targets are in range: the caller has looked. The shift is taken off the target's logit before the logarithm is added, so
 * that large logits cost no digits. */
static void NAME(cross_entropy)(const T *x, const int64_t *target, T *loss, T *lse, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C) {
        T shift = NAME(row_max)(x, C), log_sum = F(log)(NAME(sum_of_exponentials)(x, C, shift));
        lse[r] = log_sum + shift;
        loss[r] = log_sum + (shift - x[target[r]]);
    }
}

/* (softmax(x) - onehot(target)) d */
static void NAME(cross_entropy_grad)(const T *x, const int64_t *target, const T *lse, const T *d, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        NAME(exponentials)(x, y, C, lse[r]);
        y[target[r]] -= 1;
        LOOP for (int64_t i = 0; i < C; i++) y[i] *= d[r];
    }
}

/* The sum of x, or of (x - mean) (x - mean). */
static T NAME(row_sum)(const T *x, int64_t n)
{
    const int64_t VL = NAME(VL);
    NAME(vec) part[4] = { { 0 } };
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int k = 0; k < 4; k++)
            part[k] += NAME(load)(x + i + k * VL);
    for (; i + VL <= n; i += VL)
        part[0] += NAME(load)(x + i);
    if (i < n)
        part[1] += NAME(load_some)(x + i, n - i, 0);
    return NAME(total)(part);
}

static T NAME(squares)(const T *x, int64_t n, T mean)
{
    const int64_t VL = NAME(VL);
    NAME(vec) part[4] = { { 0 } };
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int k = 0; k < 4; k++) {
            NAME(vec) away = NAME(load)(x + i + k * VL) - mean;
            part[k] = VECTOR_FMA(away, away, part[k]);
        }
    for (; i + VL <= n; i += VL) {
        NAME(vec) away = NAME(load)(x + i) - mean;
        part[0] = VECTOR_FMA(away, away, part[0]);
    }
    if (i < n) {
        NAME(vec) away = NAME(load_some)(x + i, n - i, mean) - mean;
        part[1] = VECTOR_FMA(away, away, part[1]);
    }
    return NAME(total)(part);
}

/* (x - mean) / sqrt(variance + eps), and 1 / sqrt(variance + eps). */
static void NAME(layer_norm)(const T *x, T eps, T *y, T *rstd, int64_t rows, int64_t K)
{
    for (int64_t r = 0; r < rows; r++, x += K, y += K) {
        T mean = NAME(row_sum)(x, K) / (T)K;
        T scale = (T)(1 / sqrt((double)NAME(squares)(x, K, mean) / (double)K + (double)eps));
        rstd[r] = scale;
        LOOP for (int64_t i = 0; i < K; i++) y[i] = (x[i] - mean) * scale;
    }
}

/* x / sqrt(mean(x x) + eps), and 1 / sqrt(mean(x x) + eps). */
static void NAME(rms_norm)(const T *x, T eps, T *y, T *rrms, int64_t rows, int64_t K)
{
    for (int64_t r = 0; r < rows; r++, x += K, y += K) {
        T scale = (T)(1 / sqrt((double)NAME(squares)(x, K, 0) / (double)K + (double)eps));
        rrms[r] = scale;
        LOOP for (int64_t i = 0; i < K; i++) y[i] = x[i] * scale;
    }
}
