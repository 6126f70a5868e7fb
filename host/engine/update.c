/* SPDX-License-Identifier: Apache-2.0
 * engine/update.c: what sums, clipping and updates stand for; and lth_update_api, by which an optimizer writes its rule.
 *
 * All of it runs on a group as one flat vector, but for rules that are not elementwise: those are recorded for each parameter
 * in its own shape. */
#include "engine/expand.h"
#include "engine/internal.h"
#include "engine/loss_scale.h"
#include "engine/precision.h"

#include <string.h>

static uint32_t two(expansion *x, uint32_t op, uint32_t a, uint32_t b, uint32_t site)
{
    return expand_emit(x, op, (const uint32_t[]) { a, b }, 2, NULL, 0, site);
}

static uint32_t fixed(expansion *x, double value, uint32_t site)
{
    return constants_value(x->constants, x->out, value, x->engine->options.floating, site, x->error);
}

/* What the symbols of trace_sums have in common: the optimizer, the operands' values in the expansion, and where the results
 * begin in the record. */
typedef struct sums {
    const state_optimizer *optimizer;
    uint32_t flags, first_result, site;
    uint32_t *values; /* of the gradients, an optimizer's parameters in order, then the numbers */
    const uint32_t *numbers;
} sums;

static sums open_sums(expansion *x, const lth_node *n, uint32_t site)
{
    const trace_sums *at = (const void *)(x->record->attributes + n->attributes);
    sums s = { &x->engine->state.optimizers[at->optimizer], at->flags, n->first_value, site, NULL, NULL };
    s.values = expand_operands(x, n, site);
    s.numbers = s.values + s.optimizer->parameter_count;
    return s;
}

/* The group's gradients as a vector; `done` is how many parameters came before the group. */
static uint32_t group_vector(expansion *x, const sums *s, const state_group *group, uint32_t done)
{
    return expand_flatten(x, group, s->values + done, s->site);
}

/* gradients / divisor + accumulated, as a vector. */
static uint32_t total_of(expansion *x, const sums *s, const state_group *group, uint32_t flat)
{
    lth_shape vector = { x->engine->options.floating, 1, { group->elements } };
    if (s->flags & TRACE_DIVIDE)
        flat = two(x, LTH_OP_DIV, flat, s->numbers[0], s->site);
    if (s->flags & TRACE_ADD)
        flat = two(x, LTH_OP_ADD, expand_state(x, group->accumulated, &vector, s->site), flat, s->site);
    return flat;
}

static void guard(expansion *x, uint32_t flat, uint32_t site)
{
    lth_attr_text text = { "non-finite gradient" };
    uint32_t finite = expand_emit(x, LTH_OP_ALL_FINITE, &flat, 1, NULL, 0, site);
    expand_emit(x, LTH_OP_ASSERT, &finite, 1, &text, sizeof text, site);
    x->out->nodes[x->out->node_count - 1].flags |= LTH_NODE_GUARD;
}

bool expand_total(expansion *x, const lth_node *n, uint32_t site)
{
    sums s = open_sums(x, n, site);
    uint32_t done = 0;
    for (size_t k = 0; k < s.optimizer->group_count; k++) {
        const state_group *group = &s.optimizer->groups[k];
        uint32_t flat = total_of(x, &s, group, group_vector(x, &s, group, done));
        if (flat == LTH_NO_VALUE || !expand_unflatten(x, group, flat, x->map + s.first_result + done, false, site))
            return false;
        done += group->count;
    }
    return true;
}

bool expand_accumulate(expansion *x, const lth_node *n, uint32_t site)
{
    sums s = open_sums(x, n, site);
    uint32_t done = 0;
    for (size_t k = 0; k < s.optimizer->group_count; k++) {
        const state_group *group = &s.optimizer->groups[k];
        lth_shape vector = { x->engine->options.floating, 1, { group->elements } };
        uint32_t flat = total_of(x, &s, group, group_vector(x, &s, group, done));
        if (flat == LTH_NO_VALUE)
            return false;
        if (s.flags & TRACE_GUARD && !loss_scale_is_used(x->engine)) /* else the update will see to it */
            guard(x, flat, site);
        expand_write(x, group->accumulated, &vector, flat, site);
        done += group->count;
    }
    return x->error->status == LTH_OK;
}

