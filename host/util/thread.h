/* SPDX-License-Identifier: Apache-2.0
 * util/thread.h: a thread of the host's own.
 *
 * Each has a name (seen in debuggers), all asynchronous signals blocked, so that SIGINT and SIGTERM reach [main] alone,
 * and an alternate signal stack, so that a crash report can be printed after a stack overflow too. */
#ifndef UTIL_THREAD_H
#define UTIL_THREAD_H

#include "error.h"
#include <pthread.h>

typedef struct thread {
    pthread_t id;
    bool running; /* started and not joined yet */
} thread;

/* Runs body(argument) on a new thread. `name`: at most 15 bytes are shown. Join it before `t` ends. [any] */
lth_status thread_start(thread *t, const char *name, void (*body)(void *argument), void *argument, error *e);

/* Waits for the end; does nothing for one never started or joined already. [any] */
void thread_join(thread *t);

/* Gives the calling thread an alternate signal stack unless it has one; for [main] and for threads that others start
 * (a pool's workers). It is given back when the thread ends. [any] */
void thread_use_signal_stack(void);

#endif
