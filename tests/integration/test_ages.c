/* SPDX-License-Identifier: Apache-2.0
 * Plugins built against an earlier header, whose tables end sooner, and against a later one, whose tables and rows are longer
 * (tests/integration/ages): in today's host they do to the bit what today's plugins do. */
#include "integration/run_lthost.h"

#include "util/file.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <lthost/base.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGES LTHOST_TEST_BUILD "/ages/"
#define RUNS "runs/run/version_0/"

TestSuite(ages, .init = run_begin, .fini = run_end);

/* Model, data, update rule, schedule, callback, logger, strategy; threads of loaders; a stop with everything saved. */
static const char run_ini[] =
    "[run]\nseed = 3\n"
    "[trainer]\naccelerator = reference\nmax_epochs = 2\naccumulate_grad_batches = 2\nlog_every_n_steps = 1\n"
    "enable_progress_bar = false\n"
    "[model]\nuse = mlp\ndropout = 0.2\nhidden = 16\n"
    "[data]\nuse = digits\nbatch_size = 64\nworkers = 2\n"
    "[optimizer]\nuse = sgd\nlr = 0.1\nmomentum = 0.9\nweight_decay = 0.01\n"
    "[scheduler]\nuse = step\nstep_size = 5\ninterval = step\n"
    "[callback.checkpoint]\nmonitor = val_loss\n[logger.csv]\n";
static const char *const used[] = { "mlp", "digits", "sgd", "step", "single", "checkpoint", "csv", "reference" };
enum { USED = sizeof used / sizeof *used }; /* the accelerator in the later age alone */

static void of_age(void *age) { setenv("LTHOST_PLUGIN_PATH", age, 1); }

/* lthost with the plugins of `folder` before those of the build. */
static outcome run_with(const char *folder, const char *const *arguments)
{
    return run_finish(run_start(arguments, of_age, (void *)folder));
}
#define RUN_WITH(folder, ...) run_with(folder, (const char *const[]) { __VA_ARGS__, NULL })

typedef struct result {
    char model[65], optimizer[65], *metrics;
} result;

/* Trains for one epoch, is resumed for the second. */
static result train(const char *folder)
{
    result r;
    outcome o = RUN_WITH(folder, "fit", "run.ini", "trainer.max_epochs=1");
    cr_assert_eq(o.status, 0, "%s: %s", folder, o.err);
    outcome_free(&o);
    o = RUN_WITH(folder, "fit", "run.ini", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s: %s", folder, o.err);
    outcome_free(&o);
    cr_assert_neq(run_sha256(RUNS "checkpoints/last/model.safetensors", r.model)[0], '\0');
    run_sha256(RUNS "checkpoints/last/optimizer.safetensors", r.optimizer);
    r.metrics = run_read(RUNS "metrics.csv");
    cr_assert_gt(strlen(r.metrics), 100);
    error e = { 0 };
    cr_assert_eq(file_remove_tree("runs", &e), LTH_OK, "%s", e.text);
    return r;
}

static void expect_as_today(const char *age, size_t count)
{
    char *folder = str_format(AGES "%s", age);
    run_write("run.ini", run_ini);
    for (size_t i = 0; i < count; i++) {
        char *plugin = str_format("/%s_", age);
        outcome o = RUN_WITH(folder, "plugins", "why", used[i]);
        cr_expect_not_null(strstr(o.out, plugin), "today's is used: %s", o.out);
        outcome_free(&o);
        free(plugin);
    }
    result today = train(RUN_PLUGINS), other = train(folder);
    cr_expect_str_eq(other.model, today.model);
    cr_expect_str_eq(other.optimizer, today.optimizer);
    cr_expect_str_eq(other.metrics, today.metrics);
    free(today.metrics);
    free(other.metrics);
    free(folder);
}

Test(ages, plugins_built_with_fewer_slots_train_to_the_same_bits) { expect_as_today("older", USED - 1); }

Test(ages, plugins_built_with_more_slots_train_to_the_same_bits) { expect_as_today("newer", USED); }

/* Every hook of a model, a datamodule and a callback is called as it is for today's plugin, and nothing behind them. */
Test(ages, hooks_of_a_plugin_built_with_more_slots_come_in_the_same_order)
{
    char here[300];
    cr_assert_not_null(getcwd(here, sizeof here - 10));
    setenv("LTHOST_TEST_RECORD", strcat(here, "/record"), 1);
    run_write("run.ini",
              "[trainer]\naccelerator = reference\nmax_epochs = 2\n[model]\nuse = recorder\n[data]\nuse = recorder_data\n"
              "batch_size = 2\n[optimizer]\nuse = sgd\n[callback.recorder]\n");
    char *record[2];
    const char *const folders[] = { RUN_PLUGINS, AGES "newer" };
    for (int i = 0; i < 2; i++) {
        outcome o = RUN_WITH(folders[i], "fit", "run.ini");
        cr_assert_eq(o.status, 0, "%s: %s", folders[i], o.err);
        outcome_free(&o);
        record[i] = run_read("record");
        cr_assert_not_null(strstr(record[i], "C.teardown fit"), "%s", record[i]);
        unlink("record");
    }
    cr_expect_str_eq(record[1], record[0]);
    free(record[0]);
    free(record[1]);
}

/* The manifest says the version before anything is loaded; tests/unit/registry has libraries that hide theirs. */
Test(ages, a_plugin_of_another_major_or_a_greater_minor_is_refused_with_both_versions)
{
    static const char *const versions[] = { "1.0", "0.99" };
    char here[300];
    cr_assert_not_null(getcwd(here, sizeof here - 10));
    strcat(here, "/plugins");
    char *manifest = run_read(LTHOST_TEST_PLUGINS "/sgd/plugin.ini"), *ours = str_format("%d.%d", LTH_API_MAJOR, LTH_API_MINOR),
         *line = str_format("\napi = %s\n", ours), *at = strstr(manifest, line);
    cr_assert_not_null(at, "%s", manifest);
    run_write("run.ini", run_ini);
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char *text = str_format("%.*s\napi = %s\n%s", (int)(at - manifest), manifest, versions[i], at + strlen(line)),
             *said = str_format("was built for plugin API %s, this lthost has %s", versions[i], ours);
        cr_assert(mkdir("plugins", 0755) == 0 || i > 0);
        cr_assert(mkdir("plugins/sgd", 0755) == 0 || i > 0);
        run_write("plugins/sgd/plugin.ini", text);
        outcome o = RUN_WITH(here, "fit", "run.ini");
        cr_expect_eq(o.status, 2, "%d: %s", o.status, o.err);
        cr_expect_not_null(strstr(o.err, said), "%s: %s", versions[i], o.err);
        outcome_free(&o);
        free(text);
        free(said);
    }
    free(manifest);
    free(ours);
    free(line);
}
