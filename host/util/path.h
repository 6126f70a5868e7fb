/* SPDX-License-Identifier: Apache-2.0
 * util/path.h: names of files; nothing here changes the disk. What is returned is the caller's to free. [any] */
#ifndef UTIL_PATH_H
#define UTIL_PATH_H

#include "error.h"

/* `name` below `dir`: an absolute name stands alone, an empty `dir` adds nothing. */
char *path_join(const char *dir, const char *name);

/* The folder part ("." where there is none, "/" for the root) and the last part. */
char *path_dir(const char *path);
const char *path_base(const char *path); /* points into `path` */

/* As a user means it: a leading `~` or `~/` becomes the home folder (unchanged where HOME is not set), then a relative
 * path is taken from `base`. "" stays "". Not resolved further: the file need not exist. */
char *path_expand(const char *path, const char *base);

/* The current folder; "." where the system does not tell. */
char *path_current(void);

/* Absolute, without symbolic links, "." or "..": the file must exist. */
lth_status path_real(const char *path, char **out, error *e);

/* The running program's own file, real path. */
lth_status path_of_program(char **out, error *e);

bool path_exists(const char *path); /* follows links; a dangling one does not exist */
bool path_is_dir(const char *path);

#endif
