/* SPDX-License-Identifier: Apache-2.0
 * Several optimizers from the run file, and training steps that do by hand what the trainer would: with PyTorch's losses
 * (tests/golden/by_hand.py). */
#include "integration/run_lthost.h"

#include "util/error.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE                                                                                                   \
    "[trainer]\naccelerator = reference\nprecision = 64-true\nmax_epochs = 2\nlog_every_n_steps = 1\n"         \
    "[data]\nuse = traces\nshape = 5\nnoise = 6\nclasses = 5\nbatch_size = 6\nshuffle = false\n[logger.csv]\n" \
    "[callback.lr_monitor]\n[model]\nuse = by_hand\n"
#define TWO "[optimizer.generator]\nparameters = generator.\nuse = sgd\n[optimizer.critic]\nparameters = critic.\nuse = sgd\n"
#define METRICS "runs/run/version_0/metrics.csv"
enum { MOST = 10 };

typedef struct way {
    const char *how, *sections;
    int plans; /* batches of 6 and of 4, and what differs between batches */
} way;
static const way ways[] = {
    { "in_order",
      "[optimizer.generator]\nparameters = generator.\nuse = sgd\nlr = 0.1\nmomentum = 0.9\n"
      "[scheduler.generator]\nuse = exponential\ngamma = 0.5\ninterval = step\n"
      "[optimizer.critic]\nparameters = critic.\nuse = adam\nlr = 0.002\n"
      "[optimizer.critic.group.biases]\nparameters = critic.b*\nlr_scale = 10\n",
      2 },
    { "wgan_gp",
      "[optimizer.generator]\nparameters = generator.\nuse = rmsprop\nlr = 0.01\n"
      "[scheduler.generator]\nuse = step\nstep_size = 2\ninterval = step\n"
      "[optimizer.critic]\nuse = adam\nlr = 0.005\nbetas = 0.5, 0.9\n",
      3 },
    { "accumulate",
      "[optimizer]\nuse = sgd\nlr = 0.5\nmomentum = 0.9\n[scheduler]\nuse = exponential\ngamma = 0.8\ninterval = manual\n", 4 },
    { "actor_critic",
      "[optimizer.generator]\nparameters = generator.\nuse = adam\nlr = 0.01\n[optimizer.critic]\nparameters = critic.\nuse = "
      "sgd\nlr = 0.1\n",
      2 },
    { "one_optimizer", "[optimizer]\nuse = adam\nlr = 0.01\n", 2 },
};
enum { WAYS = sizeof ways / sizeof *ways };

TestSuite(by_hand, .init = run_begin, .fini = run_end);

static void write_way(const way *w)
{
    char *ini = str_format(BASE "how = %s\n%s", w->how, w->sections);
    run_write("run.ini", ini);
    free(ini);
}

static void must_fit(const char *a, const char *b, const char *c)
{
    outcome o = RUN("fit", "run.ini", a, a ? b : NULL, a && b ? c : NULL);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}

static void expect_losses(const char *how, const char *dir, const json_t *losses, double bound)
{
    char *path = str_format("%s/run/version_0/metrics.csv", dir), *text = run_read(path);
    const char *name;
    json_t *expected;
    json_object_foreach((json_t *)losses, name, expected)
    {
        double got[MOST], want = 0;
        cr_assert_eq(run_column(text, name, got, MOST), (int)json_array_size(expected), "%s: %s in\n%s", how, name, text);
        for (size_t i = 0; i < json_array_size(expected); i++) {
            cr_assert(json_to_f64(json_array_get(expected, i), &want));
            cr_expect(fabs(got[i] - want) <= bound * fabs(want), "%s, %s: %s %zu is %.17g, torch's %.17g", dir, how, name, i,
                      got[i], want);
        }
    }
    free(path);
    free(text);
}

