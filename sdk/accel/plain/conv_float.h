/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): convolution and its gradients, each element summed in double. */

/* The sum over channels and kernel places of x's window at o and one output's weights. */
static double NAME(conv_at)(const plain_conv *v, const T *x, const T *w, const int64_t *o)
{
    double sum = 0;
    for (int64_t c = 0; c < v->C / v->groups; c++, x += plain_volume(v->in))
        for (int64_t a = 0; a < v->kernel[0]; a++)
            for (int64_t b = 0; b < v->kernel[1]; b++, w += v->kernel[2]) {
                int64_t i0 = o[0] * v->stride[0] - v->low[0] + a * v->dilation[0];
                int64_t i1 = o[1] * v->stride[1] - v->low[1] + b * v->dilation[1];
                if (i0 < 0 || i0 >= v->in[0] || i1 < 0 || i1 >= v->in[1])
                    continue;
                const T *row = x + (i0 * v->in[1] + i1) * v->in[2];
                int64_t i2 = o[2] * v->stride[2] - v->low[2];
                for (int64_t k = 0; k < v->kernel[2]; k++, i2 += v->dilation[2])
                    if (i2 >= 0 && i2 < v->in[2])
                        sum += (double)row[i2] * (double)w[k];
            }
    return sum;
}

static bool NAME(conv)(const plain_call *c)
{
    plain_conv v = plain_conv_of(c->graph, c->node);
    const T *x = c->in[0], *w = c->in[1];
    T *y = c->out[0];
    int64_t K = v.K / v.groups, C = v.C / v.groups, o[PLAIN_SPATIAL];
    for (int64_t n = 0; n < v.N; n++)
        for (int64_t k = 0; k < v.K; k++) {
            const T *image = x + (n * v.C + k / K * C) * plain_volume(v.in), *weight = w + k * C * plain_volume(v.kernel);
            for (o[0] = 0; o[0] < v.out[0]; o[0]++)
                for (o[1] = 0; o[1] < v.out[1]; o[1]++)
                    for (o[2] = 0; o[2] < v.out[2]; o[2]++)
                        *y++ = (T)NAME(conv_at)(&v, image, weight, o);
        }
    return true;
}

/* The sum over outputs k of one group and kernel places of the windows that x's element i lies in. w: of output 0 of the
 * group, at the channel. */
static double NAME(data_grad_at)(const plain_conv *v, const T *d, const T *w, const int64_t *i)
{
    double sum = 0;
    for (int64_t k = 0; k < v->K / v->groups; k++, d += plain_volume(v->out), w += v->C / v->groups * plain_volume(v->kernel))
        for (int64_t a = 0; a < v->kernel[0]; a++)
            for (int64_t b = 0; b < v->kernel[1]; b++) {
                int64_t o0 = plain_window(v, 0, i[0], a), o1 = plain_window(v, 1, i[1], b);
                if (o0 < 0 || o1 < 0)
                    continue;
                const T *row = d + (o0 * v->out[1] + o1) * v->out[2], *at = w + (a * v->kernel[1] + b) * v->kernel[2];
                for (int64_t c = 0; c < v->kernel[2]; c++) {
                    int64_t o2 = plain_window(v, 2, i[2], c);
                    if (o2 >= 0)
                        sum += (double)row[o2] * (double)at[c];
                }
            }
    return sum;
}

static bool NAME(conv_data_grad)(const plain_call *c)
{
    plain_conv v = plain_conv_of(c->graph, c->node);
    const T *d = c->in[0], *w = c->in[1];
    T *x = c->out[0];
    int64_t K = v.K / v.groups, C = v.C / v.groups, i[PLAIN_SPATIAL];
    for (int64_t n = 0; n < v.N; n++)
        for (int64_t channel = 0; channel < v.C; channel++) {
            int64_t first = channel / C * K; /* output of the group */
            const T *image = d + (n * v.K + first) * plain_volume(v.out);
            const T *weight = w + (first * C + channel % C) * plain_volume(v.kernel);
            for (i[0] = 0; i[0] < v.in[0]; i[0]++)
                for (i[1] = 0; i[1] < v.in[1]; i[1]++)
                    for (i[2] = 0; i[2] < v.in[2]; i[2]++)
                        *x++ = (T)NAME(data_grad_at)(&v, image, weight, i);
        }
    return true;
}

/* The sum over images and windows of x at kernel place k times d. x, d: of image 0, at the channel and the output. */
static double NAME(weight_grad_at)(const plain_conv *v, const T *x, const T *d, const int64_t *k)
{
    double sum = 0;
    for (int64_t n = 0; n < v->N; n++, x += v->C * plain_volume(v->in), d += v->K * plain_volume(v->out))
        for (int64_t a = 0; a < v->out[0]; a++)
            for (int64_t b = 0; b < v->out[1]; b++) {
                int64_t i0 = a * v->stride[0] - v->low[0] + k[0] * v->dilation[0];
                int64_t i1 = b * v->stride[1] - v->low[1] + k[1] * v->dilation[1];
                if (i0 < 0 || i0 >= v->in[0] || i1 < 0 || i1 >= v->in[1])
                    continue;
                const T *row = x + (i0 * v->in[1] + i1) * v->in[2], *at = d + (a * v->out[1] + b) * v->out[2];
                int64_t i2 = k[2] * v->dilation[2] - v->low[2];
                for (int64_t c = 0; c < v->out[2]; c++, i2 += v->stride[2])
                    if (i2 >= 0 && i2 < v->in[2])
                        sum += (double)row[i2] * (double)at[c];
            }
    return sum;
}

static bool NAME(conv_weight_grad)(const plain_call *c)
{
    plain_conv v = plain_conv_of(c->graph, c->node);
    const T *x = c->in[0], *d = c->in[1];
    T *w = c->out[0];
    int64_t K = v.K / v.groups, C = v.C / v.groups, at[PLAIN_SPATIAL];
    for (int64_t k = 0; k < v.K; k++)
        for (int64_t channel = 0; channel < C; channel++) {
            const T *image = x + (k / K * C + channel) * plain_volume(v.in), *windows = d + k * plain_volume(v.out);
            for (at[0] = 0; at[0] < v.kernel[0]; at[0]++)
                for (at[1] = 0; at[1] < v.kernel[1]; at[1]++)
                    for (at[2] = 0; at[2] < v.kernel[2]; at[2]++)
                        *w++ = (T)NAME(weight_grad_at)(&v, image, windows, at);
        }
    return true;
}
