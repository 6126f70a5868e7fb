/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NUMBER_SIZE = 32 };

/* ---- Text ---- */

/* The shortest decimal that reads back as the same number. */
static void number_text(char *out, double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
    if (isnan(value))
        strcpy(out, "nan");
}

/* A name as a field: quoted where it holds what has a meaning in CSV. A line break would end the header: it becomes a blank. */
static void put_name(FILE *f, const char *name)
{
    bool quote = strpbrk(name, ",\"") != NULL;
    if (quote)
        putc('"', f);
    for (; *name; name++) {
        if (*name == '"')
            putc('"', f);
        putc(*name == '\n' || *name == '\r' ? ' ' : *name, f);
    }
    if (quote)
        putc('"', f);
}

/* Cuts the next field off the line and unquotes it, in place; NULL after the last one. */
static char *next_field(char **rest)
{
    char *at = *rest, *start = at, *to = at;
    if (!at)
        return NULL;
    bool quoted = *at == '"';
    for (at += quoted; *at && (quoted || *at != ','); at++) {
        if (quoted && *at == '"' && *++at != '"') {
            quoted = false;
            at--;
            continue;
        }
        *to++ = *at;
    }
    *rest = *at ? at + 1 : NULL;
    *to = 0;
    return start;
}

/* ---- Columns ---- */

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static bool add_name(char ***names, size_t *count, const char *name)
{
    char **more = realloc(*names, (*count + 1) * sizeof *more);
    if (!more)
        return false;
    *names = more;
    more[*count] = strdup(name);
    return more[*count] && ++*count;
}

