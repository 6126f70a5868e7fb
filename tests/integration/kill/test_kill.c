/* SPDX-License-Identifier: Apache-2.0
 * Runs that are killed at random moments and started again until they end: as if nothing had been. By default a few, with 20
 * kills or more; the full count:
 *     LTHOST_TEST_KILLED_RUNS=200 LTHOST_TEST_SEED=1 build/bin/test_kill --filter 'kill/?*' */
#include "end.h"
#include "supervise.h"

#include "util/clock.h"
#include "util/file.h"

#include <criterion/criterion.h>
#include <lthost/random.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(kill, .init = run_begin, .fini = run_end);

static const char *const fit[] = { "fit", "run.ini", NULL };

/* What a run is like that nobody kills. */
typedef struct whole {
    end end;
    double seconds;
    int64_t calls; /* system calls that change a file below runs/ */
} whole;

static void start_anew(void)
{
    error e = { 0 };
    file_remove_tree("runs", &e);
    file_remove_tree("record", &e);
}

static whole whole_run(kill_data data, bool count_calls)
{
    whole w = { 0 };
    kill_run_file(data);
    start_anew();
    double began = clock_seconds();
    outcome o = run_lthost(fit);
    w.seconds = clock_seconds() - began;
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_assert_not_null(strstr(o.err, "val_loss has not improved"), "the run is to be ended by early stopping: %s", o.err);
    outcome_free(&o);
    w.end = end_of_run("nobody kills it");
    if (count_calls) {
        str log = { 0 };
        start_anew();
        o = supervised(fit, &(fault_plan) { 0 }, &log);
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        for (const char *at = str_text(&log); (at = strchr(at, '\n')); at++)
            w.calls++;
        str_free(&log);
    }
    return w;
}

/* A number of the test's own dice in [0, 1): the same for the same seed, run and throw. */
typedef struct dice {
    uint32_t run, thrown;
} dice;

static double throw(dice * d)
{
    return lth_random_uniform((uint64_t)kill_setting("SEED", 1), d->run, 0, LTH_STREAM_USER, d->thrown++);
}

static outcome killed_after(double seconds, int signal)
{
    const struct timespec pause = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    pid_t child = run_start(fit, NULL, NULL);
    nanosleep(&pause, NULL);
    kill(child, signal);
    return run_finish(child);
}

/* A line for each batch that was trained. */
static int count_lines(const char *file)
{
    char *text = run_read(file);
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    free(text);
    return lines;
}

/* Once through the program, killed on the way or not: after a time, or before a system call. */
static outcome one_life(const whole *w, dice *d, bool by_call, char *how, size_t size)
{
    double at = throw(d);
    if (by_call) {
        bool early = throw(d) < 0.25; /* the run's folder, and what a resume does */
        int64_t call = 1 + (int64_t)(at * (early ? 16 : (double)w->calls));
        snprintf(how, size, "before system call %lld", (long long)call);
        return supervised(fit, &(fault_plan) { .kind = FAULT_KILL, .at = call }, NULL);
    }
    int signal = throw(d) < 0.75 ? SIGKILL : SIGTERM; /* which leaves a resume point of the trainer's */
    snprintf(how, size, "%s after %.4f s", signal == SIGKILL ? "SIGKILL" : "SIGTERM", at * w->seconds);
    return killed_after(at * w->seconds, signal);
}

/* No life may take up training further back than a checkpoint's interval behind where the one before had come. */
static void check_repeats(const char *what)
{
    char *record = run_read("record");
    long reached = 0;
    for (char *line = strtok(record, "\n"); line; line = strtok(NULL, "\n")) {
        long step = 0;
        if (sscanf(line, "start %ld", &step) == 1)
            cr_expect(reached - step <= KILL_INTERVAL, "%s: went on from step %ld, though it had come to %ld", what, step,
                      reached);
        else
            step = strtol(line, NULL, 10);
        reached = step;
    }
    free(record);
}

/* Returns how many times it was killed. */
static int64_t killed_run(const whole *w, uint32_t number, bool supervise)
{
    enum { MOST = 6 }; /* then it is left alone */
    dice d = { .run = number };
    str what = { 0 };
    int64_t kills = 0;
    outcome o;
    start_anew();
    str_printf(&what, "run %u", number);
    do {
        char how[64] = "never";
        bool by_call = supervise && throw(&d) < 0.5;
        o = kills < MOST ? one_life(w, &d, by_call, how, sizeof how) : run_lthost(fit);
        cr_assert(o.status == 0 || o.status == 1000 + SIGKILL || o.status == 1000 + SIGTERM || o.status == 128 + SIGTERM,
                  "%s, %s: %d\n%s", str_text(&what), how, o.status, o.err);
        kills += o.status != 0;
        str_printf(&what, ", %s", o.status ? how : "to the end");
        bool over = o.status == 0;
        outcome_free(&o);
        if (over)
            break;
    } while (true);
    end mine = end_of_run(str_text(&what));
    expect_same_end(&w->end, &mine, str_text(&what));
    check_repeats(str_text(&what));
    end_free(&mine);
    str_free(&what);
    return kills;
}

Test(kill, a_run_that_is_killed_at_random_moments_ends_as_if_it_had_not_been)
{
    int64_t runs = kill_setting("KILLED_RUNS", 4), kills = 0;
    bool supervise = can_supervise();
    setenv("LTHOST_TEST_RECORD", "record", 1);
    static const kill_data kinds[] = { KILL_DIGITS, KILL_STREAM, KILL_DIGITS, KILL_STREAM_REREAD };
    whole of[3];
    for (int kind = KILL_DIGITS; kind <= KILL_STREAM_REREAD; kind++)
        of[kind] = whole_run((kill_data)kind, supervise);
    for (int64_t i = 0; i < runs || kills < 20; i++) {
        kill_run_file(kinds[i % 4]);
        kills += killed_run(&of[kinds[i % 4]], (uint32_t)i, supervise);
    }
    fprintf(stderr, "killed %lld times\n", (long long)kills);
    for (int i = 0; i < 3; i++)
        end_free(&of[i].end);
}

Test(kill, a_run_that_is_interrupted_in_validation_goes_on_with_that_validation_from_its_start)
{
    static const char *const long_validation[] = { "fit", "run.ini", "data.val=30000", "trainer.max_steps=6", NULL };
    const struct timespec pause = { 0, 500000 };
    setenv("LTHOST_TEST_RECORD", "record", 1);
    kill_run_file(KILL_STREAM);
    outcome o = run_lthost(long_validation);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    end whole = end_of_run("nothing happens");
    start_anew();
    pid_t child = run_start(long_validation, NULL, NULL);
    for (int i = 0; i < 20000 && count_lines("record") < 12; i++) /* "start", and the 11 batches before it */
        nanosleep(&pause, NULL);
    kill(child, SIGTERM);
    o = run_finish(child);
    cr_expect_eq(o.status, 128 + SIGTERM, "%d: %s", o.status, o.err);
    outcome_free(&o);
    char *state = run_read(KILL_RUN "checkpoints/last/state.json");
    cr_expect_not_null(strstr(state, "\"batches\": 11"), "it was to be interrupted right after the 11th batch: %s", state);
    free(state);
    o = run_lthost(long_validation);
    cr_expect_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    end mine = end_of_run("interrupted in validation");
    expect_same_end(&whole, &mine, "interrupted in validation");
    end_free(&mine);
    end_free(&whole);
}
