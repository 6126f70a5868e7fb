/* SPDX-License-Identifier: Apache-2.0
 * Learning rates of whole runs: the warm-up that the host puts before any schedule, momenta, resumed runs. */
#include "integration/run_lthost.h"

#include "util/error.h"
#include "util/file.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUN_INI                                                                                                        \
    "[trainer]\naccelerator = reference\nmax_epochs = 2\nlimit_train_batches = 50\nlimit_val_batches = 0\n"            \
    "log_every_n_steps = 1\n[model]\nuse = linear\n[data]\nuse = digits\nbatch_size = 4\n"                             \
    "[optimizer]\nuse = sgd\nlr = 0.1\nmomentum = 0.9\n[logger.csv]\n[callback.lr_monitor]\nlog_momentum = true\n"     \
    "[scheduler]\ninterval = step\n"
#define METRICS "runs/run/version_0/metrics.csv"
#define MODEL "runs/run/version_0/checkpoints/last/model.safetensors"
enum { STEPS = 100 };

TestSuite(schedules, .init = run_begin, .fini = run_end);

static void must_fit(const char *a, const char *b, const char *c)
{
    outcome o = RUN("fit", "run.ini", a, a ? b : NULL, a && b ? c : NULL);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}

static void expect_logged(const char *what, const char *name, const json_t *expected)
{
    double got[STEPS], want = 0;
    char *text = run_read(METRICS);
    cr_assert_eq(run_column(text, name, got, STEPS), STEPS, "%s: %s in\n%s", what, name, text);
    for (size_t t = 0; t < STEPS; t++) {
        cr_assert(json_to_f64(json_array_get(expected, t), &want));
        cr_assert(fabs(got[t] - want) <= 1e-12 * fabs(want), "%s: at step %zu %s is %.17g, torch's %.17g", what, t, name, got[t], want);
    }
    free(text);
}

/* "t_max = 3\n" of a recorded option. */
static void add_option(str *ini, const char *key, const json_t *value)
{
    char *text = json_is_string(value) ? str_dup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    for (; *key; key++)
        str_printf(ini, "%c", tolower(*key));
    str_printf(ini, " = %s\n", text);
    free(text);
}

static void follow(const json_t *c)
{
    str ini = { 0 };
    const char *key, *name = json_string_value(json_object_get(c, "name"));
    json_t *value;
    error e = { 0 };
    str_printf(&ini, RUN_INI "use = %s\n", json_string_value(json_object_get(c, "scheduler")));
    json_object_foreach(json_object_get(c, "options"), key, value)
        add_option(&ini, key, value);
    const json_t *warmup = json_object_get(c, "warmup");
    if (warmup) {
        add_option(&ini, "warmup", json_object_get(warmup, "steps"));
        add_option(&ini, "warmup_start", json_object_get(warmup, "start"));
    }
    run_write("run.ini", str_text(&ini));
    must_fit(NULL, NULL, NULL);
    expect_logged(name, "lr-sgd", json_object_get(c, "lr"));
    if (json_object_get(c, "momentum"))
        expect_logged(name, "lr-sgd-momentum", json_object_get(c, "momentum"));
    file_remove_tree("runs", &e);
    str_free(&ini);
}

Test(schedules, a_warm_up_and_then_a_schedule_is_a_sequence_of_torch_and_momentum_is_cycled_as_there)
{
    json_t *document = NULL, *c;
    error e = { 0 };
    size_t i;
    int followed = 0;
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/schedulers.json", &document, &e), LTH_OK, "%s", e.text);
    json_array_foreach(json_object_get(document, "cases"), i, c)
        if (json_object_get(c, "warmup") || json_object_get(c, "momentum")) {
            follow(c);
            followed++;
        }
    cr_expect_eq(followed, 6);
    json_decref(document);
}

Test(schedules, a_run_resumed_in_mid_warm_up_and_later_goes_on_to_the_same_bits)
{
    static const char *const schedules[] = { "use = step\nstep_size = 20\ngamma = 0.5\nwarmup = 30\n",
                                             "use = one_cycle\ntotal_steps = 80\nwarmup = 10\n" };
    static const char *const stops[] = { "trainer.max_steps=13", "trainer.max_steps=60" };
    for (size_t i = 0; i < 2; i++) {
        char *ini = str_format(RUN_INI "%s", schedules[i]), whole[65], parted[65];
        error e = { 0 };
        run_write("run.ini", ini);
        must_fit(NULL, NULL, NULL);
        char *log = run_read(METRICS);
        run_sha256(MODEL, whole);
        for (size_t k = 0; k < 2; k++) {
            file_remove_tree("runs", &e);
            must_fit(stops[k], NULL, NULL);
            must_fit("--resume", "auto", NULL);
            char *parted_log = run_read(METRICS);
            cr_expect_str_eq(run_sha256(MODEL, parted), whole, "%s after %s", schedules[i], stops[k]);
            cr_expect_str_eq(parted_log, log, "%s after %s", schedules[i], stops[k]);
            free(parted_log);
        }
        file_remove_tree("runs", &e);
        free(log);
        free(ini);
    }
}

