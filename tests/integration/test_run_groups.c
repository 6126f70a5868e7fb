/* SPDX-License-Identifier: Apache-2.0
 * Groups of parameters, as the run file makes them: [optimizer.group.NAME]. */
#include "integration/run_lthost.h"

#include "trainer/safetensors.h"
#include "util/error.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define RUN_INI                                                                                                       \
    "[trainer]\naccelerator = reference\nmax_steps = 6\nlimit_val_batches = 0\nlog_every_n_steps = 1\n"                \
    "[model]\nuse = mlp\nhidden = 8\n[data]\nuse = digits\nbatch_size = 16\n[optimizer]\nuse = adamw\nlr = 0.01\n"
#define CHECKPOINT "runs/run/version_0/checkpoints/last/"

TestSuite(groups, .init = run_begin, .fini = run_end);

static void expect(const char *stage, const char *groups, int status, const char *says)
{
    char *ini = str_format(RUN_INI "%s", groups);
    run_write("run.ini", ini);
    outcome o = RUN(stage, "run.ini");
    cr_expect_eq(o.status, status, "%s: %d\n%s", groups, o.status, o.err);
    cr_expect_not_null(strstr(o.err, says), "'%s' is said instead of '%s'", o.err, says);
    outcome_free(&o);
    free(ini);
}

Test(groups, patterns_of_one_group_may_overlap) { expect("check", "[optimizer.group.a]\nparameters = *.bias, fc1., fc1.*\n", 0, ""); }

