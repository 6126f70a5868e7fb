/* SPDX-License-Identifier: Apache-2.0
 * CONV and its gradients in f32 with few channels, plane by plane: vectors are neighbours in a row, where channels would not
 * fill one. A data gradient is a convolution of the gradient with the weights turned round. Threads take images; a weight's
 * gradient is summed in GROUPS parts, which are joined in order, so that bits do not depend on the number of threads. */
#include "planar.h"

#include "channels_last.h"
#include "image_kernels.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHANNELS = 16, MOST_KERNEL = 11, MOST_ELEMENTS = 1 << 16, GROUPS = 16, IMAGES = 4 };

/* Of a result image (columns, height, width), made from terms of the padded source. */
typedef struct planar {
    plain_conv v;
    uint32_t op;
    int32_t strips, terms;
    int32_t *strip, *to, *lanes, *term; /* one piece of memory, to be freed by `strip` */
    int64_t channels, columns;          /* of the source, and of the result (weight's gradient: of y) */
    int64_t in[2], out[2], pad[2];      /* the source and the result, or y; rows and columns of zeros before the source */
    int64_t row, plane;                 /* elements of the padded source */
    int64_t weights, strip_elements;    /* packed weights; y as strips */
    int64_t thread_elements;
} planar;

bool planar_takes(const plain_conv *v)
{
    bool fits = v->groups == 1 && v->N > 0 && v->C > 0 && v->K > 0 && v->C <= MOST_CHANNELS && v->K <= MOST_CHANNELS &&
                v->in[0] == 1 && v->out[0] == 1 && v->kernel[0] == 1 && v->low[0] == 0 && v->high[0] == 0;
    for (int i = 1; i < PLAIN_SPATIAL; i++)
        fits = fits && v->stride[i] == 1 && v->dilation[i] == 1 && v->kernel[i] > 0 && v->kernel[i] <= MOST_KERNEL &&
               v->low[i] >= 0 && v->low[i] < v->kernel[i] && v->high[i] >= 0 && v->high[i] < v->kernel[i] && v->in[i] > 0 &&
               v->out[i] > 0 && v->in[i] < MOST_ELEMENTS && v->out[i] < MOST_ELEMENTS;
    return fits &&
           (v->in[1] + 2 * MOST_KERNEL) * (v->in[2] + 2 * MOST_KERNEL + 16) * (v->C > v->K ? v->C : v->K) <= MOST_ELEMENTS;
}

static bool make_tables(planar *p)
{
    const int64_t lanes = cpu_image_kernels()->conv_lanes / 2, across = (p->out[1] + lanes - 1) / lanes;
    const int64_t *kernel = p->v.kernel + 1;
    p->strips = (int32_t)(p->out[0] * across);
    p->terms = (int32_t)(p->channels * kernel[0] * kernel[1]);
    p->row = across * lanes + kernel[1] - 1;
    p->row = p->row < p->in[1] + p->pad[1] ? p->in[1] + p->pad[1] : p->row;
    p->plane = (p->out[0] + kernel[0] - 1) * p->row;
    p->strip = malloc((size_t)(3 * p->strips + p->terms) * sizeof *p->strip);
    if (!p->strip)
        return false;
    p->to = p->strip + p->strips;
    p->lanes = p->to + p->strips;
    p->term = p->lanes + p->strips;
    for (int32_t t = 0; t < p->strips; t++) {
        int64_t y = t / across, x = t % across * lanes;
        p->strip[t] = (int32_t)(y * p->row + x);
        p->to[t] = (int32_t)(y * p->out[1] + x);
        p->lanes[t] = (int32_t)(p->out[1] - x < lanes ? p->out[1] - x : lanes);
    }
    int32_t *term = p->term;
    for (int64_t c = 0; c < p->channels; c++)
        for (int64_t r = 0; r < kernel[0]; r++)
            for (int64_t s = 0; s < kernel[1]; s++)
                *term++ = (int32_t)(c * p->plane + r * p->row + s);
    return true;
}

