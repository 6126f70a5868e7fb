/* SPDX-License-Identifier: Apache-2.0
 * gemm_small.h: the small product for the type T.
 *
 * B is packed into rows of whole vectors, then each row of C is a sum of A's elements times B's rows, LANES wide. The order
 * of the sum over k is that of k. */
static void NAME(gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t lda, bool transpose_a, const T *b, int64_t ldb, bool transpose_b,
                       T *c)
{
    _Alignas(64) T packed[4096];
    int64_t width = (n + LANES - 1) / LANES * LANES, step = transpose_a ? lda : 1, row = transpose_a ? 1 : lda;
    for (int64_t i = 0; i < k; i++) {
        T *to = packed + i * width;
        for (int64_t j = 0; j < n; j++)
            to[j] = transpose_b ? b[j * ldb + i] : b[i * ldb + j];
        for (int64_t j = n; j < width; j++)
            to[j] = 0;
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < width; j += LANES) {
            T sum[LANES] = { 0 };
            for (int64_t l = 0; l < k; l++) {
                T x = a[i * row + l * step];
                const T *y = packed + l * width + j;
                for (int v = 0; v < LANES; v++)
                    sum[v] = FMA(x, y[v], sum[v]);
            }
            int64_t wide = n - j < LANES ? n - j : LANES;
            if (wide == LANES)
                memcpy(c + i * n + j, sum, sizeof sum);
            else
                for (int64_t v = 0; v < wide; v++)
                    c[i * n + j + v] = sum[v];
        }
}
