/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file being read. */
typedef struct source {
    reader reader;
    roles *roles;
    frame *frame;
    const char *path;
    frame_kind kind;
    text_list names;     /* of its columns */
    int64_t *columns;    /* of each feature, then of each target */
    char *message;
    size_t size;
} source;

LTH_PRINTF(2, 3)
static int fail(source *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->message, s->size, format, arguments);
    va_end(arguments);
    return -1;
}

static int no_memory(source *s) { return fail(s, "%s: no memory for its rows", s->path); }

/* ---- Columns ---- */

static int no_row(source *s)
{
    const reader *r = &s->reader;
    return fail(s, "%s:%lld:%lld: %s", s->path, (long long)r->line, (long long)r->count + 1, r->error);
}

static int read_names(source *s)
{
    reader *r = &s->reader;
    int status = reader_next(r);
    if (status < 0)
        return no_row(s);
    if (status == 0)
        return fail(s, "%s: the file is empty", s->path);
    for (int64_t i = 0; i < r->count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)i + 1);
        if (!text_list_add(&s->names, s->roles->header ? r->cells[i] : number))
            return no_memory(s);
    }
    return 0;
}

/* All columns but the targets. */
static int find_features(source *s)
{
    for (int64_t i = 0; i < s->names.count; i++)
        if (text_list_find(&s->roles->targets, s->names.at[i], NULL) < 0 && !text_list_add(&s->roles->features, s->names.at[i]))
            return no_memory(s);
    return s->roles->features.count ? 0 : fail(s, "%s: there is no column beside the target", s->path);
}

