/* SPDX-License-Identifier: Apache-2.0
 * constant: the learning rate of the run file, all along. */
#include <lthost/scheduler.h>

struct constant { int64_t unused; }; /* an instance has at least one byte */

static double rate(void *self, const lth_schedule *at)
{
    (void)self;
    return at->base;
}

LTH_SCHEDULER(constant, .summary = "the same learning rate all along", .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(constant));
