/* SPDX-License-Identifier: Apache-2.0 */
#include "half_conv.h"

#include "conv_geometry.h"
#include "half_kernels.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a unit: as last_conv.c's, of half the bytes; a matrix unit wants weights less often, since it is soon done with them.
 */
enum { UNIT = 128, UNIT_OF_TILES = 256, UNIT_OF_WEIGHTS = 256, UNIT_OF_MANY_WEIGHTS = 512, MANY = 1 << 15 };

struct half_conv {
    const cpu_half_kernel_table *kernels;
    uint32_t op;
    bool narrow;
    int32_t threads;
    conv_geometry geometry;
    int64_t C, K, kernel;                 /* kernel: its places */
    int64_t pairs;                        /* of pixels in a unit */
    int64_t weights, part, rows, scratch; /* bytes: of packed weights, or of their gradient; of a thread's scratch after them: of
                                             its part of the source, and of the gradient's pairs; all of it */
};

bool half_conv_takes(uint32_t op, const plain_conv *v)
{
    (void)op;
    return cpu_half_conv_kernels(v->C, v->K) != NULL;
}

static void size_workspace(half_conv *c)
{
    const conv_geometry *g = &c->geometry;
    bool sums = c->op == LTH_OP_CONV_WEIGHT_GRAD;
    int64_t terms = c->kernel * c->C * c->K;
    int64_t pixels = g->images * g->band * g->axis[1].result, grain = c->kernels->pairs;
    c->pairs = ((pixels + 1) / 2 + grain - 1) / grain * grain;
    c->weights = accel_align(terms * (int64_t)(sums ? sizeof(float) : sizeof(uint16_t)));
    c->part = accel_align(conv_scratch(g) * (int64_t)sizeof(uint16_t));
    c->rows = sums ? accel_align(c->pairs * c->K * (int64_t)sizeof(uint32_t)) : 0;
    c->scratch =
        c->part + c->rows +
        accel_align(sums ? c->pairs * c->kernels->lanes * (int64_t)sizeof(uint32_t) : c->kernels->rows_room(pixels, g->columns));
}

lth_status half_conv_new(uint32_t op, const plain_conv *v, bool narrow, int32_t threads, half_conv **out)
{
    half_conv *c = *out = calloc(1, sizeof *c);
    if (!c)
        return LTH_NO_MEMORY;
    bool turned = op == LTH_OP_CONV_DATA_GRAD, sums = op == LTH_OP_CONV_WEIGHT_GRAD;
    *c = (half_conv) { .kernels = cpu_half_conv_kernels(v->C, v->K),
                       .op = op,
                       .narrow = narrow,
                       .threads = threads,
                       .C = v->C,
                       .K = v->K,
                       .kernel = plain_volume(v->kernel) };
    int64_t unit = !sums                ? (c->kernels->gemm ? UNIT_OF_TILES : UNIT) * (turned ? v->stride[1] * v->stride[2] : 1)
                   : v->C * v->K < MANY ? UNIT_OF_WEIGHTS
                                        : UNIT_OF_MANY_WEIGHTS;
    conv_geometry *g = &c->geometry;
    if (conv_geometry_make(g, v, turned, 1, unit)) {
        half_conv_free(c);
        *out = NULL;
        return LTH_NO_MEMORY;
    }
    int64_t offset = 0;
    for (int32_t i = 0; i < g->class_count; i++) {
        g->classes[i].weight = offset;
        offset += g->classes[i].taps * g->channels * g->columns;
    }
    size_workspace(c);
    return LTH_OK;
}

void half_conv_free(half_conv *c)
{
    if (!c)
        return;
    conv_geometry_free(&c->geometry);
    free(c);
}

int64_t half_conv_workspace(const half_conv *c) { return c->weights + c->threads * c->scratch; }

void half_conv_text(const half_conv *c, char *text, size_t size)
{
    const conv_geometry *g = &c->geometry;
    const int64_t pixels = g->images * g->band * g->axis[1].result;
    snprintf(text, size, "channels last, bf16%s, %lld x %lld pixels%s", c->kernels->gemm ? " tiles" : "", (long long)g->units,
             (long long)pixels, g->direct ? "" : ", padded");
}

typedef struct half_call {
    const half_conv *c;
    const uint16_t *first, *second;
    void *result;
    char *workspace;
} half_call;

static void *scratch_of(const half_call *call, int32_t thread)
{
    return call->workspace + call->c->weights + thread * call->c->scratch;
}

/* ---- Weights ---- */

enum { BLOCK_PAIRS = 8, BLOCK_TAPS = 9, BLOCK_LANES = 32 /* the most lanes of a panel */ };

/* Some pairs of rows of a panel's columns at some of a class's taps: to (tap, pair, column). By way of a block, since where taps
 * lie whole powers of two apart they would drive each other out of the first cache. */
static void pack_block(const half_call *call, const int32_t *tap, int32_t taps, int64_t pair, int64_t pairs, int64_t column,
                       int64_t width, uint32_t *to, int64_t step)
{
    const half_conv *c = call->c;
    bool turned = c->op == LTH_OP_CONV_DATA_GRAD;
    int64_t output = c->C * c->kernel, row_step = turned ? output : c->kernel, column_step = turned ? c->kernel : output;
    uint32_t block[BLOCK_TAPS][BLOCK_PAIRS * BLOCK_LANES];
    for (int64_t lane = 0; lane < width; lane++) {
        const uint16_t *x = call->second + 2 * pair * row_step + (column + lane) * column_step;
        for (int64_t i = 0; i < pairs; i++, x += 2 * row_step)
            for (int32_t t = 0; t < taps; t++)
                block[t][i * width + lane] = x[tap[t]] | (uint32_t)x[row_step + tap[t]] << 16;
    }
    for (int32_t t = 0; t < taps; t++)
        memcpy(to + t * step + pair * width, block[t], (size_t)(pairs * width) * sizeof *to);
}

