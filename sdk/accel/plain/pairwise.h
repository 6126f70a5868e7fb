/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h, each_integer.h): a sum in a fixed order whose rounding error grows with log n. Terms come one
 * by one; partial[k] holds the sum of 2^k of them, as the bits of a binary counter. (Higham, "The accuracy of floating
 * point summation", SIAM J. Sci. Comput. 14, 1993.) */
typedef struct NAME(pairwise) {
    uint64_t count;
    T partial[64];
} NAME(pairwise);

static inline void NAME(add_term)(NAME(pairwise) *s, T term)
{
    uint32_t level = 0;
    for (uint64_t n = s->count++; n & 1; n >>= 1)
        term = (T)((U)s->partial[level++] + (U)term);
    s->partial[level] = term;
}

static inline T NAME(total)(const NAME(pairwise) *s)
{
    T sum = 0;
    for (uint32_t level = 0; level < 64; level++)
        if (s->count >> level & 1)
            sum = (T)((U)s->partial[level] + (U)sum);
    return sum;
}
