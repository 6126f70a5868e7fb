/* SPDX-License-Identifier: Apache-2.0
 * config/quote.c */
#include "quote.h"
#include <string.h>

static const char escapes[] = "\"\\nrt", escaped[] = "\"\\\n\r\t";

/* The closing quote of the quoted text that begins at `open`, or NULL. */
static const char *find_close(const char *open)
{
    const char *at = open + 1;
    for (; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at : NULL;
}

bool quote_inside(quote_scan *scan, const char *at)
{
    if (scan->close && at <= scan->close)
        return true;
    scan->close = *at == '"' && !scan->element_goes_on ? find_close(at) : NULL;
    scan->element_goes_on = *at != ',' && (scan->element_goes_on || !str_is_blank(*at));
    return scan->close != NULL;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The character that the escape after '\' stands for; moves behind it. -1: no escape. 0 would end the text. */
static int read_escape(const char **at)
{
    const char *known = **at ? strchr(escapes, **at) : NULL;
    if (known) {
        ++*at;
        return (unsigned char)escaped[known - escapes];
    }
    if (**at != 'x')
        return -1;
    int high = hex_digit((*at)[1]), low = high < 0 ? -1 : hex_digit((*at)[2]);
    *at += 3;
    return low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

lth_status quote_remove(const char *text, arena *memory, const char **out, error *e)
{
    if (*text != '"') {
        *out = arena_copy_text(memory, text);
        return LTH_OK;
    }
    const char *close = find_close(text), *at = text + 1;
    if (!close)
        return error_set(e, LTH_INVALID, "has a quote that is not closed");
    if (close[1])
        return error_set(e, LTH_INVALID, "goes on after the closing quote");
    char *plain = arena_alloc(memory, strlen(text)), *end = plain;
    while (at < close) {
        int c = (unsigned char)*at++;
        if (c == '\\' && (c = read_escape(&at)) < 0)
            return error_set(e, LTH_INVALID, "has an unknown escape; there are \\\" \\\\ \\n \\r \\t \\xHH");
        *end++ = (char)c;
    }
    *out = plain;
    return LTH_OK;
}

void quote_escape(str *out, const char *text)
{
    size_t size = strlen(text), good = str_utf8_prefix(text, size);
    for (size_t i = 0; i < size; i++) {
        const char *known = strchr(escaped, text[i]);
        if (i >= good) /* go on behind bytes that are not UTF-8 */
            good = i + str_utf8_prefix(text + i, size - i);
        if (known)
            str_printf(out, "\\%c", escapes[known - escaped]);
        else if (i >= good || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            str_printf(out, "\\x%02x", (unsigned char)text[i]);
        else
            str_append_char(out, text[i]);
    }
}

static bool needs_quotes(const char *text, bool is_element)
{
    size_t size = strlen(text);
    if (!size)
        return is_element;
    if (strchr("\";#", text[0]) || str_is_blank(text[0]) || str_is_blank(text[size - 1]) || str_utf8_prefix(text, size) < size)
        return true;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f || (is_element && text[i] == ',') ||
            (i && str_is_blank(text[i - 1]) && (text[i] == ';' || text[i] == '#')))
            return true;
    return false;
}

void quote_write(str *out, const char *text, bool is_element)
{
    bool quoted = needs_quotes(text, is_element);
    str written = { 0 };
    if (quoted)
        quote_escape(&written, text);
    else
        str_append(&written, text);

    str_append(out, quoted ? "\"" : "");
    for (const char *at = str_text(&written); *at; at++) {
        if (at[0] == '$' && at[1] == '{')
            str_append_char(out, '$');
        str_append_char(out, *at);
    }
    str_append(out, quoted ? "\"" : "");
    str_free(&written);
}
