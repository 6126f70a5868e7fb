/* SPDX-License-Identifier: Apache-2.0 */
#include "fusion.h"

#include "tile.h"

#include <stdlib.h>
#include <string.h>

/* Members, operands and late stores each may take a slot. */
enum { MOST_WEIGHT = ACCEL_TILE_SLOTS * 2 / 3 - 1 };

bool accel_tile_supports(uint32_t op, lth_dtype dtype)
{
    const accel_op *info = accel_op_find(op);
    bool number = dtype == LTH_F32 || dtype == LTH_F64 || dtype == LTH_BF16 || dtype == LTH_I64 || dtype == LTH_I32 ||
                  dtype == LTH_U8 || dtype == LTH_I8;
    bool real = dtype == LTH_F32 || dtype == LTH_F64 || dtype == LTH_BF16;
    if (!info)
        return false;
    switch (op) {
    case LTH_OP_SCALAR:
    case LTH_OP_INTEGER:
    case LTH_OP_CAST:
    case LTH_OP_STOP_GRADIENT:
    case LTH_OP_WHERE:
        return lth_dtype_size(dtype) != 0;
    case LTH_OP_NOT:
    case LTH_OP_AND:
    case LTH_OP_OR:
        return dtype == LTH_BOOL;
    case LTH_OP_EQ:
    case LTH_OP_NE:
    case LTH_OP_LT:
    case LTH_OP_LE:
    case LTH_OP_GT:
    case LTH_OP_GE:
        return number || dtype == LTH_BOOL;
    case LTH_OP_IOTA:
    case LTH_OP_NEG:
    case LTH_OP_ABS:
    case LTH_OP_SIGN:
    case LTH_OP_ADD:
    case LTH_OP_SUB:
    case LTH_OP_MUL:
    case LTH_OP_DIV:
    case LTH_OP_MAXIMUM:
    case LTH_OP_MINIMUM:
        return number;
    case LTH_OP_UNIFORM:
    case LTH_OP_NORMAL:
        return real;
    case LTH_OP_RESHAPE:
    case LTH_OP_PERMUTE:
    case LTH_OP_EXPAND:
    case LTH_OP_SLICE:
    case LTH_OP_FLIP:
    case LTH_OP_CONCAT:
    case LTH_OP_PAD:
        return lth_dtype_size(dtype) != 0;
    default:
        return info->class == ACCEL_POINTWISE && real;
    }
}

bool accel_view_is_whole(const accel_view *v, int64_t count)
{
    return v->offset == 0 && accel_view_is_dense(v) && accel_view_count(v) == count;
}

/* ---- Units ---- */

static uint32_t find(const accel_fusion *f, uint32_t unit)
{
    while (unit != ACCEL_NONE && f->units[unit].parent != unit)
        unit = f->units[unit].parent;
    return unit;
}

/* The open group that computes v's root, or ACCEL_NONE. */
static uint32_t open_group(const accel_fusion *f, uint32_t v)
{
    uint32_t unit = find(f, f->values[f->values[v].root].unit);
    return unit != ACCEL_NONE && f->units[unit].open ? unit : ACCEL_NONE;
}

static uint32_t add_unit(accel_fusion *f, accel_unit_kind kind)
{
    if (f->unit_count == f->unit_capacity) {
        uint32_t capacity = f->unit_capacity ? 2 * f->unit_capacity : 64;
        accel_unit *units = realloc(f->units, capacity * sizeof *units);
        uint32_t *order = realloc(f->order, capacity * sizeof *order);
        f->units = units ? units : f->units;
        f->order = order ? order : f->order;
        if (!units || !order) {
            f->failed = true;
            return ACCEL_NONE;
        }
        f->unit_capacity = capacity;
    }
    f->units[f->unit_count] =
        (accel_unit) { .kind = kind, .open = kind == ACCEL_UNIT_GROUP, .node = ACCEL_NONE, .parent = f->unit_count };
    return f->unit_count++;
}