/* max_norm / (norm + 1e-6), at most 1: as torch.nn.utils.clip_grad_norm_. flats: a vector a group. */
static uint32_t norm_factor(expansion *x, const uint32_t *flats, size_t count, uint32_t max_norm, uint32_t site)
{
    uint32_t squares = LTH_NO_VALUE;
    lth_attr_reduce all = { 1, 0 };
    for (size_t k = 0; k < count; k++) {
        uint32_t square = two(x, LTH_OP_MUL, flats[k], flats[k], site);
        uint32_t sum = expand_emit(x, LTH_OP_SUM, &square, 1, &all, sizeof all, site);
        squares = k == 0 ? sum : two(x, LTH_OP_ADD, squares, sum, site);
    }
    uint32_t norm = expand_emit(x, LTH_OP_SQRT, &squares, 1, NULL, 0, site);
    uint32_t factor = two(x, LTH_OP_DIV, max_norm, two(x, LTH_OP_ADD, norm, fixed(x, 1e-6, site), site), site);
    return two(x, LTH_OP_MINIMUM, factor, fixed(x, 1, site), site);
}

bool expand_clip(expansion *x, const lth_node *n, uint32_t site)
{
    sums s = open_sums(x, n, site);
    size_t groups = s.optimizer->group_count;
    uint32_t *flats = arena_array(&x->memory, groups, sizeof *flats), done = 0;
    for (size_t k = 0; k < groups; k++) {
        flats[k] = group_vector(x, &s, &s.optimizer->groups[k], done);
        if (flats[k] == LTH_NO_VALUE)
            return false;
        if (s.flags & TRACE_GUARD && !(s.flags & TRACE_SCALED))
            guard(x, flats[k], site);
        done += s.optimizer->groups[k].count;
    }
    if (s.flags & TRACE_SCALED)
        loss_scale_step(x, flats, groups, site);
    const uint32_t *number = s.numbers;
    uint32_t factor = s.flags & TRACE_CLIP_NORM ? norm_factor(x, flats, groups, *number++, site) : LTH_NO_VALUE;
    uint32_t high = s.flags & TRACE_CLIP_VALUE ? *number : LTH_NO_VALUE;
    uint32_t low = expand_emit(x, LTH_OP_NEG, &high, 1, NULL, 0, site);
    done = 0;
    for (size_t k = 0; k < groups; k++) {
        uint32_t flat = flats[k];
        if (s.flags & TRACE_CLIP_NORM)
            flat = two(x, LTH_OP_MUL, flat, factor, site);
        if (s.flags & TRACE_CLIP_VALUE)
            flat = two(x, LTH_OP_MINIMUM, two(x, LTH_OP_MAXIMUM, flat, low, site), high, site);
        if (flat == LTH_NO_VALUE)
            return false;
        uint32_t *results = x->map + s.first_result + done;
        if (flat == flats[k]) /* guarded only: the gradients are what they were */
            memcpy(results, s.values + done, s.optimizer->groups[k].count * sizeof *results);
        else if (!expand_unflatten(x, &s.optimizer->groups[k], flat, results, false, site))
            return false;
        done += s.optimizer->groups[k].count;
    }
    return x->error->status == LTH_OK;
}

/* ---- The optimizer's rule ---- */

typedef struct rule_run {
    lth_update head; /* first, so that an lth_update is one */
    expansion *x;
    const state_optimizer *optimizer;
    const state_group *group;
    const uint32_t *hypers; /* values, in the order of group->hypers */
    uint32_t parameter, gradient, new_parameter, site;
    lth_shape shape; /* of what it runs on */
    int64_t offset;  /* of that, from the group's beginning */
    uint32_t index;  /* of the parameter in the group, where the rule runs on one */
    uint32_t *slots; /* new contents by slot, LTH_NO_VALUE: not set */
} rule_run;

static rule_run *of(lth_update *u) { return (rule_run *)u; }
static trace *rule_trace(rule_run *r) { return &r->x->engine->rule; }

static const state_slot *find_slot(rule_run *r, lth_slot slot)
{
    const state_slot *known = slot.id >= 1 && slot.id <= r->group->slot_count ? &r->group->slots[slot.id - 1] : NULL;
    if (known && (!known->pieces || known->pieces[r->index].shape.rank >= 0))
        return known;
    error *e = &rule_trace(r)->error;
    if (known)
        error_set(e, LTH_INVALID, "optimizer '%s': its rule uses the state '%s', which parameter '%s' does not have",
                  r->optimizer->name, known->name, r->x->engine->state.parameters.at[r->group->parameters[r->index]].name);
    else
        error_set(e, LTH_INVALID, "optimizer '%s': its rule uses a state that was not declared in setup (id %u)",
                  r->optimizer->name, slot.id);
    return NULL;
}

