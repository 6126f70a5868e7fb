/* SPDX-License-Identifier: Apache-2.0
 * rnn_float.h: the parts of a recurrent step for the type T: a product of few rows with a matrix that was packed once for all
 * steps, and the cells, whose functions are F(name).
 *
 * Packed B (k, n): blocks of PANEL_DEPTH rows; in each, panels of PANEL_WIDTH columns, row after row, filled up with zeros. So a
 * panel of a block stays in the first cache while all rows of A pass by it. A sum's order is that of k, whichever rows it is
 * made with. */

enum { NAME(PANEL_WIDTH) = 2 * VECTOR / (int)sizeof(T) };

/* ---- Packing ---- */

static void NAME(panel_pack)(int64_t k, int64_t n, const T *b, int64_t ldb, bool transpose_b, T *to, int64_t first, int64_t last)
{
    enum { W = NAME(PANEL_WIDTH) };
    int64_t width = (n + W - 1) / W * W;
    for (int64_t l0 = 0; l0 < k; l0 += PANEL_DEPTH) {
        int64_t depth = k - l0 < PANEL_DEPTH ? k - l0 : PANEL_DEPTH;
        for (int64_t j = first * W; j < last * W; j += W) {
            T *panel = to + l0 * width + j * depth;
            int64_t columns = n - j < W ? n - j : W;
            for (int64_t l = 0; l < depth; l++, panel += W) {
                for (int64_t v = 0; v < columns; v++)
                    panel[v] = transpose_b ? b[(j + v) * ldb + l0 + l] : b[(l0 + l) * ldb + j + v];
                for (int64_t v = columns; v < W; v++)
                    panel[v] = 0;
            }
        }
    }
}

/* ---- C (m, n) = A (m, k) B, or C + A B; rows of C have room for whole panels ---- */

static inline __attribute__((always_inline)) void NAME(panel_rows)(const int rows, int64_t k, const T *a, int64_t lda, const T *b,
                                                                   T *c, int64_t ldc, bool add)
{
    enum { V = VECTOR / (int)sizeof(T) };
    NAME(vec) s[PANEL_ROWS][2];
    for (int r = 0; r < rows; r++) {
        s[r][0] = add ? NAME(load)(c + r * ldc) : (NAME(vec)) { 0 };
        s[r][1] = add ? NAME(load)(c + r * ldc + V) : (NAME(vec)) { 0 };
    }
    for (int64_t l = 0; l < k; l++, b += 2 * V) {
        NAME(vec) b0 = NAME(load)(b), b1 = NAME(load)(b + V);
        for (int r = 0; r < rows; r++) {
            NAME(vec) x = SPREAD(a[r * lda + l]);
            s[r][0] = VECTOR_FMA(x, b0, s[r][0]);
            s[r][1] = VECTOR_FMA(x, b1, s[r][1]);
        }
    }
    for (int r = 0; r < rows; r++) {
        NAME(store)(c + r * ldc, s[r][0]);
        NAME(store)(c + r * ldc + V, s[r][1]);
    }
}

static void NAME(panel_block)(int64_t rows, int64_t k, const T *a, int64_t lda, const T *b, T *c, int64_t ldc, bool add)
{
    switch (rows) {
    case 1:
        NAME(panel_rows)(1, k, a, lda, b, c, ldc, add);
        break;
    case 2:
        NAME(panel_rows)(2, k, a, lda, b, c, ldc, add);
        break;
    case 3:
        NAME(panel_rows)(3, k, a, lda, b, c, ldc, add);
        break;
    case 4:
        NAME(panel_rows)(4, k, a, lda, b, c, ldc, add);
        break;
    case 5:
        NAME(panel_rows)(5, k, a, lda, b, c, ldc, add);
        break;
    default:
        NAME(panel_rows)(6, k, a, lda, b, c, ldc, add);
        break;
    }
}

static void NAME(panel_gemm)(int64_t m, int64_t n, int64_t k, const T *a, int64_t lda, const T *packed, T *c, int64_t ldc,
                             bool add)
{
    enum { W = NAME(PANEL_WIDTH) };
    int64_t width = (n + W - 1) / W * W;
    for (int64_t i = 0; k == 0 && width && !add && i < m; i++)
        memset(c + i * ldc, 0, (size_t)width * sizeof *c);
    for (int64_t l0 = 0; l0 < k; l0 += PANEL_DEPTH) {
        int64_t depth = k - l0 < PANEL_DEPTH ? k - l0 : PANEL_DEPTH;
        for (int64_t j = 0; j < width; j += W)
            for (int64_t i = 0, rows; i < m; i += rows) { /* blocks of about the same size: a thin one is slow */
                int64_t left = m - i, blocks = (left + PANEL_ROWS - 1) / PANEL_ROWS;
                rows = (left + blocks - 1) / blocks;
                NAME(panel_block)
                (rows, depth, a + i * lda + l0, lda, packed + l0 * width + j * depth, c + i * ldc + j, ldc, add || l0);
            }
    }
}

/* ---- Cells: a row of a step, of H elements a gate (formulas: engine/ops_rnn.h) ----
 *
 * Loops are short, so that the processor has several turns of one under way: these functions are long chains. */

#define SUM ((x[j] + b[j]) + (u[j] + c[j]))

