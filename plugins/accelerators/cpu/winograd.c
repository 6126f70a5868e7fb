/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd.h"

#include "conv_geometry.h"
#include "conv_weights.h"
#include "image_kernels.h"
#include "pool.h"

#include <lthost/accel/plain/convert.h>
#include <lthost/accel/plan_memory.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 36, TILE = 4, LINE = 16 /* floats */, NARROW = 24, WIDE = 32 }; /* tiles of a unit: of few channels, of many */

struct winograd {
    uint32_t op;
    bool half; /* operands of bf16 */
    int32_t threads;
    conv_geometry source, gradient; /* gradient: of a weight gradient, in whole tiles */
    int64_t C, K, height, width;    /* of the result's images */
    int64_t across, tiles;          /* tiles in a row of an image; of a unit */
    /* Elements from one product to the next: of the source's numbers, of the result's (or gradient's), of the weights'. */
    int64_t apart_source, apart_result, apart_weights;
    /* Bytes of workspace: transformed weights, or their gradient; what the threads share: of a unit, or the weights as f32; a
     * thread's own. */
    int64_t weights, shared, scratch;
};

bool winograd_takes(uint32_t op, const plain_conv *v)
{
    int64_t vector = cpu_image_kernels()->conv_lanes / 2, tiles = 1;
    (void)op;
    for (int i = 1; i < PLAIN_SPATIAL; i++) {
        if (v->kernel[i] != 3 || v->stride[i] != 1 || v->dilation[i] != 1)
            return false;
        tiles *= (v->out[i] + TILE - 1) / TILE;
    }
    return v->C % vector == 0 && v->K % vector == 0 && v->C >= 16 && v->K >= 16 && v->C * v->K <= 1 << 17 && v->N * tiles >= 48;
}

/* So many elements, and some, so that 36 such pieces do not lie in the same sets of a cache: an odd number of its lines. */
static int64_t spaced(int64_t elements) { return (((elements + LINE - 1) / LINE) | 1) * LINE; }

static int64_t whole(int64_t length) { return (length + TILE - 1) / TILE * TILE; }

/* The same convolution with a result of whole tiles. */
static plain_conv in_tiles(const plain_conv *v, bool turned)
{
    plain_conv t = *v;
    for (int i = 1; i < PLAIN_SPATIAL; i++)
        if (turned)
            t.in[i] = whole(t.in[i]);
        else
            t.out[i] = whole(t.out[i]);
    return t;
}

/* Images as they are, but for what is missing in the last tiles. */
static plain_conv copied_in_tiles(const plain_conv *v)
{
    plain_conv t = { v->N,
                     v->K,
                     v->K,
                     1,
                     { 1, v->out[1], v->out[2] },
                     { 1, whole(v->out[1]), whole(v->out[2]) },
                     { 1, 1, 1 },
                     { 1, 1, 1 },
                     { 0 },
                     { 0 },
                     { 1, 1, 1 } };
    return t;
}

static void size_workspace(winograd *w, bool sums)
{
    w->apart_source = spaced(w->tiles * w->source.channels);
    w->apart_result = spaced(w->tiles * w->source.columns);
    w->apart_weights = spaced(w->C * w->K);
    int64_t f = sizeof(float), V = POINTS * w->apart_source * f, M = POINTS * w->apart_result * f;
    w->weights = accel_align(POINTS * w->apart_weights * f);
    w->shared = sums ? accel_align(V) + accel_align(M) : w->half ? accel_align(9 * w->C * w->K * f) : 0;
    w->scratch = accel_align(conv_scratch(&w->source) * f) + accel_align(conv_scratch(&w->gradient) * f) +
                 (sums ? 0 : accel_align(V) + accel_align(M));
    int64_t packed = accel_align(9 * CONV_WEIGHT_BLOCK * cpu_image_kernels()->conv_lanes * f);
    w->scratch = w->scratch > packed ? w->scratch : packed;
}

lth_status winograd_new(uint32_t op, const plain_conv *v, bool half, int32_t threads, winograd **out)
{
    bool turned = op == LTH_OP_CONV_DATA_GRAD, sums = op == LTH_OP_CONV_WEIGHT_GRAD;
    winograd *w = *out = calloc(1, sizeof *w);
    if (!w)
        return LTH_NO_MEMORY;
    bool few = v->C + v->K <= 128;
    int64_t tiles = sums ? (few ? 4 : 2) * WIDE : few ? NARROW : WIDE;
    plain_conv t = in_tiles(v, turned), copied = copied_in_tiles(v);
    *w = (winograd) { .op = op, .half = half, .threads = threads, .C = v->C, .K = v->K };
    w->height = turned ? v->in[1] : v->out[1];
    w->width = turned ? v->in[2] : v->out[2];
    w->across = (w->width + TILE - 1) / TILE;
    lth_status (*make)(conv_geometry *, const plain_conv *, bool, int64_t, int64_t) =
        half ? conv_geometry_make_wide : conv_geometry_make;
    lth_status status = make(&w->source, &t, turned, TILE, tiles * TILE * TILE);
    if (!status && sums)
        status = make(&w->gradient, &copied, false, TILE, tiles * TILE * TILE);
    w->tiles = w->source.images * w->source.band / TILE * w->across;
    if (status) {
        winograd_free(w);
        *out = NULL;
        return status;
    }
    size_workspace(w, sums);
    return LTH_OK;
}

