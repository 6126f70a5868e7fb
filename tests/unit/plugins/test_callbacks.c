/* SPDX-License-Identifier: Apache-2.0
 * early_stopping, lr_monitor, progress and summary, on a trainer of the test's own. */
#include "trainer_fixture.h"

#include <criterion/criterion.h>
#include <lthost/setup.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static plugin p;
static stage s;

static void open_callback(const char *name)
{
    plugin_open(&p, name, "callback/1", name);
    stage_open(&s);
}

static void close_callback(void)
{
    plugin_close(&p);
    stage_close(&s);
}

/* ---- early_stopping ---- */

static void open_stopper(void)
{
    open_callback("early_stopping");
    plugin_set(&p, "monitor", "val_loss");
}

static void check(double value)
{
    stage_metric(&s, "val_loss", value);
    HOOK(&p, &s, on_train_epoch_end);
}

/* Checks until the run is stopped; the number of checks, 0 if it never is. */
static int checks_until_stop(const double *values, int count)
{
    plugin_must_begin(&p);
    HOOK(&p, &s, on_fit_start);
    for (int i = 0; i < count; i++) {
        check(values[i]);
        if (s.stopped[0])
            return i + 1;
    }
    return 0;
}

Test(early_stopping, counts_checks_without_improvement)
{
    static const double values[] = { 1, 0.9, 0.95, 0.9, 0.91, 0.5 };
    static const struct { const char *option, *value; int stop; const char *says; } cases[] = {
        { "patience", "3", 5, "has not improved on 0.9 in 3 checks" },
        { "patience", "1", 3, "in 1 checks" },
        { "patience", "4", 0, "" },
        { "min_delta", "0.2", 4, "has not improved on 1" },
        { "mode", "max", 4, "has not improved on 1" },
        { "divergence_threshold", "0.94", 1, "divergence threshold 0.94" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_stopper();
        plugin_set(&p, cases[i].option, cases[i].value);
        cr_assert_eq(checks_until_stop(values, 6), cases[i].stop, "%s = %s: '%s'", cases[i].option, cases[i].value, s.stopped);
        cr_assert(strstr(s.stopped, cases[i].says), "%s", s.stopped);
        close_callback();
    }
}

Test(early_stopping, stops_at_a_value_that_is_not_finite_unless_told_otherwise)
{
    const double values[] = { 1, NAN };
    open_stopper();
    cr_assert_eq(checks_until_stop(values, 2), 2);
    cr_assert(strstr(s.stopped, "not finite"), "%s", s.stopped);
    close_callback();
    open_stopper();
    plugin_set(&p, "check_finite", "false");
    cr_assert_eq(checks_until_stop(values, 2), 0);
    close_callback();
}

Test(early_stopping, stops_when_the_metric_is_good_enough)
{
    const double values[] = { 1, 0.5, 0.1 };
    open_stopper();
    plugin_set(&p, "stopping_threshold", "0.2");
    cr_assert_eq(checks_until_stop(values, 3), 3);
    cr_assert(strstr(s.stopped, "stopping threshold 0.2"), "%s", s.stopped);
    close_callback();
}

Test(early_stopping, checks_once_an_epoch_and_at_validation_where_that_runs_at_other_times)
{
    const lth_callback *c;
    open_stopper();
    plugin_set(&p, "patience", "1");
    plugin_must_begin(&p);
    c = p.table;
    stage_metric(&s, "val_loss", 1);
    s.now.validation = LTH_VALIDATION_OTHER;
    cr_assert_eq(c->on_validation_end(p.self, &s.trainer), LTH_OK); /* not in fit */
    HOOK(&p, &s, on_fit_start);
    HOOK(&p, &s, on_train_epoch_end);
    HOOK(&p, &s, on_validation_end);
    cr_assert_str_eq(s.stopped, "");
    HOOK(&p, &s, on_train_epoch_end);
    cr_assert_str_eq(s.stopped, "");
    HOOK(&p, &s, on_validation_end);
    cr_assert_str_neq(s.stopped, "");
    close_callback();
}

Test(early_stopping, makes_no_check_in_a_dev_run_and_the_sanity_check)
{
    open_stopper();
    plugin_set(&p, "patience", "0");
    plugin_must_begin(&p);
    HOOK(&p, &s, on_fit_start);
    s.now.fast_dev_run = 1;
    check(NAN);
    s.now.fast_dev_run = 0;
    s.now.sanity_checking = 1;
    s.now.validation = LTH_VALIDATION_OTHER;
    HOOK(&p, &s, on_validation_end);
    cr_assert_str_eq(s.stopped, "");
    close_callback();
}

Test(early_stopping, a_metric_that_is_not_there_is_an_error_or_a_warning)
{
    const lth_callback *c;
    for (int strict = 0; strict < 2; strict++) {
        open_stopper();
        plugin_set(&p, "strict", strict ? "true" : "false");
        plugin_must_begin(&p);
        stage_metric(&s, "train_loss", 1);
        c = p.table;
        HOOK(&p, &s, on_fit_start);
        HOOK(&p, &s, on_validation_end);
        cr_assert_eq(c->on_train_epoch_end(p.self, &s.trainer), strict ? LTH_INVALID : LTH_OK);
        cr_assert(strstr(p.message, "'val_loss' has not been logged; there are: train_loss"), "%s", p.message);
        close_callback();
    }
}

Test(early_stopping, a_metric_of_a_validation_that_has_not_run_yet_is_not_missed)
{
    open_stopper();
    plugin_must_begin(&p);
    HOOK(&p, &s, on_fit_start);
    s.now.validation = LTH_VALIDATION_EPOCH_END;
    HOOK(&p, &s, on_train_epoch_end); /* max_steps came before the epoch's end */
    HOOK(&p, &s, on_validation_end);
    const lth_callback *c = p.table;
    cr_assert_eq(c->on_train_epoch_end(p.self, &s.trainer), LTH_INVALID, "now it should be there");
    close_callback();
}

Test(early_stopping, goes_on_with_the_count_after_a_resume)
{
    open_stopper();
    plugin_must_begin(&p);
    check(1);
    check(2);
    json_t *state = plugin_save(&p);
    close_callback();
    open_stopper();
    plugin_must_begin(&p);
    plugin_load(&p, state);
    json_decref(state);
    check(2);
    cr_assert_str_eq(s.stopped, "");
    check(2);
    cr_assert(strstr(s.stopped, "on 1 in 3 checks"), "%s", s.stopped);
    close_callback();
}

/* ---- lr_monitor ---- */

Test(lr_monitor, logs_the_rate_of_each_group_by_its_name)
{
    static const struct { const char *interval; uint32_t groups; const char *momentum, *says; } cases[] = {
        { "step", 1, "false", "lr-adamw=0.5@step;" },
        { "epoch", 1, "false", "lr-adamw=0.5@epoch;" },
        { "step", 2, "false", "lr-adamw/pg1=0.5@step;lr-adamw/pg2=1@step;" },
        { "step", 1, "true", "lr-adamw=0.5@step;lr-adamw-momentum=0.5@step;lr-adamw-weight_decay=0.5@step;" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_callback("lr_monitor");
        plugin_set(&p, "logging_interval", cases[i].interval);
        plugin_set(&p, "log_momentum", cases[i].momentum);
        plugin_set(&p, "log_weight_decay", cases[i].momentum);
        plugin_must_begin(&p);
        s.groups = cases[i].groups;
        s.hyper = 0.5;
        HOOK(&p, &s, on_train_start);
        HOOK(&p, &s, on_train_epoch_start);
        HOOK(&p, &s, on_train_batch_start);
        cr_assert_str_eq(s.said, cases[i].says);
        close_callback();
    }
}

/* ---- progress ---- */

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Epochs of ten steps each. */
static void train(int epochs)
{
    s.now.max_epochs = epochs;
    s.now.stepping_batches = 10 * epochs;
    stage_metric(&s, "train_loss", 0.25);
    HOOK(&p, &s, on_train_start);
    for (int e = 0; e < epochs; e++) {
        for (int i = 0; i < 10; i++) {
            s.now.batch_idx = i;
            s.now.is_last_batch = i == 9;
            s.now.global_step++;
            HOOK(&p, &s, on_train_batch_end);
        }
        HOOK(&p, &s, on_train_epoch_end);
        s.now.current_epoch++;
    }
}

Test(progress, prints_about_ten_plain_lines_where_there_is_no_terminal)
{
    const int epochs[] = { 1, 10, 30, 100 };
    for (int i = 0; i < 4; i++) {
        open_callback("progress");
        plugin_set(&p, "refresh", "0");
        plugin_must_begin(&p);
        train(epochs[i]);
        HOOK(&p, &s, on_train_end);
        cr_assert_eq(lines(s.said), 10, "%d epochs: %s", epochs[i], s.said);
        cr_assert(strstr(s.said, "train_loss 0.25"), "%s", s.said);
        cr_assert_null(strchr(s.said, '['), "a bar is for terminals");
        cr_assert_str_eq(s.status, "");
        close_callback();
    }
}

Test(progress, draws_one_line_within_the_width_of_a_terminal)
{
    const int32_t widths[] = { 20, 60, 80, 200 };
    for (int i = 0; i < 4; i++) {
        open_callback("progress");
        plugin_set(&p, "refresh", "0");
        plugin_must_begin(&p);
        s.terminal = true;
        s.width = widths[i];
        train(3);
        cr_assert_lt((int32_t)strlen(s.status), widths[i]);
        cr_assert_eq(strncmp(s.status, "epoch 3/3", 9), 0, "%s", s.status);
        cr_assert_eq(strstr(s.status, "=]") != NULL, widths[i] >= 60, "%s", s.status);
        cr_assert(widths[i] == 60 || (strstr(s.status, "train_loss 0.25") != NULL) == (widths[i] >= 80), "%s", s.status);
        cr_assert(strstr(s.status, "train_loss 0.25") || !strstr(s.status, "train"), "a metric is cut: %s", s.status);
        cr_assert_str_eq(s.said, "");
        HOOK(&p, &s, on_train_end);
        cr_assert_str_eq(s.status, "");
        cr_assert_eq(lines(s.said), 1, "the last state stays");
        close_callback();
    }
}

Test(progress, says_little_of_a_run_whose_length_is_not_known)
{
    open_callback("progress");
    plugin_set(&p, "refresh", "0");
    plugin_must_begin(&p);
    train(1);
    s.said[0] = 0;
    s.now.stepping_batches = -1;
    s.now.num_batches = -1;
    HOOK(&p, &s, on_train_start);
    for (int i = 0; i < 1000; i++) {
        s.now.batch_idx = i;
        s.now.is_last_batch = 0;
        s.now.global_step++;
        HOOK(&p, &s, on_train_batch_end);
    }
    HOOK(&p, &s, on_train_epoch_end);
    HOOK(&p, &s, on_train_end);
    cr_assert_eq(lines(s.said), 1, "%s", s.said);
    close_callback();
}

Test(progress, shows_evaluation_on_a_terminal_alone)
{
    open_callback("progress");
    plugin_set(&p, "refresh", "0");
    plugin_must_begin(&p);
    s.terminal = true;
    s.now.stage = LTH_STAGE_TEST;
    HOOK(&p, &s, on_test_start);
    s.now.batch_idx = 4;
    HOOK(&p, &s, on_test_batch_end);
    cr_assert_eq(strncmp(s.status, "testing [==========>", 20), 0, "%s", s.status);
    HOOK(&p, &s, on_test_end);
    cr_assert_str_eq(s.status, "");
    close_callback();
}

/* ---- summary ---- */

Test(summary, shows_modules_parameters_and_sizes)
{
    static const lth_parameter_info info[] = {
        { "wte.weight", "wte", "Embedding", { LTH_F32, 2, { 1000, 64 } }, LTH_PARAMETER_FROZEN, 0 },
        { "h.0.fc.weight", "h.0.fc", "Linear", { LTH_F32, 2, { 64, 64 } }, 0, 0 },
        { "h.1.fc.weight", "h.1.fc", "Linear", { LTH_F32, 2, { 64, 64 } }, 0, 0 },
        { "scale", "", "", { LTH_F32, 0, { 0 } }, 0, 0 },
        { "mean", "h", "", { LTH_F32, 1, { 64 } }, 0, 1 },
    };
    static const struct { const char *depth, *has, *lacks; } cases[] = {
        { "1", "| h    |           |      8.2 K\n", "h.0" },
        { "2", "| h.0  |           |      4.1 K\n", "fc" },
        { "-1", "| h.1.fc | Linear    |      4.1 K\n", "| h " },
        { "0", "72.2 K parameters, 64.0 K of them frozen; 289 KB\n", "name" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_callback("summary");
        plugin_set(&p, "max_depth", cases[i].depth);
        plugin_must_begin(&p);
        s.parameters = info;
        s.parameter_count = sizeof info / sizeof *info;
        HOOK(&p, &s, on_fit_start);
        cr_assert(strstr(s.said, cases[i].has), "%s", s.said);
        cr_assert_null(strstr(s.said, cases[i].lacks), "%s", s.said);
        cr_assert(strstr(s.said, "accelerator cpu, precision 32-true"), "%s", s.said);
        close_callback();
    }
}

Test(summary, has_something_to_say_of_a_model_without_parameters)
{
    open_callback("summary");
    plugin_must_begin(&p);
    HOOK(&p, &s, on_fit_start);
    cr_assert(strstr(s.said, "0 parameters"), "%s", s.said);
    close_callback();
}
