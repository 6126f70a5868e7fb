/* SPDX-License-Identifier: Apache-2.0
 * RNN_STEPS and its gradient in f32 and f64. Sequences do not know of each other, so each thread takes some of them through all
 * steps, and nobody waits for anybody. A step is a product of few rows with w_hh, which is packed once for all steps, and a pass
 * over what it gave. Bits of a sequence do not depend on which thread has it. */
#include "isa.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <stdlib.h>
#include <string.h>

/* Letters as in engine/ops_rnn.h. Weights stand among the operands from `weights` on. */
typedef struct rnn {
    int64_t T, B, H, G, S;
    int64_t size;        /* of an element */
    int64_t N, K, width; /* of the packed matrix (K, N), and its columns in whole vectors */
    uint32_t cell, weights;
    bool reverse, has_c, back, f64;
} rnn;

static rnn rnn_of(const lth_graph *g, const lth_node *n)
{
    static const int64_t gates[CPU_RNN_CELLS] = { 1, 1, 4, 3 }, saved[CPU_RNN_CELLS] = { 1, 1, 5, 4 };
    const lth_attr_rnn *a = lth_node_attributes(g, n);
    const lth_shape *x = lth_node_operand_shape(g, n, 0), *h0 = lth_node_operand_shape(g, n, 1);
    rnn d = { .T = x->dim[0],
              .B = x->dim[1],
              .H = h0->dim[1],
              .G = gates[a->cell],
              .S = saved[a->cell],
              .size = lth_dtype_size(h0->dtype),
              .cell = a->cell,
              .reverse = a->reverse != 0,
              .has_c = a->cell == LTH_RNN_LSTM,
              .back = n->op == LTH_OP_RNN_STEPS_GRAD,
              .f64 = h0->dtype == LTH_F64 };
    d.weights = d.has_c ? 3 : 2;
    d.K = d.back ? d.G * d.H : d.H;
    d.N = d.back ? d.H : d.G * d.H;
    int64_t lanes = d.f64 ? cpu_kernels()->f64.lanes : cpu_kernels()->f32.lanes;
    d.width = (d.N + lanes - 1) / lanes * lanes;
    return d;
}

static int64_t packed_bytes(const rnn *d) { return accel_align(d->K * d->width * d->size); }

/* The packed matrix, and for each sequence a row of products. */
int64_t cpu_rnn_workspace(const lth_graph *g, const lth_node *n)
{
    if (n->op != LTH_OP_RNN_STEPS && n->op != LTH_OP_RNN_STEPS_GRAD)
        return 0;
    rnn d = rnn_of(g, n);
    return packed_bytes(&d) + d.B * d.width * d.size;
}

typedef struct rnn_call {
    const rnn *d;
    const accel_call *call;
} rnn_call;

/* Element i of an operand or a result. */
static const char *in(const rnn_call *c, uint32_t operand, int64_t i)
{
    return (const char *)c->call->in[operand] + i * c->d->size;
}

static char *out(const rnn_call *c, uint32_t result, int64_t i) { return (char *)c->call->out[result] + i * c->d->size; }

static char *products(const rnn_call *c, int64_t row)
{
    return (char *)c->call->workspace + packed_bytes(c->d) + row * c->d->width * c->d->size;
}

/* ---- Products ---- */

static void pack_task(void *context, int32_t thread, int32_t threads)
{
    const rnn_call *c = context;
    const rnn *d = c->d;
    int64_t first, last;
    const void *w = c->call->in[d->weights];
    pool_share(d->f64 ? cpu_kernels()->f64.panels(d->N) : cpu_kernels()->f32.panels(d->N), 1, thread, threads, &first, &last);
    if (d->f64)
        cpu_kernels()->f64.panel_pack(d->K, d->N, w, d->H, !d->back, c->call->workspace, first, last);
    else
        cpu_kernels()->f32.panel_pack(d->K, d->N, w, d->H, !d->back, c->call->workspace, first, last);
}

/* rows of (rows, K) by the packed matrix into the rows of products from `first` on, or added to them. */
static void multiply(const rnn_call *c, int64_t first, int64_t rows, const void *a, bool add)
{
    const rnn *d = c->d;
    void *packed = c->call->workspace, *to = products(c, first);
    if (d->f64)
        cpu_kernels()->f64.panel_gemm(rows, d->N, d->K, a, d->K, 1, packed, 0, to, d->width, add);
    else
        cpu_kernels()->f32.panel_gemm(rows, d->N, d->K, a, d->K, 1, packed, 0, to, d->width, add);
}

/* ---- Steps ---- */

/* The step that comes i-th, and the element at which sequence b begins there, in an array with k elements for each of B. */
static int64_t at_step(const rnn *d, int64_t i, int64_t b, int64_t k) { return ((d->reverse ? d->T - 1 - i : i) * d->B + b) * k; }

