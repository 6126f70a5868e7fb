/* SPDX-License-Identifier: Apache-2.0
 * attention_float.h: attention and its gradient without a (T, S) matrix (Dao et al. 2022), for the type T.
 *
 * A panel of W queries, two vectors, goes past KEYS keys at a time. All that belongs to a panel lies turned: a row of the scores
 * is a key, its lanes are the queries. So a maximum or a sum over the keys is one of whole vectors, and each of the products,
 * two on the way there and five on the way back, is product(), which reads keys and values element by element as they lie.
 *
 *   there:  s' = k q',  m = max(s),  p' = exp(s' - m),  y' = v' p',  rescaled where a later block raises m
 *   back:   p' = exp(k q' - l),  ds' = p' (v dy' - sum(dy y)),  dv = p' dy,  dk = ds' q,  dq' = k' ds'
 *
 * The order of each sum is a function of the shapes alone. */

#define V NAME(vec)

enum { NAME(W) = 2 * NAME(VL), NAME(KEYS) = 64 };

/* Channels rounded up to whole panels. */
static inline int64_t NAME(whole)(int64_t n) { return (n + NAME(W) - 1) / NAME(W) * NAME(W); }

/* Queries t.. of head h of sequence b, and what a thread works on them with. */
typedef struct NAME(panel) {
    const cpu_attention *a;
    int64_t b, h, t, n; /* n <= W lanes are queries */
    int64_t seen;       /* keys that the last of them sees */
    const T *k, *v;     /* of the group: (S, D), (S, E) */
    int64_t ldk, ldv;
    T *copies;                   /* of k and v */
    T *q, *d_y;                  /* room for rows: of q or y, and of the gradient of y */
    T *turned_q, *turned_d_y;    /* (D, W), the scale in it; (E, W) */
    T *y;                        /* (E, W) */
    T *scores, *d_scores, *kept; /* (KEYS, W); kept: what dropout makes of 1 */
    T *d_q, *d_k, *d_v;          /* (D, W), (S, whole(D)), (S, whole(E)) */
} NAME(panel);

static T *NAME(carve)(T *room, int64_t *used, int64_t n)
{
    T *at = room ? room + *used : NULL;
    *used += (n + 15) / 16 * 16;
    return at;
}

/* Lays out a thread's room; returns its elements. */
static int64_t NAME(carve_panel)(NAME(panel) * p, const cpu_attention *a, T *room, bool back)
{
    const int64_t W = NAME(W), keys = NAME(KEYS) * W, D = NAME(whole)(a->D), E = NAME(whole)(a->E);
    int64_t used = 0;
    *p = (NAME(panel)) { .a = a };
    p->copies = NAME(carve)(room, &used, a->keys * (a->D + a->E));
    p->q = NAME(carve)(room, &used, W * (D > E ? D : E));
    p->turned_q = NAME(carve)(room, &used, a->D * W);
    p->y = NAME(carve)(room, &used, a->E * W);
    p->scores = NAME(carve)(room, &used, keys);
    p->kept = NAME(carve)(room, &used, a->dropout ? keys : 0);
    p->d_y = NAME(carve)(room, &used, W * E);
    if (!back)
        return used;
    p->turned_d_y = NAME(carve)(room, &used, a->E * W);
    p->d_scores = NAME(carve)(room, &used, keys);
    p->d_q = NAME(carve)(room, &used, a->D * W);
    p->d_k = NAME(carve)(room, &used, a->keys * D);
    p->d_v = NAME(carve)(room, &used, a->keys * E);
    return used;
}

static int64_t NAME(attention_room)(const cpu_attention *a, bool back)
{
    NAME(panel) p;
    return NAME(carve_panel)(&p, a, NULL, back) * (int64_t)sizeof(T);
}

/* ---- In and out ---- */

static char *NAME(row_at)(const cpu_attention *a, const cpu_heads *x, int64_t b, int64_t h, int64_t row)
{
    return x->data + (b * x->batch + h * x->head + row * x->row) * (a->narrow ? 2 : (int64_t)sizeof(T));
}

/* The keys or values of a group: where they lie if the rows are side by side, else a copy in `room`. */
static const T *NAME(group_rows)(const cpu_attention *a, const cpu_heads *x, int64_t b, int64_t g, int64_t C, T *room)
{
    if (!a->narrow && x->row == C)
        return (const T *)(const void *)NAME(row_at)(a, x, b, g, 0);
    for (int64_t i = 0; i < a->keys; i++)
        NAME(widen)(room + i * C, NAME(row_at)(a, x, b, g, i), C, a->narrow);
    return room;
}

static void NAME(enter_group)(NAME(panel) * p, int64_t b, int64_t g)
{
    p->k = NAME(group_rows)(p->a, &p->a->k, b, g, p->a->D, p->copies);
    p->v = NAME(group_rows)(p->a, &p->a->v, b, g, p->a->E, p->copies + p->a->keys * p->a->D);
}

