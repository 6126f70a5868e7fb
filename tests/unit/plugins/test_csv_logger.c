/* SPDX-License-Identifier: Apache-2.0
 * metrics.csv: rows, columns that come later, resumes, and numbers that read back. */
#include "plugin_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static plugin p;
static const lth_logger *logger;
static char dir[512], path[600];

static void start(int64_t resumed_step)
{
    plugin_open(&p, "csv_logger", "logger/1", "csv");
    plugin_must_begin(&p);
    logger = p.table;
    lth_run_info run = { .struct_size = sizeof run, .run_dir = dir, .resumed_step = resumed_step };
    cr_assert_eq(logger->open(p.self, &run), LTH_OK, "%s", p.message);
}

static void stop(void)
{
    cr_assert_eq(logger->close(p.self, LTH_RUN_SUCCESS), LTH_OK);
    plugin_close(&p);
}

static void setup(void)
{
    plugin_make_dir(dir);
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    start(-1);
}

static void teardown(void)
{
    plugin_close(&p);
    plugin_remove_dir(dir);
}

TestSuite(csv_logger, .init = setup, .fini = teardown);

/* epoch -1: the row has none. Names are sorted. */
static void row(int64_t epoch, int64_t step, uint32_t count, const char *const *names, const double *values)
{
    lth_metrics_row r = { .struct_size = sizeof r, .count = count, .step = step, .epoch = epoch, .names = names, .values = values };
    cr_assert_eq(logger->log_metrics(p.self, &r), LTH_OK, "%s", p.message);
}
#define ROW(epoch, step, names, ...)                                                                                     \
    row(epoch, step, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), (const char *const[]) names, (double[]){ __VA_ARGS__ })
#define NAMES(...) { __VA_ARGS__ }

static void expect(const char *text)
{
    cr_assert_eq(logger->flush(p.self), LTH_OK);
    char *is = plugin_read_file(path);
    cr_assert_str_eq(is, text, "%s", is);
    free(is);
}

Test(csv_logger, has_a_sorted_column_for_each_metric_and_epoch_and_step_among_them)
{
    ROW(0, 9, NAMES("acc", "train_loss"), 0.5, 2);
    ROW(-1, 10, NAMES("acc"), 0.25);
    expect("acc,epoch,step,train_loss\n0.5,0,9,2\n0.25,,10,\n");
}

Test(csv_logger, a_metric_that_comes_later_becomes_a_column)
{
    ROW(0, 1, NAMES("b"), 1);
    ROW(0, 2, NAMES("a", "c"), 2, 3);
    ROW(0, 3, NAMES("b", "zz"), 4, 5);
    expect("a,b,c,epoch,step,zz\n,1,,0,1,\n2,,3,0,2,\n,4,,0,3,5\n");
    struct stat s;
    char beside[700];
    snprintf(beside, sizeof beside, "%s.new", path);
    cr_assert_neq(stat(beside, &s), 0, "the file beside is gone");
}

Test(csv_logger, a_row_without_metrics_has_its_epoch_and_step)
{
    row(3, 7, 0, NULL, NULL);
    expect("epoch,step\n3,7\n");
}

Test(csv_logger, numbers_read_back_to_the_same_bits_and_are_short)
{
    const double values[] = { 0.1, 1.0 / 3, 1e-310, 123456789012345680.0, -0.0, (double)0.1f, 1e300, INFINITY, -INFINITY };
    for (int i = 0; i < 9; i++)
        ROW(0, i, NAMES("x"), values[i]);
    ROW(0, 9, NAMES("x"), NAN);
    cr_assert_eq(logger->flush(p.self), LTH_OK);
    char *text = plugin_read_file(path), *at = text;
    for (int i = 0; i < 10; i++) {
        double is = NAN;
        at = strchr(at, '\n') + 1;
        cr_assert_eq(sscanf(at, "0,%*d,%lf", &is), 1); /* epoch, step, x */
        cr_assert(i == 9 ? isnan(is) : is == values[i] && signbit(is) == signbit(values[i]), "value %d is %.17g", i, is);
    }
    cr_assert(strstr(text, "\n0,0,0.1\n"), "%s", text);
    free(text);
}

Test(csv_logger, names_with_commas_and_quotes_come_back_after_a_resume)
{
    ROW(0, 1, NAMES("a,b", "c\"d\""), 1, 2);
    stop();
    start(1);
    ROW(0, 2, NAMES("a,b", "new"), 3, 4);
    expect("\"a,b\",\"c\"\"d\"\"\",epoch,new,step\n1,2,0,,1\n3,,0,4,2\n");
}

Test(csv_logger, a_resume_drops_the_rows_past_the_checkpoint)
{
    for (int i = 1; i <= 9; i++)
        ROW(0, i, NAMES("x"), i);
    stop();
    start(6);
    cr_assert_eq(logger->rewind(p.self, 6), LTH_OK);
    ROW(0, 7, NAMES("x"), 70);
    expect("epoch,step,x\n0,1,1\n0,2,2\n0,3,3\n0,4,4\n0,5,5\n0,6,6\n0,7,70\n");
}

Test(csv_logger, a_row_that_a_crash_cut_off_is_dropped)
{
    ROW(0, 1, NAMES("x"), 1);
    stop();
    plugin_write_file(path, "epoch,step,x\n0,1,1\n0,2,0.12");
    start(1);
    ROW(0, 2, NAMES("x"), 2);
    expect("epoch,step,x\n0,1,1\n0,2,2\n");
}

Test(csv_logger, a_resume_where_nothing_was_logged_begins_a_file)
{
    stop();
    start(5);
    cr_assert_eq(logger->rewind(p.self, 5), LTH_OK);
    ROW(1, 6, NAMES("x"), 1);
    expect("epoch,step,x\n1,6,1\n");
}

Test(csv_logger, a_new_run_does_not_go_on_with_an_old_file)
{
    ROW(0, 1, NAMES("x"), 1);
    stop();
    start(-1);
    ROW(0, 1, NAMES("y"), 2);
    expect("epoch,step,y\n0,1,2\n");
}

Test(csv_logger, a_folder_that_cannot_be_written_is_an_error_with_its_path)
{
    plugin_remove_dir(dir);
    const char *names[] = { "x" };
    const double values[] = { 1 };
    lth_metrics_row r = { .struct_size = sizeof r, .count = 1, .names = names, .values = values };
    cr_assert_eq(logger->log_metrics(p.self, &r), LTH_IO);
    cr_assert(strstr(p.message, path) && strstr(p.message, "No such file"), "%s", p.message);
    plugin_make_dir(dir);
}
