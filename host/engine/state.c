/* SPDX-License-Identifier: Apache-2.0
 * engine/state.c: the arenas and the names of what lies in them. */
#include "engine/internal.h"
#include "engine/loss_scale.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* The arena for a purpose and a type, made at its first use: "parameters", or "buffers.i64" beside the floating one. */
static uint32_t arena_for(engine *g, const char *purpose, lth_dtype dtype)
{
    state *s = &g->state;
    const char *name = dtype == g->options.floating ? purpose : arena_format(&s->names, "%s.%s", purpose, lth_dtype_name(dtype));
    for (uint32_t i = 0; i < s->arena_count; i++)
        if (strcmp(s->arenas[i].name, name) == 0)
            return i;
    s->arenas = memory_grow(s->arenas, &s->arena_capacity, s->arena_count + 1, sizeof *s->arenas);
    s->arenas[s->arena_count] = (lth_arena_info) { arena_copy_text(&s->names, name), dtype, 0, 0 };
    return (uint32_t)s->arena_count++;
}

/* A slice of `count` elements. aligned: it begins on a multiple of 64 bytes. */
static state_place place(engine *g, const char *purpose, lth_dtype dtype, int64_t count, bool aligned)
{
    uint32_t arena = arena_for(g, purpose, dtype);
    lth_arena_info *info = &g->state.arenas[arena];
    int64_t unit = ALIGNMENT / lth_dtype_size(dtype);
    int64_t at = aligned ? (info->count + unit - 1) / unit * unit : info->count;
    info->count = at + count;
    return (state_place) { arena, 0, at };
}

static void add_tensor(engine *g, const char *name, engine_tensor_kind kind, uint32_t flags, const lth_shape *shape,
                       state_place at, lth_init init)
{
    state *s = &g->state;
    s->tensors = memory_grow(s->tensors, &s->tensor_capacity, s->tensor_count + 1, sizeof *s->tensors);
    s->tensors[s->tensor_count++] = (state_tensor) { { name, kind, flags, *shape }, at, init };
}

/* A parameter as the arena holds it, of that shape as it is recorded. */
static lth_shape stored(const engine *g, const lth_shape *shape)
{
    lth_shape s = *shape;
    if (g->options.stored && s.dtype == g->options.floating)
        s.dtype = g->options.stored;
    return s;
}

static lth_init constant(double value) { return (lth_init) { .kind = LTH_INIT_CONSTANT, .a = value }; }

static int64_t slot_elements(const state_group *group, const state_slot *slot)
{
    return slot->is_number ? 1 : slot->pieces ? slot->elements : group->elements;
}

static void place_group(engine *g, const state_optimizer *o, state_group *group, bool accumulate)
{
    lth_dtype type = g->options.floating;
    group->place = place(g, "parameters", stored(g, &(lth_shape) { .dtype = type }).dtype, group->elements, true);
    int64_t at = group->place.offset;
    for (uint32_t i = 0; i < group->count; i++) {
        state_entry *p = &g->state.parameters.at[group->parameters[i]];
        p->place = (state_place) { group->place.arena, 0, at };
        at += lth_shape_count(&p->shape);
    }
    const char *purpose = arena_format(&g->state.names, "optimizer.%s", o->name);
    for (size_t k = 0; k < group->slot_count; k++)
        group->slots[k].place = place(g, purpose, type, slot_elements(group, &group->slots[k]), true);
    if (accumulate)
        group->accumulated = place(g, "accumulated", type, group->elements, true);
}

/* The shapes of all parameters of an optimizer, in its order, as one list. */
static void list_shapes(engine *g, state_optimizer *o)
{
    lth_shape *next = arena_array(&g->state.names, o->parameter_count, sizeof *next);
    for (size_t k = 0; k < o->group_count; k++) {
        o->groups[k].shapes = next;
        for (uint32_t i = 0; i < o->groups[k].count; i++)
            *next++ = g->state.parameters.at[o->groups[k].parameters[i]].shape;
    }
}