static bool plan(planar *p, const lth_graph *g, const lth_node *n)
{
    bool is_conv = n->op >= LTH_OP_CONV && n->op <= LTH_OP_CONV_WEIGHT_GRAD && !(n->flags & CPU_CHANNELS_LAST);
    if (!is_conv || accel_node_dtype(g, n) != LTH_F32)
        return false;
    *p = (planar) { .v = plain_conv_of(g, n), .op = n->op };
    const plain_conv *v = &p->v;
    bool back = n->op == LTH_OP_CONV_DATA_GRAD;
    if (!planar_takes(v))
        return false;
    p->channels = back ? v->K : v->C;
    p->columns = back ? v->C : v->K;
    for (int i = 0; i < 2; i++) {
        p->in[i] = back ? v->out[i + 1] : v->in[i + 1];
        p->out[i] = back ? v->in[i + 1] : v->out[i + 1];
        p->pad[i] = back ? v->kernel[i + 1] - 1 - v->low[i + 1] : v->low[i + 1];
    }
    if (!make_tables(p))
        return false;
    const int64_t blocks = (p->columns + PLANAR_COLUMNS - 1) / PLANAR_COLUMNS,
                  images = n->op == LTH_OP_CONV_WEIGHT_GRAD ? IMAGES : 1;
    p->weights = blocks * PLANAR_COLUMNS * p->terms;
    p->strip_elements = blocks * PLANAR_COLUMNS * p->strips * cpu_image_kernels()->conv_lanes / 2;
    p->thread_elements = images * (p->channels * p->plane + (images > 1 ? p->strip_elements : 0)) + (images > 1 ? 0 : p->weights);
    p->thread_elements = accel_align(p->thread_elements * 4) / 4;
    return true;
}

/* ---- Copies ---- */

/* An image with its padding, which is zero already. */
static void copy_source(const planar *p, const float *x, float *to)
{
    for (int64_t c = 0; c < p->channels; c++)
        for (int64_t i = 0; i < p->in[0]; i++, x += p->in[1])
            memcpy(to + c * p->plane + (p->pad[0] + i) * p->row + p->pad[1], x, (size_t)p->in[1] * sizeof *x);
}

/* y as strips: (block of columns, strip, column, lane); what is no column or pixel is zero already. */
static void copy_strips(const planar *p, const float *y, float *to)
{
    const int64_t lanes = cpu_image_kernels()->conv_lanes / 2;
    for (int64_t k = 0; k < p->columns; k++, y += p->out[0] * p->out[1])
        for (int32_t t = 0; t < p->strips; t++)
            memcpy(to + ((k / PLANAR_COLUMNS * p->strips + t) * PLANAR_COLUMNS + k % PLANAR_COLUMNS) * lanes, y + p->to[t],
                   (size_t)p->lanes[t] * sizeof *y);
}

/* (block of columns, term, column) */
static void pack_weights(const planar *p, const float *w, float *to)
{
    const int64_t taps = p->v.kernel[1] * p->v.kernel[2];
    bool back = p->op == LTH_OP_CONV_DATA_GRAD;
    for (int64_t k = 0; k < p->columns; k++)
        for (int64_t c = 0; c < p->channels; c++)
            for (int64_t i = 0; i < taps; i++)
                to[(k / PLANAR_COLUMNS * p->terms + c * taps + i) * PLANAR_COLUMNS + k % PLANAR_COLUMNS] =
                    back ? w[(c * p->columns + k) * taps + taps - 1 - i] : w[(k * p->channels + c) * taps + i];
}

/* ---- Running ---- */

typedef struct planar_call {
    const planar *p;
    const accel_call *call;
    int32_t threads; /* that there is room for */
} planar_call;

static float *room_of(const planar_call *c, int32_t thread)
{
    return (float *)c->call->workspace + thread * c->p->thread_elements;
}

/* The groups' sums lie behind the room of all threads. */
static float *sums_of(const planar_call *c, int64_t group)
{
    return room_of(c, c->threads) + group * c->p->columns * c->p->terms;
}

