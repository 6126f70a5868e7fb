/* SPDX-License-Identifier: Apache-2.0
 * pool.h: the one pool of compute threads: libgomp's, which oneDNN uses already.
 *
 * It is entered by GOMP_parallel itself rather than by `#pragma omp`, so that clang brings in no second runtime. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include <stdint.h>

/* Runs task(context, thread, threads) for thread = 0..threads-1, the caller being one of them; returns when all have
 * ended. threads <= 1: a plain call. */
void pool_run(int32_t threads, void (*task)(void *context, int32_t thread, int32_t threads), void *context);

/* Runs body(context) on this thread, the lead, while the pool's other threads wait for what it gives them: until it returns,
 * pool_run of the lead takes less than half a microsecond. A library that enters the pool itself has one thread meanwhile. */
void pool_team(int32_t threads, void (*body)(void *context), void *context);

/* How many threads libraries on the pool (oneDNN) use from now on in this thread. */
void pool_set_threads(int32_t threads);

/* The part of 0..count that thread `thread` of `threads` works on: whole multiples of `grain`, a function of the arguments
 * alone. */
static inline void pool_share(int64_t count, int64_t grain, int32_t thread, int32_t threads, int64_t *first, int64_t *last)
{
    if (threads == 1) { /* without the divisions */
        *first = 0;
        *last = count;
        return;
    }
    int64_t grains = (count + grain - 1) / grain;
    *first = grains * thread / threads * grain;
    *last = grains * (thread + 1) / threads * grain;
    if (*first > count)
        *first = count;
    if (*last > count)
        *last = count;
}

#endif