static void name_group(engine *g, const state_optimizer *o, size_t index)
{
    arena *names = &g->state.names;
    const state_group *group = &o->groups[index];
    int64_t at = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const state_entry *p = &g->state.parameters.at[group->parameters[i]];
        for (size_t k = 0; k < group->slot_count; k++) {
            const state_slot *slot = &group->slots[k];
            const state_piece own = slot->pieces ? slot->pieces[i] : (state_piece) { p->shape, at };
            if (!slot->is_number && own.shape.rank >= 0)
                add_tensor(g, arena_format(names, "%s/%s/%s", o->name, p->name, slot->name), ENGINE_OPTIMIZER_STATE, 0,
                           &own.shape, (state_place) { slot->place.arena, 0, slot->place.offset + own.offset },
                           constant(slot->initial));
        }
        at += lth_shape_count(&p->shape);
    }
    lth_shape number = { g->options.floating, 0, { 0 } };
    for (size_t k = 0; k < group->slot_count; k++)
        if (group->slots[k].is_number)
            add_tensor(g, arena_format(names, "%s/group%zu/%s", o->name, index, group->slots[k].name), ENGINE_OPTIMIZER_STATE, 0,
                       &number, group->slots[k].place, constant(group->slots[k].initial));
}

static void name_accumulators(engine *g, const state_optimizer *o, const state_group *group)
{
    int64_t at = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const state_entry *p = &g->state.parameters.at[group->parameters[i]];
        add_tensor(g, arena_format(&g->state.names, "%s/%s/accumulated", o->name, p->name), ENGINE_ACCUMULATOR, 0, &p->shape,
                   (state_place) { group->accumulated.arena, 0, group->accumulated.offset + at }, constant(0));
        at += lth_shape_count(&p->shape);
    }
}

state_place state_add_number(engine *g, const char *arena, const char *name, double initial)
{
    lth_shape number = { g->options.floating, 0, { 0 } };
    state_place at = place(g, arena, number.dtype, 1, true);
    add_tensor(g, name, ENGINE_OPTIMIZER_STATE, 0, &number, at, constant(initial));
    return at;
}

/* Gives everything its place, then its name. */
static void lay_out(engine *g, bool accumulate)
{
    state *s = &g->state;
    for (size_t i = 0; i < s->optimizer_count; i++) {
        list_shapes(g, &s->optimizers[i]);
        for (size_t k = 0; k < s->optimizers[i].group_count; k++)
            place_group(g, &s->optimizers[i], &s->optimizers[i].groups[k], accumulate);
    }
    for (size_t i = 0; i < s->parameters.count; i++) {
        state_entry *p = &s->parameters.at[i];
        lth_shape shape = stored(g, &p->shape);
        if (p->optimizer < 0)
            p->place = place(g, "parameters", shape.dtype, lth_shape_count(&shape), true);
        add_tensor(g, p->name, ENGINE_PARAMETER, p->flags, &shape, p->place, p->init);
    }
    for (size_t i = 0; i < s->buffers.count; i++) {
        state_entry *b = &s->buffers.at[i];
        b->place = place(g, "buffers", b->shape.dtype, lth_shape_count(&b->shape), true);
        add_tensor(g, b->name, ENGINE_BUFFER, b->flags, &b->shape, b->place, b->init);
    }
    for (size_t i = 0; i < s->optimizer_count; i++)
        for (size_t k = 0; k < s->optimizers[i].group_count; k++)
            name_group(g, &s->optimizers[i], k);
    for (size_t i = 0; accumulate && i < s->optimizer_count; i++)
        for (size_t k = 0; k < s->optimizers[i].group_count; k++)
            name_accumulators(g, &s->optimizers[i], &s->optimizers[i].groups[k]);
    loss_scale_allocate(g);
}

static char *place_address(const engine *g, state_place at)
{
    return (char *)g->state.memory[at.arena] + at.offset * lth_dtype_size(g->state.arenas[at.arena].dtype);
}

static lth_status fill(engine *g, error *e)
{
    uint64_t largest = 1;
    for (size_t i = 0; i < g->state.tensor_count; i++) {
        const lth_shape *shape = &g->state.tensors[i].face.shape;
        uint64_t bytes = (uint64_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype));
        largest = bytes > largest ? bytes : largest;
    }
    void *staging = malloc(largest);
    if (!staging)
        return error_set(e, LTH_NO_MEMORY, "no memory for a tensor of %llu bytes", (unsigned long long)largest);
    for (uint32_t i = 0; i < g->state.tensor_count && e->status == LTH_OK; i++) {
        const state_tensor *t = &g->state.tensors[i];
        init_fill(&t->init, t->face.name, g->options.seed, &t->face.shape, staging);
        engine_tensor_set(g, i, staging, e);
    }
    free(staging);
    return e->status;
}

