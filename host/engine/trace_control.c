/* SPDX-License-Identifier: Apache-2.0
 * engine/trace_control.c: recording loops and checkpoints. */
#include "engine/internal.h"
#include "engine/trace.h"

#include <string.h>

static trace *of(lth_trace *t) { return (trace *)t; }

static lth_tensor poison(trace *t) { return trace_tensor(t, LTH_NO_VALUE); }

static const lth_site *site_of_region(const graph *g, uint32_t region)
{
    return &g->sites[g->nodes[g->regions[region].first_node].site];
}

const lth_site *trace_open_loop(const trace *t)
{
    uint32_t loop = t->graph->region ? graph_region_of_kind(t->graph, t->graph->region, LTH_REGION_LOOP) : 0;
    return loop ? site_of_region(t->graph, loop) : NULL;
}

bool trace_outside_loops(trace *t, const char *what, const char *file, uint32_t line)
{
    const lth_site *loop = trace_open_loop(t);
    if (loop)
        trace_fail(t, file, line, "%s in the body of the loop at %s:%u: only before or after it, on what is carried or stacked",
                   what, loop->file, loop->line);
    return !loop;
}

void trace_close(trace *t)
{
    const graph *g = t->graph;
    if (t->error.status || g->region == 0)
        return;
    bool checkpoint = g->regions[g->region].kind == LTH_REGION_RECOMPUTE;
    const lth_site *s = checkpoint ? &t->checkpoint : site_of_region(g, g->region);
    trace_fail(t, s->file, s->line,
               checkpoint ? "lth_checkpoint_begin without lth_checkpoint_end" : "lth_loop_begin without lth_loop_end");
}

/* ---- Loops ---- */

/* What is read of state and batch is the step's, even where a body reads it first. */
static void read_leaves(trace *t, uint32_t site)
{
    const engine *g = t->engine;
    if (t->constants || trace_open_loop(t))
        return;
    for (uint32_t i = 0; i < g->state.parameters.count; i++)
        trace_parameter(t, i, site);
    for (uint32_t i = 0; i < g->state.buffers.count; i++)
        trace_buffer(t, i, site);
    for (uint32_t i = 0; i < g->step.args.field_count; i++)
        trace_field(t, i, site);
}

/* The values of tensors into ids; false with an error. */
static bool values_of(trace *t, const lth_tensor *x, uint32_t count, uint32_t *ids, const char *kind, const char *file,
                      uint32_t line)
{
    for (uint32_t i = 0; i < count; i++) {
        char what[64];
        snprintf(what, sizeof what, "loop: %s %u", kind, i);
        ids[i] = trace_value(t, x[i], what, file, line);
        if (ids[i] == LTH_NO_VALUE)
            return false;
    }
    return true;
}

static uint32_t all_turns(trace *t, int64_t length, uint32_t site)
{
    const lth_shape number = { LTH_I64, 0, { 0 } };
    lth_attr_integer value = { length };
    return graph_append(t->graph, LTH_OP_INTEGER, NULL, 0, &value, sizeof value, site, &number, 1);
}

static lth_tensor with_place(trace *t, uint32_t value, const char *file, uint32_t line)
{
    if (value == LTH_NO_VALUE)
        error_prefix(&t->error, "%s:%u: ", file, line);
    return trace_tensor(t, value);
}

lth_tensor trace_loop_begin(lth_trace *h, lth_tensor count, const lth_attr_loop *loop, const lth_tensor *carried,
                            const lth_tensor *sequences, const char *file, uint32_t line)
{
    trace *t = of(h);
    if (!trace_ready(t, file, line))
        return poison(t);
    uint32_t site = graph_site(t->graph, file, line), *ids = trace_ids(t, 1 + (size_t)loop->carried + loop->sequences);
    ids[0] =
        lth_is_none(count) ? all_turns(t, loop->length, site) : trace_value(t, count, "loop: the number of turns", file, line);
    if (ids[0] == LTH_NO_VALUE || !values_of(t, carried, loop->carried, ids + 1, "initial value", file, line) ||
        !values_of(t, sequences, loop->sequences, ids + 1 + loop->carried, "sequence", file, line))
        return poison(t);
    read_leaves(t, site);
    return with_place(t, graph_loop_begin(t->graph, loop, ids, site, &t->error), file, line);
}

