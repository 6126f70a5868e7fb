/* SPDX-License-Identifier: Apache-2.0
 * engine/expand.c */
#include "engine/expand.h"

#include "engine/internal.h"
#include "engine/loss_scale.h"
#include "engine/precision.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

uint32_t expand_emit(expansion *x, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size,
                     uint32_t site)
{
    for (uint32_t i = 0; i < count; i++)
        if (operands[i] == LTH_NO_VALUE)
            return LTH_NO_VALUE;
    uint32_t value = graph_emit_broadcast(x->out, op, operands, count, attributes, size, site, x->error);
    if (value == LTH_NO_VALUE)
        error_prefix(x->error, "%s:%u: ", x->out->sites[site].file, x->out->sites[site].line);
    return value;
}

/* ---- State within a step ---- */

static expand_assign *find_assign(expansion *x, state_place place)
{
    for (size_t i = 0; i < x->assign_count; i++)
        if (x->assigns[i].place.arena == place.arena && x->assigns[i].place.offset == place.offset)
            return &x->assigns[i];
    return NULL;
}

uint32_t expand_state(expansion *x, state_place place, const lth_shape *shape, uint32_t site)
{
    const expand_assign *a = find_assign(x, place);
    return a ? a->value : trace_state(x->out, place.arena, place.offset, shape, site);
}

uint32_t expand_write(expansion *x, state_place place, const lth_shape *shape, uint32_t value, uint32_t site)
{
    value = expand_cast(x, value, x->out->arenas[place.arena].dtype, site);
    expand_assign *a = find_assign(x, place);
    if (!a) {
        x->assigns = memory_grow(x->assigns, &x->assign_capacity, x->assign_count + 1, sizeof *x->assigns);
        a = &x->assigns[x->assign_count++];
    }
    *a = (expand_assign) { place, *shape, value, site };
    return value;
}

/* ---- Groups as vectors ---- */

static void remember_flat(expansion *x, const state_group *group, const uint32_t *values, uint32_t flat)
{
    x->flats = memory_grow(x->flats, &x->flat_capacity, x->flat_count + 1, sizeof *x->flats);
    x->flats[x->flat_count++] = (expand_flat) { group, arena_copy(&x->memory, values, group->count * sizeof *values), flat };
}

/* Whether the values are the group's parameters as the step found them: then the vector is a slice of the arena. */
static bool untouched_parameters(const expansion *x, const state_group *group, const uint32_t *values)
{
    const state *s = &x->engine->state;
    for (uint32_t i = 0; i < group->count; i++) {
        const lth_node *n = &x->out->nodes[x->out->values[values[i]].node];
        if (n->op == LTH_OP_CAST) /* of a parameter that is stored in a lower type */
            n = &x->out->nodes[x->out->values[x->out->operands[n->first_operand]].node];
        const lth_attr_state *at = (const void *)(x->out->attributes + n->attributes);
        const state_place *p = &s->parameters.at[group->parameters[i]].place;
        if (n->op != LTH_OP_STATE || at->arena != p->arena || at->offset != p->offset)
            return false;
    }
    return true;
}

uint32_t expand_flatten(expansion *x, const state_group *group, const uint32_t *values, uint32_t site)
{
    for (size_t i = 0; i < x->flat_count; i++)
        if (x->flats[i].group == group && memcmp(x->flats[i].values, values, group->count * sizeof *values) == 0)
            return x->flats[i].flat;
    uint32_t flat;
    if (untouched_parameters(x, group, values)) {
        lth_shape vector = { x->out->arenas[group->place.arena].dtype, 1, { group->elements } };
        flat = trace_state(x->out, group->place.arena, group->place.offset, &vector, site);
        flat = expand_cast(x, flat, x->engine->options.floating, site);
    } else {
        uint32_t *parts = arena_array(&x->memory, group->count, sizeof *parts);
        for (uint32_t i = 0; i < group->count; i++) {
            lth_attr_dims dims = { 1, 0, { lth_shape_count(graph_shape(x->out, values[i])) } };
            parts[i] = expand_emit(x, LTH_OP_RESHAPE, &values[i], 1, &dims, sizeof dims, site);
        }
        lth_attr_axis axis = { 0 };
        flat = group->count == 1 ? parts[0] : expand_emit(x, LTH_OP_CONCAT, parts, group->count, &axis, sizeof axis, site);
    }
    if (flat != LTH_NO_VALUE)
        remember_flat(x, group, values, flat);
    return flat;
}

