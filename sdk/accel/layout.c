/* SPDX-License-Identifier: Apache-2.0
 * Which values need memory, for how long, and who may share it.
 *
 * Steps: unit k of the order runs at step k, from the commit on at step k + 1; outputs and prints at step `commit`; copies
 * into state last. */
#include "layout.h"

#include "loop.h"

#include <stdlib.h>
#include <string.h>

typedef struct work {
    const accel_fusion *f;
    accel_layout_plan *out;
    accel_buffer *buffers; /* by value; then by node, a total's partial sums or a kernel's workspace */
    uint32_t *owner;       /* by value: in whose buffer it lies */
    uint32_t *step_of;     /* by unit */
    uint32_t *given;       /* by value: step + 1 at which its buffer was handed on */
    int64_t *within;       /* by value: bytes from the beginning of the owner's buffer */
    uint8_t *part;         /* by value: it lies in a CONCAT's buffer */
    uint8_t *stored;       /* by value: needs memory of its own */
    uint8_t *kept;         /* by value: some reader wants it whole and unchanged at its last step */
    uint32_t *read;        /* by value: the last step that reads it, in its own region */
    uint32_t last_step;
    uint32_t reader; /* of memory_of */
} work;

static int64_t count_of(const work *w, uint32_t v) { return lth_shape_count(&lth_graph_value(w->f->graph, v)->shape); }

static const lth_node *maker_of(const work *w, uint32_t v)
{
    return lth_graph_node(w->f->graph, lth_graph_value(w->f->graph, v)->node);
}

static uint32_t owner_of(const work *w, uint32_t v)
{
    while (w->owner[v] != v)
        v = w->owner[v];
    return v;
}

/* ---- What units read ---- */

typedef void reader(work *w, uint32_t unit, const accel_seen *seen, void *context);

/* Calls back with each memory outside itself that a unit reads; scalars have none. */
static void each_read(work *w, uint32_t unit, reader *read, void *context)
{
    const accel_fusion *f = w->f;
    const accel_unit *u = &f->units[unit];
    if (u->kind == ACCEL_UNIT_MOVE && !f->values[f->values[u->from].root].scalar) {
        accel_seen seen = { f->values[u->from].root, f->values[f->values[u->from].root].bound, u->from_view };
        read(w, unit, &seen, context);
    }
    for (uint32_t m = 0; m < u->member_count; m++) {
        const lth_node *n = lth_graph_node(f->graph, f->members[u->first_member + m]);
        for (uint32_t k = 0; k < n->operand_count; k++) {
            accel_seen seen = accel_fusion_seen(f, lth_node_operand(f->graph, n, k), unit);
            if (f->values[seen.value].unit != unit && (u->kind == ACCEL_UNIT_NODE || !f->values[seen.value].scalar))
                read(w, unit, &seen, context);
        }
    }
}

/* ---- Who needs memory, and when ---- */

static void touch(work *w, uint32_t v, uint32_t step)
{
    accel_buffer *b = &w->buffers[v];
    if (!w->stored[v])
        *b = (accel_buffer) { accel_value_bytes(w->f->graph, v), step, step, 0 };
    w->stored[v] = 1;
    b->first = step < b->first ? step : b->first;
    b->last = step > b->last ? step : b->last;
}

/* The step at which a unit is done with a value for good: that of a LOOP_END, where each turn of a loop reads it again. */
static uint32_t last_step_of_read(const work *w, uint32_t unit, uint32_t value)
{
    const accel_fusion *f = w->f;
    const accel_unit *u = &f->units[unit];
    uint32_t node = u->kind == ACCEL_UNIT_MOVE ? lth_graph_value(f->graph, u->to)->node : f->members[u->first_member];
    uint32_t last = accel_loop_last_read(f->graph, value, node);
    return w->step_of[last == node ? unit : f->unit_of[last]];
}

static void note_read(work *w, uint32_t unit, const accel_seen *seen, void *context)
{
    (void)context;
    if (seen->bound)
        return;
    uint32_t step = last_step_of_read(w, unit, seen->value);
    touch(w, seen->value, step);
    w->read[seen->value] = step > w->read[seen->value] ? step : w->read[seen->value];
    w->kept[seen->value] |= !accel_view_is_whole(&seen->view, count_of(w, seen->value));
}