static void forward_task(void *context, int32_t thread, int32_t threads)
{
    const rnn_call *c = context;
    const rnn *d = c->d;
    cpu_rnn_cell *cell = d->f64 ? cpu_kernels()->f64.rnn[d->cell] : cpu_kernels()->f32.rnn[d->cell];
    int64_t first, last, H = d->H, G = d->G * H, S = d->S * H;
    const void *b_ih = c->call->in[d->weights + 1], *b_hh = c->call->in[d->weights + 2];
    pool_share(d->B, 1, thread, threads, &first, &last);
    if (first == last)
        return;
    const char *h = in(c, 1, first * H), *cs = d->has_c ? in(c, 2, first * H) : NULL;
    int64_t next_c = H * d->size; /* from one sequence's c to the next one's */
    for (int64_t i = 0; i < d->T; i++) {
        multiply(c, first, last - first, h, false);
        for (int64_t b = first; b < last; b++) {
            cpu_rnn_row row = { in(c, 0, at_step(d, i, b, G)),
                                products(c, b),
                                b_ih,
                                b_hh,
                                h + (b - first) * H * d->size,
                                cs ? cs + (b - first) * next_c : NULL,
                                out(c, 0, at_step(d, i, b, H)),
                                out(c, 3, at_step(d, i, b, S)) };
            cell(&row, H);
        }
        h = out(c, 0, at_step(d, i, first, H));
        cs = d->has_c ? out(c, 3, at_step(d, i, first, S) + 4 * H) : NULL;
        next_c = S * d->size;
    }
    for (int64_t b = first; b < last && H; b++) {
        memcpy(out(c, 1, b * H), h + (b - first) * H * d->size, (size_t)(H * d->size));
        if (cs)
            memcpy(out(c, 2, b * H), cs + (b - first) * next_c, (size_t)(H * d->size));
    }
}

/* The state before the i-th step of sequence b. */
static const char *h_before(const rnn_call *c, int64_t i, int64_t b)
{
    const rnn *d = c->d;
    return i ? in(c, d->weights + 1, at_step(d, i - 1, b, d->H)) : in(c, 1, b * d->H);
}

static const char *c_before(const rnn_call *c, int64_t i, int64_t b)
{
    const rnn *d = c->d;
    return !d->has_c ? NULL : i ? in(c, 0, at_step(d, i - 1, b, d->S * d->H) + 4 * d->H) : in(c, 2, b * d->H);
}

/* d_h lies among the products, d_c where d_c0 will be. */
static void back_task(void *context, int32_t thread, int32_t threads)
{
    const rnn_call *c = context;
    const rnn *d = c->d;
    cpu_rnn_cell_back *cell = d->f64 ? cpu_kernels()->f64.rnn_back[d->cell] : cpu_kernels()->f32.rnn_back[d->cell];
    bool gru = d->cell == LTH_RNN_GRU;
    int64_t first, last, H = d->H, G = d->G * H, bytes = H * d->size;
    uint32_t d_y = d->weights + 2;
    pool_share(d->B, 1, thread, threads, &first, &last);
    for (int64_t b = first; b < last && H; b++) {
        memcpy(products(c, b), in(c, d_y + 1, b * H), (size_t)bytes);
        if (d->has_c)
            memcpy(out(c, 3, b * H), in(c, d_y + 2, b * H), (size_t)bytes);
    }
    for (int64_t i = d->T; i-- > 0 && first < last;) {
        for (int64_t b = first; b < last; b++) {
            cpu_rnn_row_back row = { in(c, 0, at_step(d, i, b, d->S * H)),
                                     h_before(c, i, b),
                                     c_before(c, i, b),
                                     in(c, d_y, at_step(d, i, b, H)),
                                     products(c, b),
                                     d->has_c ? out(c, 3, b * H) : NULL,
                                     out(c, 0, at_step(d, i, b, G)),
                                     gru ? out(c, 1, at_step(d, i, b, G)) : NULL };
            cell(&row, H);
        }
        multiply(c, first, last - first, out(c, gru, at_step(d, i, first, G)), gru);
    }
    for (int64_t b = first; b < last && H; b++)
        memcpy(out(c, 2, b * H), products(c, b), (size_t)bytes);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    rnn_call c = { k->detail, call };
    if (c.d->T)
        pool_run(k->threads, pack_task, &c);
    pool_run(k->threads, c.d->back ? back_task : forward_task, &c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const rnn *d = k->detail;
    snprintf(text, size, "%lld steps of %lld sequences", (long long)d->T, (long long)d->B);
}

static const cpu_kernel_kind kind = { run, text, NULL };

lth_status cpu_make_rnn(cpu_kernel *k, const cpu_site *site)
{
    lth_dtype dtype = accel_node_dtype(site->graph, site->node);
    if ((site->node->op != LTH_OP_RNN_STEPS && site->node->op != LTH_OP_RNN_STEPS_GRAD) || (dtype != LTH_F32 && dtype != LTH_F64))
        return LTH_UNSUPPORTED;
    rnn *d = k->detail = malloc(sizeof *d);
    if (!d)
        return LTH_NO_MEMORY;
    *d = rnn_of(site->graph, site->node);
    double state = (double)d->T * (double)d->B * (double)d->H, product = state * (double)(d->G * d->H);
    k->kind = &kind;
    k->work = 300 + (double)(d->K * d->N) + (d->f64 ? product / 12 + 60 * state : product / 25 + 5 * state);
    return LTH_OK;
}
