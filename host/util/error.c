/* SPDX-License-Identifier: Apache-2.0
 * util/error.c */
#include "error.h"
#include <stdio.h>
#include <string.h>

/* Marks a text that did not fit. */
static void end_in_dots(error *e, size_t wanted)
{
    if (wanted >= sizeof e->text)
        memcpy(e->text + sizeof e->text - 4, "...", 4);
}

lth_status error_set_v(error *e, lth_status status, const char *format, va_list arguments)
{
    if (!e || e->status != LTH_OK)
        return status;
    e->status = status;
    int n = vsnprintf(e->text, sizeof e->text, format, arguments);
    end_in_dots(e, n < 0 ? 0 : (size_t)n);
    return status;
}

lth_status error_set(error *e, lth_status status, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    error_set_v(e, status, format, a);
    va_end(a);
    return status;
}

lth_status error_prefix(error *e, const char *format, ...)
{
    if (!e || e->status == LTH_OK)
        return LTH_OK;
    char former[sizeof e->text];
    memcpy(former, e->text, sizeof former);
    va_list a;
    va_start(a, format);
    int n = vsnprintf(e->text, sizeof e->text, format, a);
    va_end(a);
    size_t length = n < 0 ? 0 : (size_t)n;
    if (length < sizeof e->text)
        length += (size_t)snprintf(e->text + length, sizeof e->text - length, "%s", former);
    end_in_dots(e, length);
    return e->status;
}

void error_clear(error *e)
{
    e->status = LTH_OK;
    e->text[0] = 0;
}
