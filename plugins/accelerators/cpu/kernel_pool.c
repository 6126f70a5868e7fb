/* SPDX-License-Identifier: Apache-2.0
 * Pools and resampling: the plain loops over planes, shared among threads; and the scattering along rows that is a max pool's
 * gradient. */
#include "image_kernels.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plain/index.h>
#include <lthost/accel/plain/pool.h>
#include <lthost/accel/plain/resize.h>
#include <stdlib.h>
#include <string.h>

typedef struct planes planes;

/* Runs the planes from..to of a call. */
typedef void planes_function(const planes *p, const accel_call *call, int64_t from, int64_t to);

struct planes {
    planes_function *run;
    int64_t count, in, out; /* planes; elements of one, of the operand and the result */
    lth_dtype dtype;
    plain_pool pool;
    plain_resize resize;
};

static const void *at_in(const planes *p, const accel_call *call, int64_t plane)
{
    return (const char *)call->in[0] + plane * p->in * lth_dtype_size(p->dtype);
}

static void *at_out(const planes *p, const accel_call *call, int64_t plane)
{
    return (char *)call->out[0] + plane * p->out * lth_dtype_size(p->dtype);
}

#define PLANES(name, geometry)                                                                        \
    static void name(const planes *p, const accel_call *call, int64_t from, int64_t to)               \
    {                                                                                                 \
        if (p->dtype == LTH_F64)                                                                      \
            plain_##name##_f64(&p->geometry, at_in(p, call, from), at_out(p, call, from), to - from); \
        else                                                                                          \
            plain_##name##_f32(&p->geometry, at_in(p, call, from), at_out(p, call, from), to - from); \
    }
PLANES(avg_pool, pool)
PLANES(avg_pool_grad, pool)
PLANES(resize, resize)
PLANES(resize_grad, resize)

/* Two by two, side by side. */
static bool is_two_by_two(const plain_pool *p)
{
    bool is = p->in[0] == 1 && p->out[0] == 1 && p->kernel[0] == 1 && p->low[0] == 0;
    for (int i = 1; i < PLAIN_SPATIAL; i++)
        is = is && p->kernel[i] == 2 && p->stride[i] == 2 && p->dilation[i] == 1 && p->low[i] == 0 && 2 * p->out[i] <= p->in[i];
    return is && p->in[1] * p->in[2] <= INT32_MAX;
}

static void pool_two_by_two(const planes *p, const float *x, float *y, int64_t *index, int64_t count)
{
    for (; count > 0; count--, x += p->in, y += p->out, index += p->out)
        cpu_image_kernels()->planar_pool(x, p->pool.in[2], p->pool.out[1], p->pool.out[2], y, index);
}

static void max_pool(const planes *p, const accel_call *call, int64_t from, int64_t to)
{
    int64_t *index = (int64_t *)call->out[1] + from * p->out;
    if (p->dtype == LTH_F32 && is_two_by_two(&p->pool)) {
        pool_two_by_two(p, at_in(p, call, from), at_out(p, call, from), index, to - from);
        return;
    }
    if (p->dtype == LTH_F64)
        plain_max_pool_f64(&p->pool, at_in(p, call, from), at_out(p, call, from), index, to - from);
    else
        plain_max_pool_f32(&p->pool, at_in(p, call, from), at_out(p, call, from), index, to - from);
}

static void scatter_rows(const planes *p, const accel_call *call, int64_t from, int64_t to)
{
    const int64_t *index = (const int64_t *)call->in[1] + from * p->in;
    memset(at_out(p, call, from), 0, (size_t)((to - from) * p->out * lth_dtype_size(p->dtype)));
    for (int64_t row = from; row < to; row++, index += p->in) {
        const float *x = at_in(p, call, row);
        const double *x64 = at_in(p, call, row);
        float *y = at_out(p, call, row);
        double *y64 = at_out(p, call, row);
        if (p->dtype == LTH_F64)
            for (int64_t i = 0; i < p->in; i++)
                y64[index[i]] += x64[i];
        else
            for (int64_t i = 0; i < p->in; i++)
                y[index[i]] += x[i];
    }
}

struct planes_call {
    const planes *p;
    const accel_call *call;
};

static void task(void *context, int32_t thread, int32_t threads)
{
    const struct planes_call *c = context;
    int64_t first, last;
    pool_share(c->p->count, 1, thread, threads, &first, &last);
    if (first < last)
        c->p->run(c->p, c->call, first, last);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    struct planes_call c = { k->detail, call };
    if (c.p->run == scatter_rows) {
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
    snprintf(text, size, "planes");
}

static const cpu_kernel_kind kind = { run, text, NULL };

/* Nanoseconds for each element of the larger side. */
static double choose(planes *p, const lth_graph *g, const lth_node *n)
{
    p->count = p->pool.planes;
    p->in = plain_volume(n->op == LTH_OP_AVG_POOL_GRAD ? p->pool.out : p->pool.in);
    p->out = plain_volume(n->op == LTH_OP_AVG_POOL_GRAD ? p->pool.in : p->pool.out);
    switch (n->op) {
    case LTH_OP_MAX_POOL:
        p->run = max_pool;
        return 3;
    case LTH_OP_AVG_POOL:
        p->run = avg_pool;
        return 2;
    case LTH_OP_AVG_POOL_GRAD:
        p->run = avg_pool_grad;
        return 2;
    default:
        break;
    }
    p->resize = plain_resize_of(g, n);
    p->count = p->resize.planes;
    p->in = plain_volume(n->op == LTH_OP_RESIZE ? p->resize.in : p->resize.out);
    p->out = plain_volume(n->op == LTH_OP_RESIZE ? p->resize.out : p->resize.in);
    p->run = n->op == LTH_OP_RESIZE ? resize : resize_grad;
    return 4;
}

/* SCATTER_ALONG the last axis by i64: rows that do not meet. */
static bool scatters_rows(planes *p, const lth_graph *g, const lth_node *n)
{
    const lth_shape *x = lth_node_operand_shape(g, n, 0), *y = lth_node_shape(g, n, 0);
    const lth_attr_scatter *a = lth_node_attributes(g, n);
    if (a->axis != x->rank - 1 || lth_node_operand_shape(g, n, 1)->dtype != LTH_I64)
        return false;
    p->in = x->dim[a->axis];
    p->out = a->length;
    p->count = a->length ? lth_shape_count(y) / a->length : 0;
    p->run = scatter_rows;
    return p->out > 0;
}

lth_status cpu_make_planes(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    const lth_graph *g = site->graph;
    planes p = { .dtype = accel_node_dtype(g, n) };
    bool image = n->op >= LTH_OP_MAX_POOL && n->op <= LTH_OP_RESIZE_GRAD;
    double each = 2;
    if ((p.dtype != LTH_F32 && p.dtype != LTH_F64) || (!image && (n->op != LTH_OP_SCATTER_ALONG || !scatters_rows(&p, g, n))))
        return LTH_UNSUPPORTED;
    if (n->op <= LTH_OP_AVG_POOL_GRAD && image)
        p.pool = plain_pool_of(g, n);
    if (image)
        each = choose(&p, g, n);
    planes *made = k->detail = malloc(sizeof *made);
    if (!made)
        return LTH_NO_MEMORY;
    *made = p;
    k->kind = &kind;
    k->work = 200 + each * (double)(p.count * (p.in > p.out ? p.in : p.out));
    return LTH_OK;
}
