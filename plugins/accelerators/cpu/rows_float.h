/* SPDX-License-Identifier: Apache-2.0
 * rows_float.h: ops on rows of C elements that lie one after the other, for the type T, whose functions are F(name). */

static inline void NAME(exp_lanes)(T *y, const T *x, T shift)
{
    LOOP for (int k = 0; k < LANES; k++) y[k] = F(exp)(x[k] - shift);
}

/* y = exp(x - shift); returns their sum. */
static double NAME(exponentials)(const T *x, T *y, int64_t C, T shift)
{
    T rest[LANES];
    int64_t i = 0;
    for (; i + LANES <= C; i += LANES)
        NAME(exp_lanes)(y + i, x + i, shift);
    if (i < C) {
        NAME(pad)(rest, x + i, C - i, 0);
        NAME(exp_lanes)(rest, rest, shift);
        memcpy(y + i, rest, (size_t)(C - i) * sizeof *y);
    }
    return NAME(sum)(y, C);
}

/* The sum of exp(x - shift). */
static double NAME(sum_of_exponentials)(const T *x, int64_t C, T shift)
{
    T part[256];
    double sum = 0;
    for (int64_t i = 0; i < C; i += 256)
        sum += NAME(exponentials)(x + i, part, C - i < 256 ? C - i : 256, shift);
    return sum;
}

/* exp(x) / sum(exp(x)). The greatest is taken out, so that nothing overflows. */
static void NAME(softmax)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        T scale = (T)(1 / NAME(exponentials)(x, y, C, NAME(max)(x, C)));
        LOOP for (int64_t i = 0; i < C; i++) y[i] *= scale;
    }
}

static void NAME(log_softmax)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        T shift = NAME(max)(x, C), log_sum = (T)log(NAME(sum_of_exponentials)(x, C, shift));
        LOOP for (int64_t i = 0; i < C; i++) y[i] = x[i] - shift - log_sum;
    }
}

static void NAME(logsumexp)(const T *x, T *y, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C) {
        T greatest = NAME(max)(x, C), shift = isinf(greatest) ? 0 : greatest;
        y[r] = shift + (T)log(NAME(sum_of_exponentials)(x, C, shift));
    }
}

/* Targets are in range: the caller has looked. The shift is taken off the target's logit before the logarithm is added, so
 * that large logits cost no digits. */
static void NAME(cross_entropy)(const T *x, const int64_t *target, T *loss, T *lse, int64_t rows, int64_t C)
{
    for (int64_t r = 0; r < rows; r++, x += C) {
        T shift = NAME(max)(x, C), log_sum = (T)log(NAME(sum_of_exponentials)(x, C, shift));
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

/* The sum of (x - mean) (x - mean). */
static double NAME(squares)(const T *x, int64_t n, T mean)
{
    T part[256];
    double sum = 0;
    for (int64_t k = 0; k < n; k += 256) {
        int64_t m = n - k < 256 ? n - k : 256;
        LOOP for (int64_t i = 0; i < m; i++)
        {
            T away = x[k + i] - mean;
            part[i] = away * away;
        }
        sum += NAME(sum)(part, m);
    }
    return sum;
}

/* (x - mean) / sqrt(variance + eps), and 1 / sqrt(variance + eps). */
static void NAME(layer_norm)(const T *x, T eps, T *y, T *rstd, int64_t rows, int64_t K)
{
    for (int64_t r = 0; r < rows; r++, x += K, y += K) {
        T mean = (T)(NAME(sum)(x, K) / (double)K);
        T scale = (T)(1 / sqrt(NAME(squares)(x, K, mean) / (double)K + (double)eps));
        rstd[r] = scale;
        LOOP for (int64_t i = 0; i < K; i++) y[i] = (x[i] - mean) * scale;
    }
}

/* x / sqrt(mean(x x) + eps), and 1 / sqrt(mean(x x) + eps). */
static void NAME(rms_norm)(const T *x, T eps, T *y, T *rrms, int64_t rows, int64_t K)
{
    for (int64_t r = 0; r < rows; r++, x += K, y += K) {
        T scale = (T)(1 / sqrt(NAME(squares)(x, K, 0) / (double)K + (double)eps));
        rrms[r] = scale;
        LOOP for (int64_t i = 0; i < K; i++) y[i] = x[i] * scale;
    }
}
