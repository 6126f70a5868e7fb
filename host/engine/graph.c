/* SPDX-License-Identifier: Apache-2.0
 * engine/graph.c */
#include "engine/graph.h"
#include "engine/op_table.h"
#include "engine/ops.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

void graph_init(graph *g)
{
    memset(g, 0, sizeof *g);
    g->step.kind = LTH_REGION_STEP;
    g->region_count = 1;
}

void graph_free(graph *g)
{
    free(g->nodes);
    free(g->values);
    free(g->operands);
    free(g->attributes);
    free(g->sites);
    free(g->regions);
    free(g->customs);
    free(g->shapes);
    free(g->results);
    graph_init(g);
}

void graph_reset(graph *g)
{
    g->node_count = g->value_count = g->operand_count = g->attributes_size = g->site_count = 0;
    g->input_count = g->output_count = g->scalar_count = g->step.node_count = g->region = g->custom_count = 0;
    g->region_count = 1;
}

static void *grow(void *at, uint32_t *capacity, uint32_t needed, size_t item)
{
    size_t grown = *capacity;
    at = memory_grow(at, &grown, needed < 64 ? 64 : needed, item);
    *capacity = (uint32_t)grown;
    return at;
}

#define RESERVE(g, array, capacity, count) \
    ((count) <= (g)->capacity ? (void)0 : (void)((g)->array = grow((g)->array, &(g)->capacity, (count), sizeof *(g)->array)))

/* Room for one more node, so that what follows writes in place. */
static void reserve_node(graph *g, uint32_t operands, uint32_t results, uint32_t attributes_size)
{
    RESERVE(g, nodes, node_capacity, g->node_count + 1);
    RESERVE(g, values, value_capacity, g->value_count + results);
    RESERVE(g, operands, operand_capacity, g->operand_count + operands);
    RESERVE(g, attributes, attributes_capacity, g->attributes_size + attributes_size);
}

uint32_t graph_site(graph *g, const char *file, uint32_t line)
{
    if (g->site_count > 0) {
        const lth_site *last = &g->sites[g->site_count - 1];
        if (last->line == line && last->file == file)
            return g->site_count - 1;
    }
    RESERVE(g, sites, site_capacity, g->site_count + 1);
    g->sites[g->site_count] = (lth_site) { file, line, 0 };
    return g->site_count++;
}

uint32_t graph_add_custom(graph *g, const struct lth_custom_op *op)
{
    for (uint32_t i = 0; i < g->custom_count; i++)
        if (g->customs[i] == op)
            return i;
    RESERVE(g, customs, custom_capacity, g->custom_count + 1);
    g->customs[g->custom_count] = op;
    return g->custom_count++;
}

static void at_least(uint32_t *count, uint32_t slot)
{
    if (*count <= slot)
        *count = slot + 1;
}

static void count_slot(graph *g, uint32_t op, const void *attributes)
{
    const lth_attr_slot *a = attributes;
    if (op == LTH_OP_INPUT)
        at_least(&g->input_count, a->slot);
    else if (op == LTH_OP_SCALAR)
        at_least(&g->scalar_count, a->slot);
    else if (op == LTH_OP_OUTPUT)
        at_least(&g->output_count, a->slot);
}

/* The open region, and those around it, have one more node. */
static void count_in_region(graph *g, uint32_t node)
{
    for (uint32_t i = g->region; i != 0; i = g->regions[i].parent) {
        lth_region *r = &g->regions[i];
        if (r->node_count == 0)
            r->first_node = node;
        r->node_count = node + 1 - r->first_node;
    }
}

/* Field by field: a literal would be built aside and copied, three times as slow. */
static inline void write_node(graph *g, uint32_t op, uint32_t operands, uint32_t size, uint32_t site, uint32_t results)
{
    lth_node *n = &g->nodes[g->node_count];
    n->op = op;
    n->region = g->region;
    n->first_operand = g->operand_count;
    n->operand_count = operands;
    n->first_value = g->value_count;
    n->value_count = results;
    n->attributes = g->attributes_size;
    n->attributes_size = size;
    n->site = site;
    n->flags = 0;
}

