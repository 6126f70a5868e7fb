/* SPDX-License-Identifier: Apache-2.0
 * trainer/crash.h: who is running, so that a crash can name the plugin and the hook; and the handler that does.
 *
 * Each thread leaves a crumb before it calls into a plugin: a few stores. A SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT on
 * any thread prints the crumb, the op that a plan was at, the step and the last checkpoint, tears nothing down, and dies by
 * its signal. */
#ifndef TRAINER_CRASH_H
#define TRAINER_CRASH_H

#include "trainer/profile.h"

#include <lthost/base.h>
#include <pthread.h>
#include <stdatomic.h>

/* A thread's. Atomic, because watch.c looks at those of others. */
typedef struct crumb {
    _Atomic(const char *) section;   /* "callback.best"; NULL: the host itself */
    _Atomic(const char *) component; /* "checkpoint" */
    _Atomic(const char *) hook;      /* "on_train_batch_end" */
    _Atomic uint32_t entered;        /* counts: another number, another call */
    uint32_t watched;                /* watch.c: `entered` as it was, and the seconds since */
    double watched_for;
    pthread_t thread;
    struct profile_thread *profile; /* NULL: this thread's calls are not timed */
    struct crumb *next;             /* of the threads that said crash_thread_begin */
} crumb;

extern _Thread_local crumb crash_crumb;

static inline void crash_lay(const char *section, const char *component, const char *hook)
{
    crumb *c = &crash_crumb;
    atomic_store_explicit(&c->section, section, memory_order_relaxed);
    atomic_store_explicit(&c->component, component, memory_order_relaxed);
    atomic_store_explicit(&c->hook, hook, memory_order_relaxed);
    atomic_store_explicit(&c->entered, atomic_load_explicit(&c->entered, memory_order_relaxed) + 1, memory_order_release);
}
static inline void crash_enter(const char *section, const char *component, const char *hook)
{
    if (crash_crumb.profile)
        profile_enter(crash_crumb.profile, section, hook, 1);
    crash_lay(section, component, hook);
}
static inline void crash_leave(void)
{
    if (crash_crumb.profile)
        profile_enter(crash_crumb.profile, NULL, NULL, 0);
    atomic_store_explicit(&crash_crumb.hook, NULL, memory_order_relaxed);
    atomic_store_explicit(&crash_crumb.section, NULL, memory_order_relaxed);
}

/* Around what the host does on behalf of a hook: its crumb is taken up, and laid again. */
typedef struct crash_who {
    const char *section, *component, *hook;
} crash_who;
crash_who crash_pause(void);
void crash_go_on(const crash_who *who);

/* Puts the handler in place, with an alternate stack for the calling thread (util/thread.h does so for the host's own).
 * [main], once. */
void crash_install(void);
/* The calling thread's crumbs are among those that crash_each sees, until it ends. [any] */
void crash_thread_begin(void);
/* Calls `visit` for each of those threads, none of which ends meanwhile. [any] */
void crash_each(void (*visit)(void *context, crumb *c), void *context);

/* The newest checkpoint's path, which a report ends with; copied. [main] */
void crash_set_checkpoint(const char *path);
/* Where the run stands; NULL: there is none. Borrowed. [main] */
void crash_set_progress(const int64_t *epoch, const int64_t *step);

/* ---- For reports: by async-signal-safe calls alone, to stderr. [any] ---- */

void crash_say(const char *text);
void crash_say_number(int64_t number);
/* "[model] (mlp), training_step" */
void crash_say_crumb(const crumb *c);
/* The op that a plan is at, and the step, each on a line where there is one. with_op: it is the thread that runs the plans,
 * or works for it. */
void crash_say_place(bool with_op);
/* "last checkpoint: PATH" */
void crash_say_checkpoint(void);
bool crash_is_main(const crumb *c);

#endif
