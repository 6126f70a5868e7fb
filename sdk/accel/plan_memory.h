/* SPDX-License-Identifier: Apache-2.0
 * accel/plan_memory.h: where the buffers of a plan lie in one block of memory.
 *
 * The sizes and lives of all buffers are known when a plan is made, so a run allocates nothing: two buffers whose lives
 * do not meet may share bytes. Buffers are placed from the largest to the smallest, each into the tightest gap that is
 * free during its whole life (greedy by size, best fit), which comes close to the lower bound on the graphs of networks. */
#ifndef LTHOST_ACCEL_PLAN_MEMORY_H
#define LTHOST_ACCEL_PLAN_MEMORY_H

#include <lthost/base.h>

#define ACCEL_ALIGNMENT 64

typedef struct accel_buffer {
    int64_t size;         /* bytes; 0: takes no room */
    uint32_t first, last; /* steps of its life, both inclusive */
    int64_t offset;       /* out: a multiple of ACCEL_ALIGNMENT */
} accel_buffer;

typedef struct accel_memory {
    int64_t planned;  /* bytes of the block */
    int64_t unshared; /* what it would take if no two buffers shared memory */
} accel_memory;

/* Fills the offsets. The same buffers always get the same offsets. LTH_NO_MEMORY: not even the plan could be held. */
lth_status accel_plan_memory(accel_buffer *buffers, uint32_t count, accel_memory *out);

static inline int64_t accel_align(int64_t bytes)
{
    return (bytes + ACCEL_ALIGNMENT - 1) / ACCEL_ALIGNMENT * ACCEL_ALIGNMENT;
}

#endif