static void follow(const way *w, const json_t *losses, const char *accelerator)
{
    char *on = str_format("trainer.accelerator=%s", accelerator), *dir = str_format("%s-%s", accelerator, w->how);
    char *to = str_format("run.dir=%s", dir);
    write_way(w);
    must_fit(on, to, NULL);
    expect_losses(w->how, dir, losses, 1e-9);
    free(on);
    free(to);
    free(dir);
}

static json_t *golden(void)
{
    json_t *document = NULL;
    error e = { 0 };
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/by_hand.json", &document, &e), LTH_OK, "%s", e.text);
    return document;
}

Test(by_hand, steps_have_the_losses_of_torch)
{
    json_t *document = golden(), *c;
    size_t i;
    cr_assert_eq(json_array_size(json_object_get(document, "cases")), WAYS);
    json_array_foreach(json_object_get(document, "cases"), i, c)
    {
        cr_assert_str_eq(json_string_value(json_object_get(c, "how")), ways[i].how);
        follow(&ways[i], json_object_get(c, "losses"), "reference");
        if (access(LTHOST_TEST_PLUGINS "/cpu/cpu.so", R_OK) == 0)
            follow(&ways[i], json_object_get(c, "losses"), "cpu");
    }
    json_decref(document);
}

#define CONFIGURED                                                                      \
    BASE "how = in_order\n[optimizer.generator]\nuse = sgd\nlr = 0.1\nmomentum = 0.9\n" \
         "[scheduler.generator]\nuse = exponential\ngamma = 0.5\ninterval = step\n"     \
         "[optimizer.critic]\nuse = adam\nlr = 0.002\n[optimizer.critic.group.biases]\nlr_scale = 10\n"

Test(by_hand, a_model_may_configure_the_same_itself_and_the_run_file_freeze_a_group_of_it)
{
    json_t *document = golden();
    run_write("run.ini", CONFIGURED);
    must_fit("model.use=by_hand_configured", NULL, NULL);
    expect_losses("configured", "runs", json_object_get(json_array_get(json_object_get(document, "cases"), 0), "losses"), 1e-9);
    run_write("frozen.ini", CONFIGURED);
    outcome o = RUN("fit", "frozen.ini", "model.use=by_hand_configured", "optimizer.critic.group.biases.frozen=true",
                    "optimizer.critic.group.biases.lr_scale=1");
    cr_expect_eq(o.status, 0, "%s", o.err);
    char *text = run_read("runs/frozen/version_0/metrics.csv");
    cr_expect_not_null(strstr(text, "lr-adam,"), "one group is left:\n%s", text);
    outcome_free(&o);
    free(text);
    o = RUN("check", "run.ini", "model.use=by_hand_configured", "optimizer.critic.group.biases.parameters=critic.b1");
    cr_expect_eq(o.status, 1);
    cr_expect_not_null(strstr(o.err, "says itself which it has"), "%s", o.err);
    outcome_free(&o);
    json_decref(document);
}

Test(by_hand, several_updates_are_one_plan_and_a_batch_that_does_something_else_is_another)
{
    for (size_t i = 0; i < WAYS; i++) {
        char *says = str_format("plans:   %d compiled", ways[i].plans);
        write_way(&ways[i]);
        outcome o = RUN("fit", "run.ini", "--verbose");
        cr_assert_eq(o.status, 0, "%s: %s", ways[i].how, o.err);
        cr_expect_not_null(strstr(o.err, says), "%s: not '%s' in %s", ways[i].how, says, o.err);
        outcome_free(&o);
        free(says);
    }
}