/* The node of what reserve_node made room for: attributes are in place already, values get their makers here. */
static uint32_t commit_node(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, uint32_t size, uint32_t site,
                            uint32_t result_count)
{
    uint32_t first = g->value_count, node = g->node_count;
    write_node(g, op, count, size, site, result_count);
    for (uint32_t i = 0; i < count; i++)
        g->operands[g->operand_count + i] = operands[i];
    for (uint32_t i = 0; i < result_count; i++)
        g->values[first + i].node = node, g->values[first + i].index = i;
    if ((op >= LTH_OP_INPUT && op <= LTH_OP_SCALAR) || op == LTH_OP_OUTPUT)
        count_slot(g, op, g->attributes + g->attributes_size);
    g->operand_count += count;
    g->attributes_size += size;
    g->value_count += result_count;
    if (g->region)
        count_in_region(g, node);
    g->step.node_count = ++g->node_count;
    return first;
}

uint32_t graph_append(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                      uint32_t attributes_size, uint32_t site, const lth_shape *results, uint32_t result_count)
{
    reserve_node(g, count, result_count, attributes_size);
    if (attributes_size > 0)
        memcpy(g->attributes + g->attributes_size, attributes, attributes_size);
    for (uint32_t i = 0; i < result_count; i++)
        g->values[g->value_count + i].shape = results[i];
    return commit_node(g, op, operands, count, attributes_size, site, result_count);
}

uint32_t graph_append_leaf(graph *g, uint32_t op, const void *attributes, uint32_t attributes_size, uint32_t site,
                           const lth_shape *result)
{
    uint32_t node = g->node_count, value = g->value_count;
    RESERVE(g, nodes, node_capacity, node + 1);
    RESERVE(g, values, value_capacity, value + 1);
    RESERVE(g, attributes, attributes_capacity, g->attributes_size + attributes_size);
    uint8_t *own = (uint8_t *)g->attributes + g->attributes_size;
    if (attributes_size == sizeof(lth_attr_slot)) /* most are */
        memcpy(own, attributes, sizeof(lth_attr_slot));
    else
        memcpy(own, attributes, attributes_size);
    g->values[value].shape = *result;
    g->values[value].node = node;
    g->values[value].index = 0;
    write_node(g, op, 0, attributes_size, site, 1);
    count_slot(g, op, own);
    g->attributes_size += attributes_size;
    g->value_count = value + 1;
    if (g->region)
        count_in_region(g, node);
    g->step.node_count = g->node_count = node + 1;
    return value;
}

lth_shape *graph_shapes(graph *g, uint32_t n)
{
    RESERVE(g, results, results_capacity, n);
    return g->results;
}

static uint32_t refuse(const op_info *info, error *e, const char *what, uint64_t got, uint64_t wanted)
{
    error_set(e, LTH_INVALID, "%s: %s: %llu given, %llu expected", info->name, what, (unsigned long long)got,
              (unsigned long long)wanted);
    return LTH_NO_VALUE;
}

/* What can be said of a call without looking at shapes. */
static bool call_is_well_formed(const graph *g, const op_info *info, const uint32_t *operands, uint32_t count,
                                const void *attributes, uint32_t size, error *e)
{
    if (count < info->min_operands)
        refuse(info, e, "too few operands", count, info->min_operands);
    else if (count > info->max_operands && info->max_operands != OP_ANY_NUMBER)
        refuse(info, e, "too many operands", count, info->max_operands);
    else if (size != info->attributes_size || (size > 0 && !attributes))
        refuse(info, e, "wrong size of attributes", attributes ? size : 0, info->attributes_size);
    else {
        for (uint32_t i = 0; i < count; i++)
            if (operands[i] >= g->value_count)
                return error_set(e, LTH_INVALID, "%s: operand %u is no value of this graph", info->name, i), false;
        return true;
    }
    return false;
}