static void note_effects(work *w)
{
    const lth_graph *g = w->f->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        if ((n->op != LTH_OP_ASSIGN && n->op != LTH_OP_OUTPUT && n->op != LTH_OP_PRINT) || w->out->in_place[i])
            continue;
        accel_seen seen = accel_fusion_seen(w->f, lth_node_operand(g, n, 0), ACCEL_NONE);
        if (seen.bound)
            continue;
        touch(w, seen.value, n->op == LTH_OP_ASSIGN ? w->last_step : w->f->commit);
        w->kept[seen.value] = 1;
    }
}

/* After the readers are known: a value's life begins where it is filled. CONCAT and PAD are filled by several moves. */
static void note_writes(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t k = 0; k < f->order_count; k++) {
        const accel_unit *u = &f->units[f->order[k]];
        uint32_t step = w->step_of[f->order[k]];
        if (u->kind == ACCEL_UNIT_MOVE)
            touch(w, u->to, step);
        for (uint32_t m = 0; m < u->member_count; m++) {
            const lth_node *n = lth_graph_node(f->graph, f->members[u->first_member + m]);
            for (uint32_t v = n->first_value; n->op != LTH_OP_LOOP_END && v < n->first_value + n->value_count; v++)
                if (u->kind == ACCEL_UNIT_NODE || f->values[v].total || f->options.flags || w->stored[v])
                    touch(w, v, step);
        }
    }
}

/* What a loop holds between its turns, and what it writes bit by bit, lives as long as it. Of the stacks, those that nobody
 * reads have no memory. */
static void note_loops(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t i = 0; i < f->graph->node_count; i++) {
        const lth_node *n = lth_graph_node(f->graph, i);
        if (n->op != LTH_OP_LOOP_END)
            continue;
        uint32_t begin = lth_graph_value(f->graph, lth_node_operand(f->graph, n, 0))->node, last = w->step_of[f->unit_of[i]];
        const lth_node *loop = lth_graph_node(f->graph, begin);
        for (uint32_t v = loop->first_value; v < loop->first_value + loop->value_count; v++)
            touch(w, v, last);
        for (uint32_t v = n->first_value; v < n->first_value + n->value_count; v++)
            if (!accel_loop_is_stack(f->graph, n, v - n->first_value) || f->options.flags & LTH_COMPILE_KEEP_ALL)
                touch(w, v, last);
            else if (w->stored[v])
                touch(w, v, w->step_of[f->unit_of[begin]]);
    }
}

/* ---- Results made in their place ---- */

/* Puts a move's source where the move would put it. In one stretch, it stays a dense value like any other; a group may
 * scatter its result, too, if nobody else wants it. */
static void elide_move(work *w, uint32_t unit)
{
    const accel_fusion *f = w->f;
    const accel_unit *u = &f->units[unit];
    uint32_t root = f->values[u->from].root;
    const accel_value *from = &f->values[root];
    bool only = from->uses == 1 && (u->from == root || f->values[u->from].uses == 1);
    const lth_node *maker = maker_of(w, root);
    if (from->unit == ACCEL_NONE || f->units[from->unit].kind == ACCEL_UNIT_MOVE || from->total || w->owner[root] != root ||
        accel_is_of_loop(maker->op) || maker->region != maker_of(w, u->to)->region ||
        !accel_view_is_whole(&u->from_view, count_of(w, root)))
        return;
    if (accel_view_is_dense(&u->to_view)) {
        w->within[root] = u->to_view.offset * lth_dtype_size(lth_graph_value(f->graph, root)->shape.dtype);
        w->kept[u->to] |= !only;
    } else if (f->units[from->unit].kind == ACCEL_UNIT_GROUP && only && u->from == root) {
        w->out->in[root] = &u->to_view;
    } else {
        return;
    }
    w->part[root] = 1;
    w->out->elided[unit] = 1;
    w->owner[root] = u->to;
}

/* What goes into a CONCAT is made there. (What a PAD holds would be overwritten by its filling.) */
static void elide_moves(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t k = 0; k < f->order_count && !f->options.flags; k++) {
        const accel_unit *u = &f->units[f->order[k]];
        if (u->kind == ACCEL_UNIT_MOVE && maker_of(w, u->to)->op == LTH_OP_CONCAT)
            elide_move(w, f->order[k]);
    }
}

