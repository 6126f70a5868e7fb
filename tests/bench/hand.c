/* SPDX-License-Identifier: Apache-2.0 */
#include "hand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer {
    int64_t in, out;
    float *w, *b;   /* (out, in), (out) */
    float *dw, *db; /* after each other in memory, as w and b are */
    float *y, *dy;  /* (batch, out) */
} layer;

struct hand {
    int64_t batch, parameters, steps;
    float *memory, *p, *d, *m, *v;
    layer layers[HAND_LAYERS];
};

hand *hand_new(int64_t batch, const int64_t widths[HAND_LAYERS + 1])
{
    hand *h = calloc(1, sizeof *h);
    int64_t results = 0;
    if (!h)
        return NULL;
    h->batch = batch;
    for (int i = 0; i < HAND_LAYERS; i++) {
        h->parameters += widths[i + 1] * (widths[i] + 1);
        results += batch * widths[i + 1];
    }
    float *at = h->memory = calloc((size_t)(4 * h->parameters + 2 * results), sizeof *at);
    if (!at) {
        free(h);
        return NULL;
    }
    h->p = at;
    h->d = at + h->parameters;
    h->m = at + 2 * h->parameters;
    h->v = at + 3 * h->parameters;
    float *p = h->p, *d = h->d, *y = at + 4 * h->parameters;
    for (int i = 0; i < HAND_LAYERS; i++) {
        layer *l = &h->layers[i];
        int64_t weights = widths[i] * widths[i + 1];
        *l = (layer) { widths[i], widths[i + 1], p, p + weights, d, d + weights, y, y + results };
        p += weights + l->out;
        d += weights + l->out;
        y += batch * l->out;
    }
    for (int64_t i = 0; i < h->parameters; i++)
        h->p[i] = 0.2f * ((float)(i * 7919 % 1000) / 1000 - 0.5f);
    return h;
}

void hand_free(hand *h)
{
    free(h->memory);
    free(h);
}

/* y = relu(x w' + b), but no relu in the last layer. */
static void forward(const layer *l, const float *x, int64_t batch, int last)
{
    for (int64_t n = 0; n < batch; n++)
        for (int64_t o = 0; o < l->out; o++) {
            float sum = l->b[o], lane[8] = { 0 };
            int64_t i = 0;
            for (; i + 8 <= l->in; i += 8)
                for (int k = 0; k < 8; k++)
                    lane[k] += x[n * l->in + i + k] * l->w[o * l->in + i + k];
            for (; i < l->in; i++)
                sum += x[n * l->in + i] * l->w[o * l->in + i];
            for (int k = 0; k < 8; k++)
                sum += lane[k];
            l->y[n * l->out + o] = last || sum > 0 ? sum : 0;
        }
}

/* The mean loss; dy of the last layer. */
static float loss_of(const layer *l, const int64_t *y, int64_t batch)
{
    float loss = 0;
    for (int64_t n = 0; n < batch; n++) {
        const float *row = l->y + n * l->out;
        float most = row[0], sum = 0;
        for (int64_t o = 1; o < l->out; o++)
            most = row[o] > most ? row[o] : most;
        for (int64_t o = 0; o < l->out; o++)
            sum += expf(row[o] - most);
        for (int64_t o = 0; o < l->out; o++)
            l->dy[n * l->out + o] = (expf(row[o] - most) / sum - (o == y[n])) / (float)batch;
        loss += logf(sum) + most - row[y[n]];
    }
    return loss / (float)batch;
}

/* dw, db, and dx of the layer below, if there is one, through its relu. */
static void backward(const layer *l, const layer *below, const float *x, int64_t batch)
{
    memset(l->dw, 0, (size_t)(l->out * (l->in + 1)) * sizeof(float));
    if (below)
        memset(below->dy, 0, (size_t)(batch * l->in) * sizeof(float));
    for (int64_t n = 0; n < batch; n++)
        for (int64_t o = 0; o < l->out; o++) {
            float d = l->dy[n * l->out + o];
            l->db[o] += d;
            for (int64_t i = 0; i < l->in; i++)
                l->dw[o * l->in + i] += d * x[n * l->in + i];
            for (int64_t i = 0; below && i < l->in; i++)
                below->dy[n * l->in + i] += d * l->w[o * l->in + i];
        }
    for (int64_t i = 0; below && i < batch * l->in; i++)
        below->dy[i] = below->y[i] > 0 ? below->dy[i] : 0;
}

static void adam(hand *h)
{
    float c1 = 1 - powf(0.9f, (float)++h->steps), c2 = sqrtf(1 - powf(0.999f, (float)h->steps)), lr = 1e-3f / c1;
    for (int64_t i = 0; i < h->parameters; i++) {
        h->m[i] = 0.9f * h->m[i] + 0.1f * h->d[i];
        h->v[i] = 0.999f * h->v[i] + 0.001f * h->d[i] * h->d[i];
        h->p[i] -= lr * h->m[i] / (sqrtf(h->v[i]) / c2 + 1e-8f);
    }
}

float hand_step(hand *h, const float *x, const int64_t *y)
{
    for (int i = 0; i < HAND_LAYERS; i++)
        forward(&h->layers[i], i ? h->layers[i - 1].y : x, h->batch, i == HAND_LAYERS - 1);
    float loss = loss_of(&h->layers[HAND_LAYERS - 1], y, h->batch);
    for (int i = HAND_LAYERS - 1; i >= 0; i--)
        backward(&h->layers[i], i ? &h->layers[i - 1] : NULL, i ? h->layers[i - 1].y : x, h->batch);
    adam(h);
    return loss;
}
