/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static int fail(reader *r, const char *path, const char *reason)
{
    snprintf(r->error, sizeof r->error, "cannot read %.300s: %.150s", path, reason);
    return -1;
}

/* gzread reads plain files as they are. */
static int read_all(reader *r, gzFile file, const char *path)
{
    size_t size = 0, capacity = 1 << 16;
    for (;;) {
        char *more = realloc(r->text, capacity + 1);
        if (!more)
            return fail(r, path, "no memory");
        r->text = more;
        int n = gzread(file, r->text + size, (unsigned)(capacity - size < 1u << 30 ? capacity - size : 1u << 30));
        if (n < 0) {
            int code;
            gzerror(file, &code);
            return fail(r, path,
                        code == Z_ERRNO       ? strerror(errno)
                        : code == Z_MEM_ERROR ? "no memory"
                                              : "its compressed data is damaged");
        }
        size += (size_t)n;
        r->text[size] = 0;
        if (n == 0)
            break;
        if (size == capacity)
            capacity *= 2;
    }
    if (strlen(r->text) != size)
        return fail(r, path, "it holds a NUL byte, so it is no text");
    return 0;
}

int reader_open(reader *r, const char *path, char delimiter)
{
    memset(r, 0, sizeof *r);
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file)
        return fail(r, path, errno ? strerror(errno) : "no memory");
    int status = read_all(r, file, path);
    if (gzclose(file) != Z_OK && !status)
        status = fail(r, path, "the compressed file ends too early");
    r->at = r->text;
    if (!status && strncmp(r->at, "\xef\xbb\xbf", 3) == 0)
        r->at += 3;
    r->delimiter = delimiter;
    r->next_line = 1;
    return status;
}

void reader_close(reader *r)
{
    free(r->text);
    free(r->cells);
    r->text = r->at = NULL;
    r->cells = NULL;
}

static int add_cell(reader *r, char *cell)
{
    if (r->count == r->capacity) {
        int64_t capacity = r->capacity ? 2 * r->capacity : 16;
        char **more = realloc(r->cells, (size_t)capacity * sizeof *more);
        if (!more) {
            snprintf(r->error, sizeof r->error, "no memory for so many cells");
            return -1;
        }
        r->cells = more;
        r->capacity = capacity;
    }
    r->cells[r->count++] = cell;
    return 0;
}

/* The cell in quotes at r->at, in place; r->at moves to what follows the quotes. NULL if they do not end. */
static char *read_quoted(reader *r)
{
    char *cell = r->at, *to = cell, *at = cell + 1;
    for (;; *to++ = *at++) {
        if (!*at)
            return NULL;
        if (*at == '"' && *++at != '"')
            break;
        r->next_line += *at == '\n';
    }
    while (*at == ' ' || *at == '\r')
        at++;
    *to = 0; /* at or before the closing quote */
    r->at = at;
    return cell;
}

/* The cell at r->at without blanks around; r->at moves to the delimiter or the line's end, which the NUL may replace. */
static char *read_plain(reader *r, char *stop)
{
    char *cell = r->at, *end;
    while (*r->at && *r->at != r->delimiter && *r->at != '\n')
        r->at++;
    *stop = *r->at;
    while (*cell == ' ')
        cell++;
    for (end = r->at; end > cell && (end[-1] == ' ' || end[-1] == '\r');)
        end--;
    *end = 0;
    return cell;
}

int reader_next(reader *r)
{
    while (*r->at == '\n' || (*r->at == '\r' && r->at[1] == '\n'))
        r->next_line += *r->at++ == '\n';
    if (!*r->at)
        return 0;
    r->line = r->next_line;
    r->count = 0;
    for (char stop = r->delimiter; stop == r->delimiter;) {
        bool quoted = *r->at == '"';
        char *cell = quoted ? read_quoted(r) : read_plain(r, &stop);
        if (quoted)
            stop = cell ? *r->at : 0;
        if (!cell || (stop && stop != r->delimiter && stop != '\n')) {
            snprintf(r->error, sizeof r->error, "a cell that begins with a quote does not end with one");
            return -1;
        }
        if (add_cell(r, cell))
            return -1;
        r->at += stop != 0;
        r->next_line += stop == '\n';
    }
    return 1;
}
