/* SPDX-License-Identifier: Apache-2.0
 * A logger's thread: order, a logger that is slow, one that fails, and what happens to records. */
#include "trainer/logger_thread.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct fake {
    char calls[4096];
    int64_t rows, sum; /* of steps: to see that none is lost or changed */
    int64_t last, out_of_order;
    int64_t fail_at;
    bool fail_open;
    pthread_mutex_t gate; /* held: the logger blocks in its next row */
    double record_sum;
    char record_name[40];
} fake;

static fake f;
static char warned[1000], explained[200];

static void note(const char *call)
{
    if (strlen(f.calls) + strlen(call) + 2 < sizeof f.calls)
        strcat(strcat(f.calls, call), " ");
}

static lth_status open_(void *self, const lth_run_info *run)
{
    (void)self;
    (void)run;
    note("open");
    return f.fail_open ? LTH_IO : LTH_OK;
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    (void)self;
    pthread_mutex_lock(&f.gate);
    pthread_mutex_unlock(&f.gate);
    if (f.rows++ == f.fail_at)
        return LTH_ERROR;
    f.sum += row->step;
    f.out_of_order += row->step <= f.last || row->values[0] != (double)row->step || strcmp(row->names[0], "x") != 0;
    f.last = row->step;
    return LTH_OK;
}

static lth_status log_record(void *self, const lth_record *record)
{
    (void)self;
    snprintf(f.record_name, sizeof f.record_name, "%s", record->name);
    for (int64_t i = 0; i < record->bin_count; i++)
        f.record_sum += record->counts[i];
    return LTH_OK;
}

static lth_status rewind_(void *self, int64_t step)
{
    char call[40];
    (void)self;
    snprintf(call, sizeof call, "rewind:%lld", (long long)step);
    note(call);
    return LTH_OK;
}

static lth_status flush(void *self)
{
    (void)self;
    note("flush");
    return LTH_OK;
}

static lth_status checkpoint(void *self, const char *path, int32_t is_best)
{
    (void)self;
    note(path);
    note(is_best ? "best" : "not-best");
    return LTH_OK;
}

static lth_status close_(void *self, lth_run_status status)
{
    (void)self;
    note(status == LTH_RUN_INTERRUPTED ? "close:interrupted" : "close");
    return LTH_OK;
}

static const lth_logger table = { .struct_size = sizeof table,
                                  .id = "fake",
                                  .open = open_,
                                  .log_metrics = log_metrics,
                                  .log_record = log_record,
                                  .rewind = rewind_,
                                  .flush = flush,
                                  .checkpoint = checkpoint,
                                  .close = close_ };

static void explain(void *owner, const char *hook, lth_status status, error *e)
{
    (void)owner;
    snprintf(explained, sizeof explained, "%s", hook);
    error_set(e, status, "%s did not work", hook);
}

static void warn(void *owner, const char *text)
{
    (void)owner;
    strncat(warned, text, sizeof warned - strlen(warned) - 1);
}

static lth_run_info info;
static logger_thread *thread;

static lth_status start(int64_t resumed_step, error *e)
{
    const logger_args args = { &table, &f, "logger.fake", "fake", explain, warn, NULL, NULL };
    info = (lth_run_info) { .struct_size = sizeof info, .resumed_step = resumed_step };
    return logger_thread_start(&args, &info, &thread, e);
}

static void begin(void)
{
    f = (fake) { .fail_at = -1 };
    pthread_mutex_init(&f.gate, NULL);
    warned[0] = explained[0] = '\0';
}

TestSuite(logger_thread, .init = begin);

static void row(int64_t step)
{
    const char *names[] = { "x" };
    double values[] = { (double)step };
    logger_thread_row(thread, &(lth_metrics_row) { sizeof(lth_metrics_row), 1, step, 0, step, 0, names, values });
}

