/* SPDX-License-Identifier: Apache-2.0
 * ATTENTION and ATTENTION_GRAD in f32, f64 and bf16, fused: no matrix of scores. Threads share blocks of queries; on the way back
 * the groups of heads that share keys, so that each gradient is summed by one thread in one order. */
#include "half_kernels.h"
#include "isa.h"
#include "kernel.h"
#include "pool.h"

#include <lthost/accel/plan_memory.h>
#include <lthost/accel/tile_math.h>
#include <stdlib.h>

enum { Q, K, V, SCALE, FIRST_OPTION };

typedef struct attention {
    cpu_attention shape;                /* without pointers and what a run binds */
    const cpu_half_kernel_table *tiles; /* NULL: by f32 or f64 */
    lth_dtype scale_type, p_type;
    bool f64, back;
    int64_t parts, room; /* what threads share; bytes of each thread */
} attention;

typedef struct attention_call {
    const attention *d;
    const cpu_attention *a;
    char *workspace;
} attention_call;

static double number(lth_dtype t, const void *x)
{
    return t == LTH_F64 ? *(const double *)x : t == LTH_F32 ? *(const float *)x : tile_of_bf16(*(const uint16_t *)x);
}

static void part(void *context, int32_t thread, int32_t threads)
{
    const attention_call *c = context;
    const attention *d = c->d;
    void *room = c->workspace + thread * d->room;
    int64_t first, last;
    pool_share(d->parts, 1, thread, threads, &first, &last);
    if (first == last)
        return;
    if (d->tiles)
        (d->back ? d->tiles->attention_grad : d->tiles->attention)(c->a, first, last, room);
    else if (d->f64)
        (d->back ? cpu_kernels()->f64.attention_grad : cpu_kernels()->f64.attention)(c->a, first, last, room);
    else
        (d->back ? cpu_kernels()->f32.attention_grad : cpu_kernels()->f32.attention)(c->a, first, last, room);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const attention *d = k->detail;
    const void *const *in = call->in;
    const void *const *last = in + call->node->operand_count - 3;
    cpu_attention a = d->shape;
    a.q.data = (char *)in[Q];
    a.k.data = (char *)in[K];
    a.v.data = (char *)in[V];
    a.scale = number(d->scale_type, in[SCALE]);
    if (a.dropout)
        a.p = number(d->p_type, in[FIRST_OPTION]);
    a.mask = a.mask_type == LTH_DTYPE_NONE ? NULL : in[FIRST_OPTION + a.dropout];
    a.seed = call->bindings->seed;
    a.step = call->bindings->step;
    a.stream = call->bindings->stream;
    a.y.data = d->back ? (char *)last[0] : call->out[0];
    a.l = d->back ? (void *)last[1] : call->out[1];
    if (d->back) {
        a.d_y.data = (char *)last[2];
        a.d_q.data = call->out[Q];
        a.d_k.data = call->out[K];
        a.d_v.data = call->out[V];
    }
    attention_call c = { d, &a, call->workspace };
    pool_run(k->threads, part, &c);
    return true;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    const attention *d = k->detail;
    const int64_t heads = d->shape.B * d->shape.H;
    snprintf(text, size, "fused%s, %lld heads of %lld by %lld", d->tiles ? " by tiles of bf16" : "", (long long)heads,
             (long long)d->shape.queries, (long long)d->shape.keys);
}

static const cpu_kernel_kind kind = { run, text, NULL };

/* ---- Making it ---- */

static bool is_attention(uint32_t op) { return op == LTH_OP_ATTENTION || op == LTH_OP_ATTENTION_GRAD; }

static cpu_heads heads_of(const accel_view *v) { return (cpu_heads) { NULL, v->stride[0], v->stride[1], v->stride[2] }; }

/* Strides by which the mask of shape m is (B, H, T, S). */
static void spread_mask(const lth_shape *m, int64_t stride[4])
{
    int64_t step = 1;
    for (int32_t i = m->rank - 1; i >= 0; i--) {
        stride[4 - m->rank + i] = m->dim[i] == 1 ? 0 : step;
        step *= m->dim[i];
    }
}

