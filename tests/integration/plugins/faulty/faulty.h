/* SPDX-License-Identifier: Apache-2.0
 * faulty: components that do wrong where they are told to. Each has the options `fault`, what it does; `where`, the hook of
 * its own in which; and `at`, after how many calls of that hook. What is called when a run ends is written down, a line a call,
 * in the file `record` of the current folder. */
#ifndef FAULTY_H
#define FAULTY_H

#include <lthost/lthost.h>

typedef struct faulty_plan {
    const char *fault, *where;
    int64_t at, calls;
    const lth_host *host;
} faulty_plan;

#define FAULTY_OPTIONS(type)                                                                \
    LTH_OPTION_NAMED(type, plan.fault, "fault", "none", NULL, "what goes wrong: faults.c"), \
        LTH_OPTION_NAMED(type, plan.where, "where", "", NULL, "in which hook"),             \
        LTH_OPTION_NAMED(type, plan.at, "at", "0", "0..", "after how many calls of it")

/* Every hook calls this first. What came of the fault: another status than LTH_OK where it is one that is returned. */
lth_status faulty_here(faulty_plan *p, const char *hook);
/* Whether the fault of that name is due in this call. */
bool faulty_is(const faulty_plan *p, const char *fault, const char *hook);

void faulty_record(const char *format, ...) LTH_PRINTF(1, 2);

/* What the model and a hook left behind for those who must not use it: the trainer, and a tensor of the running step. */
extern lth_trainer *faulty_trainer;
extern lth_step *faulty_step;
extern lth_tensor faulty_tensor;

extern const lth_callback faulty_callback;
extern const lth_logger faulty_logger;

#endif
