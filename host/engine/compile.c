/* SPDX-License-Identifier: Apache-2.0
 * engine/compile.c: from a record to what the accelerator runs: expansion, the strategy's pass, simplification,
 * decomposition, compilation. */
#include "engine/expand.h"
#include "engine/internal.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

static bool supports(void *context, uint32_t op, lth_dtype dtype)
{
    const engine *g = context;
    const lth_accelerator *a = g->options.accelerator;
    return a->supports && a->supports(g->options.accelerator_self, op, dtype);
}

/* After a failure: the first op that the accelerator declines, for a better message. */
static void name_unsupported(engine *g, const graph *in, error *e)
{
    for (uint32_t i = 0; i < in->node_count && g->options.accelerator->supports; i++) {
        const lth_node *n = &in->nodes[i];
        const op_info *info = op_find(n->op);
        if (!info || info->kind != OP_PRIMITIVE || n->operand_count == 0)
            continue;
        lth_dtype dtype = graph_shape(in, in->operands[n->first_operand])->dtype;
        if (supports(g, n->op, dtype))
            continue;
        const lth_site *s = &in->sites[n->site];
        error_set(e, LTH_UNSUPPORTED, "%s:%u: accelerator '%s' does not run %s on %s", s->file, s->line,
                  g->options.accelerator->id, describe_op(in, n), lth_dtype_name(dtype));
    }
}

/* map[v] becomes next[map[v]]. */
static void follow(uint32_t *map, uint32_t count, const uint32_t *next)
{
    for (uint32_t i = 0; i < count; i++)
        if (map[i] != LTH_NO_VALUE)
            map[i] = next[map[i]];
}

typedef bool pass_function(engine *g, plan *p, const graph *in, graph *out, constants *c, uint32_t *map, error *e);

static bool pass_simplify(engine *g, plan *p, const graph *in, graph *out, constants *c, uint32_t *map, error *e)
{
    (void)g, (void)p, (void)c;
    return simplify(in, out, NULL, 0, map, e);
}

static bool pass_join_pads(engine *g, plan *p, const graph *in, graph *out, constants *c, uint32_t *map, error *e)
{
    (void)g, (void)p;
    return join_pads(in, out, c, map, e);
}

static bool pass_widen_sums(engine *g, plan *p, const graph *in, graph *out, constants *c, uint32_t *map, error *e)
{
    (void)g, (void)p, (void)c;
    return widen_sums(in, out, map, e);
}

static bool pass_decompose(engine *g, plan *p, const graph *in, graph *out, constants *c, uint32_t *map, error *e)
{
    (void)p;
    return decompose(in, out, c, supports, g, map, e);
}

/* Runs a pass on *in; the result takes its place, and a segment's map follows. */
static bool apply(engine *g, plan *p, pass_function *pass, graph *in, constants *c, error *e)
{
    graph out;
    graph_init(&out);
    out.arenas = in->arenas;
    out.arena_count = in->arena_count;
    uint32_t *next = memory_new((size_t)in->value_count * sizeof *next + 1);
    bool ok = pass(g, p, in, &out, c, next, e);
    if (ok)
        follow(p->map, p->segment ? p->map_count : 0, next);
    free(next);
    graph_free(in);
    *in = out;
    return ok;
}

/* The expansion's way into *out: whole, cut where segments ended, or rewritten by the strategy. */
static bool enter_passes(engine *g, plan *p, graph *expanded, uint32_t read, graph *out, uint32_t *map, error *e)
{
    out->arenas = expanded->arenas;
    out->arena_count = expanded->arena_count;
    if (g->options.strategy && g->options.strategy->transform)
        return engine_transform(g, expanded, out, e);
    if (p->boundary_count)
        plan_cut(g, p, expanded, read, out, map);
    else {
        *out = *expanded;
        graph_init(expanded);
    }
    return true;
}

