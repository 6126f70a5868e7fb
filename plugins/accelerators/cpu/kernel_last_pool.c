/* SPDX-License-Identifier: Apache-2.0
 * Pools in f32 of images that channels_last.h has laid channels last, and the scattering that is a max pool's gradient: all
 * channels of a pixel at once. */
#include "channels_last.h"
#include "image_kernels.h"
#include "isa.h"
#include "kernel.h"
#include "last_pool.h"
#include "pool.h"

#include <lthost/accel/plain/index.h>
#include <lthost/accel/plain/pool.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH = 256 /* channels */, PLACES = 256 /* pixels of a window, at most */ };

bool last_pool_takes(const lth_graph *g, const lth_node *n)
{
    plain_pool p = plain_pool_of(g, n);
    double places = 1, volume = 1;
    for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
        places *= p.flags & LTH_POOL_ADAPTIVE ? (double)(p.in[i] / (p.out[i] ? p.out[i] : 1) + 2) : (double)p.kernel[i];
        volume *= (double)p.in[i];
    }
    return places <= PLACES && volume < INT32_MAX;
}

typedef struct last_pool last_pool;
typedef void image_function(const last_pool *p, const accel_call *call, int64_t image);

struct last_pool {
    image_function *run;
    plain_pool pool;
    int64_t N, C, in, out; /* in, out: pixels of an image of the operand and of the result */
};

/* Calls with each pixel of the pooled image and the window that belongs to it. */
typedef struct window {
    plain_span span[PLAIN_SPATIAL];
    int64_t pixel;
    double count;
} window;
typedef void window_function(const last_pool *p, const accel_call *call, int64_t image, const window *w);

static void each_window(const last_pool *p, const accel_call *call, int64_t image, window_function *visit)
{
    window w = { .pixel = 0 };
    for (int64_t a = 0; a < p->pool.out[0]; a++)
        for (int64_t b = 0; b < p->pool.out[1]; b++)
            for (int64_t c = 0; c < p->pool.out[2]; c++, w.pixel++) {
                const int64_t at[PLAIN_SPATIAL] = { a, b, c };
                w.count = 1;
                for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
                    w.span[i] = plain_pool_span(&p->pool, i, at[i]);
                    w.count *= (double)w.span[i].count;
                }
                visit(p, call, image, &w);
            }
}

#define EACH_PIXEL(p, w, pixel)                                                                               \
    for (int64_t a_ = (w)->span[0].first; a_ < (w)->span[0].end; a_ += (w)->span[0].step)                     \
        for (int64_t b_ = (w)->span[1].first; b_ < (w)->span[1].end; b_ += (w)->span[1].step)                 \
            for (int64_t c_ = (w)->span[2].first, pixel = (a_ * (p)->pool.in[1] + b_) * (p)->pool.in[2] + c_; \
                 c_ < (w)->span[2].end; c_ += (w)->span[2].step, pixel += (w)->span[2].step)

static void greatest(const last_pool *p, const accel_call *call, int64_t image, const window *w)
{
    const float *x = (const float *)call->in[0] + image * p->in * p->C;
    float *y = (float *)call->out[0] + (image * p->out + w->pixel) * p->C;
    int64_t *index = (int64_t *)call->out[1] + (image * p->out + w->pixel) * p->C;
    int32_t places[PLACES];
    int64_t count = 0;
    EACH_PIXEL(p, w, pixel) { places[count++] = (int32_t)pixel; }
    cpu_image_kernels()->greatest_pixel(x, places, count, p->C, y, index);
}

static void mean(const last_pool *p, const accel_call *call, int64_t image, const window *w)
{
    const float *x = (const float *)call->in[0] + image * p->in * p->C;
    float *y = (float *)call->out[0] + (image * p->out + w->pixel) * p->C;
    for (int64_t c = 0; c < p->C; c += STRETCH) {
        double total[STRETCH] = { 0 };
        int64_t n = p->C - c < STRETCH ? p->C - c : STRETCH;
        EACH_PIXEL(p, w, pixel) { cpu_kernels()->f32.add(total, x + pixel * p->C + c, n); }
        for (int64_t k = 0; k < n; k++)
            y[c + k] = (float)(total[k] / w->count);
    }
}

