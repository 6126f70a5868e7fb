/* SPDX-License-Identifier: Apache-2.0
 * plan.h: a plan is a schedule (accel/schedule.h) with a kernel for each launch of a node, and threads for each launch. */
#ifndef CPU_PLAN_H
#define CPU_PLAN_H

#include "channels_last.h"
#include "kernel.h"

struct lth_plan {
    channels_last last;           /* where it gained: the schedule's graph is a copy of this one */
    accel_schedule *schedule;
    lth_graph *wide;              /* the graph with f32 for bf16 (accel/plain/wide.h) */
    accel_schedule wide_schedule; /* a look at `schedule` that has it */
    cpu_kernel *kernels;          /* by launch */
    int32_t threads;              /* that its launches may use at most */
    bool has_team;                /* the pool is entered once a run: no kernel is of a library that enters it */
    char *block;                  /* the schedule's memory, then a scratch a thread for tile programs */
    char *scratch;
    int64_t scratch_stride;
    lth_plan_info info;
};

/* Whether an op on operands of this dtype can be part of a plan. */
bool cpu_plan_supports(uint32_t op, lth_dtype dtype);
/* Checks and compiles. On an error *out is NULL and e says why. */
lth_status cpu_plan_new(const lth_graph *g, uint32_t flags, int32_t threads, lth_plan **out, accel_error *e);
void cpu_plan_free(lth_plan *p);
lth_status cpu_plan_run(lth_plan *p, const lth_bindings *b, lth_run_result *result);
bool cpu_plan_launch(const lth_plan *p, uint32_t launch, lth_launch *out);
/* How launch i is done, for a reader. */
void cpu_plan_text(const lth_plan *p, uint32_t launch, char *text, size_t size);

#endif
