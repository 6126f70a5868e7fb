/* SPDX-License-Identifier: Apache-2.0
 * Runs that are stopped anywhere and go on: to the same bits. */
#include "integration/run_lthost.h"
#include "util/file.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define MODEL RUNS "checkpoints/last/model.safetensors"
#define OPTIMIZER RUNS "checkpoints/last/optimizer.safetensors"
#define RUNS "runs/run/version_0/"

/* Dropout, accumulation, a schedule, validation in mid-epoch, checkpoints in mid-epoch and in mid-window. */
static const char run_ini[] =
    "[run]\nseed = 3\n"
    "[trainer]\naccelerator = reference\nmax_epochs = 3\naccumulate_grad_batches = 3\nlog_every_n_steps = 1\n"
    "val_check_interval = 0.5\nenable_progress_bar = false\n"
    "[model]\nuse = mlp\ndropout = 0.2\nhidden = 32\n"
    "[data]\nuse = digits\nbatch_size = 64\n"
    "[optimizer]\nuse = adamw\nlr = 3e-3\n"
    "[scheduler]\nuse = cosine\ninterval = step\n"
    "[callback.checkpoint]\nevery_n_train_steps = 5\n"
    "[callback.early_stopping]\nmonitor = val_loss\npatience = 4\n";

TestSuite(resume, .init = run_begin, .fini = run_end);

typedef struct result {
    char model[65], optimizer[65], *metrics;
} result;

static result result_of_run(void)
{
    result r;
    cr_assert_neq(run_sha256(MODEL, r.model)[0], '\0', "no last checkpoint");
    run_sha256(OPTIMIZER, r.optimizer);
    r.metrics = run_read(RUNS "metrics.csv");
    return r;
}

static result uninterrupted(void)
{
    error e = { 0 };
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    result r = result_of_run();
    file_remove_tree("runs", &e);
    return r;
}

static void expect_same(const result *a, const char *what)
{
    result b = result_of_run();
    cr_expect_str_eq(a->model, b.model, "%s: the model differs", what);
    cr_expect_str_eq(a->optimizer, b.optimizer, "%s: the optimizer's state differs", what);
    cr_expect_str_eq(a->metrics, b.metrics, "%s: the log differs:\n%s---\n%s", what, a->metrics, b.metrics);
    free(b.metrics);
}

static bool exists(const char *pattern)
{
    glob_t found;
    bool any = glob(pattern, 0, NULL, &found) == 0;
    globfree(&found);
    return any;
}

/* In 16-mixed the first losses are scaled by too much, so the run is killed after skipped updates and with a scale that fell. */
Test(resume, a_killed_run_of_a_lower_precision_goes_on_to_the_same_bits)
{
    static const char *const precisions[] = { "bf16-mixed", "bf16-true", "16-mixed" };
    error e = { 0 };
    run_write("run.ini", run_ini);
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        char setting[64];
        snprintf(setting, sizeof setting, "trainer.precision=%s", precisions[i]);
        outcome o = RUN("fit", "run.ini", setting);
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        result whole = result_of_run();
        file_remove_tree("runs", &e);
        o = run_lthost_and_kill((const char *const[]) { "fit", "run.ini", setting, NULL }, SIGKILL, 1,
                                RUNS "checkpoints/epoch=1-step=10");
        cr_expect_eq(o.status, 1000 + SIGKILL, "%s", o.err);
        outcome_free(&o);
        o = RUN("fit", "run.ini", setting, "--resume", "auto");
        cr_expect_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        expect_same(&whole, precisions[i]);
        free(whole.metrics);
        file_remove_tree("runs", &e);
    }
}

