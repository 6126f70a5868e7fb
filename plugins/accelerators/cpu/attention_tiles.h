/* SPDX-License-Identifier: Apache-2.0
 * attention_tiles.h: attention of bf16 and its gradient (attention_float.h) by tiles of bf16 with sums in f32, included by
 * half_tiles.c. Probabilities, and on the way back the scores' gradients, are rounded to bf16 as operands of the products that
 * follow.
 *
 * Queries go by blocks of SIDE rows, keys by panels of SIDE columns. Heads are packed as rows or columns of a product once: those
 * of queries by block, those of keys by group. "across": channels are the product's terms, as in q k'; "along": rows are. */

enum { SEEN = 8 /* panels of keys at a time */, KEYS = SEEN * SIDE, BLOCKS = 2 /* of queries at a time, on the way back */ };

typedef struct tile_heads {
    const cpu_attention *a;
    int64_t D, E, keys;                                 /* in whole steps or panels: as many elements */
    uint16_t *k_across, *v_across, *k_along, *v_along;  /* (keys, D), (keys, E) */
    uint16_t *q, *d_y, *q_along, *d_y_along;            /* of BLOCKS blocks */
    uint16_t *p, *d_s, *turned_p, *turned_d_s, *p_rows; /* probabilities and gradients of scores */
    float *scores, *d_scores, *kept;                    /* kept: a row of what dropout makes of 1 */
    float *y, *d_q, *d_k, *d_v;
} tile_heads;

static void *carve(char *room, int64_t *used, int64_t count, int64_t size)
{
    char *at = room ? room + *used : NULL;
    *used += whole(count * size, 64) * 64;
    return at;
}

/* Lays out a thread's room; returns its bytes. */
static int64_t carve_heads(tile_heads *h, const cpu_attention *a, char *room, bool back)
{
    const int64_t D = whole(a->D, SIDE) * SIDE, E = whole(a->E, SIDE) * SIDE, S = whole(a->keys, SIDE) * SIDE, half = 2, one = 4;
    int64_t used = 0;
    *h = (tile_heads) { .a = a, .D = D, .E = E, .keys = S };
    h->k_across = carve(room, &used, S * D, half);
    h->kept = carve(room, &used, a->dropout ? KEYS : 0, one);
    if (!back) {
        h->v_along = carve(room, &used, S * E, half);
        h->q = carve(room, &used, SIDE * D, half);
        h->p = carve(room, &used, SIDE * KEYS, half);
        h->scores = carve(room, &used, SIDE * KEYS, one);
        h->y = carve(room, &used, SIDE * E, one);
        return used;
    }
    h->v_across = carve(room, &used, S * E, half);
    h->k_along = carve(room, &used, S * D, half);
    h->q = carve(room, &used, BLOCKS * SIDE * D, half);
    h->q_along = carve(room, &used, BLOCKS * SIDE * D, half);
    h->d_y = carve(room, &used, BLOCKS * SIDE * E, half);
    h->d_y_along = carve(room, &used, BLOCKS * SIDE * E, half);
    h->p_rows = carve(room, &used, STEP, half);
    h->d_s = carve(room, &used, BLOCKS * SEEN * STEP, half);
    h->turned_p = carve(room, &used, BLOCKS * STEP, half);
    h->turned_d_s = carve(room, &used, BLOCKS * STEP, half);
    h->scores = carve(room, &used, STEP, one);
    h->d_scores = carve(room, &used, STEP, one);
    h->d_q = carve(room, &used, BLOCKS * SIDE * D, one);
    h->d_k = carve(room, &used, S * D, one);
    h->d_v = carve(room, &used, S * E, one);
    return used;
}

static int64_t attention_room(const cpu_attention *a, bool back)
{
    tile_heads h;
    return carve_heads(&h, a, NULL, back);
}

/* ---- Packing ---- */

static uint16_t *head_row(const cpu_heads *x, int64_t b, int64_t head, int64_t row)
{
    return (uint16_t *)(void *)x->data + b * x->batch + head * x->head + row * x->row;
}