/* The op's line in the table, if a call of it has the right form. */
static const op_info *op_of_call(const graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                                 uint32_t size, error *e)
{
    const op_info *info = op_find(op);
    if (!info)
        error_set(e, LTH_INVALID, "there is no op %u; the plugin may be newer than this host", op);
    else if (!info->shape)
        error_set(e, LTH_INVALID, "%s: only the host records this op, as its shape is known to it alone", info->name);
    else if (call_is_well_formed(g, info, operands, count, attributes, size, e))
        return info;
    return NULL;
}

/* A call of the right form: what is left is the op's own rule. Everything is written where it stays. */
static uint32_t emit(graph *g, const op_info *info, const uint32_t *operands, uint32_t count, const void *attributes,
                     uint32_t attributes_size, uint32_t site, error *e)
{
    bool like_operands = info->kind == OP_SYMBOLIC; /* a result for each operand (after the loss), and like it */
    uint32_t result_count = info->code == LTH_OP_GRAD ? count - 1 : like_operands ? count : info->results;
    reserve_node(g, count, result_count, attributes_size);
    RESERVE(g, shapes, shapes_capacity, count);
    for (uint32_t i = 0; i < count; i++)
        g->shapes[i] = &g->values[operands[i]].shape;
    lth_value *values = g->values + g->value_count;
    void *own = g->attributes + g->attributes_size;
    if (attributes_size > 0)
        memcpy(own, attributes, attributes_size);
    lth_shape several[OP_MAX_RESULTS];
    op_shapes s = { g->shapes, count, attributes_size, own, result_count == 1 ? &values->shape : several, e };
    if (!info->shape(&s)) {
        error_prefix(e, "%s: ", info->name);
        return LTH_NO_VALUE;
    }
    if (like_operands)
        for (uint32_t i = 0; i < result_count; i++)
            values[i].shape = *g->shapes[count - result_count + i];
    else if (result_count > 1)
        for (uint32_t i = 0; i < result_count; i++)
            values[i].shape = several[i];
    return commit_node(g, info->code, operands, count, attributes_size, site, result_count);
}

uint32_t graph_emit(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                    uint32_t attributes_size, uint32_t site, error *e)
{
    const op_info *info = op_of_call(g, op, operands, count, attributes, attributes_size, e);
    return info ? emit(g, info, operands, count, attributes, attributes_size, site, e) : LTH_NO_VALUE;
}

/* An operand of the op as `dims`, by an EXPAND where it is not so already. */
static uint32_t expand_to(graph *g, const op_info *info, uint32_t x, const lth_attr_dims *dims, uint32_t site, error *e)
{
    const lth_shape *s = graph_shape(g, x);
    if (s->rank == dims->rank && memcmp(s->dim, dims->dim, sizeof s->dim) == 0)
        return x;
    uint32_t wide = graph_emit(g, LTH_OP_EXPAND, &x, 1, dims, sizeof *dims, site, e);
    if (wide == LTH_NO_VALUE) /* the author did not write an expand */
        error_prefix(e, "%s: ", info->name);
    return wide;
}

/* Widens `out` by the first `rank` dimensions of s, aligned at their ends. False where they do not fit. */
static bool broadcast_dims(lth_attr_dims *out, const lth_shape *s, int32_t rank)
{
    if (rank > out->rank) {
        int32_t more = rank - out->rank;
        memmove(out->dim + more, out->dim, (size_t)out->rank * sizeof *out->dim);
        for (int32_t i = 0; i < more; i++)
            out->dim[i] = 1;
        out->rank = rank;
    }
    for (int32_t i = 0; i < rank; i++) {
        int64_t *d = &out->dim[out->rank - rank + i];
        if (*d == 1)
            *d = s->dim[i];
        else if (s->dim[i] != 1 && s->dim[i] != *d)
            return false;
    }
    return true;
}

