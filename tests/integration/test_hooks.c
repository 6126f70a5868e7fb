/* SPDX-License-Identifier: Apache-2.0
 * The order of hooks, compared call by call with Lightning's, which tests/golden/hooks.json recorded in 24 runs.
 *
 * Some of Lightning's calls have no counterpart here and are left out of the comparison: they are about things that the host
 * does by itself (moving batches, zeroing gradients, train and eval mode), or that are data here (configure_callbacks,
 * dataloaders), or that run on threads of their own (loggers). Where the order differs it is on purpose: see `differences`. */
#include "integration/run_lthost.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const left_out[] = {
    "M.configure_callbacks",
    "M.prepare_data",
    "M.optimizer_step",
    "M.optimizer_zero_grad",
    "M.backward",
    "M.configure_gradient_clipping",
    "M.on_validation_model_",
    "M.on_test_model_",
    "M.on_predict_model_",
    "O.",
    "L.",
    "D.train_dataloader",
    "D.val_dataloader",
    "D.test_dataloader",
    "D.predict_dataloader",
    "D.on_before_batch_transfer",
    "D.transfer_batch_to_device",
    "D.on_after_batch_transfer",
};

/* What lthost does otherwise, on purpose: behind the call `after`, Lightning's call `drop` does not come, or calls `insert` come.
 */
typedef struct difference {
    const char *scenario, *after, *drop, *insert, *why;
} difference;
static const difference differences[] = {
    { "fit: training_step raises", "D.on_exception", NULL, "D.teardown fit,C.teardown fit,M.teardown fit",
      "an error gets the full teardown" },
    { "fit: on_train_batch_start skips the rest of an epoch", "M.on_train_batch_start 2", "M.lr_scheduler_step", NULL,
      "a schedule counts optimizer steps, not skipped batches" },
    { "fit: early stopping and checkpoint, both monitor, validation in mid-epoch", "M.on_train_end", NULL,
      "M.state_dict,C.state_dict,D.state_dict,C.on_save_checkpoint,M.on_save_checkpoint",
      "where no callback saved the last batch's state, the trainer leaves a resume point" },
};

/* ---- Lightning's calls ---- */

typedef struct calls {
    char *at[1000];
    size_t count;
} calls;

static void add(calls *c, const char *call)
{
    cr_assert_lt(c->count, 1000);
    c->at[c->count++] = str_dup(call);
}

static void calls_free(calls *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->at[i]);
}

static bool is_left_out(const char *call)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (str_starts(call, left_out[i]))
            return true;
    return false;
}

static const difference *difference_of(const char *scenario)
{
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (strcmp(differences[i].scenario, scenario) == 0)
            return &differences[i];
    return NULL;
}

static void add_list(calls *out, const char *list)
{
    const char *part;
    size_t length;
    while (str_split(&list, ',', &part, &length)) {
        char *text = str_dup_part(part, length);
        add(out, text);
        free(text);
    }
}

/* Lightning saves before the model's hook of the same moment; what that hook does is then lost to a run that goes on from
 * there. Here a save comes after it. */
static void saves_come_last(calls *c)
{
    enum { SAVE = 6 }; /* checkpoint.save, three of state_dict, two of on_save_checkpoint */
    for (size_t i = 0; i + SAVE < c->count; i++) {
        char *next = c->at[i + SAVE];
        bool same_moment = str_starts(next, "M.on_train_batch_end") || strcmp(next, "M.on_validation_end") == 0;
        if (strcmp(c->at[i], "checkpoint.save") != 0 || !same_moment)
            continue;
        memmove(c->at + i + 1, c->at + i, SAVE * sizeof *c->at);
        c->at[i] = next;
    }
}

static void golden_calls(const json_t *scenario, calls *out)
{
    size_t i;
    const json_t *item;
    const difference *d = difference_of(json_string_value(json_object_get(scenario, "name")));
    json_array_foreach(json_object_get(scenario, "calls"), i, item)
    {
        const char *call = json_string_value(item);
        bool there = d && out->count > 0 && strcmp(out->at[out->count - 1], d->after) == 0;
        if (is_left_out(call) || (there && d->drop && strcmp(call, d->drop) == 0))
            continue;
        if (there && d->insert)
            add_list(out, d->insert);
        add(out, call);
    }
    if (d && d->insert && strcmp(out->at[out->count - 1], d->after) == 0)
        add_list(out, d->insert);
    saves_come_last(out);
}

