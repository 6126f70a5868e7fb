/* SPDX-License-Identifier: Apache-2.0
 * Faults in plugins: a crash on any thread names who did it and where the run stood, and dies by its signal; an error and a
 * misused tensor end the run in order. plugins/faulty does what the cases tell it to. */
#include "integration/run_lthost.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS "runs/run/version_0/"

static const char run_ini[] = "[run]\nseed = 1\nthreads = 2\n"
                              "[trainer]\naccelerator = reference\nmax_epochs = 2\nnum_sanity_val_steps = 1\n"
                              "enable_progress_bar = false\nlog_every_n_steps = 1\n"
                              "[model]\nuse = faulty\n"
                              "[data]\nuse = faulty_data\nbatch_size = 2\n"
                              "[optimizer]\nuse = adamw\nlr = 0.01\n"
                              "[callback.faulty]\n"
                              "[callback.checkpoint]\nevery_n_train_steps = 3\n"
                              "[logger.csv]\n"
                              "[logger.faulty]\n";

static void begin(void)
{
    run_begin();
    run_write("run.ini", run_ini);
}

TestSuite(faults, .init = begin, .fini = run_end);

typedef struct fault_case {
    const char *settings[4]; /* section.key=value */
    int status;
    const char *says[5];
} fault_case;

static void expect(const fault_case *c)
{
    const char *arguments[8] = { "fit", "run.ini" };
    for (int i = 0; i < 4; i++)
        arguments[2 + i] = c->settings[i];
    unlink("record");
    outcome o = run_lthost(arguments);
    cr_expect_eq(o.status, c->status, "%s %s: %d: %s", c->settings[0], c->settings[1], o.status, o.err);
    for (int i = 0; i < 5 && c->says[i]; i++)
        cr_expect_not_null(strstr(o.err, c->says[i]), "%s %s: not said: %s\n%s", c->settings[0], c->settings[1], c->says[i],
                           o.err);
    outcome_free(&o);
}

/* ---- Crashes ---- */

#define DIED(signal) (1000 + (signal))
#define LAST "last checkpoint: "