static uint32_t do_not_broadcast(const graph *g, const op_info *info, const uint32_t *operands, uint32_t last, error *e)
{
    shape_text first = op_shape_text(graph_shape(g, operands[0])), other = op_shape_text(graph_shape(g, operands[last]));
    error_set(e, LTH_INVALID, "%s: %s and %s do not broadcast: from the last dimension on, two must be equal or one of them 1",
              info->name, first.text, other.text);
    return LTH_NO_VALUE;
}

static uint32_t emit_pointwise(graph *g, const op_info *info, const uint32_t *operands, uint32_t count, const void *attributes,
                               uint32_t attributes_size, uint32_t site, error *e)
{
    lth_attr_dims dims = { 0, 0, { 0 } };
    uint32_t wide[OP_MAX_POINTWISE];
    for (uint32_t i = 0; i < count; i++)
        if (!broadcast_dims(&dims, graph_shape(g, operands[i]), graph_shape(g, operands[i])->rank))
            return do_not_broadcast(g, info, operands, i, e);
    for (uint32_t i = 0; i < count; i++)
        if ((wide[i] = expand_to(g, info, operands[i], &dims, site, e)) == LTH_NO_VALUE)
            return LTH_NO_VALUE;
    return emit(g, info, wide, count, attributes, attributes_size, site, e);
}

/* (..., M, K) times a plain (K, N): one matmul of all rows, cheaper than a batch of them. */
static uint32_t emit_matmul_of_rows(graph *g, const uint32_t *operands, const lth_attr_matmul *attributes, uint32_t site,
                                    error *e)
{
    lth_shape a = *graph_shape(g, operands[0]);
    lth_attr_dims rows = { 2, 0, { 1, a.dim[a.rank - 1] } };
    for (int32_t i = 0; i < a.rank - 1; i++)
        rows.dim[0] *= a.dim[i];
    uint32_t in[2] = { graph_emit(g, LTH_OP_RESHAPE, operands, 1, &rows, sizeof rows, site, e), operands[1] };
    if (in[0] == LTH_NO_VALUE)
        return LTH_NO_VALUE;
    uint32_t product = graph_emit(g, LTH_OP_MATMUL, in, 2, attributes, sizeof *attributes, site, e);
    if (product == LTH_NO_VALUE)
        return LTH_NO_VALUE;
    lth_attr_dims back = { a.rank, 0, { 0 } };
    memcpy(back.dim, a.dim, sizeof back.dim);
    back.dim[a.rank - 1] = graph_shape(g, product)->dim[1];
    return graph_emit(g, LTH_OP_RESHAPE, &product, 1, &back, sizeof back, site, e);
}

static uint32_t emit_matmul(graph *g, const op_info *info, const uint32_t *operands, const lth_attr_matmul *attributes,
                            uint32_t site, error *e)
{
    const lth_shape *s[2] = { graph_shape(g, operands[0]), graph_shape(g, operands[1]) };
    lth_attr_dims batch = { 0, 0, { 0 } };
    if (s[0]->rank > 2 && s[1]->rank == 2 && !attributes->transpose_a &&
        s[0]->dim[s[0]->rank - 1] == s[1]->dim[attributes->transpose_b != 0])
        return emit_matmul_of_rows(g, operands, attributes, site, e);
    if (s[0]->rank < 2 || s[1]->rank < 2) /* the shape rule says what is wrong */
        return graph_emit(g, LTH_OP_MATMUL, operands, 2, attributes, sizeof *attributes, site, e);
    for (uint32_t i = 0; i < 2; i++)
        if (!broadcast_dims(&batch, s[i], s[i]->rank - 2))
            return do_not_broadcast(g, info, operands, i, e);
    uint32_t wide[2];
    batch.rank += 2;
    for (uint32_t i = 0; i < 2; i++) {
        const lth_shape *x = graph_shape(g, operands[i]);
        batch.dim[batch.rank - 2] = x->dim[x->rank - 2];
        batch.dim[batch.rank - 1] = x->dim[x->rank - 1];
        if ((wide[i] = expand_to(g, info, operands[i], &batch, site, e)) == LTH_NO_VALUE)
            return LTH_NO_VALUE;
    }
    return graph_emit(g, LTH_OP_MATMUL, wide, 2, attributes, sizeof *attributes, site, e);
}

