/* SPDX-License-Identifier: Apache-2.0
 * engine/simplify.c: what is computed twice is computed once, what moves nothing is left out, what nobody needs is dropped.
 *
 * Bits do not change: only exact identities are used. Two passes: `merge` rewrites into a second graph node by node and
 * knows each value by op, attributes and operands; `sweep` copies what an effect or the caller needs. */
#include "engine/simplify.h"
#include "engine/ops.h"
#include "util/hash.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* A node on its way into the merged graph: operands are values there. */
typedef struct candidate {
    const lth_node *node;
    uint32_t op, count;
    uint32_t *operands;
    _Alignas(8) uint8_t attributes[OP_MAX_ATTRIBUTES];
    const lth_shape *result; /* of the first one */
} candidate;

typedef struct merge {
    const graph *in;
    graph *out;
    uint32_t *map;
    uint32_t *table, table_size; /* open addressing: nodes of out by hash; size is a power of two */
} merge;

/* A loop is not compared with another: its nodes are merged, it stays. */
static bool is_of_loop(uint32_t op) { return op == LTH_OP_LOOP || op == LTH_OP_LOOP_END; }

/* Effects stay where and as often as they are; so does what this host does not know. */
static bool is_effect(uint32_t op)
{
    const op_info *info = op_find(op);
    return !info || info->kind == OP_EFFECT || op == LTH_OP_UPDATE;
}

/* ---- Identities ---- */

static const lth_node *maker(const graph *g, uint32_t value) { return &g->nodes[g->values[value].node]; }

static bool moves_nothing(const graph *g, const candidate *c)
{
    const lth_shape *x = graph_shape(g, c->operands[0]);
    switch (c->op) {
    case LTH_OP_CAST:
        return x->dtype == c->result->dtype;
    case LTH_OP_CONCAT:
        return c->count == 1;
    case LTH_OP_RESHAPE:
    case LTH_OP_EXPAND:
    case LTH_OP_SLICE: /* of the same shape: nothing is left out, and so steps are 1 */
    case LTH_OP_PAD:
        return op_same_dims(x, c->result);
    case LTH_OP_PERMUTE: {
        const lth_attr_dims *a = (const void *)c->attributes;
        for (int32_t i = 0; i < a->rank; i++)
            if (a->dim[i] != i)
                return false;
        return true;
    }
    default:
        return false;
    }
}

/* The same op twice gives back what went in; so does a cast back from a type that holds all of the first one's numbers. */
static bool undoes_itself(const graph *g, const candidate *c)
{
    if (c->op == LTH_OP_CAST && maker(g, c->operands[0])->op == LTH_OP_CAST) {
        lth_dtype first = graph_shape(g, g->operands[maker(g, c->operands[0])->first_operand])->dtype;
        lth_dtype between = graph_shape(g, c->operands[0])->dtype;
        return c->result->dtype == first && (first == LTH_BF16 || first == LTH_F16) && (between == LTH_F32 || between == LTH_F64);
    }
    bool involution = c->op == LTH_OP_NEG || c->op == LTH_OP_NOT || c->op == LTH_OP_FLIP;
    if (!involution)
        return false;
    const lth_node *before = maker(g, c->operands[0]);
    return before->op == c->op && (before->attributes_size == 0 ||
                                   memcmp(g->attributes + before->attributes, c->attributes, before->attributes_size) == 0);
}

/* Whether a reshape only puts dimensions of 1 in front, which an expand does by itself. */
static bool only_adds_rank(const graph *g, const lth_node *reshape)
{
    lth_shape x = *graph_shape(g, g->operands[reshape->first_operand]), y = g->values[reshape->first_value].shape;
    int32_t more = y.rank - x.rank;
    if (more < 0)
        return false;
    for (int32_t i = 0; i < y.rank; i++)
        if (y.dim[i] != (i < more ? 1 : x.dim[i - more]))
            return false;
    return true;
}