static void NAME(enter_panel)(NAME(panel) * p, int64_t b, int64_t h, int64_t t)
{
    const cpu_attention *a = p->a;
    p->b = b, p->h = h, p->t = t;
    p->n = a->queries - t < NAME(W) ? a->queries - t : NAME(W);
    int64_t last = t + p->n + a->keys - a->queries;
    p->seen = !a->causal || last > a->keys ? a->keys : last < 0 ? 0 : last;
}

/* The panel's rows of x, `*ld` apart: where they lie if they are W of whole panels, else a copy filled up with 0. */
static const T *NAME(rows_of)(const NAME(panel) * p, const cpu_heads *x, int64_t C, T *room, int64_t *ld)
{
    const cpu_attention *a = p->a;
    if (!a->narrow && p->n == NAME(W) && C == NAME(whole)(C)) {
        *ld = x->row;
        return (const T *)(const void *)NAME(row_at)(a, x, p->b, p->h, p->t);
    }
    *ld = NAME(whole)(C);
    memset(room, 0, (size_t)(NAME(W) * *ld) * sizeof *room);
    for (int64_t i = 0; i < p->n; i++)
        NAME(widen)(room + i * *ld, NAME(row_at)(a, x, p->b, p->h, p->t + i), C, a->narrow);
    return room;
}

/* The panel's rows of x from what lies turned, (C, W), times scale. */
static void NAME(give_rows)(const NAME(panel) * p, const cpu_heads *x, int64_t C, const T *turned, T scale, T *room)
{
    const cpu_attention *a = p->a;
    bool straight = !a->narrow && p->n == NAME(W);
    T *to = straight ? (T *)(void *)NAME(row_at)(a, x, p->b, p->h, p->t) : room;
    int64_t ld = straight ? x->row : C;
    NAME(turn)(to, ld, turned, NAME(W), C, NAME(W), scale);
    for (int64_t i = 0; i < p->n && !straight; i++)
        NAME(narrow)(NAME(row_at)(a, x, p->b, p->h, p->t + i), room + i * C, C, a->narrow);
}

/* ---- What hides a pair, and what drops it ---- */

/* -inf where query t + lane may not see key first + i: it sees those up to t + lane + S - T. */
static void NAME(hide_later)(const NAME(panel) * p, int64_t first, int64_t n)
{
    int64_t earliest = p->t + p->a->keys - p->a->queries - first, from = earliest < 0 ? 0 : earliest + 1;
    V lane[2];
    for (int i = 0; i < NAME(W); i++)
        lane[i / NAME(VL)][i % NAME(VL)] = (T)i;
    for (int64_t i = from; i < n; i++)
        for (int j = 0; j < 2; j++) {
            T *s = p->scores + i * NAME(W) + j * NAME(VL);
            NAME(store)(s, NAME(choose)(lane[j] < NAME(splat)((T)(i - earliest)), NAME(splat)(-(T)INFINITY), NAME(load)(s)));
        }
}

static T NAME(masked)(const cpu_attention *a, int64_t at, T score)
{
    if (a->mask_type == LTH_BOOL)
        return ((const uint8_t *)a->mask)[at] ? score : -(T)INFINITY;
    if (a->mask_type == LTH_BF16)
        return score + (T)tile_of_bf16(((const uint16_t *)a->mask)[at]);
    return score + ((const T *)a->mask)[at];
}

static void NAME(apply_mask)(const NAME(panel) * p, int64_t first, int64_t n)
{
    const cpu_attention *a = p->a;
    const int64_t *stride = a->mask_stride;
    int64_t at = p->b * stride[0] + p->h * stride[1] + p->t * stride[2] + first * stride[3];
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = 0; lane < p->n; lane++) {
            T *s = p->scores + i * NAME(W) + lane;
            *s = NAME(masked)(a, at + lane * stride[2] + i * stride[3], *s);
        }
}

/* The scores of n keys from the first on. */
static void NAME(score)(const NAME(panel) * p, int64_t first, int64_t n)
{
    const cpu_attention *a = p->a;
    NAME(product)(n, a->D, p->k + first * a->D, a->D, 1, p->turned_q, NAME(W), p->scores, NAME(W), false);
    if (a->mask)
        NAME(apply_mask)(p, first, n);
    if (a->causal)
        NAME(hide_later)(p, first, n);
}

/* p->kept: 0 where dropout takes the probability, else 1 / (1 - p). Random numbers are those of UNIFORM (B, H, T, S). */
static void NAME(draw)(const NAME(panel) * p, int64_t first, int64_t n)
{
    const cpu_attention *a = p->a;
    accel_tile_run run = { .seed = a->seed, .step = a->step, .stream = a->stream };
    uint32_t words[NAME(KEYS) + 8];
    for (int64_t lane = 0; lane < p->n; lane++) {
        int64_t start = ((p->b * a->H + p->h) * a->queries + p->t + lane) * a->keys + first, ahead = start % 4;
        TILE(philox)(words, &run, a->id, start - ahead, n + ahead);
        for (int64_t i = 0; i < n; i++)
            p->kept[i * NAME(W) + lane] = lth_philox_uniform(words[ahead + i]) >= a->p ? (T)(1 / (1 - a->p)) : 0;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = p->n; lane < NAME(W); lane++)
            p->kept[i * NAME(W) + lane] = 0;
}
