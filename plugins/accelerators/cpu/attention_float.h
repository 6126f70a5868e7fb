/* SPDX-License-Identifier: Apache-2.0
 * attention_float.h: attention, on the panels of attention_panel.h. */

typedef struct NAME(softmax_state) {
    V max[2], sum[2]; /* of each lane */
} NAME(softmax_state);

/* Scores become exp(score - max); returns by what is older is multiplied. */
static void NAME(exponentiate)(NAME(softmax_state) * s, T *scores, int64_t n, V older[2])
{
    const V least = NAME(splat)(-(T)INFINITY);
    for (int j = 0; j < 2; j++) {
        V max = s->max[j], sum = { 0 };
        for (int64_t i = 0; i < n; i++)
            max = VECTOR_MAX(NAME(load)(scores + i * NAME(W) + j * NAME(VL)), max);
        V shift = NAME(choose)(max == least, (V) { 0 }, max);
        older[j] = NAME(exp_vector)(s->max[j] - shift);
        for (int64_t i = 0; i < n; i++) {
            T *at = scores + i * NAME(W) + j * NAME(VL);
            V e = NAME(exp_vector)(NAME(load)(at) - shift);
            sum += e;
            NAME(store)(at, e);
        }
        s->max[j] = max;
        s->sum[j] = s->sum[j] * older[j] + sum;
    }
}

static void NAME(scale_lanes)(T *x, int64_t rows, const V by[2])
{
    for (int64_t i = 0; i < rows; i++, x += NAME(W)) {
        NAME(store)(x, NAME(load)(x) * by[0]);
        NAME(store)(x + NAME(VL), NAME(load)(x + NAME(VL)) * by[1]);
    }
}

static void NAME(multiply)(T *x, const T *by, int64_t n) { LOOP for (int64_t i = 0; i < n; i++) x[i] *= by[i]; }

/* Log-sum-exp of the panel's queries, and 1 / sum for y. */
static void NAME(end_softmax)(const NAME(panel) * p, const NAME(softmax_state) * s, V inverse[2])
{
    const cpu_attention *a = p->a;
    T *l = (T *)a->l + (p->b * a->H + p->h) * a->queries + p->t;
    for (int64_t lane = 0; lane < p->n; lane++) {
        T sum = s->sum[lane / NAME(VL)][lane % NAME(VL)], max = s->max[lane / NAME(VL)][lane % NAME(VL)];
        l[lane] = sum == 0 ? -(T)INFINITY : F(log)(sum) + max;
    }
    for (int j = 0; j < 2; j++)
        inverse[j] = NAME(choose)(s->sum[j] == (V) { 0 }, (V) { 0 }, 1 / s->sum[j]);
}

static void NAME(attend)(NAME(panel) * p)
{
    const cpu_attention *a = p->a;
    const V least = NAME(splat)(-(T)INFINITY);
    NAME(softmax_state) s = { { least, least }, { { 0 } } };
    V factor[2];
    int64_t ld;
    const T *q = NAME(rows_of)(p, &a->q, a->D, p->q, &ld);
    NAME(turn)(p->turned_q, NAME(W), q, ld, NAME(W), a->D, (T)a->scale);
    memset(p->y, 0, (size_t)(a->E * NAME(W)) * sizeof *p->y);
    for (int64_t first = 0; first < p->seen; first += NAME(KEYS)) {
        int64_t n = p->seen - first < NAME(KEYS) ? p->seen - first : NAME(KEYS);
        NAME(score)(p, first, n);
        NAME(exponentiate)(&s, p->scores, n, factor);
        if (a->dropout) {
            NAME(draw)(p, first, n);
            NAME(multiply)(p->scores, p->kept, n * NAME(W));
        }
        if (first)
            NAME(scale_lanes)(p->y, a->E, factor);
        NAME(product)(a->E, n, p->v + first * a->E, 1, a->E, p->scores, NAME(W), p->y, NAME(W), true);
    }
    NAME(end_softmax)(p, &s, factor);
    NAME(scale_lanes)(p->y, a->E, factor);
    NAME(give_rows)(p, &a->y, a->E, p->y, 1, p->d_y);
}

/* Blocks first..last-1 of CPU_ATTENTION_BLOCK queries each, head by head. */
static void NAME(attention)(const cpu_attention *a, int64_t first, int64_t last, T *room)
{
    NAME(panel) p;
    int64_t blocks = (a->queries + CPU_ATTENTION_BLOCK - 1) / CPU_ATTENTION_BLOCK, entered = -1;
    NAME(carve_panel)(&p, a, room, false);
    for (int64_t i = first; i < last; i++) {
        int64_t h = i / blocks % a->H, b = i / blocks / a->H, g = h / (a->H / a->G), t = i % blocks * CPU_ATTENTION_BLOCK;
        if (entered != b * a->G + g)
            NAME(enter_group)(&p, b, g);
        entered = b * a->G + g;
        for (int64_t end = t + CPU_ATTENTION_BLOCK < a->queries ? t + CPU_ATTENTION_BLOCK : a->queries; t < end; t += NAME(W)) {
            NAME(enter_panel)(&p, b, h, t);
            NAME(attend)(&p);
        }
    }
}