static int missing_column(source *s, const char *name)
{
    char names[600] = "";
    for (int64_t i = 0; i < s->names.count && strlen(names) + strlen(s->names.at[i]) + 3 < sizeof names; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", s->names.at[i]);
    return fail(s, "%s: there is no column '%s'; there are: %s", s->path, name, names);
}

/* The one column of that name, or -1: there is none, or are several. */
static int64_t find_column(source *s, const char *name)
{
    int64_t again, at = text_list_find(&s->names, name, &again);
    if (at < 0)
        return missing_column(s, name);
    if (again >= 0)
        return fail(s, "%s: columns %lld and %lld are both called '%.60s'", s->path, (long long)at + 1, (long long)again + 1, name);
    return at;
}

static int find_columns(source *s)
{
    const roles *r = s->roles;
    s->columns = calloc((size_t)(r->features.count + r->targets.count) + 1, sizeof *s->columns);
    if (!s->columns)
        return no_memory(s);
    for (int64_t i = 0; i < r->features.count; i++)
        if ((s->columns[i] = find_column(s, r->features.at[i])) < 0)
            return -1;
    for (int64_t i = 0; i < r->targets.count && s->kind != FRAME_UNLABELED; i++)
        if ((s->columns[r->features.count + i] = find_column(s, r->targets.at[i])) < 0)
            return -1;
    return 0;
}

/* ---- Rows ---- */

static bool make_room(frame *f, const roles *r)
{
    if (f->rows < f->capacity)
        return true;
    size_t capacity = f->capacity ? 2 * (size_t)f->capacity : 1 + 4096 / (size_t)(r->features.count + r->targets.count);
    float *x = realloc(f->x, capacity * (size_t)r->features.count * sizeof *x);
    f->x = x ? x : f->x;
    float *y = realloc(f->y, capacity * (size_t)r->targets.count * sizeof *y);
    f->y = y ? y : f->y;
    int64_t *label = realloc(f->label, capacity * sizeof *label);
    f->label = label ? label : f->label;
    if (!x || !y || !label)
        return false;
    f->capacity = (int64_t)capacity;
    return true;
}

/* A number as tables write it, not in hexadecimal; NaN for any other text. */
static double number_of(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return end != text && !*end && !strpbrk(text, "xX") ? value : NAN;
}

static int read_number(source *s, int64_t column, float *out)
{
    const char *cell = s->reader.cells[column];
    double value = number_of(cell);
    *out = (float)value;
    if (isfinite(*out))
        return 0;
    return fail(s, "%s:%lld:%lld: column '%s': '%.60s' is %s", s->path, (long long)s->reader.line, (long long)column + 1,
                s->names.at[column], cell, isfinite(value) ? "too large for a number of 32 bits" : "not a number");
}

static int read_class(source *s, int64_t column, int64_t *out)
{
    const char *cell = s->reader.cells[column];
    *out = text_list_find(&s->roles->classes, cell, NULL);
    if (*out >= 0)
        return 0;
    if (!*cell || s->kind != FRAME_FIRST)
        return fail(s, "%s:%lld:%lld: column '%s': '%.60s' is no class%s", s->path, (long long)s->reader.line, (long long)column + 1,
                    s->names.at[column], cell, *cell ? " of the file that is trained on" : "");
    *out = s->roles->classes.count;
    return text_list_add(&s->roles->classes, cell) ? 0 : no_memory(s);
}

static int read_row(source *s)
{
    const roles *r = s->roles;
    frame *f = s->frame;
    if (s->reader.count != s->names.count)
        return fail(s, "%s:%lld: %lld cells, where %s has %lld", s->path, (long long)s->reader.line, (long long)s->reader.count,
                    r->header ? "the header" : "the first row", (long long)s->names.count);
    if (!make_room(f, r))
        return no_memory(s);
    int64_t features = r->features.count, targets = r->targets.count;
    for (int64_t i = 0; i < features; i++)
        if (read_number(s, s->columns[i], f->x + f->rows * features + i))
            return -1;
    f->label[f->rows] = 0;
    memset(f->y + f->rows * targets, 0, (size_t)targets * sizeof *f->y);
    for (int64_t i = 0; i < targets && s->kind != FRAME_UNLABELED; i++)
        if (r->classify ? read_class(s, s->columns[features], f->label + f->rows)
                        : read_number(s, s->columns[features + i], f->y + f->rows * targets + i))
            return -1;
    f->rows++;
    return 0;
}

/* ---- Classes ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int by_number(const void *a, const void *b)
{
    double x = number_of(*(char *const *)a), y = number_of(*(char *const *)b);
    return x != y ? (x > y) - (x < y) : by_text(a, b);
}

/* Numbers the classes in sorted order: as numbers where all of them are, so that 10 follows 9. */
static int sort_classes(source *s)
{
    text_list *classes = &s->roles->classes;
    bool numbers = true;
    char **before = malloc((size_t)classes->count * sizeof *before + 1);
    int64_t *rank = malloc((size_t)classes->count * sizeof *rank + 1);
    if (before && rank) {
        memcpy(before, classes->at, (size_t)classes->count * sizeof *before);
        for (int64_t i = 0; i < classes->count; i++)
            numbers = numbers && !isnan(number_of(classes->at[i]));
        text_list_sort(classes, numbers ? by_number : by_text);
        for (int64_t i = 0; i < classes->count; i++)
            rank[i] = text_list_find(classes, before[i], NULL);
        for (int64_t i = 0; i < s->frame->rows; i++)
            s->frame->label[i] = rank[s->frame->label[i]];
    }
    bool good = before && rank;
    free(before);
    free(rank);
    return good ? 0 : no_memory(s);
}

/* ---- A file ---- */

static int read_file(source *s)
{
    if (reader_open(&s->reader, s->path, s->roles->delimiter))
        return fail(s, "%s", s->reader.error);
    if (read_names(s) || (s->roles->features.count == 0 && find_features(s)) || find_columns(s))
        return -1;
    int more = s->roles->header ? reader_next(&s->reader) : 1; /* without a header the first row is there already */
    for (; more > 0; more = reader_next(&s->reader))
        if (read_row(s))
            return -1;
    if (more < 0)
        return no_row(s);
    if (s->frame->rows == 0)
        return fail(s, "%s: there are no rows", s->path);
    return s->roles->classify && s->kind == FRAME_FIRST ? sort_classes(s) : 0;
}

int frame_read(frame *f, roles *r, const char *path, frame_kind kind, char *message, size_t size)
{
    source s = { .roles = r, .frame = f, .path = path, .kind = kind, .message = message, .size = size };
    int status = read_file(&s);
    reader_close(&s.reader);
    text_list_free(&s.names);
    free(s.columns);
    return status;
}

void frame_free(frame *f)
{
    free(f->x);
    free(f->y);
    free(f->label);
    memset(f, 0, sizeof *f);
}
