/* SPDX-License-Identifier: Apache-2.0 */
#include "last_conv.h"

#include "conv_geometry.h"
#include "conv_weights.h"
#include "image_kernels.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a unit: enough that weights, which each unit reads, are read seldom; few enough for the second cache. A weight
 * gradient, which each unit adds to, wants more. */
enum { UNIT = 96, UNIT_OF_WEIGHTS = 512 };

struct last_conv {
    uint32_t op;
    int32_t threads;
    conv_geometry geometry;
    int64_t C, K, kernel, width; /* kernel: its places; width: of a row of weights or of their gradient, in whole panels */
    int64_t weights, scratch;    /* bytes: of packed weights, or of their gradient; of a thread's scratch after them */
};

static int64_t panels_width(int64_t columns)
{
    int64_t lanes = cpu_image_kernels()->conv_lanes, rest = columns % lanes;
    return columns - rest + (rest == 0 ? 0 : rest > lanes / 2 ? lanes : lanes / 2);
}

bool last_conv_takes(const plain_conv *v)
{
    const double most = 1 << 28; /* elements between two of a unit */
    bool flat = v->in[0] == 1 && v->out[0] == 1 && v->kernel[0] == 1 && v->low[0] == 0 && v->high[0] == 0;
    if (!flat || v->groups != 1 || !v->N || !v->C || !v->K || !plain_volume(v->in) || !plain_volume(v->out))
        return false;
    double x = (double)v->C, y = (double)v->K;
    for (int i = 1; i < PLAIN_SPATIAL; i++) {
        double reach = (double)v->kernel[i] * (double)v->dilation[i];
        x *= (double)(v->in[i] + v->low[i] + v->high[i]) + reach;
        y *= (double)v->out[i] + reach;
        if (v->stride[i] > 64)
            return false;
    }
    return x < most && y < most;
}

lth_status last_conv_new(uint32_t op, const plain_conv *v, int32_t threads, last_conv **out)
{
    last_conv *c = *out = calloc(1, sizeof *c);
    if (!c)
        return LTH_NO_MEMORY;
    bool turned = op == LTH_OP_CONV_DATA_GRAD, sums = op == LTH_OP_CONV_WEIGHT_GRAD;
    c->op = op;
    c->threads = threads;
    c->C = v->C;
    c->K = v->K;
    c->kernel = plain_volume(v->kernel);
    conv_geometry *g = &c->geometry;
    int64_t unit = sums ? UNIT_OF_WEIGHTS : UNIT * (turned ? v->stride[1] * v->stride[2] : 1);
    if (conv_geometry_make(g, v, turned, 1, unit)) {
        last_conv_free(c);
        *out = NULL;
        return LTH_NO_MEMORY;
    }
    c->width = panels_width(g->columns);
    int64_t depth = c->kernel * g->channels, pixels = g->images * g->band * g->axis[1].result, offset = 0;
    for (int32_t i = 0; i < g->class_count; i++) {
        g->classes[i].weight = offset;
        offset += g->classes[i].taps * g->channels * c->width;
    }
    c->weights = accel_align(depth * c->width * (int64_t)sizeof(float));
    c->scratch = accel_align((conv_scratch(g) + (sums ? pixels * (c->width + CONV_TILE_ROWS) : 0)) * (int64_t)sizeof(float));
    return LTH_OK;
}

void last_conv_free(last_conv *c)
{
    if (!c)
        return;
    conv_geometry_free(&c->geometry);
    free(c);
}

int64_t last_conv_workspace(const last_conv *c) { return c->weights + c->threads * c->scratch; }

void last_conv_text(const last_conv *c, char *text, size_t size)
{
    const conv_geometry *g = &c->geometry;
    snprintf(text, size, "channels last, %lld x %lld pixels%s", (long long)g->units,
             (long long)(g->images * g->band * g->axis[1].result), g->direct ? "" : ", padded");
}

/* ---- Weights ---- */

typedef struct last_call {
    const last_conv *c;
    const float *first, *second;
    float *result;
    char *workspace;
} last_call;

static void pack(void *context, int32_t thread, int32_t threads)
{
    const last_call *call = context;
    const last_conv *c = call->c;
    const conv_geometry *g = &c->geometry;
    int64_t lanes = cpu_image_kernels()->conv_lanes, first, last;
    conv_weight w = { call->second, c->C, c->kernel, c->op == LTH_OP_CONV_DATA_GRAD };
    pool_share(g->columns, lanes, thread, threads, &first, &last);
    for (int32_t i = 0; i < g->class_count; i++) {
        const conv_class *k = &g->classes[i];
        float *class = (float *)call->workspace + k->weight;
        for (int64_t column = first; column < last; column += lanes) {
            int64_t columns = g->columns - column < lanes ? g->columns - column : lanes,
                    width = columns > lanes / 2 ? lanes : lanes / 2;
            for (int64_t row = 0; row < g->channels; row += CONV_WEIGHT_BLOCK)
                conv_weight_block(&w, k->tap, k->taps, row,
                                  g->channels - row < CONV_WEIGHT_BLOCK ? g->channels - row : CONV_WEIGHT_BLOCK, column, columns,
                                  class + column * k->taps * g->channels + row * width, width, g->channels * width);
        }
    }
}

