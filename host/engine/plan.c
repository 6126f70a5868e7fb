/* SPDX-License-Identifier: Apache-2.0
 * engine/plan.c: the key of a plan, and how plans are found and forgotten. */
#include "engine/plan.h"

#include "engine/internal.h"
#include "util/clock.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- The key ---- */

/* A node's fields before `site`, and the one after it. */
static bool nodes_equal(const lth_node *a, const lth_node *b)
{
    return memcmp(a, b, offsetof(lth_node, site)) == 0 && a->flags == b->flags;
}

static bool bytes_equal(const void *a, const void *b, size_t size) { return size == 0 || memcmp(a, b, size) == 0; }

bool graphs_equal(const graph *a, const graph *b)
{
    if (a->node_count != b->node_count || a->value_count != b->value_count || a->operand_count != b->operand_count ||
        a->attributes_size != b->attributes_size || a->region_count != b->region_count ||
        a->custom_count != b->custom_count)
        return false;
    /* Places are the same, too, most of the time. */
    bool same = bytes_equal(a->nodes, b->nodes, a->node_count * sizeof *a->nodes);
    for (uint32_t i = 0; i < a->node_count && !same; i++)
        if (!nodes_equal(&a->nodes[i], &b->nodes[i]))
            return false;
    for (uint32_t i = 1; i < a->region_count; i++)
        if (memcmp(&a->regions[i], &b->regions[i], sizeof *a->regions) != 0)
            return false;
    return bytes_equal(a->operands, b->operands, a->operand_count * sizeof *a->operands) &&
           bytes_equal(a->attributes, b->attributes, a->attributes_size) &&
           bytes_equal(a->values, b->values, a->value_count * sizeof *a->values) &&
           bytes_equal(a->customs, b->customs, a->custom_count * sizeof *a->customs);
}

void graph_hash(const graph *g, hash *h)
{
    for (uint32_t i = 0; i < g->node_count; i++) {
        hash_bytes(h, &g->nodes[i], offsetof(lth_node, site));
        hash_u64(h, g->nodes[i].flags);
    }
    for (uint32_t i = 1; i < g->region_count; i++)
        hash_bytes(h, &g->regions[i], sizeof *g->regions);
    hash_bytes(h, g->operands, g->operand_count * sizeof *g->operands);
    hash_bytes(h, g->attributes, g->attributes_size);
    hash_bytes(h, g->values, g->value_count * sizeof *g->values);
}

static uint64_t key_hash(const engine *g, bool segment)
{
    hash h;
    hash_start(&h, 0);
    hash_text(&h, g->step.args.hook);
    hash_u64(&h, (uint64_t)g->step.args.training | (uint64_t)segment << 1);
    for (size_t i = 0; i < g->step.segment_count; i++)
        hash_bytes(&h, &g->step.segments[i].boundary, sizeof(plan_boundary));
    graph_hash(g->trace.graph, &h);
    return hash_value(&h) & g->cache.hash_mask;
}

static bool matches(const engine *g, const plan *p, bool segment)
{
    const engine_step *s = &g->step;
    if (p->segment != segment || p->training != s->args.training || p->boundary_count != s->segment_count ||
        strcmp(p->hook, s->args.hook) != 0)
        return false;
    for (uint32_t i = 0; i < p->boundary_count; i++)
        if (memcmp(&p->boundaries[i], &s->segments[i].boundary, sizeof p->boundaries[i]) != 0)
            return false;
    return graphs_equal(&p->record, g->trace.graph);
}

/* ---- Finding ---- */

static plan *look_up(engine *g, bool segment)
{
    plan_cache *c = &g->cache;
    if (c->last && c->last->successor && matches(g, c->last->successor, segment))
        return c->last->successor;
    uint64_t hash = key_hash(g, segment);
    for (size_t i = 0; i < c->count; i++)
        if (c->plans[i]->hash == hash && matches(g, c->plans[i], segment))
            return c->plans[i];
    return NULL;
}

static void *copy(const void *from, size_t size) { return size ? memcpy(memory_new(size), from, size) : NULL; }

/* An exact copy of a graph, no larger than it needs to be. */
static void copy_graph(const graph *in, graph *out)
{
    graph_init(out);
    *out = (graph) {
        .nodes = copy(in->nodes, in->node_count * sizeof *in->nodes),
        .node_count = in->node_count,
        .node_capacity = in->node_count,
        .values = copy(in->values, in->value_count * sizeof *in->values),
        .value_count = in->value_count,
        .value_capacity = in->value_count,
        .operands = copy(in->operands, in->operand_count * sizeof *in->operands),
        .operand_count = in->operand_count,
        .operand_capacity = in->operand_count,
        .attributes = copy(in->attributes, in->attributes_size),
        .attributes_size = in->attributes_size,
        .attributes_capacity = in->attributes_size,
        .sites = copy(in->sites, in->site_count * sizeof *in->sites),
        .site_count = in->site_count,
        .site_capacity = in->site_count,
        .regions = in->region_count > 1 ? copy(in->regions, in->region_count * sizeof *in->regions) : NULL,
        .region_count = in->region_count,
        .region_capacity = in->region_count > 1 ? in->region_count : 0,
        .region = in->region,
        .input_count = in->input_count,
        .output_count = in->output_count,
        .scalar_count = in->scalar_count,
        .arenas = in->arenas,
        .arena_count = in->arena_count,
        .customs = copy(in->customs, in->custom_count * sizeof *in->customs),
        .custom_count = in->custom_count,
        .custom_capacity = in->custom_count,
        .step = in->step,
    };
}

