/* SPDX-License-Identifier: Apache-2.0
 * engine/groups.c: optimizers, their groups of parameters, and the state that they declare. */
#include "engine/internal.h"
#include "util/memory.h"

#include <string.h>

int32_t engine_add_optimizer(engine *g, const lth_optimizer *rule, const char *name, error *e)
{
    state *s = &g->state;
    if (!s->configured || s->allocated) {
        error_set(e, LTH_INVALID,
                  "optimizer '%s': optimizers are added after the model is configured and before state is allocated", name);
        return -1;
    }
    if (!rule->update) {
        error_set(e, LTH_INVALID, "optimizer '%s' has no update rule", rule->id);
        return -1;
    }
    for (size_t i = 0; i < s->optimizer_count; i++)
        if (strcmp(s->optimizers[i].name, name) == 0) {
            error_set(e, LTH_INVALID, "two optimizers are named '%s'", name);
            return -1;
        }
    s->optimizers = memory_grow(s->optimizers, &s->optimizer_capacity, s->optimizer_count + 1, sizeof *s->optimizers);
    s->optimizers[s->optimizer_count] = (state_optimizer) { .rule = rule, .name = arena_copy_text(&s->names, name) };
    return (int32_t)s->optimizer_count++;
}

/* ---- What the rule's setup declares ---- */

typedef struct optimizer_setup {
    lth_optimizer_setup head; /* first, so that an lth_optimizer_setup is one */
    state *state;
    const state_optimizer *optimizer;
    state_group *group;
    error *error;
} optimizer_setup;

static lth_slot declare(lth_optimizer_setup *h, const char *name, double initial, bool is_number)
{
    optimizer_setup *s = (optimizer_setup *)h;
    state_group *group = s->group;
    for (size_t i = 0; i < group->slot_count; i++)
        if (strcmp(group->slots[i].name, name) == 0) {
            error_set(s->error, LTH_INVALID, "optimizer '%s' declares the state '%s' twice", s->optimizer->name, name);
            return (lth_slot) { 0, 0 };
        }
    group->slots = memory_grow(group->slots, &group->slot_capacity, group->slot_count + 1, sizeof *group->slots);
    group->slots[group->slot_count++] =
        (state_slot) { .name = arena_copy_text(&s->state->names, name), .initial = initial, .is_number = is_number };
    return (lth_slot) { (uint32_t)group->slot_count, 0 };
}

static lth_slot declare_state(lth_optimizer_setup *h, const char *name, double initial)
{
    return declare(h, name, initial, false);
}
static lth_slot declare_number(lth_optimizer_setup *h, const char *name, double initial)
{
    return declare(h, name, initial, true);
}

/* The shape that the rule gives a parameter's state: of the parameter's type, or of rank -1. */
static bool piece_shape(const optimizer_setup *s, const char *name, const state_entry *p, lth_shape *out,
                        bool (*shape)(const lth_shape *parameter, lth_shape *state))
{
    lth_shape chosen = { p->shape.dtype, 0, { 0 } };
    bool any = shape(&p->shape, &chosen);
    bool valid = !any || (chosen.rank >= 0 && chosen.rank <= LTH_MAX_RANK);
    *out = (lth_shape) { p->shape.dtype, any ? chosen.rank : -1, { 0 } };
    for (int32_t i = 0; valid && i < out->rank; i++) {
        out->dim[i] = chosen.dim[i];
        valid = chosen.dim[i] >= 0 && chosen.dim[i] <= INT32_MAX;
    }
    if (!valid)
        error_set(s->error, LTH_INVALID, "optimizer '%s': its state '%s' has no valid shape for parameter '%s'",
                  s->optimizer->name, name, p->name);
    return valid;
}

static lth_slot declare_shaped(lth_optimizer_setup *h, const char *name, double initial,
                               bool (*shape)(const lth_shape *parameter, lth_shape *state))
{
    optimizer_setup *s = (optimizer_setup *)h;
    state_group *group = s->group;
    if (s->optimizer->rule->elementwise > 0) {
        error_set(s->error, LTH_INVALID, "optimizer '%s' is elementwise: its state '%s' has the parameters' own shapes",
                  s->optimizer->name, name);
        return (lth_slot) { 0, 0 };
    }
    lth_slot id = declare(h, name, initial, false);
    if (!id.id)
        return id;
    state_slot *slot = &group->slots[id.id - 1];
    slot->pieces = arena_array(&s->state->names, group->count, sizeof *slot->pieces);
    for (uint32_t i = 0; i < group->count; i++) {
        state_piece *piece = &slot->pieces[i];
        if (!piece_shape(s, name, &s->state->parameters.at[group->parameters[i]], &piece->shape, shape))
            return (lth_slot) { 0, 0 };
        piece->offset = slot->elements;
        slot->elements += piece->shape.rank < 0 ? 0 : lth_shape_count(&piece->shape);
    }
    return id;
}

