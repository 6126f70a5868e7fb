/* SPDX-License-Identifier: Apache-2.0
 * engine/constants.c: fixed numbers as run-time scalars. */
#include "engine/passes.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

void constants_free(constants *c)
{
    free(c->values);
    free(c->leaves);
    memset(c, 0, sizeof *c);
}

/* Equal in their bits: -0 is not 0, and a NaN is itself. */
static uint32_t slot_of(constants *c, double value)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (memcmp(&c->values[i], &value, sizeof value) == 0)
            return i;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 32;
        c->values = memory_resize(c->values, c->capacity * sizeof *c->values);
        c->leaves = memory_resize(c->leaves, c->capacity * LTH_DTYPE_COUNT * sizeof *c->leaves);
    }
    for (uint32_t t = 0; t < LTH_DTYPE_COUNT; t++)
        c->leaves[c->count * LTH_DTYPE_COUNT + t] = LTH_NO_VALUE;
    c->values[c->count] = value;
    return c->count++;
}

/* Whether the value is that leaf in this graph: what was noted may have been of another. */
static bool is_leaf(const graph *g, uint32_t value, uint32_t slot, lth_dtype dtype)
{
    if (value >= g->value_count || g->values[value].shape.dtype != dtype)
        return false;
    const lth_node *n = &g->nodes[g->values[value].node];
    lth_attr_slot a;
    if (n->op != LTH_OP_SCALAR || !graph_sees(g, value, g->region))
        return false;
    memcpy(&a, g->attributes + n->attributes, sizeof a);
    return a.slot == slot;
}

uint32_t constants_value(constants *c, graph *g, double value, lth_dtype dtype, uint32_t site, error *e)
{
    if (lth_dtype_size(dtype) == 0) {
        error_set(e, LTH_ERROR, "a constant of type %u, which is none", dtype);
        return LTH_NO_VALUE;
    }
    uint32_t index = slot_of(c, value), slot = c->first_slot + index, *leaf = &c->leaves[index * LTH_DTYPE_COUNT + dtype];
    if (!is_leaf(g, *leaf, slot, dtype)) {
        lth_attr_slot a = { slot, 0 };
        lth_shape shape = { dtype, 0, { 0 } };
        *leaf = graph_append(g, LTH_OP_SCALAR, NULL, 0, &a, sizeof a, site, &shape, 1);
    }
    return *leaf;
}
