/* SPDX-License-Identifier: Apache-2.0
 * checkpoint/keep.h: which checkpoints are kept: the k best, and the newest. */
#ifndef CHECKPOINT_KEEP_H
#define CHECKPOINT_KEEP_H

#include <lthost/state.h>

enum { KEEP_NAME_SIZE = 256, KEEP_DOOMED = 4 };

typedef struct kept { char name[KEEP_NAME_SIZE]; double score; } kept;

typedef struct keep {
    kept *best; /* in the order in which they were saved */
    int64_t count, capacity;
    int64_t limit; /* -1: all, 0: none */
    bool greater;  /* is better */
    bool ranked;   /* scores count; else the newest is best */
    char newest[KEEP_NAME_SIZE]; /* "": none is kept for its own sake */
    /* To be removed once the save that replaced them is on disk. They are part of the state: a run that is killed between
     * the two takes it up when it is resumed. */
    char doomed[KEEP_DOOMED][KEEP_NAME_SIZE];
} keep;

/* Makes `to` a copy of its own, to be freed by keep_free. False without memory. */
bool keep_copy(keep *to, const keep *from);
void keep_free(keep *k);

/* Would this score be among the best? NaN counts as the worst. */
bool keep_wants(const keep *k, double score);
/* Takes it in, and dooms the worst where there are now too many. False without memory. */
bool keep_add(keep *k, const char *name, double score);
/* Makes it the newest; the one before is doomed, unless it is among the best. */
void keep_set_newest(keep *k, const char *name);
/* The best one; NULL if there is none. */
const kept *keep_best(const keep *k);

void keep_save(const keep *k, lth_writer *w);
bool keep_load(keep *k, lth_reader *r);

#endif