Test(groups, a_pattern_that_matches_nothing_is_told_with_what_was_meant)
{
    static const char group[] = "[optimizer.group.a]\nparameters = ";
    static const struct {
        const char *patterns, *says;
    } cases[] = {
        { "fc1.bias, fc2.wieght", "run.ini:15: [optimizer.group.a] parameters: 'fc2.wieght' matches none of the optimizer's parameters "
                                  "(did you mean 'fc2.weight'?)" },
        { "fc1., *.bais, fc3.", "'*.bais' matches none of the optimizer's parameters (did you mean 'bias'?); 'fc3.' matches none of the "
                                "optimizer's parameters (did you mean 'fc1'?)" },
        { "*norm*, fc1.", "'*norm*' matches none of the optimizer's parameters; there are fc1.weight, fc1.bias, fc2.weight, fc2.bias" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = str_format("%s%s\n", group, cases[i].patterns);
        expect("check", text, 1, cases[i].says);
        free(text);
    }
}

Test(groups, what_makes_no_sense_is_refused_with_its_place)
{
    static const struct {
        const char *groups, *says;
    } cases[] = {
        { "[optimizer.group.a]\nparameters = fc1.\n[optimizer.group.b]\nparameters = *.bias\n",
          "run.ini:17: [optimizer.group.b] parameter 'fc1.bias' is in another group already" },
        { "[optimizer.group.a]\nlr = 0.1\n", "run.ini:15: [optimizer.group.a] does not say which parameters it has" },
        { "[optimizer.group.a]\nparameters = fc\nfrozen = true\n", "[optimizer] has nothing to train: all its parameters are frozen" },
        { "[optimizer.group.a]\nparameters = fc1.\nfrozen = true\nlr = 0.1\n", "run.ini:18: [optimizer.group.a] lr: a frozen group" },
        { "[optimizer.group.a]\nparameters = fc1.\nfrozen = true\nlr_scale = 2\n", "run.ini:18: [optimizer.group.a] lr_scale: a frozen" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect("check", cases[i].groups, 1, cases[i].says);
    expect("check", "[optimizer.group.a]\nparameters = fc1.\nrate = 2\n", 2, "[optimizer.group.a] has no option 'rate'");
}

static uint32_t read_tensor(const char *path, const char *name, float *out, uint32_t most)
{
    safetensors_file *f;
    error e = { 0 };
    cr_assert_eq(safetensors_open(path, &f, &e), LTH_OK, "%s", e.text);
    int64_t at = safetensors_find(f, name);
    uint32_t count = at < 0 ? 0 : (uint32_t)lth_shape_count(&safetensors_at(f, (uint32_t)at)->shape);
    cr_assert(count <= most);
    if (count)
        cr_assert_eq(safetensors_read(f, (uint32_t)at, out, &e), LTH_OK, "%s", e.text);
    safetensors_close(f);
    return count;
}

static void must_fit(const char *a, const char *b, const char *c)
{
    outcome o = RUN("fit", "run.ini", a, a ? b : NULL, a && b ? c : NULL);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}

Test(groups, a_frozen_one_stays_as_it_was_has_no_state_and_is_in_the_checkpoint)
{
    float before[2][512], after[2][512], state[512];
    static const char *const names[] = { "fc1.weight", "fc2.weight" };
    run_write("run.ini", RUN_INI "[optimizer.group.a]\nparameters = fc1.weight\nfrozen = true\n");
    must_fit("run.dir=start", "trainer.max_steps=1", NULL);
    for (size_t i = 0; i < 2; i++)
        cr_assert_gt(read_tensor("start/run/version_0/checkpoints/last/model.safetensors", names[i], before[i], 512), 0);
    must_fit(NULL, NULL, NULL);
    for (size_t i = 0; i < 2; i++)
        cr_assert_gt(read_tensor(CHECKPOINT "model.safetensors", names[i], after[i], 512), 0);
    cr_expect_eq(memcmp(before[0], after[0], sizeof after[0]), 0, "the frozen group was trained");
    cr_expect_neq(memcmp(before[1], after[1], 80 * sizeof(float)), 0, "the rest was not");
    cr_expect_eq(read_tensor(CHECKPOINT "optimizer.safetensors", "adamw/fc1.weight/exp_avg", state, 512), 0);
    cr_expect_eq(read_tensor(CHECKPOINT "optimizer.safetensors", "adamw/fc1.bias/exp_avg", state, 512), 8);
}

Test(groups, a_run_with_them_resolves_to_a_run_file_that_runs_and_goes_on_to_the_same_bits)
{
    char whole[65], parted[65];
    run_write("run.ini", RUN_INI "weight_decay = 0.1\n[optimizer.group.a]\nparameters = fc1.weight\nfrozen = true\n"
                                 "[optimizer.group.b]\nparameters = *.bias\nweight_decay = 0\nlr_scale = 3\n");
    must_fit("run.dir=whole", NULL, NULL);
    must_fit("run.dir=parted", "trainer.max_steps=3", NULL);
    outcome o = RUN("fit", "parted/run/version_0/run.ini", "trainer.max_steps=6", "--resume", "last");
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_str_eq(run_sha256("whole/run/version_0/checkpoints/last/model.safetensors", whole),
                     run_sha256("parted/run/version_0/checkpoints/last/model.safetensors", parted));
    cr_expect(whole[0]);
    outcome_free(&o);
}

Test(groups, rates_and_decay_are_their_own_and_a_schedule_scales_them_all)
{
    enum { STEPS = 6 };
    double rates[3][STEPS], decay[2][STEPS];
    run_write("run.ini", RUN_INI "weight_decay = 0.1\n[optimizer.group.a]\nparameters = fc1.weight\nlr_scale = 3\n"
                                 "[optimizer.group.b]\nparameters = *.bias\nweight_decay = 0\nlr = 0.5\n"
                                 "[scheduler]\nuse = exponential\ngamma = 0.5\ninterval = step\n"
                                 "[callback.lr_monitor]\nlog_weight_decay = true\n[logger.csv]\n");
    must_fit(NULL, NULL, NULL);
    char *text = run_read("runs/run/version_0/metrics.csv");
    static const char *const names[] = { "lr-adamw/pg1", "lr-adamw/pg2", "lr-adamw/pg3" };
    for (size_t g = 0; g < 3; g++)
        cr_assert_eq(run_column(text, names[g], rates[g], STEPS), STEPS, "%s in\n%s", names[g], text);
    cr_assert_eq(run_column(text, "lr-adamw/pg1-weight_decay", decay[0], STEPS), STEPS, "%s", text);
    cr_assert_eq(run_column(text, "lr-adamw/pg3-weight_decay", decay[1], STEPS), STEPS, "%s", text);
    for (int t = 0; t < STEPS; t++) {
        cr_expect_float_eq(rates[0][t], 0.01 / (1 << t), 1e-15);
        cr_expect_float_eq(rates[1][t], 0.03 / (1 << t), 1e-15);
        cr_expect_float_eq(rates[2][t], 0.5 / (1 << t), 1e-15);
        cr_expect_eq(decay[0][t], 0.1);
        cr_expect_eq(decay[1][t], 0);
    }
    free(text);
}