/* The LOOP whose body is open, if it is the one that x is the index of. */
static const lth_node *open_loop(trace *t, lth_tensor x, const char *file, uint32_t line)
{
    const graph *g = t->graph;
    uint32_t index = x.trace == &t->head && x.generation == t->generation ? x.node : LTH_NO_VALUE;
    const lth_node *n = index < g->value_count ? &g->nodes[g->values[index].node] : NULL;
    if (!n || n->op != LTH_OP_LOOP || !graph_encloses(g, n->region, g->region))
        trace_fail(t, file, line, "lth_loop_end of a loop that is not open: it was ended before, or begun in another step");
    else if (g->regions[g->region].kind == LTH_REGION_RECOMPUTE)
        trace_fail(t, file, line, "lth_loop_end before lth_checkpoint_end of what begins at %s:%u", t->checkpoint.file,
                   t->checkpoint.line);
    else if (n->region != g->region)
        trace_fail(t, file, line, "lth_loop_end of the outer loop first; the one within it, begun at %s:%u, is still open",
                   site_of_region(g, g->region)->file, site_of_region(g, g->region)->line);
    else
        return n;
    return NULL;
}

lth_tensor trace_loop_end(lth_trace *h, lth_tensor index, const lth_tensor *next, uint32_t next_count, const lth_tensor *parts,
                          uint32_t part_count, const char *file, uint32_t line)
{
    trace *t = of(h);
    const lth_node *begin = trace_ready(t, file, line) ? open_loop(t, index, file, line) : NULL;
    if (!begin)
        return poison(t);
    const lth_attr_loop *loop = (const void *)(t->graph->attributes + begin->attributes);
    if (loop->carried != next_count)
        return trace_fail(t, file, line, "lth_loop_end: %u next values for the %u that the loop carries", next_count,
                          loop->carried);
    uint32_t *ids = trace_ids(t, 1 + (size_t)next_count + part_count);
    ids[0] = begin->first_value;
    if (!values_of(t, next, next_count, ids + 1, "next value", file, line) ||
        !values_of(t, parts, part_count, ids + 1 + next_count, "part", file, line))
        return poison(t);
    uint32_t site = graph_site(t->graph, file, line);
    return with_place(t, graph_loop_end(t->graph, ids, part_count, site, &t->error), file, line);
}

/* ---- Checkpoints ---- */

void trace_checkpoint(lth_trace *h, uint32_t begin, const char *file, uint32_t line)
{
    trace *t = of(h);
    graph *g = t->graph;
    if (!trace_ready(t, file, line))
        return;
    if (t->constants) {
        trace_fail(t, file, line, "a checkpoint within a rule (an optimizer's, or a custom op's gradient), which keeps nothing");
    } else if (begin) {
        graph_open_region(g, LTH_REGION_RECOMPUTE);
        t->checkpoint = (lth_site) { file, line, 0 };
    } else if (g->region && g->regions[g->region].kind == LTH_REGION_RECOMPUTE) {
        graph_close_region(g);
        uint32_t around = graph_region_of_kind(g, g->region, LTH_REGION_RECOMPUTE);
        if (around)
            t->checkpoint = *site_of_region(g, around);
    } else if (graph_region_of_kind(g, g->region, LTH_REGION_RECOMPUTE)) {
        trace_fail(t, file, line, "lth_checkpoint_end in the body of the loop at %s:%u, which began after lth_checkpoint_begin",
                   site_of_region(g, g->region)->file, site_of_region(g, g->region)->line);
    } else {
        trace_fail(t, file, line, "lth_checkpoint_end without lth_checkpoint_begin");
    }
}
