/* SPDX-License-Identifier: Apache-2.0
 * The checkpoint callback: when it saves, what it keeps, and that a resume goes on with both. */
#include "trainer_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static plugin p;
static stage s;

static void setup(void)
{
    plugin_open(&p, "checkpoint", "callback/1", "checkpoint");
    stage_open(&s);
    s.saving = &p;
}

static void teardown(void)
{
    plugin_close(&p);
    stage_close(&s);
}

TestSuite(checkpoint, .init = setup, .fini = teardown);

static void begin(void)
{
    plugin_must_begin(&p);
    HOOK(&p, &s, on_fit_start);
    HOOK(&p, &s, on_train_start);
}

/* An epoch of ten steps, with validation at its end where the run has one. */
static void epoch(double val_loss)
{
    for (int64_t i = 0; i < s.now.num_batches; i++) {
        s.now.batch_idx = i;
        s.now.is_last_batch = i + 1 == s.now.num_batches;
        s.now.global_step++;
        s.validation_due = s.now.is_last_batch && s.now.validation != LTH_VALIDATION_NONE;
        HOOK(&p, &s, on_train_batch_end);
    }
    if (s.now.validation != LTH_VALIDATION_NONE) {
        stage_metric(&s, "val_loss", val_loss);
        HOOK(&p, &s, on_validation_end);
    }
    s.validation_due = false;
    HOOK(&p, &s, on_train_epoch_end);
    s.now.current_epoch++;
}

static void expect(const char *checkpoints) { cr_assert_str_eq(stage_checkpoints(&s), checkpoints); }

Test(checkpoint, without_a_monitor_the_newest_replaces_the_one_before)
{
    begin();
    epoch(1);
    expect("epoch=0-step=10");
    epoch(2);
    expect("epoch=1-step=20");
    cr_assert_str_eq(s.best, "epoch=1-step=20");
}

Test(checkpoint, keeps_the_best_and_the_newest)
{
    plugin_set(&p, "monitor", "val_loss");
    begin();
    const double losses[] = { 0.5, 0.3, 0.4, 0.45, 0.2 };
    const char *kept[] = { "epoch=0-step=10", "epoch=1-step=20", "epoch=1-step=20 epoch=2-step=30", "epoch=1-step=20 epoch=3-step=40",
                           "epoch=4-step=50" };
    for (int i = 0; i < 5; i++) {
        epoch(losses[i]);
        expect(kept[i]);
    }
    cr_assert_eq(s.best_score, 0.2);
}

Test(checkpoint, without_save_last_only_the_k_best_are_kept)
{
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "save_last", "false");
    plugin_set(&p, "save_top_k", "2");
    begin();
    const double losses[] = { 0.5, 0.3, 0.4, 0.4, NAN };
    for (int i = 0; i < 5; i++)
        epoch(losses[i]);
    expect("epoch=1-step=20 epoch=2-step=30"); /* an equal one does not replace; NaN is worst */
    cr_assert_str_eq(s.best, "epoch=1-step=20");
}

Test(checkpoint, mode_max_keeps_the_greatest)
{
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "mode", "max");
    plugin_set(&p, "save_last", "false");
    begin();
    epoch(0.5);
    epoch(0.3);
    epoch(0.7);
    expect("epoch=2-step=30");
}

Test(checkpoint, minus_one_keeps_all_and_zero_none)
{
    plugin_set(&p, "save_top_k", "-1");
    begin();
    epoch(1);
    epoch(2);
    expect("epoch=0-step=10 epoch=1-step=20");
    plugin_close(&p);
    stage_close(&s);
    setup();
    plugin_set(&p, "save_top_k", "0");
    begin();
    epoch(1);
    expect("");
}

Test(checkpoint, a_not_a_number_is_replaced_by_any_number)
{
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "save_last", "false");
    begin();
    epoch(NAN);
    expect("epoch=0-step=10");
    epoch(9);
    expect("epoch=1-step=20");
}

