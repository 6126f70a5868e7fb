/* SPDX-License-Identifier: Apache-2.0
 * Sections of optimizers and schedulers that nobody asks for. */
#include "integration/run_lthost.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(sections, .init = run_begin, .fini = run_end);

#define BY_DEFAULT                                                                                      \
    "[trainer]\naccelerator = reference\nmax_steps = 1\n[data]\nuse = digits\nbatch_size = 64\n"        \
    "[model]\nuse = mlp\n[optimizer]\nuse = adamw\n"
#define BY_THE_MODEL                                                                                    \
    "[trainer]\naccelerator = reference\nmax_steps = 1\n[data]\nuse = recorder_data\nbatch_size = 2\n"  \
    "[model]\nuse = recorder_manual\n[optimizer]\nuse = sgd\nlr = 0.1\n"

Test(sections, one_that_nobody_takes_is_refused_with_its_place)
{
    static const struct {
        const char *run, *said;
    } cases[] = {
        { BY_DEFAULT "[optimizer.b]\nuse = sgd\n", "run.ini:11: [optimizer.b] is a second optimizer beside [optimizer]: that needs a model" },
        { BY_DEFAULT "[scheduler.zz]\nuse = cosine\n", "run.ini:11: [scheduler.zz] is used by nobody" },
        { BY_THE_MODEL "[scheduler]\nuse = cosine\n", "run.ini:12: [scheduler] is used by nobody: the model 'recorder_manual'" },
        { BY_THE_MODEL "[optimizer.group.w]\nparameters = layer\n", "run.ini:12: [optimizer.group.w] is used by nobody" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_write("run.ini", cases[i].run);
        static const char *const stages[] = { "check", "fit" };
        for (size_t k = 0; k < 2; k++) {
            outcome o = RUN(stages[k], "run.ini");
            cr_expect_eq(o.status, 1, "%s: %d\n%s", stages[k], o.status, cases[i].run);
            cr_expect_not_null(strstr(o.err, cases[i].said), "not said: %s\n%s", cases[i].said, o.err);
            outcome_free(&o);
        }
    }
    run_write("run.ini", BY_DEFAULT);
    outcome o = RUN("check", "run.ini", "optimizer.b.use=sgd");
    cr_expect_eq(o.status, 1, "%d", o.status);
    cr_expect_not_null(strstr(o.err, "command line: [optimizer.b] is a second optimizer"), "%s", o.err);
    outcome_free(&o);
}

Test(sections, one_that_is_switched_off_or_taken_is_fine)
{
    static const char *const runs[] = { BY_DEFAULT "[optimizer.b]\nuse = sgd\nenabled = false\n",
                                        BY_DEFAULT "[optimizer.group.b]\nparameters = *.bias\n[scheduler]\nuse = cosine\n" };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        run_write("run.ini", runs[i]);
        outcome o = RUN("check", "run.ini");
        cr_expect_eq(o.status, 0, "%s\n%s", runs[i], o.err);
        outcome_free(&o);
    }
    run_write("run.ini", BY_THE_MODEL);
    outcome o = RUN("check", "run.ini", "model.several=true", "optimizer.second.use=sgd", "optimizer.second.lr=0.1");
    cr_expect_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}

Test(sections, what_the_model_asks_for_in_vain_is_told_with_its_place_once)
{
    run_write("run.ini", "[trainer]\naccelerator = reference\nmax_steps = 1\n[data]\nuse = digits\n[model]\nuse = gan\n"
                         "[optimizer.discriminator]\nuse = sgd\n");
    outcome o = RUN("check", "run.ini");
    cr_expect_eq(o.status, 1);
    const char *place = strstr(o.err, "gan.c:");
    cr_assert_not_null(place, "%s", o.err);
    cr_expect_null(strstr(place + 1, "gan.c:"), "%s", o.err);
    cr_expect_not_null(strstr(o.err, "no section [optimizer.generator]"), "%s", o.err);
    outcome_free(&o);
    o = RUN("check", "run.ini", "optimizer.generator.use=sgd", "optimizer.generator.parameters=generator.");
    cr_expect_eq(o.status, 1);
    cr_expect_not_null(strstr(o.err, "[optimizer.generator] parameters: the model 'gan' says itself which it has"), "%s", o.err);
    outcome_free(&o);
}
