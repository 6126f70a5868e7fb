/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/kinds.h"

#include <string.h>

#define SLOT(T, f) { #f, (uint32_t)offsetof(T, f) }

const kind kinds[] = {
    { .name = "model", .interface = "model/1", .section = "model", .size = sizeof(lth_model),
      .hooks = offsetof(lth_model, hooks), .required = { SLOT(lth_model, configure) } },
    { .name = "datamodule", .interface = "datamodule/1", .section = "data", .size = sizeof(lth_datamodule),
      .hooks = offsetof(lth_datamodule, hooks), .required = { SLOT(lth_datamodule, setup) } },
    { .name = "callback", .interface = "callback/1", .section = "callback", .many = true, .size = sizeof(lth_callback) },
    { .name = "logger", .interface = "logger/1", .section = "logger", .many = true, .size = sizeof(lth_logger),
      .required = { SLOT(lth_logger, open), SLOT(lth_logger, log_metrics) } },
    { .name = "optimizer", .interface = "optimizer/1", .section = "optimizer", .size = sizeof(lth_optimizer),
      .required = { SLOT(lth_optimizer, update) } },
    { .name = "scheduler", .interface = "scheduler/1", .section = "scheduler", .size = sizeof(lth_scheduler),
      .required = { SLOT(lth_scheduler, rate) } },
    { .name = "accelerator", .interface = "accelerator/1", .section = "accelerator", .trainer_key = "accelerator",
      .size = sizeof(lth_accelerator),
      .score = offsetof(lth_accelerator, base_score),
      .required = { SLOT(lth_accelerator, device_count), SLOT(lth_accelerator, supports), SLOT(lth_accelerator, alloc),
                    SLOT(lth_accelerator, free), SLOT(lth_accelerator, copy_in), SLOT(lth_accelerator, copy_out),
                    SLOT(lth_accelerator, compile), SLOT(lth_accelerator, run), SLOT(lth_accelerator, release),
                    SLOT(lth_accelerator, value_data), SLOT(lth_accelerator, plan_info),
                    SLOT(lth_accelerator, fingerprint) } },
    { .name = "strategy", .interface = "strategy/1", .section = "strategy", .trainer_key = "strategy",
      .size = sizeof(lth_strategy),
      .required = { SLOT(lth_strategy, setup) } },
    { .name = "collective", .interface = "collective/1", .section = "collective", .size = sizeof(lth_collective),
      .required = { SLOT(lth_collective, join) } },
    { .name = "tuner", .interface = "tuner/1", .section = "tuner", .size = sizeof(lth_tuner),
      .required = { SLOT(lth_tuner, begin), SLOT(lth_tuner, suggest) } },
};
const size_t kind_count = sizeof kinds / sizeof *kinds;

const kind *kind_by_name(const char *name)
{
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const kind *kind_by_interface(const char *interface)
{
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].interface, interface) == 0)
            return &kinds[i];
    return NULL;
}