/* Rows of a head as columns of a product of which the channels are the terms: (panel of rows, step of channels). */
static void pack_across(uint16_t *to, const uint16_t *x, int64_t row, int64_t rows, int64_t channels)
{
    for (int64_t j = 0; j < rows; j += SIDE)
        for (int64_t l = 0; l < channels; l += SIDE, to += STEP)
            pack_columns(to, x + j * row + l, 1, row, channels - l, rows - j);
}

/* Channels as columns of a product of which the rows are the terms, in `steps` steps: (panel of channels, step of rows). */
static void pack_along(uint16_t *to, const uint16_t *x, int64_t row, int64_t rows, int64_t steps, int64_t channels)
{
    for (int64_t j = 0; j < channels; j += SIDE)
        for (int64_t l = 0; l < steps * SIDE; l += SIDE, to += STEP)
            pack_columns(to, x + l * row + j, row, 1, rows - l, channels - j);
}

/* A block of rows: (step of channels). */
static void pack_block(uint16_t *to, const uint16_t *x, int64_t row, int64_t rows, int64_t channels)
{
    for (int64_t l = 0; l < channels; l += SIDE, to += STEP)
        pack_rows(to, x + l, row, 1, rows, channels - l);
}

static void enter_group(tile_heads *h, int64_t b, int64_t g, bool back)
{
    const cpu_attention *a = h->a;
    const uint16_t *k = head_row(&a->k, b, g, 0), *v = head_row(&a->v, b, g, 0);
    pack_across(h->k_across, k, a->k.row, a->keys, a->D);
    if (back) {
        pack_across(h->v_across, v, a->v.row, a->keys, a->E);
        pack_along(h->k_along, k, a->k.row, a->keys, h->keys / SIDE, a->D);
    } else {
        pack_along(h->v_along, v, a->v.row, a->keys, h->keys / SIDE, a->E);
    }
}

/* ---- What a query sees ---- */

/* Keys that query t sees, from the first on; of a block: those that its last sees. */
static int64_t seen_by(const cpu_attention *a, int64_t t)
{
    int64_t last = t + 1 + a->keys - a->queries;
    return !a->causal || last > a->keys ? a->keys : last < 0 ? 0 : last;
}

static float masked(const cpu_attention *a, int64_t at, float score)
{
    if (a->mask_type == LTH_BOOL)
        return ((const uint8_t *)a->mask)[at] ? score : -INFINITY;
    return score + (a->mask_type == LTH_BF16 ? tile_of_bf16(((const uint16_t *)a->mask)[at]) : ((const float *)a->mask)[at]);
}

/* A query's scores of `panels` panels of keys from the first on, times the scale; -inf where it does not see the key. */
static void hide(const cpu_attention *a, int64_t b, int64_t head, int64_t t, int64_t first, int64_t panels, float *s)
{
    const int64_t *stride = a->mask_stride, seen = least(seen_by(a, t) - first, panels * SIDE);
    const vec_float scale = splat_float((float)a->scale), never = splat_float(-INFINITY);
    mask_float lane, last = (int32_t)(seen > 0 ? seen : 0) - (mask_float) { 0 };
    for (int i = 0; i < VL_float; i++)
        lane[i] = i;
    for (int64_t i = 0; i < panels * SIDE; i += VL_float, lane += VL_float)
        store_float(s + i, choose_float(lane < last, load_float(s + i) * scale, never));
    if (a->mask)
        for (int64_t i = 0, at = b * stride[0] + head * stride[1] + t * stride[2] + first * stride[3]; i < seen; i++)
            s[i] = masked(a, at + i * stride[3], s[i]);
}

/* A row of `kept`. Random numbers are those of UNIFORM (B, H, T, S). */
static void draw(const tile_heads *h, int64_t b, int64_t head, int64_t t, int64_t first, int64_t n)
{
    const cpu_attention *a = h->a;
    accel_tile_run run = { .seed = a->seed, .step = a->step, .stream = a->stream };
    uint32_t words[KEYS + 8];
    int64_t start = ((b * a->H + head) * a->queries + t) * a->keys + first, ahead = start % 4;
    TILE(philox)(words, &run, a->id, start - ahead, n + ahead);
    for (int64_t i = 0; i < n; i++)
        h->kept[i] = lth_philox_uniform(words[ahead + i]) >= a->p ? (float)(1 / (1 - a->p)) : 0;
}

