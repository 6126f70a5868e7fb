/* SPDX-License-Identifier: Apache-2.0
 * gemm_small.h: the small product for one element type; included with T, FMA and NAME defined.
 *
 * B is packed into rows of whole vectors, then each row of C is a sum of A's elements times B's rows, four vectors wide.
 * The order of the sum over k is that of k. */
static void NAME(int64_t m, int64_t n, int64_t k, const T *a, bool transpose_a, const T *b, bool transpose_b, T *c)
{
    _Alignas(64) T packed[4096];
    int64_t width = (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    int64_t step = transpose_a ? m : 1, row = transpose_a ? 1 : k;
    for (int64_t i = 0; i < k; i++) {
        T *to = packed + i * width;
        for (int64_t j = 0; j < n; j++)
            to[j] = transpose_b ? b[j * k + i] : b[i * n + j];
        for (int64_t j = n; j < width; j++)
            to[j] = 0;
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < width; j += KERNEL_LANES) {
            T sum[KERNEL_LANES] = { 0 };
            for (int64_t l = 0; l < k; l++) {
                T x = a[i * row + l * step];
                const T *y = packed + l * width + j;
                for (int v = 0; v < KERNEL_LANES; v++)
                    sum[v] = FMA(x, y[v], sum[v]);
            }
            int64_t wide = n - j < KERNEL_LANES ? n - j : KERNEL_LANES;
            if (wide == KERNEL_LANES)
                memcpy(c + i * n + j, sum, sizeof sum);
            else
                for (int64_t v = 0; v < wide; v++)
                    c[i * n + j + v] = sum[v];
        }
}