/* reshape of reshape, expand of expand, permute of permute, expand of added dimensions: the second alone does it. */
static void skip_one_before(const graph *g, candidate *c)
{
    const lth_node *before = maker(g, c->operands[0]);
    if (c->op == LTH_OP_EXPAND && before->op == LTH_OP_RESHAPE && only_adds_rank(g, before)) {
        c->operands[0] = g->operands[before->first_operand];
        before = maker(g, c->operands[0]);
    }
    if (before->op != c->op || (c->op != LTH_OP_RESHAPE && c->op != LTH_OP_EXPAND && c->op != LTH_OP_PERMUTE))
        return;
    if (c->op == LTH_OP_PERMUTE) {
        lth_attr_dims *a = (void *)c->attributes;
        const lth_attr_dims *first = (const void *)(g->attributes + before->attributes);
        for (int32_t i = 0; i < a->rank; i++)
            a->dim[i] = first->dim[a->dim[i]];
    }
    c->operands[0] = g->operands[before->first_operand];
}

/* ---- Common subexpressions ---- */

static uint64_t hash_candidate(const candidate *c)
{
    hash h;
    hash_start(&h, c->op);
    hash_u64(&h, c->result->dtype);
    hash_bytes(&h, c->operands, c->count * sizeof *c->operands);
    hash_bytes(&h, c->attributes, c->node->attributes_size);
    return hash_value(&h);
}

/* Of the same region or of one around it, so that its value is there for the candidate: what a RECOMPUTE region computes again
 * is not what was computed before. */
static bool is_same(const graph *g, const lth_node *n, const candidate *c)
{
    if (n->region != c->node->region && !graph_encloses(g, n->region, c->node->region))
        return false;
    if (n->op != c->op || n->operand_count != c->count || n->attributes_size != c->node->attributes_size ||
        n->value_count != c->node->value_count)
        return false;
    if (c->count > 0 && memcmp(g->operands + n->first_operand, c->operands, c->count * sizeof *c->operands) != 0)
        return false;
    if (n->attributes_size > 0 && memcmp(g->attributes + n->attributes, c->attributes, n->attributes_size) != 0)
        return false;
    const lth_shape *result = &g->values[n->first_value].shape; /* leaves are told apart by it, the others have it anyway */
    return result->dtype == c->result->dtype && op_same_dims(result, c->result);
}

/* The place in the table of an equal node, or the free one where it would be. */
static uint32_t *find(merge *m, const candidate *c)
{
    uint64_t at = hash_candidate(c);
    while (true) {
        uint32_t *entry = &m->table[at++ & (m->table_size - 1)];
        if (*entry == LTH_NO_VALUE || is_same(m->out, &m->out->nodes[*entry], c))
            return entry;
    }
}

/* ---- The two passes ---- */

static void copy(merge *m, uint32_t node, const candidate *c)
{
    graph_copy_node(m->in, node, m->out, m->map);
    const lth_node *n = &m->out->nodes[m->out->node_count - 1];
    if (c->count > 0)
        memcpy(m->out->operands + n->first_operand, c->operands, c->count * sizeof *c->operands);
    if (n->attributes_size > 0)
        memcpy(m->out->attributes + n->attributes, c->attributes, n->attributes_size);
}

static void merge_node(merge *m, uint32_t node, candidate *c)
{
    const lth_node *n = &m->in->nodes[node];
    c->node = n;
    c->op = n->op;
    c->count = n->operand_count;
    c->result = &m->in->values[n->first_value].shape; /* what is no effect has one */
    for (uint32_t i = 0; i < n->operand_count; i++)
        c->operands[i] = m->map[m->in->operands[n->first_operand + i]];
    if (n->attributes_size > 0)
        memcpy(c->attributes, m->in->attributes + n->attributes, n->attributes_size);
    if (c->count > 0) {
        skip_one_before(m->out, c);
        if (moves_nothing(m->out, c)) {
            m->map[n->first_value] = c->operands[0];
            return;
        }
        if (undoes_itself(m->out, c)) {
            m->map[n->first_value] = m->out->operands[maker(m->out, c->operands[0])->first_operand];
            return;
        }
    }
    uint32_t *entry = find(m, c);
    if (*entry == LTH_NO_VALUE) {
        *entry = m->out->node_count;
        copy(m, node, c);
        return;
    }
    for (uint32_t i = 0; i < n->value_count; i++)
        m->map[n->first_value + i] = m->out->nodes[*entry].first_value + i;
}

