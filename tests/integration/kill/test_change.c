/* SPDX-License-Identifier: Apache-2.0
 * What may be another between two lives of a run, and what is then said; and two lives at once. */
#include "end.h"

#include "util/file.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(change, .init = run_begin, .fini = run_end);

#define CPU "trainer.accelerator=cpu"
#define OLDER_PLUGINS LTHOST_TEST_BUILD "/older_plugins" /* survivor as it was a version before */

static void must_run(const char *const *arguments)
{
    outcome o = run_lthost(arguments);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}
#define MUST_RUN(...) must_run((const char *const[]) { __VA_ARGS__, NULL })

static void start_anew(void)
{
    error e = { 0 };
    file_remove_tree("runs", &e);
}

/* The means of the batches that came, and the losses, are those of another log. */
static void expect_same_data(const char *before, const char *what)
{
    double then[400], now[400];
    char *metrics = run_read(KILL_RUN "metrics.csv");
    int count = run_column(before, "x_mean", then, 400);
    cr_assert_gt(count, 10);
    cr_expect_eq(run_column(metrics, "x_mean", now, 400), count, "%s", what);
    for (int i = 0; i < count; i++)
        cr_expect_eq(then[i], now[i], "%s: other samples in row %d", what, i);
    free(metrics);
}

Test(change, another_number_of_threads_gives_the_same_data_and_is_told_that_its_bits_may_differ)
{
    if (access(LTHOST_TEST_PLUGINS "/cpu/plugin.ini", F_OK) != 0) {
        fprintf(stderr, "skipped: the accelerator `cpu` is not built, and `reference` has one thread\n");
        return;
    }
    for (int data = KILL_DIGITS; data <= KILL_STREAM_REREAD; data++) {
        kill_run_file((kill_data)data);
        start_anew();
        MUST_RUN("fit", "run.ini", "trainer.max_steps=14", "run.threads=2", CPU);
        char *metrics = run_read(KILL_RUN "metrics.csv");
        start_anew();
        MUST_RUN("fit", "run.ini", "trainer.max_steps=5", "run.threads=2", CPU);
        outcome o = RUN("fit", "run.ini", "trainer.max_steps=14", "run.threads=1", CPU);
        cr_expect_eq(o.status, 0, "%s", o.err);
        cr_expect_not_null(strstr(o.err, "threads: 2 then, 1 now"), "%s", o.err);
        cr_expect_not_null(strstr(o.err, "the bits of the resumed run will differ"), "%s", o.err);
        outcome_free(&o);
        expect_same_data(metrics, "another number of threads");
        free(metrics);
    }
}

Test(change, another_number_of_loader_threads_or_of_prefetched_batches_gives_the_same_bits)
{
    static const char *const settings[][2] = { { "data.workers=0", "data.prefetch=1" }, { "data.workers=3", "data.prefetch=7" } };
    for (int data = KILL_DIGITS; data <= KILL_STREAM_REREAD; data++) {
        kill_run_file((kill_data)data);
        start_anew();
        MUST_RUN("fit", "run.ini", "trainer.max_steps=14");
        end whole = end_of_run("nothing happens");
        for (int k = 0; k < 2; k++) {
            start_anew();
            MUST_RUN("fit", "run.ini", "trainer.max_steps=5", settings[!k][0], settings[!k][1]);
            outcome o = RUN("fit", "run.ini", "trainer.max_steps=14", settings[k][0], settings[k][1]);
            cr_expect_eq(o.status, 0, "%s", o.err);
            cr_expect_null(strstr(o.err, "differ"), "nothing differs: %s", o.err);
            outcome_free(&o);
            char model[65];
            cr_expect_str_eq(run_sha256(KILL_RUN "checkpoints/last/model.safetensors", model), whole.model, "%s", settings[k][0]);
            expect_same_data(whole.metrics, settings[k][0]);
        }
        end_free(&whole);
    }
}

Test(change, state_of_an_older_plugin_is_read_and_of_a_newer_one_refused_by_name)
{
    kill_run_file(KILL_DIGITS);
    MUST_RUN("fit", "run.ini", "trainer.max_steps=4", "--plugin-dir", OLDER_PLUGINS);
    MUST_RUN("fit", "run.ini", "trainer.max_steps=8");
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=12", "--plugin-dir", OLDER_PLUGINS);
    cr_expect_eq(o.status, 1, "%s", o.err);
    cr_expect_not_null(strstr(o.err,
                              "[model] the checkpoint holds the state of 'survivor' in version 3; the plugin 'survivor_older' "
                              "0.0.9 knows versions up to 2"),
                       "%s", o.err);
    outcome_free(&o);
    MUST_RUN("fit", "run.ini", "trainer.max_steps=12"); /* nothing was put aside */
}

static void wait_for(const char *file)
{
    const struct timespec pause = { 0, 1000000 };
    for (int i = 0; i < 30000 && access(file, F_OK) != 0; i++)
        nanosleep(&pause, NULL);
}

Test(change, a_second_process_on_a_run_is_refused_and_one_that_was_killed_begins_where_it_was)
{
    static const char *const hang[] = { "fit", "run.ini", "model.hang_at=1", NULL };
    run_write("run.ini", "[run]\nresume = auto\n[trainer]\naccelerator = reference\nmax_epochs = 1\n[data]\nuse = recorder_data\n"
                         "batch_size = 2\n[optimizer]\nuse = sgd\nlr = 0.1\n[model]\nuse = recorder\n");
    pid_t child = run_start(hang, NULL, NULL);
    wait_for("hanging");
    outcome o = RUN("fit", "run.ini"); /* it has no checkpoint yet, and is the run that is meant all the same */
    char process[32];
    snprintf(process, sizeof process, "process (%d)", (int)child);
    cr_expect_eq(o.status, 1, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "version_0' is going on: "), "%s", o.err);
    cr_expect_not_null(strstr(o.err, process), "%s", o.err);
    outcome_free(&o);
    kill(child, SIGKILL);
    o = run_finish(child);
    outcome_free(&o);
    MUST_RUN("fit", "run.ini");
    cr_expect(access("runs/run/version_0/checkpoints/last", F_OK) == 0, "it begins again in its own folder");
    cr_expect(access("runs/run/version_1", F_OK) != 0, "and in no other");
    MUST_RUN("fit", "run.ini", "run.resume=");
    cr_expect(access("runs/run/version_1", F_OK) == 0, "without resume a run has a folder of its own");
}