bool expand_unflatten(expansion *x, const state_group *group, uint32_t flat, uint32_t *values, bool detach, uint32_t site)
{
    int64_t at = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const lth_shape *shape = &x->engine->state.parameters.at[group->parameters[i]].shape;
        lth_attr_slice slice = { { at }, { lth_shape_count(shape) }, { 1 } };
        lth_attr_dims dims = { shape->rank, 0, { 0 } };
        memcpy(dims.dim, shape->dim, sizeof dims.dim);
        uint32_t part = group->count == 1 ? flat : expand_emit(x, LTH_OP_SLICE, &flat, 1, &slice, sizeof slice, site);
        values[i] = expand_emit(x, LTH_OP_RESHAPE, &part, 1, &dims, sizeof dims, site);
        if (detach)
            values[i] = expand_emit(x, LTH_OP_STOP_GRADIENT, &values[i], 1, NULL, 0, site);
        if (values[i] == LTH_NO_VALUE)
            return false;
        at += slice.length[0];
    }
    remember_flat(x, group, values, flat);
    return true;
}

/* ---- The walk ---- */

static uint32_t *operands_of(expansion *x, const lth_node *n)
{
    uint32_t *ids = arena_array(&x->memory, n->operand_count, sizeof *ids);
    for (uint32_t i = 0; i < n->operand_count; i++)
        ids[i] = x->map[x->record->operands[n->first_operand + i]];
    return ids;
}

uint32_t *expand_operands(expansion *x, const lth_node *n, uint32_t site)
{
    uint32_t *ids = arena_array(&x->memory, n->operand_count, sizeof *ids);
    for (uint32_t i = 0; i < n->operand_count; i++)
        ids[i] = expand_recorded(x, x->record->operands[n->first_operand + i], site);
    return ids;
}

static bool copy_node(expansion *x, const lth_node *n, uint32_t site)
{
    if (x->engine->options.lower)
        return expand_in_precision(x, n, site);
    lth_shape *shapes = arena_array(&x->memory, n->value_count, sizeof *shapes);
    for (uint32_t i = 0; i < n->value_count; i++)
        shapes[i] = x->record->values[n->first_value + i].shape;
    uint32_t first = graph_append(x->out, n->op, operands_of(x, n), n->operand_count, x->record->attributes + n->attributes,
                                  n->attributes_size, site, shapes, n->value_count);
    for (uint32_t i = 0; i < n->value_count; i++)
        x->map[n->first_value + i] = first + i;
    return true;
}

static uint32_t zeros(expansion *x, const lth_shape *shape, uint32_t site)
{
    uint32_t zero = constants_value(x->constants, x->out, 0, shape->dtype, site, x->error);
    lth_attr_dims dims = { shape->rank, 0, { 0 } };
    memcpy(dims.dim, shape->dim, sizeof dims.dim);
    return shape->rank == 0 ? zero : expand_emit(x, LTH_OP_EXPAND, &zero, 1, &dims, sizeof dims, site);
}

/* Whether the optimizer stepped before node n. */
static bool was_updated(const graph *record, const lth_node *n, int32_t optimizer)
{
    for (const lth_node *i = record->nodes; i < n; i++) {
        const lth_attr_update *a = (const void *)(record->attributes + i->attributes);
        if (i->op == LTH_OP_UPDATE && (int32_t)a->optimizer == optimizer)
            return true;
    }
    return false;
}

/* A step that trains must have something to train: only where an author asks for gradients may all of them be zero. */
static bool trains_something(expansion *x, const lth_node *n, const uint32_t *gradients)
{
    bool any = n->attributes_size == 0 || n->value_count == 0; /* an author's; or nothing to train at all */
    for (uint32_t i = 0; i < n->value_count; i++)
        any = any || gradients[i] != LTH_NO_VALUE;
    if (any)
        return true;
    const trace_sums *at = (const void *)(x->record->attributes + n->attributes);
    if (was_updated(x->record, n, at->optimizer)) {
        error_set(x->error, LTH_INVALID,
                  "the loss does not depend on the parameters of optimizer '%s' as its update in this step left them: what was "
                  "computed before an update is computed again after it",
                  x->engine->state.optimizers[at->optimizer].name);
        return false;
    }
    error_set(x->error, LTH_INVALID,
              "the loss does not depend on any parameter of optimizer '%s': nothing would be trained (a batch that has no loss "
              "returns lth_none())",
              x->engine->state.optimizers[at->optimizer].name);
    return false;
}

