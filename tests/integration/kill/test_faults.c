/* SPDX-License-Identifier: Apache-2.0
 * A run whose system calls fail, one at a time or from one on: what it says, how it ends, and that nothing is lost by it.
 * By default a list of faults, and every so many of all calls; each one of them:
 *     LTHOST_TEST_CALL_STRIDE=1 build/bin/test_kill --filter 'faults/?*' */
#include "end.h"
#include "supervise.h"

#include "util/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(faults, .init = run_begin, .fini = run_end);

static const char *const fit[] = { "fit", "run.ini", "trainer.max_epochs=2", NULL };

static void start_anew(void)
{
    error e = { 0 };
    file_remove_tree("runs", &e);
}

static end whole_run(void)
{
    kill_run_file(KILL_DIGITS);
    outcome o = run_lthost(fit);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    return end_of_run("nothing happens");
}

/* Started again without faults it ends with the same model, from checkpoints that are all whole. */
static void expect_resumable(const end *whole, const char *what)
{
    outcome o = run_lthost(fit);
    cr_expect_eq(o.status, 0, "%s: then %d: %s", what, o.status, o.err);
    cr_expect_null(strstr(o.err, "damaged"), "%s: %s", what, o.err);
    outcome_free(&o);
    end mine = end_of_run(what);
    cr_expect_str_eq(mine.model, whole->model, "%s: the model differs", what);
    end_free(&mine);
}

#define GOES_ON "was not saved: cannot ", "; training goes on, and ", "1 checkpoint could not be saved"
#define RESTS "[logger.csv] ", "the run goes on without this logger", "stopped before the end"

/* The third call of a kind, where nothing else is said: two checkpoints are there then. */
static const struct {
    fault_plan plan;
    int status;
    const char *says[5];
} cases[] = {
    { { .only = "mkdir .writing-", .code = ENOSPC }, 1, { GOES_ON, "No space left on device (make room there" } },
    { { .only = "create model.safetensors", .code = EDQUOT }, 1, { GOES_ON, "Disk quota exceeded (make room within the quota" } },
    { { .only = "write model.safetensors", .code = ENOSPC }, 1, { GOES_ON, "model.safetensors': No space left on device" } },
    { { .only = "write optimizer.safetensors", .code = EIO }, 1, { GOES_ON, "Input/output error (the disk or its connection" } },
    { { .only = "write state.json", .code = EDQUOT }, 1, { GOES_ON, "state.json': Disk quota exceeded" } },
    { { .only = "create manifest.json", .code = EROFS }, 1, { GOES_ON, "Read-only file system (it is mounted read-only" } },
    { { .only = "sync model.safetensors", .code = EIO }, 1, { GOES_ON, "sync '", "model.safetensors': Input/output error" } },
    { { .only = "sync manifest.json", .code = EIO }, 1, { GOES_ON, "sync '", "manifest.json': Input/output error" } },
    { { .only = "sync .writing-", .code = EIO }, 1, { GOES_ON, "Input/output error" } },
    { { .only = "rename epoch=", .code = EIO }, 1, { GOES_ON, "Input/output error" } },
    { { .only = "symlink .link-last", .code = ENOSPC }, 1, { GOES_ON, "No space left on device" } },
    { { .only = "rename last", .code = EIO }, 1, { GOES_ON, "Input/output error" } },
    { { .only = "rename .removing-", .at = 1, .code = EIO }, 0, { "warning: cannot rename", "Input/output error" } },
    { { .only = "write metrics.csv", .code = ENOSPC }, 0, { RESTS, "metrics.csv: No space left on device" } },
    { { .only = "sync metrics.csv", .code = EIO }, 0, { RESTS, "metrics.csv: Input/output error" } },
    { { .only = "rename metrics.csv", .at = 1, .code = EDQUOT }, 0, { RESTS, "metrics.csv: Disk quota exceeded" } },
    { { .only = "create .lock", .at = 1, .code = EROFS },
      1,
      { "lthost: error: cannot open '", ".lock': Read-only file system" } },
    { { .only = "create .run.ini", .at = 1, .code = ENOSPC },
      1,
      { "lthost: error: cannot create '", "No space left on device" } },
    { { .only = "write ", .at = 60, .from_there = true, .code = ENOSPC },
      1,
      { "; training goes on, and the newest checkpoint is still 'epoch=", "lthost: error: ", "No space left on device" } },
};

