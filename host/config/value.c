/* SPDX-License-Identifier: Apache-2.0
 * config/value.c: values as text, in and out. Numbers and their ranges are in number.c. */
#include "value.h"
#include "number.h"
#include "quote.h"
#include "util/nearest.h"
#include "util/path.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 60 /* bytes of an element in a message */ };

/* One scalar, or one element of a list. */
typedef union scalar {
    int64_t i;
    double f;
    bool b;
    const char *s;
} scalar;

static lth_option_type element_type(lth_option_type type)
{
    switch (type) {
    case LTH_OPTION_INT_LIST:
        return LTH_OPTION_INT;
    case LTH_OPTION_FLOAT_LIST:
        return LTH_OPTION_FLOAT;
    case LTH_OPTION_STRING_LIST:
        return LTH_OPTION_STRING;
    default:
        return type;
    }
}

static bool is_list(lth_option_type type) { return element_type(type) != type; }

static lth_status read_bool(const char *text, bool *out, error *e)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal_nocase(text, words[i])) {
            *out = i % 2;
            return LTH_OK;
        }
    return error_set(e, LTH_INVALID, "is neither true nor false");
}

/* Is the text one of the words of "a|b|c"? */
static bool is_word(const char *words, const char *text)
{
    const char *word;
    for (size_t n, size = strlen(text); str_split(&words, '|', &word, &n);)
        if (n == size && !memcmp(word, text, n))
            return true;
    return false;
}

static lth_status read_string(const lth_option *o, const char *text, const char *base_dir, const char **out, arena *memory,
                              error *e)
{
    const char *plain;
    lth_status s = quote_remove(text, memory, &plain, e);
    if (s)
        return s;
    if (o->range && !is_word(o->range, plain))
        return error_set(e, LTH_INVALID, "is none of its words");
    if (o->flags & LTH_OPTION_PATH && base_dir) {
        char *path = path_expand(plain, base_dir);
        plain = arena_copy_text(memory, path);
        free(path);
    }
    *out = plain;
    return LTH_OK;
}

static lth_status read_scalar(const lth_option *o, const char *text, const char *base_dir, scalar *out, arena *memory, error *e)
{
    lth_option_type type = element_type(o->type);
    if (type == LTH_OPTION_STRING)
        return read_string(o, text, base_dir, &out->s, memory, e);
    if (!*text)
        return error_set(e, LTH_INVALID, "has no value");
    if (type == LTH_OPTION_BOOL)
        return read_bool(text, &out->b, e);
    lth_status s = type == LTH_OPTION_INT ? number_read_int(text, &out->i, e) : number_read_float(text, &out->f, e);
    if (!s)
        s = type == LTH_OPTION_INT ? number_check_int(o->range, out->i, e) : number_check_float(o->range, out->f, e);
    return s;
}

static void store(lth_option_type type, void *at, const scalar *value)
{
    switch (type) {
    case LTH_OPTION_INT:
        memcpy(at, &value->i, sizeof value->i);
        break;
    case LTH_OPTION_FLOAT:
        memcpy(at, &value->f, sizeof value->f);
        break;
    case LTH_OPTION_BOOL:
        memcpy(at, &value->b, sizeof value->b);
        break;
    default:
        memcpy(at, &value->s, sizeof value->s);
        break;
    }
}

/* The end of the list's element that begins at `at`: its comma, or the text's end. */
static char *element_end(char *at)
{
    quote_scan scan = { 0 };
    while (*at && (quote_inside(&scan, at) || *at != ','))
        at++;
    return at;
}

static size_t count_elements(char *text)
{
    size_t count = 1;
    for (char *at = element_end(text); *at; at = element_end(at + 1))
        count++;
    return *text ? count : 0;
}

/* Three kinds of list are laid out alike: a pointer to elements of 8 bytes, and their count. */
LTH_STATIC_ASSERT(sizeof(const char *) == 8 && sizeof(lth_int_list) == sizeof(lth_string_list) &&
                      sizeof(lth_int_list) == sizeof(lth_float_list),
                  "lists are read and written through lth_int_list");