Test(logger_thread, rows_arrive_in_order_and_are_flushed_before_the_close)
{
    error e = { 0 };
    cr_assert_eq(start(-1, &e), LTH_OK, "%s", e.text);
    for (int64_t i = 1; i <= 1000; i++)
        row(i);
    logger_thread_checkpoint(thread, "/a/b", true);
    cr_expect_eq(logger_thread_close(thread, LTH_RUN_INTERRUPTED), 0);
    cr_expect_eq(f.rows, 1000);
    cr_expect_eq(f.sum, 500500);
    cr_expect_eq(f.out_of_order, 0);
    cr_expect_str_eq(f.calls, "open /a/b best flush close:interrupted ");
}

Test(logger_thread, a_flush_waits_for_all_that_was_logged_before_it)
{
    error e = { 0 };
    cr_assert_eq(start(-1, &e), LTH_OK);
    for (int64_t i = 1; i <= 50; i++)
        row(i);
    logger_thread_flush(thread);
    logger_thread_wait(thread);
    cr_expect_eq(f.rows, 50);
    cr_expect_str_eq(f.calls, "open flush ");
    logger_thread_close(thread, LTH_RUN_SUCCESS);
}

Test(logger_thread, a_resumed_run_is_rewound_before_its_first_row)
{
    error e = { 0 };
    cr_assert_eq(start(7, &e), LTH_OK);
    logger_thread_close(thread, LTH_RUN_SUCCESS);
    cr_expect_str_eq(f.calls, "open rewind:7 close ");
}

/* 40,000 rows are more than the ring that a thread begins with. */
Test(logger_thread, a_blocked_logger_holds_up_nobody_and_loses_nothing)
{
    error e = { 0 };
    cr_assert_eq(start(-1, &e), LTH_OK);
    pthread_mutex_lock(&f.gate);
    for (int64_t i = 1; i <= 40000; i++)
        row(i);
    pthread_mutex_unlock(&f.gate);
    cr_expect_eq(logger_thread_close(thread, LTH_RUN_SUCCESS), 0);
    cr_expect_eq(f.rows, 40000);
    cr_expect_eq(f.out_of_order, 0);
    cr_expect_eq(f.sum, 800020000);
}

Test(logger_thread, a_logger_that_fails_is_reported_once_and_left_alone)
{
    error e = { 0 };
    f.fail_at = 3;
    cr_assert_eq(start(-1, &e), LTH_OK);
    for (int64_t i = 1; i <= 100; i++)
        row(i);
    logger_thread_flush(thread);
    logger_thread_wait(thread);
    cr_expect_eq(logger_thread_close(thread, LTH_RUN_SUCCESS), -1);
    cr_expect_eq(f.rows, 4);
    cr_expect_str_eq(f.calls, "open ", "no close either: %s", f.calls);
    cr_expect_str_eq(warned, "log_metrics did not work; the run goes on without this logger");
}

Test(logger_thread, an_open_that_fails_is_an_error_of_the_start)
{
    error e = { 0 };
    f.fail_open = true;
    cr_expect_eq(start(-1, &e), LTH_IO);
    cr_expect_str_eq(e.text, "open did not work");
}

Test(logger_thread, a_record_is_copied)
{
    error e = { 0 };
    char name[] = "weights";
    double counts[] = { 1, 2, 3 }, edges[] = { 0, 1, 2, 3 };
    cr_assert_eq(start(-1, &e), LTH_OK);
    pthread_mutex_lock(&f.gate);
    row(1); /* blocks the thread, so that the record is looked at later */
    logger_thread_record(thread, &(lth_record) { .struct_size = sizeof(lth_record),
                                                 .kind = LTH_RECORD_HISTOGRAM,
                                                 .name = name,
                                                 .counts = counts,
                                                 .edges = edges,
                                                 .bin_count = 3 });
    memset(name, 'x', sizeof name - 1);
    memset(counts, 0, sizeof counts);
    pthread_mutex_unlock(&f.gate);
    logger_thread_close(thread, LTH_RUN_SUCCESS);
    cr_expect_str_eq(f.record_name, "weights");
    cr_expect_eq(f.record_sum, 6);
}