Test(by_hand, a_resumed_run_goes_on_to_the_same_bits_with_what_was_accumulated)
{
    static const char model[] = "runs/run/version_0/checkpoints/last/model.safetensors";
    static const char *const stops[] = { "trainer.max_epochs=1", "trainer.max_steps=3" };
    char whole[65], parted[65];
    for (size_t i = 0; i < WAYS; i++) {
        char *dir = str_format("run.dir=whole-%s", ways[i].how);
        write_way(&ways[i]);
        must_fit(dir, NULL, NULL);
        char *path = str_format("whole-%s/%s", ways[i].how, model + strlen("runs/"));
        run_sha256(path, whole);
        cr_assert(whole[0]);
        for (size_t k = 0; k < 2; k++) {
            char *to = str_format("run.dir=%zu-%zu", i, k), *at = str_format("%zu-%zu/%s", i, k, model + strlen("runs/"));
            must_fit(to, stops[k], NULL);
            must_fit(to, "--resume", "auto");
            cr_expect_str_eq(run_sha256(at, parted), whole, "%s after %s", ways[i].how, stops[k]);
            free(to);
            free(at);
        }
        free(path);
        free(dir);
    }
}

/* The loss of a critic is a difference of means, which is small beside what is rounded; and rounding moves ten updates. In
 * 16-mixed the first penalty of wgan_gp is of a gradient that overflows at the first scale, so that its losses are an update
 * behind. */
Test(by_hand, in_lower_precisions_losses_are_near_and_a_resumed_run_goes_on_to_the_same_bits)
{
    static const char *const precisions[] = { "bf16-mixed", "bf16-true", "16-mixed" };
    json_t *document = golden();
    char whole[65], parted[65];
    for (size_t i = 0; i < WAYS; i++)
        for (size_t k = 0; k < 3; k++) {
            const char *how = ways[i].how;
            bool behind = strcmp(how, "wgan_gp") == 0 && k == 2;
            char *in = str_format("trainer.precision=%s", precisions[k]), *dir = str_format("%s-%s", precisions[k], how);
            char *to = str_format("run.dir=%s", dir), *other = str_format("%s-parted", to);
            char *path = str_format("%s/run/version_0/checkpoints/last/model.safetensors", dir);
            char *at = str_format("%s-parted/run/version_0/checkpoints/last/model.safetensors", dir);
            write_way(&ways[i]);
            must_fit(in, to, NULL);
            if (!behind)
                expect_losses(how, dir, json_object_get(json_array_get(json_object_get(document, "cases"), i), "losses"), 0.06);
            must_fit(in, other, "trainer.max_steps=3");
            outcome o = RUN("fit", "run.ini", in, other, "--resume", "auto");
            cr_assert_eq(o.status, 0, "%s: %s", dir, o.err);
            outcome_free(&o);
            cr_assert(*run_sha256(path, whole));
            cr_expect_str_eq(run_sha256(at, parted), whole, "%s", dir);
            char *const all[] = { in, dir, to, other, path, at };
            for (size_t n = 0; n < sizeof all / sizeof *all; n++)
                free(all[n]);
        }
    json_decref(document);
}

Test(by_hand, rates_are_logged_by_optimizer_and_group_and_steps_are_counted_once)
{
    static const struct {
        const char *name;
        double second;
    } columns[] = { { "lr-sgd", 0.05 }, { "lr-adam/pg1", 0.002 }, { "lr-adam/pg2", 0.02 }, { "step", 2 } };
    double got[MOST];
    write_way(&ways[0]);
    must_fit(NULL, NULL, NULL);
    char *text = run_read(METRICS);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        cr_assert_eq(run_column(text, columns[i].name, got, MOST), MOST, "%s in\n%s", columns[i].name, text);
        cr_expect_float_eq(got[1], columns[i].second, 1e-15, "%s: %g", columns[i].name, got[1]);
    }
    free(text);
}

