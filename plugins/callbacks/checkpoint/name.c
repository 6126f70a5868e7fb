/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 128, FORMAT_SIZE = 12 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ".3f" -> "%.3f"; "04d" -> "%04lld". False if it is no format. */
static bool printf_format(char out[FORMAT_SIZE + 8], const char *spec)
{
    size_t n = 0;
    while (is_digit(spec[n]))
        n++;
    if (spec[n] == '.')
        for (n++; is_digit(spec[n]);)
            n++;
    char type = spec[n];
    if (n > 5 || !type || !strchr("fegd", type) || spec[n + 1])
        return false;
    snprintf(out, FORMAT_SIZE + 8, "%%%.*s%s%c", (int)n, spec, type == 'd' ? "ll" : "", type);
    return true;
}

static const char *put_value(char *out, size_t size, double value, const char *spec)
{
    char format[FORMAT_SIZE + 8] = "%.15g";
    if (!spec)
        snprintf(format, sizeof format, value == floor(value) && fabs(value) < 1e15 ? "%%.0f" : "%%.6g");
    else if (!printf_format(format, spec))
        return "filename: a format is digits, a point and digits, and one of f, e, g, d, as in {val_loss:.3f} or {epoch:03d}";
    if (format[strlen(format) - 1] == 'd')
        snprintf(out, size, format, isfinite(value) ? llround(value) : 0LL);
    else
        snprintf(out, size, format, value);
    return NULL;
}

/* A key cannot be part of a path. */
static void put_key(char *out, size_t size, const char *key)
{
    snprintf(out, size, "%s=", key);
    for (; *out; out++)
        if (*out == '/')
            *out = '_';
}

const char *name_format(char out[NAME_SIZE], const char *text, bool insert, name_value value, void *context)
{
    size_t n = 0;
    while (*text) {
        if (*text == '/' || *text == '}' || (n == 0 && *text == '.'))
            return "filename: it may hold neither '/' nor a '}' without a '{', nor begin with a point";
        if (*text != '{') {
            out[n++] = *text++;
        } else {
            const char *end = strchr(text, '}');
            size_t size = end ? (size_t)(end - text - 1) : 0;
            char key[KEY_SIZE];
            if (!end || size == 0 || size >= sizeof key)
                return "filename: a '{' wants the name of a metric and a '}', as in {epoch} or {val_loss:.3f}";
            memcpy(key, text + 1, size);
            key[size] = 0;
            char *spec = strchr(key, ':');
            if (spec)
                *spec++ = 0;
            if (insert)
                put_key(out + n, NAME_SIZE - n, key);
            n += insert ? strlen(out + n) : 0;
            const char *wrong = put_value(out + n, NAME_SIZE - n, value(context, key), spec);
            if (wrong)
                return wrong;
            n += strlen(out + n);
            text = end + 1;
        }
        if (n >= NAME_SIZE - 1)
            return "filename: the name is too long";
    }
    out[n] = 0;
    return n ? NULL : "filename: it is empty";
}