/* ---- Convolution and data gradient ---- */

static float *scratch_of(const last_call *call, int32_t thread)
{
    return (float *)(call->workspace + call->c->weights + thread * call->c->scratch);
}

static void convolve(void *context, int32_t thread, int32_t threads)
{
    const last_call *call = context;
    const conv_geometry *g = &call->c->geometry;
    int64_t first, last, row = g->axis[1].result * g->columns;
    pool_share(g->units, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        conv_unit u = conv_unit_at(g, i);
        const float *source = conv_unit_source(g, &u, call->first, scratch_of(call, thread));
        float *result = call->result + (u.image * g->axis[0].result + u.row) * row;
        for (int32_t j = 0; j < g->class_count; j++) {
            const conv_class *k = &g->classes[j];
            cpu_image_kernels()->conv_rows(&(cpu_conv_rows) { source, (float *)call->workspace + k->weight, k->from, k->to,
                                                              k->run, result, conv_unit_pixels(g, k, &u), k->length, g->columns,
                                                              k->runs });
        }
    }
}

/* ---- Weight gradient ---- */

/* The gradient of a unit's pixels in panels. */
static void pack_gradient(const conv_geometry *g, const float *d, int64_t pixels, float *to)
{
    int64_t lanes = cpu_image_kernels()->conv_lanes;
    for (int64_t column = 0; column < g->columns; column += lanes) {
        int64_t columns = g->columns - column < lanes ? g->columns - column : lanes,
                width = columns > lanes / 2 ? lanes : lanes / 2;
        for (int64_t p = 0; p < pixels; p++, to += width) {
            memcpy(to, d + p * g->columns + column, (size_t)columns * sizeof *to);
            memset(to + columns, 0, (size_t)(width - columns) * sizeof *to);
        }
    }
}

/* Rows of the gradient (tap, channel) shared out among the threads, each of which goes through all images. */
static void sum(void *context, int32_t thread, int32_t threads)
{
    const last_call *call = context;
    const last_conv *c = call->c;
    const conv_geometry *g = &c->geometry;
    const conv_class *k = g->classes;
    int64_t first, last, row = g->axis[1].result * g->columns, most = g->images * g->band * g->axis[1].result;
    float *part = scratch_of(call, thread), *gradient = part + conv_scratch(g), *block = gradient + most * c->width;
    pool_share(k->runs * k->length, CONV_TILE_ROWS, thread, threads, &first, &last);
    for (int64_t i = 0; i < g->units && first < last; i++) {
        conv_unit u = conv_unit_at(g, i);
        int64_t pixels = u.images * u.rows * g->axis[1].result;
        const float *source = conv_unit_source(g, &u, call->first, part);
        pack_gradient(g, call->second + (u.image * g->axis[0].result + u.row) * row, pixels, gradient);
        cpu_image_kernels()->conv_sums(&(cpu_conv_sums) { source, gradient, k->from, k->run, (float *)call->workspace, block,
                                                          pixels, k->length, g->columns, c->width, first, last, i > 0 });
    }
}

/* Back to (K, C, kernel...): each thread some of K. */
static void unpack(void *context, int32_t thread, int32_t threads)
{
    const last_call *call = context;
    const last_conv *c = call->c;
    const float *from = (const float *)call->workspace;
    const int32_t *tap = c->geometry.classes->tap;
    int64_t first, last;
    pool_share(c->K, CONV_WEIGHT_BLOCK, thread, threads, &first, &last);
    for (int64_t column = first; column < last; column += CONV_WEIGHT_BLOCK)
        for (int64_t channel = 0; channel < c->C; channel++)
            for (int64_t k = column; k < column + CONV_WEIGHT_BLOCK && k < last; k++)
                for (int64_t t = 0; t < c->kernel; t++)
                    call->result[(k * c->C + channel) * c->kernel + tap[t]] = from[(t * c->C + channel) * c->width + k];
}

void last_conv_run(const last_conv *c, const float *first, const float *second, float *result, void *workspace)
{
    last_call call = { c, first, second, result, workspace };
    bool sums = c->op == LTH_OP_CONV_WEIGHT_GRAD;
    pool_run(c->threads, sums ? sum : pack, &call);
    pool_run(c->threads, sums ? unpack : convolve, &call);
}