static bool same_dims(const lth_shape *a, const lth_shape *b, int32_t leave_out)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank - leave_out; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

uint32_t graph_emit_broadcast(graph *g, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                              uint32_t attributes_size, uint32_t site, error *e)
{
    const op_info *info = op_of_call(g, op, operands, count, attributes, attributes_size, e);
    if (!info)
        return LTH_NO_VALUE;
    bool matmul = op == LTH_OP_MATMUL, fits = true;
    if (info->pointwise || matmul)
        for (uint32_t i = 1; i < count; i++)
            fits = fits && same_dims(graph_shape(g, operands[0]), graph_shape(g, operands[i]), matmul ? 2 : 0);
    if (fits)
        return emit(g, info, operands, count, attributes, attributes_size, site, e);
    if (matmul)
        return emit_matmul(g, info, operands, attributes, site, e);
    return emit_pointwise(g, info, operands, count, attributes, attributes_size, site, e);
}

void graph_copy_frame(const graph *in, graph *out)
{
    RESERVE(out, sites, site_capacity, in->site_count);
    if (in->site_count > 0)
        memcpy(out->sites, in->sites, in->site_count * sizeof *in->sites);
    out->site_count = in->site_count;
    out->input_count = in->input_count;
    out->output_count = in->output_count;
    out->scalar_count = in->scalar_count;
    out->arenas = in->arenas;
    out->arena_count = in->arena_count;
    for (uint32_t i = 0; i < in->custom_count; i++)
        graph_add_custom(out, in->customs[i]);
    if (in->region_count == 1)
        return;
    RESERVE(out, regions, region_capacity, in->region_count);
    for (uint32_t i = 1; i < in->region_count; i++)
        out->regions[i] = (lth_region) { in->regions[i].kind, in->regions[i].parent, 0, 0 };
    out->region_count = in->region_count;
}

void graph_copy_node(const graph *in, uint32_t node, graph *out, uint32_t *map)
{
    const lth_node *n = &in->nodes[node];
    reserve_node(out, n->operand_count, n->value_count, n->attributes_size);
    if (n->attributes_size > 0)
        memcpy(out->attributes + out->attributes_size, in->attributes + n->attributes, n->attributes_size);
    for (uint32_t i = 0; i < n->value_count; i++)
        out->values[out->value_count + i].shape = in->values[n->first_value + i].shape;
    out->region = n->region < out->region_count ? n->region : 0;
    uint32_t first =
        commit_node(out, n->op, in->operands + n->first_operand, n->operand_count, n->attributes_size, n->site, n->value_count);
    lth_node *copy = &out->nodes[out->node_count - 1];
    copy->flags = n->flags;
    for (uint32_t i = 0; i < n->operand_count; i++)
        out->operands[copy->first_operand + i] = map[in->operands[n->first_operand + i]];
    for (uint32_t i = 0; i < n->value_count; i++)
        map[n->first_value + i] = first + i;
}

static void copy_tail(const graph *in, graph *g, uint32_t nodes, uint32_t values, uint32_t operands, uint32_t attributes,
                      uint32_t site)
{
    RESERVE(g, nodes, node_capacity, nodes);
    RESERVE(g, values, value_capacity, values);
    RESERVE(g, operands, operand_capacity, operands);
    RESERVE(g, attributes, attributes_capacity, attributes);
    memcpy(g->nodes + g->node_count, in->nodes + g->node_count, (nodes - g->node_count) * sizeof *g->nodes);
    memcpy(g->values + g->value_count, in->values + g->value_count, (values - g->value_count) * sizeof *g->values);
    if (operands > g->operand_count)
        memcpy(g->operands + g->operand_count, in->operands + g->operand_count,
               (operands - g->operand_count) * sizeof *g->operands);
    if (attributes > g->attributes_size)
        memcpy(g->attributes + g->attributes_size, in->attributes + g->attributes_size, attributes - g->attributes_size);
    for (uint32_t i = g->node_count; i < nodes; i++)
        g->nodes[i].site = site;
}

