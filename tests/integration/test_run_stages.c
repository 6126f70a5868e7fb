/* SPDX-License-Identifier: Apache-2.0
 * The stages of a run file, what they leave on disk, and how mistakes come out. */
#include "integration/run_lthost.h"
#include "trainer/safetensors.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DIGITS                                                                                          \
    "[trainer]\naccelerator = reference\nmax_epochs = 2\nenable_progress_bar = false\n"                 \
    "[data]\nuse = digits\nbatch_size = 64\ntest_fraction = 0.1\n[optimizer]\nuse = adamw\nlr = 3e-3\n" \
    "[callback.checkpoint]\nmonitor = val_loss\n[model]\nuse = mlp\nhidden = 32\n"
#define RECORDER                                                                                        \
    "[trainer]\naccelerator = reference\nmax_epochs = 1\n[data]\nuse = recorder_data\nbatch_size = 2\n" \
    "[optimizer]\nuse = sgd\nlr = 0.1\n[model]\nuse = recorder\n"

TestSuite(stages, .init = run_begin, .fini = run_end);

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

#define EXPECT_SAYS(o, text) cr_expect_not_null(strstr((o).err, text), "not said: %s\n%s", text, (o).err)

/* ---- What runs ---- */

Test(stages, fit_then_test_uses_the_best_checkpoint_of_the_same_run)
{
    run_write("run.ini", DIGITS "[run]\nstages = fit, test\n");
    outcome o = RUN("run", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    EXPECT_SAYS(o, "best:    val_loss = ");
    EXPECT_SAYS(o, "test: runs/run/version_0/checkpoints/epoch=");
    cr_expect_not_null(strstr(o.out, "test_acc "), "%s", o.out);
    cr_expect(!is_there("runs/run/version_1"), "one run, one folder");
    outcome_free(&o);
    char *metrics = run_read("runs/run/version_0/metrics.csv");
    cr_expect_not_null(strstr(metrics, "test_loss"), "%s", metrics);
    cr_expect_not_null(strstr(metrics, "\n0,"), "the rows of fit are still there: %s", metrics);
    free(metrics);
}

Test(stages, validate_and_predict_find_the_newest_run_by_themselves)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "--json");
    cr_assert_eq(o.status, 0, "%s", o.err);
    json_t *fit, *validated;
    error e = { 0 };
    cr_assert_eq(json_read_text(o.out, strlen(o.out), "stdout", &fit, &e), LTH_OK, "%s", e.text);
    outcome_free(&o);
    o = RUN("validate", "run.ini", "--json");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_assert_eq(json_read_text(o.out, strlen(o.out), "stdout", &validated, &e), LTH_OK, "%s", e.text);
    double best = 0, again = -1;
    json_to_f64(json_object_get(json_object_get(fit, "best"), "score"), &best);
    json_to_f64(json_object_get(json_object_get(validated, "metrics"), "val_loss"), &again);
    cr_expect_eq(best, again, "the best checkpoint has its own score: %g, %g", best, again);
    json_decref(fit);
    json_decref(validated);
    outcome_free(&o);
    o = RUN("predict", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    safetensors_file *f;
    cr_assert_eq(safetensors_open("runs/run/version_2/predictions.safetensors", &f, &e), LTH_OK, "%s", e.text);
    int64_t at = safetensors_find(f, "predictions");
    cr_assert_geq(at, 0);
    const lth_shape *shape = &safetensors_at(f, (uint32_t)at)->shape;
    cr_expect_eq(shape->rank, 2);
    cr_expect_gt(shape->dim[0], 100);
    cr_expect_eq(shape->dim[1], 10);
    safetensors_close(f);
}

Test(stages, fast_dev_run_keeps_nothing)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.fast_dev_run=2");
    cr_assert_eq(o.status, 0, "%s", o.err);
    EXPECT_SAYS(o, "2 steps");
    cr_expect(!is_there("runs/run/version_0"));
    outcome_free(&o);
}

Test(stages, overfitting_a_few_batches_drives_their_loss_down)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.overfit_batches=1", "trainer.max_epochs=60", "model.dropout=0",
                    "optimizer.lr=0.03", "trainer.enable_checkpointing=false", "--json");
    cr_assert_eq(o.status, 0, "%s", o.err);
    json_t *fit;
    error e = { 0 };
    double loss = 9;
    cr_assert_eq(json_read_text(o.out, strlen(o.out), "stdout", &fit, &e), LTH_OK, "%s", e.text);
    json_to_f64(json_object_get(json_object_get(fit, "metrics"), "train_loss"), &loss);
    cr_expect_lt(loss, 0.05, "%g", loss);
    cr_expect_eq(json_integer_value(json_object_get(fit, "steps")), 60, "one batch an epoch");
    json_decref(fit);
    outcome_free(&o);
}

Test(stages, min_epochs_holds_back_an_early_stop)
{
    run_write("run.ini", RECORDER "stop_at = 0\n");
    outcome o = RUN("fit", "run.ini", "trainer.max_epochs=5", "trainer.min_epochs=3");
    cr_assert_eq(o.status, 0, "%s", o.err);
    EXPECT_SAYS(o, "stopped: the model asked; 3 epochs, 12 steps");
    outcome_free(&o);
}