Test(faults, a_crash_names_plugin_hook_op_step_thread_and_checkpoint_and_dies_by_its_signal)
{
    static const fault_case cases[] = {
        /* by signal */
        { { "model.fault=segv", "model.where=training_step", "model.at=4" },
          DIED(SIGSEGV),
          { "crashed by SIGSEGV", "in [model] (faulty), training_step", "after step 4, in epoch 0", "on the thread main",
            LAST } },
        { { "model.fault=bus", "model.where=configure" }, DIED(SIGBUS), { "SIGBUS", "in [model] (faulty), configure" } },
        { { "model.fault=fpe", "model.where=validation_step" },
          DIED(SIGFPE),
          { "SIGFPE", "in [model] (faulty), validation_step" } },
        { { "model.fault=ill", "model.where=init" }, DIED(SIGILL), { "SIGILL", "in [model] (faulty), init" } },
        { { "model.fault=abort", "model.where=save" },
          DIED(SIGABRT),
          { "SIGABRT", "in [model] (faulty), save", "after step 3" } },
        { { "model.fault=overflow", "model.where=training_step", "model.at=1" },
          DIED(SIGSEGV),
          { "SIGSEGV", "in [model] (faulty), training_step", "after step 1" } },
        /* by kind of plugin */
        { { "callback.faulty.fault=segv", "callback.faulty.where=on_train_batch_end", "callback.faulty.at=3" },
          DIED(SIGSEGV),
          { "in [callback.faulty] (faulty), on_train_batch_end", "after step 4", LAST } },
        { { "data.fault=abort", "data.where=setup" }, DIED(SIGABRT), { "in [data] (faulty_data), setup" } },
        { { "data.fault=segv", "data.where=fetch", "data.at=6", "data.workers=0" },
          DIED(SIGSEGV),
          { "in [data] (faulty_data), fetch", "on the thread main", LAST } },
        /* on other threads */
        { { "data.fault=segv", "data.where=fetch", "data.at=6", "data.workers=1" },
          DIED(SIGSEGV),
          { "in [data] (faulty_data), fetch", "on the thread train-load-0" } },
        { { "data.fault=overflow", "data.where=fetch", "data.at=6", "data.workers=2" },
          DIED(SIGSEGV),
          { "in [data] (faulty_data), fetch", "on the thread train-load-" } },
        { { "logger.faulty.fault=segv", "logger.faulty.where=log_metrics", "logger.faulty.at=5" },
          DIED(SIGSEGV),
          { "in [logger.faulty] (faulty), log_metrics", "on the thread faulty", LAST } },
        { { "logger.faulty.fault=overflow", "logger.faulty.where=log_metrics", "logger.faulty.at=2" },
          DIED(SIGSEGV),
          { "in [logger.faulty] (faulty), log_metrics", "on the thread faulty" } },
        /* in a plan: the op, and where the author wrote it */
        { { "model.fault=segv", "model.where=plan", "model.at=4" },
          DIED(SIGSEGV),
          { "in [accelerator] (reference), training_step", "at the op faulty.op of ", "faulty.c:", "after step " } },
        { { "model.fault=fpe", "model.where=plan", "model.at=4", "trainer.accelerator=cpu" },
          DIED(SIGFPE),
          { "in [accelerator] (cpu), training_step", "at the op faulty.op of ", "faulty.c:" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&cases[i]);
}

Test(faults, a_crash_on_a_thread_of_the_pool_is_reported_after_a_stack_overflow_too)
{
    static const char *const kinds[][2] = { { "model.fault=segv" }, { "model.fault=overflow" } };
    for (size_t i = 0; i < 2; i++) {
        const fault_case c = { { kinds[i][0], "model.where=pool", "model.at=4", "trainer.accelerator=cpu" },
                               DIED(SIGSEGV),
                               { "while the main thread was in [accelerator] (cpu), training_step", "at the op faulty.op of ",
                                 "on the thread pool", LAST } };
        expect(&c);
    }
}

Test(faults, an_op_is_named_where_ops_run_one_by_one)
{
    const char *const arguments[] = { "fit", "run.ini", "--eager", "model.fault=segv", "model.where=plan", "model.at=4", NULL };
    outcome o = run_lthost(arguments);
    cr_expect_eq(o.status, DIED(SIGSEGV), "%d: %s", o.status, o.err);
    cr_expect_not_null(strstr(o.err, "at the op faulty.op of "), "%s", o.err);
    outcome_free(&o);
}

/* The checkpoint at step 6 flushed the loggers. */
Test(faults, what_was_flushed_before_a_crash_is_whole_and_the_run_goes_on_from_its_checkpoint)
{
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    char *whole = run_read(RUNS "metrics.csv");
    const fault_case c = { { "model.fault=segv", "model.where=training_step", "model.at=7", "run.name=other" },
                           DIED(SIGSEGV),
                           { "after step 7", "runs/other/version_0/checkpoints/epoch=0-step=6" } };
    expect(&c);
    char *rows = run_read("runs/other/version_0/metrics.csv");
    double steps[64];
    int count = run_column(rows, "train_loss", steps, 64);
    cr_expect_geq(count, 6, "%s", rows);
    free(rows);
    o = RUN("fit", "run.ini", "run.name=other", "--resume", "auto");
    cr_expect_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    rows = run_read("runs/other/version_0/metrics.csv");
    cr_expect_str_eq(rows, whole);
    free(rows);
    free(whole);
}

/* ---- Hooks that do not return, and those that take all memory ---- */

/* Two seconds: no other hook may take so long, a logger that syncs its file on a busy machine neither. */
#define HANGS(section, hook)                                                                     \
    {                                                                                            \
        section ".fault=hang", section ".where=" hook, "trainer.hook_timeout=2", section ".at=3" \
    }

Test(faults, a_hook_that_does_not_return_is_named_on_any_thread)
{
    static const fault_case cases[] = {
        { HANGS("model", "training_step"),
          75,
          { "a hook has not returned for 2 s, the [trainer] hook_timeout", "in [model] (faulty), training_step\n", "after step 3",
            LAST } },
        { HANGS("callback.faulty", "on_train_batch_end"), 75, { "in [callback.faulty] (faulty), on_train_batch_end\n" } },
        { { "data.fault=hang", "data.where=prepare_data", "trainer.hook_timeout=2" },
          75,
          { "in [data] (faulty_data), prepare_data\n" } },
        { { "data.fault=hang", "data.where=teardown", "trainer.hook_timeout=2" },
          75,
          { "in [data] (faulty_data), teardown\n", LAST } },
        { HANGS("data", "fetch"), 75, { "in [data] (faulty_data), fetch on the thread train-load-" } },
        { HANGS("logger.faulty", "log_metrics"), 75, { "in [logger.faulty] (faulty), log_metrics on the thread faulty" } },
        { HANGS("model", "plan"), 75, { "in [accelerator] (reference), ", "at the op faulty.op of ", "faulty.c:" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&cases[i]);
}

Test(faults, check_is_bounded_too)
{
    outcome o = RUN("check", "run.ini", "model.fault=hang", "model.where=configure", "trainer.hook_timeout=2");
    cr_expect_eq(o.status, 75, "%d: %s", o.status, o.err);
    cr_expect_not_null(strstr(o.err, "in [model] (faulty), configure\n"), "%s", o.err);
    outcome_free(&o);
}

Test(faults, memory_without_end_is_bounded_and_the_hook_named)
{
    static const fault_case cases[] = {
        { { "model.fault=memory", "model.where=training_step", "model.at=3", "trainer.max_memory=512M" },
          71,
          { "more than the [trainer] max_memory of 512 MiB", "in [model] (faulty), training_step\n", "after step 3", LAST } },
        { { "logger.faulty.fault=memory", "logger.faulty.where=log_metrics", "trainer.max_memory=512M" },
          71,
          { "in [logger.faulty] (faulty), log_metrics on the thread faulty" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&cases[i]);
}

Test(faults, a_run_within_its_bounds_is_left_alone)
{
    const fault_case c = { { "trainer.hook_timeout=30", "trainer.max_memory=4G" }, 0, { "max_epochs = 2 reached" } };
    expect(&c);
}

/* Some metrics are nan by right, so the run goes on. */
Test(faults, a_metric_that_is_nan_is_told_once_with_its_place)
{
    const fault_case c = { { "model.fault=nan", "model.where=training_step", "model.at=4" },
                           0,
                           { "the metric 'odd' of a step is nan, logged at ", "faulty.c:" } };
    expect(&c);
}

/* ---- Errors and misused tensors: the run ends in order ---- */

/* Who was told what, in which order. */
static void expect_torn_down_in_order(const char *of, const char *exception, const char *close)
{
    char *record = run_read("record");
    const char *const order[] = { "callback.on_exception ", exception,           "model.on_exception ", "data.on_exception",
                                  "data.teardown",          "callback.teardown", "model.teardown",      close };
    const char *at = record;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(at, order[i]);
        cr_expect_not_null(found, "%s: '%s' is missing, or comes too early:\n%s", of, order[i], record);
        at = found ? found : at;
    }
    free(record);
}

Test(faults, an_error_or_a_misused_tensor_is_told_and_ends_the_run_in_order)
{
    static const fault_case cases[] = {
        { { "model.fault=error", "model.where=training_step", "model.at=4" }, 1, { "deliberate", "faulty.c:" } },
        { { "callback.faulty.fault=error", "callback.faulty.where=on_train_batch_end", "callback.faulty.at=2" },
          1,
          { "[callback.faulty] on_train_batch_end: the disk of on_train_batch_end is full", "faults.c:" } },
        { { "callback.faulty.fault=silent", "callback.faulty.where=on_validation_end", "callback.faulty.at=1" },
          1,
          { "[callback.faulty] on_validation_end failed and gave no reason" } },
        { { "data.fault=error", "data.where=fetch", "data.at=6", "data.workers=0" },
          1,
          { "[data] fetch of 'faulty_data': the disk of fetch is full", "faults.c:" } },
        { { "data.fault=error", "data.where=fetch", "data.at=6", "data.workers=2" },
          1,
          { "[data] fetch of 'faulty_data': the disk of fetch is full", "faults.c:" } },
        { { "data.fault=error", "data.where=next", "data.at=6", "data.stream=true" },
          1,
          { "[data] next of 'faulty_data': the disk of next is full" } },
        { { "data.fault=silent", "data.where=decode", "data.at=6", "data.stream=true" },
          1,
          { "[data] decode of 'faulty_data': the dataset's decode failed" } },
        { { "model.fault=error", "model.where=plan", "model.at=4" }, 1, { "faulty.op at ", "faulty.c:", "it would not" } },
        { { "model.fault=stale", "model.where=training_step", "model.at=4" },
          1,
          { "faulty.c:", "add: operand 2 is of an earlier step: it was made at ", "of step 3",
            "keep what must outlive it in a buffer" } },
        { { "model.fault=zeroed", "model.where=training_step", "model.at=4" },
          1,
          { "faulty.c:", "add: operand 2 has no value: it was never assigned" } },
        { { "model.fault=of_nobody", "model.where=training_step", "model.at=4" },
          1,
          { "faulty.c:", "add: operand 2 is damaged" } },
        { { "data.fault=stop_here", "data.where=fetch", "data.at=6", "data.workers=1" },
          1,
          { "[data] fetch of 'faulty_data': lth_trainer_stop on the thread train-load-0: it is for the main thread alone" } },
        { { "data.fault=checkpoint_here", "data.where=fetch", "data.at=6", "data.workers=2" },
          1,
          { "[data] fetch of 'faulty_data': save_checkpoint of the trainer on the thread train-load-" } },
        { { "data.fault=op_here", "data.where=fetch", "data.at=9", "data.workers=1" },
          1,
          { "[data] fetch of 'faulty_data': an op (", "faults.c:", "on the thread train-load-0" } },
        { { "data.fault=input_here", "data.where=fetch", "data.at=9", "data.workers=1" },
          1,
          { "[data] fetch of 'faulty_data': lth_input (", "faults.c:" } },
        { { "logger.faulty.fault=log_here", "logger.faulty.where=log_metrics", "logger.faulty.at=3" },
          1,
          { "[logger.faulty] log_metrics of 'faulty': lth_log (", "faults.c:", "on the thread faulty" } },
        { { "model.where=gradient" }, 1, { "faulty.c:", "mul: operand 2 belongs to another trace" } },
        { { "model.fault=nan_loss", "model.where=training_step", "model.at=4" },
          1,
          { "non-finite gradient: the first non-finite value came from `log1p` at ", "faulty.c:" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(&cases[i]);
        expect_torn_down_in_order(cases[i].settings[0], cases[i].says[0], "logger.close failed");
    }
}