/* From here on the unit's values are there for whatever runs next. */
static void emit(accel_fusion *f, uint32_t unit)
{
    f->units[unit].open = false;
    f->units[unit].position = f->order_count;
    f->order[f->order_count++] = unit;
}

static void close_group_of(accel_fusion *f, uint32_t v)
{
    uint32_t unit = open_group(f, v);
    if (unit != ACCEL_NONE)
        emit(f, unit);
}

static void close_all(accel_fusion *f)
{
    for (uint32_t u = 0; u < f->unit_count; u++)
        if (f->units[u].open && f->units[u].parent == u)
            emit(f, u);
}

/* ---- Values ---- */

static int64_t count_of(const accel_fusion *f, uint32_t v) { return lth_shape_count(&lth_graph_value(f->graph, v)->shape); }

static const lth_shape *shape_of(const accel_fusion *f, uint32_t v) { return &lth_graph_value(f->graph, v)->shape; }

static void own(accel_fusion *f, uint32_t v, uint32_t unit)
{
    f->values[v].root = v;
    f->values[v].unit = unit;
    f->values[v].view = accel_view_dense(shape_of(f, v));
}

/* Fills `to`'s memory, or the part of it that to_view shows, with what is seen of `from`. */
static void move(accel_fusion *f, uint32_t from, const accel_view *from_view, uint32_t to, const accel_view *to_view)
{
    close_group_of(f, from);
    uint32_t unit = add_unit(f, ACCEL_UNIT_MOVE);
    if (unit == ACCEL_NONE)
        return;
    f->units[unit].from = from;
    f->units[unit].to = to;
    f->units[unit].from_view = *from_view;
    f->units[unit].to_view = *to_view;
    f->values[to].unit = unit;
    emit(f, unit);
}

/* Gives v memory of its own where it has only a view. */
static void materialize(accel_fusion *f, uint32_t v)
{
    accel_view whole = accel_view_dense(shape_of(f, v));
    if (f->values[v].unit == ACCEL_NONE)
        move(f, v, &f->values[v].view, v, &whole);
    else
        close_group_of(f, v);
}

/* Makes sure that a kernel finds v in memory: dense, or as it takes it. */
static void prepare(accel_fusion *f, uint32_t node, uint32_t operand, uint32_t v)
{
    const accel_value *value = &f->values[v];
    close_group_of(f, v);
    if (f->values[value->root].scalar)
        materialize(f, v);
    else if (!accel_view_is_dense(&value->view) &&
             !(f->options.takes_view && f->options.takes_view(f->options.context, f->graph, node, operand, &value->view)))
        materialize(f, v);
}

accel_seen accel_fusion_seen(const accel_fusion *f, uint32_t v, uint32_t reader)
{
    uint32_t maker = f->values[v].unit, root = f->values[v].root;
    const accel_unit *u = reader == ACCEL_NONE ? NULL : &f->units[reader];
    if (maker != ACCEL_NONE && (!u || (u->kind == ACCEL_UNIT_NODE && f->units[maker].position < u->position)))
        return (accel_seen) { v, false, accel_view_dense(shape_of(f, v)) };
    return (accel_seen) { root, f->values[root].bound, f->values[v].view };
}

/* ---- Nodes ---- */

static void add_node(accel_fusion *f, uint32_t node)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    for (uint32_t i = 0; i < n->operand_count; i++)
        prepare(f, node, i, lth_node_operand(f->graph, n, i));
    uint32_t unit = add_unit(f, ACCEL_UNIT_NODE);
    if (unit == ACCEL_NONE)
        return;
    f->units[unit].node = node;
    f->unit_of[node] = unit;
    for (uint32_t i = 0; i < n->value_count; i++)
        own(f, n->first_value + i, unit);
    emit(f, unit);
}