/* ---- Ours ---- */

static void put_value(str *ini, const char *key, const json_t *value)
{
    if (json_is_null(value)) /* check_val_every_n_epoch = None: the interval counts across epochs */
        str_printf(ini, "%s = 0\n", key);
    else if (json_is_boolean(value))
        str_printf(ini, "%s = %s\n", key, json_is_true(value) ? "true" : "false");
    else if (json_is_integer(value))
        str_printf(ini, "%s = %lld\n", key, (long long)json_integer_value(value));
    else if (json_is_real(value))
        str_printf(ini, "%s = %#.3g\n", key, json_real_value(value));
    else
        str_printf(ini, "%s = %s\n", key, json_string_value(value));
}

static void put_trainer(str *ini, const json_t *trainer, bool checkpoints)
{
    const char *key;
    json_t *value;
    str_append(ini, "[trainer]\naccelerator = reference\n");
    json_object_foreach((json_t *)trainer, key, value) if (strcmp(key, "accelerator") != 0 && strcmp(key, "logger") != 0 &&
                                                           strcmp(key, "enable_checkpointing") != 0) put_value(ini, key, value);
    str_printf(ini, "enable_checkpointing = %s\n", checkpoints ? "true" : "false");
    if (!json_object_get(trainer, "num_sanity_val_steps"))
        str_append(ini, "num_sanity_val_steps = 0\n");
}

static void put_callback(str *ini, const char *name, const char *component, const json_t *options)
{
    const char *key;
    json_t *value;
    str_printf(ini, "[callback.%s]\nuse = %s\n", name, component);
    json_object_foreach((json_t *)options, key, value) if (strcmp(component, "watcher") != 0 || strcmp(key, "monitor") != 0)
        put_value(ini, key, value);
}

static void put_model(str *ini, const char *module)
{
    bool manual = strcmp(module, "ManualModule") == 0;
    str_printf(ini, "[model]\nuse = %s\nseveral = %s\n", manual ? "recorder_manual" : "recorder", manual ? "true" : "false");
    static const struct {
        const char *module, *option;
    } at[] = { { "FailingModule", "fail_at = 1" },
               { "StoppingModule", "stop_at = 1" },
               { "SkippingModule", "skip_at = 2" },
               { "NoLossModule", "no_loss_at = 1" } };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (strcmp(at[i].module, module) == 0)
            str_printf(ini, "%s\n", at[i].option);
}

static void put_rest(str *ini, const json_t *settings)
{
    const char *key, *module = json_string_value(json_object_get(settings, "module"));
    const json_t *interval = json_object_get(settings, "scheduler_interval");
    json_t *value;
    put_model(ini, module);
    str_append(ini, "[data]\nuse = recorder_data\nbatch_size = 2\n");
    json_object_foreach(json_object_get(settings, "batches"), key, value) put_value(ini, key, value);
    str_append(ini, "[optimizer]\nuse = sgd\nlr = 0.1\n");
    if (strstr(ini->at, "several = true"))
        str_append(ini, "[optimizer.second]\nuse = sgd\nlr = 0.1\n");
    bool plateau = strcmp(module, "PlateauModule") == 0;
    if (plateau)
        str_append(ini, "[scheduler]\nuse = recorder_plateau\nmonitor = val_loss\n");
    else if (json_is_string(interval))
        str_printf(ini, "[scheduler]\nuse = recorder_steps\ninterval = %s\n", json_string_value(interval));
    if (plateau || json_is_string(interval))
        setenv("LTHOST_TEST_SCHEDULER", "1", 1);
    else
        unsetenv("LTHOST_TEST_SCHEDULER");
    str_append(
        ini, "[callback.progress]\nenabled = false\n[callback.summary]\nenabled = false\n[callback.checkpoint]\nenabled = false\n"
             "[logger.csv]\nenabled = false\n");
}

