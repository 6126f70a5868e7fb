/* SPDX-License-Identifier: Apache-2.0
 * rnn_float.h: the cells of a recurrent step for the type T, whose functions are F(name). The products of a step are those of
 * panel_float.h. */

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