static void slot_place(const rule_run *r, const state_slot *slot, state_place *place, lth_shape *shape)
{
    *place = slot->place;
    *shape = r->shape;
    if (slot->is_number) {
        *shape = (lth_shape) { r->shape.dtype, 0, { 0 } };
    } else if (slot->pieces) {
        *shape = slot->pieces[r->index].shape;
        place->offset += slot->pieces[r->index].offset;
    } else {
        place->offset += r->offset;
    }
}

static lth_tensor update_parameter(lth_update *u) { return trace_tensor(rule_trace(of(u)), of(u)->parameter); }
static lth_tensor update_gradient(lth_update *u) { return trace_tensor(rule_trace(of(u)), of(u)->gradient); }

static lth_tensor update_state(lth_update *u, lth_slot id)
{
    rule_run *r = of(u);
    const state_slot *slot = find_slot(r, id);
    if (!slot)
        return trace_tensor(rule_trace(r), LTH_NO_VALUE);
    state_place place;
    lth_shape shape;
    slot_place(r, slot, &place, &shape);
    uint32_t value = r->slots[id.id - 1];
    return trace_tensor(rule_trace(r), value != LTH_NO_VALUE ? value : expand_state(r->x, place, &shape, r->site));
}

/* The value, if it is of the wanted shape. what: "state 'exp_avg'", "the new parameter". */
static uint32_t checked(rule_run *r, lth_tensor x, const lth_shape *wanted, const char *what)
{
    trace *t = rule_trace(r);
    bool outside = trace_outside_loops(t, what, r->optimizer->name, 0);
    uint32_t value = t->error.status || !outside ? LTH_NO_VALUE : trace_value(t, x, what, r->optimizer->name, 0);
    if (value == LTH_NO_VALUE || memcmp(graph_shape(t->graph, value), wanted, sizeof *wanted) == 0)
        return value;
    char is[128], text[128];
    describe_shape(graph_shape(t->graph, value), is, sizeof is);
    describe_shape(wanted, text, sizeof text);
    error_set(&t->error, LTH_INVALID, "optimizer '%s': its rule sets %s to %s; it must be %s", r->optimizer->name, what, is,
              text);
    return LTH_NO_VALUE;
}

static void update_set(lth_update *u, lth_slot id, lth_tensor x)
{
    rule_run *r = of(u);
    const state_slot *slot = find_slot(r, id);
    if (!slot)
        return;
    state_place place;
    lth_shape shape;
    slot_place(r, slot, &place, &shape);
    r->slots[id.id - 1] = checked(r, x, &shape, slot->name);
}

static void update_set_parameter(lth_update *u, lth_tensor x)
{
    of(u)->new_parameter = checked(of(u), x, &of(u)->shape, "the parameter");
}

static lth_tensor update_hyper(lth_update *u, uint32_t offset, uint32_t index, const char *file, uint32_t line)
{
    rule_run *r = of(u);
    for (uint32_t i = 0; i < r->group->hyper_count; i++)
        if (r->group->hypers[i].offset == offset && r->group->hypers[i].index == index)
            return trace_tensor(rule_trace(r), r->hypers[i]);
    return trace_fail(
        rule_trace(r), file, line,
        "optimizer '%s': lth_hyper of a field that is no numeric option with LTH_OPTION_HYPER (offset %u, index %u)",
        r->optimizer->name, offset, index);
}

static const lth_update_api update_api = {
    .struct_size = sizeof(lth_update_api),
    .parameter = update_parameter,
    .gradient = update_gradient,
    .state = update_state,
    .set = update_set,
    .set_parameter = update_set_parameter,
    .hyper = update_hyper,
};

/* A new content of state, where the update takes place. */
static void write_slot(expansion *x, state_place place, const lth_shape *shape, uint32_t value, uint32_t site)
{
    if (loss_scale_is_used(x->engine))
        value = loss_scale_select(x, value, expand_state(x, place, shape, site), site);
    expand_write(x, place, shape, value, site);
}