typedef struct slice {
    uint32_t arena;
    int64_t first, end; /* elements */
} slice;

static slice slice_of(const work *w, const lth_node *n, uint32_t value)
{
    const lth_attr_state *a = lth_node_attributes(w->f->graph, n);
    return (slice) { a->arena, a->offset, a->offset + count_of(w, value) };
}

static bool overlap(const slice *a, const slice *b) { return a->arena == b->arena && a->first < b->end && b->first < a->end; }

typedef struct hazard {
    slice target;
    uint32_t unit; /* that would write it */
    bool found;
} hazard;

/* A reader of the old state that comes later, or that does not read exactly the element that is written. */
static void look_for_hazard(work *w, uint32_t unit, const accel_seen *seen, void *context)
{
    hazard *h = context;
    const lth_node *n = maker_of(w, seen->value);
    if (n->op != LTH_OP_STATE || !seen->bound)
        return;
    slice read = slice_of(w, n, seen->value);
    bool same = unit == h->unit && read.first == h->target.first && read.end == h->target.end &&
                accel_view_is_whole(&seen->view, count_of(w, seen->value));
    h->found |= overlap(&read, &h->target) && w->step_of[unit] >= w->step_of[h->unit] && !same;
}

static bool is_assigned_twice(const work *w, uint32_t node, const slice *target)
{
    const lth_graph *g = w->f->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        if (i == node || n->op != LTH_OP_ASSIGN)
            continue;
        slice other = slice_of(w, n, lth_node_operand(g, n, 0));
        if (overlap(target, &other))
            return true;
    }
    return false;
}

/* A group of the commit may write its result over state, where nobody misses what was there. */
static void assign_in_place(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t i = 0; i < f->graph->node_count && !f->options.flags; i++) {
        const lth_node *n = lth_graph_node(f->graph, i);
        if (n->op != LTH_OP_ASSIGN)
            continue;
        uint32_t v = lth_node_operand(f->graph, n, 0), root = f->values[v].root, unit = f->values[root].unit;
        if (unit == ACCEL_NONE || !f->units[unit].commit || f->units[unit].kind != ACCEL_UNIT_GROUP ||
            w->out->own[root].kind != ACCEL_PLACE_NONE || !accel_view_is_whole(&f->values[v].view, count_of(w, root)))
            continue;
        hazard h = { slice_of(w, n, v), unit, false };
        h.found = is_assigned_twice(w, i, &h.target);
        for (uint32_t k = f->commit; k < f->order_count && !h.found; k++)
            each_read(w, f->order[k], look_for_hazard, &h);
        if (h.found)
            continue;
        w->out->own[root] = (accel_place) { ACCEL_PLACE_ARENA, h.target.arena,
                                            h.target.first * lth_dtype_size(lth_graph_value(f->graph, v)->shape.dtype) };
        w->out->in_place[i] = 1;
    }
}

/* ---- Handing buffers on ---- */

typedef struct heir {
    uint32_t value;
    bool found;
} heir;

/* A dying operand's buffer serves a result of the same size, which is written element by element as it is read. */
static void look_for_buffer(work *w, uint32_t unit, const accel_seen *seen, void *context)
{
    heir *h = context;
    uint32_t memory = seen->value;
    uint32_t owner = owner_of(w, memory), step = w->step_of[unit];
    if (h->found || !w->stored[memory] || w->kept[memory] || w->part[memory] || w->out->own[memory].kind != ACCEL_PLACE_NONE ||
        seen->bound || w->buffers[owner].last != step || w->given[owner] == step + 1 ||
        w->buffers[owner].size != w->buffers[h->value].size || !w->buffers[owner].size)
        return;
    h->found = true;
    w->given[owner] = step + 1;
    w->owner[h->value] = owner;
    w->buffers[owner].last = w->buffers[h->value].last;
    w->buffers[h->value].size = 0;
}