static const lth_optimizer_setup_api api = {
    .struct_size = sizeof(lth_optimizer_setup_api),
    .state = declare_state,
    .number = declare_number,
    .shaped = declare_shaped,
};

/* ---- A group ---- */

static const lth_option *option_at(const lth_options *o, uint32_t i)
{
    return (const lth_option *)((const char *)o->at + (size_t)i * o->stride);
}

/* Lists the group's run-time scalars in the order of the option table. */
static void list_hypers(state *s, const lth_optimizer *rule, state_group *group)
{
    for (int pass = 0; pass < 2; pass++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < rule->options.count; i++) {
            const lth_option *o = option_at(&rule->options, i);
            bool list = o->type == LTH_OPTION_FLOAT_LIST;
            if (!(o->flags & LTH_OPTION_HYPER) || (!list && o->type != LTH_OPTION_FLOAT))
                continue;
            int64_t count = list ? ((const lth_float_list *)((const char *)group->self + o->offset))->count : 1;
            for (int64_t k = 0; k < count; k++, n++)
                if (pass == 1)
                    group->hypers[n] = (state_hyper) { o->offset, (uint32_t)k, list };
        }
        if (pass == 0)
            group->hypers = arena_array(&s->names, n, sizeof *group->hypers);
        group->hyper_count = n;
    }
}

double state_hyper_value(const state_group *group, const state_hyper *hyper)
{
    const void *at = (const char *)group->self + hyper->offset;
    return hyper->in_list ? ((const lth_float_list *)at)->at[hyper->index] : *(const double *)at;
}

void engine_freeze(engine *g, uint32_t parameter)
{
    g->state.parameters.at[parameter - 1].flags |= LTH_PARAMETER_FROZEN;
    g->state.infos[parameter - 1].flags |= LTH_PARAMETER_FROZEN;
}

/* Takes a parameter into the group. */
static bool claim(state *s, uint32_t id, int32_t optimizer, int32_t group, error *e)
{
    const char *name = s->optimizers[optimizer].name;
    if (id == 0 || id > s->parameters.count) {
        error_set(e, LTH_INVALID, "optimizer '%s': there is no parameter %u", name, id);
        return false;
    }
    state_entry *p = &s->parameters.at[id - 1];
    if (p->flags & LTH_PARAMETER_FROZEN) {
        error_set(e, LTH_INVALID, "optimizer '%s': parameter '%s' is frozen", name, p->name);
        return false;
    }
    if (p->optimizer >= 0) {
        error_set(e, LTH_INVALID, "parameter '%s' is in two groups: group %d of optimizer '%s' and group %d of optimizer '%s'",
                  p->name, (int)p->group, s->optimizers[p->optimizer].name, (int)group, name);
        return false;
    }
    p->optimizer = optimizer;
    p->group = group;
    return true;
}

lth_status engine_add_group(engine *g, int32_t optimizer, void *self, const uint32_t *parameters, uint32_t count, error *e)
{
    state *s = &g->state;
    if (optimizer < 0 || (size_t)optimizer >= s->optimizer_count || s->allocated)
        return error_set(e, LTH_INVALID, "groups are added to an optimizer before state is allocated");
    state_optimizer *o = &s->optimizers[optimizer];
    if (count == 0)
        return error_set(e, LTH_INVALID, "optimizer '%s': a group without parameters", o->name);
    state_group group = { .self = self, .count = count };
    group.parameters = arena_array(&s->names, count, sizeof *group.parameters);
    for (uint32_t i = 0; i < count; i++) {
        if (!claim(s, parameters[i], optimizer, (int32_t)o->group_count, e))
            return e->status;
        group.parameters[i] = parameters[i] - 1;
        group.elements += lth_shape_count(&s->parameters.at[parameters[i] - 1].shape);
    }
    list_hypers(s, o->rule, &group);
    error first = { 0 };
    optimizer_setup setup = { .head = { &api }, .state = s, .optimizer = o, .group = &group, .error = &first };
    lth_status answer = o->rule->setup ? o->rule->setup(self, &setup.head) : LTH_OK;
    o->groups = memory_grow(o->groups, &o->group_capacity, o->group_count + 1, sizeof *o->groups);
    o->groups[o->group_count++] = group;
    o->parameter_count += count;
    if (first.status)
        return error_set(e, first.status, "%s", first.text);
    return answer ? error_set(e, answer, "optimizer '%s' failed in its setup", o->name) : LTH_OK;
}
