/* SPDX-License-Identifier: Apache-2.0
 * engine/segment.c: reading a value in the middle of a step.
 *
 * The record goes on growing as one: a segment is the plan of what was recorded so far, for the sake of the value read. It
 * assigns nothing. Later plans of the step are those of the whole record again, in which values that a segment has computed
 * are inputs; so gradients flow through a segment's end as if it were not there, and everything is committed once, last.
 * Values correspond by their ids in the expansion (expand.h says why that holds). */
#include "engine/internal.h"
#include "engine/ops.h"
#include "util/memory.h"

#include <string.h>

enum { READS_WITHOUT_VALUES = 1000 }; /* of a step that is only recorded, before it is given up */

static bool is_leaf(uint32_t op) { return op < LTH_OP_NEG; }

/* Where an earlier segment keeps a value of the expansion. Leaves are not kept: they are as cheap to name again. */
static bool find_kept(const engine *g, const plan *p, uint32_t value, plan_kept *out)
{
    uint32_t earlier = p->boundary_count - (p->segment ? 1 : 0);
    for (uint32_t i = 0; i < earlier; i++) {
        const plan *s = g->step.segments[i].plan;
        uint32_t id = value < s->map_count ? s->map[value] : LTH_NO_VALUE;
        if (id != LTH_NO_VALUE && !is_leaf(s->graph.nodes[s->graph.values[id].node].op)) {
            *out = (plan_kept) { i, id };
            return true;
        }
    }
    return false;
}

static bool all_kept(const engine *g, const plan *p, const lth_node *n)
{
    plan_kept at;
    for (uint32_t i = 0; i < n->value_count; i++)
        if (!find_kept(g, p, n->first_value + i, &at))
            return false;
    return n->value_count > 0 && !is_leaf(n->op);
}

/* Inputs in place of a node's results. */
static void append_kept(const engine *g, plan *p, const graph *in, const lth_node *n, graph *out, uint32_t *map)
{
    for (uint32_t i = 0; i < n->value_count; i++) {
        uint32_t value = n->first_value + i;
        p->kept = memory_grow(p->kept, &p->kept_capacity, p->kept_count + 1, sizeof *p->kept);
        find_kept(g, p, value, &p->kept[p->kept_count]);
        lth_attr_slot at = { p->field_count + (uint32_t)p->kept_count++, 0 };
        map[value] = graph_append(out, LTH_OP_INPUT, NULL, 0, &at, sizeof at, n->site, graph_shape(in, value), 1);
    }
}

/* Effects that are not for this plan: a segment has no outputs but its own; checks and prints of earlier segments are done. */
static bool leave_out(const engine *g, const plan *p, uint32_t node, uint32_t op)
{
    uint32_t earlier = p->boundary_count - (p->segment ? 1 : 0);
    uint32_t done = earlier ? g->step.segments[earlier - 1].plan->expanded_nodes : 0;
    return (op == LTH_OP_OUTPUT && p->segment) || ((op == LTH_OP_PRINT || op == LTH_OP_ASSERT) && node < done);
}

/* The segment's output: the value, in the type in which it was recorded. */
static void append_read(const plan *p, const graph *in, uint32_t read, graph *out, uint32_t value)
{
    lth_attr_slot slot = { 0, 0 };
    uint32_t site = in->nodes[in->values[read].node].site;
    lth_shape shape = *graph_shape(&p->record, p->boundaries[p->boundary_count - 1].value);
    lth_attr_dtype to = { shape.dtype, 0 };
    if (graph_shape(out, value)->dtype != shape.dtype)
        value = graph_append(out, LTH_OP_CAST, &value, 1, &to, sizeof to, site, &shape, 1);
    graph_append(out, LTH_OP_OUTPUT, &value, 1, &slot, sizeof slot, site, NULL, 0);
}

void plan_cut(engine *g, plan *p, const graph *in, uint32_t read, graph *out, uint32_t *map)
{
    graph_copy_frame(in, out);
    out->output_count = 0; /* a segment has its own */
    for (uint32_t i = 0; i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        if (n->op == LTH_OP_LOOP) { /* all of it, or none of it: what its body holds is of one turn */
            uint32_t end = graph_loop_end_node(in, n->region);
            if (end < in->node_count && all_kept(g, p, &in->nodes[end]))
                append_kept(g, p, in, &in->nodes[end], out, map);
            else
                for (uint32_t k = i; k <= end && k < in->node_count; k++)
                    graph_copy_node(in, k, out, map);
            i = end;
            continue;
        }
        if (leave_out(g, p, i, n->op))
            continue;
        out->region = n->region;
        if (all_kept(g, p, n))
            append_kept(g, p, in, n, out, map);
        else
            graph_copy_node(in, i, out, map);
    }
    out->region = 0;
    if (p->segment)
        append_read(p, in, read, out, map[read]);
}

/* The step cannot go on. */
static lth_status give_up(trace *t, const error *e) { return error_set(&t->error, e->status, "%s", e->text); }

lth_status engine_read(engine *g, uint32_t value, void *out, uint64_t size, const char *file, uint32_t line)
{
    trace *t = &g->trace;
    engine_step *s = &g->step;
    const lth_shape *shape = graph_shape(t->graph, value);
    uint64_t bytes = (uint64_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype));
    memset(out, 0, size);
    if (bytes != size) {
        bool one = size == (uint64_t)lth_dtype_size(shape->dtype);
        trace_fail(t, file, line, "read: the tensor is %s, %llu bytes, room was given for %llu%s", op_shape_text(shape).text,
                   (unsigned long long)bytes, (unsigned long long)size,
                   one ? ": lth_item gives one number, so reduce it, with lth_mean say" : "");
        return LTH_INVALID;
    }
    if (s->args.mode == ENGINE_RECORD_ONLY) {
        if (++s->reads <= READS_WITHOUT_VALUES)
            return LTH_OK;
        trace_fail(t, file, line,
                   "the step reads value after value, as a loop does that waits for one: it cannot be checked without running");
        return t->error.status = LTH_UNSUPPORTED;
    }
    if (g->options.strategy && g->options.strategy->transform) {
        trace_fail(t, file, line, "strategy '%s' does not serve reading a value in the middle of a step",
                   g->options.strategy->id);
        return LTH_UNSUPPORTED;
    }
    s->segments = memory_grow(s->segments, &s->segment_capacity, s->segment_count + 1, sizeof *s->segments);
    s->segments[s->segment_count++] = (engine_segment) { { t->graph->node_count, value }, NULL };
    error e = { 0 };
    plan *p = plan_find(g, true, &e);
    if (!p)
        return give_up(t, &e);
    s->segments[s->segment_count - 1].plan = p;
    g->stats.segments++;
    g->stats.waits++;
    lth_status status = plan_run(g, p, &out, &e);
    return status ? give_up(t, &e) : LTH_OK;
}
