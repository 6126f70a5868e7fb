/* SPDX-License-Identifier: Apache-2.0
 * lthost/scheduler.h: kind "scheduler/1": the learning rate over time.
 *
 * The host owns the keys `interval` (epoch or step), `frequency`, `monitor`, `strict`, `warmup` and `warmup_start` of
 * [scheduler], and calls `rate` once for each parameter group: at the start with count = 0, then after every `frequency`
 * intervals; and, unless `needs_metric`, again with the count reached where a run is resumed under a changed run file: so a
 * rate follows from base, count and total. A warm-up comes before all this: the plugin's counts begin at its end. [main] */
#ifndef LTHOST_SCHEDULER_H
#define LTHOST_SCHEDULER_H

#include "component.h"

LTH_BEGIN_C

typedef struct lth_schedule {
    uint32_t struct_size, group;
    double base;    /* the group's learning rate in the run file */
    double current; /* as it stands now; at count = 0 the base */
    int64_t count;  /* how often the schedule has advanced, the warm-up not counted */
    int64_t total;  /* how often it will in the whole run, at least 1, the warm-up not counted; -1: not known */
    double metric;  /* the monitored value; NaN unless `needs_metric` */
    int64_t warmup LTH_ZERO; /* how often the warm-up advanced before; 0: there is none */
} lth_schedule;

typedef struct lth_scheduler {
    LTH_COMPONENT_HEAD_
    int32_t needs_metric LTH_ZERO; /* 1: advances after the monitored metric is fresh (plateau) */
    uint32_t reserved LTH_ZERO;
    /* Required. The learning rate from now on; a NaN or negative answer ends the run with an error (lth_fail says why). */
    double (*rate)(void *self, const lth_schedule *at) LTH_ZERO;
    /* Once before the `rate` calls of an advance: where a schedule with state (plateau) takes in the metric. Optional. */
    lth_status (*advance)(void *self, const lth_schedule *at) LTH_ZERO;
    /* The momentum from now on, or the first of the betas, where a schedule moves that, too; NaN leaves it as it is. base and
     * current are the momentum's, NaN for a group that has none; whatever else the answer is then, it ends the run with an
     * error, and so does one outside 0..1. Follows from base, count and total: it is asked again after every resume. Optional. */
    double (*momentum)(void *self, const lth_schedule *at) LTH_ZERO;
} lth_scheduler;

/* Over how many advances a schedule runs: what its option says, or where that is 0 the rest of the run. -1: neither is known;
 * that is the plugin's fault then, reported. */
static inline int64_t lth_schedule_length(const lth_host *host, const lth_schedule *at, int64_t given, const char *option)
{
    if (given > 0)
        return given;
    if (at->total < 0)
        lth_fail(host, LTH_INVALID, "how long this run will be is not known: set %s, or [trainer] max_epochs or max_steps", option);
    return at->total;
}

#define LTH_SCHEDULER(name, ...)                                                                                        \
    static const lth_scheduler name##_scheduler = { .struct_size = sizeof(lth_scheduler), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_SCHEDULER_COMPONENT(name) { "scheduler/1", &name##_scheduler }

LTH_END_C
#endif
