/* SPDX-License-Identifier: Apache-2.0
 * panel_float.h: a product with a packed matrix, for the type T.
 *
 * Packed B (k, n): blocks of CPU_PANEL_DEPTH rows; in each, panels of up to PANEL_VECTORS vectors of columns, as even as can be,
 * row after row, filled up with zeros. PANEL_ROWS rows of A pass by a panel at a time: the registers hold their sums. The order
 * of a sum is that of k, whichever rows and columns it is made with. */
#ifndef PANEL_ROWS
#ifdef __AVX512F__
enum { PANEL_ROWS = 8, PANEL_VECTORS = 3 };
#else
enum { PANEL_ROWS = 6, PANEL_VECTORS = 2 };
#endif
#define PANEL_ROWS PANEL_ROWS
#endif

/* Vectors of n columns, and panels of them. */
static int64_t NAME(vectors)(int64_t n) { return (n + NAME(VL) - 1) / NAME(VL); }
static int64_t NAME(panels)(int64_t n) { return (NAME(vectors)(n) + PANEL_VECTORS - 1) / PANEL_VECTORS; }
/* The first column of panel i. */
static int64_t NAME(panel_at)(int64_t n, int64_t i) { return NAME(vectors)(n) * i / NAME(panels)(n) * NAME(VL); }

static void NAME(pack_rows)(int64_t depth, int64_t columns, int64_t width, const T *b, int64_t ldb, T *panel)
{
    for (int64_t l = 0; l < depth; l++, panel += width, b += ldb) {
        int64_t v = 0;
        for (; v + NAME(VL) <= columns; v += NAME(VL))
            NAME(store)(panel + v, NAME(load)(b + v));
        for (; v < width; v++)
            panel[v] = v < columns ? b[v] : 0;
    }
}

static void NAME(panel_pack)(int64_t k, int64_t n, const T *b, int64_t ldb, bool transpose_b, T *to, int64_t first, int64_t last)
{
    for (int64_t l0 = 0; l0 < k; l0 += CPU_PANEL_DEPTH) {
        int64_t depth = k - l0 < CPU_PANEL_DEPTH ? k - l0 : CPU_PANEL_DEPTH;
        for (int64_t i = first; i < last; i++) {
            int64_t j = NAME(panel_at)(n, i), width = NAME(panel_at)(n, i + 1) - j, columns = n - j < width ? n - j : width;
            T *panel = to + l0 * NAME(vectors)(n) * NAME(VL) + j * depth;
            if (!transpose_b) {
                NAME(pack_rows)(depth, columns, width, b + l0 * ldb + j, ldb, panel);
                continue;
            }
            if (columns < width)
                memset(panel, 0, (size_t)(depth * width) * sizeof *panel);
            NAME(turn)(panel, width, b + j * ldb + l0, ldb, columns, depth, 1);
        }
    }
}

/* c (rows, vectors) = [c +] a (rows, k) b (k, vectors). Element (i, l) of a is a[i row + l step]. Rows and vectors are constants
 * where this is inlined, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void NAME(panel_sums)(const int rows, const int vectors, int64_t k, const T *a,
                                                                   int64_t row, int64_t step, const T *b, int64_t ldb, T *c,
                                                                   int64_t ldc, bool add)
{
    NAME(vec) sum[PANEL_ROWS][PANEL_VECTORS], right[PANEL_VECTORS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            sum[i][v] = add ? NAME(load)(c + i * ldc + v * NAME(VL)) : (NAME(vec)) { 0 };
    for (int64_t l = 0; l < k; l++, a += step, b += ldb) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            right[v] = NAME(load)(b + v * NAME(VL));
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            NAME(vec) left = NAME(splat)(a[i * row]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                sum[i][v] = VECTOR_FMA(left, right[v], sum[i][v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            NAME(store)(c + i * ldc + v * NAME(VL), sum[i][v]);
}

/* The rows of the m that are left that are made next. */
static int64_t NAME(panel_rows_of)(int64_t m) { return m >= PANEL_ROWS ? PANEL_ROWS : m >= 4 ? 4 : m >= 2 ? 2 : 1; }

static void NAME(panel_block)(int64_t rows, int64_t vectors, int64_t k, const T *a, int64_t row, int64_t step, const T *b,
                              int64_t ldb, T *c, int64_t ldc, bool add)
{
#define BLOCK(rows, vectors)                                                   \
    case 16 * (rows) + (vectors):                                              \
        NAME(panel_sums)(rows, vectors, k, a, row, step, b, ldb, c, ldc, add); \
        break
#define BLOCKS(vectors) \
    BLOCK(1, vectors);  \
    BLOCK(2, vectors);  \
    BLOCK(4, vectors);  \
    BLOCK(PANEL_ROWS, vectors)
    switch (16 * rows + vectors) {
        BLOCKS(1);
        BLOCKS(2);
#ifdef __AVX512F__
        BLOCKS(3);
#endif
    }
#undef BLOCKS
#undef BLOCK
}