/* Whether v can be read inside the open group that computes it: all of it, element by element. */
static bool joins(const accel_fusion *f, uint32_t v)
{
    const accel_value *value = &f->values[v];
    return !f->values[value->root].total && accel_view_is_whole(&value->view, count_of(f, value->root));
}

static uint32_t merge(accel_fusion *f, uint32_t a, uint32_t b)
{
    if (f->units[a].weight + f->units[b].weight > MOST_WEIGHT) {
        emit(f, b);
        return a;
    }
    f->units[a].weight += f->units[b].weight;
    f->units[b].parent = a;
    f->units[b].open = false;
    return a;
}

/* The most slots that a node takes: itself and its operands; in bf16 each of them again, cast (program.c). */
static uint32_t weight_of(const accel_fusion *f, const lth_node *n)
{
    bool bf16 = shape_of(f, n->first_value)->dtype == LTH_BF16;
    for (uint32_t i = 0; i < n->operand_count; i++)
        bf16 |= shape_of(f, lth_node_operand(f->graph, n, i))->dtype == LTH_BF16;
    return (1 + n->operand_count) * (bf16 ? 2 : 1);
}

/* An open group of `count` elements that the node may join, or a new one. All that the node reads from elsewhere is closed. */
static uint32_t group_for(accel_fusion *f, const lth_node *n, int64_t count, bool late)
{
    uint32_t group = ACCEL_NONE;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t v = lth_node_operand(f->graph, n, i), unit = open_group(f, v);
        if (unit != ACCEL_NONE && (!joins(f, v) || f->units[unit].count != count || f->units[unit].commit != late))
            emit(f, unit);
    }
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t unit = open_group(f, lth_node_operand(f->graph, n, i));
        if (unit != ACCEL_NONE && group != ACCEL_NONE && unit != group)
            merge(f, group, unit);
        else if (unit != ACCEL_NONE)
            group = unit;
    }
    for (uint32_t u = f->unit_count; u-- > 0 && group == ACCEL_NONE && count == 1 && !f->options.flags;)
        if (f->units[u].open && f->units[u].count == 1 && f->units[u].commit == late)
            group = u; /* numbers by the way */
    if (group != ACCEL_NONE && f->units[group].weight + weight_of(f, n) > MOST_WEIGHT) {
        emit(f, group);
        group = ACCEL_NONE;
    }
    if (group == ACCEL_NONE && (group = add_unit(f, ACCEL_UNIT_GROUP)) != ACCEL_NONE) {
        f->units[group].count = count;
        f->units[group].commit = late;
    }
    return group;
}

static void add_member(accel_fusion *f, uint32_t node, int64_t count, bool total)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    uint32_t group = group_for(f, n, count, f->late[node]);
    if (group == ACCEL_NONE)
        return;
    f->units[group].weight += weight_of(f, n);
    f->unit_of[node] = group;
    own(f, n->first_value, group);
    f->values[n->first_value].total = total;
    if (f->options.flags)
        emit(f, group);
}

/* A result that is only another look at the operand's memory. */
static void add_view(accel_fusion *f, uint32_t node)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    uint32_t x = lth_node_operand(f->graph, n, 0), y = n->first_value;
    bool same = n->op == LTH_OP_STOP_GRADIENT || n->op == LTH_OP_SUM || n->op == LTH_OP_MEAN;
    uint32_t op = same ? LTH_OP_RESHAPE : n->op;
    const void *attributes = lth_node_attributes(f->graph, n);
    accel_view view, dense = accel_view_dense(shape_of(f, x));
    if (accel_view_apply(op, attributes, shape_of(f, y), &f->values[x].view, &view)) {
        f->values[y].root = f->values[x].root;
    } else {
        materialize(f, x);
        accel_view_apply(op, attributes, shape_of(f, y), &dense, &view);
        f->values[y].root = x;
    }
    f->values[y].view = view;
    f->values[y].unit = ACCEL_NONE;
}