static bool expand_grad(expansion *x, const lth_node *n, uint32_t site)
{
    uint32_t *ids = operands_of(x, n), before = x->out->node_count;
    uint32_t *gradients = arena_array(&x->memory, n->value_count, sizeof *gradients);
    ids[0] = loss_scale_apply(x, expand_recorded(x, x->record->operands[n->first_operand], site), site);
    if (!autodiff(x->out, x->constants, ids[0], ids + 1, n->value_count, gradients, site, x->error) ||
        !trains_something(x, n, gradients)) {
        error_prefix(x->error, "%s:%u: ", x->out->sites[site].file, x->out->sites[site].line);
        return false;
    }
    for (uint32_t i = before; i < x->out->node_count; i++)
        x->out->nodes[i].flags |= LTH_NODE_GRADIENT;
    for (uint32_t i = 0; i < n->value_count; i++) {
        const lth_shape *shape = &x->record->values[n->first_value + i].shape;
        gradients[i] = gradients[i] == LTH_NO_VALUE
                           ? zeros(x, shape, site) /* not on a path from the loss */
                           : loss_scale_remove(x, expand_cast(x, gradients[i], shape->dtype, site), site);
        x->map[n->first_value + i] = gradients[i];
    }
    return x->error->status == LTH_OK;
}

static bool expand_buffer_assign(expansion *x, const lth_node *n, uint32_t site)
{
    const lth_attr_state *at = (const void *)(x->record->attributes + n->attributes);
    uint32_t old = x->record->operands[n->first_operand];
    expand_write(x, (state_place) { at->arena, 0, at->offset }, graph_shape(x->record, old), expand_recorded(x, old, site), site);
    return x->error->status == LTH_OK;
}

static bool expand_node(expansion *x, const lth_node *n)
{
    const lth_site *s = &x->record->sites[n->site];
    uint32_t site = graph_site(x->out, s->file, s->line);
    graph_follow_region(x->out, x->record, n->region, x->regions);
    switch (n->op) {
    case LTH_OP_GRAD:
        return expand_grad(x, n, site);
    case LTH_OP_UPDATE:
        return expand_update(x, n, site);
    case LTH_OP_ASSIGN:
        return expand_buffer_assign(x, n, site);
    case TRACE_OP_TOTAL:
        return expand_total(x, n, site);
    case TRACE_OP_CLIP:
        return expand_clip(x, n, site);
    case TRACE_OP_ACCUMULATE:
        return expand_accumulate(x, n, site);
    default:
        return copy_node(x, n, site);
    }
}

static void append_assigns(expansion *x)
{
    for (size_t i = 0; i < x->assign_count; i++) {
        const expand_assign *a = &x->assigns[i];
        lth_attr_state at = { a->place.arena, 0, a->place.offset };
        graph_append(x->out, LTH_OP_ASSIGN, &a->value, 1, &at, sizeof at, a->site, NULL, 0);
    }
}

bool expand(engine *g, const graph *record, bool assigns, graph *out, uint32_t *map, constants *c, error *e)
{
    expansion x = {
        .engine = g, .record = record, .out = out, .constants = c, .map = map, .error = e, .takes_place = LTH_NO_VALUE
    };
    out->arenas = g->state.arenas;
    out->arena_count = (uint32_t)g->state.arena_count;
    for (uint32_t i = 0; i < record->custom_count; i++)
        graph_add_custom(out, record->customs[i]);
    c->recorder = &g->rule;
    g->rule.constants = c;
    g->rule.training = g->step.args.training;
    g->rule.random_count = TRACE_FIRST_RULE_RANDOM;
    x.regions = arena_array(&x.memory, record->region_count, sizeof *x.regions);
    memset(x.regions, 0, record->region_count * sizeof *x.regions);
    bool ok = true;
    for (uint32_t i = 0; ok && i < record->node_count; i++)
        ok = expand_node(&x, &record->nodes[i]);
    out->region = 0;
    if (ok && assigns)
        append_assigns(&x);
    free(x.assigns);
    free(x.flats);
    arena_free(&x.memory);
    return ok;
}
