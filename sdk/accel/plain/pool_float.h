/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): pools of planes (in...) one after the other. */

/* The greatest element of a window, the first of equals; NaN wins. Its place in the plane. */
static int64_t NAME(greatest)(const plain_pool *p, const plain_span *s, const T *x)
{
    int64_t best = -1;
    for (int64_t a = s[0].first; a < s[0].end; a += s[0].step)
        for (int64_t b = s[1].first; b < s[1].end; b += s[1].step)
            for (int64_t c = s[2].first, row = (a * p->in[1] + b) * p->in[2]; c < s[2].end; c += s[2].step)
                if (best < 0 || x[row + c] > x[best] || (IS_NAN(x[row + c]) && !IS_NAN(x[best])))
                    best = row + c;
    return best;
}

void NAME(plain_max_pool)(const plain_pool *p, const T *x, T *y, int64_t *index, int64_t planes)
{
    plain_span s[PLAIN_SPATIAL];
    for (; planes > 0; planes--, x += plain_volume(p->in))
        for (int64_t a = 0; a < p->out[0]; a++) {
            s[0] = plain_pool_span(p, 0, a);
            for (int64_t b = 0; b < p->out[1]; b++) {
                s[1] = plain_pool_span(p, 1, b);
                for (int64_t c = 0; c < p->out[2]; c++) {
                    s[2] = plain_pool_span(p, 2, c);
                    *index = NAME(greatest)(p, s, x);
                    *y++ = x[*index++];
                }
            }
        }
}

static T NAME(window_mean)(const plain_pool *p, const plain_span *s, const T *x, double count)
{
    double sum = 0;
    for (int64_t a = s[0].first; a < s[0].end; a += s[0].step)
        for (int64_t b = s[1].first; b < s[1].end; b += s[1].step)
            for (int64_t c = s[2].first, row = (a * p->in[1] + b) * p->in[2]; c < s[2].end; c += s[2].step)
                sum += (double)x[row + c];
    return (T)(sum / count);
}

void NAME(plain_avg_pool)(const plain_pool *p, const T *x, T *y, int64_t planes)
{
    plain_span s[PLAIN_SPATIAL];
    for (; planes > 0; planes--, x += plain_volume(p->in))
        for (int64_t a = 0; a < p->out[0]; a++) {
            s[0] = plain_pool_span(p, 0, a);
            for (int64_t b = 0; b < p->out[1]; b++) {
                s[1] = plain_pool_span(p, 1, b);
                for (int64_t c = 0; c < p->out[2]; c++) {
                    s[2] = plain_pool_span(p, 2, c);
                    *y++ = NAME(window_mean)(p, s, x, (double)(s[0].count * s[1].count * s[2].count));
                }
            }
        }
}

static void NAME(spread)(const plain_pool *p, const plain_span *s, T d, T *x)
{
    for (int64_t a = s[0].first; a < s[0].end; a += s[0].step)
        for (int64_t b = s[1].first; b < s[1].end; b += s[1].step)
            for (int64_t c = s[2].first, row = (a * p->in[1] + b) * p->in[2]; c < s[2].end; c += s[2].step)
                x[row + c] += d;
}

void NAME(plain_avg_pool_grad)(const plain_pool *p, const T *d, T *x, int64_t planes)
{
    plain_span s[PLAIN_SPATIAL];
    for (; planes > 0; planes--, x += plain_volume(p->in)) {
        for (int64_t i = 0; i < plain_volume(p->in); i++)
            x[i] = 0;
        for (int64_t a = 0; a < p->out[0]; a++) {
            s[0] = plain_pool_span(p, 0, a);
            for (int64_t b = 0; b < p->out[1]; b++) {
                s[1] = plain_pool_span(p, 1, b);
                for (int64_t c = 0; c < p->out[2]; c++) {
                    s[2] = plain_pool_span(p, 2, c);
                    NAME(spread)(p, s, (T)((double)*d++ / (double)(s[0].count * s[1].count * s[2].count)), x);
                }
            }
        }
    }
}

static bool NAME(max_pool)(const plain_call *c)
{
    plain_pool p = plain_pool_of(c->graph, c->node);
    NAME(plain_max_pool)(&p, c->in[0], c->out[0], c->out[1], p.planes);
    return true;
}

static bool NAME(avg_pool)(const plain_call *c)
{
    plain_pool p = plain_pool_of(c->graph, c->node);
    NAME(plain_avg_pool)(&p, c->in[0], c->out[0], p.planes);
    return true;
}

static bool NAME(avg_pool_grad)(const plain_call *c)
{
    plain_pool p = plain_pool_of(c->graph, c->node);
    NAME(plain_avg_pool_grad)(&p, c->in[0], c->out[0], p.planes);
    return true;
}