static void write_ini(const char *file, const json_t *settings, const json_t *trainer, const json_t *keeper)
{
    str ini = { 0 };
    const json_t *watcher = json_object_get(settings, "early_stopping");
    put_trainer(&ini, trainer, keeper != NULL);
    put_rest(&ini, settings);
    str_append(&ini, "[callback.recorder]\n");
    if (watcher)
        put_callback(&ini, "early", "watcher", watcher);
    if (keeper)
        put_callback(&ini, "keeper", "keeper", keeper);
    run_write(file, str_text(&ini));
    str_free(&ini);
}

/* The checkpoint that the first run's keeper wrote. */
static void find_kept(char out[300])
{
    glob_t found;
    cr_assert_eq(glob("runs/first/version_0/checkpoints/kept-*", 0, NULL, &found), 0, "the first run kept nothing");
    snprintf(out, 300, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static void run_scenario(const json_t *scenario, calls *out)
{
    const json_t *settings = json_object_get(scenario, "settings"),
                 *first = json_object_get(settings, "resumes_from_the_checkpoint_of");
    const char *stage = json_string_value(json_object_get(settings, "stage")),
               *name = json_string_value(json_object_get(scenario, "name"));
    char from[300] = "";
    if (first) {
        write_ini("first.ini", settings, json_object_get(first, "trainer"), json_object_get(first, "checkpoint"));
        outcome o = RUN("fit", "first.ini");
        cr_assert_eq(o.status, 0, "%s: the first run: %s", name, o.err);
        outcome_free(&o);
        find_kept(from);
    }
    write_ini("run.ini", settings, json_object_get(settings, "trainer"), json_object_get(settings, "checkpoint"));
    unlink("record");
    outcome o = from[0] ? RUN(stage, "run.ini", "--resume", from) : RUN(stage, "run.ini");
    int expected = strcmp(name, "fit: training_step raises") == 0 ? 1 : 0;
    cr_expect_eq(o.status, expected, "%s: %s", name, o.err);
    outcome_free(&o);
    char *text = run_read("record");
    const char *rest = text, *part;
    size_t length;
    while (str_split(&rest, '\n', &part, &length))
        if (length > 0) {
            char *call = str_dup_part(part, length);
            add(out, call);
            free(call);
        }
    free(text);
}

/* ---- The comparison ---- */

static void show_difference(const char *name, const calls *golden, const calls *ours, size_t at)
{
    str text = { 0 };
    for (size_t i = at > 6 ? at - 6 : 0; i < at + 6; i++)
        str_printf(&text, "\n  %3zu %-40s %s", i, i < golden->count ? golden->at[i] : "(end)",
                   i < ours->count ? ours->at[i] : "(end)");
    cr_expect_fail("%s: call %zu differs (Lightning's, ours):%s", name, at, str_text(&text));
    str_free(&text);
}

static void compare(const json_t *scenario)
{
    const char *name = json_string_value(json_object_get(scenario, "name"));
    calls golden = { .count = 0 }, ours = { .count = 0 };
    run_begin();
    char here[300];
    cr_assert_not_null(getcwd(here, sizeof here - 10));
    strcat(here, "/record");
    setenv("LTHOST_TEST_RECORD", here, 1);
    golden_calls(scenario, &golden);
    run_scenario(scenario, &ours);
    run_end();
    size_t at = 0;
    while (at < golden.count && at < ours.count && strcmp(golden.at[at], ours.at[at]) == 0)
        at++;
    if (at < golden.count || at < ours.count)
        show_difference(name, &golden, &ours, at);
    calls_free(&golden);
    calls_free(&ours);
}

Test(hooks, come_in_the_order_of_lightning_in_every_recorded_run)
{
    json_t *root, *scenario;
    size_t i;
    error e = { 0 };
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/hooks.json", &root, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(json_array_size(json_object_get(root, "scenarios")), 24);
    json_array_foreach(json_object_get(root, "scenarios"), i, scenario) compare(scenario);
    json_decref(root);
}
