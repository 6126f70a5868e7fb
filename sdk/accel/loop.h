/* SPDX-License-Identifier: Apache-2.0
 * accel/loop.h: loops on host memory: what happens at a LOOP and at its LOOP_END, but for the way there and back.
 *
 * What is carried has a slot, the LOOP's result, that holds it during a turn and from turn to turn. */
#ifndef LTHOST_ACCEL_LOOP_H
#define LTHOST_ACCEL_LOOP_H

#include "ops.h"

#include <lthost/accelerator.h>
#include <string.h>

/* A loop while it runs. */
typedef struct accel_loop {
    uint32_t begin, end; /* nodes */
    uint32_t stream;     /* of the random numbers outside of it */
    uint32_t reserved;
    int64_t turns, done;
} accel_loop;

/* Where the operands and results of the two nodes lie; of a stack that nobody reads: NULL. */
typedef struct accel_loop_memory {
    void *context;
    const void *(*operand)(void *context, bool end, uint32_t index);
    void *(*result)(void *context, bool end, uint32_t index);
    void *staging; /* accel_loop_staging bytes */
} accel_loop_memory;

/* The LOOP: true: the body is to run; false: go on after the LOOP_END. */
bool accel_loop_begin(accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream);
/* The LOOP_END: true: the body is to run again. */
bool accel_loop_next(accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream);

/* Bytes of room for what a LOOP_END hands on from one slot into another. memory_of: the value in whose memory one lies; NULL:
 * each in its own. */
int64_t accel_loop_staging(const lth_graph *g, const accel_loop *l, uint32_t (*memory_of)(void *context, uint32_t value),
                           void *context);

/* The loops of a checked graph by region; calloc'd. NULL: no memory. */
accel_loop *accel_loops_of(const lth_graph *g);

/* How often at most what stands in a region runs. */
double accel_loop_runs(const lth_graph *g, uint32_t region);

/* A copy of a run's bindings, whose random numbers a loop's turns change. What this host has not, is 0. */
static inline lth_bindings accel_own_bindings(const lth_bindings *b)
{
    lth_bindings own;
    memset(&own, 0, sizeof own);
    memcpy(&own, b, b->struct_size < sizeof own ? b->struct_size : sizeof own);
    return own;
}

static inline bool accel_is_of_loop(uint32_t op) { return op == LTH_OP_LOOP || op == LTH_OP_LOOP_END; }

/* The region that a LOOP opens or a LOOP_END closes. */
uint32_t accel_loop_region(const lth_graph *g, const lth_node *n);

/* When a node is done with what it reads of a value for good: at the end of the outermost loop around it that does not hold
 * the value, as each turn reads again; else at once. */
uint32_t accel_loop_last_read(const lth_graph *g, uint32_t value, uint32_t node);

/* Whether result `index` of a node is a stack: it is written a row a turn, from the LOOP on. */
bool accel_loop_is_stack(const lth_graph *g, const lth_node *n, uint32_t index);

#endif
