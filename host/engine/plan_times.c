/* SPDX-License-Identifier: Apache-2.0
 * engine/plan_times.c */
#include "engine/plan_times.h"

#include "engine/internal.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

void plan_times_free(plan_times *p)
{
    map_free(&p->by_key);
    arena_free(&p->memory);
    free(p->launches);
    free(p->hooks);
}

static bool tell(const engine *g, const lth_plan *compiled, uint32_t index, lth_launch *out)
{
    *out = (lth_launch) { .struct_size = sizeof *out };
    return g->options.accelerator->launch && g->options.accelerator->launch(g->options.accelerator_self, compiled, index, out);
}

lth_launch_time *plan_times_new(engine *g, const lth_plan *compiled, uint32_t *count)
{
    lth_launch launch;
    *count = 0;
    while (tell(g, compiled, *count, &launch))
        ++*count;
    return *count ? memory_new(*count * sizeof(lth_launch_time)) : NULL;
}

/* ---- Rows ---- */

/* The row of a launch, made where it is the first of its kind. */
static engine_launch *row_of(plan_times *p, const char *hook, const graph *in, const lth_launch *l)
{
    const lth_node *n = &in->nodes[l->node];
    const lth_site *s = &in->sites[n->site];
    char result[220] = "", key[1024];
    if (n->value_count)
        describe_shape(graph_shape(in, n->first_value), result, sizeof result);
    const char *ops = l->node_count > 1 && l->ops[0] ? l->ops : describe_op(in, n);
    snprintf(key, sizeof key, "%s|%s|%s|%s|%s|%u|%u|%d|%g", hook, ops, result, l->how, s->file ? s->file : "?", s->line,
             n->flags & LTH_NODE_GRADIENT, l->threads, l->flops);
    size_t index = (size_t)(uintptr_t)map_get(&p->by_key, key);
    if (index)
        return &p->launches[index - 1];
    p->launches = memory_grow(p->launches, &p->capacity, p->count + 1, sizeof *p->launches);
    engine_launch *row = &p->launches[p->count++];
    *row = (engine_launch) { .hook = arena_copy_text(&p->memory, hook),
                             .ops = arena_copy_text(&p->memory, ops),
                             .result = arena_copy_text(&p->memory, result),
                             .how = arena_copy_text(&p->memory, l->how),
                             .file = s->file ? s->file : "?",
                             .line = s->line,
                             .node_count = l->node_count,
                             .gradient = n->flags & LTH_NODE_GRADIENT,
                             .threads = l->threads };
    map_put(&p->by_key, key, (void *)(uintptr_t)p->count);
    return row;
}

void plan_times_collect_launches(engine *g, const char *hook, const graph *in, const lth_plan *compiled, lth_launch_time *times,
                                 uint32_t count)
{
    lth_launch launch;
    for (uint32_t i = 0; i < count; i++) {
        if (!times[i].runs || !tell(g, compiled, i, &launch) || launch.node >= in->node_count)
            continue;
        engine_launch *row = row_of(&g->times, hook, in, &launch);
        row->runs += times[i].runs;
        row->nanoseconds += times[i].nanoseconds;
        row->flops += launch.flops * (double)times[i].runs;
        row->bytes += (double)launch.bytes * (double)times[i].runs;
        times[i] = (lth_launch_time) { 0, 0 };
    }
}

static engine_hook_time *hook_of(plan_times *p, const char *hook)
{
    for (size_t i = 0; i < p->hook_count; i++)
        if (strcmp(p->hooks[i].hook, hook) == 0)
            return &p->hooks[i];
    p->hooks = memory_grow(p->hooks, &p->hook_capacity, p->hook_count + 1, sizeof *p->hooks);
    p->hooks[p->hook_count] = (engine_hook_time) { .hook = arena_copy_text(&p->memory, hook) };
    return &p->hooks[p->hook_count++];
}

void plan_times_collect(engine *g, plan *p)
{
    if (!p->runs)
        return;
    engine_hook_time *hook = hook_of(&g->times, p->hook);
    hook->steps += p->segment ? 0 : p->runs;
    hook->nanoseconds += p->nanoseconds;
    hook->reading += p->segment ? p->nanoseconds : 0;
    p->runs = p->nanoseconds = 0;
    plan_times_collect_launches(g, p->hook, &p->graph, p->compiled, p->times, p->launch_count);
}

void engine_get_profile(engine *g, engine_profile *out)
{
    for (size_t i = 0; i < g->cache.count; i++)
        plan_times_collect(g, g->cache.plans[i]);
    eager_profile(g);
    const plan_times *p = &g->times;
    *out = (engine_profile) { p->launches, p->hooks, p->count, p->hook_count };
}
