/* SPDX-License-Identifier: Apache-2.0
 * csv/frame.h: a file's rows as numbers, by the roles of its columns. */
#ifndef CSV_FRAME_H
#define CSV_FRAME_H

#include "reader.h"
#include "text_list.h"
#include <lthost/option.h>

/* What is common to all files of a datamodule; found in the first one. */
typedef struct roles {
    text_list features, targets; /* names of columns; without a header "1", "2", ... */
    text_list classes;           /* of a classification, in the order of their numbers */
    bool classify, header;
    char delimiter;
} roles;

typedef struct frame {
    float *x;       /* (rows, features) */
    float *y;       /* (rows, targets), for a regression */
    int64_t *label; /* (rows), for a classification */
    int64_t rows, capacity;
} frame;

typedef enum frame_kind {
    FRAME_FIRST,    /* finds the features, where none are named, and the classes */
    FRAME_OTHER,    /* has no class that the first one lacks */
    FRAME_UNLABELED /* needs no targets: labels and targets are 0 */
} frame_kind;

/* Reads a file. 0, or -1 with what is wrong, and where, in `message`. */
int frame_read(frame *f, roles *r, const char *path, frame_kind kind, char *message, size_t size);
void frame_free(frame *f);

#endif
