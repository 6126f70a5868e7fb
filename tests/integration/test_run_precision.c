/* SPDX-License-Identifier: Apache-2.0
 * `precision` of a run file: what trains in a lower one learns as much, and what cannot is refused. */
#include "integration/run_lthost.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char run_ini[] = "[run]\nname = run\nseed = 1\n"
                              "[trainer]\nmax_epochs = 10\nenable_progress_bar = false\nenable_checkpointing = false\n"
                              "[model]\nuse = mlp\n"
                              "[data]\nuse = digits\nbatch_size = 64\n"
                              "[optimizer]\nuse = adamw\nlr = 3e-3\n"
                              "[callback.checkpoint]\nenabled = false\n"
                              "[logger.csv]\n";

TestSuite(precision, .init = run_begin, .fini = run_end);

static double accuracy(const char *precision, const char *accelerator)
{
    char setting[64], computed[64], dir[64], path[128];
    double values[16];
    snprintf(setting, sizeof setting, "trainer.precision=%s", precision);
    snprintf(computed, sizeof computed, "trainer.accelerator=%s", accelerator);
    snprintf(dir, sizeof dir, "run.dir=%s-%s", precision, accelerator);
    outcome o = RUN("fit", "run.ini", setting, computed, dir);
    cr_assert_eq(o.status, 0, "%s on %s: %s", precision, accelerator, o.err);
    outcome_free(&o);
    snprintf(path, sizeof path, "%s-%s/run/version_0/metrics.csv", precision, accelerator);
    char *text = run_read(path);
    int n = run_column(text, "val_acc", values, 16);
    cr_assert_eq(n, 10, "%s", text);
    free(text);
    return values[n - 1];
}

/* 0.97 at this seed in fp32; one in a hundred validation samples is 0.0028. */
Test(precision, the_mlp_learns_the_digits_as_well_in_every_precision)
{
    run_write("run.ini", run_ini);
    double exact = accuracy("32-true", "cpu");
    cr_assert_gt(exact, 0.95);
    static const char *const cases[][2] = {
        { "bf16-mixed", "cpu" }, { "bf16-true", "cpu" }, { "bf16-mixed", "reference" }, { "16-mixed", "reference" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = accuracy(cases[i][0], cases[i][1]);
        cr_expect(got > exact - 0.015, "%s on %s: %g, 32-true has %g", cases[i][0], cases[i][1], got, exact);
    }
}

Test(precision, one_that_the_accelerator_lacks_is_refused_at_its_line_with_what_would_be_right)
{
    static const char *const commands[] = { "fit", "check" };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        run_write("run.ini", "[trainer]\naccelerator = cpu\nprecision = 16-mixed\n[model]\nuse = mlp\n[data]\nuse = digits\n"
                             "[optimizer]\nuse = adamw\n");
        outcome o = RUN(commands[i], "run.ini");
        cr_expect_neq(o.status, 0);
        cr_expect(strstr(o.err, "run.ini:3: [trainer] precision = 16-mixed: the accelerator 'cpu' does not compute in f16; "
                                "it can 32-true, 64-true, bf16-mixed, bf16-true"),
                  "%s: %s", commands[i], o.err);
        outcome_free(&o);
    }
}