Test(resume, another_precision_is_told_where_state_fits_and_refused_where_it_does_not)
{
    static const struct {
        const char *precision, *differs, *says;
        int status;
    } cases[] = {
        /* the last goes on in the folder of the first run */
        { "trainer.precision=bf16-true", "(precision: 32-true then, bf16-true now): go on in that one, or let [model] weights = ",
          "fc1.weight is f32 (32, 64) in the file, bf16 (32, 64) in the run", 1 },
        { "trainer.precision=16-mixed", "(precision: 32-true then, 16-mixed now): go on in that one, or let [model] weights = ",
          "missing in the file (2): scaler/scale", 1 },
        { "trainer.precision=bf16-mixed", "(precision: 32-true then, bf16-mixed now)", "the bits of the resumed run will differ",
          0 },
    };
    error e = { 0 };
    run_write("run.ini", run_ini);
    outcome o = RUN("fit", "run.ini", "trainer.max_epochs=1");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o = RUN("fit", "run.ini", "--resume", RUNS "checkpoints/last", "trainer.max_epochs=2", "run.name=other",
                cases[i].precision);
        cr_expect_eq(o.status, cases[i].status, "%s: %s", cases[i].precision, o.err);
        cr_expect(strstr(o.err, cases[i].says) || strstr(o.out, cases[i].says), "%s: %s", cases[i].precision, o.err);
        cr_expect(strstr(o.err, cases[i].differs) || strstr(o.out, cases[i].differs), "%s: %s", cases[i].precision, o.err);
        outcome_free(&o);
        file_remove_tree("runs/other", &e);
    }
}

Test(resume, a_killed_run_goes_on_to_the_bits_of_one_that_was_not)
{
    run_write("run.ini", run_ini);
    result whole = uninterrupted();
    static const char *const when[] = { RUNS "checkpoints/epoch=0-step=5", RUNS "checkpoints/epoch=1-step=10",
                                        RUNS "checkpoints/epoch=1-step=15", RUNS "checkpoints/epoch=2-step=20" };
    error e = { 0 };
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
        const char *const arguments[] = { "fit", "run.ini", NULL };
        outcome o = run_lthost_and_kill(arguments, SIGKILL, 1, when[i]);
        cr_assert(o.status == 1000 + SIGKILL || o.status == 0, "%d: %s", o.status, o.err);
        outcome_free(&o);
        o = RUN("fit", "run.ini", "--resume", "auto");
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        expect_same(&whole, when[i]);
        file_remove_tree("runs", &e);
    }
    free(whole.metrics);
}

Test(resume, a_signal_leaves_a_resume_point_and_says_so)
{
    static const struct {
        int signal, status;
        const char *word;
    } signals[] = { { SIGTERM, 143, "SIGTERM" }, { SIGINT, 130, "SIGINT" }, { SIGHUP, 129, "SIGHUP" } };
    run_write("run.ini", run_ini);
    result whole = uninterrupted();
    error e = { 0 };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const char *const arguments[] = { "fit", "run.ini", NULL };
        outcome o = run_lthost_and_kill(arguments, signals[i].signal, 1, RUNS "checkpoints/epoch=0-step=5");
        cr_assert_eq(o.status, signals[i].status, "%d: %s", o.status, o.err);
        cr_expect_not_null(strstr(o.err, signals[i].word), "%s", o.err);
        cr_expect_not_null(strstr(o.err, "finishing the step"), "%s", o.err);
        outcome_free(&o);
        o = RUN("fit", "run.ini", "--resume", "auto");
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        expect_same(&whole, signals[i].word);
        file_remove_tree("runs", &e);
    }
    free(whole.metrics);
}

Test(resume, a_second_signal_leaves_at_once)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    error e = { 0 };
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_epochs = 1\n[data]\nuse = recorder_data\nbatch_size = 2\n"
                         "[optimizer]\nuse = sgd\nlr = 0.1\n[model]\nuse = recorder\nhang_at = 1\n");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const char *const arguments[] = { "fit", "run.ini", NULL };
        outcome o = run_lthost_and_kill(arguments, signals[i], 2, "hanging");
        cr_expect_eq(o.status, 128 + signals[i], "%d: %s", o.status, o.err);
        cr_expect_not_null(strstr(o.err, "finishing the step"), "%s", o.err);
        cr_expect_not_null(strstr(o.err, "leaving at once"), "%s", o.err);
        outcome_free(&o);
        cr_assert_eq(unlink("hanging"), 0);
    }
    file_remove_tree("runs", &e);
}

Test(resume, a_reader_of_its_output_that_goes_away_does_not_end_a_run)
{
    run_write("run.ini", run_ini);
    result whole = uninterrupted();
    setenv("LTHOST_PLUGIN_PATH", RUN_PLUGINS, 1);
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", LTHOST_TEST_PLUGINS, 1);
    cr_assert_eq(system(LTHOST_TEST_PROGRAM " fit run.ini callback.early_stopping.verbose=true 2>&1 | true"), 0);
    expect_same(&whole, "without a reader");
    free(whole.metrics);
}