static void pack_panel(const half_call *call, const conv_class *k, int64_t column, int64_t width, uint32_t *to)
{
    int64_t pairs = call->c->geometry.channels / 2, step = pairs * width;
    for (int32_t t = 0; t < k->taps; t += BLOCK_TAPS)
        for (int64_t i = 0; i < pairs; i += BLOCK_PAIRS)
            pack_block(call, k->tap + t, k->taps - t < BLOCK_TAPS ? k->taps - t : BLOCK_TAPS, i,
                       pairs - i < BLOCK_PAIRS ? pairs - i : BLOCK_PAIRS, column, width, to + t * step, step);
}

static void pack(void *context, int32_t thread, int32_t threads)
{
    const half_call *call = context;
    const conv_geometry *g = &call->c->geometry;
    int64_t lanes = call->c->kernels->lanes, first, last;
    pool_share(g->columns, lanes, thread, threads, &first, &last);
    for (int32_t i = 0; i < g->class_count; i++) {
        const conv_class *k = &g->classes[i];
        uint16_t *class = (uint16_t *)(void *)call->workspace + k->weight;
        for (int64_t column = first; column < last; column += lanes)
            pack_panel(call, k, column, last - column < lanes ? last - column : lanes,
                       (uint32_t *)(void *)(class + column * k->taps * g->channels));
    }
}

/* ---- Convolution and data gradient ---- */

static void convolve(void *context, int32_t thread, int32_t threads)
{
    const half_call *call = context;
    const half_conv *c = call->c;
    const conv_geometry *g = &c->geometry;
    int64_t first, last, row = g->axis[1].result * g->columns, size = c->narrow ? sizeof(uint16_t) : sizeof(float);
    char *scratch = scratch_of(call, thread);
    pool_share(g->units, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        conv_unit u = conv_unit_at(g, i);
        const uint16_t *source = conv_unit_half(g, &u, call->first, (uint16_t *)(void *)scratch);
        char *result = (char *)call->result + (u.image * g->axis[0].result + u.row) * row * size;
        for (int32_t j = 0; j < g->class_count; j++) {
            const conv_class *k = &g->classes[j];
            c->kernels->rows(&(cpu_half_rows) { source, (uint16_t *)(void *)call->workspace + k->weight, k->from, k->to, k->run,
                                                result, conv_unit_pixels(g, k, &u), k->length, g->columns, k->runs, c->narrow,
                                                scratch + c->part });
        }
    }
}

/* ---- Weight gradient ---- */

/* Panels of the gradient (K, tap, C), each of some channels at one tap, shared out among the threads, each of which goes through
 * all images. */
static void sum(void *context, int32_t thread, int32_t threads)
{
    const half_call *call = context;
    const half_conv *c = call->c;
    const conv_geometry *g = &c->geometry;
    const conv_class *k = g->classes;
    const cpu_half_kernel_table *kernels = c->kernels;
    int64_t first, last, row = g->axis[1].result * g->columns, lanes = kernels->lanes, panels = (c->C + lanes - 1) / lanes,
                         per_run = k->taps / k->runs;
    char *scratch = scratch_of(call, thread);
    uint32_t *rows = (uint32_t *)(void *)(scratch + c->part), *columns = (uint32_t *)(void *)(scratch + c->part + c->rows);
    float *total = (float *)(void *)call->workspace;
    pool_share(k->taps * panels, 1, thread, threads, &first, &last);
    for (int64_t i = 0; i < g->units && first < last; i++) {
        conv_unit u = conv_unit_at(g, i);
        int64_t pixels = u.images * u.rows * g->axis[1].result, grain = kernels->pairs,
                pairs = ((pixels + 1) / 2 + grain - 1) / grain * grain;
        const uint16_t *source = conv_unit_half(g, &u, call->first, (uint16_t *)(void *)scratch);
        kernels->turn(call->second + (u.image * g->axis[0].result + u.row) * row, pixels, c->K, rows);
        for (int64_t j = first; j < last; j++) {
            int64_t tap = j / panels, channel = j % panels * lanes, width = c->C - channel < lanes ? c->C - channel : lanes;
            const uint16_t *x = source + k->run[tap / per_run] + tap % per_run * c->C + channel;
            kernels->pair(x, k->from, pixels, width, columns);
            kernels->sums(&(cpu_half_sums) { rows, columns, total + tap * c->C + channel, c->K, pairs, c->kernel * c->C, i > 0,
                                             width == lanes });
        }
    }
}

/* Back to (K, C, kernel...): each thread some of K. */
static void unpack(void *context, int32_t thread, int32_t threads)
{
    const half_call *call = context;
    const half_conv *c = call->c;
    const int32_t *tap = c->geometry.classes->tap;
    int64_t first, last, each = c->kernel * c->C;
    pool_share(c->K, 1, thread, threads, &first, &last);
    for (int64_t k = first; k < last; k++) {
        const float *from = (const float *)(void *)call->workspace + k * each;
        float *to = (float *)call->result + k * each;
        for (int64_t channel = 0; channel < c->C; channel++, to += c->kernel)
            for (int64_t t = 0; t < c->kernel; t++)
                to[tap[t]] = from[t * c->C + channel];
    }
}

void half_conv_run(const half_conv *c, const uint16_t *first, const uint16_t *second, void *result, void *workspace)
{
    half_call call = { c, first, second, result, workspace };
    bool sums = c->op == LTH_OP_CONV_WEIGHT_GRAD;
    pool_run(c->threads, sums ? sum : pack, &call);
    pool_run(c->threads, sums ? unpack : convolve, &call);
}
