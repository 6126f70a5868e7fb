/* SPDX-License-Identifier: Apache-2.0
 * trainer/watch.h: [trainer] hook_timeout and max_memory: a thread that looks at the crumbs of all others (crash.h), and at
 * what memory the process has. Where a hook does not return, or memory goes beyond the bound, it says which plugin and hook
 * and leaves at once, tearing nothing down: nothing that waits for such a hook can be waited for. */
#ifndef TRAINER_WATCH_H
#define TRAINER_WATCH_H

#include "util/error.h"

typedef struct watch watch;

typedef struct watch_args {
    double hook_timeout; /* seconds that a call into a plugin may take; 0: any. Time in which the process is stopped or the
                            machine asleep does not count */
    uint64_t max_memory; /* bytes of its own that the process may have in memory (no files, no device); 0: any */
} watch_args;

enum {
    WATCH_HUNG = 75,  /* exit status, EX_TEMPFAIL: a hook did not return */
    WATCH_MEMORY = 71 /* EX_OSERR, that of an allocation of the host that failed: too much memory */
};

/* *out is NULL where there is nothing to watch. [main] */
lth_status watch_start(const watch_args *args, watch **out, error *e);
/* NULL is fine. [main] */
void watch_stop(watch *w);

#endif
