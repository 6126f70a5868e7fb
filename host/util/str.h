/* SPDX-License-Identifier: Apache-2.0
 * util/str.h: a growing text, and the few things done to plain C strings.
 *
 * A `str` that is zero-initialised is empty; `str_text` is always terminated. Never returns NULL (memory.h). [any] */
#ifndef UTIL_STR_H
#define UTIL_STR_H

#include <lthost/base.h>
#include <stdarg.h>

typedef struct str {
    char *at; /* NULL while nothing was ever appended: read it through str_text */
    size_t length, capacity;
} str;

void str_append(str *s, const char *text);
void str_append_bytes(str *s, const void *data, size_t size);
void str_append_char(str *s, char c);
LTH_PRINTF(2, 3) void str_printf(str *s, const char *format, ...); /* appends */
LTH_PRINTF(2, 0) void str_vprintf(str *s, const char *format, va_list arguments);

/* The text; valid until the next append. "" when empty. */
const char *str_text(const str *s);
/* The text as the caller's own (free it); the builder is empty afterwards. */
char *str_take(str *s);
/* Empty, memory kept. */
void str_clear(str *s);
void str_free(str *s);

/* Heap copies of C strings; the caller frees. */
char *str_dup(const char *text);
char *str_dup_part(const char *text, size_t length);
LTH_PRINTF(1, 2) char *str_format(const char *format, ...);

/* ASCII blanks and line ends only, whatever the locale. */
bool str_is_blank(char c);
/* Cuts blanks off both ends in place; returns the new beginning. */
char *str_trim(char *text);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_equal_nocase(const char *a, const char *b); /* ASCII */

/* Walks the parts of a text between separators without copying:
 *     const char *rest = "a,b,c", *part; size_t n;
 *     while (str_split(&rest, ',', &part, &n)) ...
 * n parts have n-1 separators between them; "" has one empty part. *rest is NULL after the last one. */
bool str_split(const char **rest, char separator, const char **part, size_t *length);

/* Length of the well-formed UTF-8 that the bytes begin with: equal to `size` where all of it is well-formed. Overlong
 * forms, surrogates and values above U+10FFFF are not. */
size_t str_utf8_prefix(const char *text, size_t size);

/* How many bytes of the text to show where at most `limit` have room: no character is cut through. For "%.*s". */
int str_shown(const char *text, size_t limit);

/* A double as the shortest decimal that reads back to the same bits: "0.1", "1e-05", "inf", "nan". */
enum { STR_DOUBLE_SIZE = 32 };
const char *str_double(double value, char out[STR_DOUBLE_SIZE]);

#endif
