/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_INSTRUCTIONS = 3 * ACCEL_TILE_SLOTS };

typedef struct builder {
    const accel_layout *layout;
    const accel_unit *unit;
    accel_place *pointers;
    accel_program *program;
    uint32_t
        value_of[ACCEL_TILE_SLOTS];     /* by slot: the value that it holds, to find it again; ACCEL_NONE: another slot's, cast */
    uint16_t cast_of[ACCEL_TILE_SLOTS]; /* by slot: another slot with its value in the other type, bf16 or f32; 0: none */
    bool whole[ACCEL_TILE_SLOTS];       /* by slot: an operand that lies dense, found by root and offset */
    bool full;
} builder;

accel_place accel_layout_place(const accel_layout *l, uint32_t root)
{
    const lth_graph *g = l->fusion->graph;
    const lth_node *n = lth_graph_node(g, lth_graph_value(g, root)->node);
    const void *a = lth_node_attributes(g, n);
    if (n->op == LTH_OP_INPUT)
        return (accel_place) { ACCEL_PLACE_INPUT, ((const lth_attr_slot *)a)->slot, 0 };
    if (n->op == LTH_OP_STATE) {
        const lth_attr_state *s = a;
        return (accel_place) { ACCEL_PLACE_ARENA, s->arena, s->offset * lth_dtype_size(lth_graph_value(g, root)->shape.dtype) };
    }
    return l->own[root];
}

static lth_dtype dtype_of(const builder *b, uint32_t v) { return lth_graph_value(b->layout->fusion->graph, v)->shape.dtype; }

/* ---- Parts of a program ---- */

static uint32_t add_pointer(builder *b, accel_place place)
{
    uint32_t n = b->program->pointer_count;
    for (uint32_t i = 0; i < n; i++)
        if (b->pointers[i].kind == place.kind && b->pointers[i].index == place.index && b->pointers[i].offset == place.offset)
            return i;
    if (n == ACCEL_PROGRAM_POINTERS) {
        b->full = true;
        return 0;
    }
    b->pointers[n] = place;
    return b->program->pointer_count++;
}

static uint16_t add_slot(builder *b, accel_slot_kind kind, uint32_t value, uint32_t pointer, int64_t at)
{
    uint32_t n = b->program->slot_count;
    if (n == ACCEL_TILE_SLOTS) {
        b->full = true;
        return 0;
    }
    b->program->slots[n] = (accel_slot) { .kind = kind, .dtype = dtype_of(b, value), .pointer = pointer, .at = at };
    b->value_of[n] = value;
    b->program->slot_count++;
    return (uint16_t)n;
}

static accel_instruction *add_instruction(builder *b, uint32_t op, lth_dtype dtype)
{
    static accel_instruction spare;
    uint32_t n = b->program->instruction_count;
    if (n == MOST_INSTRUCTIONS) {
        b->full = true;
        return &spare;
    }
    b->program->instruction_count++;
    b->program->instructions[n] = (accel_instruction) { .op = op, .dtype = dtype, .to = dtype };
    return &b->program->instructions[n];
}

static uint32_t add_view(builder *b, const accel_view *v)
{
    b->program->views[b->program->view_count] = accel_view_merged(v);
    b->program->views[b->program->view_count].offset = v->offset;
    return b->program->view_count++; /* as many as instructions at most, which are counted */
}

static bool repeats(const accel_view *merged)
{
    for (int32_t a = 0; a < merged->rank; a++)
        if (merged->stride[a])
            return false;
    return true;
}

/* ---- Operands ---- */

static uint16_t scalar_slot(builder *b, uint32_t root)
{
    const lth_graph *g = b->layout->fusion->graph;
    const lth_node *n = lth_graph_node(g, lth_graph_value(g, root)->node);
    const void *a = lth_node_attributes(g, n);
    if (n->op == LTH_OP_SCALAR)
        return add_slot(b, ACCEL_SLOT_SCALAR, root, 0, ((const lth_attr_slot *)a)->slot);
    return add_slot(b, ACCEL_SLOT_INTEGER, root, 0, ((const lth_attr_integer *)a)->value);
}

