/* SPDX-License-Identifier: Apache-2.0
 * engine/state.h: what lives from step to step: parameters, buffers, the optimizers' groups and their state.
 *
 * Everything lies in arenas, a dense slice each. The parameters of a group lie side by side in the group's order, and so do
 * the pieces of one optimizer state and the accumulators, so that an elementwise rule can run on the whole group as one flat
 * vector. A group begins on a multiple of 64 bytes; within a group nothing is padded. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "engine/engine.h"
#include "util/arena.h"
#include "util/map.h"

#include <lthost/graph.h>

typedef struct state_place {
    uint32_t arena, reserved;
    int64_t offset; /* in elements */
} state_place;

/* A parameter or a buffer. Its id in the ABI is its index + 1. */
typedef struct state_entry {
    const char *name, *module, *type; /* type: what the module called itself, or "" */
    lth_shape shape;
    lth_init init; /* its `values` are the state's own copy */
    uint32_t flags;
    int32_t optimizer, group; /* that updates it; -1: none */
    lth_site site;            /* where it was made */
    state_place place;
} state_entry;

typedef struct state_entries {
    state_entry *at;
    size_t count, capacity;
} state_entries;

/* State of a shape that the rule chose for one parameter; rank -1: it has none. */
typedef struct state_piece {
    lth_shape shape;
    int64_t offset; /* from the slot's place */
} state_piece;

/* A piece of optimizer state: one element a parameter element, or one number a group, or a piece of its own a parameter. */
typedef struct state_slot {
    const char *name;
    double initial;
    bool is_number;
    state_place place;   /* of the group's first parameter, or of the number */
    state_piece *pieces; /* by parameter of the group; NULL: the parameters' own shapes */
    int64_t elements;    /* of the pieces together */
} state_slot;

/* A numeric option that update rules read as a run-time scalar. */
typedef struct state_hyper {
    uint32_t offset, index; /* in the instance; of a list's element */
    bool in_list;
} state_hyper;

typedef struct state_group {
    void *self;           /* the optimizer's instance of this group */
    uint32_t *parameters; /* indices of state.parameters */
    lth_shape *shapes;    /* theirs; those of an optimizer's groups lie side by side */
    uint32_t count, hyper_count;
    int64_t elements;  /* of all of them together */
    state_place place; /* of the first parameter */
    state_place accumulated;
    state_slot *slots; /* lth_slot.id is index + 1 */
    size_t slot_count, slot_capacity;
    state_hyper *hypers;
} state_group;

typedef struct state_optimizer {
    const lth_optimizer *rule;
    const char *name;
    state_group *groups;
    size_t group_count, group_capacity;
    uint32_t parameter_count;
} state_optimizer;

typedef struct state_tensor {
    engine_tensor face;
    state_place place;
    lth_init init;
} state_tensor;

typedef struct state {
    state_entries parameters, buffers;
    map types; /* a module's path -> what it called itself */
    lth_parameter_info *infos;
    state_optimizer *optimizers;
    size_t optimizer_count, optimizer_capacity;
    lth_arena_info *arenas;
    void **memory; /* of each arena; NULL where steps are only recorded */
    size_t arena_count, arena_capacity;
    state_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    state_place scale, growth_tracker; /* of the loss (loss_scale.h) */
    bool configured, allocated, accumulates;
    arena names; /* and all else that lives as long as the engine */
} state;

void state_free(engine *g);

/* A number of the engine's own, kept with the optimizers' state. */
state_place state_add_number(engine *g, const char *arena, const char *name, double initial);

/* The value of a hyperparameter as the instance holds it now. */
double state_hyper_value(const state_group *group, const state_hyper *hyper);

/* Whose slice begins at a place: "fc1.weight", "adamw/fc1.weight/exp_avg"; NULL if none does. */
const char *state_name_at(const engine *g, uint32_t arena, int64_t offset);

/* What is wrong with a law of initial values for that shape; NULL: nothing. */
const char *init_fault(const lth_init *init, const lth_shape *shape);
/* Draws an entry's initial values, dense, of the shape's dtype. A function of seed, name, law and shape alone. */
void init_fill(const lth_init *init, const char *name, uint64_t seed, const lth_shape *shape, void *out);

#endif
