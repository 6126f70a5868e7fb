/* SPDX-License-Identifier: Apache-2.0
 * util/str.c */
#include "str.h"
#include "memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the terminator. */
static void reserve(str *s, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(s->length, more, &needed) || __builtin_add_overflow(needed, 1, &needed))
        memory_exhausted(more);
    s->at = memory_grow(s->at, &s->capacity, needed, 1);
}

void str_append_bytes(str *s, const void *data, size_t size)
{
    reserve(s, size);
    if (size)
        memcpy(s->at + s->length, data, size);
    s->length += size;
    s->at[s->length] = 0;
}

void str_append(str *s, const char *text) { str_append_bytes(s, text, strlen(text)); }

void str_append_char(str *s, char c) { str_append_bytes(s, &c, 1); }

void str_vprintf(str *s, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    char brief[128]; /* most texts are: then they are formatted once */
    int n = vsnprintf(brief, sizeof brief, format, arguments);
    size_t length = n < 0 ? 0 : (size_t)n;
    reserve(s, length);
    if (length < sizeof brief)
        memcpy(s->at + s->length, brief, length);
    else
        vsnprintf(s->at + s->length, length + 1, format, again);
    s->length += length;
    s->at[s->length] = 0;
    va_end(again);
}

void str_printf(str *s, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    str_vprintf(s, format, a);
    va_end(a);
}

const char *str_text(const str *s) { return s->at ? s->at : ""; }

char *str_take(str *s)
{
    reserve(s, 0);
    s->at[s->length] = 0;
    char *text = s->at;
    *s = (str) { 0 };
    return text;
}

void str_clear(str *s)
{
    s->length = 0;
    if (s->at)
        s->at[0] = 0;
}

void str_free(str *s)
{
    free(s->at);
    *s = (str) { 0 };
}

char *str_dup_part(const char *text, size_t length)
{
    char *copy = memory_new(length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *str_dup(const char *text) { return str_dup_part(text, strlen(text)); }

char *str_format(const char *format, ...)
{
    str s = { 0 };
    va_list a;
    va_start(a, format);
    str_vprintf(&s, format, a);
    va_end(a);
    return str_take(&s);
}

bool str_is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char *str_trim(char *text)
{
    while (str_is_blank(*text))
        text++;
    size_t n = strlen(text);
    while (n && str_is_blank(text[n - 1]))
        n--;
    text[n] = 0;
    return text;
}

bool str_starts(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

bool str_ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && !memcmp(text + n - k, suffix, k);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool str_equal_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool str_split(const char **rest, char separator, const char **part, size_t *length)
{
    if (!*rest)
        return false;
    const char *end = strchr(*rest, separator);
    *part = *rest;
    *length = end ? (size_t)(end - *rest) : strlen(*rest);
    *rest = end ? end + 1 : NULL;
    return true;
}

/* Bytes of the character that begins here, 0 where none that is well-formed does. Table 3-7 of the Unicode Standard. */
static size_t utf8_character(const unsigned char *s, size_t size)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
    if (!n || n > size)
        return 0;
    unsigned char least = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char most = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < least || s[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

size_t str_utf8_prefix(const char *text, size_t size)
{
    size_t at = 0, n;
    while (at < size && (n = utf8_character((const unsigned char *)text + at, size - at)))
        at += n;
    return at;
}

int str_shown(const char *text, size_t limit)
{
    size_t size = strlen(text);
    return (int)(size <= limit ? size : str_utf8_prefix(text, limit));
}

const char *str_double(double value, char out[STR_DOUBLE_SIZE])
{
    if (isnan(value))
        return memcpy(out, "nan", sizeof "nan");
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, STR_DOUBLE_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return out;
}
