/* SPDX-License-Identifier: Apache-2.0
 * engine/plan_times.h: the times of launches, gathered from plans before they go. */
#ifndef ENGINE_PLAN_TIMES_H
#define ENGINE_PLAN_TIMES_H

#include "engine/plan.h"
#include "util/arena.h"
#include "util/map.h"

typedef struct plan_times {
    arena memory;
    map by_key; /* index + 1 of a launch */
    engine_launch *launches;
    size_t count, capacity;
    engine_hook_time *hooks;
    size_t hook_count, hook_capacity;
} plan_times;

void plan_times_free(plan_times *p);

/* Room for the times of a compiled plan's launches; NULL where the accelerator cannot tell them apart. */
lth_launch_time *plan_times_new(engine *g, const lth_plan *compiled, uint32_t *count);
/* Adds what a plan has taken, and sets it back to nothing; and the same of launches of `in`, as `compiled` has them. */
void plan_times_collect(engine *g, plan *p);
void plan_times_collect_launches(engine *g, const char *hook, const graph *in, const lth_plan *compiled, lth_launch_time *times,
                                 uint32_t count);

#endif
