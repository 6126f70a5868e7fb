/* SPDX-License-Identifier: Apache-2.0 */
#include "channels_last.h"

#include "last_conv.h"

#include <lthost/accel/ops.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    const lth_graph *g; /* the given one */
    channels_last *out;
    lth_node *nodes;
    lth_value *values;
    uint32_t *operands;
    uint8_t *attributes;
    uint32_t nodes_most, values_most, operands_most, attributes_most;
    uint32_t *plain, *last; /* by the given graph's value: the new one that lies in the usual order, and channels last */
    uint8_t *native;        /* by the given graph's value: made channels last */
    bool alone, failed;     /* failed: out of memory */
} writer;

plain_conv cpu_conv_of(const lth_graph *g, const lth_node *n)
{
    plain_conv v = plain_conv_of(g, n);
    if (!(n->flags & CPU_CHANNELS_LAST))
        return v;
    const lth_shape *first = lth_node_operand_shape(g, n, 0), *second = lth_node_operand_shape(g, n, 1),
                    *result = lth_node_shape(g, n, 0);
    const lth_shape *x = n->op == LTH_OP_CONV_DATA_GRAD ? result : first;
    const lth_shape *y = n->op == LTH_OP_CONV ? result : n->op == LTH_OP_CONV_DATA_GRAD ? first : second;
    v.C = x->dim[x->rank - 1];
    for (int32_t i = 0; i < PLAIN_SPATIAL; i++) {
        int32_t axis = x->rank - 1 - PLAIN_SPATIAL + i;
        v.in[i] = axis >= 1 ? x->dim[axis] : 1;
        v.out[i] = axis >= 1 ? y->dim[axis] : 1;
    }
    return v;
}

/* ---- Writing ---- */

/* Room for `more` elements behind the first `used`. */
static void *room(writer *w, void *table, uint32_t used, uint32_t more, uint32_t *most, size_t size)
{
    if (used + more <= *most)
        return table;
    uint32_t count = 2 * (used + more);
    void *grown = realloc(table, count * size);
    w->failed |= !grown;
    *most = grown ? count : *most;
    return grown ? grown : table;
}

/* A node like `like`, of which `operands` are the new graph's; its first result. Shapes of results are the caller's to change. */
static uint32_t write_node(writer *w, uint32_t origin, lth_node like, const uint32_t *operands, const void *attributes)
{
    lth_graph *t = &w->out->graph;
    uint32_t bytes = (like.attributes_size + 7) / 8 * 8, most = w->nodes_most;
    w->nodes = room(w, w->nodes, t->node_count, 1, &w->nodes_most, sizeof *w->nodes);
    w->out->origin = room(w, w->out->origin, t->node_count, 1, &most, sizeof *w->out->origin);
    w->values = room(w, w->values, t->value_count, like.value_count, &w->values_most, sizeof *w->values);
    w->operands = room(w, w->operands, t->operand_count, like.operand_count, &w->operands_most, sizeof *w->operands);
    w->attributes = room(w, w->attributes, t->attributes_size, bytes, &w->attributes_most, 1);
    if (w->failed)
        return 0;
    uint32_t first = t->value_count;
    like.first_value = first;
    like.first_operand = t->operand_count;
    like.attributes = t->attributes_size;
    if (like.operand_count)
        memcpy(w->operands + t->operand_count, operands, like.operand_count * sizeof *operands);
    if (like.attributes_size)
        memcpy(w->attributes + t->attributes_size, attributes, like.attributes_size);
    for (uint32_t i = 0; i < like.value_count; i++)
        w->values[first + i] = (lth_value) { t->node_count, i, { 0 } };
    w->nodes[t->node_count] = like;
    w->out->origin[t->node_count++] = origin;
    t->value_count += like.value_count;
    t->operand_count += like.operand_count;
    t->attributes_size += bytes;
    return first;
}

/* Where axis i of a shape lies when it is channels last. */
static int32_t last_axis(int32_t rank, int32_t axis) { return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1; }

static lth_shape last_shape(const lth_shape *s)
{
    lth_shape t = *s;
    for (int32_t i = 0; i < s->rank; i++)
        t.dim[last_axis(s->rank, i)] = s->dim[i];
    return t;
}

static const lth_shape *shape_of(const writer *w, uint32_t v) { return &lth_graph_value(w->g, v)->shape; }

static uint32_t permute(writer *w, uint32_t v, bool to_last)
{
    const lth_shape *s = shape_of(w, v);
    lth_attr_dims a = { .rank = s->rank };
    for (int32_t i = 0; i < s->rank; i++)
        if (to_last)
            a.dim[last_axis(s->rank, i)] = i;
        else
            a.dim[i] = last_axis(s->rank, i);
    uint32_t origin = lth_graph_value(w->g, v)->node;
    lth_node n = { .op = LTH_OP_PERMUTE, .operand_count = 1, .value_count = 1, .attributes_size = sizeof a };
    n.site = lth_graph_node(w->g, origin)->site;
    uint32_t y = write_node(w, origin, n, to_last ? &w->plain[v] : &w->last[v], &a);
    if (!w->failed)
        w->values[y].shape = to_last ? last_shape(s) : *s;
    return y;
}