/* ---- There ---- */

typedef struct row_state {
    float max, sum;
} row_state;

static float greatest(vec_float x)
{
    float best = x[0];
    for (int i = 1; i < VL_float; i++)
        best = x[i] > best || x[i] != x[i] ? x[i] : best;
    return best;
}

static float total(vec_float x)
{
    float sum = 0;
    for (int i = 0; i < VL_float; i++)
        sum += x[i];
    return sum;
}

/* Row i's scores become exp(score - max), rounded, as rows of the next product; returns by what is older is multiplied. */
static float exponentiate(const tile_heads *h, row_state *r, float *s, int64_t panels, int64_t i)
{
    vec_float max = splat_float(r->max), sum = { 0 };
    for (int64_t c = 0; c < panels * SIDE; c += VL_float)
        max = VECTOR_MAX_F32(load_float(s + c), max);
    float now = greatest(max), shift = now == -INFINITY ? 0 : now, older = exp_vector_float(splat_float(r->max - shift))[0];
    for (int64_t c = 0; c < panels * SIDE; c += VL_float) {
        vec_float e = exp_vector_float(load_float(s + c) - shift);
        sum += e;
        store_float(s + c, h->a->dropout ? e * load_float(h->kept + c) : e);
    }
    for (int64_t j = 0; j < panels; j++)
        narrow(h->p + j * STEP + i * SIDE, s + j * SIDE, SIDE);
    *r = (row_state) { now, r->sum * older + total(sum) };
    return older;
}

static void scale_row(float *x, int64_t n, float by) { LOOP for (int64_t i = 0; i < n; i++) x[i] *= by; }

static void give_block(const tile_heads *h, const row_state *r, int64_t b, int64_t head, int64_t t, int64_t rows)
{
    const cpu_attention *a = h->a;
    float *l = (float *)a->l + (b * a->H + head) * a->queries + t;
    for (int64_t i = 0; i < rows; i++) {
        float *y = h->y + i * h->E;
        l[i] = r[i].sum == 0 ? -INFINITY : tile_log_f32(r[i].sum) + r[i].max;
        scale_row(y, h->E, r[i].sum == 0 ? 0 : 1 / r[i].sum);
        for (int64_t c = 0; c < a->E; c += SIDE)
            narrow(head_row(&a->y, b, head, t + i) + c, y + c, least(a->E - c, SIDE));
    }
}

/* Queries t..t + SIDE - 1 of a head. */
static void attend(const tile_heads *h, int64_t b, int64_t head, int64_t t)
{
    const cpu_attention *a = h->a;
    const int64_t rows = least(a->queries - t, SIDE), seen = seen_by(a, t + rows - 1), depth = h->D / SIDE;
    row_state r[SIDE];
    for (int64_t i = 0; i < SIDE; i++)
        r[i] = (row_state) { -INFINITY, 0 };
    memset(h->y, 0, (size_t)(SIDE * h->E) * sizeof *h->y);
    memset(h->p, 0, (size_t)(SIDE * KEYS) * sizeof *h->p);
    pack_block(h->q, head_row(&a->q, b, head, t), a->q.row, rows, a->D);
    for (int64_t first = 0; first < seen; first += KEYS) {
        int64_t panels = whole(least(seen - first, KEYS), SIDE), before = first / SIDE;
        for (int64_t j = 0; j < panels; j++)
            multiply(h->q, h->k_across + (before + j) * SIDE * h->D, depth, NULL, 0, h->scores + j * SIDE, KEYS);
        for (int64_t i = 0; i < rows; i++) {
            hide(a, b, head, t + i, first, panels, h->scores + i * KEYS);
            if (a->dropout)
                draw(h, b, head, t + i, first, panels * SIDE);
            float older = exponentiate(h, &r[i], h->scores + i * KEYS, panels, i);
            if (first)
                scale_row(h->y + i * h->E, h->E, older);
        }
        for (int64_t c = 0; c < h->E; c += SIDE)
            multiply(h->p, h->v_along + c * h->keys + before * STEP, panels, h->y + c, h->E, h->y + c, h->E);
    }
    give_block(h, r, b, head, t, rows);
}