/* Records the rule once; what it sets of numbers goes to `numbers`, the rest is written. */
static bool run_rule(rule_run *r, uint32_t *numbers)
{
    expansion *x = r->x;
    trace *t = rule_trace(r);
    for (size_t i = 0; i < r->group->slot_count; i++)
        r->slots[i] = LTH_NO_VALUE;
    r->new_parameter = LTH_NO_VALUE;
    t->constants = x->constants;
    trace_begin(t, x->out, true);
    lth_status status = r->optimizer->rule->update(r->group->self, &r->head);
    t->recording = false;
    trace_close(t);
    if (t->error.status)
        error_set(x->error, t->error.status, "%s", t->error.text);
    else if (status)
        error_set(x->error, status, "optimizer '%s' failed to give its rule", r->optimizer->name);
    else if (r->new_parameter == LTH_NO_VALUE)
        error_set(x->error, LTH_INVALID, "optimizer '%s': its rule never called lth_update_set_parameter", r->optimizer->name);
    for (size_t i = 0; x->error->status == LTH_OK && i < r->group->slot_count; i++) {
        const state_slot *slot = &r->group->slots[i];
        state_place place;
        lth_shape shape;
        slot_place(r, slot, &place, &shape);
        if (slot->is_number && r->slots[i] != LTH_NO_VALUE)
            numbers[i] = r->slots[i];
        else if (r->slots[i] != LTH_NO_VALUE)
            write_slot(x, place, &shape, r->slots[i], r->site);
    }
    return x->error->status == LTH_OK;
}

/* The whole group at once. values: gradients, then parameters. */
static bool update_flat(rule_run *r, const uint32_t *values, uint32_t *results, uint32_t *numbers)
{
    expansion *x = r->x;
    const state_group *group = r->group;
    r->shape = (lth_shape) { x->engine->options.floating, 1, { group->elements } };
    r->gradient = expand_flatten(x, group, values, r->site);
    r->parameter = expand_flatten(x, group, values + group->count, r->site);
    if (r->gradient == LTH_NO_VALUE || r->parameter == LTH_NO_VALUE || !run_rule(r, numbers))
        return false;
    uint32_t next = loss_scale_select(x, r->new_parameter, r->parameter, r->site);
    uint32_t stored = expand_write(x, group->place, &r->shape, next, r->site);
    return expand_unflatten(x, group, expand_cast(x, stored, r->shape.dtype, r->site), results, true, r->site);
}

static bool update_each(rule_run *r, const uint32_t *values, uint32_t *results, uint32_t *numbers)
{
    expansion *x = r->x;
    for (uint32_t i = 0; i < r->group->count; i++) {
        const state_entry *p = &x->engine->state.parameters.at[r->group->parameters[i]];
        r->shape = p->shape;
        r->index = i;
        r->offset = p->place.offset - r->group->place.offset;
        r->gradient = values[i];
        r->parameter = values[r->group->count + i];
        if (!run_rule(r, numbers))
            return false;
        uint32_t next = loss_scale_select(x, r->new_parameter, r->parameter, r->site);
        uint32_t stored = expand_write(x, p->place, &p->shape, next, r->site);
        stored = expand_cast(x, stored, p->shape.dtype, r->site);
        results[i] = expand_emit(x, LTH_OP_STOP_GRADIENT, &stored, 1, NULL, 0, r->site);
        if (results[i] == LTH_NO_VALUE)
            return false;
    }
    return true;
}

bool expand_update(expansion *x, const lth_node *n, uint32_t site)
{
    const lth_attr_update *at = (const void *)(x->record->attributes + n->attributes);
    const state_optimizer *o = &x->engine->state.optimizers[at->optimizer];
    const state_group *group = &o->groups[at->group];
    uint32_t *values = expand_operands(x, n, site);
    uint32_t *slots = arena_array(&x->memory, 2 * group->slot_count, sizeof *slots), *numbers = slots + group->slot_count;
    memset(numbers, 0xff, group->slot_count * sizeof *numbers); /* LTH_NO_VALUE */
    rule_run r = { .head = { &update_api },
                   .x = x,
                   .optimizer = o,
                   .group = group,
                   .hypers = values + 2 * group->count,
                   .site = site,
                   .slots = slots };
    uint32_t *results = x->map + n->first_value;
    if (!(o->rule->elementwise > 0 ? update_flat : update_each)(&r, values, results, numbers))
        return false;
    lth_shape number = { x->engine->options.floating, 0, { 0 } };
    for (size_t i = 0; i < group->slot_count; i++)
        if (numbers[i] != LTH_NO_VALUE)
            write_slot(x, group->slots[i].place, &number, numbers[i], site);
    return true;
}