static void add_concat(accel_fusion *f, uint32_t node)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    const lth_attr_axis *a = lth_node_attributes(f->graph, n);
    int64_t start[LTH_MAX_RANK] = { 0 };
    own(f, n->first_value, ACCEL_NONE);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t x = lth_node_operand(f->graph, n, i);
        accel_view part = accel_view_part(shape_of(f, n->first_value), shape_of(f, x), start);
        move(f, x, &f->values[x].view, n->first_value, &part);
        start[a->axis] += shape_of(f, x)->dim[a->axis];
    }
}

static void add_pad(accel_fusion *f, uint32_t node)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    const lth_attr_pad *a = lth_node_attributes(f->graph, n);
    uint32_t x = lth_node_operand(f->graph, n, 0), filler = lth_node_operand(f->graph, n, 1), y = n->first_value;
    accel_view whole = accel_view_dense(shape_of(f, y)), part = accel_view_part(shape_of(f, y), shape_of(f, x), a->low),
               repeated = whole;
    own(f, y, ACCEL_NONE);
    repeated.offset = f->values[filler].view.offset;
    memset(repeated.stride, 0, sizeof repeated.stride);
    move(f, filler, &repeated, y, &whole);
    move(f, x, &f->values[x].view, y, &part);
}

/* A sum, mean or test of all elements goes along with the pass that makes them. */
static bool is_total(const lth_graph *g, const lth_node *n)
{
    if (n->op != LTH_OP_SUM && n->op != LTH_OP_MEAN && n->op != LTH_OP_ALL_FINITE)
        return false;
    lth_dtype t = lth_node_operand_shape(g, n, 0)->dtype;
    return (t == LTH_F32 || t == LTH_F64) && lth_shape_count(lth_node_shape(g, n, 0)) == 1 &&
           lth_shape_count(lth_node_operand_shape(g, n, 0)) > 0;
}

static bool sums_one_element(const lth_graph *g, const lth_node *n)
{
    return (n->op == LTH_OP_SUM || n->op == LTH_OP_MEAN) && lth_shape_count(lth_node_operand_shape(g, n, 0)) == 1;
}

/* ---- Loops ---- */

static bool is_view(uint32_t op)
{
    return op == LTH_OP_RESHAPE || op == LTH_OP_PERMUTE || op == LTH_OP_EXPAND || op == LTH_OP_SLICE || op == LTH_OP_FLIP ||
           op == LTH_OP_STOP_GRADIENT;
}

/* Makes sure that a node of a body which is about to begin finds v, made before it, as it will want it. */
static void prepare_for_body(accel_fusion *f, uint32_t node, uint32_t operand, uint32_t v)
{
    const lth_node *n = lth_graph_node(f->graph, node);
    accel_view view;
    if (n->op == LTH_OP_CONCAT || n->op == LTH_OP_PAD || accel_op_find(n->op)->class == ACCEL_POINTWISE)
        return;
    if (!is_view(n->op))
        prepare(f, node, operand, v);
    else if (n->op != LTH_OP_STOP_GRADIENT &&
             !accel_view_apply(n->op, lth_node_attributes(f->graph, n), shape_of(f, n->first_value), &f->values[v].view, &view))
        materialize(f, v);
}

static void add_loop(accel_fusion *f, uint32_t node)
{
    const lth_graph *g = f->graph;
    const lth_region *r = lth_graph_region(g, lth_graph_node(g, node)->region);
    close_all(f);
    for (uint32_t i = node + 1; i <= r->first_node + r->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        for (uint32_t k = 0; k < n->operand_count; k++)
            if (lth_graph_value(g, lth_node_operand(g, n, k))->node < node)
                prepare_for_body(f, i, k, lth_node_operand(g, n, k));
    }
    add_node(f, node);
}