void winograd_free(winograd *w)
{
    if (!w)
        return;
    conv_geometry_free(&w->source);
    conv_geometry_free(&w->gradient);
    free(w);
}

int64_t winograd_workspace(const winograd *w) { return w->weights + w->shared + w->threads * w->scratch; }

void winograd_text(const winograd *w, char *text, size_t size)
{
    snprintf(text, size, "channels last, winograd, %lld x %lld tiles", (long long)w->source.units, (long long)w->tiles);
}

/* ---- Running ---- */

typedef struct winograd_call {
    const winograd *w;
    const void *first, *second;
    float *result;
    float *weights, *source, *gradient; /* the last two: transformed, of a unit, where threads share them */
    char *scratch;
    int64_t unit;
} winograd_call;

static float *scratch_of(const winograd_call *call, int32_t thread)
{
    return (float *)(void *)(call->scratch + thread * call->w->scratch);
}

static float *after(float *x, int64_t elements) { return x + accel_align(elements * (int64_t)sizeof *x) / (int64_t)sizeof *x; }

/* Tile t of a unit: where it begins in images of that width and height. */
typedef struct tile_at {
    int64_t image, row, column;
} tile_at;

static tile_at tile_of(const winograd *w, const conv_unit *u, int64_t t)
{
    int64_t down = whole(u->rows) / TILE, row = t / w->across;
    return (tile_at) { row / down, row % down * TILE, t % w->across * TILE };
}

static int64_t tiles_of(const winograd *w, const conv_unit *u) { return u->images * whole(u->rows) / TILE * w->across; }

/* A unit as it is in the images themselves, whose last tiles are cut. */
static int64_t rows_there(const winograd *w, const conv_unit *u, const tile_at *t)
{
    int64_t rest = w->height - u->row - t->row;
    return rest < TILE ? rest : TILE;
}

static int64_t columns_there(const winograd *w, const tile_at *t)
{
    return w->width - t->column < TILE ? w->width - t->column : TILE;
}

/* Weights of bf16 as f32. */
static void widen_weights(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    int64_t first, last;
    pool_share(9 * call->w->C * call->w->K, LINE, thread, threads, &first, &last);
    plain_widen(LTH_BF16, (const uint16_t *)call->second + first, call->source + first, last - first);
}

/* Weights, a block of channels of a panel at a time: (point, channel, lane) in panels. */
static void transform_weights(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    const winograd *w = call->w;
    const conv_geometry *g = &w->source;
    int64_t lanes = cpu_image_kernels()->conv_lanes, vector = lanes / 2, first, last, step = w->apart_weights;
    float *packed = scratch_of(call, thread);
    conv_weight view = { w->half ? call->source : call->second, w->C, 9, w->op == LTH_OP_CONV_DATA_GRAD };
    pool_share(g->columns, lanes, thread, threads, &first, &last);
    for (int64_t column = first; column < last; column += lanes) {
        int64_t width = g->columns - column < lanes ? g->columns - column : lanes;
        for (int64_t row = 0; row < g->channels; row += CONV_WEIGHT_BLOCK) {
            int64_t rows = g->channels - row < CONV_WEIGHT_BLOCK ? g->channels - row : CONV_WEIGHT_BLOCK;
            conv_weight_block(&view, g->classes->tap, 9, row, rows, column, width, packed, width, rows * width);
            for (int64_t at = 0; at < rows * width; at += vector)
                cpu_image_kernels()->winograd_weight(packed + at, rows * width,
                                                     call->weights + column * g->channels + row * width + at, step);
        }
    }
}

/* (point, tile, channel); or by blocks of a vector of channels, (point, block, tile, channel). */
static void transform_source(const winograd *w, const conv_unit *u, const float *part, bool blocks, int64_t first, int64_t last,
                             float *to)
{
    int64_t vector = cpu_image_kernels()->conv_lanes / 2, tiles = tiles_of(w, u);
    const conv_geometry *g = &w->source;
    int64_t row = g->width * g->channels;
    for (int64_t t = first; t < last; t++) {
        tile_at at = tile_of(w, u, t);
        cpu_image_kernels()->winograd_source(part + at.image * g->image + at.row * row + at.column * g->channels, row,
                                             g->channels, g->channels, to + t * (blocks ? vector : g->channels), w->apart_source,
                                             blocks ? tiles * vector : vector);
    }
}