/* A slot for what is seen of `root` through a view, loaded where it lies strided; `value` names it. */
static uint16_t outside_slot(builder *b, uint32_t value, uint32_t root, const accel_view *view)
{
    accel_view merged = accel_view_merged(view);
    uint32_t pointer = add_pointer(b, accel_layout_place(b->layout, root));
    if (repeats(&merged) && (merged.rank || b->program->count > 1))
        return add_slot(b, ACCEL_SLOT_ONE, value, pointer, view->offset);
    if (accel_view_is_dense(view)) {
        uint16_t slot = add_slot(b, ACCEL_SLOT_MEMORY, root, pointer, view->offset);
        b->whole[slot] = true;
        return slot;
    }
    uint16_t slot = add_slot(b, ACCEL_SLOT_SCRATCH, value, 0, 0);
    accel_instruction *load = add_instruction(b, ACCEL_TILE_LOAD, dtype_of(b, value));
    load->out = slot;
    load->pointer = pointer;
    load->view = add_view(b, view);
    return slot;
}

/* The slot of operand v: a member's result, or something from outside that may have been met before. */
static uint16_t operand_slot(builder *b, uint32_t v)
{
    const accel_fusion *f = b->layout->fusion;
    const accel_value *value = &f->values[v];
    const accel_unit *maker = f->values[value->root].unit == ACCEL_NONE ? NULL : &f->units[f->values[value->root].unit];
    bool inside = maker == b->unit, scalar = f->values[value->root].scalar, dense = accel_view_is_dense(&value->view);
    for (uint32_t s = 0; s < b->program->slot_count; s++) {
        if ((inside || scalar) && b->value_of[s] == value->root && !b->whole[s])
            return (uint16_t)s;
        if (!inside && !scalar && b->whole[s] && dense && b->value_of[s] == value->root &&
            b->program->slots[s].at == value->view.offset)
            return (uint16_t)s;
        if (!inside && !scalar && !b->whole[s] && b->value_of[s] == v)
            return (uint16_t)s;
    }
    return scalar ? scalar_slot(b, value->root) : outside_slot(b, v, value->root, &value->view);
}

/* ---- bf16 ----
 *
 * Instructions compute in f32: an operand of bf16 is cast when it is first read, and a result stays f32 in its register and is
 * rounded where it is stored. So a fused chain is rounded once, at its end, and a node by itself as its own kernel would. */

static bool is_bf16(lth_dtype t) { return t == LTH_BF16; }

/* A slot with the same elements in that type, bf16 or f32. */
static uint16_t cast_slot(builder *b, uint16_t slot, lth_dtype to)
{
    if (b->program->slots[slot].dtype == to)
        return slot;
    if (b->cast_of[slot])
        return b->cast_of[slot];
    uint16_t out = add_slot(b, ACCEL_SLOT_SCRATCH, b->value_of[slot], 0, 0);
    accel_instruction *i = add_instruction(b, LTH_OP_CAST, b->program->slots[slot].dtype);
    b->program->slots[out].dtype = i->to = to;
    b->value_of[out] = ACCEL_NONE;
    i->in[0] = slot;
    i->out = out;
    b->cast_of[slot] = out;
    return out;
}

/* ---- Nodes ---- */

static void add_total(builder *b, const lth_graph *g, const lth_node *n, uint32_t node, uint16_t in)
{
    uint32_t result = n->first_value, partials = add_pointer(b, b->layout->partials[node]);
    uint32_t op = n->op == LTH_OP_ALL_FINITE ? ACCEL_TILE_ALL_FINITE : ACCEL_TILE_SUM;
    accel_instruction *total = add_instruction(b, op, lth_node_operand_shape(g, n, 0)->dtype);
    total->in[0] = in;
    total->pointer = partials;
    b->program->totals[b->program->total_count++] =
        (accel_total) { op, dtype_of(b, result), partials, add_pointer(b, b->layout->own[result]),
                        n->op == LTH_OP_MEAN ? (double)b->program->count : 1 };
}

static void set_attributes(accel_instruction *i, const lth_graph *g, const lth_node *n)
{
    const void *a = lth_node_attributes(g, n);
    i->to = lth_node_shape(g, n, 0)->dtype;
    if (n->op == LTH_OP_UNIFORM || n->op == LTH_OP_NORMAL || n->op == LTH_OP_DROPOUT)
        i->id = ((const lth_attr_random *)a)->id;
    if (n->op == LTH_OP_IOTA) {
        const lth_attr_shape *s = a;
        i->length = s->shape.dim[s->axis];
        i->inner = 1;
        for (int32_t d = (int32_t)s->axis + 1; d < s->shape.rank; d++)
            i->inner *= s->shape.dim[d];
    }
}