Test(checkpoint, every_n_steps_saves_at_these_steps_once)
{
    plugin_set(&p, "every_n_train_steps", "4");
    plugin_set(&p, "save_top_k", "-1");
    s.now.validation = LTH_VALIDATION_NONE;
    begin();
    epoch(1);
    expect("epoch=0-step=4 epoch=0-step=8");
    HOOK(&p, &s, on_train_batch_end); /* the same step again, as while batches accumulate */
    epoch(1);
    expect("epoch=0-step=4 epoch=0-step=8 epoch=1-step=12 epoch=1-step=16 epoch=1-step=20");
}

Test(checkpoint, waits_for_the_validation_that_is_due)
{
    plugin_set(&p, "every_n_train_steps", "10");
    plugin_set(&p, "monitor", "val_loss");
    begin();
    stage_metric(&s, "val_loss", 7); /* of an earlier validation */
    epoch(0.25);
    expect("epoch=0-step=10");
    cr_assert_eq(s.best_score, 0.25);
}

Test(checkpoint, saves_at_validation_where_that_runs_at_other_times)
{
    s.now.validation = LTH_VALIDATION_OTHER;
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "save_top_k", "-1");
    begin();
    s.now.global_step = 5;
    stage_metric(&s, "val_loss", 1);
    HOOK(&p, &s, on_validation_end);
    expect("epoch=0-step=5");
    s.now.global_step = 7;
    HOOK(&p, &s, on_train_epoch_end);
    expect("epoch=0-step=5");
}

Test(checkpoint, every_second_epoch)
{
    plugin_set(&p, "every_n_epochs", "2");
    plugin_set(&p, "save_top_k", "-1");
    begin();
    for (int i = 0; i < 5; i++)
        epoch(1);
    expect("epoch=1-step=20 epoch=3-step=40");
}

Test(checkpoint, saves_nothing_in_a_dev_run_the_sanity_check_or_a_validation_of_its_own)
{
    begin();
    s.now.global_step = 1;
    s.now.fast_dev_run = 1;
    HOOK(&p, &s, on_train_epoch_end);
    s.now.fast_dev_run = 0;
    s.now.validation = LTH_VALIDATION_OTHER;
    s.now.sanity_checking = 1;
    HOOK(&p, &s, on_validation_end);
    s.now.sanity_checking = 0;
    HOOK(&p, &s, on_fit_end);
    HOOK(&p, &s, on_validation_end);
    expect("");
}

