/* SPDX-License-Identifier: Apache-2.0
 * trainer/logger_thread.h: one logger and its thread, with a queue between it and training.
 *
 * The queue is a ring of bytes made once, so that a row costs a copy. A logger that falls behind makes it grow, up to a
 * bound; beyond that rows are dropped and counted. So training never waits for a logger, but for its open (a wrong address
 * or a full disk should show before a long run, not after) and for its flush before a checkpoint, at most
 * LOGGER_FLUSH_SECONDS.
 *
 * A function of the logger that fails after open is reported once, and the logger is given no more to do: a run is worth
 * more than its log. The closing words say so again. */
#ifndef TRAINER_LOGGER_THREAD_H
#define TRAINER_LOGGER_THREAD_H

#include "util/error.h"

#include <lthost/logger.h>

enum { LOGGER_FLUSH_SECONDS = 10, LOGGER_RING = 256 << 10, LOGGER_RING_LIMIT = 64 << 20 };

typedef struct logger_thread logger_thread;

/* What the thread calls; strings live as long as the thread. */
typedef struct logger_args {
    const lth_logger *table;
    void *self;
    const char *section, *component;
    /* Turns a failed call into an error's text. [logger] */
    void (*explain)(void *owner, const char *hook, lth_status status, error *e);
    /* Tells the user. [logger] */
    void (*warn)(void *owner, const char *text);
    void *owner;
    struct profile *profile; /* of the thread's time; NULL: none */
} logger_args;

/* Starts the thread and opens the logger, rewinds it to `info->resumed_step` where that is not negative, and waits for
 * both. `info` must live as long as the thread. */
lth_status logger_thread_start(const logger_args *args, const lth_run_info *info, logger_thread **out, error *e);

/* All [main]; each returns at once. A row's names must live as long as the thread; the rest is copied. */
void logger_thread_row(logger_thread *t, const lth_metrics_row *row);
void logger_thread_record(logger_thread *t, const lth_record *record);
void logger_thread_checkpoint(logger_thread *t, const char *path, bool is_best);

/* Asks for all given so far to be logged and flushed; and waits until what was asked for is done, or the time is up. */
void logger_thread_flush(logger_thread *t);
void logger_thread_wait(logger_thread *t);

/* Logs what is left, closes the logger, ends the thread and frees it. Answers how many rows and records it lost, or -1 where
 * it stopped by an error. */
int64_t logger_thread_close(logger_thread *t, lth_run_status status);

#endif
