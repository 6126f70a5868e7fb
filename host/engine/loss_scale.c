/* SPDX-License-Identifier: Apache-2.0
 * engine/loss_scale.c */
#include "engine/loss_scale.h"

#include "engine/internal.h"
#include "engine/precision.h"

static const double INITIAL = 65536, GROWTH = 2, BACKOFF = 0.5, LEAST = 1.0 / 16384;
enum { GROWTH_INTERVAL = 2000 };

static const lth_shape number = { LTH_F32, 0, { 0 } };

bool loss_scale_is_used(const engine *g) { return g->options.lower == LTH_F16; }

void loss_scale_allocate(engine *g)
{
    if (!loss_scale_is_used(g))
        return;
    g->state.scale = state_add_number(g, "scaler", "scaler/scale", INITIAL);
    g->state.growth_tracker = state_add_number(g, "scaler", "scaler/growth_tracker", 0);
}

static uint32_t two(expansion *x, uint32_t op, uint32_t a, uint32_t b, uint32_t site)
{
    return expand_emit(x, op, (const uint32_t[]) { a, b }, 2, NULL, 0, site);
}

static uint32_t where(expansion *x, uint32_t c, uint32_t a, uint32_t b, uint32_t site)
{
    return expand_emit(x, LTH_OP_WHERE, (const uint32_t[]) { c, a, b }, 3, NULL, 0, site);
}

static uint32_t fixed(expansion *x, double value, uint32_t site)
{
    return constants_value(x->constants, x->out, value, LTH_F32, site, x->error);
}

static uint32_t scale_of(expansion *x, uint32_t site) { return expand_state(x, x->engine->state.scale, &number, site); }

/* A floating value of any type by the scale, in f32 at least: 16 bits cannot hold the one at first. */
static uint32_t by_scale(expansion *x, uint32_t op, uint32_t value, uint32_t site)
{
    lth_dtype wide = graph_shape(x->out, value)->dtype == LTH_F64 ? LTH_F64 : LTH_F32;
    return two(x, op, expand_cast(x, value, wide, site), expand_cast(x, scale_of(x, site), wide, site), site);
}

static bool is_scaled(const expansion *x, uint32_t value)
{
    return loss_scale_is_used(x->engine) && value != LTH_NO_VALUE && lth_dtype_is_float(graph_shape(x->out, value)->dtype);
}

uint32_t loss_scale_apply(expansion *x, uint32_t loss, uint32_t site)
{
    return is_scaled(x, loss) ? by_scale(x, LTH_OP_MUL, loss, site) : loss;
}

uint32_t loss_scale_remove(expansion *x, uint32_t gradient, uint32_t site)
{
    if (!is_scaled(x, gradient))
        return gradient;
    lth_dtype type = graph_shape(x->out, gradient)->dtype;
    return expand_cast(x, by_scale(x, LTH_OP_DIV, gradient, site), type, site);
}

/* Fails the step where the group is not finite and the scale can hardly fall any more. */
static void guard(expansion *x, uint32_t finite, uint32_t next_scale, uint32_t site)
{
    lth_attr_text text = { "non-finite gradient however small the loss is scaled" };
    uint32_t alive = two(x, LTH_OP_GE, next_scale, fixed(x, LEAST, site), site), ok = two(x, LTH_OP_OR, finite, alive, site);
    if (ok == LTH_NO_VALUE)
        return;
    expand_emit(x, LTH_OP_ASSERT, &ok, 1, &text, sizeof text, site);
    x->out->nodes[x->out->node_count - 1].flags |= LTH_NODE_GUARD;
}

void loss_scale_step(expansion *x, const uint32_t *flats, size_t count, uint32_t site)
{
    const state *s = &x->engine->state;
    uint32_t interval = x->engine->options.growth_interval ? x->engine->options.growth_interval : GROWTH_INTERVAL;
    uint32_t *finite = arena_array(&x->memory, count, sizeof *finite), all = LTH_NO_VALUE;
    for (size_t k = 0; k < count; k++) {
        finite[k] = expand_emit(x, LTH_OP_ALL_FINITE, &flats[k], 1, NULL, 0, site);
        all = k ? two(x, LTH_OP_AND, all, finite[k], site) : finite[k];
    }
    uint32_t scale = scale_of(x, site), tracker = expand_state(x, s->growth_tracker, &number, site), zero = fixed(x, 0, site);
    uint32_t good = two(x, LTH_OP_ADD, tracker, fixed(x, 1, site), site);
    uint32_t complete = two(x, LTH_OP_GE, good, fixed(x, interval, site), site);
    uint32_t grown = two(x, LTH_OP_MUL, scale, fixed(x, GROWTH, site), site);
    uint32_t can_grow = two(x, LTH_OP_AND, complete, expand_emit(x, LTH_OP_ISFINITE, &grown, 1, NULL, 0, site), site);
    uint32_t fallen = two(x, LTH_OP_MUL, scale, fixed(x, BACKOFF, site), site);
    uint32_t next = where(x, all, where(x, can_grow, grown, scale, site), fallen, site);
    for (size_t k = 0; k < count; k++)
        guard(x, finite[k], next, site);
    expand_write(x, s->scale, &number, next, site);
    expand_write(x, s->growth_tracker, &number, where(x, all, where(x, complete, zero, good, site), zero, site), site);
    x->takes_place = all;
}

uint32_t loss_scale_select(expansion *x, uint32_t value, uint32_t old, uint32_t site)
{
    return loss_scale_is_used(x->engine) ? where(x, x->takes_place, value, old, site) : value;
}