static void visit(accel_fusion *f, uint32_t node)
{
    const lth_graph *g = f->graph;
    const lth_node *n = lth_graph_node(g, node);
    const accel_op *op = accel_op_find(n->op);
    switch (n->op) {
    case LTH_OP_RESHAPE:
    case LTH_OP_PERMUTE:
    case LTH_OP_EXPAND:
    case LTH_OP_SLICE:
    case LTH_OP_FLIP:
    case LTH_OP_STOP_GRADIENT:
        add_view(f, node);
        break;
    case LTH_OP_CONCAT:
        add_concat(f, node);
        break;
    case LTH_OP_PAD:
        add_pad(f, node);
        break;
    case LTH_OP_SCALAR:
    case LTH_OP_INTEGER:
    case LTH_OP_INPUT:
    case LTH_OP_STATE:
        break;
    case LTH_OP_IOTA:
    case LTH_OP_UNIFORM:
    case LTH_OP_NORMAL:
        add_member(f, node, count_of(f, n->first_value), false);
        break;
    case LTH_OP_ASSERT:
        add_node(f, node);
        break;
    case LTH_OP_LOOP:
        add_loop(f, node);
        break;
    case LTH_OP_LOOP_END:
        close_all(f);
        add_node(f, node);
        break;
    default:
        if (op->class == ACCEL_EFFECT)
            break;
        if (op->class == ACCEL_POINTWISE)
            add_member(f, node, count_of(f, n->first_value), false);
        else if (sums_one_element(g, n))
            add_view(f, node);
        else if (is_total(g, n))
            add_member(f, node, count_of(f, lth_node_operand(g, n, 0)), true);
        else
            add_node(f, node);
    }
    if (f->options.flags & LTH_COMPILE_KEEP_ALL && n->value_count && f->values[n->first_value].unit == ACCEL_NONE)
        materialize(f, n->first_value);
}

/* ---- The plan ---- */

/* Nodes that lead to nothing but ASSIGNs, by a look from the end. A node may be read by several, so all must agree. */
static void find_late(accel_fusion *f)
{
    const lth_graph *g = f->graph;
    uint8_t *early = calloc(g->value_count + 1, 1), *assigned = calloc(g->value_count + 1, 1);
    if (!early || !assigned)
        f->failed = true;
    for (uint32_t i = f->failed || f->options.flags ? 0 : g->node_count; i-- > 0;) {
        const lth_node *n = lth_graph_node(g, i);
        const accel_op *op = accel_op_find(n->op);
        bool able = op->class == ACCEL_POINTWISE || n->op == LTH_OP_RESHAPE || n->op == LTH_OP_UNIFORM || n->op == LTH_OP_NORMAL;
        uint32_t v = n->first_value;
        f->late[i] = able && n->value_count == 1 && assigned[v] && !early[v];
        for (uint32_t k = 0; k < n->operand_count; k++)
            (f->late[i] || n->op == LTH_OP_ASSIGN ? assigned : early)[lth_node_operand(g, n, k)] = 1;
    }
    for (uint32_t i = 0; i < g->node_count && !f->failed; i++) { /* a view of what is there early is there early */
        const lth_node *n = lth_graph_node(g, i);
        if (n->op == LTH_OP_RESHAPE || n->op == LTH_OP_STOP_GRADIENT)
            f->late[i] &= f->late[lth_graph_value(g, lth_node_operand(g, n, 0))->node];
    }
    free(early);
    free(assigned);
}

/* Numbers that depend on scalars and state alone: computed first, all in one group. */
static void visit_numbers(accel_fusion *f, uint8_t *done)
{
    const lth_graph *g = f->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        bool ready = !n->region && accel_op_find(n->op)->class == ACCEL_POINTWISE && n->operand_count && !f->late[i] &&
                     count_of(f, n->first_value) == 1;
        for (uint32_t k = 0; k < n->operand_count; k++)
            ready &= done[lth_graph_value(g, lth_node_operand(g, n, k))->node];
        done[i] = ready || n->op == LTH_OP_SCALAR || n->op == LTH_OP_INTEGER || n->op == LTH_OP_STATE;
        if (ready)
            visit(f, i);
    }
}

