/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn_conv.h"

#include "onednn_compat.h"
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST, SECOND, RESULT, SIDES, ALIGNMENT = 64 };

/* A tensor of the convolution, as it lies outside and inside. */
typedef struct side {
    onednn_layout plain, inner;
    dnnl_memory_t outside, inside; /* the same one where it lies alike */
    dnnl_primitive_t reorder;      /* NULL: lies alike */
    int64_t offset;                /* in the workspace, if it is reordered */
    const void *outside_at, *inside_at;
} side;

struct onednn_conv {
    int32_t threads, argument[SIDES]; /* DNNL_ARG_* */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t scratch;
    const void *scratch_at;
    side sides[SIDES];
    onednn_layout scratch_layout;
    int64_t scratch_offset, workspace;
    char name[48];
};

/* ---- Making ---- */

/* Which side is x, the weight and y, by op. */
typedef struct roles {
    int32_t x, w, y;
} roles;

static roles roles_of(uint32_t op)
{
    return op == LTH_OP_CONV             ? (roles) { FIRST, SECOND, RESULT }
           : op == LTH_OP_CONV_DATA_GRAD ? (roles) { RESULT, SECOND, FIRST }
                                         : (roles) { FIRST, RESULT, SECOND };
}

typedef struct dims {
    int rank;
    dnnl_dims_t x, w, y;
} dims;

/* Signals are images of one row; groups are an axis of the weight. */
static dims dims_of(const plain_conv *v, onednn_conv_desc *d)
{
    bool flat = v->in[0] == 1 && v->out[0] == 1 && v->kernel[0] == 1 && v->low[0] == 0 && v->high[0] == 0;
    int32_t first = flat ? 1 : 0, grouped = v->groups > 1;
    dims t = { 2 + PLAIN_SPATIAL - first, { v->N, v->C }, { v->groups, v->K / v->groups, v->C / v->groups }, { v->N, v->K } };
    if (!grouped)
        t.w[0] = v->K, t.w[1] = v->C;
    for (int32_t i = first; i < PLAIN_SPATIAL; i++) {
        int32_t at = 2 + i - first;
        t.x[at] = v->in[i];
        t.w[at + grouped] = v->kernel[i];
        t.y[at] = v->out[i];
        d->stride[i - first] = v->stride[i];
        d->dilation[i - first] = v->dilation[i] - 1;
        d->low[i - first] = v->low[i];
        d->high[i - first] = v->high[i];
    }
    return t;
}

static dnnl_status_t lay_out(side *s, int rank, const dnnl_dims_t dim, onednn_layout *any)
{
    dnnl_dims_t stride = { 0 };
    int64_t n = 1;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= dim[i];
    }
    dnnl_status_t status = onednn_strided(&s->plain, rank, dim, dnnl_f32, stride);
    return status ? status : onednn_any(any, rank, dim, dnnl_f32);
}

