/* SPDX-License-Identifier: Apache-2.0
 * engine/join_pads.c: sums of tensors that are zero but for a part of their own, as one tensor put together of the parts.
 *
 * The gradient of a slice is as large as what was sliced, zeros but for the slice. So T slices of one tensor (the steps of a
 * sequence, the gates of a cell) make T tensors of its size, and T - 1 sums of them: work that grows as the square of T. Here
 * such a chain, ((b + p1) + p2) + p3 with p a PAD by zeros along one axis, becomes b + concat(p1, zeros, p2, p3).
 *
 * Parts that overlap go into as many layers as are needed, in the order of the chain, so that each element is summed in the same
 * order as before. Bits are those of the chain, but that a sum of -0 and the zeros around others was 0, and is -0 now. */
#include "engine/ops.h"
#include "engine/passes.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct piece {
    uint32_t pad, layer; /* a node; 0 is the lowest */
    int64_t first, end;  /* along the axis */
} piece;

typedef struct joining {
    const graph *in;
    graph *out;
    const constants *c;
    uint32_t *map;
    uint32_t *reads, *reader; /* by value: how often it is read, and by which node last */
    piece *pieces;            /* of a chain, in its order */
    size_t count, capacity;
    uint32_t *parts;
    size_t parts_capacity;
    error *error;
} joining;

static const lth_node *maker(const graph *g, uint32_t value) { return &g->nodes[g->values[value].node]; }
static uint32_t operand(const graph *g, const lth_node *n, uint32_t i) { return g->operands[n->first_operand + i]; }

/* ---- Chains ---- */

static bool is_zero(const joining *j, uint32_t value)
{
    const lth_node *n = maker(j->in, value);
    if (n->op != LTH_OP_SCALAR)
        return false;
    uint32_t slot = ((const lth_attr_slot *)(const void *)(j->in->attributes + n->attributes))->slot - j->c->first_slot;
    return slot < j->c->count && j->c->values[slot] == 0 && !signbit(j->c->values[slot]);
}

static const lth_attr_pad *pad_of(const joining *j, const lth_node *n)
{
    return (const void *)(j->in->attributes + n->attributes);
}

/* The one axis along which a PAD puts zeros; -1: it is none such. */
static int32_t axis_of(const joining *j, const lth_node *n)
{
    int32_t axis = -1;
    if (n->op != LTH_OP_PAD || !is_zero(j, operand(j->in, n, 1)))
        return -1;
    const lth_attr_pad *a = pad_of(j, n);
    for (int32_t i = 0; i < LTH_MAX_RANK; i++)
        if (a->low[i] || a->high[i]) {
            if (axis >= 0)
                return -1;
            axis = i;
        }
    return axis;
}

/* The axis of the PAD that an ADD adds, its second operand; -1: it is no link of a chain. */
static int32_t link_axis(const joining *j, const lth_node *n)
{
    if (n->op != LTH_OP_ADD)
        return -1;
    const lth_node *pad = maker(j->in, operand(j->in, n, 1));
    return pad->region == n->region ? axis_of(j, pad) : -1;
}

/* Whether the chain goes on after the link: its result is read by the next one alone. */
static bool goes_on(const joining *j, const lth_node *n, int32_t axis)
{
    uint32_t y = n->first_value;
    if (j->reads[y] != 1)
        return false;
    const lth_node *next = &j->in->nodes[j->reader[y]];
    return next->region == n->region && link_axis(j, next) == axis && operand(j->in, next, 0) == y;
}

static void add_piece(joining *j, const lth_node *pad, int32_t axis)
{
    const lth_attr_pad *a = pad_of(j, pad);
    int64_t first = a->low[axis], length = graph_shape(j->in, operand(j->in, pad, 0))->dim[axis];
    j->pieces = memory_grow(j->pieces, &j->capacity, j->count + 1, sizeof *j->pieces);
    j->pieces[j->count++] = (piece) { (uint32_t)(pad - j->in->nodes), 0, first, first + length };
}

/* Fills pieces with the chain that ends with the link n. Returns what it begins with; LTH_NO_VALUE: a PAD, too. */
static uint32_t gather(joining *j, const lth_node *n, int32_t axis)
{
    uint32_t base;
    for (j->count = 0;; n = maker(j->in, base)) {
        add_piece(j, maker(j->in, operand(j->in, n, 1)), axis);
        base = operand(j->in, n, 0);
        const lth_node *before = maker(j->in, base);
        if (j->reads[base] != 1 || before->region != n->region || link_axis(j, before) != axis)
            break;
    }
    const lth_node *first = maker(j->in, base);
    if (first->region == n->region && axis_of(j, first) == axis) {
        add_piece(j, first, axis);
        base = LTH_NO_VALUE;
    }
    for (size_t i = 0; i < j->count / 2; i++) {
        piece other = j->pieces[i];
        j->pieces[i] = j->pieces[j->count - 1 - i];
        j->pieces[j->count - 1 - i] = other;
    }
    return base;
}

