/* SPDX-License-Identifier: Apache-2.0
 * lthost plan: what a training and a validation step are compiled to. */
#include "cli/run_files.h"

int cmd_plan(int argc, char **argv) { return run_files_command(argc, argv, run_plan); }