static void add_member(builder *b, uint32_t node)
{
    const lth_graph *g = b->layout->fusion->graph;
    const lth_node *n = lth_graph_node(g, node);
    uint16_t in[3] = { 0 };
    for (uint32_t k = 0; k < n->operand_count; k++)
        in[k] = operand_slot(b, lth_node_operand(g, n, k));
    if (b->layout->fusion->values[n->first_value].total) {
        add_total(b, g, n, node, in[0]);
        return;
    }
    bool cast = n->op == LTH_OP_CAST; /* to bf16 rounds, fused or not: that is what it is for */
    for (uint32_t k = 0; k < n->operand_count && !cast; k++)
        if (is_bf16(b->program->slots[in[k]].dtype))
            in[k] = cast_slot(b, in[k], LTH_F32);
    uint16_t out = add_slot(b, ACCEL_SLOT_SCRATCH, n->first_value, 0, 0);
    lth_dtype dtype = cast ? b->program->slots[in[0]].dtype : accel_node_dtype(g, n);
    accel_instruction *i = add_instruction(b, n->op, is_bf16(dtype) && !cast ? LTH_F32 : dtype);
    i->out = out;
    memcpy(i->in, in, sizeof in);
    set_attributes(i, g, n);
    if (is_bf16(b->program->slots[out].dtype) && !cast)
        b->program->slots[out].dtype = LTH_F32;
}

/* ---- Results ---- */

static bool reads(const accel_instruction *i, uint32_t slot)
{
    uint32_t count = i->op == ACCEL_TILE_LOAD || i->op == LTH_OP_IOTA || i->op == LTH_OP_UNIFORM || i->op == LTH_OP_NORMAL ? 0
                     : i->op >= ACCEL_TILE_LOAD                                                                            ? 1
                     : accel_tile_is_pair(i->op)                                                                           ? 3
                                                 : accel_op_find(i->op)->max_operands;
    for (uint32_t k = 0; k < count; k++)
        if (i->in[k] == slot)
            return true;
    return false;
}

/* Whether an instruction after `made` reads memory that a result at `place` would already have overwritten. */
static bool is_read_later(const builder *b, accel_place place, int64_t bytes, uint32_t made)
{
    const accel_program *p = b->program;
    for (uint32_t s = 0; s < p->slot_count; s++) {
        const accel_slot *slot = &p->slots[s];
        if (slot->kind != ACCEL_SLOT_MEMORY || !b->whole[s])
            continue;
        const accel_place *other = &b->pointers[slot->pointer];
        int64_t size = lth_dtype_size(slot->dtype), at = other->offset + slot->at * size;
        if (other->kind != place.kind || other->index != place.index || at + p->count * size <= place.offset ||
            place.offset + bytes <= at)
            continue;
        for (uint32_t i = made + 1; i < p->instruction_count; i++)
            if (reads(&p->instructions[i], s))
                return true;
    }
    return false;
}

/* ---- Pairs ---- */

static bool as_first(const accel_instruction *i, accel_pair_first *first)
{
    *first = i->op == LTH_OP_ADD ? ACCEL_FIRST_ADD : i->op == LTH_OP_SUB ? ACCEL_FIRST_SUB : ACCEL_FIRST_MUL;
    return i->op == LTH_OP_ADD || i->op == LTH_OP_SUB || i->op == LTH_OP_MUL || i->op == LTH_OP_SQUARE;
}

/* What i makes of its operand number `of`, t, and the other. */
static bool as_second(const accel_instruction *i, uint32_t of, accel_pair_second *second)
{
    *second = i->op == LTH_OP_ADD   ? ACCEL_SECOND_ADD
              : i->op == LTH_OP_MUL ? ACCEL_SECOND_MUL
              : i->op == LTH_OP_SUB ? (of ? ACCEL_SECOND_SUB_FROM : ACCEL_SECOND_SUB)
                                    : (of ? ACCEL_SECOND_DIV_OF : ACCEL_SECOND_DIV);
    return (i->op == LTH_OP_ADD || i->op == LTH_OP_MUL || i->op == LTH_OP_SUB || i->op == LTH_OP_DIV) && i->in[0] != i->in[1];
}

/* Whether nothing but instruction `reader` wants what is in the slot. */
static bool is_for_one(const builder *b, uint32_t slot, uint32_t reader)
{
    uint32_t v = b->value_of[slot], count = 0;
    for (uint32_t i = 0; i < b->program->instruction_count; i++)
        count += reads(&b->program->instructions[i], slot);
    return count == 1 && reads(&b->program->instructions[reader], slot) && b->program->slots[slot].kind == ACCEL_SLOT_SCRATCH &&
           (v == ACCEL_NONE || b->layout->own[v].kind == ACCEL_PLACE_NONE);
}

