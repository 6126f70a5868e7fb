/* SPDX-License-Identifier: Apache-2.0
 * Signals at any moment of a run: it leaves with 128 + the signal, says so, and goes on to the same bits when it is started
 * again. plugins/faulty sends the signal to its own process in the hook that a case names, so that the moment is exact. */
#include "integration/run_lthost.h"
#include "util/file.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS "runs/run/version_0/"
#define MODEL RUNS "checkpoints/last/model.safetensors"

static const char run_ini[] = "[run]\nseed = 1\n"
                              "[trainer]\naccelerator = reference\nmax_epochs = 2\nnum_sanity_val_steps = 2\n"
                              "enable_progress_bar = false\nlog_every_n_steps = 1\nval_check_interval = 0.5\n"
                              "accumulate_grad_batches = 2\n"
                              "[model]\nuse = faulty\n"
                              "[data]\nuse = faulty_data\nbatch_size = 2\n"
                              "[optimizer]\nuse = adamw\nlr = 0.01\n"
                              "[callback.faulty]\n"
                              "[callback.checkpoint]\nevery_n_train_steps = 2\n"
                              "[logger.csv]\n"
                              "[logger.faulty]\n";

static char whole_model[65], *whole_rows;

static void begin(void)
{
    run_begin();
    run_write("run.ini", run_ini);
}

static void end(void)
{
    free(whole_rows);
    whole_rows = NULL;
    run_end();
}

TestSuite(signals, .init = begin, .fini = end);

/* The run that nothing disturbs. */
static void run_undisturbed(void)
{
    error e = { 0 };
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    cr_assert_neq(run_sha256(MODEL, whole_model)[0], '\0');
    whole_rows = run_read(RUNS "metrics.csv");
    file_remove_tree("runs", &e);
}

/* What a run that goes on ends with. */
static void expect_goes_on(const char *what)
{
    char model[65];
    outcome o = RUN("fit", "run.ini", "--resume", "auto");
    cr_expect_eq(o.status, 0, "%s: %s", what, o.err);
    outcome_free(&o);
    cr_expect_str_eq(run_sha256(MODEL, model), whole_model, "%s: the resumed run's model differs", what);
    char *rows = run_read(RUNS "metrics.csv");
    cr_expect_str_eq(rows, whole_rows, "%s: the resumed run's log differs", what);
    free(rows);
}

typedef struct moment {
    const char *section, *hook, *at;
    bool before_training; /* there is nothing to keep yet */
} moment;

static const moment moments[] = {
    { "model", "training_step", "5", false },
    { "model", "validation_step", "5", false },
    { "model", "sanity_step", "0", true },
    { "model", "sanity_step", "1", true },
    { "model", "configure", "0", true },
    { "model", "save", "1", false }, /* in mid-checkpoint */
    { "callback.faulty", "on_save_checkpoint", "0", false },
    { "callback.faulty", "on_save_checkpoint", "2", false },
    { "callback.faulty", "on_sanity_check_end", "0", true },
    { "callback.faulty", "on_train_start", "0", true },
    { "callback.faulty", "on_train_batch_start", "7", false },
    { "callback.faulty", "on_train_batch_end", "7", false },
    { "callback.faulty", "on_train_epoch_end", "0", false },
    { "callback.faulty", "on_validation_start", "2", false },
    { "callback.faulty", "on_validation_batch_end", "6", false },
    { "callback.faulty", "on_validation_end", "2", false },
};

static const struct {
    const char *fault;
    int status;
    const char *word;
} kinds[] = { { "sigint", 130, "SIGINT" }, { "sigterm", 143, "SIGTERM" }, { "sighup", 129, "SIGHUP" } };

static outcome run_with(const char *command, const moment *m, const char *fault)
{
    char f[80], w[80], a[80];
    snprintf(f, sizeof f, "%s.fault=%s", m->section, fault);
    snprintf(w, sizeof w, "%s.where=%s", m->section, m->hook);
    snprintf(a, sizeof a, "%s.at=%s", m->section, m->at);
    unlink("record");
    return RUN(command, "run.ini", f, w, a);
}