static lth_status read_list(const lth_option *o, char *text, const char *base_dir, void *field, arena *memory, error *e)
{
    size_t count = count_elements(text);
    int64_t *elements = arena_array(memory, count, sizeof *elements);
    for (size_t i = 0; i < count; i++) {
        char *end = element_end(text), *next = *end ? end + 1 : end;
        *end = 0;
        char *element = str_trim(text);
        scalar value;
        lth_status s = *element ? read_scalar(o, element, base_dir, &value, memory, e)
                                : error_set(e, LTH_INVALID, "has nothing between two commas (write \"\" for an empty text)");
        if (s && *element)
            return error_prefix(e, "is wrong in element %zu: '%.*s' ", i + 1, str_shown(element, SHOWN), element);
        if (s)
            return s;
        store(element_type(o->type), &elements[i], &value);
        text = next;
    }
    lth_int_list list = { elements, (int64_t)count };
    memcpy(field, &list, sizeof list);
    return LTH_OK;
}

lth_status value_read(const lth_option *o, const char *text, const char *base_dir, void *field, arena *memory, error *e)
{
    if (o->type < LTH_OPTION_INT || o->type > LTH_OPTION_STRING_LIST)
        return error_set(e, LTH_UNSUPPORTED, "has a type that this host does not know (%u)", o->type);
    char *copy = str_trim(arena_copy_text(memory, text));
    if (is_list(o->type))
        return read_list(o, copy, base_dir, field, memory, e);
    scalar value;
    lth_status s = read_scalar(o, copy, base_dir, &value, memory, e);
    if (!s)
        store(o->type, field, &value);
    return s;
}

static void write_scalar(str *out, lth_option_type type, const void *at, bool in_list)
{
    scalar value;
    char text[STR_DOUBLE_SIZE];
    switch (type) {
    case LTH_OPTION_INT:
        memcpy(&value.i, at, sizeof value.i);
        str_printf(out, "%" PRId64, value.i);
        break;
    case LTH_OPTION_FLOAT:
        memcpy(&value.f, at, sizeof value.f);
        str_append(out, str_double(value.f, text));
        break;
    case LTH_OPTION_BOOL:
        memcpy(&value.b, at, sizeof value.b);
        str_append(out, value.b ? "true" : "false");
        break;
    default:
        memcpy(&value.s, at, sizeof value.s);
        quote_write(out, value.s ? value.s : "", in_list);
    }
}

void value_write(str *out, const lth_option *o, const void *field)
{
    if (!is_list(o->type)) {
        write_scalar(out, o->type, field, false);
        return;
    }
    lth_int_list list;
    memcpy(&list, field, sizeof list);
    for (int64_t i = 0; i < list.count; i++) {
        str_append(out, i ? ", " : "");
        write_scalar(out, element_type(o->type), &list.at[i], true);
    }
}

void value_clear(const lth_option *o, void *field)
{
    static const lth_int_list none;
    static const scalar empty[] = { [LTH_OPTION_STRING] = { .s = "" } };
    if (is_list(o->type))
        memcpy(field, &none, sizeof none);
    else if (o->type >= LTH_OPTION_INT && o->type <= LTH_OPTION_STRING)
        store(o->type, field, &empty[o->type]);
}

lth_status value_check_range(const lth_option *o, error *e)
{
    lth_option_type type = element_type(o->type);
    if (!o->range)
        return LTH_OK;
    if (type == LTH_OPTION_BOOL)
        return error_set(e, LTH_INVALID, "a bool has no range");
    if (type != LTH_OPTION_STRING)
        return number_check_range(o->range, type == LTH_OPTION_INT, e);
    const char *rest = o->range, *word;
    for (size_t n; str_split(&rest, '|', &word, &n);)
        if (!n || str_is_blank(word[0]) || str_is_blank(word[n - 1]))
            return error_set(e, LTH_INVALID, "the range '%s' has an empty word or one with a blank at its end", o->range);
    return LTH_OK;
}

const char *value_nearest_word(const lth_option *o, const char *text, arena *memory)
{
    if (!o->range || element_type(o->type) != LTH_OPTION_STRING)
        return NULL;
    const char *rest = o->range, *word, *best = NULL;
    for (size_t n; str_split(&rest, '|', &word, &n);) {
        const char *pair[] = { best, arena_copy_part(memory, word, n) };
        best = nearest(text, pair, 2);
    }
    return best;
}
