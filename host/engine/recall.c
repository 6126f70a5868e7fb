/* SPDX-License-Identifier: Apache-2.0
 * engine/recall.c */
#include "engine/recall.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

void recall_free(recall *r)
{
    free(r->calls);
    *r = (recall) { 0 };
}

void recall_begin(recall *r, uint32_t generation)
{
    r->count = r->same = 0;
    r->generation = generation;
}

recall_mark recall_mark_of(const graph *g)
{
    return (recall_mark) { g->node_count, g->value_count, g->operand_count, g->attributes_size };
}

void recall_keep(recall *r, const graph *g, const recall_mark *before, uint32_t op, const uint32_t *operands, uint32_t count,
                 const void *attributes, uint32_t size, uint32_t site, uint32_t value)
{
    r->calls = memory_grow(r->calls, &r->capacity, r->count + 1, sizeof *r->calls);
    recall_call *c = &r->calls[r->count++];
    r->known = r->count > r->known ? r->count : r->known;
    c->since = c->generation = 0;
    if (g->region != 0 || count > RECALL_OPERANDS || size > RECALL_ATTRIBUTES)
        return;
    c->since = c->generation = r->generation;
    c->op = op;
    c->operand_count = count;
    c->attributes_size = size;
    c->site = site;
    c->value = value;
    c->before = *before;
    c->after = recall_mark_of(g);
    for (uint32_t i = 0; i < count; i++)
        c->operands[i] = operands[i];
    if (size)
        memcpy(c->attributes, attributes, size);
}

/* Whether the values up to this one are those of the record before. */
static bool same_values(recall *r, const graph *past, const graph *g, uint32_t value)
{
    if (value < r->same)
        return true;
    size_t more = value + 1 - r->same;
    if (value >= past->value_count || memcmp(past->values + r->same, g->values + r->same, more * sizeof *g->values) != 0)
        return false;
    r->same = value + 1;
    return true;
}

static bool same_call(recall *r, const recall_call *c, const graph *past, const graph *g, uint32_t op, const uint32_t *operands,
                      uint32_t count, const void *attributes, uint32_t size)
{
    if (c->op != op || c->operand_count != count || c->attributes_size != size || c->generation + 1 != r->generation ||
        c->before.nodes != g->node_count || c->before.values != g->value_count || c->before.operands != g->operand_count ||
        c->before.attributes != g->attributes_size || g->region != 0 || (size && memcmp(c->attributes, attributes, size) != 0))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (c->operands[i] != operands[i] || !same_values(r, past, g, operands[i]))
            return false;
    return true;
}

uint32_t recall_again(recall *r, const graph *past, graph *g, uint32_t op, const uint32_t *operands, uint32_t count,
                      const void *attributes, uint32_t size, uint32_t site)
{
    recall_call *c = r->count < r->known ? &r->calls[r->count] : NULL;
    if (!c || !same_call(r, c, past, g, op, operands, count, attributes, size))
        return LTH_NO_VALUE;
    if (c->site != site) {
        c->site = site;
        c->since = r->generation;
    }
    /* Written in this very place two records ago: it is there. */
    const graph *from = r->generation - c->since >= 2 ? g : past;
    graph_copy_tail(from, g, c->after.nodes, c->after.values, c->after.operands, c->after.attributes, site);
    if (r->same == c->before.values)
        r->same = c->after.values;
    c->generation = r->generation;
    r->count++;
    return c->value;
}
