/* SPDX-License-Identifier: Apache-2.0
 * Whose time is counted where. How long things took is not asserted, but that no time is lost. */
#include "trainer/crash.h"
#include "trainer/profile.h"
#include "util/clock.h"
#include "util/thread.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static profile *p;

static void begin(void)
{
    p = profile_new();
    crash_crumb.profile = profile_begin(p, PROFILE_START_UP);
}

static void end(void)
{
    crash_crumb.profile = NULL;
    profile_free(p);
}

TestSuite(profile, .init = begin, .fini = end);

static profile_row find(profile_part part, const char *section, const char *hook)
{
    size_t count;
    profile_row *rows = profile_rows(p, &count), found = { .calls = 0, .nanoseconds = -1 };
    for (size_t i = 0; i < count; i++)
        if (rows[i].part == part &&
            (hook ? rows[i].hook && !strcmp(rows[i].hook, hook) && !strcmp(rows[i].section, section) : !rows[i].hook)) {
            cr_assert_eq(found.nanoseconds, -1, "alike rows are one");
            found = rows[i];
        }
    free(rows);
    return found;
}

Test(profile, calls_are_counted_by_section_hook_and_part)
{
    char twin[] = "on_train_batch_end"; /* the same text elsewhere */
    for (int i = 0; i < 3; i++) {
        crash_enter("callback.a", "a", "on_train_batch_end");
        crash_leave();
        crash_enter("callback.b", "b", "on_train_batch_end");
        crash_leave();
    }
    profile_set_part(crash_crumb.profile, PROFILE_LOOP);
    crash_enter("callback.a", "a", "on_train_batch_end");
    crash_leave();
    crash_enter("callback.a", "a", twin);
    crash_leave();
    cr_expect_eq(find(PROFILE_START_UP, "callback.a", "on_train_batch_end").calls, 3);
    cr_expect_eq(find(PROFILE_START_UP, "callback.b", "on_train_batch_end").calls, 3);
    cr_expect_eq(find(PROFILE_LOOP, "callback.a", "on_train_batch_end").calls, 2);
    cr_expect_eq(find(PROFILE_LOOP, "callback.b", "on_train_batch_end").calls, 0);
}

Test(profile, what_the_host_does_for_a_hook_is_not_that_hooks_and_the_call_is_one)
{
    profile_set_part(crash_crumb.profile, PROFILE_LOOP);
    crash_enter("callback.best", "checkpoint", "on_validation_end");
    const crash_who who = crash_pause();
    profile_part before = profile_set_part(crash_crumb.profile, PROFILE_CHECKPOINT);
    crash_enter("model", "mlp", "save");
    crash_leave();
    profile_set_part(crash_crumb.profile, before);
    crash_go_on(&who);
    crash_leave();
    cr_expect_eq(before, PROFILE_LOOP);
    cr_expect_eq(find(PROFILE_LOOP, "callback.best", "on_validation_end").calls, 1);
    cr_expect_eq(find(PROFILE_CHECKPOINT, "model", "save").calls, 1);
    cr_expect_geq(find(PROFILE_CHECKPOINT, NULL, NULL).nanoseconds, 0);
}

Test(profile, a_part_can_change_within_a_hook)
{
    crash_enter("callback.best", "checkpoint", "on_validation_end");
    profile_part before = profile_set_part(crash_crumb.profile, PROFILE_CHECKPOINT);
    profile_set_part(crash_crumb.profile, before);
    crash_leave();
    cr_expect_eq(find(PROFILE_START_UP, "callback.best", "on_validation_end").calls, 1);
    cr_expect_geq(find(PROFILE_CHECKPOINT, "callback.best", "on_validation_end").nanoseconds, 0);
}

Test(profile, all_of_a_threads_time_is_in_some_row)
{
    int64_t began = clock_nanoseconds();
    crash_enter("model", "mlp", "training_step");
    while (clock_nanoseconds() - began < 20000000)
        continue;
    crash_leave();
    int64_t least = clock_nanoseconds() - began, sum = 0;
    size_t count;
    profile_row *rows = profile_rows(p, &count);
    for (size_t i = 0; i < count; i++)
        sum += rows[i].nanoseconds;
    free(rows);
    cr_expect_geq(sum, least);
    cr_expect_geq(find(PROFILE_START_UP, "model", "training_step").nanoseconds, 20000000);
}

static void other(void *context)
{
    (void)context;
    crash_crumb.profile = profile_begin(p, PROFILE_OTHER_THREADS);
    crash_enter("data", "digits", "fetch");
    crash_leave();
}

Test(profile, hooks_on_other_threads_stand_apart_and_their_waiting_is_left_out)
{
    thread t;
    error e = { 0 };
    cr_assert_eq(thread_start(&t, "other", other, NULL, &e), LTH_OK);
    thread_join(&t);
    cr_expect_eq(find(PROFILE_OTHER_THREADS, "data", "fetch").calls, 1);
    cr_expect_eq(find(PROFILE_OTHER_THREADS, NULL, NULL).nanoseconds, -1);
    cr_expect_eq(find(PROFILE_START_UP, "data", "fetch").calls, 0);
}