static void merge_all(merge *m)
{
    uint32_t widest = 1;
    for (uint32_t i = 0; i < m->in->node_count; i++)
        widest = m->in->nodes[i].operand_count > widest ? m->in->nodes[i].operand_count : widest;
    for (m->table_size = 64; m->table_size < 2 * m->in->node_count;)
        m->table_size *= 2;
    m->table = memory_new(m->table_size * sizeof *m->table);
    memset(m->table, 0xff, m->table_size * sizeof *m->table); /* LTH_NO_VALUE */
    candidate c = { .operands = memory_new(widest * sizeof *c.operands) };
    graph_copy_frame(m->in, m->out);
    for (uint32_t i = 0; i < m->in->node_count; i++)
        if (is_effect(m->in->nodes[i].op) || is_of_loop(m->in->nodes[i].op))
            graph_copy_node(m->in, i, m->out, m->map);
        else
            merge_node(m, i, &c);
    free(c.operands);
    free(m->table);
}

/* Marks what a node needs of its operands. Returns the node before which to go on: itself, or a loop's end again. */
static uint32_t need_operands(const graph *in, uint32_t node, bool *needed)
{
    const lth_node *n = &in->nodes[node];
    if (n->op == LTH_OP_LOOP)
        return simplify_need_begin(in, n, needed) ? graph_loop_end_node(in, n->region) : node;
    if (n->op == LTH_OP_LOOP_END)
        simplify_need_end(in, n, needed);
    else
        for (uint32_t k = 0; k < n->operand_count; k++)
            needed[in->operands[n->first_operand + k]] = true;
    return node;
}

/* Copies what is needed. needed: by value; those of `keep` are marked. */
static void sweep(const graph *in, graph *out, bool *needed, uint32_t *map)
{
    bool *alive = memory_new(in->node_count * sizeof *alive);
    for (uint32_t i = in->node_count; i-- > 0;) {
        const lth_node *n = &in->nodes[i];
        alive[i] = is_effect(n->op);
        for (uint32_t k = 0; k < n->value_count; k++)
            alive[i] = alive[i] || needed[n->first_value + k];
        if (alive[i])
            i = need_operands(in, i, needed);
    }
    graph_copy_frame(in, out);
    memset(map, 0xff, in->value_count * sizeof *map); /* LTH_NO_VALUE */
    for (uint32_t i = 0; i < in->node_count; i++)
        if (alive[i] && is_of_loop(in->nodes[i].op))
            simplify_copy_loop(in, &in->nodes[i], needed, out, map);
        else if (alive[i])
            graph_copy_node(in, i, out, map);
    free(alive);
}

bool simplify(const graph *in, graph *out, const uint32_t *keep, uint32_t keep_count, uint32_t *map, error *e)
{
    for (uint32_t i = 0; i < keep_count; i++)
        if (keep[i] >= in->value_count)
            return error_set(e, LTH_ERROR, "simplify: value %u to keep is not in the graph", keep[i]) == LTH_OK;
    graph merged;
    graph_init(&merged);
    merge m = { .in = in, .out = &merged, .map = memory_new(in->value_count * sizeof *m.map) };
    merge_all(&m);
    bool *needed = memory_new(merged.value_count * sizeof *needed);
    uint32_t *swept = memory_new(merged.value_count * sizeof *swept);
    for (uint32_t i = 0; i < keep_count; i++)
        needed[m.map[keep[i]]] = true;
    sweep(&merged, out, needed, swept);
    for (uint32_t i = 0; map && i < in->value_count; i++)
        map[i] = swept[m.map[i]];
    free(needed);
    free(swept);
    free(m.map);
    graph_free(&merged);
    return true;
}
