/* SPDX-License-Identifier: Apache-2.0
 * The run files that come with the models, and those of runs/: each is in order, and says what it lacks. */
#include "integration/run_lthost.h"

#include "util/str.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS LTHOST_TEST_SOURCE "/tests/integration/runs/"
#define DATA LTHOST_TEST_SOURCE "/../shared/data"

/* gcc 12's leak checker crashes at the end of a process whose pool of compute threads was begun. */
#define ONE_THREAD "run.threads=1"

TestSuite(run_files, .init = run_begin, .fini = run_end);

Test(run_files, of_every_model_trains_for_two_steps)
{
    static const struct {
        const char *model;
        bool wants_text;
    } cases[] = {
        { "autoencoder", false }, { "encoder", false }, { "gan", false }, { "gpt", true },     { "linear", false },
        { "llama", true },        { "lstm", false },    { "mlp", false }, { "resnet", false },
    };
    char text[4096], here[4096];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = "To be, or not to be.\n"[i * i % 21];
    text[sizeof text - 1] = 0;
    run_write("text.txt", text);
    cr_assert_not_null(getcwd(here, sizeof here));
    char *path = str_format("data.path=%s/text.txt", here); /* a relative one would be taken from the run file's folder */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *file = str_format("%s/plugins/models/%s/run.ini", LTHOST_TEST_SOURCE, cases[i].model);
        const char *const arguments[] = { "fit", file, "trainer.fast_dev_run=2", ONE_THREAD, cases[i].wants_text ? path : NULL,
                                          NULL };
        outcome o = run_lthost(arguments);
        cr_expect_eq(o.status, 0, "%s: %s", cases[i].model, o.err);
        outcome_free(&o);
        free(file);
    }
    free(path);
}

Test(run_files, of_the_long_runs_say_which_file_is_missing)
{
    outcome o = RUN("check", RUNS "mnist.ini", "data.images=/nowhere/images.gz");
    cr_expect_neq(o.status, 0);
    cr_expect_not_null(strstr(o.err, "/nowhere/images.gz: cannot be opened: No such file"), "%s", o.err);
    outcome_free(&o);
    o = RUN("check", RUNS "shakespeare.ini", "data.path=/nowhere/text.txt");
    cr_expect_neq(o.status, 0);
    cr_expect_not_null(strstr(o.err, "/nowhere/text.txt: cannot be opened: No such file"), "%s", o.err);
    outcome_free(&o);
}

Test(run_files, of_the_long_runs_are_in_order_where_their_data_is)
{
    static const struct {
        const char *run, *data;
    } cases[] = { { RUNS "mnist.ini", DATA "/mnist-10k" }, { RUNS "shakespeare.ini", DATA "/tinyshakespeare.txt" } };
    for (size_t i = 0; i < 2; i++) {
        if (access(cases[i].data, R_OK) != 0)
            cr_skip_test("%s is not here", cases[i].data);
        outcome o = RUN("fit", cases[i].run, "trainer.fast_dev_run=1", ONE_THREAD);
        cr_expect_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
    }
}