Test(schedules, a_changed_run_file_gives_its_own_rates_at_the_step_reached)
{
    double rates[STEPS];
    run_write("run.ini", RUN_INI "use = exponential\ngamma = 0.5\nwarmup = 40\nwarmup_start = 0\n");
    must_fit("trainer.max_steps=10", NULL, NULL);
    must_fit("--resume", "auto", "scheduler.warmup=20");
    char *text = run_read(METRICS);
    cr_assert_eq(run_column(text, "lr-sgd", rates, STEPS), STEPS, "%s", text);
    cr_expect_float_eq(rates[9], 0.1 * 9 / 40, 1e-15);
    cr_expect_float_eq(rates[10], 0.1 * 10 / 20, 1e-15);
    cr_expect_float_eq(rates[20], 0.1, 1e-15);
    cr_expect_float_eq(rates[22], 0.025, 1e-15);
    free(text);
}

Test(schedules, the_first_of_the_betas_is_cycled_where_there_is_no_momentum)
{
    double momenta[STEPS];
    run_write("run.ini", RUN_INI "use = one_cycle\npct_start = 0.5\nanneal_strategy = linear\n");
    must_fit("optimizer.use=adam", NULL, NULL);
    char *text = run_read(METRICS);
    cr_assert_eq(run_column(text, "lr-adam-momentum", momenta, STEPS), STEPS, "%s", text);
    cr_expect_float_eq(momenta[0], 0.95, 1e-15);
    cr_expect_float_eq(momenta[49], 0.85, 1e-15);
    cr_expect_float_eq(momenta[99], 0.95, 1e-15);
    free(text);
}

Test(schedules, a_metric_is_looked_at_when_the_warm_up_is_over)
{
    double rates[STEPS];
    run_write("run.ini", RUN_INI "use = plateau\nmonitor = train_loss\nmode = max\nfactor = 0.5\npatience = 0\nthreshold = 1000\n"
                                 "warmup = 5\nwarmup_start = 0\n");
    must_fit(NULL, NULL, NULL);
    char *text = run_read(METRICS);
    cr_assert_eq(run_column(text, "lr-sgd", rates, STEPS), STEPS, "%s", text);
    for (int i = 0; i <= 5; i++)
        cr_expect_float_eq(rates[i], 0.1 * i / 5, 1e-15, "step %d: %g", i, rates[i]);
    cr_expect_float_eq(rates[6], 0.1, 1e-15, "%g", rates[6]); /* the first metric is the best so far */
    cr_expect_float_eq(rates[7], 0.05, 1e-15, "%g", rates[7]);
    cr_expect_float_eq(rates[8], 0.025, 1e-15, "%g", rates[8]);
    free(text);
}

Test(schedules, what_a_scheduler_lacks_is_said_before_the_training)
{
    static const struct {
        const char *scheduler, *setting, *says;
    } cases[] = {
        { "use = one_cycle\nwarmup = 5\n", "optimizer.momentum=0", "cycle_momentum = false" },
        { "use = cosine\nwarmup = 5\n", "trainer.max_epochs=-1", "set t_max, or [trainer] max_epochs or max_steps" },
        { "use = step\nmilestones = 3\n", "run.seed=1", "use = multi_step has them" },
        { "use = constant\nwarmup = -1\n", "run.seed=1", "warmup = '-1' is out of range" },
        { "use = constant\nwarmup_start = 2\n", "run.seed=1", "warmup_start = '2' is out of range" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *ini = str_format(RUN_INI "%s", cases[i].scheduler);
        run_write("run.ini", ini);
        outcome o = RUN("fit", "run.ini", cases[i].setting);
        cr_expect_neq(o.status, 0, "%s", cases[i].scheduler);
        cr_expect_not_null(strstr(o.err, cases[i].says), "'%s' is said instead of '%s'", o.err, cases[i].says);
        outcome_free(&o);
        free(ini);
    }
}
