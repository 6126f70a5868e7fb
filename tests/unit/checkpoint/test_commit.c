/* SPDX-License-Identifier: Apache-2.0
 * The commit protocol against kill -9, failing and short system calls, one after the other. */
#include "help.h"

#include "util/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(commit, .init = make_folder, .fini = remove_folder);

/* An empty folder with one checkpoint, "a" of step 10. */
static void begin_again(void)
{
    error e = { 0 };
    file_remove_tree(in_folder("checkpoints"), NULL);
    checkpoint_dir *d = open_dir();
    cr_assert_eq(save_one(d, "a", 10, false, &e), LTH_OK, "%s", e.text);
    checkpoint_dir_close(d);
}

static int hidden_names(void)
{
    file_names names;
    int hidden = 0;
    cr_assert_eq(file_list(in_folder("checkpoints"), &names, NULL), LTH_OK);
    for (size_t i = 0; i < names.count; i++)
        hidden += names.at[i][0] == '.';
    file_names_free(&names);
    return hidden;
}

static int64_t step_of_last(void)
{
    checkpoint *c;
    error e = { 0 };
    cr_assert_eq(open_which("last", true, true, &c, &e), LTH_OK, "%s", e.text);
    cr_assert_str_eq(warnings, "", "nothing half-written is taken for a checkpoint");
    int64_t step = check_whole(c);
    checkpoint_close(c);
    return step;
}

/* What a run does with checkpoints: the next one, a link, the old one goes. */
static void run_through(void)
{
    error e = { 0 };
    checkpoint_dir *d = open_dir();
    if (save_one(d, "b", 20, false, &e) || checkpoint_set_best(d, "b", &e) || checkpoint_remove(d, "a", &e))
        _exit(1);
    checkpoint_dir_close(d);
}

Test(commit, survives_kill_9_before_every_system_call)
{
    int killed = 0, old = 0, new = 0;
    for (int at = 1;; at++) {
        begin_again();
        pid_t child = fork();
        if (!child) {
            faults_begin(FAULT_KILL, at, 0);
            run_through();
            faults_end();
            _exit(0);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        int64_t step = step_of_last();
        cr_assert(step == 10 || step == 20);
        step == 10 ? old++ : new ++;
        checkpoint_dir *d = open_dir(); /* the next process clears up ... */
        cr_assert_eq(hidden_names(), 0);
        error e = { 0 };
        if (!checkpoint_exists(d, "b"))
            cr_assert_eq(save_one(d, "b", 20, false, &e), LTH_OK, "%s", e.text); /* ... and goes on */
        cr_assert_eq(step_of_last(), 20);
        checkpoint_dir_close(d);
        if (WIFEXITED(status)) {
            cr_assert_eq(WEXITSTATUS(status), 0);
            break;
        }
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        killed++;
    }
    cr_assert(killed > 30 && old > 15 && new > 10, "%d killed: %d before the commit, %d after", killed, old, new);
}

Test(commit, a_failing_system_call_is_told_and_leaves_the_last_checkpoint_as_it_was)
{
    const int codes[] = { EIO, ENOSPC };
    for (int k = 0; k < 2; k++) {
        int failed = 0;
        for (int at = 1;; at++) {
            begin_again();
            error e = { 0 };
            checkpoint_dir *d = open_dir();
            faults_begin(FAULT_ERROR, at, codes[k]);
            lth_status status = save_one(d, "b", 20, false, &e);
            int calls = faults_end();
            if (status) {
                failed++;
                cr_assert_eq(status, LTH_IO);
                cr_assert(strstr(e.text, strerror(codes[k])), "call %d: %s\n%s", at, e.text, fault_log);
                cr_assert(strstr(e.text, "checkpoint 'b' was not saved"));
                cr_assert(!checkpoint_exists(d, "b") && hidden_names() == 0, "call %d leaves something behind:\n%s", at,
                          fault_log);
                cr_assert_eq(step_of_last(), 10);
                cr_assert_eq(save_one(d, "b", 20, false, NULL), LTH_OK, "the next save works");
            }
            cr_assert_eq(step_of_last(), 20);
            checkpoint_dir_close(d);
            if (calls < at)
                break;
        }
        cr_assert_gt(failed, 20);
    }
}

Test(commit, short_writes_go_on)
{
    error e = { 0 };
    begin_again();
    checkpoint_dir *d = open_dir();
    faults_begin(FAULT_SHORT, 0, 0);
    cr_assert_eq(save_one(d, "b", 20, false, &e), LTH_OK, "%s", e.text);
    cr_assert_gt(faults_end(), 40);
    cr_assert_eq(step_of_last(), 20);
    checkpoint_dir_close(d);
}

/* The place of a line in the log; the last one where it comes several times. */
static const char *place(const char *line)
{
    const char *found = NULL;
    for (const char *at = fault_log; (at = strstr(at, line)); at++)
        found = at;
    cr_assert(found, "'%s' is not in\n%s", line, fault_log);
    return found;
}

Test(commit, everything_is_on_disk_before_the_rename_and_the_rename_before_the_link)
{
    error e = { 0 };
    begin_again();
    checkpoint_dir *d = open_dir();
    faults_begin(FAULT_NONE, 0, 0);
    cr_assert_eq(save_one(d, "b", 20, false, &e), LTH_OK);
    faults_end();
    const char *const files[] = { "model.safetensors", "optimizer.safetensors", "state.json", "run.ini", "manifest.json" };
    char line[64];
    for (int i = 0; i < 5; i++) {
        snprintf(line, sizeof line, "fsync %s\n", files[i]);
        const char *synced = place(line);
        snprintf(line, sizeof line, "write %s\n", files[i]);
        cr_assert_lt(place(line), synced);
        cr_assert_leq(synced, place("fsync manifest.json\n"), "the manifest comes last");
    }
    const char *const steps[] = { "fsync manifest.json\n", "fsync .writing-b\n", "renameat2 b\n", "symlink .link-last\n",
                                  "rename last\n" };
    for (int i = 1; i < 5; i++)
        cr_assert_lt(place(steps[i - 1]), place(steps[i]));
    const char *parent = strstr(strstr(fault_log, "renameat2 b\n"), "fsync checkpoints\n");
    cr_assert(parent && parent > place("rename last\n"), "the parent folder is synced once both are there");
    checkpoint_dir_close(d);
}