Test(stages, eager_and_unfused_runs_end_with_the_same_bits)
{
    static const char *const options[] = { "--eager", "--no-fusion" };
    char first[65], other[65];
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=5");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    run_sha256("runs/run/version_0/checkpoints/last/model.safetensors", first);
    for (size_t i = 0; i < 2; i++) {
        char path[120];
        o = RUN("fit", "run.ini", "trainer.max_steps=5", options[i]);
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        snprintf(path, sizeof path, "runs/run/version_%zu/checkpoints/last/model.safetensors", i + 1);
        cr_expect_str_eq(run_sha256(path, other), first, "%s", options[i]);
    }
}

Test(stages, a_group_of_parameters_has_options_of_its_own)
{
    run_write("run.ini", DIGITS "[optimizer.group.bias]\nparameters = *.bias\nlr = 0\n");
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=3");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "trainer.max_steps=6", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    char *ini = run_read("runs/run/version_0/run.ini");
    cr_expect_not_null(strstr(ini, "[optimizer.group.bias]\nuse = adamw\nparameters = *.bias\nfrozen = false\nlr_scale = 1\nlr = 0\n"), "%s", ini);
    free(ini);
    o = RUN("fit", "run.ini", "optimizer.group.bias.parameters=*.nothing");
    cr_expect_neq(o.status, 0);
    EXPECT_SAYS(o, "'*.nothing' matches none of the optimizer's parameters");
    outcome_free(&o);
}

Test(stages, weights_of_a_file_start_a_run_and_are_what_is_evaluated)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=3");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    const char *weights = "model.weights=runs/run/version_0/checkpoints/last/model.safetensors";
    o = RUN("validate", "run.ini", "--ckpt", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome other = RUN("validate", "run.ini", weights);
    cr_assert_eq(other.status, 0, "%s", other.err);
    cr_expect_str_eq(o.out, other.out, "the checkpoint and its weights validate alike");
    outcome_free(&o);
    outcome_free(&other);
    o = RUN("fit", "run.ini", "model.hidden=16", weights);
    cr_expect_eq(o.status, 1);
    EXPECT_SAYS(o, "fc1.weight is f32 (32, 64) in the file");
    outcome_free(&o);
}

Test(stages, in_double_precision_the_data_come_as_doubles)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.precision=64-true", "trainer.max_steps=3");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    safetensors_file *f;
    error e = { 0 };
    cr_assert_eq(safetensors_open("runs/run/version_0/checkpoints/last/model.safetensors", &f, &e), LTH_OK, "%s", e.text);
    cr_expect_eq(safetensors_at(f, 0)->shape.dtype, LTH_F64);
    safetensors_close(f);
}

Test(stages, a_gradient_that_is_not_finite_names_the_op_that_made_it)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "optimizer.lr=1e20");
    cr_expect_eq(o.status, 1);
    EXPECT_SAYS(o, "non-finite gradient");
    EXPECT_SAYS(o, "mlp.c:");
    outcome_free(&o);
}

/* ---- check and plan ---- */

Test(stages, check_says_what_it_found_and_makes_no_folder)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("check", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.out, "mlp: 2410 parameters"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "training_step, validation_step, test_step, forward"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "run.ini: all right"), "%s", o.out);
    cr_expect(!is_there("runs"));
    outcome_free(&o);
}

Test(stages, check_tells_a_shape_error_with_the_models_place)
{
    run_write("run.ini", RECORDER "wrong_shape = true\n");
    outcome o = RUN("check", "run.ini");
    cr_expect_eq(o.status, 1);
    EXPECT_SAYS(o, "recorder.c:");
    EXPECT_SAYS(o, "matmul");
    outcome_free(&o);
}

Test(stages, all_mistakes_of_a_run_file_come_at_once_with_their_places)
{
    run_write("run.ini", "[trainer]\nmax_epoch = 3\nprecision = fp32\nlogger = csv\nlimit_val_batches = 1.5\n"
                         "[model]\nuse = mpl\n[data]\nuse = digits\nbatch_size = many\n[optimizr]\nuse = sgd\n");
    outcome o = RUN("fit", "run.ini");
    cr_expect_eq(o.status, 2);
    EXPECT_SAYS(o, "run.ini:2: error: [trainer] has no option 'max_epoch' (did you mean 'max_epochs'?)");
    EXPECT_SAYS(o, "run.ini:7:");
    EXPECT_SAYS(o, "'mlp'");
    EXPECT_SAYS(o, "run.ini:10:");
    EXPECT_SAYS(o, "run.ini:11:");
    EXPECT_SAYS(o, "[logger.csv]");
    outcome_free(&o);
    run_write("run.ini", DIGITS);
    o = RUN("fit", "run.ini", "trainer.precision=transformer-engine", "trainer.limit_val_batches=1.5", "trainer.devices=1,2");
    cr_expect_eq(o.status, 2);
    EXPECT_SAYS(o, "precision = transformer-engine is not there yet");
    EXPECT_SAYS(o, "limit_val_batches = 1.5");
    EXPECT_SAYS(o, "devices = 1,2");
    outcome_free(&o);
}

