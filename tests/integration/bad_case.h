/* SPDX-License-Identifier: Apache-2.0
 * integration/bad_case.h: a case of the catalogue of bad input: lines of a file bad/<subject>.txt, each with its meaning first.
 *
 *     ; for people
 *     # what the case is; it begins one
 *     > run.ini                  a file of the case's folder ...
 *     | [model]                  ... and its lines
 *     % printf 'x' >data.bin     a line for the shell, in that folder
 *     $ check run.ini            lthost's arguments. The last run is the case; those before it must end well.
 *     = 1                        its exit status
 *     ! run.ini:3: error: ...    what it says to stderr: a line each, all of them; … stands for anything
 *     + runs/run/version_0/a     a file that it leaves behind, ...
 *     ~ runs/run/version_0/b     ... that it changes, ...
 *     - runs/run/version_0/c     ... that it takes away; all of them
 *
 * Each case has a new folder with `base.ini` in it. For the shell and in messages $HERE is that folder, $PLUGINS and $FIXTURES
 * are folders of the build, $SOURCE is the source's, $LTHOST the program. */
#ifndef INTEGRATION_BAD_CASE_H
#define INTEGRATION_BAD_CASE_H

#include <stddef.h>

typedef struct bad_line {
    char mark; /* '>', '|', '%', '$', '=', '!', '+', '~' or '-' */
    const char *text;
    int number; /* in the file */
} bad_line;

typedef struct bad_case {
    const char *name;
    bad_line *lines;
    size_t count, capacity;
} bad_case;

typedef struct bad_file {
    char *path, *text;
    bad_case *cases;
    size_t count, capacity;
} bad_file;

/* Reads <source>/tests/integration/bad/<subject>.txt; a line that is none of the above fails the test. */
void bad_file_read(bad_file *f, const char *subject);
void bad_file_free(bad_file *f);

/* Runs the case in a folder of its own and fails the test with what differs. */
void bad_case_run(const bad_file *f, const bad_case *c);

#endif