/* Each moment with each signal in turn: 16 moments, 3 signals. */
Test(signals, a_signal_at_any_moment_ends_the_run_in_order_and_it_goes_on_to_the_same_bits)
{
    error e = { 0 };
    run_undisturbed();
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        const moment *m = &moments[i];
        size_t k = i % 3;
        outcome o = run_with("fit", m, kinds[k].fault);
        cr_expect_eq(o.status, kinds[k].status, "%s: %d: %s", m->hook, o.status, o.err);
        cr_expect_not_null(strstr(o.err, "lthost: interrupted: finishing the step"), "%s: %s", m->hook, o.err);
        char *said = str_format("stopped: interrupted by %s", kinds[k].word);
        cr_expect_not_null(strstr(o.err, said), "%s: not said: %s\n%s", m->hook, said, o.err);
        cr_expect_eq(strstr(o.err, "resume:") != NULL, !m->before_training, "%s: %s", m->hook, o.err);
        free(said);
        outcome_free(&o);
        char *record = run_read("record");
        cr_expect_not_null(strstr(record, "callback.on_exception interrupted by "), "%s: %s", m->hook, record);
        cr_expect_not_null(strstr(record, "data.teardown"), "%s: %s", m->hook, record);
        free(record);
        expect_goes_on(m->hook);
        file_remove_tree("runs", &e);
    }
}

Test(signals, sigterm_in_mid_checkpoint_writes_that_checkpoint_whole)
{
    const moment m = { "callback.faulty", "on_save_checkpoint", "1", false };
    run_undisturbed();
    outcome o = run_with("fit", &m, "sigterm");
    cr_expect_eq(o.status, 143, "%s", o.err);
    outcome_free(&o);
    cr_expect_eq(access(RUNS "checkpoints/epoch=0-step=4/manifest.json", F_OK), 0);
    char *record = run_read("record");
    cr_expect_not_null(strstr(record, "logger.close interrupted"), "%s", record);
    free(record);
    expect_goes_on("in mid-checkpoint");
}

/* A save that waits for the validation after its batch: the sanity check of the run that goes on is not that validation, and the
 * name that the save would have had is free. */
Test(signals, a_save_that_waits_for_a_validation_is_made_after_the_run_has_gone_on)
{
    static const char *const all[] = { "callback.checkpoint.monitor=val_loss", "callback.checkpoint.save_top_k=-1",
                                       "trainer.max_steps=6" };
    outcome o = RUN("fit", "run.ini", all[0], all[1], all[2], "callback.faulty.fault=sigterm",
                    "callback.faulty.where=on_train_batch_end", "callback.faulty.at=11");
    cr_expect_eq(o.status, 143, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "checkpoints/interrupted-epoch=0-step=6"), "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", all[0], all[1], all[2], "--resume", "auto");
    cr_expect_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "last:    " RUNS "checkpoints/epoch=0-step=6\n"), "%s", o.err);
    cr_expect_not_null(strstr(o.err, "best:    val_loss"), "%s", o.err);
    outcome_free(&o);
    cr_expect_eq(access(RUNS "checkpoints/epoch=0-step=6/manifest.json", F_OK), 0, "the save was forgotten");
    cr_expect_neq(access(RUNS "checkpoints/interrupted-epoch=0-step=6", F_OK), 0, "a newer one takes its place");
}

/* The second one leaves within the hook: the newest checkpoint is what there is to go on from. */
Test(signals, a_second_sigint_leaves_at_once_and_the_run_goes_on_from_its_last_checkpoint)
{
    static const moment when[] = { { "model", "training_step", "5", false },
                                   { "model", "validation_step", "5", false },
                                   { "callback.faulty", "on_save_checkpoint", "1", false } };
    error e = { 0 };
    run_undisturbed();
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
        outcome o = run_with("fit", &when[i], "sigint2");
        cr_expect_eq(o.status, 130, "%s: %d: %s", when[i].hook, o.status, o.err);
        cr_expect_not_null(strstr(o.err, "interrupted again: leaving at once, without a checkpoint"), "%s", o.err);
        outcome_free(&o);
        cr_expect_neq(access("record", F_OK), 0, "%s: nothing is torn down", when[i].hook);
        expect_goes_on(when[i].hook);
        file_remove_tree("runs", &e);
    }
}

Test(signals, a_signal_in_predict_leaves_no_half_of_its_predictions)
{
    static const moment when[] = { { "model", "predict_step", "1", false },
                                   { "callback.faulty", "on_predict_batch_end", "3", false } };
    run_undisturbed();
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    for (size_t i = 0; i < 2; i++) {
        o = run_with("predict", &when[i], kinds[i].fault);
        cr_expect_eq(o.status, kinds[i].status, "%s: %d: %s", when[i].hook, o.status, o.err);
        cr_expect_not_null(strstr(o.err, "stopped: interrupted by "), "%s", o.err);
        outcome_free(&o);
        char *record = run_read("record");
        cr_expect_not_null(strstr(record, "logger.close interrupted"), "%s", record);
        free(record);
    }
    cr_expect_eq(system("ls runs/run/*/predictions* >found 2>&1"), 512);
    o = RUN("predict", "run.ini");
    cr_expect_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}
