/* SPDX-License-Identifier: Apache-2.0
 * A plan: the graph's copy, a kernel a node, and a place for every value. */
#ifndef REFERENCE_PLAN_H
#define REFERENCE_PLAN_H

#include <lthost/accel/loop.h>
#include <lthost/accel/ops.h>
#include <lthost/accel/plain/wide.h>
#include <lthost/accel/plan_memory.h>

struct lth_plan {
    lth_graph *graph, *wide; /* wide: every value of 16 bits is f32 (plain/wide.h) */
    uint32_t flags, max_operands;
    plain_kernel *kernels; /* by node; NULL: bound memory, or an effect of the commit */
    void **data;           /* by value: its elements; of bound leaves set by each run */
    void **staging;        /* by node: where an ASSIGN whose value is state keeps it while others are written, and a LOOP_END what
                              it hands on from one slot into another; or NULL */
    void **scratch;        /* by node: for its values of 16 bits as f32; NULL: it has a kernel of its own type */
    accel_loop *loops;     /* by region */
    uint8_t *infinite;     /* by value, LTH_COMPILE_CHECK_FINITE: whether it has an infinity that was given */
    const void **operands; /* one call's */
    accel_buffer *buffers; /* by value, then by node for staging, then by node for scratch */
    char *block;           /* working memory */
    lth_plan_info info;
};

/* Checks and compiles. On an error *out is NULL and e says why. */
lth_status ref_plan_new(const lth_graph *g, uint32_t flags, lth_plan **out, accel_error *e);
void ref_plan_free(lth_plan *p);

/* Whether a value's elements are the caller's own memory, not the plan's. */
bool ref_plan_is_bound(const lth_plan *p, uint32_t value);

lth_status ref_plan_run(lth_plan *p, const lth_bindings *b, lth_run_result *result);

#endif
