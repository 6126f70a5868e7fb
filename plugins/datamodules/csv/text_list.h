/* SPDX-License-Identifier: Apache-2.0
 * csv/text_list.h: texts by number, and their numbers by text: names of columns and of classes, of which there may be many. */
#ifndef CSV_TEXT_LIST_H
#define CSV_TEXT_LIST_H

#include <stdbool.h>
#include <stdint.h>

/* Where a text is for the first and for the second time, each counted from 1; 0: it is not. */
typedef struct text_slot {
    int64_t first, second;
} text_slot;

typedef struct text_list {
    char **at;
    int64_t count, capacity;
    text_slot *slots; /* by hash; four times as many as `capacity` */
} text_list;

/* Adds a copy; false without memory. */
bool text_list_add(text_list *l, const char *text);
/* The number of a text, or -1. `second` (may be NULL): where it is again, or -1. */
int64_t text_list_find(const text_list *l, const char *text, int64_t *second);
/* Sorts them, as qsort; their numbers are others then. */
void text_list_sort(text_list *l, int (*compare)(const void *a, const void *b));
void text_list_free(text_list *l);

#endif