static void share_buffers(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t k = 0; k < f->order_count && !f->options.flags; k++) {
        const accel_unit *u = &f->units[f->order[k]];
        for (uint32_t m = 0; u->kind == ACCEL_UNIT_GROUP && m < u->member_count; m++) {
            uint32_t v = lth_graph_node(f->graph, f->members[u->first_member + m])->first_value;
            heir h = { v, false };
            if (w->stored[v] && w->owner[v] == v && !f->values[v].total && w->out->own[v].kind == ACCEL_PLACE_NONE)
                each_read(w, f->order[k], look_for_buffer, &h);
        }
    }
}

/* ---- Loops: what a turn hands on is made where the next one looks for it ---- */

/* Whether v, made in the body, may be written into the slot of a carried value: nobody reads what was there after that. At the
 * same step it may be read by what writes it element by element, or only writes over some of it. */
static bool fits_slot(const work *w, uint32_t slot, const accel_seen *seen)
{
    const accel_fusion *f = w->f;
    uint32_t v = seen->value, unit = f->values[v].unit;
    const lth_node *n = maker_of(w, v);
    if (seen->bound || unit == ACCEL_NONE || f->values[v].total || w->owner[v] != v || w->part[v] || accel_is_of_loop(n->op) ||
        n->region != maker_of(w, slot)->region || w->buffers[v].size != w->buffers[slot].size ||
        !accel_view_is_whole(&seen->view, count_of(w, v)))
        return false;
    if (w->read[slot] != w->buffers[v].first || f->units[unit].kind == ACCEL_UNIT_GROUP)
        return w->read[slot] < w->buffers[v].first || (w->read[slot] == w->buffers[v].first && !w->kept[slot]);
    uint32_t reads = 0;
    for (uint32_t k = 0; k < n->operand_count; k++)
        reads += accel_fusion_seen(f, lth_node_operand(f->graph, n, k), unit).value == slot;
    return n->op == LTH_OP_UPDATE_AT && reads == 1 && accel_fusion_seen(f, lth_node_operand(f->graph, n, 0), unit).value == slot;
}

static void use_slots(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t r = 1; r < f->graph->region_count && !f->options.flags; r++) {
        const lth_region *region = lth_graph_region(f->graph, r);
        uint32_t end = region->first_node + region->node_count;
        const lth_node *loop = lth_graph_node(f->graph, region->first_node);
        const lth_attr_loop *a = lth_node_attributes(f->graph, loop);
        for (uint32_t i = 0; i < a->carried; i++) {
            uint32_t slot = loop->first_value + 1 + i;
            accel_seen seen =
                accel_fusion_seen(f, lth_node_operand(f->graph, lth_graph_node(f->graph, end), 1 + i), f->unit_of[end]);
            if (fits_slot(w, slot, &seen))
                w->owner[seen.value] = slot;
        }
    }
}

static uint32_t memory_of(void *context, uint32_t value)
{
    work *w = context;
    const accel_seen seen = accel_fusion_seen(w->f, value, w->reader);
    return seen.bound ? LTH_NO_VALUE : owner_of(w, seen.value);
}

/* ---- The plan ---- */

static void number_steps(work *w)
{
    for (uint32_t k = 0; k < w->f->order_count; k++)
        w->step_of[w->f->order[k]] = k + (k >= w->f->commit);
    w->last_step = w->f->order_count + 1;
}

/* Lives of values within another's buffer are lives of that; with KEEP_ALL every life is the whole run. */
static void join_lives(work *w)
{
    for (uint32_t v = 0; v < w->f->graph->value_count; v++) {
        accel_buffer *b = &w->buffers[v], *whole = &w->buffers[w->owner[v]];
        if (b != whole) {
            whole->first = b->first < whole->first ? b->first : whole->first;
            whole->last = b->last > whole->last ? b->last : whole->last;
            b->size = 0;
        }
        if (w->out->own[v].kind != ACCEL_PLACE_NONE)
            b->size = 0;
        if (w->f->options.flags & LTH_COMPILE_KEEP_ALL) {
            b->first = 0;
            b->last = w->last_step;
        }
    }
}

