/* SPDX-License-Identifier: Apache-2.0
 * lthost/scheduler.h: kind "scheduler/1": the learning rate over time.
 *
 * The host owns the keys `interval` (epoch or step), `frequency`, `monitor` and `strict` of [scheduler], and calls `rate`
 * once for each parameter group: at the start with count = 0, then after every `frequency` intervals; and, unless
 * `needs_metric`, again with the count reached where a run is resumed under a changed run file: so a rate follows from base,
 * count and total. [main] */
#ifndef LTHOST_SCHEDULER_H
#define LTHOST_SCHEDULER_H

#include "component.h"

LTH_BEGIN_C

typedef struct lth_schedule {
    uint32_t struct_size, group;
    double base;    /* the group's learning rate in the run file */
    double current; /* as it stands now */
    int64_t count;  /* how often the schedule has advanced */
    int64_t total;  /* how often it will in the whole run; -1: not known */
    double metric;  /* the monitored value; NaN unless `needs_metric` */
} lth_schedule;

typedef struct lth_scheduler {
    LTH_COMPONENT_HEAD_
    int32_t needs_metric LTH_ZERO; /* 1: advances after the monitored metric is fresh (plateau) */
    uint32_t reserved LTH_ZERO;
    /* Required. The learning rate from now on; a NaN or negative answer ends the run with an error. */
    double (*rate)(void *self, const lth_schedule *at) LTH_ZERO;
    /* Once before the `rate` calls of an advance: where a schedule with state (plateau) takes in the metric. Optional. */
    lth_status (*advance)(void *self, const lth_schedule *at) LTH_ZERO;
} lth_scheduler;

#define LTH_SCHEDULER(name, ...)                                                                                        \
    static const lth_scheduler name##_scheduler = { .struct_size = sizeof(lth_scheduler), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_SCHEDULER_COMPONENT(name) { "scheduler/1", &name##_scheduler }

LTH_END_C
#endif