static dnnl_status_t describe(onednn_conv *c, uint32_t op, const onednn_conv_desc *d, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status)
        status = onednn_conv_forward(&forward, c->engine, attributes, d);
    if (!status && op == LTH_OP_CONV_DATA_GRAD)
        status = onednn_conv_data(out, c->engine, attributes, d, forward);
    else if (!status && op == LTH_OP_CONV_WEIGHT_GRAD)
        status = onednn_conv_weight(out, c->engine, attributes, d, forward);
    else if (!status)
        *out = forward, forward = NULL;
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static int64_t reserve(onednn_conv *c, int64_t bytes)
{
    int64_t at = c->workspace;
    c->workspace += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

/* The side's memories, and its reorder where it lies otherwise inside. */
static dnnl_status_t make_side(onednn_conv *c, int32_t which)
{
    side *s = &c->sides[which];
    dnnl_primitive_desc_t reorder = NULL;
    dnnl_status_t status = dnnl_memory_create(&s->outside, onednn_ref(&s->plain), c->engine, DNNL_MEMORY_NONE);
    s->inside = s->outside;
    if (status || dnnl_memory_desc_equal(onednn_ref(&s->plain), onednn_ref(&s->inner)))
        return status;
    s->inside = NULL;
    s->offset = reserve(c, (int64_t)dnnl_memory_desc_get_size(onednn_ref(&s->inner)));
    status = dnnl_memory_create(&s->inside, onednn_ref(&s->inner), c->engine, DNNL_MEMORY_NONE);
    onednn_layout_ref from = onednn_ref(which == RESULT ? &s->inner : &s->plain),
                      to = onednn_ref(which == RESULT ? &s->plain : &s->inner);
    if (!status)
        status = dnnl_reorder_primitive_desc_create(&reorder, from, c->engine, to, c->engine, NULL);
    if (!status)
        status = dnnl_primitive_create(&s->reorder, reorder);
    if (reorder)
        dnnl_primitive_desc_destroy(reorder);
    return status;
}

static dnnl_status_t make_scratch(onednn_conv *c, const_dnnl_primitive_desc_t p)
{
    dnnl_status_t status = onednn_layout_of(&c->scratch_layout, p, dnnl_query_scratchpad_md);
    if (!status)
        status = dnnl_memory_create(&c->scratch, onednn_ref(&c->scratch_layout), c->engine, DNNL_MEMORY_NONE);
    if (!status)
        c->scratch_offset = reserve(c, (int64_t)dnnl_memory_desc_get_size(onednn_ref(&c->scratch_layout)));
    return status;
}

static dnnl_status_t settle(onednn_conv *c, uint32_t op, const_dnnl_primitive_desc_t p)
{
    static const dnnl_query_t forward[SIDES] = { dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md },
                              data[SIDES] = { dnnl_query_diff_dst_md, dnnl_query_weights_md, dnnl_query_diff_src_md },
                              weight[SIDES] = { dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md };
    static const int32_t arguments[3][SIDES] = { { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST },
                                                 { DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC },
                                                 { DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS } };
    const dnnl_query_t *queries = op == LTH_OP_CONV ? forward : op == LTH_OP_CONV_DATA_GRAD ? data : weight;
    const char *name = "?";
    dnnl_status_t status = dnnl_primitive_desc_query(p, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(c->name, sizeof c->name, "%s", name);
    if (!status && strncmp(name, "ref", 3) == 0)
        return dnnl_unimplemented;
    for (int32_t i = 0; i < SIDES && !status; i++) {
        c->argument[i] = arguments[op - LTH_OP_CONV][i];
        status = onednn_layout_of(&c->sides[i].inner, p, queries[i]);
        if (!status)
            status = make_side(c, i);
    }
    if (!status)
        status = make_scratch(c, p);
    return status ? status : dnnl_primitive_create(&c->primitive, p);
}

static dnnl_status_t build(onednn_conv *c, uint32_t op, const plain_conv *v)
{
    onednn_layout any[SIDES] = { 0 };
    onednn_conv_desc d = { 0 };
    roles r = roles_of(op);
    dims t = dims_of(v, &d);
    dnnl_primitive_desc_t p = NULL;
    dnnl_status_t status = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
    if (!status)
        status = lay_out(&c->sides[r.x], t.rank, t.x, &any[r.x]);
    if (!status)
        status = lay_out(&c->sides[r.w], t.rank + (v->groups > 1), t.w, &any[r.w]);
    if (!status)
        status = lay_out(&c->sides[r.y], t.rank, t.y, &any[r.y]);
    d.x = &any[r.x], d.w = &any[r.w], d.y = &any[r.y];
    if (!status)
        status = describe(c, op, &d, &p);
    if (!status)
        status = settle(c, op, p);
    if (p)
        dnnl_primitive_desc_destroy(p);
    for (int32_t i = 0; i < SIDES; i++)
        onednn_layout_free(&any[i]);
    return status;
}

lth_status onednn_conv_new(uint32_t op, const plain_conv *v, int32_t threads, onednn_conv **out)
{
    *out = NULL;
    if (!v->N || !v->C || !v->K || !plain_volume(v->in))
        return LTH_UNSUPPORTED;
    onednn_conv *c = calloc(1, sizeof *c);
    if (!c)
        return LTH_NO_MEMORY;
    c->threads = threads;
    pool_set_threads(threads);
    dnnl_status_t status = build(c, op, v);
    if (!status) {
        *out = c;
        return LTH_OK;
    }
    onednn_conv_free(c);
    return status == dnnl_out_of_memory ? LTH_NO_MEMORY : LTH_UNSUPPORTED;
}

void onednn_conv_free(onednn_conv *c)
{
    if (!c)
        return;
    for (int32_t i = 0; i < SIDES; i++) {
        side *s = &c->sides[i];
        if (s->reorder)
            dnnl_primitive_destroy(s->reorder);
        if (s->inside && s->inside != s->outside)
            dnnl_memory_destroy(s->inside);
        if (s->outside)
            dnnl_memory_destroy(s->outside);
        onednn_layout_free(&s->plain);
        onednn_layout_free(&s->inner);
    }
    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    if (c->scratch)
        dnnl_memory_destroy(c->scratch);
    onednn_layout_free(&c->scratch_layout);
    if (c->stream)
        dnnl_stream_destroy(c->stream);
    if (c->engine)
        dnnl_engine_destroy(c->engine);
    free(c);
}

int64_t onednn_conv_workspace(const onednn_conv *c) { return c->workspace; }

const char *onednn_conv_name(const onednn_conv *c, int32_t *reordered)
{
    *reordered = 0;
    for (int32_t i = 0; i < SIDES; i++)
        *reordered += c->sides[i].reorder != NULL;
    return c->name;
}

/* ---- Running ---- */

/* Only where it has moved: setting a handle writes zeros around blocked channels. */
static bool place(dnnl_memory_t m, const void **was, const void *at)
{
    if (*was == at)
        return true;
    *was = at;
    return dnnl_memory_set_data_handle(m, (void *)at) == dnnl_success;
}

static bool reorder(const onednn_conv *c, const side *s, bool in)
{
    const dnnl_exec_arg_t a[] = { { DNNL_ARG_FROM, in ? s->outside : s->inside }, { DNNL_ARG_TO, in ? s->inside : s->outside } };
    return !s->reorder || dnnl_primitive_execute(s->reorder, c->stream, 2, a) == dnnl_success;
}

bool onednn_conv_run(onednn_conv *c, const void *first, const void *second, void *result, void *workspace)
{
    const void *const outside[SIDES] = { first, second, result };
    dnnl_exec_arg_t a[SIDES + 1];
    char *work = workspace;
    pool_set_threads(c->threads);
    for (int32_t i = 0; i < SIDES; i++) {
        side *s = &c->sides[i];
        if (!place(s->outside, &s->outside_at, outside[i]) || (s->reorder && !place(s->inside, &s->inside_at, work + s->offset)))
            return false;
        a[i] = (dnnl_exec_arg_t) { c->argument[i], s->inside };
    }
    if (!place(c->scratch, &c->scratch_at, work + c->scratch_offset))
        return false;
    a[SIDES] = (dnnl_exec_arg_t) { DNNL_ARG_SCRATCHPAD, c->scratch };
    return reorder(c, &c->sides[FIRST], true) && reorder(c, &c->sides[SECOND], true) &&
           dnnl_primitive_execute(c->primitive, c->stream, SIDES + 1, a) == dnnl_success && reorder(c, &c->sides[RESULT], false);
}