static void note_workspaces(work *w, const accel_schedule_options *o)
{
    const accel_fusion *f = w->f;
    for (uint32_t i = 0; i < f->graph->node_count; i++) {
        uint32_t unit = f->unit_of[i];
        const lth_node *n = lth_graph_node(f->graph, i);
        if (unit == ACCEL_NONE)
            continue;
        int64_t bytes = 0;
        accel_loop loop = { .end = i };
        w->reader = unit;
        if (n->op == LTH_OP_LOOP_END)
            loop.begin = lth_graph_value(f->graph, lth_node_operand(f->graph, n, 0))->node,
            bytes = accel_loop_staging(f->graph, &loop, memory_of, w);
        else if (f->units[unit].kind == ACCEL_UNIT_NODE && o->workspace)
            bytes = o->workspace(o->context, f->graph, i);
        else if (n->value_count && f->values[n->first_value].total)
            bytes = accel_partials_bytes(f->units[unit].count);
        w->buffers[f->graph->value_count + i] = (accel_buffer) { bytes, w->step_of[unit], w->step_of[unit], 0 };
    }
}

static void take_offsets(work *w)
{
    const accel_fusion *f = w->f;
    for (uint32_t v = 0; v < f->graph->value_count; v++)
        if (w->stored[v] && w->out->own[v].kind == ACCEL_PLACE_NONE)
            w->out->own[v] = (accel_place) { ACCEL_PLACE_BLOCK, 0, w->buffers[owner_of(w, v)].offset + w->within[v] };
    for (uint32_t i = 0; i < f->graph->node_count; i++) {
        const accel_buffer *b = &w->buffers[f->graph->value_count + i];
        accel_place place = { ACCEL_PLACE_BLOCK, 0, b->offset };
        if (b->size)
            *(f->units[f->unit_of[i]].kind == ACCEL_UNIT_NODE ? &w->out->workspaces[i] : &w->out->partials[i]) = place;
    }
}

static lth_status make(work *w, const accel_schedule_options *options)
{
    const accel_fusion *f = w->f;
    number_steps(w);
    elide_moves(w);
    assign_in_place(w);
    for (uint32_t k = 0; k < f->order_count; k++)
        each_read(w, f->order[k], note_read, NULL);
    note_effects(w);
    note_writes(w);
    note_loops(w);
    use_slots(w);
    join_lives(w);
    share_buffers(w);
    note_workspaces(w, options);
    if (accel_plan_memory(w->buffers, f->graph->value_count + f->graph->node_count, &w->out->memory))
        return LTH_NO_MEMORY;
    take_offsets(w);
    return LTH_OK;
}

lth_status accel_layout_new(const accel_fusion *f, const accel_schedule_options *options, accel_layout_plan *out)
{
    size_t values = f->graph->value_count + 1, nodes = f->graph->node_count + 1, units = f->unit_count + 1;
    work w = { .f = f, .out = out };
    *out = (accel_layout_plan) { .own = calloc(values, sizeof *out->own),
                                 .partials = calloc(nodes, sizeof *out->partials),
                                 .workspaces = calloc(nodes, sizeof *out->workspaces),
                                 .in = calloc(values, sizeof *out->in),
                                 .elided = calloc(units, 1),
                                 .in_place = calloc(nodes, 1) };
    out->layout = (accel_layout) { f, out->own, out->in, out->partials };
    w.buffers = calloc(values + nodes, sizeof *w.buffers);
    w.owner = calloc(values, sizeof *w.owner);
    w.step_of = calloc(units, sizeof *w.step_of);
    w.given = calloc(values, sizeof *w.given);
    w.within = calloc(values, sizeof *w.within);
    w.part = calloc(values, 1);
    w.stored = calloc(values, 1);
    w.kept = calloc(values, 1);
    w.read = calloc(values, sizeof *w.read);
    lth_status status = LTH_NO_MEMORY;
    if (out->own && out->partials && out->workspaces && out->in && out->elided && out->in_place && w.buffers && w.owner &&
        w.step_of && w.given && w.within && w.part && w.stored && w.kept && w.read) {
        for (uint32_t v = 0; v < f->graph->value_count; v++)
            w.owner[v] = v;
        status = make(&w, options);
    }
    free(w.buffers);
    free(w.owner);
    free(w.step_of);
    free(w.given);
    free(w.within);
    free(w.part);
    free(w.stored);
    free(w.kept);
    free(w.read);
    return status;
}

void accel_layout_free(accel_layout_plan *l)
{
    free(l->own);
    free(l->partials);
    free(l->workspaces);
    free(l->in);
    free(l->elided);
    free(l->in_place);
    memset(l, 0, sizeof *l);
}
