/* SPDX-License-Identifier: Apache-2.0
 * What each op becomes for images that lie channels last. */
#include "channels_last_writer.h"
#include "last_conv.h"
#include "last_pool.h"
#include "planar.h"

#include <stdlib.h>
#include <string.h>

static bool is_conv(uint32_t op) { return op >= LTH_OP_CONV && op <= LTH_OP_CONV_WEIGHT_GRAD; }

/* Of the first axis behind the samples', which is that of an image's channels. */
static bool is_batch_norm(const lth_graph *g, const lth_node *n)
{
    return n->op == LTH_OP_BATCH_NORM && ((const lth_attr_axis *)lth_node_attributes(g, n))->axis == 1 &&
           lth_node_operand_shape(g, n, 0)->rank >= 3 && lth_shape_count(lth_node_operand_shape(g, n, 0)) > 0;
}

/* LTHOST_CPU_IMAGES = last: convolutions of few channels, too; for tests. */
bool channels_last_gains(const lth_graph *g, const lth_node *n)
{
    lth_dtype t = accel_node_dtype(g, n);
    if (is_batch_norm(g, n))
        return true;
    if (!is_conv(n->op) || (t != LTH_F32 && t != LTH_BF16))
        return false;
    plain_conv v = plain_conv_of(g, n);
    const char *wanted = getenv("LTHOST_CPU_IMAGES");
    bool always = wanted && strcmp(wanted, "last") == 0;
    return last_conv_takes(&v) && (always || !planar_takes(&v));
}

/* ---- Attributes of permuted axes ---- */

typedef union any_attributes {
    lth_attr_dims dims;
    lth_attr_slice slice;
    lth_attr_pad pad;
    lth_attr_axis axis;
    lth_attr_reduce reduce;
    lth_attr_conv conv;
    lth_attr_pool pool;
    lth_attr_scatter scatter;
    uint8_t bytes[256];
} any_attributes;

static void turn(int32_t rank, int64_t *of_axis)
{
    int64_t was[LTH_MAX_RANK];
    memcpy(was, of_axis, sizeof was);
    for (int32_t i = 0; i < rank; i++)
        of_axis[last_axis(rank, i)] = was[i];
}

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

/* ---- Ops of the same kind on turned axes ---- */

/* Whether operand i is an image; a weight and a filler are not. */
static bool is_image(const lth_node *n, uint32_t i)
{
    return is_conv(n->op) ? n->op == LTH_OP_CONV_WEIGHT_GRAD || i == 0 : n->op != LTH_OP_PAD || i == 0;
}

/* Whether results lie channels last: a weight's gradient does not, nor does what has lost axes. */
static bool makes_images(const writer *w, const lth_node *n)
{
    return n->op != LTH_OP_CONV_WEIGHT_GRAD &&
           (n->op == LTH_OP_RESHAPE || lth_node_shape(w->g, n, 0)->rank == lth_node_operand_shape(w->g, n, 0)->rank);
}

enum { OPERANDS = 64 };

static bool turned(writer *w, const lth_node *n)
{
    uint32_t operands[OPERANDS], v = n->first_value;
    any_attributes a = { .bytes = { 0 } };
    if (n->operand_count > OPERANDS)
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = is_image(n, i) ? last_of(w, lth_node_operand(w->g, n, i)) : plain_of(w, lth_node_operand(w->g, n, i));
    memcpy(a.bytes, lth_node_attributes(w->g, n), n->attributes_size);
    turn_attributes(w, n, &a);
    bool images = makes_images(w, n);
    lth_shape shape = images ? last_shape(writer_shape(w, v)) : *writer_shape(w, v);
    lth_node like = *n;
    like.flags |= is_conv(n->op) ? CPU_CHANNELS_LAST : 0;
    uint32_t y = writer_node(w, like, operands, &a, &shape);
    if (images)
        set_last(w, v, y, NATIVE_IMAGE, v);
    else
        w->plain[v] = y;
    return true;
}

static bool batch_norm(writer *w, const lth_node *n)
{
    uint32_t x = lth_node_operand(w->g, n, 0), operands[2] = { last_of(w, x), plain_of(w, lth_node_operand(w->g, n, 1)) };
    lth_shape shapes[3] = { last_shape(writer_shape(w, x)), *lth_node_shape(w->g, n, 1), *lth_node_shape(w->g, n, 2) };
    lth_attr_axis a = { shapes[0].rank - 1 };
    uint32_t y = writer_node(w, *n, operands, &a, shapes);
    set_last(w, n->first_value, y, NATIVE_IMAGE, n->first_value);
    w->plain[n->first_value + 1] = y + 1;
    w->plain[n->first_value + 2] = y + 2;
    return true;
}