Test(faults, each_says_what_failed_and_what_helps_and_no_checkpoint_is_lost)
{
    if (!can_supervise())
        return;
    end whole = whole_run();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fault_plan plan = cases[i].plan;
        plan.kind = FAULT_ERROR;
        plan.at = plan.at ? plan.at : 3;
        start_anew();
        outcome o = supervised(fit, &plan, NULL);
        cr_expect_eq(o.status, cases[i].status, "%s: %d\n%s", plan.only, o.status, o.err);
        for (size_t k = 0; k < 5 && cases[i].says[k]; k++)
            cr_expect_not_null(strstr(o.err, cases[i].says[k]), "%s: it does not say '%s':\n%s", plan.only, cases[i].says[k],
                               o.err);
        outcome_free(&o);
        expect_resumable(&whole, plan.only);
    }
    end_free(&whole);
}

Test(faults, writes_that_are_cut_short_go_on)
{
    if (!can_supervise())
        return;
    end whole = whole_run();
    start_anew();
    outcome o = supervised(fit, &(fault_plan) { .kind = FAULT_SHORT }, NULL);
    cr_expect_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    end mine = end_of_run("short writes");
    expect_same_end(&whole, &mine, "short writes");
    end_free(&mine);
    end_free(&whole);
}

/* Of a run without faults. */
static int64_t count_calls(void)
{
    int64_t calls = 0;
    str log = { 0 };
    start_anew();
    outcome o = supervised(fit, &(fault_plan) { .kind = FAULT_NONE }, &log);
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    for (const char *line = str_text(&log); (line = strchr(line, '\n')); line++)
        calls++;
    str_free(&log);
    return calls;
}

Test(faults, any_call_may_fail)
{
    static const int codes[] = { ENOSPC, EIO, EDQUOT };
    int64_t stride = kill_setting("CALL_STRIDE", 97), failed = 0, tried = 0;
    if (!can_supervise())
        return;
    end whole = whole_run();
    int64_t calls = count_calls();
    for (int64_t at = 1; at <= calls; at += stride, tried++) {
        int code = codes[tried % 3];
        char what[80];
        snprintf(what, sizeof what, "%s at call %lld", strerror(code), (long long)at);
        start_anew();
        outcome o = supervised(fit, &(fault_plan) { .kind = FAULT_ERROR, .at = at, .code = code }, NULL);
        cr_expect(o.status == 0 || o.status == 1, "%s: %d\n%s", what, o.status, o.err);
        cr_expect(o.status == 0 || strstr(o.err, strerror(code)), "%s: it is not told:\n%s", what, o.err);
        failed += o.status != 0;
        outcome_free(&o);
        expect_resumable(&whole, what);
    }
    fprintf(stderr, "%lld calls failed, %lld of them told by the run's exit status\n", (long long)tried, (long long)failed);
    end_free(&whole);
}

/* ---- Damage ---- */

static void flip_a_bit(const char *path)
{
    FILE *f = fopen(path, "r+");
    cr_assert_not_null(f, "%s", path);
    fseek(f, 0, SEEK_END);
    long at = ftell(f) / 2;
    fseek(f, at, SEEK_SET);
    int c = getc(f);
    fseek(f, at, SEEK_SET);
    putc(c ^ 16, f);
    fclose(f);
}

Test(faults, a_flipped_bit_in_any_file_of_the_newest_checkpoint_is_found_and_the_one_before_is_used)
{
    static const char *const files[] = { "model.safetensors", "optimizer.safetensors", "state.json", "run.ini", "manifest.json" };
    end whole = whole_run();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        start_anew();
        outcome o = RUN("fit", "run.ini", "trainer.max_epochs=1");
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
        char *path = str_format(KILL_RUN "checkpoints/last/%s", files[i]);
        flip_a_bit(path);
        free(path);
        o = run_lthost(fit);
        cr_expect_eq(o.status, 0, "%s: %s", files[i], o.err);
        cr_expect_not_null(strstr(o.err, "is damaged and is passed over; it is now '"), "%s: %s", files[i], o.err);
        cr_expect_not_null(strstr(o.err, files[i]), "%s: %s", files[i], o.err);
        cr_expect_not_null(strstr(o.err, "resumed from runs/run/version_0/checkpoints/epoch=0-step=8"), "%s", o.err);
        outcome_free(&o);
        end mine = end_of_run(files[i]);
        cr_expect_str_eq(mine.model, whole.model, "%s: the model differs", files[i]);
        end_free(&mine);
    }
    end_free(&whole);
}