/* Blocks first..last-1 of CPU_ATTENTION_BLOCK queries each, head by head. */
static void attention(const cpu_attention *a, int64_t first, int64_t last, void *room)
{
    tile_heads h;
    tile_file former;
    int64_t blocks = whole(a->queries, CPU_ATTENTION_BLOCK), entered = -1;
    carve_heads(&h, a, room, false);
    tiles_begin(&former);
    for (int64_t i = first; i < last; i++) {
        int64_t head = i / blocks % a->H, b = i / blocks / a->H, g = head / (a->H / a->G), t = i % blocks * CPU_ATTENTION_BLOCK;
        if (entered != b * a->G + g)
            enter_group(&h, b, g, false);
        entered = b * a->G + g;
        for (int64_t end = least(t + CPU_ATTENTION_BLOCK, a->queries); t < end; t += SIDE)
            attend(&h, b, head, t);
    }
    tiles_end(&former);
}

/* ---- And back ---- */

/* Log-sum-exp of a query, inf where it sees nothing so that its probabilities are 0, and sum(dy y). */
typedef struct row_numbers {
    float l, inner;
} row_numbers;

static row_numbers numbers_of(const cpu_attention *a, int64_t b, int64_t head, int64_t t)
{
    float l = ((const float *)a->l)[(b * a->H + head) * a->queries + t], inner = 0;
    const uint16_t *y = head_row(&a->y, b, head, t), *d = head_row(&a->d_y, b, head, t);
    for (int64_t i = 0; i < a->E; i++)
        inner += tile_of_bf16(y[i]) * tile_of_bf16(d[i]);
    return (row_numbers) { l == -INFINITY ? INFINITY : l, inner };
}

/* A row's scores become probabilities, and d, the probabilities' gradient, the scores'. */
static void differentiate(const tile_heads *h, row_numbers r, float *s, float *d)
{
    for (int64_t c = 0; c < SIDE; c += VL_float) {
        vec_float e = exp_vector_float(load_float(s + c) - r.l), x = load_float(d + c), kept = e;
        if (h->a->dropout) {
            kept = e * load_float(h->kept + c);
            x *= load_float(h->kept + c);
        }
        store_float(s + c, kept);
        store_float(d + c, e * (x - r.inner));
    }
}

/* Block r of queries by panel j of keys: probabilities and the scores' gradients, as operands of what follows. */
static void go_back(const tile_heads *h, int64_t b, int64_t head, int64_t t, int64_t r, int64_t j, const row_numbers *numbers)
{
    const cpu_attention *a = h->a;
    const int64_t rows = least(a->queries - t, SIDE);
    uint16_t *d_s = h->d_s + (r * SEEN + j % SEEN) * STEP;
    multiply(h->q + r * SIDE * h->D, h->k_across + j * SIDE * h->D, h->D / SIDE, NULL, 0, h->scores, SIDE);
    multiply(h->d_y + r * SIDE * h->E, h->v_across + j * SIDE * h->E, h->E / SIDE, NULL, 0, h->d_scores, SIDE);
    for (int64_t i = 0; i < SIDE; i++) {
        float *s = h->scores + i * SIDE, *d = h->d_scores + i * SIDE;
        if (i < rows) {
            hide(a, b, head, t + i, j * SIDE, 1, s);
            if (a->dropout)
                draw(h, b, head, t + i, j * SIDE, SIDE);
            differentiate(h, numbers[i], s, d);
        } else {
            memset(s, 0, SIDE * sizeof *s);
            memset(d, 0, SIDE * sizeof *d);
        }
        narrow(h->p_rows + i * SIDE, s, SIDE);
        narrow(d_s + i * SIDE, d, SIDE);
    }
    pack_rows(h->turned_p + r * STEP, h->p_rows, 1, SIDE, SIDE, SIDE);
    pack_rows(h->turned_d_s + r * STEP, d_s, 1, SIDE, SIDE, SIDE);
}

/* x (SIDE rows of whole panels) += a's rows times columns of `steps` steps, of which `used` are used. */
static void add_product(float *x, int64_t width, const uint16_t *a, const uint16_t *columns, int64_t steps, int64_t used)
{
    for (int64_t c = 0; c < width; c += SIDE)
        multiply(a, columns + c / SIDE * steps * STEP, used, x + c, width, x + c, width);
}