Test(checkpoint, names_come_from_the_template)
{
    static const struct { const char *text, *insert, *name; } cases[] = {
        { "{epoch}-{step}", "true", "epoch=0-step=10" },
        { "{epoch:03d}", "true", "epoch=000" },
        { "best-{val_loss:.2f}", "true", "best-val_loss=0.12" },
        { "m{val_loss:.3e}x{step}", "false", "m1.250e-01x10" },
        { "{val_loss}", "false", "0.125" },
        { "{unknown}", "true", "unknown=0" },
        { "{a/b}", "true", "a_b=3" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        teardown();
        setup();
        plugin_set(&p, "filename", cases[i].text);
        plugin_set(&p, "auto_insert_metric_name", cases[i].insert);
        stage_metric(&s, "a/b", 3);
        begin();
        epoch(0.125);
        expect(cases[i].name);
    }
}

Test(checkpoint, a_name_that_is_taken_gets_a_version)
{
    plugin_set(&p, "filename", "same");
    plugin_set(&p, "save_top_k", "-1");
    begin();
    epoch(1);
    epoch(1);
    epoch(1);
    expect("same same-v1 same-v2");
}

Test(checkpoint, what_makes_no_sense_is_refused)
{
    static const struct { const char *option, *value, *says; } cases[] = {
        { "filename", "{epoch", "'}'" },
        { "filename", "a/b", "'/'" },
        { "filename", ".hidden", "point" },
        { "filename", "{epoch:x}", "format" },
        { "filename", "{epoch:%n}", "format" },
        { "save_top_k", "2", "needs a monitor" },
        { "train_time_interval", "soon", "DD:HH:MM:SS" },
        { "train_time_interval", "1:2:3:4:5", "DD:HH:MM:SS" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        teardown();
        setup();
        plugin_set(&p, cases[i].option, cases[i].value);
        cr_assert_eq(plugin_begin(&p), LTH_INVALID, "%s = %s", cases[i].option, cases[i].value);
        cr_assert(strstr(p.message, cases[i].says), "%s", p.message);
    }
    teardown();
    setup();
    plugin_set(&p, "every_n_train_steps", "5");
    plugin_set(&p, "every_n_epochs", "1");
    cr_assert_eq(plugin_begin(&p), LTH_INVALID);
}

Test(checkpoint, a_monitor_that_never_comes_is_a_warning_before_validation_and_an_error_after)
{
    plugin_set(&p, "monitor", "val_los");
    plugin_set(&p, "every_n_train_steps", "5");
    begin();
    stage_metric(&s, "train_loss", 1);
    s.now.global_step = 5;
    HOOK(&p, &s, on_train_batch_end);
    cr_assert(strstr(p.message, "there are: train_loss"), "%s", p.message);
    expect("epoch=0-step=5"); /* the newest is kept all the same */
    HOOK(&p, &s, on_validation_end);
    s.now.global_step = 10;
    const lth_callback *c = p.table;
    cr_assert_eq(c->on_train_batch_end(p.self, &s.trainer), LTH_INVALID);
}

Test(checkpoint, a_resumed_run_goes_on_with_the_list_that_the_checkpoint_holds)
{
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "save_top_k", "2");
    begin();
    epoch(0.5);
    epoch(0.3);
    epoch(0.4); /* the first one goes */
    expect("epoch=1-step=20 epoch=2-step=30");
    json_t *state = json_incref(s.saved_state);

    /* Killed after the save and before the removal: the removal is made up for first. */
    plugin_close(&p);
    plugin_open(&p, "checkpoint", "callback/1", "checkpoint");
    plugin_set(&p, "monitor", "val_loss");
    plugin_set(&p, "save_top_k", "2");
    plugin_must_begin(&p);
    plugin_load(&p, state);
    json_decref(state);
    strcpy(s.checkpoints[s.checkpoint_count++], "epoch=0-step=10");
    HOOK(&p, &s, on_fit_start);
    HOOK(&p, &s, on_train_start);
    HOOK(&p, &s, on_train_epoch_end); /* this step is saved already */
    expect("epoch=1-step=20 epoch=2-step=30");
    epoch(0.1);
    expect("epoch=1-step=20 epoch=3-step=40");
    cr_assert_eq(s.best_score, 0.1);
}

Test(checkpoint, one_that_may_not_be_removed_is_no_error)
{
    strcpy(s.protect, "epoch=0-step=10");
    begin();
    epoch(1);
    epoch(1);
    expect("epoch=0-step=10 epoch=1-step=20");
}

Test(checkpoint, a_save_that_the_disk_refuses_is_no_end_and_any_other_failure_is_and_neither_removes_anything)
{
    begin();
    epoch(1);
    const lth_callback *c = p.table;
    const lth_status statuses[] = { LTH_IO, LTH_NO_MEMORY, LTH_INVALID };
    for (int i = 0; i < 3; i++) {
        s.save_status = statuses[i];
        s.now.global_step++;
        cr_assert_eq(c->on_train_epoch_end(p.self, &s.trainer), i < 2 ? LTH_OK : LTH_INVALID);
        expect("epoch=0-step=10");
    }
}

Test(checkpoint, one_that_could_not_be_written_is_neither_the_best_nor_in_the_list)
{
    plugin_set(&p, "monitor", "val_loss");
    begin();
    stage_metric(&s, "val_loss", 0.5);
    const lth_callback *c = p.table;
    s.save_status = LTH_IO;
    s.now.global_step = 5;
    cr_assert_eq(c->on_train_epoch_end(p.self, &s.trainer), LTH_OK);
    cr_assert_str_empty(s.best);
    s.save_status = LTH_OK;
    epoch(0.4);
    cr_assert_str_eq(s.best, "epoch=0-step=15");
    s.save_status = LTH_IO;
    s.now.global_step++;
    stage_metric(&s, "val_loss", 0.1);
    cr_assert_eq(c->on_train_epoch_end(p.self, &s.trainer), LTH_OK);
    cr_assert_str_eq(s.best, "epoch=0-step=15");
    cr_assert_eq(s.best_score, 0.4);
    s.save_status = LTH_OK;
    epoch(0.3); /* better than the best one that exists */
    expect("epoch=1-step=26");
    cr_assert_str_eq(s.best, "epoch=1-step=26");
}
