/* SPDX-License-Identifier: Apache-2.0
 * A trainer that does what a test says and remembers what a callback asked of it. */
#ifndef TEST_TRAINER_FIXTURE_H
#define TEST_TRAINER_FIXTURE_H

#include "plugin_fixture.h"

enum { STAGE_METRICS = 8, STAGE_CHECKPOINTS = 16 };

typedef struct stage {
    lth_trainer trainer; /* what hooks get; first */
    lth_progress now;
    lth_metric metrics[STAGE_METRICS]; /* sorted by name */
    uint32_t metric_count;
    char checkpoints[STAGE_CHECKPOINTS][128]; /* that exist, in order of writing */
    uint32_t checkpoint_count;
    char best[128];
    double best_score;
    char protect[128];   /* a checkpoint that may not go */
    plugin *saving;      /* whose state goes into each checkpoint; NULL: none's */
    json_t *saved_state; /* of the last one */
    lth_status save_status;
    char stopped[256]; /* the reason; "": it goes on */
    char said[4096];   /* lines printed, and values logged as "name=value;" */
    char status[1024]; /* the status line */
    bool terminal, validation_due;
    int32_t width;
    double hyper;
    uint32_t groups; /* of the one optimizer, "adamw" */
    const lth_parameter_info *parameters;
    uint32_t parameter_count;
} stage;

void stage_open(stage *s);
void stage_close(stage *s);
void stage_metric(stage *s, const char *name, double value);
/* "a b c" of the checkpoints that exist. */
const char *stage_checkpoints(const stage *s);

/* Calls a hook of a callback, which must succeed; one that it does not have is passed over. */
#define HOOK(p, s, hook) stage_hook((p), (s), ((const lth_callback *)(p)->table)->hook, #hook)
void stage_hook(plugin *p, stage *s, lth_hook hook, const char *name);

#endif