static void convolve(void *context, int32_t thread, int32_t threads)
{
    const planar_call *c = context;
    const planar *p = c->p;
    int64_t first, last, from = p->channels * p->in[0] * p->in[1], plane = p->out[0] * p->out[1];
    float *source = room_of(c, thread), *weight = source + p->channels * p->plane;
    pool_share(p->v.N, 1, thread, threads, &first, &last);
    if (first == last)
        return;
    memset(source, 0, (size_t)p->thread_elements * sizeof *source);
    pack_weights(p, c->call->in[1], weight);
    for (int64_t i = first; i < last; i++) {
        copy_source(p, (const float *)c->call->in[0] + i * from, source);
        cpu_image_kernels()->planar_rows(&(cpu_planar_rows) { .source = source,
                                                              .weight = weight,
                                                              .strip = p->strip,
                                                              .to = p->to,
                                                              .lanes = p->lanes,
                                                              .term = p->term,
                                                              .strips = p->strips,
                                                              .terms = p->terms,
                                                              .columns = p->columns,
                                                              .result = (float *)c->call->out[0] + i * p->columns * plane,
                                                              .result_plane = plane });
    }
}

/* The images of a group, IMAGES at a time. */
static void sum_group(const planar_call *c, float *room, float *result, int64_t first, int64_t last)
{
    const planar *p = c->p;
    const int64_t image = p->channels * p->plane, from = p->channels * p->in[0] * p->in[1];
    float *strips = room + IMAGES * image;
    for (int64_t i = first; i < last; i += IMAGES) {
        int64_t images = last - i < IMAGES ? last - i : IMAGES;
        for (int64_t k = 0; k < images; k++) {
            copy_source(p, (const float *)c->call->in[0] + (i + k) * from, room + k * image);
            copy_strips(p, (const float *)c->call->in[1] + (i + k) * p->columns * p->out[0] * p->out[1],
                        strips + k * p->strip_elements);
        }
        cpu_image_kernels()->planar_sums(&(cpu_planar_sums) { .source = room,
                                                              .gradient = strips,
                                                              .strip = p->strip,
                                                              .term = p->term,
                                                              .strips = p->strips,
                                                              .terms = p->terms,
                                                              .images = images,
                                                              .image = image,
                                                              .columns = p->columns,
                                                              .result = result,
                                                              .add = i > first });
    }
}

static int64_t groups_of(const planar *p) { return p->v.N < GROUPS ? p->v.N : GROUPS; }

static void sum_groups(void *context, int32_t thread, int32_t threads)
{
    const planar_call *c = context;
    int64_t first, last, groups = groups_of(c->p);
    pool_share(groups, 1, thread, threads, &first, &last);
    if (first < last)
        memset(room_of(c, thread), 0, (size_t)c->p->thread_elements * sizeof(float));
    for (int64_t g = first; g < last; g++) {
        int64_t from, to;
        pool_share(c->p->v.N, 1, (int32_t)g, (int32_t)groups, &from, &to);
        sum_group(c, room_of(c, thread), sums_of(c, g), from, to);
    }
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    planar_call c = { k->detail, call, k->threads };
    const planar *p = c.p;
    if (p->op != LTH_OP_CONV_WEIGHT_GRAD) {
        pool_run(k->threads, convolve, &c);
        return true;
    }
    pool_run(k->threads, sum_groups, &c);
    float *w = call->out[0];
    int64_t count = p->columns * p->terms;
    memcpy(w, sums_of(&c, 0), (size_t)count * sizeof *w);
    for (int64_t g = 1; g < groups_of(p); g++)
        for (int64_t i = 0; i < count; i++)
            w[i] += sums_of(&c, g)[i];
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const planar *p = k->detail;
    snprintf(text, size, "planes, %d strips by %d terms", p->strips, p->terms);
}

static void release(void *detail)
{
    free(((planar *)detail)->strip);
    free(detail);
}

static const cpu_kernel_kind kind = { run, text, release };

int64_t cpu_planar_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    planar p;
    if (!plan(&p, g, n))
        return 0;
    free(p.strip);
    int64_t sums = n->op == LTH_OP_CONV_WEIGHT_GRAD ? groups_of(&p) * p.columns * p.terms : 0;
    return (threads * p.thread_elements + sums) * (int64_t)sizeof(float);
}

lth_status cpu_make_planar(cpu_kernel *k, const cpu_site *site)
{
    planar p;
    if (!plan(&p, site->graph, site->node))
        return LTH_UNSUPPORTED;
    planar *made = k->detail = malloc(sizeof *made);
    if (!made) {
        free(p.strip);
        return LTH_NO_MEMORY;
    }
    *made = p;
    k->kind = &kind;
    k->work = 1000 + accel_node_flops(site->graph, site->node) / 50;
    return LTH_OK;
}