void graph_copy_tail(const graph *in, graph *g, uint32_t nodes, uint32_t values, uint32_t operands, uint32_t attributes,
                     uint32_t site)
{
    if (in != g)
        copy_tail(in, g, nodes, values, operands, attributes, site);
    g->step.node_count = g->node_count = nodes;
    g->value_count = values;
    g->operand_count = operands;
    g->attributes_size = attributes;
}

/* ---- Regions ---- */

uint32_t graph_open_region(graph *g, uint32_t kind)
{
    RESERVE(g, regions, region_capacity, g->region_count + 1);
    g->regions[g->region_count] = (lth_region) { kind, g->region, 0, 0 };
    return g->region = g->region_count++;
}

void graph_close_region(graph *g) { g->region = g->regions[g->region].parent; }

void graph_follow_region(graph *g, const graph *in, uint32_t region, uint32_t *map)
{
    if (region == 0 || map[region]) {
        g->region = map[region];
        return;
    }
    graph_follow_region(g, in, in->regions[region].parent, map);
    map[region] = graph_open_region(g, in->regions[region].kind);
}

uint32_t graph_region_of_kind(const graph *g, uint32_t region, uint32_t kind)
{
    while (region != 0 && g->regions[region].kind != kind)
        region = g->regions[region].parent;
    return region;
}

bool graph_encloses(const graph *g, uint32_t outer, uint32_t inner)
{
    while (inner != outer && inner != 0)
        inner = g->regions[inner].parent;
    return inner == outer;
}

bool graph_sees(const graph *g, uint32_t value, uint32_t region)
{
    uint32_t own = g->nodes[g->values[value].node].region;
    return own == 0 || graph_encloses(g, graph_region_of_kind(g, own, LTH_REGION_LOOP), region);
}

void graph_keep_loops(graph *g)
{
    if (g->region_count == 1)
        return;
    uint32_t *map = memory_new(g->region_count * sizeof *map), count = 1;
    for (uint32_t i = 1; i < g->region_count; i++) { /* parents come before what they hold */
        lth_region r = g->regions[i];
        r.parent = map[r.parent];
        map[i] = r.parent;
        if (r.kind == LTH_REGION_LOOP && r.node_count > 0) {
            map[i] = count;
            g->regions[count++] = r;
        }
    }
    for (uint32_t i = 0; i < g->node_count; i++)
        g->nodes[i].region = map[g->nodes[i].region];
    g->region_count = count;
    free(map);
}

/* ---- The ABI's face ---- */

void graph_view(const graph *g, lth_graph *out)
{
    if (g->regions)
        g->regions[0] = g->step;
    *out = (lth_graph) {
        .struct_size = sizeof *out,
        .node_count = g->node_count,
        .value_count = g->value_count,
        .operand_count = g->operand_count,
        .attributes_size = g->attributes_size,
        .site_count = g->site_count,
        .region_count = g->region_count,
        .node_stride = sizeof(lth_node),
        .value_stride = sizeof(lth_value),
        .region_stride = sizeof(lth_region),
        .site_stride = sizeof(lth_site),
        .nodes = g->nodes,
        .values = g->values,
        .operands = g->operands,
        .attributes = g->attributes,
        .sites = g->sites,
        .regions = g->regions ? g->regions : &g->step,
        .input_count = g->input_count,
        .output_count = g->output_count,
        .scalar_count = g->scalar_count,
        .arena_count = g->arena_count,
        .arenas = g->arenas,
        .customs = g->customs,
        .custom_count = g->custom_count,
    };
}