/* Joins an instruction with the one that makes its operand, so that t stays in a register of the processor. */
static bool join(builder *b, uint32_t reader)
{
    accel_instruction *i = &b->program->instructions[reader];
    accel_pair_second second;
    for (uint32_t of = 0; of < 2; of++) {
        if ((i->dtype != LTH_F32 && i->dtype != LTH_F64) || !as_second(i, of, &second) || !is_for_one(b, i->in[of], reader))
            continue;
        for (uint32_t made = 0; made < reader; made++) {
            accel_instruction *t = &b->program->instructions[made];
            accel_pair_first first;
            if (t->op >= ACCEL_TILE_LOAD || t->out != i->in[of] || t->dtype != i->dtype || !as_first(t, &first))
                continue;
            uint16_t in[3] = { t->in[0], t->in[t->op == LTH_OP_SQUARE ? 0 : 1], i->in[1 - of] };
            memcpy(i->in, in, sizeof in);
            i->op = accel_tile_pair(first, second);
            memmove(t, t + 1, (b->program->instruction_count - made - 1) * sizeof *t);
            b->program->instruction_count--;
            return true;
        }
    }
    return false;
}

static void join_pairs(builder *b)
{
    for (uint32_t i = 0; i < b->program->instruction_count;)
        i += !join(b, i);
}

/* Results go to memory as they are made where nothing speaks against it, else at the tile's end. */
static void store_results(builder *b)
{
    accel_program *p = b->program;
    for (uint32_t made = 0, count = p->instruction_count; made < count; made++) {
        uint16_t slot = p->instructions[made].out;
        if (p->instructions[made].op >= ACCEL_TILE_LOAD || p->slots[slot].kind != ACCEL_SLOT_SCRATCH)
            continue;
        uint32_t v = b->value_of[slot];
        accel_place place = v == ACCEL_NONE ? (accel_place) { ACCEL_PLACE_NONE, 0, 0 } : b->layout->own[v];
        if (place.kind == ACCEL_PLACE_NONE)
            continue;
        if (b->layout->in[v]) {
            uint16_t narrow = cast_slot(b, slot, dtype_of(b, v));
            accel_instruction *store = add_instruction(b, ACCEL_TILE_STORE, dtype_of(b, v));
            store->in[0] = narrow;
            store->pointer = add_pointer(b, place);
            store->view = add_view(b, b->layout->in[v]);
        } else if (p->slots[slot].dtype != dtype_of(b, v)) {
            uint16_t memory = add_slot(b, ACCEL_SLOT_MEMORY, v, add_pointer(b, place), 0);
            accel_instruction *round = add_instruction(b, LTH_OP_CAST, p->slots[slot].dtype);
            round->to = dtype_of(b, v);
            round->in[0] = slot;
            round->out = memory;
        } else if (is_read_later(b, place, p->count * lth_dtype_size(dtype_of(b, v)), made)) {
            uint16_t memory = add_slot(b, ACCEL_SLOT_MEMORY, v, add_pointer(b, place), 0);
            accel_instruction *copy = add_instruction(b, LTH_OP_STOP_GRADIENT, dtype_of(b, v));
            copy->in[0] = slot;
            copy->out = memory;
        } else {
            p->slots[slot].kind = ACCEL_SLOT_MEMORY;
            p->slots[slot].pointer = add_pointer(b, place);
        }
    }
}

/* ---- Adam ---- */

/* What the steps read and make: arrays, numbers, what is between the steps, results. */
enum {
    P, G, M, V,
    DECAY, BETA1_REST, BETA2_REST, BETA2, ROOT, EPS, RATE,
    FROM, T, U, R, D, E, S,
    M_NEXT, V_NEXT, P_NEXT, NAMES
};