Test(resume, a_resume_point_in_mid_window_keeps_the_gradients_so_far)
{
    run_write("run.ini", run_ini);
    result whole = uninterrupted();
    /* No time at all: the run ends after its first batch, of a window of three. */
    outcome o = RUN("fit", "run.ini", "trainer.max_time=00:00:00:00");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_assert_not_null(strstr(o.err, "max_time"), "%s", o.err);
    outcome_free(&o);
    char *state = run_read(RUNS "checkpoints/last/state.json");
    cr_expect_not_null(strstr(state, "\"micro\": 1"), "one batch of three: %s", state);
    cr_expect_not_null(strstr(state, "\"accumulated\": true"));
    free(state);
    o = RUN("fit", "run.ini", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    char model[65];
    cr_expect_str_eq(run_sha256(MODEL, model), whole.model, "a window that was taken up again in its middle");
    free(whole.metrics);
}

Test(resume, training_goes_on_where_a_greater_bound_lets_it)
{
    run_write("run.ini", run_ini);
    result whole = uninterrupted();
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=7", "scheduler.t_max=24");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "step 7"), "%s", o.err);
    outcome_free(&o);
    char model[65];
    cr_expect_str_eq(run_sha256(MODEL, model), whole.model, "stopped at step 7 and taken up again");
    free(whole.metrics);
}

Test(resume, a_finished_run_says_that_nothing_is_left_to_do)
{
    run_write("run.ini", run_ini);
    outcome o = RUN("fit", "run.ini", "trainer.max_epochs=1");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "trainer.max_epochs=1", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "max_epochs = 1 reached"), "%s", o.err);
    cr_expect(!exists("runs/run/version_1"), "a resumed run stays in its folder");
    outcome_free(&o);
}

Test(resume, auto_begins_anew_where_there_is_nothing_and_last_does_not)
{
    run_write("run.ini", run_ini);
    outcome o = RUN("fit", "run.ini", "--resume", "last", "trainer.max_steps=1");
    cr_assert_eq(o.status, 1);
    cr_expect_not_null(strstr(o.err, "has a checkpoint yet"), "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "--resume", "auto", "trainer.max_steps=1");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "no checkpoint to resume: starts from the beginning"), "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "--resume", "nowhere", "trainer.max_steps=1");
    cr_assert_eq(o.status, 1);
    cr_expect_not_null(strstr(o.err, "there is no checkpoint 'nowhere'"), "%s", o.err);
    outcome_free(&o);
}