/* The union of two sorted lists, as a new list; NULL without memory. */
static char **merge_names(char *const *a, size_t a_count, const char *const *b, size_t b_count, size_t *count)
{
    char **out = NULL;
    *count = 0;
    for (size_t i = 0, j = 0; i < a_count || j < b_count;) {
        int order = i == a_count ? 1 : j == b_count ? -1 : strcmp(a[i], b[j]);
        if (!add_name(&out, count, order <= 0 ? a[i] : b[j])) {
            free_names(out, *count);
            return NULL;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return out;
}

/* Are all of the sorted `names` columns already? */
static bool has_names(const table *t, const char *const *names, size_t count)
{
    size_t i = 0;
    for (size_t j = 0; j < count; j++, i++) {
        while (i < t->count && strcmp(t->names[i], names[j]) < 0)
            i++;
        if (i == t->count || strcmp(t->names[i], names[j]) != 0)
            return false;
    }
    return true;
}

static size_t column_of(char *const *names, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* ---- Rewriting ---- */

/* The next whole line into t->line, without its end; false at the end of the file, or at a line that was cut off. */
static bool read_line(table *t, FILE *f)
{
    ssize_t n = getline(&t->line, &t->line_size, f);
    if (n < 1 || t->line[n - 1] != '\n')
        return false;
    t->line[n - 1] = 0;
    return true;
}

static void write_header(FILE *f, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            putc(',', f);
        put_name(f, names[i]);
    }
    putc('\n', f);
}

/* Copies the rows of `from`, whose columns are t->names, under new columns, without those above the limit, at most `most`. */
static bool copy_rows(table *t, FILE *from, FILE *to, char *const *names, size_t count, const char *column, double limit, int64_t most)
{
    size_t key = column ? column_of(t->names, t->count, column) : t->count;
    char **fields = calloc(t->count + 1, sizeof *fields);
    size_t *source = calloc(count + 1, sizeof *source);
    for (size_t i = 0; source && i < count; i++)
        source[i] = column_of(t->names, t->count, names[i]);
    for (int64_t row = 0; fields && source && row < most && read_line(t, from); row++) {
        char *rest = t->line, *field;
        memset(fields, 0, t->count * sizeof *fields);
        for (size_t i = 0; i < t->count && (field = next_field(&rest)); i++)
            fields[i] = field;
        if (key < t->count && fields[key] && strtod(fields[key], NULL) > limit)
            continue;
        for (size_t i = 0; i < count; i++) {
            if (i)
                putc(',', to);
            if (source[i] < t->count && fields[source[i]])
                fputs(fields[source[i]], to);
        }
        putc('\n', to);
    }
    bool good = fields && source;
    free(fields);
    free(source);
    return good;
}

/* The file's new place in its folder survives a power cut as its rows do. */
static int sync_folder(const table *t)
{
    char *dir = strndup(t->path, (size_t)(strrchr(t->path, '/') - t->path));
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int status = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? -1 : 0; /* EINVAL: that file system has no such sync */
    int reason = errno;
    if (fd >= 0)
        close(fd);
    free(dir);
    errno = reason;
    return status;
}

/* Writes the file anew, with the columns given and without the rows above the limit or beyond `most`; takes over `names`. */
static int rewrite_file(table *t, char **names, size_t count, const char *column, double limit, int64_t most)
{
    if (t->file && fclose(t->file) != 0) {
        t->file = NULL;
        free_names(names, count);
        return -1;
    }
    t->file = NULL;
    FILE *from = t->count ? fopen(t->path, "r") : NULL, *to = fopen(t->beside, "w");
    bool good = to && (from || !t->count);
    if (good) {
        write_header(to, names, count);
        if (from)
            good = read_line(t, from) && copy_rows(t, from, to, names, count, column, limit, most) && !ferror(from);
        good = good && fflush(to) == 0 && !ferror(to) && fsync(fileno(to)) == 0;
    }
    int reason = errno;
    if (from)
        fclose(from);
    if (to && fclose(to) != 0 && good) {
        good = false;
        reason = errno;
    }
    if (good && (rename(t->beside, t->path) != 0 || sync_folder(t) != 0)) {
        good = false;
        reason = errno;
    }
    free_names(good ? t->names : names, good ? t->count : count);
    if (!good) {
        unlink(t->beside);
        errno = reason ? reason : EIO;
        return -1;
    }
    t->names = names;
    t->count = count;
    t->file = fopen(t->path, "a");
    return t->file ? 0 : -1;
}

/* ---- The table ---- */

static int read_header(table *t)
{
    FILE *f = fopen(t->path, "r");
    if (!f)
        return errno == ENOENT ? 0 : -1;
    bool good = true;
    if (read_line(t, f)) {
        char *rest = t->line, *field;
        while (good && (field = next_field(&rest)))
            good = add_name(&t->names, &t->count, field);
    }
    fclose(f);
    return good ? 0 : -1;
}

int table_open(table *t, const char *dir, bool keep)
{
    if (asprintf(&t->path, "%s/metrics.csv", dir) < 0 || asprintf(&t->beside, "%s/metrics.csv.new", dir) < 0)
        return -1;
    if (!keep)
        return unlink(t->path) == 0 || errno == ENOENT ? 0 : -1;
    if (read_header(t))
        return -1;
    return t->count ? table_drop_above(t, NULL, 0) : 0;
}

void table_close(table *t)
{
    if (t->file)
        fclose(t->file);
    free_names(t->names, t->count);
    free(t->path);
    free(t->beside);
    free(t->line);
    memset(t, 0, sizeof *t);
}

/* Room for the longest row there can be. */
static bool reserve_line(table *t)
{
    size_t size = t->count * NUMBER_SIZE + 2;
    if (size <= t->line_size)
        return true;
    char *line = realloc(t->line, size);
    if (!line)
        return false;
    t->line = line;
    t->line_size = size;
    return true;
}

int table_append(table *t, const char *const *names, const double *values, size_t count)
{
    if (!t->file || !has_names(t, names, count)) {
        size_t merged_count;
        char **merged = merge_names(t->names, t->count, names, count, &merged_count);
        if (!merged || rewrite_file(t, merged, merged_count, NULL, 0, INT64_MAX))
            return -1;
    }
    if (!reserve_line(t))
        return -1;
    char *at = t->line;
    for (size_t i = 0, j = 0; i < t->count; i++) {
        if (i)
            *at++ = ',';
        if (j < count && strcmp(t->names[i], names[j]) == 0) {
            number_text(at, values[j++]);
            at += strlen(at);
        }
    }
    *at++ = '\n';
    size_t size = (size_t)(at - t->line);
    return fwrite(t->line, 1, size, t->file) == size ? 0 : -1;
}

static int drop_rows(table *t, const char *column, double limit, int64_t most)
{
    if (t->count == 0)
        return 0;
    size_t count;
    char **names = merge_names(t->names, t->count, NULL, 0, &count);
    return names ? rewrite_file(t, names, count, column, limit, most) : -1;
}

int table_drop_above(table *t, const char *column, double limit) { return drop_rows(t, column, limit, INT64_MAX); }
int table_keep_rows(table *t, int64_t most) { return drop_rows(t, NULL, 0, most); }

int table_sync(table *t)
{
    if (!t->file)
        return 0;
    return fflush(t->file) == 0 && fdatasync(fileno(t->file)) == 0 ? 0 : -1;
}
