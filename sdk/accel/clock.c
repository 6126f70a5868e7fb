/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "clock.h"

#include <time.h>

uint64_t accel_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t accel_clock_note(lth_launch_time *time, uint64_t since)
{
    uint64_t now = accel_clock();
    time->runs++;
    time->nanoseconds += now - since;
    return now;
}