/* The new value for one of the given graph's, in one order or the other. */
static uint32_t plain_of(writer *w, uint32_t v)
{
    if (w->plain[v] == LTH_NO_VALUE)
        w->plain[v] = permute(w, v, false);
    return w->plain[v];
}

static uint32_t last_of(writer *w, uint32_t v)
{
    if (w->last[v] == LTH_NO_VALUE)
        w->last[v] = permute(w, v, true);
    return w->last[v];
}

/* ---- What can be done channels last ---- */

static bool is_conv(uint32_t op) { return op >= LTH_OP_CONV && op <= LTH_OP_CONV_WEIGHT_GRAD; }

static bool gains(const lth_graph *g, const lth_node *n)
{
    lth_dtype t = accel_node_dtype(g, n);
    if (!is_conv(n->op) || (t != LTH_F32 && t != LTH_BF16))
        return false;
    plain_conv v = plain_conv_of(g, n);
    return last_conv_takes(&v);
}

static bool has_native(const writer *w, const lth_node *n)
{
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (w->native[lth_node_operand(w->g, n, i)])
            return true;
    return false;
}

/* Whether the axes that a reduction leaves keep their order. */
static bool leaves_order(const lth_shape *x, const lth_attr_reduce *a)
{
    bool spatial = false;
    for (int32_t i = 2; i < x->rank; i++)
        spatial |= !(a->axes >> i & 1);
    return a->keep || a->axes & 2 || !spatial;
}

/* Whether the operands' first two axes are the result's, so that a reshape is one of the spatial axes alone. */
static bool keeps_channels(const lth_shape *x, const lth_shape *y)
{
    return y->rank >= 3 && x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1] && lth_shape_count(x) > 0;
}

static bool wants_last(const writer *w, const lth_node *n)
{
    if (gains(w->g, n))
        return true;
    if (w->alone || !has_native(w, n))
        return false;
    const lth_shape *x = lth_node_operand_shape(w->g, n, 0);
    switch (n->op) {
    case LTH_OP_DROPOUT: /* its mask goes by the elements' places */
        return false;
    case LTH_OP_SUM:
    case LTH_OP_MEAN:
    case LTH_OP_MAX:
    case LTH_OP_MIN:
        return leaves_order(x, lth_node_attributes(w->g, n));
    case LTH_OP_RESHAPE:
        return keeps_channels(x, lth_node_shape(w->g, n, 0));
    case LTH_OP_EXPAND:
        return x->rank == lth_node_shape(w->g, n, 0)->rank;
    case LTH_OP_SLICE:
    case LTH_OP_PAD:
    case LTH_OP_CONCAT:
    case LTH_OP_FLIP:
    case LTH_OP_ALL_FINITE:
        return true;
    default:
        return accel_op_find(n->op)->class == ACCEL_POINTWISE;
    }
}

/* ---- Attributes of permuted axes ---- */

static void turn(int32_t rank, int64_t *of_axis)
{
    int64_t was[LTH_MAX_RANK];
    memcpy(was, of_axis, sizeof was);
    for (int32_t i = 0; i < rank; i++)
        of_axis[last_axis(rank, i)] = was[i];
}

typedef union any_attributes {
    lth_attr_dims dims;
    lth_attr_slice slice;
    lth_attr_pad pad;
    lth_attr_axis axis;
    lth_attr_reduce reduce;
    lth_attr_conv conv;
    uint8_t bytes[256];
} any_attributes;

static void turn_attributes(const writer *w, const lth_node *n, any_attributes *a)
{
    int32_t rank = lth_node_operand_shape(w->g, n, 0)->rank;
    uint32_t axes = a->reduce.axes;
    switch (n->op) {
    case LTH_OP_RESHAPE:
    case LTH_OP_EXPAND:
        turn(a->dims.rank, a->dims.dim);
        break;
    case LTH_OP_SLICE:
        turn(rank, a->slice.start);
        turn(rank, a->slice.length);
        turn(rank, a->slice.step);
        break;
    case LTH_OP_PAD:
        turn(rank, a->pad.low);
        turn(rank, a->pad.high);
        break;
    case LTH_OP_CONCAT:
    case LTH_OP_FLIP:
        a->axis.axis = last_axis(rank, (int32_t)a->axis.axis);
        break;
    case LTH_OP_SUM:
    case LTH_OP_MEAN:
    case LTH_OP_MAX:
    case LTH_OP_MIN:
        a->reduce.axes = 0;
        for (int32_t i = 0; i < rank; i++)
            a->reduce.axes |= (axes >> i & 1) << last_axis(rank, i);
        break;
    default:
        break;
    }
}