/* Each piece above all earlier ones that it overlaps. Returns the number of layers. */
static uint32_t stack_up(joining *j)
{
    uint32_t layers = 1;
    for (size_t i = 1; i < j->count; i++) {
        piece *p = &j->pieces[i];
        for (size_t k = 0; k < i; k++)
            if (p->first < j->pieces[k].end && j->pieces[k].first < p->end && p->layer <= j->pieces[k].layer)
                p->layer = j->pieces[k].layer + 1;
        layers = p->layer >= layers ? p->layer + 1 : layers;
    }
    return layers;
}

static int by_layer_and_place(const void *a, const void *b)
{
    const piece *p = a, *q = b;
    if (p->layer != q->layer)
        return p->layer < q->layer ? -1 : 1;
    return p->first != q->first ? (p->first < q->first ? -1 : 1) : p->end < q->end ? -1 : p->end > q->end;
}

/* ---- The new nodes ---- */

static uint32_t emit(joining *j, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size,
                     uint32_t site)
{
    return graph_emit(j->out, op, operands, count, attributes, size, site, j->error);
}

/* Appends zeros of `length` along the axis to the parts. */
static void append_zeros(joining *j, const lth_node *pad, int32_t axis, int64_t length, uint32_t *count)
{
    const lth_shape *y = &j->in->values[pad->first_value].shape;
    lth_attr_dims dims = { y->rank, 0, { 0 } };
    uint32_t zero = j->map[operand(j->in, pad, 1)];
    memcpy(dims.dim, y->dim, sizeof dims.dim);
    dims.dim[axis] = length;
    if (length > 0)
        j->parts[(*count)++] = emit(j, LTH_OP_EXPAND, &zero, 1, &dims, sizeof dims, pad->site);
}

/* `count` pieces, one beside the other. */
static uint32_t put_together(joining *j, const piece *pieces, size_t count, int32_t axis)
{
    const lth_node *pad = &j->in->nodes[pieces[0].pad];
    uint32_t n = 0;
    int64_t at = 0, end = j->in->values[pad->first_value].shape.dim[axis];
    lth_attr_axis a = { axis };
    if (count == 1)
        return j->map[pad->first_value];
    j->parts = memory_grow(j->parts, &j->parts_capacity, 2 * count + 1, sizeof *j->parts);
    for (size_t i = 0; i < count; i++) {
        const lth_node *p = &j->in->nodes[pieces[i].pad];
        append_zeros(j, p, axis, pieces[i].first - at, &n);
        j->parts[n++] = j->map[operand(j->in, p, 0)];
        at = pieces[i].end;
    }
    append_zeros(j, pad, axis, end - at, &n);
    return emit(j, LTH_OP_CONCAT, j->parts, n, &a, sizeof a, pad->site);
}

/* The sum in place of the chain that ends with node n; false where there is nothing to gain. */
static bool join(joining *j, const lth_node *n)
{
    int32_t axis = link_axis(j, n);
    if (axis < 0 || goes_on(j, n, axis))
        return false;
    uint32_t base = gather(j, n, axis), layers = stack_up(j), sum = base == LTH_NO_VALUE ? base : j->map[base];
    if (layers == j->count)
        return false;
    qsort(j->pieces, j->count, sizeof *j->pieces, by_layer_and_place);
    j->out->region = n->region;
    uint32_t before = j->out->node_count;
    for (size_t i = 0, next; i < j->count && j->error->status == LTH_OK; i = next) {
        for (next = i; next < j->count && j->pieces[next].layer == j->pieces[i].layer;)
            next++;
        uint32_t in[2] = { sum, put_together(j, j->pieces + i, next - i, axis) };
        sum = sum == LTH_NO_VALUE ? in[1] : emit(j, LTH_OP_ADD, in, 2, NULL, 0, n->site);
    }
    j->map[n->first_value] = sum;
    for (uint32_t i = before; i < j->out->node_count; i++)
        j->out->nodes[i].flags = n->flags;
    return true;
}

bool join_pads(const graph *in, graph *out, const constants *c, uint32_t *map, error *e)
{
    joining j = { .in = in, .out = out, .c = c, .map = map, .error = e };
    j.reads = memory_new(2 * (size_t)in->value_count * sizeof *j.reads + 1);
    j.reader = j.reads + in->value_count;
    for (uint32_t i = 0; i < in->node_count; i++)
        for (uint32_t k = 0; k < in->nodes[i].operand_count; k++) {
            uint32_t v = operand(in, &in->nodes[i], k);
            j.reads[v]++;
            j.reader[v] = i;
        }
    graph_copy_frame(in, out);
    for (uint32_t i = 0; i < in->node_count && e->status == LTH_OK; i++)
        if (!join(&j, &in->nodes[i]))
            graph_copy_node(in, i, out, map);
    free(j.reads);
    free(j.pieces);
    free(j.parts);
    return e->status == LTH_OK;
}