/* Where the last vector of columns is not whole. */
static void NAME(panel_part)(int64_t rows, int64_t vectors, int64_t columns, int64_t k, const T *a, int64_t row, int64_t step,
                             const T *panel, T *c, int64_t ldc, bool add)
{
    enum { W = PANEL_VECTORS * NAME(VL) };
    T room[PANEL_ROWS * W] = { 0 };
    for (int64_t i = 0; add && i < rows; i++)
        memcpy(room + i * W, c + i * ldc, (size_t)columns * sizeof *c);
    NAME(panel_block)(rows, vectors, k, a, row, step, panel, vectors * NAME(VL), room, W, add);
    for (int64_t i = 0; i < rows; i++)
        memcpy(c + i * ldc, room + i * W, (size_t)columns * sizeof *c);
}

enum { NAME(GATHERED) = 2 * PANEL_ROWS };

/* Elements of A that lie far apart, side by side: element (r, l) at to[l GATHERED + r]. */
static void NAME(gather_rows)(int64_t rows, int64_t depth, const T *a, int64_t row, int64_t step, T *to)
{
    if (rows == NAME(GATHERED) && row == 1)
        for (int64_t l = 0; l < depth; l++, a += step, to += NAME(GATHERED))
            memcpy(to, a, NAME(GATHERED) * sizeof *to);
    else
        for (int64_t l = 0; l < depth; l++)
            for (int64_t r = 0; r < rows; r++)
                to[l * NAME(GATHERED) + r] = a[r * row + l * step];
}

/* A block of rows of A by a block of B, depth rows of it. */
static void NAME(panel_row)(int64_t rows, int64_t n, int64_t depth, const T *a, int64_t row, int64_t step, const T *b,
                            int64_t ldb, T *c, int64_t ldc, bool add)
{
    for (int64_t p = 0, panels = NAME(panels)(n); p < panels; p++) {
        int64_t j = NAME(panel_at)(n, p), width = NAME(panel_at)(n, p + 1) - j, vectors = width / NAME(VL);
        const T *panel = b + (ldb ? j : j * depth);
        if (j + width <= n)
            NAME(panel_block)(rows, vectors, depth, a, row, step, panel, ldb ? ldb : width, c + j, ldc, add);
        else
            NAME(panel_part)(rows, vectors, n - j, depth, a, row, step, panel, c + j, ldc, add);
    }
}

/* C (m, n) = A (m, k) B, or C + A B; element (i, l) of A is a[i row + l step]. ldb: 0 where B is packed, else its rows are so
 * many elements apart, and n is whole vectors. */
static void NAME(panel_gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t row, int64_t step, const T *b, int64_t ldb,
                             T *c, int64_t ldc, bool add)
{
    bool gathers = step != 1 && NAME(panels)(n) > 1;
    T gathered[NAME(GATHERED) * CPU_PANEL_DEPTH];
    for (int64_t i = 0; k == 0 && n > 0 && !add && i < m; i++)
        memset(c + i * ldc, 0, (size_t)n * sizeof *c);
    for (int64_t l = 0; l < k; l += CPU_PANEL_DEPTH, add = true) {
        const int64_t depth = k - l < CPU_PANEL_DEPTH ? k - l : CPU_PANEL_DEPTH;
        const T *block = b + l * (ldb ? ldb : NAME(vectors)(n) * NAME(VL));
        for (int64_t i = 0, here; i < m; i += here) {
            here = gathers && m - i > NAME(GATHERED) ? NAME(GATHERED) : m - i;
            if (gathers)
                NAME(gather_rows)(here, depth, a + i * row + l * step, row, step, gathered);
            for (int64_t r = 0, rows; r < here; r += rows) {
                rows = NAME(panel_rows_of)(here - r);
                if (gathers)
                    NAME(panel_row)(rows, n, depth, gathered + r, 1, NAME(GATHERED), block, ldb, c + (i + r) * ldc, ldc, add);
                else
                    NAME(panel_row)
                    (rows, n, depth, a + (i + r) * row + l * step, row, step, block, ldb, c + (i + r) * ldc, ldc, add);
            }
        }
    }
}
