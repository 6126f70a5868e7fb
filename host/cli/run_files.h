/* SPDX-License-Identifier: Apache-2.0
 * cli/run_files.h: RUN.INI [MORE.INI...] [section.key=value...], as run, check and plan take them. */
#ifndef CLI_RUN_FILES_H
#define CLI_RUN_FILES_H

#include "cli/cli.h"
#include "trainer/run.h"

/* The arguments from optind on. A word with "=" is an override, unless a '/' stands before or a file is
 * called so. CLI_OK, or CLI_USAGE after a message. */
int run_files_read(int argc, char **argv, cli_list *files, cli_list *overrides);
void run_files_set(run_args *args, const cli_list *files, const cli_list *overrides, const cli_list *plugin_dirs);
void run_files_free(cli_list *files, cli_list *overrides, cli_list *plugin_dirs);

/* check and plan: everything, with one option, --plugin-dir. */
int run_files_command(int argc, char **argv, int (*body)(const run_args *args));

#endif
