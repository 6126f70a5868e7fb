/* SPDX-License-Identifier: Apache-2.0
 * accel/clock.h: how long launches take, where the caller of a run wants to know (lth_bindings.times). */
#ifndef LTHOST_ACCEL_CLOCK_H
#define LTHOST_ACCEL_CLOCK_H

#include <lthost/accelerator.h>

/* Nanoseconds since an unknown moment. */
uint64_t accel_clock(void);

/* A launch that began at `since` ends: adds its time, and answers when that was, which is when the next one begins. */
uint64_t accel_clock_note(lth_launch_time *time, uint64_t since);

#endif
