/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): resampling. The taps of the last axis are made once for a stretch of it, for all planes. */

/* Up to four rows of x that a row of the result is made of; rows of weight 0 are left out. */
typedef struct NAME(rows) {
    int64_t at[4];
    double weight[4];
    int count;
} NAME(rows);

static NAME(rows) NAME(rows_of)(const plain_resize *p, int64_t a, int64_t b)
{
    plain_tap s = plain_resize_tap(p, 0, a), t = plain_resize_tap(p, 1, b);
    NAME(rows) r = { { 0 }, { 0 }, 0 };
    for (int i = 0; i < 4; i++) {
        double weight = (i & 2 ? s.part : 1 - s.part) * (i & 1 ? t.part : 1 - t.part);
        if (weight == 0)
            continue;
        r.at[r.count] = ((i & 2 ? s.right : s.left) * p->in[1] + (i & 1 ? t.right : t.left)) * p->in[2];
        r.weight[r.count++] = weight;
    }
    return r;
}

/* Where a part is 0 the right neighbour is not looked at: it may be infinite. */
static void NAME(resize_row)(const NAME(rows) * r, const plain_tap *taps, const T *x, T *y, int64_t count)
{
    for (int64_t c = 0; c < count; c++) {
        double left = 0, right = 0, part = taps[c].part;
        for (int i = 0; i < r->count; i++) {
            const T *row = x + r->at[i];
            left += r->weight[i] * (double)row[taps[c].left];
            right += r->weight[i] * (double)row[taps[c].right];
        }
        y[c] = (T)(part == 0 ? left : (1 - part) * left + part * right);
    }
}

static void NAME(nearest_row)(const plain_tap *taps, const T *row, T *y, int64_t count)
{
    for (int64_t c = 0; c < count; c++)
        y[c] = row[taps[c].left];
}

static void NAME(spread_row)(const NAME(rows) * r, const plain_tap *taps, const T *d, T *x, int64_t count)
{
    for (int i = 0; i < r->count; i++) {
        T *row = x + r->at[i];
        for (int64_t c = 0; c < count; c++) {
            double all = r->weight[i] * (double)d[c], part = taps[c].part;
            row[taps[c].left] += (T)((1 - part) * all);
            if (part != 0)
                row[taps[c].right] += (T)(part * all);
        }
    }
}

void NAME(plain_resize)(const plain_resize *p, const T *x, T *y, int64_t planes)
{
    plain_tap taps[STRETCH];
    bool nearest = p->mode == LTH_RESIZE_NEAREST || p->mode == LTH_RESIZE_NEAREST_EXACT;
    for (int64_t first = 0; first < p->out[2]; first += STRETCH) {
        int64_t count = make_taps(p, first, taps);
        for (int64_t a = 0; a < p->out[0]; a++)
            for (int64_t b = 0; b < p->out[1]; b++) {
                NAME(rows) r = NAME(rows_of)(p, a, b);
                for (int64_t n = 0; n < planes; n++) {
                    const T *from = x + n * plain_volume(p->in);
                    T *to = y + n * plain_volume(p->out) + (a * p->out[1] + b) * p->out[2] + first;
                    if (nearest)
                        NAME(nearest_row)(taps, from + r.at[0], to, count);
                    else
                        NAME(resize_row)(&r, taps, from, to, count);
                }
            }
    }
}

void NAME(plain_resize_grad)(const plain_resize *p, const T *d, T *x, int64_t planes)
{
    plain_tap taps[STRETCH];
    for (int64_t i = 0; i < planes * plain_volume(p->in); i++)
        x[i] = 0;
    for (int64_t first = 0; first < p->out[2]; first += STRETCH) {
        int64_t count = make_taps(p, first, taps);
        for (int64_t a = 0; a < p->out[0]; a++)
            for (int64_t b = 0; b < p->out[1]; b++) {
                NAME(rows) r = NAME(rows_of)(p, a, b);
                for (int64_t n = 0; n < planes; n++)
                    NAME(spread_row)
                (&r, taps, d + n * plain_volume(p->out) + (a * p->out[1] + b) * p->out[2] + first, x + n * plain_volume(p->in),
                 count);
            }
    }
}

static bool NAME(resize)(const plain_call *c)
{
    plain_resize p = plain_resize_of(c->graph, c->node);
    NAME(plain_resize)(&p, c->in[0], c->out[0], p.planes);
    return true;
}

static bool NAME(resize_grad)(const plain_call *c)
{
    plain_resize p = plain_resize_of(c->graph, c->node);
    NAME(plain_resize_grad)(&p, c->in[0], c->out[0], p.planes);
    return true;
}
