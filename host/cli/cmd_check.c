/* SPDX-License-Identifier: Apache-2.0
 * lthost check: a run file's mistakes and the model's, without computing anything. */
#include "cli/run_files.h"

int cmd_check(int argc, char **argv) { return run_files_command(argc, argv, run_check); }
