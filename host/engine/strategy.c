/* SPDX-License-Identifier: Apache-2.0
 * engine/strategy.c: lth_graph_builder_api: a strategy writes a step's graph anew. */
#include "engine/internal.h"
#include "engine/op_table.h"

#include <lthost/custom.h>

#include <string.h>

typedef struct builder {
    lth_graph_builder head; /* first, so that an lth_graph_builder is one */
    const graph *in;
    graph *out;
    uint32_t next_leaf;
    error error;
} builder;

/* Whether a LOOP_END ends the loop that was begun last. */
static bool ends_open_loop(const graph *out, uint32_t index, const lth_attr_loop *a)
{
    if (!out->region)
        return false;
    const lth_node *begin = &out->nodes[out->regions[out->region].first_node];
    const lth_attr_loop *own = (const void *)(out->attributes + begin->attributes);
    return index == begin->first_value && own->carried == a->carried;
}

/* A LOOP, after which the builder is in its body, or the LOOP_END that leaves it. */
static uint32_t emit_of_loop(builder *b, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                             uint32_t size, uint32_t site)
{
    lth_attr_loop a = { 0 };
    graph *out = b->out;
    if (size == sizeof a)
        memcpy(&a, attributes, sizeof a);
    bool ends = op == LTH_OP_LOOP_END, known = true;
    for (uint32_t i = 0; i < count; i++)
        known = known && operands[i] < out->value_count;
    if (size != sizeof a || !known || count != 1 + (uint64_t)a.carried + (ends ? a.stacked : a.sequences))
        error_set(&b->error, LTH_INVALID, "a loop's node with %u operands and %u bytes of attributes", count, size);
    else if (ends && !ends_open_loop(out, operands[0], &a))
        error_set(&b->error, LTH_INVALID, "a loop_end that does not end the loop which was begun last");
    else
        return ends ? graph_loop_end(out, operands, a.stacked, site, &b->error)
                    : graph_loop_begin(out, &a, operands, site, &b->error);
    return LTH_NO_VALUE;
}

/* A leaf's shape is not in its attributes (one place in an arena may be read as a parameter and as a whole group): it must be a
 * leaf of the graph that is rewritten, the next such one after the last that was found. */
static const lth_shape *leaf_shape(builder *b, uint32_t op, const void *attributes, uint32_t size)
{
    const graph *in = b->in;
    for (uint32_t i = 0; i < in->node_count; i++) {
        uint32_t at = (b->next_leaf + i) % in->node_count;
        const lth_node *n = &in->nodes[at];
        if (n->op == op && n->attributes_size == size && memcmp(in->attributes + n->attributes, attributes, size) == 0) {
            b->next_leaf = at + 1;
            return graph_shape(in, n->first_value);
        }
    }
    return NULL;
}

/* A node's flags go with it: those of a node of the same op, place and attributes in the graph that is rewritten. */
static void take_flags(const graph *in, uint32_t op, const void *attributes, uint32_t size, uint32_t site, graph *out)
{
    for (uint32_t i = 0; i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        if (n->op == op && n->site == site && n->attributes_size == size &&
            (!size || !memcmp(in->attributes + n->attributes, attributes, size)))
            out->nodes[out->node_count - 1].flags = n->flags;
    }
}

/* An author's op of the graph that is rewritten: its shapes follow the operands. */
static uint32_t emit_custom(builder *b, const uint32_t *operands, uint32_t count, const lth_attr_custom *a, uint32_t size,
                            uint32_t site)
{
    if (size >= sizeof *a && a->index < b->in->custom_count && a->size <= size - sizeof *a)
        return graph_emit_custom(b->out, b->in->customs[a->index], operands, count, a + 1, a->size, site, &b->error);
    error_set(&b->error, LTH_INVALID, "custom: a strategy can only use the authors' ops of the graph that it rewrites");
    return LTH_NO_VALUE;
}

static uint32_t emit(lth_graph_builder *h, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                     uint32_t size, uint32_t site)
{
    builder *b = (builder *)h;
    const lth_site *s = site < b->in->site_count ? &b->in->sites[site] : NULL;
    uint32_t place = graph_site(b->out, s ? s->file : "strategy", s ? s->line : 0);
    for (uint32_t i = 0; i < count; i++)
        if (operands[i] == LTH_NO_VALUE)
            return LTH_NO_VALUE;
    if (op == LTH_OP_CUSTOM)
        return emit_custom(b, operands, count, attributes, size, place);
    const op_info *info = op_find(op);
    if (!info || info->shape) {
        uint32_t value = graph_emit(b->out, op, operands, count, attributes, size, place, &b->error);
        if (value != LTH_NO_VALUE)
            take_flags(b->in, op, attributes, size, site, b->out);
        return value;
    }
    if (op == LTH_OP_LOOP || op == LTH_OP_LOOP_END)
        return emit_of_loop(b, op, operands, count, attributes, size, place);
    const lth_shape *shape = leaf_shape(b, op, attributes, size);
    if (shape)
        return graph_append(b->out, op, NULL, 0, attributes, size, place, shape, 1);
    error_set(&b->error, LTH_INVALID, "%s: a strategy can only use the leaves of the graph that it rewrites", info->name);
    return LTH_NO_VALUE;
}

static const lth_graph_builder_api api = { .struct_size = sizeof(lth_graph_builder_api), .emit = emit };

bool engine_transform(engine *g, const graph *in, graph *out, error *e)
{
    builder b = { .head = { &api }, .in = in, .out = out };
    lth_graph view;
    graph_view(in, &view);
    lth_status status = g->options.strategy->transform(g->options.strategy_self, &view, &b.head);
    if (!b.error.status && !status && out->region)
        error_set(&b.error, LTH_INVALID, "it begins a loop that it does not end");
    if (b.error.status)
        error_set(e, b.error.status, "strategy '%s': %s", g->options.strategy->id, b.error.text);
    else if (status)
        error_set(e, status, "strategy '%s' cannot serve this step", g->options.strategy->id);
    return !b.error.status && !status;
}