/* The record's graph, ready for the accelerator, into p->graph. */
static bool make_graph(engine *g, plan *p, constants *c, error *e)
{
    graph *out = &p->graph, expanded;
    uint32_t *places = memory_new((size_t)p->record.value_count * sizeof *places + 1);
    graph_init(&expanded);
    bool ok = expand(g, &p->record, !p->segment, &expanded, places, c, e);
    if (ok) {
        p->expanded_nodes = expanded.node_count;
        p->map_count = expanded.value_count;
        p->map = memory_new((size_t)p->map_count * sizeof *p->map + 1);
        for (uint32_t i = 0; i < p->map_count; i++)
            p->map[i] = i;
        uint32_t read = p->segment ? places[p->boundaries[p->boundary_count - 1].value] : LTH_NO_VALUE;
        ok = enter_passes(g, p, &expanded, read, out, p->map, e);
    }
    graph_free(&expanded);
    free(places);
    static pass_function *const passes[] = { pass_simplify, pass_join_pads, pass_widen_sums, pass_decompose, pass_simplify };
    for (size_t i = 0; ok && i < sizeof passes / sizeof *passes; i++)
        ok = apply(g, p, passes[i], out, c, e);
    graph_keep_loops(out);
    return ok;
}

static void lay_out_outputs(plan *p)
{
    const graph *in = &p->graph;
    p->outputs = memory_new(in->output_count * sizeof *p->outputs + 1);
    for (uint32_t i = 0; i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        if (n->op == LTH_OP_OUTPUT)
            p->outputs[((const lth_attr_slot *)(const void *)(in->attributes + n->attributes))->slot].shape =
                *graph_shape(in, in->operands[n->first_operand]);
    }
    for (uint32_t i = 0; i < in->output_count; i++) {
        p->outputs[i].offset = p->output_bytes;
        const lth_shape *s = &p->outputs[i].shape;
        p->output_bytes += ((uint64_t)(lth_shape_count(s) * lth_dtype_size(s->dtype)) + 63) / 64 * 64;
    }
}

static bool compile_graph(engine *g, plan *p, error *e)
{
    const engine_options *o = &g->options;
    if (o->eager) {
        p->eager = eager_compile(g, &p->graph, e);
        return p->eager != NULL;
    }
    lth_graph view;
    graph_view(&p->graph, &view);
    lth_compile_args args = { .struct_size = sizeof args, .graph = &view };
    args.flags = (o->no_fusion ? LTH_COMPILE_NO_FUSION : 0) | (p->segment ? LTH_COMPILE_KEEP_ALL : 0);
    lth_status status = o->accelerator->compile(o->accelerator_self, &args, &p->compiled);
    if (status) {
        name_unsupported(g, &p->graph, e);
        error_set(e, status, "accelerator '%s' cannot compile %s", o->accelerator->id, p->hook);
        return false;
    }
    p->info.struct_size = sizeof p->info;
    if (o->accelerator->plan_info)
        o->accelerator->plan_info(o->accelerator_self, p->compiled, &p->info);
    if (o->profile)
        p->times = plan_times_new(g, p->compiled, &p->launch_count);
    return true;
}

bool plan_compile(engine *g, plan *p, error *e)
{
    if (!g->options.accelerator) {
        error_set(e, LTH_UNSUPPORTED, "there is no accelerator: steps can only be recorded");
        return false;
    }
    constants c = { .first_slot = p->record.scalar_count };
    p->record_scalars = p->record.scalar_count;
    bool ok = make_graph(g, p, &c, e);
    if (ok) {
        p->scalars = memory_new(((size_t)p->record_scalars + c.count) * sizeof *p->scalars + 1);
        if (c.count)
            memcpy(p->scalars + p->record_scalars, c.values, c.count * sizeof *c.values);
        p->inputs = memory_new((p->field_count + p->kept_count) * sizeof *p->inputs + 1);
        lay_out_outputs(p);
    }
    if (!p->segment) {
        free(p->map);
        p->map = NULL;
    }
    constants_free(&c);
    return ok && compile_graph(g, p, e);
}
