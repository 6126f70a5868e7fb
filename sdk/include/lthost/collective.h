/* SPDX-License-Identifier: Apache-2.0
 * lthost/collective.h: kind "collective/1": moving data between the processes of a run. Strategies name the one they use.
 * Data is dense memory of the accelerator in use; calls of all ranks come in the same order. [main] */
#ifndef LTHOST_COLLECTIVE_H
#define LTHOST_COLLECTIVE_H

#include "component.h"

LTH_BEGIN_C

typedef uint32_t lth_collective_op;
enum { LTH_COLLECTIVE_SUM = 0, LTH_COLLECTIVE_MEAN = 1, LTH_COLLECTIVE_MIN = 2, LTH_COLLECTIVE_MAX = 3 };

typedef struct lth_collective {
    LTH_COMPONENT_HEAD_
    /* Joins `size` processes as `rank`; address: the launcher's rendezvous, "" where the library knows. Required. */
    lth_status (*join)(void *self, int32_t rank, int32_t size, const char *address) LTH_ZERO;
    lth_status (*all_reduce)(void *self, void *data, int64_t count, lth_dtype dtype, lth_collective_op op) LTH_ZERO;
    lth_status (*all_gather)(void *self, const void *part, void *whole, int64_t count, lth_dtype dtype) LTH_ZERO;
    lth_status (*reduce_scatter)(void *self, const void *whole, void *part, int64_t count, lth_dtype dtype, lth_collective_op op) LTH_ZERO;
    lth_status (*broadcast)(void *self, void *data, int64_t count, lth_dtype dtype, int32_t root) LTH_ZERO;
    lth_status (*barrier)(void *self) LTH_ZERO;
    lth_status (*leave)(void *self) LTH_ZERO;
} lth_collective;

#define LTH_COLLECTIVE(name, ...)                                                                                       \
    static const lth_collective name##_collective = { .struct_size = sizeof(lth_collective), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_COLLECTIVE_COMPONENT(name) { "collective/1", &name##_collective }

LTH_END_C
#endif
