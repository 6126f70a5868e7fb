/* SPDX-License-Identifier: Apache-2.0 */
#include "integration/run_lthost.h"

#include "util/file.h"
#include "util/sha256.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64], origin[4096];

void run_begin(void)
{
    cr_assert_not_null(getcwd(origin, sizeof origin));
    strcpy(folder, "/tmp/lthost-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    /* Where processes meet that prepare the same data: tests that run at once are strangers. */
    setenv("XDG_RUNTIME_DIR", folder, 1);
}

void run_end(void)
{
    error e = { 0 };
    cr_assert_eq(chdir(origin), 0);
    file_remove_tree(folder, &e);
}

void run_write(const char *name, const char *text)
{
    error e = { 0 };
    cr_assert_eq(file_write_atomic(name, text, strlen(text), &e), LTH_OK, "%s", e.text);
}

char *run_read(const char *name)
{
    char *text;
    size_t size;
    error e = { 0 };
    return file_read(name, 0, &text, &size, &e) == LTH_OK ? text : str_dup("");
}

pid_t run_start(const char *const *arguments, void (*before)(void *context), void *context)
{
    const char *all[40] = { LTHOST_TEST_PROGRAM };
    size_t count = 1;
    for (; arguments[count - 1] && count < 39; count++)
        all[count] = arguments[count - 1];
    pid_t child = fork();
    if (child != 0)
        return child;
    int out = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0644), err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    signal(SIGHUP, SIG_DFL); /* the tests may run under nohup */
    setenv("LTHOST_PLUGIN_PATH", RUN_PLUGINS, 1);
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", LTHOST_TEST_PLUGINS, 1);
    if (before)
        before(context);
    execv(LTHOST_TEST_PROGRAM, (char *const *)all);
    _exit(127);
}

outcome run_finish(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        cr_assert_eq(errno, EINTR);
    outcome o = { WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), run_read("stdout"), run_read("stderr") };
    if (strstr(o.err, "Sanitizer:") || strstr(o.err, "runtime error:")) /* for ctest to see */
        fputs(o.err, stderr);
    return o;
}

outcome run_lthost(const char *const *arguments) { return run_finish(run_start(arguments, NULL, NULL)); }

outcome run_lthost_and_kill(const char *const *arguments, int signal, int times, const char *when)
{
    pid_t child = run_start(arguments, NULL, NULL);
    const struct timespec pause = { 0, 1000000 }, between = { 0, 100000000 };
    for (int i = 0; i < 60000 && access(when, F_OK) != 0 && waitpid(child, NULL, WNOHANG) == 0; i++)
        nanosleep(&pause, NULL);
    for (int i = 0; i < times; i++) {
        if (i > 0)
            nanosleep(&between, NULL);
        kill(child, signal);
    }
    return run_finish(child);
}

void outcome_free(outcome *o)
{
    free(o->out);
    free(o->err);
}

const char *run_sha256(const char *name, char out[65])
{
    error e = { 0 };
    if (sha256_of_file(name, out, &e) != LTH_OK)
        out[0] = '\0';
    return out;
}

int run_column(const char *text, const char *name, double *out, int most)
{
    int at = 0, count = 0;
    const char *header = text, *end = strchr(text, '\n');
    for (const char *field = header; field && field < end; field = strpbrk(field, ",\n") + 1, at++)
        if (strncmp(field, name, strlen(name)) == 0 && strchr(",\n", field[strlen(name)]))
            break;
    for (const char *row = end; row && row[1]; row = strchr(row + 1, '\n')) {
        const char *field = row + 1;
        for (int i = 0; i < at && field; i++) {
            field = strpbrk(field, ",\n");
            field = field && *field == ',' ? field + 1 : NULL;
        }
        if (field && !strchr(",\n", *field) && count < most)
            out[count++] = strtod(field, NULL);
    }
    return count;
}
