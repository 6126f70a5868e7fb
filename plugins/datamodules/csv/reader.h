/* SPDX-License-Identifier: Apache-2.0
 * csv/reader.h: a delimited text file (RFC 4180; gzip or plain), row by row. */
#ifndef CSV_READER_H
#define CSV_READER_H

#include <stddef.h>
#include <stdint.h>

typedef struct reader {
    char *text, *at; /* the whole file; what has not been read */
    char delimiter;
    int64_t line;      /* of the row that was read last, from 1 */
    int64_t next_line;
    char **cells; /* of that row: cells in quotes without them, others without blanks around; valid until the reader ends */
    int64_t count, capacity;
    char error[512]; /* after a function has answered -1 */
} reader;

/* 0, or -1. A byte-order mark is passed over. */
int reader_open(reader *r, const char *path, char delimiter);
/* The next row: 1; 0 at the end; -1 for quotes that do not end, in cell `count` + 1. Empty lines are passed over. */
int reader_next(reader *r);
void reader_close(reader *r);

#endif