static bool pool(writer *w, const lth_node *n)
{
    uint32_t operands[2], v = n->first_value;
    any_attributes a = { .bytes = { 0 } };
    lth_shape shapes[2];
    lth_dtype t = accel_node_dtype(w->g, n);
    memcpy(a.bytes, lth_node_attributes(w->g, n), n->attributes_size);
    if ((t != LTH_F32 && t != LTH_BF16) || (n->op == LTH_OP_MAX_POOL && !last_pool_takes(w->g, n)))
        return false;
    if (n->op == LTH_OP_SCATTER_ALONG) {
        if (a.scatter.axis != 2 || lth_node_shape(w->g, n, 0)->rank != 3 || lth_node_operand_shape(w->g, n, 1)->dtype != LTH_I64)
            return false;
        a.scatter.axis = 1;
    }
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = last_of(w, lth_node_operand(w->g, n, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        shapes[i] = last_shape(lth_node_shape(w->g, n, i));
    lth_node like = *n;
    like.flags |= CPU_CHANNELS_LAST;
    uint32_t y = writer_node(w, like, operands, &a, shapes);
    for (uint32_t i = 0; i < n->value_count; i++)
        set_last(w, v + i, y + i, NATIVE_IMAGE, v + i);
    return true;
}

/* To or from images that are whole times as large by the nearest pixel: repeated, or summed. */
static bool resize(writer *w, const lth_node *n, uint32_t x)
{
    const lth_attr_resize *a = lth_node_attributes(w->g, n);
    bool grad = n->op == LTH_OP_RESIZE_GRAD;
    const lth_shape from = last_shape(writer_shape(w, x)), to = last_shape(writer_shape(w, n->first_value)),
                    *small = grad ? &to : &from, *large = grad ? &from : &to;
    lth_shape each = { from.dtype, 2 * from.rank - 2, { from.dim[0] } }, once = each;
    if ((a->mode != LTH_RESIZE_NEAREST && a->mode != LTH_RESIZE_NEAREST_EXACT) || each.rank > LTH_MAX_RANK)
        return false;
    uint32_t repeated = 0;
    for (int32_t i = 1; i < from.rank - 1; i++) {
        if (small->dim[i] == 0 || large->dim[i] % small->dim[i] != 0)
            return false;
        once.dim[2 * i - 1] = each.dim[2 * i - 1] = small->dim[i];
        each.dim[2 * i] = large->dim[i] / small->dim[i];
        once.dim[2 * i] = 1;
        repeated |= 1u << (2 * i);
    }
    once.dim[once.rank - 1] = each.dim[each.rank - 1] = from.dim[from.rank - 1];
    uint32_t y = writer_dims(w, LTH_OP_RESHAPE, w->last[x], grad ? &each : &once);
    y = grad ? writer_sum(w, LTH_OP_SUM, y, &each, repeated) : writer_dims(w, LTH_OP_EXPAND, y, &each);
    set_last(w, n->first_value, writer_dims(w, LTH_OP_RESHAPE, y, &to), NATIVE_IMAGE, n->first_value);
    return true;
}

/* ---- Rows of groups ---- */

static bool same_shape(const lth_shape *a, const lth_shape *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

/* A pointwise op on rows of groups: one on the images that they are of. */
static bool pointwise_of_groups(writer *w, const lth_node *n, uint32_t like)
{
    uint32_t operands[8], v = n->first_value;
    if (n->operand_count > 8)
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t x = lth_node_operand(w->g, n, i);
        if (w->native[x] == NATIVE_GROUPED && !same_shape(writer_shape(w, w->image[x]), writer_shape(w, like)))
            return false;
    }
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = grouped_of(w, lth_node_operand(w->g, n, i), like);
    lth_shape shape = last_shape(writer_shape(w, like));
    shape.dtype = writer_shape(w, v)->dtype;
    set_last(w, v, writer_node(w, *n, operands, lth_node_attributes(w->g, n), &shape), NATIVE_GROUPED, like);
    return true;
}

/* A row's sum or mean: that of each channel, then of the group's channels. */
static bool sum_of_groups(writer *w, const lth_node *n, uint32_t x)
{
    const lth_attr_reduce *a = lth_node_attributes(w->g, n);
    lth_shape image = last_shape(writer_shape(w, w->image[x])), rows = *writer_shape(w, x);
    image.dtype = rows.dtype;
    if (a->axes != 4 || (n->op == LTH_OP_MEAN && lth_shape_count(&rows) == 0))
        return false;
    int64_t C = image.dim[image.rank - 1];
    lth_shape channels = { rows.dtype, 3, { rows.dim[0], rows.dim[1], C / rows.dim[1] } };
    uint32_t y = writer_sum(w, n->op, w->last[x], &image, ((1u << (image.rank - 1)) - 1) & ~1u);
    y = writer_sum(w, n->op, writer_dims(w, LTH_OP_RESHAPE, y, &channels), &channels, 4);
    w->plain[n->first_value] = writer_dims(w, LTH_OP_RESHAPE, y, writer_shape(w, n->first_value));
    return true;
}

/* Each row by itself is each group of each sample. */
static bool norm_of_groups(writer *w, const lth_node *n, uint32_t x)
{
    uint32_t operands[2] = { w->last[x], plain_of(w, lth_node_operand(w->g, n, 1)) }, v = n->first_value;
    lth_shape shapes[2] = { last_shape(writer_shape(w, w->image[x])), *lth_node_shape(w->g, n, 1) };
    shapes[0].dtype = writer_shape(w, x)->dtype;
    lth_node like = *n;
    like.flags |= CPU_CHANNELS_LAST;
    if (((const lth_attr_axis *)lth_node_attributes(w->g, n))->axis != 1)
        return false;
    uint32_t y = writer_node(w, like, operands, lth_node_attributes(w->g, n), shapes);
    set_last(w, v, y, NATIVE_GROUPED, w->image[x]);
    w->plain[v + 1] = y + 1;
    return true;
}

static bool on_groups(writer *w, const lth_node *n, uint32_t x)
{
    if (n->op == LTH_OP_RESHAPE && same_shape(writer_shape(w, n->first_value), writer_shape(w, w->image[x]))) {
        set_last(w, n->first_value, w->last[x], NATIVE_IMAGE, n->first_value);
        return true;
    }
    if (n->op == LTH_OP_SUM || n->op == LTH_OP_MEAN)
        return sum_of_groups(w, n, x);
    if (n->op == LTH_OP_LAYER_NORM)
        return norm_of_groups(w, n, x);
    return n->op != LTH_OP_DROPOUT && accel_op_find(n->op)->class == ACCEL_POINTWISE && pointwise_of_groups(w, n, w->image[x]);
}

/* ---- Images ---- */

/* Whether the axes that a reduction leaves keep their order. */
static bool leaves_order(const lth_shape *x, const lth_attr_reduce *a)
{
    bool spatial = false;
    for (int32_t i = 2; i < x->rank; i++)
        spatial |= !(a->axes >> i & 1);
    return a->keep || a->axes & 2 || !spatial;
}

/* A reshape of the spatial axes alone; or one into rows of groups of channels. */
static bool reshape(writer *w, const lth_node *n, uint32_t x)
{
    const lth_shape *from = writer_shape(w, x), *to = writer_shape(w, n->first_value);
    if (to->rank < 3 || from->rank < 3 || from->dim[0] != to->dim[0] || lth_shape_count(from) == 0)
        return false;
    if (from->dim[1] == to->dim[1])
        return turned(w, n);
    if (to->rank != 3 || from->dim[1] % to->dim[1] != 0)
        return false;
    set_last(w, n->first_value, w->last[x], NATIVE_GROUPED, x);
    return true;
}

static bool is_turn(const lth_attr_dims *a, bool to_last)
{
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dim[to_last ? last_axis(a->rank, i) : i] != (to_last ? i : last_axis(a->rank, i)))
            return false;
    return a->rank >= 3;
}

static bool on_images(writer *w, const lth_node *n, uint32_t x)
{
    const lth_shape *s = lth_node_operand_shape(w->g, n, 0);
    switch (n->op) {
    case LTH_OP_DROPOUT: /* its mask goes by the elements' places */
        return false;
    case LTH_OP_SUM:
    case LTH_OP_MEAN:
    case LTH_OP_MAX:
    case LTH_OP_MIN:
        return leaves_order(s, lth_node_attributes(w->g, n)) && turned(w, n);
    case LTH_OP_RESHAPE:
        return reshape(w, n, x);
    case LTH_OP_PERMUTE:
        if (!is_turn(lth_node_attributes(w->g, n), true))
            return false;
        w->plain[n->first_value] = w->last[x];
        return true;
    case LTH_OP_MAX_POOL:
    case LTH_OP_AVG_POOL:
    case LTH_OP_AVG_POOL_GRAD:
    case LTH_OP_SCATTER_ALONG:
        return pool(w, n);
    case LTH_OP_RESIZE:
    case LTH_OP_RESIZE_GRAD:
        return resize(w, n, x);
    case LTH_OP_EXPAND:
        return s->rank == lth_node_shape(w->g, n, 0)->rank && turned(w, n);
    case LTH_OP_SLICE:
    case LTH_OP_PAD:
    case LTH_OP_CONCAT:
    case LTH_OP_FLIP:
    case LTH_OP_ALL_FINITE:
        return turned(w, n);
    default:
        return accel_op_find(n->op)->class == ACCEL_POINTWISE && turned(w, n);
    }
}

bool channels_last_write(writer *w, const lth_node *n)
{
    if (channels_last_gains(w->g, n))
        return is_conv(n->op) ? turned(w, n) : batch_norm(w, n);
    for (uint32_t i = 0; i < n->operand_count && !w->alone; i++) {
        uint32_t x = lth_node_operand(w->g, n, i);
        if (w->native[x] != NATIVE_NONE)
            return w->native[x] == NATIVE_GROUPED ? on_groups(w, n, x) : on_images(w, n, x);
    }
    /* what lies as an image channels last already */
    if (n->op == LTH_OP_PERMUTE && !w->alone && is_turn(lth_node_attributes(w->g, n), false)) {
        set_last(w, n->first_value, plain_of(w, lth_node_operand(w->g, n, 0)), NATIVE_IMAGE, n->first_value);
        return true;
    }
    return false;
}
