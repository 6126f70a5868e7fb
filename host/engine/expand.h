/* SPDX-License-Identifier: Apache-2.0
 * engine/expand.h: from a record to a graph without symbols: gradients by the ops' rules, updates by the optimizers'.
 *
 * Expansion walks the record in order and depends on nothing that comes later, so the expansion of a record's beginning is
 * the beginning of the whole record's expansion, value by value. Segments (segment.c) rest on that. */
#ifndef ENGINE_EXPAND_H
#define ENGINE_EXPAND_H

#include "engine/state.h"
#include "engine/trace.h"

typedef struct expand_assign {
    state_place place;
    lth_shape shape;
    uint32_t value, site;
} expand_assign;

/* A group's values as one vector, and the list of values that it stands for. */
typedef struct expand_flat {
    const state_group *group;
    const uint32_t *values;
    uint32_t flat;
} expand_flat;

typedef struct expansion {
    engine *engine;
    const graph *record;
    graph *out;
    constants *constants;
    uint32_t *map;          /* a value of the record -> its value in out */
    uint32_t *regions;      /* the same for regions; 0: not there yet */
    expand_assign *assigns; /* the newest content of each slice that was written */
    size_t assign_count, assign_capacity;
    expand_flat *flats;
    size_t flat_count, flat_capacity;
    uint32_t takes_place; /* with a loss scale: whether the update that is being expanded does (loss_scale.h) */
    arena memory;
    error *error;
} expansion;

/* Expands `record` into `out` (empty). assigns: append the ASSIGN effects at the end, one a slice. map (value_count entries)
 * gets where each value of the record went. On an error the message names the place. */
bool expand(engine *g, const graph *record, bool assigns, graph *out, uint32_t *map, constants *c, error *e);

/* The values of a node's operands, in the types that were recorded. Lives as long as the expansion. */
uint32_t *expand_operands(expansion *x, const lth_node *n, uint32_t site);

/* The present content of a slice within the expansion; and a new one. */
uint32_t expand_state(expansion *x, state_place place, const lth_shape *shape, uint32_t site);
/* Returns the value as it is stored, which is rounded where the arena is of a lower type. */
uint32_t expand_write(expansion *x, state_place place, const lth_shape *shape, uint32_t value, uint32_t site);

/* A group's values (of its parameters' shapes) as one vector, and back. */
uint32_t expand_flatten(expansion *x, const state_group *group, const uint32_t *values, uint32_t site);
bool expand_unflatten(expansion *x, const state_group *group, uint32_t flat, uint32_t *values, bool detach, uint32_t site);

/* update.c: expand one node each; results go into x->map. */
bool expand_total(expansion *x, const lth_node *n, uint32_t site);
bool expand_clip(expansion *x, const lth_node *n, uint32_t site);
bool expand_accumulate(expansion *x, const lth_node *n, uint32_t site);
bool expand_update(expansion *x, const lth_node *n, uint32_t site);

/* Emission with the place put in front of a message. */
uint32_t expand_emit(expansion *x, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size,
                     uint32_t site);

#endif
