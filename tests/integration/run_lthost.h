/* SPDX-License-Identifier: Apache-2.0
 * integration/run_lthost.h: runs the program in a folder of the test's own, and keeps what it said. */
#ifndef INTEGRATION_RUN_LTHOST_H
#define INTEGRATION_RUN_LTHOST_H

#include <stddef.h>
#include <sys/types.h>

#define RUN_PLUGINS LTHOST_TEST_BUILD "/plugins" /* of tests/integration/plugins */

typedef struct outcome {
    int status; /* exit status; 1000 + signal where it died by one */
    char *out, *err;
} outcome;

/* A new folder, in which the test then stands; its name ends with the test's process. */
void run_begin(void);
/* Goes back and removes it. */
void run_end(void);

/* Writes a file of the folder. */
void run_write(const char *name, const char *text);
/* A file's text; "" where there is none. The caller frees. */
char *run_read(const char *name);

/* Column `name` of a CSV file's text, of the rows that have a value, at most `most`; how many there are. */
int run_column(const char *text, const char *name, double *out, int most);

/* lthost ARGUMENTS..., NULL at the end, with the tests' plugins and those of the build alone. */
outcome run_lthost(const char *const *arguments);
#define RUN(...) run_lthost((const char *const[]) { __VA_ARGS__, NULL })
void outcome_free(outcome *o);

/* Its two halves; `before` (may be NULL) is called in the child, right before it becomes the program. */
pid_t run_start(const char *const *arguments, void (*before)(void *context), void *context);
outcome run_finish(pid_t child);

/* The same, with `signal` sent once the file `when` is in the folder; `times` times, 100 ms apart. */
outcome run_lthost_and_kill(const char *const *arguments, int signal, int times, const char *when);

/* SHA-256 of a file of the folder, 64 digits; "" where there is none. */
const char *run_sha256(const char *name, char out[65]);

#endif
