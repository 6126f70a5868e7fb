/* SPDX-License-Identifier: Apache-2.0
 * lthost/model.h: kind "model/1". What Lightning calls a LightningModule.
 *
 *   struct mlp { int64_t hidden; double dropout; lth_linear fc1, fc2; };
 *
 * The struct's first fields are the options, filled before `configure`; layers are made in `configure` and used in the
 * steps. A step records ops on tensors and returns; the host compiles forward, backward, clipping and the optimizer into
 * one plan. All functions: [main]. */
#ifndef LTHOST_MODEL_H
#define LTHOST_MODEL_H

#include "callback.h"
#include "component.h"
#include "control.h"
#include "setup.h"
#include "step.h"

LTH_BEGIN_C

typedef struct lth_optimizers lth_optimizers;

typedef struct lth_optimizers_api {
    uint32_t struct_size, reserved;
    /* An optimizer from the run file's section `section` ("optimizer", or "optimizer.generator"); returns its index. */
    int32_t (*add)(lth_optimizers *o, const char *section, const char *file, uint32_t line);
    /* Puts the parameters whose name starts with `prefix` ("" = all that are left) into the optimizer, as a group whose
     * options come from `group_section` ("optimizer.group.bias"; NULL: the optimizer's own). */
    lth_status (*parameters)(lth_optimizers *o, int32_t optimizer, const char *prefix, const char *group_section, const char *file, uint32_t line);
    /* A scheduler for the optimizer, from the run file's section ("scheduler", "scheduler.generator"). */
    lth_status (*scheduler)(lth_optimizers *o, int32_t optimizer, const char *section, const char *file, uint32_t line);
} lth_optimizers_api;
struct lth_optimizers { const lth_optimizers_api *api; };
#define lth_optimizer_add(o, section) (o)->api->add((o), (section), LTH_HERE)
#define lth_optimizer_parameters(o, index, prefix, group) (o)->api->parameters((o), (index), (prefix), (group), LTH_HERE)
#define lth_optimizer_scheduler(o, index, section) (o)->api->scheduler((o), (index), (section), LTH_HERE)

typedef struct lth_model {
    LTH_COMPONENT_HEAD_
    int32_t manual_optimization LTH_ZERO; /* 1: training_step calls lth_minimize itself; what it returns is only shown */
    int32_t accumulates LTH_ZERO; /* 1: training_step calls lth_accumulate: there is memory for it */
    /* Required. Makes parameters and buffers from the data's shapes. */
    lth_status (*configure)(void *self, lth_setup *setup) LTH_ZERO;
    /* The model's answer to a batch: logits, predictions. Stands in for predict_step. */
    lth_tensor (*forward)(void *self, lth_step *step) LTH_ZERO;
    /* Required for fit. Returns the loss (rank 0). */
    lth_tensor (*training_step)(void *self, lth_step *step) LTH_ZERO;
    /* What these return is not looked at: log what matters. */
    lth_tensor (*validation_step)(void *self, lth_step *step) LTH_ZERO;
    lth_tensor (*test_step)(void *self, lth_step *step) LTH_ZERO;
    /* Returns the batch's predictions, axis 0 the batch; written to the run's `predictions.safetensors`. */
    lth_tensor (*predict_step)(void *self, lth_step *step) LTH_ZERO;
    /* Several optimizers or groups; where it is NULL, the run file shares the parameters out: [optimizer], or several
     * [optimizer.NAME]. */
    lth_status (*configure_optimizers)(void *self, lth_optimizers *optimizers) LTH_ZERO;
    const lth_hooks *hooks LTH_ZERO;
} lth_model;

#define LTH_MODEL(name, ...)                                                                                            \
    static const lth_model name##_model = { .struct_size = sizeof(lth_model), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_MODEL_COMPONENT(name) { "model/1", &name##_model }

LTH_END_C
#endif
