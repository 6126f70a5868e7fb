/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile_report.h: what a stage's profile says: shared by the two ways of writing it. */
#ifndef TRAINER_PROFILE_REPORT_H
#define TRAINER_PROFILE_REPORT_H

#include "trainer/session.h"

/* What the time went to. Those up to TRAINER are of the loop; one of them is the bottleneck. */
typedef enum profile_share {
    SHARE_COMPUTE,
    SHARE_DATA,
    SHARE_LOGGING,
    SHARE_CHECKPOINT,
    SHARE_HOOKS,
    SHARE_TRAINER,
    SHARE_COMPILING,
    SHARE_START_UP,
    SHARE_CLOSING,
    SHARES
} profile_share;

/* All launches of one kind in the steps of one hook. */
typedef struct profile_op {
    const char *hook, *ops;
    uint64_t runs, nanoseconds;
    double flops, bytes;
} profile_op;

typedef struct profile_facts {
    double total, loop; /* seconds: of all shares, and of those of the loop and of compiling */
    double seconds[SHARES];
    profile_share bottleneck;
    char advice[400];
    engine_profile plans;
    engine_launch *launches; /* the heaviest first */
    profile_op *ops;         /* by hook, the heaviest first */
    size_t op_count;
    profile_row *rows; /* the heaviest first */
    size_t row_count;
} profile_facts;

extern const char *const profile_share_names[SHARES];

/* profile_advice.c: names the bottleneck and what to try. */
void profile_advise(const session *s, profile_facts *f);
/* profile_write.c */
void profile_print(const session *s, const profile_facts *f);
json_t *profile_to_json(const session *s, const profile_facts *f);

#endif