static attention shape_of(const lth_graph *g, const lth_node *n)
{
    const lth_attr_attention *f = lth_node_attributes(g, n);
    const lth_shape *q = lth_node_operand_shape(g, n, Q), *k = lth_node_operand_shape(g, n, K),
                    *v = lth_node_operand_shape(g, n, V);
    attention d = { .f64 = q->dtype == LTH_F64, .back = n->op == LTH_OP_ATTENTION_GRAD };
    cpu_attention *a = &d.shape;
    *a = (cpu_attention) { q->dim[0], q->dim[1], k->dim[1], q->dim[2], k->dim[2], q->dim[3], v->dim[3], .id = f->id };
    a->narrow = q->dtype == LTH_BF16;
    a->causal = f->flags & LTH_ATTENTION_CAUSAL;
    a->dropout = f->flags & LTH_ATTENTION_DROPOUT;
    a->mask_type = LTH_DTYPE_NONE;
    d.scale_type = lth_node_operand_shape(g, n, SCALE)->dtype;
    if (a->dropout)
        d.p_type = lth_node_operand_shape(g, n, FIRST_OPTION)->dtype;
    if (f->flags & LTH_ATTENTION_MASK) {
        const lth_shape *mask = lth_node_operand_shape(g, n, FIRST_OPTION + a->dropout);
        a->mask_type = mask->dtype;
        spread_mask(mask, a->mask_stride);
    }
    /* Smaller heads leave most of a tile empty. */
    if (a->narrow && cpu_half_gemm_kernels() && ((a->D >= 16 && a->E >= 16 && a->keys >= 32) || cpu_bf16_is("tiles")))
        d.tiles = cpu_half_gemm_kernels();
    int64_t blocks = (a->queries + CPU_ATTENTION_BLOCK - 1) / CPU_ATTENTION_BLOCK;
    d.parts = d.back ? a->B * a->G : a->B * a->H * blocks;
    d.room = accel_align(d.tiles ? d.tiles->attention_room(a, d.back)
                         : d.f64 ? cpu_kernels()->f64.attention_room(a, d.back)
                                 : cpu_kernels()->f32.attention_room(a, d.back));
    return d;
}

bool cpu_attention_takes(const lth_node *n, uint32_t operand, const accel_view *view)
{
    bool heads =
        operand <= V || (n->op == LTH_OP_ATTENTION_GRAD && (operand + 3 == n->operand_count || operand + 1 == n->operand_count));
    return is_attention(n->op) && heads && (view->stride[3] == 1 || view->dim[3] <= 1);
}

int64_t cpu_attention_workspace(const lth_graph *g, const lth_node *n, int32_t threads)
{
    return is_attention(n->op) ? threads * shape_of(g, n).room : 0;
}

lth_status cpu_make_attention(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    lth_dtype dtype = accel_node_dtype(site->graph, n);
    if (!is_attention(n->op) || (dtype != LTH_F32 && dtype != LTH_F64 && dtype != LTH_BF16))
        return LTH_UNSUPPORTED;
    attention d = shape_of(site->graph, n);
    cpu_attention *a = &d.shape;
    a->q = heads_of(&site->in[Q].view);
    a->k = heads_of(&site->in[K].view);
    a->v = heads_of(&site->in[V].view);
    a->y = heads_of(d.back ? &site->in[n->operand_count - 3].view : &site->out[0].view);
    if (d.back) {
        a->d_y = heads_of(&site->in[n->operand_count - 1].view);
        a->d_q = heads_of(&site->out[Q].view);
        a->d_k = heads_of(&site->out[K].view);
        a->d_v = heads_of(&site->out[V].view);
    }
    k->detail = malloc(sizeof d);
    if (!k->detail)
        return LTH_NO_MEMORY;
    *(attention *)k->detail = d;
    k->kind = &kind;
    double pairs = (double)(a->B * a->H * a->queries) * (double)a->keys * (a->causal ? 0.6 : 1);
    if (d.tiles)
        pairs *= 0.4;
    k->work = 200 + pairs * (0.5 + (double)(a->D + a->E) * (d.back ? 0.05 : 0.02)) * (d.f64 ? 4 : 1);
    return LTH_OK;
}
