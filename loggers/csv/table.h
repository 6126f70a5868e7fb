/* SPDX-License-Identifier: Apache-2.0
 * csv/table.h: a CSV file of numbers whose columns may grow: a header of sorted names, a row a line, nothing where a row
 * has no value.
 *
 * Rows are appended. New columns, and rows that must go, make a new file beside it that replaces the old one, so that a
 * reader or a crash finds the one or the other. Functions return 0, or -1 with errno set. [logger] */
#ifndef CSV_TABLE_H
#define CSV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct table {
    char *path, *beside; /* the file, and the one that replaces it */
    FILE *file;          /* open for appending; NULL until there is a header */
    char **names;        /* sorted */
    size_t count;
    char *line; /* the row being written, or read */
    size_t line_size;
} table;

/* Continues the file where `keep`, else begins a new one with its first row. */
int table_open(table *t, const char *dir, bool keep);
void table_close(table *t);

/* Appends a row: values[i] of the column names[i], sorted by name; a name that is new becomes a column. */
int table_append(table *t, const char *const *names, const double *values, size_t count);

/* Removes the rows whose `column` is greater than `limit`; a row that was cut off by a crash goes too. */
int table_drop_above(table *t, const char *column, double limit);
/* Removes all rows but the first `most`. */
int table_keep_rows(table *t, int64_t most);

/* Makes the rows so far safe on disk. */
int table_sync(table *t);

#endif