static void spread(const last_pool *p, const accel_call *call, int64_t image, const window *w)
{
    const float *d = (const float *)call->in[0] + (image * p->in + w->pixel) * p->C;
    float *x = (float *)call->out[0] + image * p->out * p->C;
    EACH_PIXEL(p, w, pixel)
    {
        for (int64_t c = 0; c < p->C; c++)
            x[pixel * p->C + c] += (float)((double)d[c] / w->count);
    }
}

static void max_pool(const last_pool *p, const accel_call *call, int64_t image) { each_window(p, call, image, greatest); }
static void avg_pool(const last_pool *p, const accel_call *call, int64_t image) { each_window(p, call, image, mean); }

static void clear(const last_pool *p, const accel_call *call, int64_t image)
{
    memset((float *)call->out[0] + image * p->out * p->C, 0, (size_t)(p->out * p->C) * sizeof(float));
}

static void avg_pool_grad(const last_pool *p, const accel_call *call, int64_t image)
{
    clear(p, call, image);
    each_window(p, call, image, spread);
}

static void scatter(const last_pool *p, const accel_call *call, int64_t image)
{
    const float *d = (const float *)call->in[0] + image * p->in * p->C;
    const int64_t *index = (const int64_t *)call->in[1] + image * p->in * p->C;
    float *y = (float *)call->out[0] + image * p->out * p->C;
    clear(p, call, image);
    for (int64_t i = 0; i < p->in; i++, d += p->C, index += p->C)
        for (int64_t c = 0; c < p->C; c++)
            y[index[c] * p->C + c] += d[c];
}

struct pool_call_of {
    const last_pool *p;
    const accel_call *call;
};

static void task(void *context, int32_t thread, int32_t threads)
{
    const struct pool_call_of *c = context;
    int64_t first, last;
    pool_share(c->p->N, 1, thread, threads, &first, &last);
    for (int64_t image = first; image < last; image++)
        c->p->run(c->p, c->call, image);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    struct pool_call_of c = { k->detail, call };
    if (c.p->run == scatter) {
        plain_call plain = { call->schedule->graph, call->node, call->in, call->out, call->bindings, call->message, 1 };
        if (!plain_index_check(&plain, "index", c.p->out))
            return false;
    }
    pool_run(k->threads, task, &c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    (void)k;
    snprintf(text, size, "channels last");
}

static const cpu_kernel_kind kind = { run, text, NULL };

static int64_t pixels(const lth_shape *s, int64_t *to)
{
    int64_t n = 1;
    for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
        int32_t axis = s->rank - 1 - PLAIN_SPATIAL + i;
        to[i] = axis >= 1 ? s->dim[axis] : 1;
        n *= to[i];
    }
    return n;
}

lth_status cpu_make_last_pool(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    bool pools = n->op >= LTH_OP_MAX_POOL && n->op <= LTH_OP_AVG_POOL_GRAD, gradient = n->op == LTH_OP_AVG_POOL_GRAD;
    if ((!pools && n->op != LTH_OP_SCATTER_ALONG) || !(n->flags & CPU_CHANNELS_LAST) ||
        accel_node_dtype(site->graph, n) != LTH_F32)
        return LTH_UNSUPPORTED;
    const lth_shape *x = lth_node_operand_shape(site->graph, n, 0), *y = lth_node_shape(site->graph, n, 0);
    last_pool p = { .N = x->dim[0], .C = x->dim[x->rank - 1] };
    if (pools)
        p.pool = plain_pool_of(site->graph, n);
    p.in = pixels(x, gradient ? p.pool.out : p.pool.in);
    p.out = pixels(y, gradient ? p.pool.in : p.pool.out);
    p.run = !pools ? scatter : gradient ? avg_pool_grad : n->op == LTH_OP_MAX_POOL ? max_pool : avg_pool;
    last_pool *made = k->detail = malloc(sizeof *made);
    if (!made)
        return LTH_NO_MEMORY;
    *made = p;
    k->kind = &kind;
    k->work = 200 + 1.0 * (double)(p.N * p.C * (p.in > p.out ? p.in : p.out));
    return LTH_OK;
}
