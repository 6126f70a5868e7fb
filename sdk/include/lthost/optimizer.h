/* SPDX-License-Identifier: Apache-2.0
 * lthost/optimizer.h: kind "optimizer/1": an update rule, written in ops.
 *
 * The host makes one instance a parameter group (a group's options override those of [optimizer]), so that `self` always
 * holds the group's own numbers. `setup` declares the state; `update` records the rule once per plan, never in the steady
 * state. An elementwise rule is recorded on the whole group as one flat vector (and is then fused with clipping); another
 * one is recorded for each parameter in its own shape.
 *
 * Options with LTH_OPTION_HYPER are run-time scalars: read them with lth_hyper(), never as a C number, as a scheduler may
 * change them. Other options may shape the rule (nesterov, amsgrad). */
#ifndef LTHOST_OPTIMIZER_H
#define LTHOST_OPTIMIZER_H

#include "component.h"
#include "tensor.h"

LTH_BEGIN_C

typedef struct lth_optimizer_setup lth_optimizer_setup;
typedef struct lth_update lth_update;
/* A piece of optimizer state; 0 is none. */
typedef struct lth_slot { uint32_t id, reserved; } lth_slot;

typedef struct lth_optimizer_setup_api {
    uint32_t struct_size, reserved;
    /* State of the parameters' own shapes, of the run's floating type, filled with `initial`; `name` as in PyTorch's
     * state_dict ("exp_avg"). [main] */
    lth_slot (*state)(lth_optimizer_setup *s, const char *name, double initial);
    /* One number a group (a step count, say). [main] */
    lth_slot (*number)(lth_optimizer_setup *s, const char *name, double initial);
    /* State of another shape than the parameter's, as factored moments have: `shape` fills *state's rank and dimensions from
     * the parameter's, or returns false where that parameter has none; the rule must not ask for it then. Only for rules that
     * are not elementwise. [main] */
    lth_slot (*shaped)(lth_optimizer_setup *s, const char *name, double initial, bool (*shape)(const lth_shape *parameter, lth_shape *state));
} lth_optimizer_setup_api;
struct lth_optimizer_setup { const lth_optimizer_setup_api *api; };

typedef struct lth_update_api {
    uint32_t struct_size, reserved;
    lth_tensor (*parameter)(lth_update *u);
    lth_tensor (*gradient)(lth_update *u);
    /* The state's present value; after `set`, the new one. */
    lth_tensor (*state)(lth_update *u, lth_slot slot);
    void (*set)(lth_update *u, lth_slot slot, lth_tensor value);
    void (*set_parameter)(lth_update *u, lth_tensor value);
    /* The run-time scalar of the option at `offset` in the instance; index: of a list option, else 0. */
    lth_tensor (*hyper)(lth_update *u, uint32_t offset, uint32_t index, const char *file, uint32_t line);
} lth_update_api;
struct lth_update { const lth_update_api *api; };

typedef struct lth_optimizer {
    LTH_COMPONENT_HEAD_
    int32_t elementwise LTH_ZERO; /* 1: the rule may run on the flat vector of the whole group */
    uint32_t reserved LTH_ZERO;
    lth_status (*setup)(void *self, lth_optimizer_setup *s) LTH_ZERO;  /* optional */
    lth_status (*update)(void *self, lth_update *u) LTH_ZERO;          /* required */
} lth_optimizer;

static inline lth_slot lth_state_new(lth_optimizer_setup *s, const char *name, double initial) { return s->api->state(s, name, initial); }
static inline lth_slot lth_number_new(lth_optimizer_setup *s, const char *name, double initial) { return s->api->number(s, name, initial); }
static inline lth_slot lth_shaped_state_new(lth_optimizer_setup *s, const char *name, double initial,
                                            bool (*shape)(const lth_shape *parameter, lth_shape *state))
{
    return s->api->shaped(s, name, initial, shape);
}
static inline lth_tensor lth_update_parameter(lth_update *u) { return u->api->parameter(u); }
static inline lth_tensor lth_update_gradient(lth_update *u) { return u->api->gradient(u); }
static inline lth_tensor lth_update_state(lth_update *u, lth_slot s) { return u->api->state(u, s); }
static inline void lth_update_set(lth_update *u, lth_slot s, lth_tensor v) { u->api->set(u, s, v); }
static inline void lth_update_set_parameter(lth_update *u, lth_tensor v) { u->api->set_parameter(u, v); }
/* lth_hyper(u, struct adamw, lr): the group's learning rate as a scalar of the plan. */
#define lth_hyper(u, S, field) (u)->api->hyper((u), (uint32_t)offsetof(S, field), 0, LTH_HERE)
#define lth_hyper_at(u, S, field, index) (u)->api->hyper((u), (uint32_t)offsetof(S, field), (index), LTH_HERE)

#define LTH_OPTIMIZER(name, ...)                                                                                        \
    static const lth_optimizer name##_optimizer = { .struct_size = sizeof(lth_optimizer), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_OPTIMIZER_COMPONENT(name) { "optimizer/1", &name##_optimizer }

LTH_END_C
#endif