/* Rows of a head from what is (rows, whole panels), times scale. */
static void give_rows(const cpu_heads *x, int64_t b, int64_t head, int64_t t, int64_t rows, int64_t channels, float *from,
                      int64_t width, float scale)
{
    for (int64_t i = 0; i < rows; i++, from += width) {
        scale_row(from, width, scale);
        for (int64_t c = 0; c < channels; c += SIDE)
            narrow(head_row(x, b, head, t + i) + c, from + c, least(channels - c, SIDE));
    }
}

/* Queries t.. of a head, BLOCKS blocks of them. */
static void attend_back(const tile_heads *h, int64_t b, int64_t head, int64_t t)
{
    const cpu_attention *a = h->a;
    const int64_t rows = least(a->queries - t, BLOCKS * SIDE), blocks = whole(rows, SIDE), seen = seen_by(a, t + rows - 1),
                  panels = whole(seen, SIDE), keys = h->keys / SIDE;
    const uint16_t *q = head_row(&a->q, b, head, t), *d_y = head_row(&a->d_y, b, head, t);
    row_numbers numbers[BLOCKS * SIDE];
    for (int64_t i = 0; i < rows; i++)
        numbers[i] = numbers_of(a, b, head, t + i);
    for (int64_t r = 0; r < blocks; r++) {
        pack_block(h->q + r * SIDE * h->D, q + r * SIDE * a->q.row, a->q.row, rows - r * SIDE, a->D);
        pack_block(h->d_y + r * SIDE * h->E, d_y + r * SIDE * a->d_y.row, a->d_y.row, rows - r * SIDE, a->E);
    }
    pack_along(h->q_along, q, a->q.row, rows, BLOCKS, a->D);
    pack_along(h->d_y_along, d_y, a->d_y.row, rows, BLOCKS, a->E);
    memset(h->d_q, 0, (size_t)(BLOCKS * SIDE * h->D) * sizeof *h->d_q);
    for (int64_t j = 0; j < panels; j++) {
        for (int64_t r = 0; r < blocks; r++)
            go_back(h, b, head, t + r * SIDE, r, j, numbers + r * SIDE);
        add_product(h->d_v + j * SIDE * h->E, h->E, h->turned_p, h->d_y_along, BLOCKS, blocks);
        add_product(h->d_k + j * SIDE * h->D, h->D, h->turned_d_s, h->q_along, BLOCKS, blocks);
        int64_t first = j / SEEN * SEEN;
        for (int64_t r = 0; r < blocks && (j + 1 == panels || j + 1 == first + SEEN); r++)
            add_product(h->d_q + r * SIDE * h->D, h->D, h->d_s + r * SEEN * STEP, h->k_along + first * STEP, keys, j + 1 - first);
    }
    give_rows(&a->d_q, b, head, t, rows, a->D, h->d_q, h->D, (float)a->scale);
}

/* Groups first..last-1 of all sequences. */
static void attention_grad(const cpu_attention *a, int64_t first, int64_t last, void *room)
{
    tile_heads h;
    tile_file former;
    int64_t heads = a->H / a->G;
    carve_heads(&h, a, room, true);
    tiles_begin(&former);
    for (int64_t i = first; i < last; i++) {
        int64_t b = i / a->G, g = i % a->G;
        enter_group(&h, b, g, true);
        memset(h.d_k, 0, (size_t)(h.keys * h.D) * sizeof *h.d_k);
        memset(h.d_v, 0, (size_t)(h.keys * h.E) * sizeof *h.d_v);
        for (int64_t head = g * heads; head < (g + 1) * heads; head++)
            for (int64_t t = 0; t < a->queries; t += BLOCKS * SIDE)
                attend_back(&h, b, head, t);
        give_rows(&a->d_k, b, g, 0, a->keys, a->D, h.d_k, h.D, (float)a->scale);
        give_rows(&a->d_v, b, g, 0, a->keys, a->E, h.d_v, h.E, 1);
    }
    tiles_end(&former);
}
