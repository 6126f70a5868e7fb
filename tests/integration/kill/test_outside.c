/* SPDX-License-Identifier: Apache-2.0
 * What surrounds a run and is not as it should be: its outputs, and who may write in its folder. */
#include "end.h"

#include "util/file.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

TestSuite(outside, .init = run_begin, .fini = run_end);

static const char *const fit[] = { "fit", "run.ini", "trainer.max_epochs=1", "--json", NULL };

static end whole_run(void)
{
    error e = { 0 };
    kill_run_file(KILL_DIGITS);
    outcome o = run_lthost(fit);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    end whole = end_of_run("nothing happens");
    file_remove_tree("runs", &e);
    return whole;
}

static void expect_end(const end *whole, const char *what)
{
    end mine = end_of_run(what);
    expect_same_end(whole, &mine, what);
    end_free(&mine);
}

static void close_errors(void *unused)
{
    (void)unused;
    close(STDERR_FILENO);
}

static void close_all(void *unused)
{
    (void)unused;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
}

Test(outside, a_run_whose_outputs_are_closed_writes_what_it_would_have_written)
{
    static void (*const how[])(void *) = { close_errors, close_all };
    end whole = whole_run();
    for (size_t i = 0; i < 2; i++) {
        error e = { 0 };
        outcome o = run_finish(run_start(fit, how[i], NULL));
        cr_expect_eq(o.status, 0, "%d", o.status);
        outcome_free(&o);
        expect_end(&whole, i ? "without any output" : "without an error output");
        file_remove_tree("runs", &e);
    }
    end_free(&whole);
}

static void to_full_device(void *unused)
{
    (void)unused;
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
}

static void to_pipe(void *end) { dup2(*(int *)end, STDOUT_FILENO); }

/* A pipe that takes no byte more. */
static void full_pipe(int ends[2])
{
    char some[4096] = { 0 };
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    for (size_t size = sizeof some; size > 0; size = size > 1 ? 1 : 0)
        while (write(ends[1], some, size) > 0) {
        }
}

Test(outside, results_that_nobody_takes_are_an_error_and_the_run_is_whole)
{
    int ends[2];
    end whole = whole_run();
    full_pipe(ends);
    for (int i = 0; i < 2; i++) {
        error e = { 0 };
        outcome o = run_finish(run_start(fit, i ? to_pipe : to_full_device, &ends[1]));
        cr_expect_eq(o.status, 1, "%d: %s", o.status, o.err);
        cr_expect_not_null(strstr(o.err, "cannot write to the standard output"), "%s", o.err);
        outcome_free(&o);
        expect_end(&whole, i ? "a full pipe" : "a full device");
        file_remove_tree("runs", &e);
    }
    close(ends[0]);
    close(ends[1]);
    end_free(&whole);
}

Test(outside, a_full_pipe_keeps_results_waiting_and_nothing_else)
{
    int ends[2];
    const struct timespec pause = { 0, 10000000 };
    end whole = whole_run();
    full_pipe(ends);
    fcntl(ends[1], F_SETFL, 0);
    pid_t child = run_start(fit, to_pipe, &ends[1]);
    close(ends[1]);
    char *text = str_dup("");
    for (int i = 0; i < 6000 && !strstr(text, "\nstopped: "); i++) { /* all but the results is done */
        nanosleep(&pause, NULL);
        free(text);
        text = run_read("stderr");
    }
    free(text);
    fcntl(ends[0], F_SETFL, 0);
    char some[4096], last[4097] = "";
    for (ssize_t n; (n = read(ends[0], some, sizeof some)) > 0;)
        snprintf(last, sizeof last, "%.*s", (int)n, some[0] ? some : "");
    close(ends[0]);
    outcome o = run_finish(child);
    cr_expect_eq(o.status, 0, "%d: %s", o.status, o.err);
    cr_expect_not_null(strstr(last, "\"stage\": \"fit\""), "%s", last);
    outcome_free(&o);
    expect_end(&whole, "a full pipe that is emptied");
    end_free(&whole);
}

/* ---- A folder that may not be written ---- */

enum { NOBODY = 65534 };

static void become_nobody(void *unused)
{
    (void)unused;
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
        _exit(126);
}

static outcome as_nobody(const char *const *arguments) { return run_finish(run_start(arguments, become_nobody, NULL)); }

static bool nobody_can_run_it(void)
{
    outcome o = as_nobody((const char *const[]) { "plugins", "why", "survivor", NULL });
    bool can = o.status == 0 && strstr(o.out, "survivor");
    if (!can)
        fprintf(stderr, "skipped: the program and its plugins cannot be read by a user without rights\n");
    outcome_free(&o);
    return can;
}

Test(outside, a_folder_that_may_not_be_written_is_named_and_nothing_is_lost)
{
    cr_assert_eq(chmod(".", 0777), 0);
    if (!nobody_can_run_it())
        return;
    end whole = whole_run();
    outcome o = as_nobody((const char *const[]) { "fit", "run.ini", "trainer.max_steps=5", "trainer.max_epochs=1", NULL });
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);

    cr_assert_eq(chmod(KILL_RUN "checkpoints", 0555), 0);
    o = as_nobody(fit);
    cr_expect_eq(o.status, 1, "%d: %s", o.status, o.err);
    cr_expect_not_null(strstr(o.err, "lthost: error: cannot write in '"), "%s", o.err);
    cr_expect_not_null(strstr(o.err, "checkpoints': Permission denied (this user may not: change owner or mode"), "%s", o.err);
    cr_expect_null(strstr(o.err, "accelerator"), "it is told before anything is computed: %s", o.err);
    outcome_free(&o);

    cr_assert_eq(chmod(KILL_RUN "checkpoints", 0755), 0);
    o = as_nobody(fit);
    cr_expect_eq(o.status, 0, "%d: %s", o.status, o.err);
    outcome_free(&o);
    end mine = end_of_run("written at last");
    cr_expect_str_eq(mine.model, whole.model);
    end_free(&mine);

    cr_assert_eq(chmod("runs/run", 0555), 0);
    o = as_nobody((const char *const[]) { "fit", "run.ini", "run.resume=", NULL });
    cr_expect_eq(o.status, 1, "%d: %s", o.status, o.err);
    cr_expect_not_null(strstr(o.err, "runs/run/version_1': Permission denied (this user may not"), "%s", o.err);
    outcome_free(&o);
    end_free(&whole);
}
