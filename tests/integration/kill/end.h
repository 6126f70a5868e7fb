/* SPDX-License-Identifier: Apache-2.0
 * kill/end.h: how a run ends, to be compared: all that must be the same whatever happened on the way. */
#ifndef KILL_END_H
#define KILL_END_H

#include "integration/run_lthost.h"

#define KILL_INTERVAL 4 /* optimizer steps between two checkpoints */
#define KILL_RUN "runs/run/version_0/"

/* Dropout, batch norm, accumulation, cosine schedule, clipping, validation in mid-epoch, early stopping, the best two
 * checkpoints by one metric and the best by another, csv, and a stream for data or a shuffled data set. Goes on by itself. Writes
 * run.ini. */
typedef enum kill_data { KILL_DIGITS, KILL_STREAM, KILL_STREAM_REREAD } kill_data;
void kill_run_file(kill_data data);

typedef struct end {
    char model[65], optimizer[65], best_model[65];
    char *best, *metrics, *files; /* name of the best checkpoint; metrics.csv; every name below runs/ */
} end;

end end_of_run(const char *what);
void end_free(end *e);
void expect_same_end(const end *a, const end *b, const char *what);

/* A number that a user may set for the long way: LTHOST_TEST_<NAME>. */
int64_t kill_setting(const char *name, int64_t otherwise);

#endif
