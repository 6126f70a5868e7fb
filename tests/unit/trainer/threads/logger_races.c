/* SPDX-License-Identifier: Apache-2.0
 * Drives loggers' threads under the thread sanitizer: rows until the queue grows, records, checkpoints, flushes, a logger that
 * fails meanwhile, threads that come and go beside one another, a reader of all threads' crumbs. */
#include "trainer/crash.h"
#include "trainer/logger_thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOGGERS = 3, ROWS = 4000, ROUNDS = 4 };

typedef struct sink {
    int64_t rows, sum, fails_at, counts;
    char last[64];
} sink;

static lth_status open_(void *self, const lth_run_info *run)
{
    memset(((sink *)self)->last, 0, sizeof((sink *)self)->last);
    return run->resumed_step == -1 ? LTH_OK : LTH_ERROR;
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    sink *s = self;
    if (s->rows == s->fails_at)
        return LTH_IO;
    s->rows++;
    for (uint32_t i = 0; i < row->count; i++)
        s->sum += (int64_t)row->values[i];
    if (s->rows % 1024 == 0) /* now and then slower than training */
        nanosleep(&(struct timespec) { 0, 5000000 }, NULL);
    return LTH_OK;
}

static lth_status log_record(void *self, const lth_record *record)
{
    sink *s = self;
    for (int64_t i = 0; i < record->bin_count; i++)
        s->counts += (int64_t)record->counts[i];
    return LTH_OK;
}

static lth_status flush(void *self)
{
    sink *s = self;
    return s->last[0] == '/' || s->last[0] == '\0' ? LTH_OK : LTH_ERROR;
}

static lth_status checkpoint(void *self, const char *path, int32_t is_best)
{
    snprintf(((sink *)self)->last, sizeof((sink *)self)->last, "%s%s", path, is_best ? "!" : "");
    return LTH_OK;
}

static lth_status close_(void *self, lth_run_status status)
{
    ((sink *)self)->counts += status;
    return LTH_OK;
}

static const lth_logger table = { .struct_size = sizeof table,
                                  .id = "sink",
                                  .open = open_,
                                  .log_metrics = log_metrics,
                                  .log_record = log_record,
                                  .flush = flush,
                                  .checkpoint = checkpoint,
                                  .close = close_ };

static void explain(void *owner, const char *hook, lth_status status, error *e)
{
    (void)owner;
    error_set(e, status, "%s failed", hook);
}

static atomic_int warnings;
static void warn(void *owner, const char *text)
{
    (void)owner, (void)text;
    atomic_fetch_add(&warnings, 1);
}

static void look(void *context, crumb *c)
{
    const char *hook = atomic_load_explicit(&c->hook, memory_order_relaxed);
    *(int *)context += hook != NULL;
}

static void train(logger_thread **loggers)
{
    static const char *const names[] = { "loss", "step" };
    static const double edges[] = { 0, 1, 2 }, counts[] = { 3, 4 };
    const lth_record record = { .struct_size = sizeof record,
                                .kind = LTH_RECORD_HISTOGRAM,
                                .name = "weights",
                                .edges = edges,
                                .counts = counts,
                                .bin_count = 2 };
    int busy = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        const double values[] = { 1, (double)i };
        const lth_metrics_row row = { .struct_size = sizeof row, .count = 2, .step = i, .names = names, .values = values };
        for (int k = 0; k < LOGGERS; k++) {
            logger_thread_row(loggers[k], &row);
            if (i % 100 == 0)
                logger_thread_record(loggers[k], &record);
            if (i % 500 == 499)
                logger_thread_checkpoint(loggers[k], "/run/checkpoints/last", i % 1000 == 999);
            if (i % 1000 == 999) {
                logger_thread_flush(loggers[k]);
                logger_thread_wait(loggers[k]);
            }
        }
        if (i % 50 == 0)
            crash_each(look, &busy);
    }
}

int main(void)
{
    const lth_run_info info = { .struct_size = sizeof info, .resumed_step = -1 };
    for (int round = 0; round < ROUNDS; round++) {
        sink sinks[LOGGERS] = { { .fails_at = -1 }, { .fails_at = round % 2 ? 700 : -1 }, { .fails_at = -1 } };
        logger_thread *loggers[LOGGERS];
        error e = { 0 };
        for (int k = 0; k < LOGGERS; k++) {
            const logger_args args = { .table = &table,
                                       .self = &sinks[k],
                                       .section = "logger.sink",
                                       .component = "sink",
                                       .explain = explain,
                                       .warn = warn };
            if (logger_thread_start(&args, &info, &loggers[k], &e) != LTH_OK)
                return printf("%s\n", e.text), 1;
        }
        train(loggers);
        for (int k = 0; k < LOGGERS; k++) {
            int64_t lost = logger_thread_close(loggers[k], LTH_RUN_SUCCESS), whole = ROWS + (int64_t)ROWS * (ROWS - 1) / 2;
            if (sinks[k].fails_at < 0 ? lost != 0 || sinks[k].sum != whole || sinks[k].counts != 7 * ROWS / 100 : lost != -1)
                return printf("logger %d of round %d: lost %lld, sum %lld\n", k, round, (long long)lost, (long long)sinks[k].sum),
                       1;
        }
    }
    return atomic_load(&warnings) == ROUNDS / 2 ? 0 : (printf("%d warnings\n", atomic_load(&warnings)), 1);
}
