/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile.h: where a stage's time goes, for `--profile`: by plugin and hook, and by what the host is at.
 *
 * Each thread is at one activity at a time: a hook, as its crumb says (crash.h), or what the host does between hooks. A change
 * of activity is one look at the clock. Without --profile a thread's `profile` is NULL, which costs a test a call. */
#ifndef TRAINER_PROFILE_H
#define TRAINER_PROFILE_H

#include "util/error.h"

#include <stdint.h>

/* What a call belongs to. Threads other than the main one are at OTHER_THREADS throughout. */
typedef enum profile_part {
    PROFILE_START_UP,
    PROFILE_LOOP, /* steps, and hooks around them */
    PROFILE_DATA, /* the loop waits for a batch, or makes one itself */
    PROFILE_LOGGING,
    PROFILE_CHECKPOINT,
    PROFILE_CLOSING,
    PROFILE_OTHER_THREADS,
    PROFILE_PARTS
} profile_part;

typedef struct profile profile;
typedef struct profile_thread profile_thread;

/* Calls of a hook, or what the host does by itself (both NULL; not counted), in one part. Texts are borrowed. */
typedef struct profile_row {
    profile_part part;
    const char *section, *hook;
    uint64_t calls;
    int64_t nanoseconds;
} profile_row;

/* Ends with profile_free, when no thread is in it any more. */
profile *profile_new(void);
void profile_free(profile *p);

/* From here on the calling thread's time counts; for its crumb. [any] */
profile_thread *profile_begin(profile *p, profile_part part);

/* The thread's activity from now on; a NULL hook: the host's own. calls: 1, or 0 where a call goes on that was counted. [any] */
void profile_enter(profile_thread *t, const char *section, const char *hook, uint64_t calls);
/* The part from now on; answers the one so far. Nothing for NULL. [any] */
profile_part profile_set_part(profile_thread *t, profile_part part);

/* All there is so far, alike ones together; free() it. */
profile_row *profile_rows(profile *p, size_t *count);

#endif