lth_status engine_allocate(engine *g, bool accumulate, error *e)
{
    state *s = &g->state;
    if (!s->configured || s->allocated)
        return error_set(e, LTH_INVALID, "state is allocated once, after the model is configured");
    lay_out(g, accumulate);
    s->memory = memory_new(s->arena_count * sizeof *s->memory + 1);
    s->allocated = true;
    s->accumulates = accumulate;
    size_t entries = s->parameters.count + s->buffers.count + 1;
    g->step.parameters = memory_new(entries * sizeof(uint32_t));
    g->step.buffers = g->step.parameters + s->parameters.count;
    for (int i = 0; i < 2; i++) {
        g->records[i].arenas = s->arenas;
        g->records[i].arena_count = (uint32_t)s->arena_count;
    }
    const lth_accelerator *a = g->options.accelerator;
    if (!a)
        return LTH_OK;
    for (size_t i = 0; i < s->arena_count; i++) {
        uint64_t bytes = (uint64_t)(s->arenas[i].count * lth_dtype_size(s->arenas[i].dtype));
        s->memory[i] = a->alloc(g->options.accelerator_self, bytes ? bytes : ALIGNMENT);
        if (!s->memory[i])
            return error_set(e, LTH_NO_MEMORY, "accelerator '%s' has no %llu bytes for %s", a->id, (unsigned long long)bytes,
                             s->arenas[i].name);
        g->stats.state_memory += bytes;
    }
    error first = { 0 };
    return fill(g, e ? e : &first);
}

uint32_t engine_tensor_count(const engine *g) { return (uint32_t)g->state.tensor_count; }

const engine_tensor *engine_tensor_at(const engine *g, uint32_t index)
{
    return index < g->state.tensor_count ? &g->state.tensors[index].face : NULL;
}

/* The tensor's address and size, or NULL with the message. */
static void *locate(engine *g, uint32_t index, uint64_t *bytes, error *e)
{
    if (index >= g->state.tensor_count) {
        error_set(e, LTH_INVALID, "there is no tensor %u in the state", index);
        return NULL;
    }
    if (!g->options.accelerator) {
        error_set(e, LTH_UNSUPPORTED, "steps are only recorded here: state has names and shapes, but no memory");
        return NULL;
    }
    const state_tensor *t = &g->state.tensors[index];
    *bytes = (uint64_t)(lth_shape_count(&t->face.shape) * lth_dtype_size(t->face.shape.dtype));
    return place_address(g, t->place);
}

lth_status engine_tensor_get(engine *g, uint32_t index, void *out, error *e)
{
    uint64_t bytes;
    const void *at = locate(g, index, &bytes, e);
    if (!at)
        return LTH_INVALID;
    lth_status status = g->options.accelerator->copy_out(g->options.accelerator_self, out, at, bytes);
    return status ? error_set(e, status, "cannot read '%s' from the accelerator", g->state.tensors[index].face.name) : LTH_OK;
}

lth_status engine_tensor_set(engine *g, uint32_t index, const void *data, error *e)
{
    uint64_t bytes;
    void *at = locate(g, index, &bytes, e);
    if (!at)
        return LTH_INVALID;
    lth_status status = g->options.accelerator->copy_in(g->options.accelerator_self, at, data, bytes);
    return status ? error_set(e, status, "cannot write '%s' to the accelerator", g->state.tensors[index].face.name) : LTH_OK;
}

const char *state_name_at(const engine *g, uint32_t arena, int64_t offset)
{
    for (size_t i = 0; i < g->state.tensor_count; i++)
        if (g->state.tensors[i].place.arena == arena && g->state.tensors[i].place.offset == offset)
            return g->state.tensors[i].face.name;
    return NULL;
}

void state_free(engine *g)
{
    state *s = &g->state;
    for (size_t i = 0; s->memory && i < s->arena_count; i++)
        if (s->memory[i])
            g->options.accelerator->free(g->options.accelerator_self, s->memory[i]);
    for (size_t i = 0; i < s->optimizer_count; i++) {
        for (size_t k = 0; k < s->optimizers[i].group_count; k++)
            free(s->optimizers[i].groups[k].slots);
        free(s->optimizers[i].groups);
    }
    free(s->memory);
    free(s->arenas);
    free(s->tensors);
    free(s->optimizers);
    free(s->parameters.at);
    free(s->buffers.at);
    map_free(&s->types);
    arena_free(&s->names);
    free(g->step.parameters);
}