Test(stages, plan_prints_the_ops_of_the_steps_without_training)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("plan", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.out, "training_step"));
    cr_expect_not_null(strstr(o.out, "validation_step"));
    cr_expect_not_null(strstr(o.out, "matmul"));
    cr_expect_not_null(strstr(o.out, "FLOP"));
    cr_expect(!is_there("runs"));
    outcome_free(&o);
}

/* ---- Mistakes and crashes ---- */

Test(stages, a_command_line_that_means_nothing_is_refused)
{
    run_write("run.ini", DIGITS);
    static const struct {
        const char *a, *b, *word;
    } cases[] = { { "--ckpt", "best", "--ckpt is for validate" },
                  { "--resmue", NULL, "--resume" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = RUN("fit", "run.ini", cases[i].a, cases[i].b);
        cr_expect_eq(o.status, 2, "%s: %d", cases[i].a, o.status);
        EXPECT_SAYS(o, cases[i].word);
        outcome_free(&o);
    }
    outcome o = RUN("fit");
    cr_expect_eq(o.status, 2);
    outcome_free(&o);
}

Test(stages, what_a_strategy_or_device_cannot_do_is_refused_by_name)
{
    run_write("run.ini", DIGITS);
    static const char *const cases[][2] = { { "trainer.devices=2", "devices = 2" },
                                            { "trainer.num_nodes=2", "num_nodes = 2" },
                                            { "trainer.strategy=ddp", "ddp" },
                                            { "trainer.accelerator=tpu", "tpu" },
                                            { "trainer.val_check_interval=1000", "val_check_interval = 1000" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = RUN("fit", "run.ini", cases[i][0]);
        cr_expect_neq(o.status, 0, "%s", cases[i][0]);
        EXPECT_SAYS(o, cases[i][1]);
        cr_expect(!is_there("runs/run/version_0"), "%s leaves no folder", cases[i][0]);
        outcome_free(&o);
    }
}

Test(stages, a_crash_names_the_plugin_and_the_hook_and_dies_by_its_signal)
{
    run_write("run.ini", RECORDER "crash_at = 1\n");
    outcome o = RUN("fit", "run.ini");
    cr_expect_eq(o.status, 1000 + SIGSEGV, "%d: %s", o.status, o.err);
    EXPECT_SAYS(o, "crashed by SIGSEGV");
    EXPECT_SAYS(o, "[model] (recorder), on_train_batch_end");
    outcome_free(&o);
}

Test(stages, a_failing_step_tells_the_authors_place_and_the_run_ends_with_1)
{
    run_write("run.ini", RECORDER "fail_at = 2\n");
    outcome o = RUN("fit", "run.ini");
    cr_expect_eq(o.status, 1);
    EXPECT_SAYS(o, "recorder.c:");
    EXPECT_SAYS(o, "deliberate");
    outcome_free(&o);
}

Test(stages, two_processes_do_not_share_a_run)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("fit", "run.ini", "trainer.max_steps=1");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    run_write("hold.sh", "exec 9<>runs/run/version_0/.lock; flock 9; \"$@\" fit run.ini --resume last 2>held\n");
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", LTHOST_TEST_PLUGINS, 1);
    int status = system("bash hold.sh " LTHOST_TEST_PROGRAM);
    cr_expect_eq(WEXITSTATUS(status), 1);
    char *said = run_read("held");
    cr_expect_not_null(strstr(said, "is going on"), "%s", said);
    free(said);
}

Test(stages, a_run_that_would_train_nothing_is_refused_by_run_and_check)
{
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_epochs = 2\n[data]\nuse = numbers_data\nbatch_size = 6\n"
                         "[optimizer]\nuse = adamw\nlr = 0.1\n[model]\nuse = numbers\n");
    static const char *const cases[][2] = { { "fit", "model.loss=data" },
                                            { "fit", "model.loss=zero" },
                                            { "check", "model.loss=data" },
                                            { "check", "model.loss=zero" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = RUN(cases[i][0], "run.ini", cases[i][1]);
        cr_expect_neq(o.status, 0, "%s %s", cases[i][0], cases[i][1]);
        EXPECT_SAYS(o, "the loss does not depend on any parameter of optimizer 'adamw'");
        EXPECT_SAYS(o, "numbers.c:");
        outcome_free(&o);
    }
    outcome o = RUN("fit", "run.ini", "model.loss=none");
    cr_expect_eq(o.status, 0, "%s", o.err);
    const char *told = strstr(o.err, "no training_step of the epoch returned a loss");
    cr_expect_not_null(told, "%s", o.err);
    cr_expect(told && !strstr(told + 1, "no training_step of the epoch"), "two epochs, told once: %s", o.err);
    outcome_free(&o);
    o = RUN("fit", "run.ini", "model.loss=weight");
    cr_expect_eq(o.status, 0, "%s", o.err);
    cr_expect_null(strstr(o.err, "nothing was trained"), "%s", o.err);
    outcome_free(&o);
}