/* Effects read dense memory when all is computed; a copy of state is taken before any state is written. */
static void prepare_effects(accel_fusion *f)
{
    const lth_graph *g = f->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        if (n->op != LTH_OP_ASSIGN && n->op != LTH_OP_OUTPUT && n->op != LTH_OP_PRINT)
            continue;
        uint32_t v = lth_node_operand(g, n, 0), root = f->values[v].root;
        bool late = f->late[lth_graph_value(g, v)->node];
        if (!late && (f->values[root].scalar || !accel_view_is_dense(&f->values[v].view) ||
                      (n->op == LTH_OP_ASSIGN && f->values[root].bound)))
            materialize(f, v);
    }
}

static void gather_members(accel_fusion *f)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < f->graph->node_count; i++) {
        f->unit_of[i] = find(f, f->unit_of[i]);
        if (f->unit_of[i] != ACCEL_NONE)
            f->units[f->unit_of[i]].member_count++;
    }
    for (uint32_t u = 0; u < f->unit_count; u++) {
        f->units[u].first_member = total;
        total += f->units[u].member_count;
        f->units[u].member_count = 0;
    }
    for (uint32_t i = 0; i < f->graph->node_count; i++)
        if (f->unit_of[i] != ACCEL_NONE) {
            accel_unit *u = &f->units[f->unit_of[i]];
            f->members[u->first_member + u->member_count++] = i;
        }
    for (uint32_t v = 0; v < f->graph->value_count; v++)
        f->values[v].unit = find(f, f->values[v].unit);
}

static void begin_values(accel_fusion *f)
{
    const lth_graph *g = f->graph;
    for (uint32_t v = 0; v < g->value_count; v++) {
        uint32_t op = lth_graph_node(g, lth_graph_value(g, v)->node)->op;
        own(f, v, ACCEL_NONE);
        f->values[v].scalar = op == LTH_OP_SCALAR || op == LTH_OP_INTEGER;
        f->values[v].bound = op == LTH_OP_INPUT || op == LTH_OP_STATE;
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        f->unit_of[i] = ACCEL_NONE;
        for (uint32_t k = 0; k < n->operand_count; k++)
            f->values[lth_node_operand(g, n, k)].uses++;
    }
}

lth_status accel_fusion_plan(const lth_graph *g, const accel_fusion_options *options, accel_fusion *f)
{
    *f = (accel_fusion) { .graph = g, .options = *options };
    f->values = calloc(g->value_count + 1, sizeof *f->values);
    f->unit_of = calloc(g->node_count + 1, sizeof *f->unit_of);
    f->members = calloc(g->node_count + 1, sizeof *f->members);
    f->late = calloc(g->node_count + 1, 1);
    uint8_t *done = calloc(g->node_count + 1, 1);
    f->failed = !f->values || !f->unit_of || !f->members || !f->late || !done;
    if (!f->failed) {
        begin_values(f);
        find_late(f);
    }
    if (!f->failed && !f->options.flags)
        visit_numbers(f, done);
    for (uint32_t i = 0; i < g->node_count && !f->failed; i++)
        if (!done[i] && !f->late[i])
            visit(f, i);
    if (!f->failed) {
        prepare_effects(f);
        close_all(f);
        f->commit = f->order_count;
    }
    for (uint32_t i = 0; i < g->node_count && !f->failed; i++)
        if (f->late[i])
            visit(f, i);
    if (!f->failed) {
        close_all(f);
        gather_members(f);
    }
    free(done);
    return f->failed ? LTH_NO_MEMORY : LTH_OK;
}

void accel_fusion_free(accel_fusion *f)
{
    free(f->values);
    free(f->units);
    free(f->unit_of);
    free(f->members);
    free(f->order);
    free(f->late);
    memset(f, 0, sizeof *f);
}
