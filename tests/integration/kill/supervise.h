/* SPDX-License-Identifier: Apache-2.0
 * kill/supervise.h: runs the program and steps in at a system call of its own that changes a file below runs/: kills it
 * before the call, lets the call fail, or lets a write be a short one. By seccomp's user notification (Linux 5.6): the
 * program is as it always is, whatever library, thread or buffer a call comes from. */
#ifndef KILL_SUPERVISE_H
#define KILL_SUPERVISE_H

#include "integration/run_lthost.h"
#include "util/str.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_kind { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_SHORT } fault_kind;

typedef struct fault_plan {
    fault_kind kind;
    int64_t at;       /* which of the calls that count, from 1; FAULT_SHORT: every write */
    bool from_there;  /* that one and all after it */
    int code;         /* errno of FAULT_ERROR */
    const char *only; /* begins so in the log: what counts; NULL: all */
} fault_plan;

/* Whether the system lets a program be supervised; says why not. */
bool can_supervise(void);
/* lthost ARGUMENTS..., NULL at the end. `log` (may be NULL) gets the calls, a line each: "write metrics.csv". */
outcome supervised(const char *const *arguments, const fault_plan *plan, str *log);

#endif
