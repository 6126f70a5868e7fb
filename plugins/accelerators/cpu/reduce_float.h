/* SPDX-License-Identifier: Apache-2.0
 * reduce_float.h: reductions of elements that lie one after the other, for the type T: LANES running results, halved until one
 * is left. What is over at the end is padded to LANES with elements that change nothing; what is short from the start is done
 * one by one. The order is a function of the length alone. Sums are in double, so that there is one rounding at the end. */
static inline void NAME(pad)(T *to, const T *x, int64_t n, T neutral)
{
    LOOP for (int k = 0; k < LANES; k++) to[k] = neutral;
    memcpy(to, x, (size_t)n * sizeof *x);
}

static inline void NAME(add_lanes)(double *lane, const T *x) { LOOP for (int k = 0; k < LANES; k++) lane[k] += (double)x[k]; }

static double NAME(sum)(const T *x, int64_t n)
{
    double lane[LANES] = { 0 };
    T rest[LANES];
    int64_t i = 0;
    if (n < LANES) {
        for (; i < n; i++)
            lane[0] += (double)x[i];
        return lane[0];
    }
    for (; i + LANES <= n; i += LANES)
        NAME(add_lanes)(lane, x + i);
    if (i < n) {
        NAME(pad)(rest, x + i, n - i, 0);
        NAME(add_lanes)(lane, rest);
    }
    for (int width = LANES / 2; width; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

/* total[i] += x[i] */
static void NAME(add)(double *total, const T *x, int64_t n) { LOOP for (int64_t i = 0; i < n; i++) total[i] += (double)x[i]; }

/* The same for so many rows, `step` elements apart, one after another; total is read and written once for eight of them. */
static void NAME(add_rows)(double *total, const T *x, int64_t step, int64_t rows, int64_t n)
{
    for (; rows >= 8; rows -= 8, x += 8 * step)
        LOOP for (int64_t i = 0; i < n; i++)
        {
            double sum = total[i] + (double)x[i];
            sum = sum + (double)x[i + step] + (double)x[i + 2 * step] + (double)x[i + 3 * step];
            total[i] = sum + (double)x[i + 4 * step] + (double)x[i + 5 * step] + (double)x[i + 6 * step] + (double)x[i + 7 * step];
        }
    for (; rows > 0; rows--, x += step)
        NAME(add)(total, x, n);
}

/* The greatest and the least; NaN wins. */
#define EXTREME(name, sign)                                                                          \
    static inline T NAME(name##_of_two)(T a, T b) { return ((sign a > sign b) | (b != b)) ? b : a; } \
    static inline void NAME(name##_lanes)(T * lane, const T *x)                                      \
    {                                                                                                \
        for (int k = 0; k < LANES; k++)                                                              \
            lane[k] = NAME(name##_of_two)(lane[k], x[k]);                                            \
    }                                                                                                \
    static T NAME(name)(const T *x, int64_t n)                                                       \
    {                                                                                                \
        T lane[LANES], rest[LANES], best = sign INFINITY;                                            \
        int64_t i = 0;                                                                               \
        if (n < LANES) {                                                                             \
            for (; i < n; i++)                                                                       \
                best = NAME(name##_of_two)(best, x[i]);                                              \
            return best;                                                                             \
        }                                                                                            \
        NAME(pad)(lane, x, 0, best);                                                                 \
        for (; i + LANES <= n; i += LANES)                                                           \
            NAME(name##_lanes)(lane, x + i);                                                         \
        if (i < n) {                                                                                 \
            NAME(pad)(rest, x + i, n - i, best);                                                     \
            NAME(name##_lanes)(lane, rest);                                                          \
        }                                                                                            \
        for (int width = LANES / 2; width; width /= 2)                                               \
            for (int k = 0; k < width; k++)                                                          \
                lane[k] = NAME(name##_of_two)(lane[k], lane[k + width]);                             \
        return lane[0];                                                                              \
    }                                                                                                \
    static void NAME(name##_of)(T * best, const T *x, int64_t n)                                     \
    {                                                                                                \
        LOOP for (int64_t i = 0; i < n; i++) best[i] = NAME(name##_of_two)(best[i], x[i]);           \
    }
EXTREME(max, -)
EXTREME(min, +)
#undef EXTREME

/* The place of the greatest (or the least), the first of equals; NaN counts as greatest. */
static int64_t NAME(place)(const T *x, int64_t n, bool greatest)
{
    T best = greatest ? NAME(max)(x, n) : NAME(min)(x, n);
    bool is_nan = best != best;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        int found = 0;
        for (int k = 0; k < LANES; k++)
            found |= (x[i + k] == best) | (is_nan & (x[i + k] != x[i + k]));
        if (found)
            break;
    }
    while (i + 1 < n && !(x[i] == best || (is_nan && x[i] != x[i])))
        i++;
    return i;
}