/* ---- Nodes ---- */

/* Whether operand i is an image; a weight and a filler are not. */
static bool is_image(const lth_node *n, uint32_t i)
{
    return is_conv(n->op) ? n->op == LTH_OP_CONV_WEIGHT_GRAD || i == 0 : n->op != LTH_OP_PAD || i == 0;
}

/* Whether results lie channels last: a weight's gradient does not, nor does what has lost axes. */
static bool makes_images(const writer *w, const lth_node *n)
{
    const lth_shape *x = lth_node_operand_shape(w->g, n, 0), *y = lth_node_shape(w->g, n, 0);
    return n->op != LTH_OP_CONV_WEIGHT_GRAD && (n->op == LTH_OP_RESHAPE || y->rank == x->rank);
}

static void write_last(writer *w, uint32_t node, uint32_t *operands)
{
    lth_node n = *lth_graph_node(w->g, node);
    any_attributes a = { .bytes = { 0 } };
    for (uint32_t i = 0; i < n.operand_count; i++) {
        uint32_t v = lth_node_operand(w->g, &n, i);
        operands[i] = is_image(&n, i) ? last_of(w, v) : plain_of(w, v);
    }
    memcpy(a.bytes, lth_node_attributes(w->g, &n), n.attributes_size);
    turn_attributes(w, &n, &a);
    bool images = makes_images(w, &n);
    lth_node like = n;
    like.flags |= CPU_CHANNELS_LAST;
    uint32_t first = write_node(w, node, like, operands, &a);
    for (uint32_t i = 0; i < n.value_count && !w->failed; i++) {
        uint32_t v = n.first_value + i;
        w->values[first + i].shape = images ? last_shape(shape_of(w, v)) : *shape_of(w, v);
        (images ? w->last : w->plain)[v] = first + i;
        w->native[v] = images;
        if (w->alone)
            plain_of(w, v);
    }
}

static void write_plain(writer *w, uint32_t node, uint32_t *operands)
{
    const lth_node *n = lth_graph_node(w->g, node);
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = plain_of(w, lth_node_operand(w->g, n, i));
    uint32_t first = write_node(w, node, *n, operands, lth_node_attributes(w->g, n));
    for (uint32_t i = 0; i < n->value_count && !w->failed; i++) {
        w->values[first + i].shape = *shape_of(w, n->first_value + i);
        w->plain[n->first_value + i] = first + i;
    }
}

static void write_graph(writer *w)
{
    const lth_graph *g = w->g;
    lth_graph *t = &w->out->graph;
    uint32_t most = 0;
    for (uint32_t i = 0; i < g->node_count; i++)
        most = lth_graph_node(g, i)->operand_count > most ? lth_graph_node(g, i)->operand_count : most;
    uint32_t *operands = malloc((most + 1) * sizeof *operands);
    w->failed |= !operands;
    *t = *g;
    t->node_count = t->value_count = t->operand_count = t->attributes_size = 0;
    t->node_stride = sizeof *t->nodes;
    t->value_stride = sizeof *t->values;
    for (uint32_t i = 0; i < g->node_count && !w->failed; i++)
        if (wants_last(w, lth_graph_node(g, i)))
            write_last(w, i, operands);
        else
            write_plain(w, i, operands);
    free(operands);
}

/* Nothing to gain, or loops, whose bounds would have to be kept. */
static bool is_worth_it(const lth_graph *g)
{
    bool worth = false;
    for (uint32_t i = 0; i < g->node_count && !worth; i++)
        worth = gains(g, lth_graph_node(g, i));
    return worth && g->region_count <= 1;
}

lth_status channels_last_make(const lth_graph *g, bool alone, channels_last *out)
{
    *out = (channels_last) { .plain = NULL };
    if (!is_worth_it(g))
        return LTH_UNSUPPORTED;
    writer w = { .g = g, .out = out, .alone = alone };
    size_t count = (size_t)g->value_count + 1;
    w.plain = malloc(count * sizeof *w.plain);
    w.last = malloc(count * sizeof *w.last);
    w.native = calloc(count, 1);
    w.failed = !w.plain || !w.last || !w.native;
    if (!w.failed) {
        memset(w.plain, 0xFF, count * sizeof *w.plain);
        memset(w.last, 0xFF, count * sizeof *w.last);
        write_graph(&w);
    }
    out->graph.nodes = w.nodes;
    out->graph.values = w.values;
    out->graph.operands = w.operands;
    out->graph.attributes = w.attributes;
    out->plain = w.plain;
    free(w.last);
    free(w.native);
    return w.failed ? LTH_NO_MEMORY : LTH_OK;
}

void channels_last_free(channels_last *c)
{
    free((void *)c->graph.nodes);
    free((void *)c->graph.values);
    free((void *)c->graph.operands);
    free((void *)c->graph.attributes);
    free(c->origin);
    free(c->plain);
    *c = (channels_last) { .plain = NULL };
}
