/* SPDX-License-Identifier: Apache-2.0
 * reduce_float.h: reductions of elements that lie one after the other, for the type T. Sums go to LANES running sums in
 * double: something to vectorise, one order on every machine, and one rounding at the end. */
static double NAME(sum)(const T *x, int64_t n)
{
    double lane[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k];
    for (int k = 0; i < n; i++, k++)
        lane[k] += (double)x[i];
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

/* total[i] += x[i] */
static void NAME(add)(double *total, const T *x, int64_t n)
{
    LOOP
    for (int64_t i = 0; i < n; i++)
        total[i] += (double)x[i];
}

/* The greatest and the least; NaN wins. */
#define EXTREME(name, sign)                                                                                             \
    static T NAME(name)(const T *x, int64_t n)                                                                          \
    {                                                                                                                   \
        T lane[LANES], best = sign INFINITY;                                                                            \
        int64_t i = 0;                                                                                                  \
        for (int k = 0; k < LANES; k++)                                                                                 \
            lane[k] = sign INFINITY;                                                                                    \
        for (; i + LANES <= n; i += LANES)                                                                              \
            for (int k = 0; k < LANES; k++)                                                                             \
                lane[k] = sign lane[k] > sign x[i + k] || x[i + k] != x[i + k] ? x[i + k] : lane[k];                    \
        for (int k = 0; i < n; i++, k++)                                                                                \
            lane[k] = sign lane[k] > sign x[i] || x[i] != x[i] ? x[i] : lane[k];                                        \
        for (int k = 0; k < LANES; k++)                                                                                 \
            best = sign best > sign lane[k] || lane[k] != lane[k] ? lane[k] : best;                                     \
        return best;                                                                                                    \
    }                                                                                                                   \
    static void NAME(name##_of)(T *best, const T *x, int64_t n)                                                         \
    {                                                                                                                   \
        LOOP                                                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                 \
            best[i] = sign best[i] > sign x[i] || x[i] != x[i] ? x[i] : best[i];                                        \
    }
EXTREME(max, -)
EXTREME(min, +)
#undef EXTREME

/* The place of the greatest (or the least), the first of equals; NaN counts as greatest. */
static int64_t NAME(place)(const T *x, int64_t n, bool greatest)
{
    T best = greatest ? NAME(max)(x, n) : NAME(min)(x, n);
    int64_t i = 0;
    while (i + 1 < n && !(x[i] == best || (best != best && x[i] != x[i])))
        i++;
    return i;
}
