/* SPDX-License-Identifier: Apache-2.0
 * trainer/crash.h: who is running, so that a crash can name the plugin and the hook; and the handler that does.
 *
 * Each thread leaves a crumb before it calls into a plugin: two stores. A SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT on
 * any thread prints the crumb and the last checkpoint, tears nothing down, and dies by its signal. */
#ifndef TRAINER_CRASH_H
#define TRAINER_CRASH_H

#include <lthost/base.h>

typedef struct crumb {
    const char *section;   /* "callback.best"; NULL: the host itself */
    const char *component; /* "checkpoint" */
    const char *hook;      /* "on_train_batch_end" */
} crumb;

extern _Thread_local crumb crash_crumb;

/* Puts the handler in place, with an alternate stack for the calling thread (util/thread.h does so for the host's own).
 * [main], once. */
void crash_install(void);
/* The line that a report ends with; copied. "" takes it away. [main] */
void crash_set_resume_hint(const char *text);

#endif