Test(by_hand, what_makes_no_sense_is_refused_with_its_place)
{
    static const struct {
        const char *sections, *says;
    } cases[] = {
        { "[optimizer]\nuse = sgd\n", "by_hand.c:66: the run file has no [optimizer.generator]; there are [optimizer]" },
        { "how = accumulate\n[optimizer]\nuse = sgd\n[scheduler]\nuse = constant\n",
          "lth_scheduler_step: [optimizer] has no scheduler with interval = manual" },
        { "how = unnamed\n" TWO, "the run file has no [optimizer]; there are [optimizer.generator], [optimizer.critic]" },
        { "how = uncounted\n" TWO, "lth_optimizer_step was given 0 gradients; optimizer 0 has 2 parameters" },
        { "how = stale\n" TWO, "as its update in this step left them: what was computed before an update is computed again after it" },
        { "how = clip\n" TWO, "lth_clip_grad_norm: the norm must be 0 or above, not -1" },
        { TWO "[optimizer.third]\nparameters = generator.\nuse = sgd\n",
          "run.ini:23: [optimizer.third] parameter 'generator.weight' is [optimizer.generator]'s already" },
        { TWO "[optimizer.third]\nuse = sgd\n",
          "run.ini:23: [optimizer.third] has nothing to train: the others have all parameters" },
        { TWO "[optimizer.a]\nuse = sgd\n[optimizer.b]\nuse = sgd\n",
          "run.ini:25: [optimizer.b] needs `parameters`: [optimizer.a] has none" },
        { "[optimizer.generator]\nparameters = generator.\nuse = sgd\n",
          "parameter 'critic.w1' is no optimizer's: add it to one" },
        { TWO "[scheduler]\nuse = constant\n", "run.ini:23: [scheduler] is used by nobody" },
        { TWO "[optimizer.other.group.a]\nparameters = critic.\nuse = sgd\n",
          "run.ini:23: [optimizer.other.group.a] is used by nobody" },
        { TWO "[optimizer.critic.group.a]\nparameters = generator.\n",
          "'generator.' matches none of the optimizer's parameters" },
        { TWO "[optimizer.critic.group.a]\nparameters = critic.\nfrozen = true\n",
          "[optimizer.critic] has nothing to train: all" },
        { TWO "[scheduler.critic]\nuse = constant\ninterval = manual\nfrequency = 2\n",
          "[scheduler.critic] frequency: with interval = manual" },
        { "how = nothing\n[optimizer.generator]\nparameters = generater.\nuse = sgd\n[optimizer]\nuse = sgd\n",
          "run.ini:18: [optimizer.generator] parameters: 'generater.' matches none of the model's parameters (did you mean "
          "'generator'?)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *ini = str_format(BASE "%s", cases[i].sections);
        run_write("run.ini", ini);
        outcome o =
            RUN(strstr(cases[i].says, "lth_scheduler_step") ? "fit" : "check", "run.ini"); /* the first batch calls it not */
        cr_expect_eq(o.status, 1, "%s: %d\n%s", cases[i].sections, o.status, o.err);
        cr_expect_not_null(strstr(o.err, cases[i].says), "'%s' is said instead of '%s'", o.err, cases[i].says);
        outcome_free(&o);
        free(ini);
    }
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_steps = 1\n[data]\nuse = digits\n[model]\nuse = linear\n"
                         "[optimizer]\nuse = sgd\n[scheduler]\nuse = constant\ninterval = manual\n");
    outcome o = RUN("check", "run.ini");
    cr_expect_not_null(
        strstr(o.err, "[scheduler] interval = manual is for a model that optimizes by hand, which 'linear' does not"), "%s",
        o.err);
    outcome_free(&o);
}

Test(by_hand, accumulation_wants_memory_that_the_model_asks_for)
{
    write_way(&ways[2]);
    outcome o = RUN("check", "run.ini", "model.use=by_hand_lean");
    cr_expect_eq(o.status, 1);
    cr_expect_not_null(strstr(o.err, "lth_accumulate needs .accumulates = 1"), "%s", o.err);
    outcome_free(&o);
}

Test(by_hand, an_epoch_that_updates_nothing_is_told)
{
    run_write("run.ini", BASE "how = nothing\n" TWO);
    outcome o = RUN("fit", "run.ini");
    cr_expect_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "called lth_minimize or lth_optimizer_step: nothing was trained"), "%s", o.err);
    outcome_free(&o);
}