Test(resume, the_resolved_run_file_of_a_run_runs_again_and_resolves_to_itself)
{
    run_write("run.ini", run_ini);
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=2");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    char first[65], second[65];
    o = RUN("fit", RUNS "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    cr_expect_str_eq(run_sha256(RUNS "run.ini", first), run_sha256("runs/run/version_1/run.ini", second));
    char a[65], b[65];
    cr_expect_str_eq(run_sha256(RUNS "checkpoints/last/model.safetensors", a),
                     run_sha256("runs/run/version_1/checkpoints/last/model.safetensors", b));
}

/* The learning rate in the last checkpoint. */
static double rate_at_the_end(void)
{
    json_t *root = NULL;
    error e = { 0 };
    double rate = -1;
    cr_assert_eq(json_read(RUNS "checkpoints/last/state.json", &root, &e), LTH_OK, "%s", e.text);
    cr_assert(json_to_f64(json_array_get(json_object_get(root, "learning_rates"), 0), &rate));
    json_decref(root);
    return rate;
}

Test(resume, the_first_steps_after_a_resume_have_the_rate_of_the_present_run_file)
{
    /* Two epochs, then one step more under a changed file. The last column: what the rate is multiplied by. */
    static const struct {
        const char *scheduler, *change;
        double expected;
    } cases[] = {
        { "use = cosine\n", "trainer.max_epochs=4", 3e-3 * 0.5 },
        { "use = step\nstep_size = 1\ngamma = 0.5\n", "optimizer.lr=1e-5", 1e-5 * 0.25 },
        { "use = step\nstep_size = 1\ngamma = 0.5\n", "scheduler.gamma=0.1", 3e-3 * 0.01 },
        { "use = plateau\nmonitor = train_loss\nmode = max\npatience = 0\nfactor = 0.5\n", "optimizer.lr=6e-3", 6e-3 * 0.5 },
        { "use = plateau\nmonitor = train_loss\nmode = max\npatience = 0\nfactor = 0.5\n", "optimizer.lr=3e-3", 3e-3 * 0.5 },
        { NULL, "optimizer.lr=1e-5", 1e-5 },
    };
    error e = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *ini = str_format("[trainer]\naccelerator = reference\nmax_epochs = 2\n[model]\nuse = mlp\nhidden = 8\n"
                               "[data]\nuse = digits\nbatch_size = 512\n[optimizer]\nuse = adamw\nlr = 3e-3\n%s%s",
                               cases[i].scheduler ? "[scheduler]\n" : "", cases[i].scheduler ? cases[i].scheduler : "");
        run_write("run.ini", ini);
        free(ini);
        outcome o = RUN("fit", "run.ini");
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        json_t *root = NULL;
        cr_assert_eq(json_read(RUNS "checkpoints/last/state.json", &root, &e), LTH_OK, "%s", e.text);
        int64_t steps = json_integer_value(json_object_get(json_object_get(root, "loop"), "global_step"));
        json_decref(root);
        char *bound = str_format("trainer.max_steps=%lld", (long long)steps + 1);
        o = RUN("fit", "run.ini", "--resume", "last", "trainer.max_epochs=4", bound, cases[i].change);
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        free(bound);
        double rate = rate_at_the_end();
        cr_expect(rate > cases[i].expected * 0.999999 && rate < cases[i].expected * 1.000001, "%s: %g, not %g", cases[i].change,
                  rate, cases[i].expected);
        file_remove_tree("runs", &e);
    }
}

Test(resume, auto_refuses_a_run_whose_checkpoints_are_all_damaged_each_time)
{
    run_write("run.ini", run_ini);
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=2");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    glob_t found;
    cr_assert_eq(glob(RUNS "checkpoints/epoch=*", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *model = str_format("%s/model.safetensors", found.gl_pathv[i]);
        run_write(model, "no tensors");
        free(model);
    }
    globfree(&found);
    static const char *const said[] = { "is whole: ", ".corrupt", ".corrupt" };
    for (size_t i = 0; i < 3; i++) {
        o = RUN("fit", "run.ini", "--resume", "auto");
        cr_expect_eq(o.status, 1, "%zu: %d %s", i, o.status, o.err);
        cr_expect_not_null(strstr(o.err, said[i]), "%s", o.err);
        cr_expect(!exists("runs/run/version_1"), "it does not start anew");
        outcome_free(&o);
    }
}

Test(resume, the_resolved_run_file_finds_plugins_that_the_command_line_or_the_environment_named)
{
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_steps = 1\n[data]\nuse = recorder_data\nbatch_size = 2\n"
                         "[optimizer]\nuse = sgd\nlr = 0.1\n[model]\nuse = recorder\n");
    cr_assert_eq(symlink(RUN_PLUGINS, "mine"), 0);
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", LTHOST_TEST_PLUGINS, 1);
    unsetenv("LTHOST_PLUGIN_PATH");
    cr_expect_neq(system(LTHOST_TEST_PROGRAM " fit run.ini >told 2>&1"), 0, "nobody named the folder");
    cr_expect_eq(system(LTHOST_TEST_PROGRAM " fit run.ini --plugin-dir mine >told 2>&1"), 0);
    cr_expect_eq(system(LTHOST_TEST_PROGRAM " fit " RUNS "run.ini >told 2>&1"), 0, "--plugin-dir");
    setenv("LTHOST_PLUGIN_PATH", RUN_PLUGINS, 1);
    cr_expect_eq(system(LTHOST_TEST_PROGRAM " fit run.ini run.name=other >told 2>&1"), 0);
    unsetenv("LTHOST_PLUGIN_PATH");
    cr_expect_eq(system(LTHOST_TEST_PROGRAM " fit runs/other/version_0/run.ini >told 2>&1"), 0, "LTHOST_PLUGIN_PATH");
}
