/* SPDX-License-Identifier: Apache-2.0
 * trainer/run.h: a run from its files to its closing words: what the subcommands call. [main] */
#ifndef TRAINER_RUN_H
#define TRAINER_RUN_H

#include "util/error.h"

#include <lthost/step.h>

typedef struct run_args {
    const char *const *files;
    size_t file_count;
    const char *const *overrides; /* section.key=value */
    size_t override_count;
    const char *const *plugin_dirs;
    size_t plugin_dir_count;
    const char *stage;  /* fit | validate | test | predict; NULL: those of the run file */
    const char *resume; /* --resume; NULL: as the run file says */
    const char *ckpt;   /* --ckpt; NULL: see evaluate.c */
    bool eager, no_fusion, json, verbose, profile;
} run_args;

enum { RUN_OK = 0, RUN_ERROR = 1, RUN_USAGE = 2 };

/* Does the stages. Answers the process's exit status: RUN_*, or 130 and 143 where a signal ended the run. */
int run_stages(const run_args *args);

/* lthost check: everything but computing. */
int run_check(const run_args *args);

/* lthost plan: the plans of a training and of a validation step, printed. */
int run_plan(const run_args *args);

#endif