static plan *new_plan(engine *g, bool segment)
{
    const engine_step *s = &g->step;
    plan *p = memory_new(sizeof *p);
    p->hook = str_dup(s->args.hook);
    p->training = s->args.training;
    p->segment = segment;
    copy_graph(g->trace.graph, &p->record);
    graph_init(&p->graph);
    p->field_count = p->record.input_count;
    p->field_names = memory_new(p->field_count * sizeof *p->field_names + 1);
    for (uint32_t i = 0; i < p->field_count; i++)
        p->field_names[i] = str_dup(s->args.fields[i].name);
    p->boundary_count = (uint32_t)s->segment_count;
    p->boundaries = memory_new(s->segment_count * sizeof *p->boundaries + 1);
    for (uint32_t i = 0; i < p->boundary_count; i++)
        p->boundaries[i] = s->segments[i].boundary;
    p->hash = key_hash(g, segment);
    return p;
}

/* Tells once that a hook's plans have become many: its shapes or its control flow vary. */
static void warn_of_many(engine *g, const plan *p)
{
    uint32_t same = 0;
    for (size_t i = 0; i < g->cache.count; i++)
        same += strcmp(g->cache.plans[i]->hook, p->hook) == 0;
    if (same == PLAN_WARN_AFTER + 1)
        engine_say(g, "warning: %s has needed %u plans so far, and each costs time to make. The last was new because: %s",
                   p->hook, same, str_text(&g->cause));
}

static plan *make(engine *g, bool segment, error *e)
{
    plan *p = new_plan(g, segment);
    double start = clock_seconds();
    describe_cause(g, p);
    if (!plan_compile(g, p, e)) {
        plan_free(g, p);
        return NULL;
    }
    g->stats.compile_seconds += clock_seconds() - start;
    g->stats.plans_compiled++;
    g->stats.plan_memory += (uint64_t)p->info.memory;
    g->cache.plans = memory_grow(g->cache.plans, &g->cache.capacity, g->cache.count + 1, sizeof *g->cache.plans);
    g->cache.plans[g->cache.count++] = p;
    warn_of_many(g, p);
    return p;
}

plan *plan_find(engine *g, bool segment, error *e)
{
    plan *p = look_up(g, segment);
    if (p)
        g->stats.plan_hits++;
    else
        p = make(g, segment, e);
    if (!p)
        return NULL;
    p->used = ++g->cache.tick;
    if (g->cache.last)
        g->cache.last->successor = p;
    g->cache.last = p;
    return p;
}

/* ---- Forgetting ---- */

static void remove_at(engine *g, size_t index)
{
    plan_cache *c = &g->cache;
    plan *p = c->plans[index];
    c->plans[index] = c->plans[--c->count];
    for (size_t i = 0; i < c->count; i++)
        if (c->plans[i]->successor == p)
            c->plans[i]->successor = NULL;
    if (c->last == p)
        c->last = NULL;
    if (g->last_plan == p)
        g->last_plan = NULL;
    g->stats.plan_memory -= (uint64_t)p->info.memory;
    plan_free(g, p);
}

void plan_cache_trim(engine *g)
{
    plan_cache *c = &g->cache;
    while (c->count > PLAN_CACHE_LIMIT || (c->count > PLAN_CACHE_LEAST && g->stats.plan_memory > c->memory_limit)) {
        size_t oldest = 0;
        for (size_t i = 1; i < c->count; i++)
            if (c->plans[i]->used < c->plans[oldest]->used)
                oldest = i;
        remove_at(g, oldest);
    }
}

void plan_cache_free(engine *g)
{
    while (g->cache.count)
        remove_at(g, g->cache.count - 1);
    free(g->cache.plans);
}

void plan_free(engine *g, plan *p)
{
    plan_times_collect(g, p);
    if (p->compiled && g->options.accelerator->release)
        g->options.accelerator->release(g->options.accelerator_self, p->compiled);
    if (p->eager)
        eager_free(g, p->eager);
    graph_free(&p->record);
    graph_free(&p->graph);
    for (uint32_t i = 0; i < p->field_count; i++)
        free(p->field_names[i]);
    free(p->field_names);
    free(p->hook);
    free(p->boundaries);
    free(p->map);
    free(p->scalars);
    free(p->inputs);
    free(p->kept);
    free(p->outputs);
    free(p->times);
    free(p);
}