static void convolve(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    const winograd *w = call->w;
    const conv_geometry *g = &w->source;
    int64_t first, last, row = w->width * g->columns;
    float *copy = scratch_of(call, thread), *V = after(copy, conv_scratch(g)), *M = after(V, POINTS * w->apart_source);
    pool_share(g->units, 1, thread, threads, &first, &last);
    for (int64_t i = first; i < last; i++) {
        conv_unit u = conv_unit_at(g, i);
        int64_t tiles = tiles_of(w, &u);
        transform_source(w, &u, conv_unit_source(g, &u, call->first, copy), false, 0, tiles, V);
        for (int64_t p = 0; p < POINTS; p++)
            cpu_image_kernels()->winograd_rows(&(cpu_winograd_rows) { V + p * w->apart_source, call->weights + p * w->apart_weights,
                                                                      M + p * w->apart_result, tiles, g->channels, g->columns });
        for (int64_t t = 0; t < tiles; t++) {
            tile_at at = tile_of(w, &u, t);
            float *y = call->result + ((u.image + at.image) * w->height + u.row + at.row) * row + at.column * g->columns;
            cpu_image_kernels()->winograd_result(M + t * g->columns, w->apart_result, g->columns, y, row, g->columns,
                                                 rows_there(w, &u, &at), columns_there(w, &at));
        }
    }
}

/* ---- Weight gradient ---- */

/* The unit's gradient, in panels: (point, panel, tile, lane). */
static void transform_gradient(const winograd *w, const conv_unit *u, const float *part, int64_t first, int64_t last, float *to)
{
    const conv_geometry *g = &w->gradient;
    int64_t lanes = cpu_image_kernels()->conv_lanes, vector = lanes / 2, row = g->width * g->channels, tiles = tiles_of(w, u);
    for (int64_t t = first; t < last; t++) {
        tile_at at = tile_of(w, u, t);
        const float *d = part + at.image * g->image + at.row * row + at.column * g->channels;
        for (int64_t k = 0; k < w->K; k += vector) {
            int64_t panel = k / lanes * lanes, width = w->K - panel < lanes ? w->K - panel : lanes;
            cpu_image_kernels()->winograd_gradient(d + k, row, g->channels, to + panel * tiles + t * width + (k - panel),
                                                   w->apart_result);
        }
    }
}

static void transform_unit(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    const winograd *w = call->w;
    conv_unit u = conv_unit_at(&w->source, call->unit);
    int64_t first, last;
    float *copy = scratch_of(call, thread);
    pool_share(tiles_of(w, &u), 1, thread, threads, &first, &last);
    if (first == last)
        return;
    transform_source(w, &u, conv_unit_source(&w->source, &u, call->first, copy), true, first, last, call->source);
    copy = after(copy, conv_scratch(&w->source));
    transform_gradient(w, &u, conv_unit_source(&w->gradient, &u, call->second, copy), first, last, call->gradient);
}

static void add_unit(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    const winograd *w = call->w;
    conv_unit u = conv_unit_at(&w->source, call->unit);
    int64_t first, last, tiles = tiles_of(w, &u);
    pool_share(POINTS, 1, thread, threads, &first, &last);
    for (int64_t p = first; p < last; p++)
        cpu_image_kernels()->winograd_sums(&(cpu_winograd_sums) { call->source + p * w->apart_source,
                                                                  call->gradient + p * w->apart_result,
                                                                  call->weights + p * w->apart_weights, tiles, w->C, w->K,
                                                                  call->unit > 0 });
}

static void finish_weights(void *context, int32_t thread, int32_t threads)
{
    const winograd_call *call = context;
    const winograd *w = call->w;
    int64_t vector = cpu_image_kernels()->conv_lanes / 2, first, last;
    pool_share(w->K, vector, thread, threads, &first, &last);
    for (int64_t k = first; k < last; k += vector)
        for (int64_t c = 0; c < w->C; c++)
            cpu_image_kernels()->winograd_weight_result(call->weights + c * w->K + k, w->apart_weights,
                                                        call->result + (k * w->C + c) * 9, w->C * 9);
}

void winograd_run(const winograd *w, const void *first, const void *second, float *result, void *workspace)
{
    char *at = workspace;
    winograd_call call = { w, first, second, result, workspace, NULL, NULL, at + w->weights + w->shared, 0 };
    call.source = (float *)(void *)(at + w->weights);
    if (w->op != LTH_OP_CONV_WEIGHT_GRAD) {
        if (w->half)
            pool_run(w->threads, widen_weights, &call);
        pool_run(w->threads, transform_weights, &call);
        pool_run(w->threads, convolve, &call);
        return;
    }
    call.gradient = after(call.source, POINTS * w->apart_source);
    for (; call.unit < w->source.units; call.unit++) {
        pool_run(w->threads, transform_unit, &call);
        pool_run(w->threads, add_unit, &call);
    }
    pool_run(w->threads, finish_weights, &call);
}