static void NAME(gates_tanh)(const cpu_rnn_row *p, int64_t first, int64_t last, T *to)
{
    const T *x = p->x, *u = p->u, *b = p->b_ih, *c = p->b_hh;
    LOOP for (int64_t j = first; j < last; j++) to[j] = F(tanh)(SUM);
}

static void NAME(gates_sigmoid)(const cpu_rnn_row *p, int64_t first, int64_t last, T *to)
{
    const T *x = p->x, *u = p->u, *b = p->b_ih, *c = p->b_hh;
    LOOP for (int64_t j = first; j < last; j++) to[j] = F(sigmoid)(SUM);
}

static void NAME(rnn_tanh)(const cpu_rnn_row *p, int64_t H)
{
    NAME(gates_tanh)(p, 0, H, p->saved);
    if (H)
        memcpy(p->y, p->saved, (size_t)H * sizeof(T));
}

static void NAME(rnn_relu)(const cpu_rnn_row *p, int64_t H)
{
    const T *x = p->x, *u = p->u, *b = p->b_ih, *c = p->b_hh;
    T *y = p->y, *saved = p->saved;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T sum = SUM;
        saved[j] = sum;
        y[j] = sum < 0 ? 0 : sum; /* NaN stays */
    }
}

static void NAME(rnn_lstm)(const cpu_rnn_row *p, int64_t H)
{
    const T *before = p->c;
    T *y = p->y, *i = p->saved, *f = i + H, *g = f + H, *o = g + H, *c = o + H;
    NAME(gates_sigmoid)(p, 0, 2 * H, i);
    NAME(gates_tanh)(p, 2 * H, 3 * H, i);
    NAME(gates_sigmoid)(p, 3 * H, 4 * H, i);
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T next = f[j] * before[j] + i[j] * g[j];
        c[j] = next;
        y[j] = o[j] * F(tanh)(next);
    }
}

static void NAME(rnn_gru)(const cpu_rnn_row *p, int64_t H)
{
    const T *x = p->x, *u = p->u, *b = p->b_ih, *c = p->b_hh, *h = p->h;
    T *y = p->y, *r = p->saved, *z = r + H, *n = z + H, *from_state = n + H;
    NAME(gates_sigmoid)(p, 0, 2 * H, r);
    x += 2 * H, u += 2 * H, b += 2 * H, c += 2 * H;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T s = u[j] + c[j], new_ = F(tanh)((x[j] + b[j]) + r[j] * s);
        from_state[j] = s;
        n[j] = new_;
        y[j] = new_ + z[j] * (h[j] - new_);
    }
}

#undef SUM

/* ---- The way back: d_h comes as what later steps give, and leaves as what reaches the step before beside d_u U ---- */

static void NAME(rnn_tanh_back)(const cpu_rnn_row_back *p, int64_t H)
{
    const T *h = p->saved, *d_y = p->d_y, *d_h = p->d_h;
    T *d_x = p->d_x;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T d = d_y[j] + d_h[j];
        d_x[j] = d - d * (h[j] * h[j]);
    }
}

/* On the kink half of it, as by MAXIMUM. */
static void NAME(rnn_relu_back)(const cpu_rnn_row_back *p, int64_t H)
{
    const T *sum = p->saved, *d_y = p->d_y, *d_h = p->d_h;
    T *d_x = p->d_x;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T d = d_y[j] + d_h[j];
        d_x[j] = sum[j] == 0 ? d * (T)0.5 : sum[j] < 0 ? 0 : d;
    }
}

static void NAME(rnn_lstm_back)(const cpu_rnn_row_back *p, int64_t H)
{
    const T *saved = p->saved, *before = p->c, *d_y = p->d_y, *d_h = p->d_h;
    T *d_x = p->d_x, *d_c = p->d_c;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T i = saved[j], f = saved[H + j], g = saved[2 * H + j], o = saved[3 * H + j], t = F(tanh)(saved[4 * H + j]);
        T dh = d_y[j] + d_h[j], through = dh * o, dc = d_c[j] + (through - through * (t * t));
        T di = dc * g, df = dc * before[j], dg = dc * i, d_o = dh * t;
        d_x[j] = di * (i - i * i);
        d_x[H + j] = df * (f - f * f);
        d_x[2 * H + j] = dg - dg * (g * g);
        d_x[3 * H + j] = d_o * (o - o * o);
        d_c[j] = dc * f;
    }
}

static void NAME(rnn_gru_back)(const cpu_rnn_row_back *p, int64_t H)
{
    const T *saved = p->saved, *h = p->h, *d_y = p->d_y;
    T *d_h = p->d_h, *d_x = p->d_x, *d_u = p->d_u;
    LOOP for (int64_t j = 0; j < H; j++)
    {
        T r = saved[j], z = saved[H + j], n = saved[2 * H + j], u = saved[3 * H + j];
        T dh = d_y[j] + d_h[j], kept = dh * z, dn = dh - kept, dz = dh * (h[j] - n);
        dn = dn - dn * (n * n);
        T dr = dn * u;
        d_x[j] = d_u[j] = dr * (r - r * r);
        d_x[H + j] = d_u[H + j] = dz * (z - z * z);
        d_x[2 * H + j] = dn;
        d_u[2 * H + j] = dn * r;
        d_h[j] = kept;
    }
}
