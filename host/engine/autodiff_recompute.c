/* SPDX-License-Identifier: Apache-2.0
 * engine/autodiff_recompute.c: the way back through a RECOMPUTE region.
 *
 * Its nodes are made once more where the way back meets the region, out of the values that it reads from outside; the gradients
 * that have reached its values are handed over to the copies, and the way leads on through those. So nothing but the copies is
 * read by what lies before, and the region's own values die with the forward pass. Copies and what is derived from them stand in
 * a RECOMPUTE region of their own: simplify keeps two such regions apart, and a second derivative computes this one again. */
#include "engine/autodiff.h"
#include "util/arena.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

uint32_t autodiff_recomputed(const graph *g, uint32_t node)
{
    uint32_t outermost = 0;
    for (uint32_t r = g->nodes[node].region; r != 0; r = g->regions[r].parent)
        if (g->regions[r].kind == LTH_REGION_RECOMPUTE && !graph_encloses(g, r, g->region))
            outermost = r;
    return outermost;
}

static bool any_gradient(const autodiff_pass *p, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        const lth_node *n = &p->g->nodes[i];
        for (uint32_t v = n->first_value; v < n->first_value + n->value_count; v++)
            if (p->gradient[v] != LTH_NO_VALUE)
                return true;
    }
    return false;
}

/* Effects take place once; and what is bound memory or a number is as cheap to read again, where it is seen. */
static bool stays(const graph *g, const lth_node *n, uint32_t region)
{
    bool leaf = n->op == LTH_OP_INPUT || n->op == LTH_OP_STATE || n->op == LTH_OP_SCALAR || n->op == LTH_OP_INTEGER;
    return n->value_count == 0 || (leaf && graph_sees(g, n->first_value, region));
}

/* Nodes begin..end once more. map: gets where their values went. */
static void copy_nodes(autodiff_pass *p, uint32_t region, uint32_t begin, uint32_t end, uint32_t *map)
{
    graph *g = p->g;
    arena memory = { 0 };
    uint32_t copies = g->region, *regions = arena_array(&memory, g->region_count, sizeof *regions);
    memset(regions, 0, g->region_count * sizeof *regions);
    regions[region] = copies;
    for (uint32_t i = begin; i < end; i++)
        if (!stays(g, &g->nodes[i], copies))
            autodiff_copy_node(g, i, map, regions, &memory);
    g->region = copies;
    arena_free(&memory);
}

/* Hands over what is known of values `from` to their copies. */
static void hand_over(autodiff_pass *p, const uint32_t *map, uint32_t from, uint32_t to)
{
    autodiff_reserve(p);
    for (uint32_t v = from; v < to; v++)
        if (map[v] != LTH_NO_VALUE) {
            p->gradient[map[v]] = p->gradient[v];
            p->on_path[map[v]] = p->on_path[v];
        }
}

bool autodiff_recompute(autodiff_pass *p, uint32_t region, uint32_t begin, uint32_t end)
{
    graph *g = p->g;
    if (!any_gradient(p, begin, end))
        return true;
    uint32_t from = g->nodes[begin].first_value, to = g->nodes[end - 1].first_value + g->nodes[end - 1].value_count;
    uint32_t *map = memory_new(g->value_count * sizeof *map), first = g->node_count;
    memset(map, 0xff, g->value_count * sizeof *map); /* LTH_NO_VALUE */
    graph_open_region(g, LTH_REGION_RECOMPUTE);
    copy_nodes(p, region, begin, end, map);
    hand_over(p, map, from, to);
    bool ok = autodiff_walk(p, first, g->node_count);
    for (uint32_t v = from; v < to; v++) /* of a value that is asked for */
        if (map[v] != LTH_NO_VALUE)
            p->gradient[v] = p->gradient[map[v]];
    graph_close_region(g);
    free(map);
    return ok;
}
