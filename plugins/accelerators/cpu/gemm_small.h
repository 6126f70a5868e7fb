/* SPDX-License-Identifier: Apache-2.0
 * gemm_small.h: the small product for the type T.
 *
 * A row of C is a sum of A's elements times B's rows, KERNEL_LANES wide, and four rows are made at once. B is packed into rows of
 * whole vectors first, unless it lies so. The order of the sum over k is that of k. */

static void NAME(keep)(const T *sum, T *c, int64_t n)
{
    if (n >= KERNEL_LANES)
        memcpy(c, sum, KERNEL_LANES * sizeof *c);
    else
        for (int64_t v = 0; v < n; v++)
            c[v] = sum[v];
}

/* A block of C at `c`, of which n columns exist: four rows, and one. */
static void NAME(four)(int64_t k, const T *a, int64_t row, int64_t step, const T *b, int64_t ldb, T *c, int64_t ldc, int64_t n)
{
    T s0[KERNEL_LANES] = { 0 }, s1[KERNEL_LANES] = { 0 }, s2[KERNEL_LANES] = { 0 }, s3[KERNEL_LANES] = { 0 };
    for (int64_t l = 0; l < k; l++, a += step, b += ldb) {
        T x0 = a[0], x1 = a[row], x2 = a[2 * row], x3 = a[3 * row];
        for (int v = 0; v < KERNEL_LANES; v++) {
            s0[v] = FMA(x0, b[v], s0[v]);
            s1[v] = FMA(x1, b[v], s1[v]);
            s2[v] = FMA(x2, b[v], s2[v]);
            s3[v] = FMA(x3, b[v], s3[v]);
        }
    }
    NAME(keep)(s0, c, n);
    NAME(keep)(s1, c + ldc, n);
    NAME(keep)(s2, c + 2 * ldc, n);
    NAME(keep)(s3, c + 3 * ldc, n);
}

static void NAME(one)(int64_t k, const T *a, int64_t step, const T *b, int64_t ldb, T *c, int64_t n)
{
    T sum[KERNEL_LANES] = { 0 };
    for (int64_t l = 0; l < k; l++, a += step, b += ldb)
        for (int v = 0; v < KERNEL_LANES; v++)
            sum[v] = FMA(*a, b[v], sum[v]);
    NAME(keep)(sum, c, n);
}

static void NAME(pack)(T *to, int64_t width, const T *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n)
{
    if (transpose_b)
        NAME(turn)(to, width, b, ldb, n, k, 1);
    for (int64_t i = 0; i < k; i++, to += width) {
        for (int64_t j = 0; j < n && !transpose_b; j++)
            to[j] = b[i * ldb + j];
        for (int64_t j = n; j < width; j++)
            to[j] = 0;
    }
}

static void NAME(gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t lda, bool transpose_a, const T *b, int64_t ldb,
                       bool transpose_b, T *c)
{
    _Alignas(64) T packed[4096];
    int64_t width = (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES, step = transpose_a ? lda : 1,
            row = transpose_a ? 1 : lda, i = 0;
    if (transpose_b || n != width) {
        NAME(pack)(packed, width, b, ldb, transpose_b, k, n);
        b = packed;
        ldb = width;
    }
    for (; i + 4 <= m; i += 4)
        for (int64_t j = 0; j < width; j += KERNEL_LANES)
            NAME(four)(k, a + i * row, row, step, b + j, ldb, c + i * n + j, n, n - j);
    for (; i < m; i++)
        for (int64_t j = 0; j < width; j += KERNEL_LANES)
            NAME(one)(k, a + i * row, step, b + j, ldb, c + i * n + j, n - j);
}
