/* SPDX-License-Identifier: Apache-2.0
 * util/diagnostics.c */
#include "diagnostics.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

static diagnostic *record(diagnostics *d, diagnostic_severity severity, const char *file, int line)
{
    d->at = memory_grow(d->at, &d->capacity, d->count + 1, sizeof *d->at);
    diagnostic *m = &d->at[d->count++];
    *m = (diagnostic) { .severity = severity, .line = line, .file = arena_copy_text(&d->memory, file) };
    d->error_count += severity == DIAGNOSTIC_ERROR;
    return m;
}

lth_status diagnostics_error(diagnostics *d, const char *file, int line, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    record(d, DIAGNOSTIC_ERROR, file, line)->text = arena_format_v(&d->memory, format, a);
    va_end(a);
    return LTH_INVALID;
}

void diagnostics_warning(diagnostics *d, const char *file, int line, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    record(d, DIAGNOSTIC_WARNING, file, line)->text = arena_format_v(&d->memory, format, a);
    va_end(a);
}

void diagnostics_hint(diagnostics *d, const char *format, ...)
{
    if (!d->count)
        return;
    va_list a;
    va_start(a, format);
    d->at[d->count - 1].hint = arena_format_v(&d->memory, format, a);
    va_end(a);
}

lth_status diagnostics_add(diagnostics *d, const char *file, int line, const error *e)
{
    if (e->status != LTH_OK)
        diagnostics_error(d, file, line, "%s", e->text);
    return e->status;
}

lth_status diagnostics_status(const diagnostics *d) { return d->error_count ? LTH_INVALID : LTH_OK; }

/* By place; the order of recording decides between equals, as the array itself is in that order. */
static int by_place(const void *a, const void *b)
{
    const diagnostic *x = *(const diagnostic *const *)a, *y = *(const diagnostic *const *)b;
    int c = strcmp(x->file ? x->file : "", y->file ? y->file : "");
    if (!c)
        c = (x->line > y->line) - (x->line < y->line);
    return c ? c : (x > y) - (x < y);
}

static void render_one(const diagnostic *m, str *out)
{
    if (m->file && m->line)
        str_printf(out, "%s:%d: ", m->file, m->line);
    else if (m->file)
        str_printf(out, "%s: ", m->file);
    str_printf(out, "%s: %s", m->severity == DIAGNOSTIC_ERROR ? "error" : "warning", m->text);
    if (m->hint)
        str_printf(out, " (%s)", m->hint);
    str_append_char(out, '\n');
}

void diagnostics_render(const diagnostics *d, str *out)
{
    if (!d->count)
        return;
    const diagnostic **order = memory_new(d->count * sizeof *order);
    for (size_t i = 0; i < d->count; i++)
        order[i] = &d->at[i];
    qsort(order, d->count, sizeof *order, by_place);
    for (size_t i = 0; i < d->count; i++)
        render_one(order[i], out);
    free(order);
}

void diagnostics_print(const diagnostics *d, FILE *out)
{
    str text = { 0 };
    diagnostics_render(d, &text);
    fputs(str_text(&text), out);
    str_free(&text);
}

void diagnostics_free(diagnostics *d)
{
    free(d->at);
    arena_free(&d->memory);
    *d = (diagnostics) { 0 };
}
