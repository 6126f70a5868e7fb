/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/lthost-prepare-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(prepare, .init = make_folder, .fini = remove_folder);

static useconds_t takes;
static lth_status ends_with;

/* Each call leaves a byte in a file that all processes share. */
static lth_status prepare(void *self, const lth_host *host)
{
    (void)self, (void)host;
    char path[128];
    snprintf(path, sizeof path, "%s/calls", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    bool written = write(fd, "x", 1) == 1;
    close(fd);
    usleep(takes);
    return written ? ends_with : LTH_IO;
}

static int64_t calls(void)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/calls", folder);
    return stat(path, &st) ? 0 : st.st_size;
}

static lth_status run_prepare(const char *identity, error *e)
{
    static const lth_datamodule module = { .struct_size = sizeof module, .id = "downloader", .prepare_data = prepare };
    data_options options = default_options();
    data_args args = { .module = &module, .options = &options, .identity = identity };
    data_module *m = data_open(&args, e);
    char locks[128];
    snprintf(locks, sizeof locks, "%s/below/locks", folder);
    lth_status status = data_prepare(m, locks, e);
    data_close(m);
    return status;
}

/* Starts `count` processes at once; returns how many ended well. */
static int run_processes(int count, const char *const *identities)
{
    int well = 0, gate[2];
    pid_t children[16];
    cr_assert_eq(pipe(gate), 0);
    for (int i = 0; i < count; i++)
        if (!(children[i] = fork())) {
            char byte;
            close(gate[1]);
            _exit(read(gate[0], &byte, 1) != 0 || run_prepare(identities ? identities[i] : "same", NULL) != LTH_OK);
        }
    close(gate[0]);
    close(gate[1]); /* all at once */
    for (int i = 0; i < count; i++) {
        int status;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        well += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return well;
}

Test(prepare, runs_once_where_several_processes_start_on_one_empty_folder)
{
    takes = 100000;
    cr_assert_eq(run_processes(6, NULL), 6);
    cr_assert_eq(calls(), 1);
}

Test(prepare, runs_once_also_where_it_ends_before_the_others_have_begun_to_wait)
{
    takes = 0;
    cr_assert_eq(run_processes(6, NULL), 6);
    cr_assert_eq(calls(), 1);
}

Test(prepare, runs_for_each_identity)
{
    const char *const identities[] = { "a", "b", "a", "b" };
    takes = 20000;
    cr_assert_eq(run_processes(2, identities), 2);
    cr_assert_eq(calls(), 2);
}

Test(prepare, is_tried_again_by_the_next_where_it_failed)
{
    ends_with = LTH_IO;
    cr_assert_eq(run_processes(3, NULL), 0);
    cr_assert_eq(calls(), 3);
}

/* A process that begins later looks after its data again: it may have been deleted meanwhile. */
Test(prepare, runs_again_in_a_later_process)
{
    cr_assert_eq(run_processes(1, NULL), 1);
    usleep(30000); /* more than the clock of processes' starts resolves */
    cr_assert_eq(run_processes(1, NULL), 1);
    cr_assert_eq(calls(), 2);
}

Test(prepare, a_killed_process_leaves_no_lock_behind)
{
    takes = 10000000;
    pid_t child = fork();
    if (!child)
        _exit(run_prepare("same", NULL));
    while (!calls())
        usleep(1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    takes = 0;
    error e = { 0 };
    cr_assert_eq(run_prepare("same", &e), LTH_OK, "%s", e.text);
    cr_assert_eq(calls(), 2, "what was not finished does not count");
}