/* Adam's step as optimizers write it, paired (tile_adam.h). Without a weight decay the first is missing, and FROM is P. */
static const struct {
    uint32_t first, second, out, in[3]; /* second: of a pair; else ACCEL_NONE */
} adam[] = {
    { ACCEL_FIRST_MUL, ACCEL_SECOND_SUB_FROM, FROM, { P, DECAY, P } },
    { ACCEL_FIRST_SUB, ACCEL_SECOND_MUL, T, { G, M, BETA1_REST } },
    { LTH_OP_ADD, ACCEL_NONE, M_NEXT, { M, T } },
    { ACCEL_FIRST_MUL, ACCEL_SECOND_MUL, U, { G, G, BETA2_REST } },
    { ACCEL_FIRST_MUL, ACCEL_SECOND_ADD, V_NEXT, { V, BETA2, U } },
    { LTH_OP_SQRT, ACCEL_NONE, R, { V_NEXT } },
    { LTH_OP_DIV, ACCEL_NONE, D, { R, ROOT } },
    { LTH_OP_ADD, ACCEL_NONE, E, { D, EPS } },
    { ACCEL_FIRST_MUL, ACCEL_SECOND_DIV, S, { M_NEXT, RATE, E } },
    { LTH_OP_SUB, ACCEL_NONE, P_NEXT, { FROM, S } },
};
enum { ADAM = sizeof adam / sizeof *adam };

/* Whether instructions from `at` on are those of adam[] from `skipped` on; slot_of: by name. */
static bool is_adam(const accel_program *p, uint32_t at, uint32_t skipped, uint32_t slot_of[NAMES])
{
    if (at + ADAM - skipped > p->instruction_count)
        return false;
    for (uint32_t k = 0; k < NAMES; k++)
        slot_of[k] = ACCEL_NONE;
    for (uint32_t k = skipped; k < ADAM; k++) {
        const accel_instruction *i = &p->instructions[at + k - skipped];
        bool pair = adam[k].second != ACCEL_NONE;
        uint32_t op = pair ? accel_tile_pair(adam[k].first, adam[k].second) : adam[k].first;
        if (i->op != op || i->dtype != LTH_F32)
            return false;
        for (uint32_t o = 0, count = pair ? 3 : op == LTH_OP_SQRT ? 1 : 2; o <= count; o++) {
            uint32_t *slot = &slot_of[o < count ? adam[k].in[o] : adam[k].out], found = o < count ? i->in[o] : i->out;
            if (*slot != ACCEL_NONE && *slot != found)
                return false;
            *slot = found;
        }
    }
    return true;
}

/* Whether what is between the steps is read by nothing else, and numbers are the same all over the tile. */
static bool is_closed(const accel_program *p, uint32_t at, uint32_t skipped, const uint32_t slot_of[NAMES])
{
    for (uint32_t k = DECAY; k <= RATE; k++)
        if (slot_of[k] != ACCEL_NONE && p->slots[slot_of[k]].kind <= ACCEL_SLOT_MEMORY)
            return false;
    for (uint32_t k = FROM + skipped; k <= S; k++)
        for (uint32_t i = 0; i < p->instruction_count; i++)
            if (p->slots[slot_of[k]].kind != ACCEL_SLOT_SCRATCH ||
                ((i < at || i >= at + ADAM - skipped) && reads(&p->instructions[i], slot_of[k])))
                return false;
    return true;
}

static void find_adam(accel_program *p)
{
    uint32_t slot_of[NAMES];
    for (uint32_t at = 0; at < p->instruction_count; at++)
        for (uint32_t skipped = 0; skipped < 2 && !p->instructions[at].adam; skipped++)
            if (is_adam(p, at, skipped, slot_of) && is_closed(p, at, skipped, slot_of))
                p->instructions[at].adam = ADAM - skipped;
}

/* ---- The scratch ---- */

