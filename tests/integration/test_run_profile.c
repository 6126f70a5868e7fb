/* SPDX-License-Identifier: Apache-2.0
 * `--profile`: what is told at the end of a stage, by op and by plugin. No time is asserted. */
#include "integration/run_lthost.h"
#include "util/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS                                                                                          \
    "[trainer]\naccelerator = reference\nmax_epochs = 2\nenable_progress_bar = false\n"                 \
    "[data]\nuse = digits\nbatch_size = 64\ntest_fraction = 0.1\n[optimizer]\nuse = adamw\nlr = 3e-3\n" \
    "[callback.checkpoint]\nmonitor = val_loss\n[model]\nuse = mlp\nhidden = 32\n"

TestSuite(profile, .init = run_begin, .fini = run_end);

#define EXPECT_IN(text, word) cr_expect_not_null(strstr((text), word), "not said: %s\n%s", word, (text))

static json_t *read_json(const char *name)
{
    json_t *root = NULL;
    error e = { 0 };
    cr_assert_eq(json_read(name, &root, &e), LTH_OK, "%s", e.text);
    return root;
}

/* The sum of `field` over rows whose `key` is `value` (and, where key2 is not NULL, key2 is value2). */
static int64_t sum_of(const json_t *list, const char *field, const char *key, const char *value, const char *key2,
                      const char *value2)
{
    int64_t sum = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *a = json_string_value(json_object_get(row, key)),
                   *c = key2 ? json_string_value(json_object_get(row, key2)) : NULL;
        if (a && strcmp(a, value) == 0 && (!key2 || (c && strcmp(c, value2) == 0)))
            sum += json_integer_value(json_object_get(row, field));
    }
    return sum;
}

Test(profile, a_fit_tells_ops_launches_hooks_and_the_bottleneck)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("run", "run.ini", "--profile");
    cr_assert_eq(o.status, 0, "%s", o.err);
    static const char *const said[] = { "profile of fit",  "training_step: ", "validation_step: ", "matmul",     "mlp.c:",
                                        "gradient of mlp", "adamw.c:",        "[model]",           "checkpoint", "bottleneck: " };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        EXPECT_IN(o.out, said[i]);
    outcome_free(&o);
    json_t *root = read_json("runs/run/version_0/profile.json");
    const json_t *plans = json_object_get(root, "plans"), *calls = json_object_get(root, "calls"),
                 *ops = json_object_get(root, "ops"), *launches = json_object_get(root, "launches");
    int64_t steps = sum_of(plans, "steps", "hook", "training_step", NULL, NULL);
    cr_expect_gt(steps, 2);
    cr_expect_eq(sum_of(calls, "calls", "section", "model", "hook", "training_step"), steps, "each step is recorded once");
    cr_expect_eq(sum_of(ops, "calls", "hook", "training_step", "op", "matmul"), 5 * steps, "two forward, three backward");
    cr_expect_eq(sum_of(launches, "calls", "hook", "training_step", "op", "matmul"), 5 * steps);
    cr_expect_eq(sum_of(calls, "calls", "section", "callback.checkpoint", "hook", "on_train_epoch_end"), 2);
    static const char *const shares[] = { "compute", "data",      "logging",  "checkpoint", "hooks",
                                          "trainer", "compiling", "start-up", "closing" };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        cr_expect(json_is_real(json_object_get(json_object_get(root, "shares"), shares[i])), "%s", shares[i]);
    json_decref(root);
}

Test(profile, what_the_run_does_already_is_not_advised)
{
    run_write("run.ini", DIGITS);
    outcome o = RUN("run", "run.ini", "--profile", "trainer.precision=bf16-mixed");
    cr_assert_eq(o.status, 0, "%s", o.err);
    EXPECT_IN(o.out, "bottleneck: ");
    cr_expect_null(strstr(o.out, "try [trainer] precision"), "%s", o.out);
    outcome_free(&o);
}

Test(profile, other_stages_have_files_of_their_own_and_no_profile_is_made_unasked)
{
    run_write("run.ini", DIGITS "[run]\nstages = fit, validate\n");
    outcome o = RUN("run", "run.ini", "--profile");
    cr_assert_eq(o.status, 0, "%s", o.err);
    EXPECT_IN(o.out, "profile of fit");
    EXPECT_IN(o.out, "profile of validate");
    outcome_free(&o);
    json_t *root = read_json("runs/run/version_0/profile-validate.json");
    cr_expect_str_eq(json_string_value(json_object_get(root, "stage")), "validate");
    json_decref(root);
    o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_null(strstr(o.out, "profile"));
    char *text = run_read("runs/run/version_1/profile.json");
    cr_expect_str_eq(text, "");
    free(text);
    outcome_free(&o);
}

Test(profile, it_changes_no_bits)
{
    run_write("run.ini", DIGITS);
    outcome plain = RUN("fit", "run.ini", "run.dir=a"), profiled = RUN("fit", "run.ini", "run.dir=b", "--profile", "--json");
    cr_assert(plain.status == 0 && profiled.status == 0, "%s%s", plain.err, profiled.err);
    cr_expect_null(strstr(profiled.out, "profile of"), "with --json the file alone tells");
    outcome_free(&plain);
    outcome_free(&profiled);
    char a[65], b[65];
    run_sha256("a/run/version_0/checkpoints/last/model.safetensors", a);
    cr_expect_eq(strlen(a), 64);
    cr_expect_str_eq(a, run_sha256("b/run/version_0/checkpoints/last/model.safetensors", b));
}

Test(profile, a_fetch_on_loader_threads_and_a_logger_are_told_as_other_threads)
{
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_epochs = 2\n[data]\nuse = faulty_data\nbatch_size = 2\n"
                         "workers = 1\n[optimizer]\nuse = adamw\nlr = 0.01\n[model]\nuse = faulty\n[logger.csv]\n");
    outcome o = RUN("fit", "run.ini", "--profile");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    json_t *root = read_json("runs/run/version_0/profile.json");
    const json_t *calls = json_object_get(root, "calls");
    cr_expect_gt(sum_of(calls, "calls", "part", "other threads", "hook", "fetch"), 0);
    cr_expect_eq(sum_of(calls, "calls", "section", "logger.csv", "hook", "open"), 1);
    cr_expect_gt(sum_of(calls, "calls", "section", "model", "hook", "training_step"), 0);
    json_decref(root);
}
