/* SPDX-License-Identifier: Apache-2.0
 * attention_grad_float.h: the gradient of attention, on the panels of attention_panel.h. */

/* By lane: the log-sum-exp, inf where a query sees nothing so that its probabilities are 0, and sum(dy y). */
static void NAME(lane_numbers)(const NAME(panel) * p, V l[2], V inner[2])
{
    const cpu_attention *a = p->a;
    const T *from = (const T *)a->l + (p->b * a->H + p->h) * a->queries + p->t;
    T seen[NAME(W)];
    int64_t ld;
    for (int64_t i = 0; i < NAME(W); i++)
        seen[i] = i < p->n && from[i] != -(T)INFINITY ? from[i] : (T)INFINITY;
    l[0] = NAME(load)(seen);
    l[1] = NAME(load)(seen + NAME(VL));
    const T *y = NAME(rows_of)(p, &a->y, a->E, p->q, &ld);
    NAME(turn)(p->y, NAME(W), y, ld, NAME(W), a->E, 1);
    inner[0] = inner[1] = (V) { 0 };
    for (int64_t i = 0; i < a->E * NAME(W); i += NAME(W))
        for (int j = 0; j < 2; j++)
            inner[j] += NAME(load)(p->turned_d_y + i + j * NAME(VL)) * NAME(load)(p->y + i + j * NAME(VL));
}

/* Scores become probabilities, as dropout leaves them in p->kept if there is one; d_scores, the probabilities' gradient, become
 * the scores'. */
static void NAME(differentiate)(const NAME(panel) * p, int64_t n, const V l[2], const V inner[2])
{
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 2; j++) {
            int64_t at = i * NAME(W) + j * NAME(VL);
            V e = NAME(exp_vector)(NAME(load)(p->scores + at) - l[j]), d = NAME(load)(p->d_scores + at);
            if (p->a->dropout) {
                V kept = NAME(load)(p->kept + at);
                NAME(store)(p->kept + at, e * kept);
                d *= kept;
            } else {
                NAME(store)(p->scores + at, e);
            }
            NAME(store)(p->d_scores + at, e * (d - inner[j]));
        }
}

/* c (n, C) += a' b, a' (n, W) being turned and b (W, C) rows; rows of c are whole(C) apart. */
static void NAME(add_product)(const NAME(panel) * p, int64_t n, int64_t C, const T *a, const T *b, int64_t ldb, T *c)
{
    int64_t ld = NAME(whole)(C);
    for (int64_t j = 0; j < C; j += NAME(W))
        NAME(product)(n, p->n, a, NAME(W), 1, b + j, ldb, c + j, ld, true);
}

static void NAME(go_back)(NAME(panel) * p)
{
    const cpu_attention *a = p->a;
    V l[2], inner[2];
    int64_t ldq, ldy;
    const T *d_y = NAME(rows_of)(p, &a->d_y, a->E, p->d_y, &ldy);
    NAME(turn)(p->turned_d_y, NAME(W), d_y, ldy, NAME(W), a->E, 1);
    NAME(lane_numbers)(p, l, inner);
    const T *q = NAME(rows_of)(p, &a->q, a->D, p->q, &ldq);
    NAME(turn)(p->turned_q, NAME(W), q, ldq, NAME(W), a->D, (T)a->scale);
    memset(p->d_q, 0, (size_t)(a->D * NAME(W)) * sizeof *p->d_q);
    for (int64_t first = 0; first < p->seen; first += NAME(KEYS)) {
        int64_t n = p->seen - first < NAME(KEYS) ? p->seen - first : NAME(KEYS);
        NAME(score)(p, first, n);
        NAME(product)(n, a->E, p->v + first * a->E, a->E, 1, p->turned_d_y, NAME(W), p->d_scores, NAME(W), false);
        if (a->dropout)
            NAME(draw)(p, first, n);
        NAME(differentiate)(p, n, l, inner);
        NAME(add_product)(p, n, a->E, a->dropout ? p->kept : p->scores, d_y, ldy, p->d_v + first * NAME(whole)(a->E));
        NAME(add_product)(p, n, a->D, p->d_scores, q, ldq, p->d_k + first * NAME(whole)(a->D));
        NAME(product)(a->D, n, p->k + first * a->D, 1, a->D, p->d_scores, NAME(W), p->d_q, NAME(W), true);
    }
    NAME(give_rows)(p, &a->d_q, a->D, p->d_q, (T)a->scale, p->q);
}

/* The gradient of a group's keys or values, times scale. */
static void NAME(give_group)(const cpu_attention *a, const cpu_heads *x, int64_t b, int64_t g, int64_t C, T *from, T scale)
{
    int64_t ld = NAME(whole)(C);
    for (int64_t i = 0; i < a->keys; i++, from += ld) {
        LOOP for (int64_t j = 0; j < C; j++) from[j] *= scale;
        NAME(narrow)(NAME(row_at)(a, x, b, g, i), from, C, a->narrow);
    }
}

/* Groups first..last-1 of all sequences. */
static void NAME(attention_grad)(const cpu_attention *a, int64_t first, int64_t last, T *room)
{
    NAME(panel) p;
    int64_t heads = a->H / a->G, D = NAME(whole)(a->D), E = NAME(whole)(a->E);
    NAME(carve_panel)(&p, a, room, true);
    for (int64_t i = first; i < last; i++) {
        int64_t b = i / a->G, g = i % a->G;
        NAME(enter_group)(&p, b, g);
        memset(p.d_k, 0, (size_t)(a->keys * D) * sizeof(T));
        memset(p.d_v, 0, (size_t)(a->keys * E) * sizeof(T));
        for (int64_t h = g * heads; h < (g + 1) * heads; h++)
            for (int64_t t = 0; t < a->queries; t += NAME(W)) {
                NAME(enter_panel)(&p, b, h, t);
                NAME(go_back)(&p);
            }
        NAME(give_group)(a, &a->d_k, b, g, a->D, p.d_k, (T)a->scale);
        NAME(give_group)(a, &a->d_v, b, g, a->E, p.d_v, 1);
    }
}
#undef V
