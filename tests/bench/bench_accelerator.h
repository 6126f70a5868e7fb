/* SPDX-License-Identifier: Apache-2.0
 * An accelerator's plugin, loaded as the host would, whose runs are timed; and a few lines of statistics. */
#ifndef BENCH_ACCELERATOR_H
#define BENCH_ACCELERATOR_H

#include <lthost/accelerator.h>

typedef struct bench_accelerator {
    const lth_accelerator *accelerator;
    void *self;
    lth_host host;
    int32_t threads;
    lth_accelerator timed; /* the table with `run` replaced */
    double last_run;       /* seconds */
} bench_accelerator;

/* False after a message to stderr. There is one at a time. */
bool bench_open_accelerator(bench_accelerator *a, const char *plugin, int32_t threads);
/* Its table, whose runs leave their time in last_run. */
const lth_accelerator *bench_timed(bench_accelerator *a);

enum { BENCH_TIMES = 500 };
typedef struct bench_times {
    double seconds[BENCH_TIMES];
    int count;
} bench_times;
double bench_now(void);
static inline void bench_add(bench_times *t, double seconds, bool warm)
{
    if (warm && t->count < BENCH_TIMES)
        t->seconds[t->count++] = seconds;
}
/* In microseconds. */
double bench_median(bench_times *t);
double bench_least(bench_times *t);

#endif