/* Shares registers of one tile each among scratch slots whose lives do not meet; repeated scalars keep theirs. */
static void place_scratch(accel_program *p)
{
    uint32_t until[ACCEL_TILE_SLOTS] = { 0 }, in_register[ACCEL_TILE_SLOTS] = { 0 }, registers = 0,
             last_use[ACCEL_TILE_SLOTS] = { 0 };
    int64_t width = 1, size_in[ACCEL_TILE_SLOTS] = { 0 };
    for (uint32_t i = 0; i < p->instruction_count; i++)
        for (uint32_t s = 0; s < p->slot_count; s++)
            if (reads(&p->instructions[i], s))
                last_use[s] = i + 1;
    for (uint32_t s = 0; s < p->slot_count; s++) {
        if (p->slots[s].kind == ACCEL_SLOT_MEMORY)
            continue;
        int64_t size = lth_dtype_size(p->slots[s].dtype);
        width = size > width ? size : width;
        if (p->slots[s].kind != ACCEL_SLOT_SCRATCH) {
            in_register[s] = registers;
            until[registers++] = UINT32_MAX;
        }
    }
    for (uint32_t i = 0; i < p->instruction_count; i++) {
        uint32_t s = p->instructions[i].out, r = 0;
        if (p->instructions[i].op > ACCEL_TILE_LOAD || p->slots[s].kind != ACCEL_SLOT_SCRATCH)
            continue;
        int64_t size = lth_dtype_size(p->slots[s].dtype);
        while (r < registers && (until[r] > i + 1 || (until[r] == i + 1 && size_in[r] != size)))
            r++; /* an instruction may write where it reads for the last time, but only element by element */
        registers += r == registers;
        in_register[s] = r;
        size_in[r] = size;
        until[r] = last_use[s] > i + 1 ? last_use[s] : i + 1;
    }
    int64_t most = ACCEL_TILE_SCRATCH / ((registers ? registers : 1) * width);
    for (p->tile = ACCEL_TILE_MOST; p->tile > ACCEL_TILE_LEAST && p->tile > most;)
        p->tile /= 2;
    p->tile = p->total_count ? ACCEL_TILE_OF_TOTALS : p->tile;
    p->scratch = registers * p->tile * width;
    for (uint32_t s = 0; s < p->slot_count; s++)
        if (p->slots[s].kind != ACCEL_SLOT_MEMORY)
            p->slots[s].scratch = (uint32_t)(in_register[s] * p->tile * width);
}

/* ---- Groups and moves ---- */

static void build_move(builder *b, const accel_unit *u)
{
    const accel_fusion *f = b->layout->fusion;
    uint32_t root = f->values[u->from].root;
    accel_place to = b->layout->own[u->to];
    uint16_t from = f->values[root].scalar ? scalar_slot(b, root) : outside_slot(b, u->from, root, &u->from_view);
    accel_program *p = b->program;
    if (!accel_view_is_dense(&u->to_view)) {
        accel_instruction *store = add_instruction(b, ACCEL_TILE_STORE, dtype_of(b, u->to));
        store->in[0] = from;
        store->pointer = add_pointer(b, to);
        store->view = add_view(b, &u->to_view);
    } else if (p->instruction_count) { /* a load: straight to its place */
        p->slots[from].kind = ACCEL_SLOT_MEMORY;
        p->slots[from].pointer = add_pointer(b, to);
        p->slots[from].at = u->to_view.offset;
    } else {
        uint16_t memory = add_slot(b, ACCEL_SLOT_MEMORY, u->to, add_pointer(b, to), u->to_view.offset);
        accel_instruction *copy = add_instruction(b, LTH_OP_STOP_GRADIENT, dtype_of(b, u->to));
        copy->in[0] = from;
        copy->out = memory;
    }
}

/* Gives back what was taken for the worst case. */
static void *trimmed(void *table, size_t bytes)
{
    void *smaller = realloc(table, bytes ? bytes : 1);
    return smaller ? smaller : table;
}

accel_program *accel_program_of_unit(const accel_layout *l, const accel_unit *u, accel_place *pointers)
{
    accel_program *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    builder b = { .layout = l, .unit = u, .pointers = pointers, .program = p };
    p->slots = calloc(ACCEL_TILE_SLOTS, sizeof *p->slots);
    p->instructions = calloc(MOST_INSTRUCTIONS, sizeof *p->instructions);
    p->views = calloc(MOST_INSTRUCTIONS, sizeof *p->views);
    p->totals = calloc(u->member_count + 1, sizeof *p->totals);
    b.full = !p->slots || !p->instructions || !p->views || !p->totals;
    p->count = u->kind == ACCEL_UNIT_MOVE ? accel_view_count(&u->to_view) : u->count;
    if (!b.full && u->kind == ACCEL_UNIT_MOVE)
        build_move(&b, u);
    for (uint32_t i = 0; i < u->member_count && !b.full; i++)
        add_member(&b, l->fusion->members[u->first_member + i]);
    if (!b.full) {
        join_pairs(&b);
        store_results(&b);
        find_adam(p);
        place_scratch(p);
    }
    if (b.full) {
        accel_program_free(p);
        return NULL;
    }
    p->slots = trimmed(p->slots, p->slot_count * sizeof *p->slots);
    p->instructions = trimmed(p->instructions, p->instruction_count * sizeof *p->instructions);
    p->views = trimmed(p->views, p->view_count * sizeof *p->views);
    return p;
}
