/* SPDX-License-Identifier: Apache-2.0
 * A run that is killed before one of the system calls by which it changes its folder: of checkpoints, of removals, of the log
 * and of its own files, one after the other. By default every so many; each one of them:
 *     LTHOST_TEST_CALL_STRIDE=1 build/bin/test_kill --filter 'calls/?*' */
#include "end.h"
#include "supervise.h"

#include "util/file.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

TestSuite(calls, .init = run_begin, .fini = run_end);

static const char *const fit[] = { "fit", "run.ini", "trainer.max_epochs=2", NULL };

static void run_whole(const char *what)
{
    outcome o = run_lthost(fit);
    cr_assert_eq(o.status, 0, "%s: %s", what, o.err);
    outcome_free(&o);
}

Test(calls, a_run_that_is_killed_before_any_system_call_goes_on_to_the_same_end)
{
    int64_t stride = kill_setting("CALL_STRIDE", 71), killed = 0;
    error e = { 0 };
    if (!can_supervise())
        return;
    kill_run_file(KILL_DIGITS);
    run_whole("nobody kills it");
    end whole = end_of_run("nothing happens");
    for (int64_t at = 1;; at += stride) {
        char what[64];
        str log = { 0 };
        snprintf(what, sizeof what, "killed before call %lld", (long long)at);
        file_remove_tree("runs", &e);
        outcome o = supervised(fit, &(fault_plan) { .kind = FAULT_KILL, .at = at }, &log);
        bool over = o.status == 0;
        cr_assert(over || o.status == 1000 + SIGKILL, "%s: %d %s", what, o.status, o.err);
        outcome_free(&o);
        run_whole(what);
        end mine = end_of_run(what);
        expect_same_end(&whole, &mine, what);
        end_free(&mine);
        str_free(&log);
        if (over)
            break;
        killed++;
    }
    fprintf(stderr, "killed before %lld calls\n", (long long)killed);
    cr_expect_gt(killed, 200 / stride);
    end_free(&whole);
}
