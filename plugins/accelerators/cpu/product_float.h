/* SPDX-License-Identifier: Apache-2.0
 * product_float.h: a product of vectors of the type T whose sums stay in registers. */
#define V NAME(vec)

/* Rows whose sums fit into the registers, and how many of the m that are left a product makes next: as many as fit, without
 * leaving one or two alone. */
#ifndef PRODUCT_ROWS
#ifdef __AVX512F__
#define PRODUCT_ROWS 12
#else
#define PRODUCT_ROWS 6
#endif
static inline int product_rows_at_once(int64_t m)
{
    if (m == PRODUCT_ROWS || m >= PRODUCT_ROWS + 3)
        return PRODUCT_ROWS;
    return m >= 8 && PRODUCT_ROWS > 8 ? 8 : m >= 7 ? 4 : m == 6 ? 6 : m == 5 ? 3 : (int)m;
}
#endif

/* c (n, 2 vectors) = [c +] a (n, k) b (k, 2 vectors). Element (i, l) of a is a[i row + l step]. n is a constant where this is
 * inlined, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void NAME(product_rows)(const int n, int64_t k, const T *a, int64_t row,
                                                                     int64_t step, const T *b, int64_t ldb, T *c, int64_t ldc,
                                                                     bool add)
{
    V sum[PRODUCT_ROWS][2];
#pragma GCC unroll 12
    for (int i = 0; i < n; i++) {
        sum[i][0] = add ? NAME(load)(c + i * ldc) : (V) { 0 };
        sum[i][1] = add ? NAME(load)(c + i * ldc + NAME(VL)) : (V) { 0 };
    }
    for (int64_t l = 0; l < k; l++, a += step, b += ldb) {
        V left = NAME(load)(b), right = NAME(load)(b + NAME(VL));
#pragma GCC unroll 12
        for (int i = 0; i < n; i++) {
            V x = NAME(splat)(a[i * row]);
            sum[i][0] = VECTOR_FMA(x, left, sum[i][0]);
            sum[i][1] = VECTOR_FMA(x, right, sum[i][1]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < n; i++) {
        NAME(store)(c + i * ldc, sum[i][0]);
        NAME(store)(c + i * ldc + NAME(VL), sum[i][1]);
    }
}

/* The same for any number of rows. */
static __attribute__((noinline)) void NAME(product)(int64_t m, int64_t k, const T *a, int64_t row, int64_t step, const T *b,
                                                    int64_t ldb, T *c, int64_t ldc, bool add)
{
#define ROWS(n)                                                      \
    case n:                                                          \
        NAME(product_rows)(n, k, a, row, step, b, ldb, c, ldc, add); \
        break
    for (int n; m > 0; m -= n, a += n * row, c += n * ldc) {
        n = product_rows_at_once(m);
        switch (n) {
            ROWS(1);
            ROWS(2);
            ROWS(3);
            ROWS(4);
            ROWS(6);
#if PRODUCT_ROWS == 12
            ROWS(8);
            ROWS(12);
#endif
        }
    }
#undef ROWS
}
#undef V
