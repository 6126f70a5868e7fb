/* SPDX-License-Identifier: Apache-2.0 */
#include "channels_last.h"

#include "channels_last_writer.h"

#include <stdlib.h>

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

uint32_t writer_node(writer *w, lth_node like, const uint32_t *operands, const void *attributes, const lth_shape *shapes)
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
        w->values[first + i] = (lth_value) { t->node_count, i, shapes[i] };
    w->nodes[t->node_count] = like;
    w->out->origin[t->node_count++] = w->node;
    t->value_count += like.value_count;
    t->operand_count += like.operand_count;
    t->attributes_size += bytes;
    return first;
}

static lth_node one_of_one(const writer *w, uint32_t op, uint32_t attributes_size)
{
    return (lth_node) { .op = op,
                        .operand_count = 1,
                        .value_count = 1,
                        .attributes_size = attributes_size,
                        .site = lth_graph_node(w->g, w->node)->site };
}

uint32_t writer_dims(writer *w, uint32_t op, uint32_t x, const lth_shape *to)
{
    lth_attr_dims a = { .rank = to->rank };
    memcpy(a.dim, to->dim, sizeof a.dim);
    return writer_node(w, one_of_one(w, op, sizeof a), &x, &a, to);
}

uint32_t writer_sum(writer *w, uint32_t op, uint32_t x, const lth_shape *shape, uint32_t axes)
{
    lth_attr_reduce a = { axes, 1 };
    lth_shape s = *shape;
    for (int32_t i = 0; i < s.rank; i++)
        if (axes >> i & 1)
            s.dim[i] = 1;
    return writer_node(w, one_of_one(w, op, sizeof a), &x, &a, &s);
}

/* Of an image of that shape in the usual order. */
static uint32_t permute(writer *w, uint32_t x, const lth_shape *s, bool to_last)
{
    lth_attr_dims a = { .rank = s->rank };
    lth_shape to = to_last ? last_shape(s) : *s;
    for (int32_t i = 0; i < s->rank; i++)
        if (to_last)
            a.dim[last_axis(s->rank, i)] = i;
        else
            a.dim[i] = last_axis(s->rank, i);
    return writer_node(w, one_of_one(w, LTH_OP_PERMUTE, sizeof a), &x, &a, &to);
}

uint32_t plain_of(writer *w, uint32_t v)
{
    if (w->plain[v] != LTH_NO_VALUE)
        return w->plain[v];
    bool grouped = w->native[v] == NATIVE_GROUPED;
    uint32_t x = permute(w, w->last[v], writer_shape(w, grouped ? w->image[v] : v), false);
    return w->plain[v] = grouped ? writer_dims(w, LTH_OP_RESHAPE, x, writer_shape(w, v)) : x;
}

uint32_t last_of(writer *w, uint32_t v)
{
    if (w->last[v] == LTH_NO_VALUE || w->native[v] == NATIVE_GROUPED)
        return w->native[v] == NATIVE_GROUPED ? permute(w, plain_of(w, v), writer_shape(w, v), true)
                                              : (w->last[v] = permute(w, w->plain[v], writer_shape(w, v), true));
    return w->last[v];
}

/* A number a group, repeated: the same for each of its channels, then for all pixels. */
static uint32_t spread_groups(writer *w, uint32_t per_group, const lth_shape *rows, const lth_shape *image)
{
    int64_t N = image->dim[0], G = rows->dim[1], C = image->dim[1];
    lth_shape channels = { rows->dtype, 3, { N, G, C / G } }, pixel = last_shape(image), all = pixel;
    for (int32_t i = 1; i < pixel.rank - 1; i++)
        pixel.dim[i] = 1;
    uint32_t each = writer_dims(w, LTH_OP_EXPAND, per_group, &channels);
    return writer_dims(w, LTH_OP_EXPAND, writer_dims(w, LTH_OP_RESHAPE, each, &pixel), &all);
}

uint32_t grouped_of(writer *w, uint32_t v, uint32_t like)
{
    lth_shape image = *writer_shape(w, like), rows = *writer_shape(w, v);
    image.dtype = rows.dtype;
    if (w->native[v] == NATIVE_GROUPED)
        return w->last[v];
    const lth_node *maker = lth_graph_node(w->g, lth_graph_value(w->g, v)->node);
    if (maker->op == LTH_OP_EXPAND && lth_node_operand_shape(w->g, maker, 0)->rank == 3 &&
        lth_node_operand_shape(w->g, maker, 0)->dim[2] == 1 && lth_node_operand_shape(w->g, maker, 0)->dim[1] == rows.dim[1] &&
        lth_node_operand_shape(w->g, maker, 0)->dim[0] == rows.dim[0])
        return spread_groups(w, plain_of(w, lth_node_operand(w->g, maker, 0)), &rows, &image);
    return permute(w, writer_dims(w, LTH_OP_RESHAPE, plain_of(w, v), &image), &image, true);
}

static void write_plain(writer *w, const lth_node *n, uint32_t *operands, lth_shape *shapes)
{
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = plain_of(w, lth_node_operand(w->g, n, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        shapes[i] = *lth_node_shape(w->g, n, i);
    uint32_t first = writer_node(w, *n, operands, lth_node_attributes(w->g, n), shapes);
    for (uint32_t i = 0; i < n->value_count; i++)
        w->plain[n->first_value + i] = first + i;
}

static void write_graph(writer *w)
{
    const lth_graph *g = w->g;
    lth_graph *t = &w->out->graph;
    uint32_t most = 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        most = n->operand_count > most ? n->operand_count : most;
        most = n->value_count > most ? n->value_count : most;
    }
    uint32_t *operands = malloc((most + 1) * sizeof *operands);
    lth_shape *shapes = malloc((most + 1) * sizeof *shapes);
    w->failed |= !operands || !shapes;
    *t = *g;
    t->node_count = t->value_count = t->operand_count = t->attributes_size = 0;
    t->node_stride = sizeof *t->nodes;
    t->value_stride = sizeof *t->values;
    for (w->node = 0; w->node < g->node_count && !w->failed; w->node++) {
        const lth_node *n = lth_graph_node(g, w->node);
        if (!channels_last_write(w, n))
            write_plain(w, n, operands, shapes);
        for (uint32_t i = 0; i < n->value_count && w->alone && !w->failed; i++) {
            plain_of(w, n->first_value + i);
            w->native[n->first_value + i] = NATIVE_NONE;
        }
    }
    free(operands);
    free(shapes);
}

/* Nothing to gain, or loops, whose bounds would have to be kept. */
static bool is_worth_it(const lth_graph *g)
{
    bool worth = false;
    for (uint32_t i = 0; i < g->node_count && !worth; i++)
        worth = channels_last_gains(g, lth_graph_node(g, i));
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
    w.image = calloc(count, sizeof *w.image);
    w.native = calloc(count, 1);
    w.failed = !w.plain || !w.last || !w.image || !w.native;
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
    free(w.image);
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
