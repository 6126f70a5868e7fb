/* SPDX-License-Identifier: Apache-2.0
 * config/ini.c: inih with its mends.
 *
 * inih asks a reader for lines and hands each value to a handler. The reader here (`next_line`) looks at a line before
 * inih does, reports what is wrong with it, and passes it on in a form that inih takes as it was meant:
 *   - blanks, ';' and '#' inside a value travel as control characters, which no file may contain, and become
 *     themselves again in the handler: so nothing is cut off that a quote protects;
 *   - a value longer than inih's line goes in pieces, as continuation lines; the handler puts them together;
 *   - sections are announced, and their names kept, by the reader: inih cuts them at 49 bytes and skips empty ones. */
#include "config/ini.h"
#include "quote.h"
#include "util/file.h"
#include "util/map.h"
#include <ini.h> /* inih's */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MISTAKE_LIMIT = 20,
    SHOWN = 60,        /* bytes of a wrong line in a message */
    INIH_LINE_END = 3, /* what inih needs of its line: \r, \n and the terminator */
    LEAST_LINE = INI_NAME_LIMIT + 16
};

typedef struct reader {
    const char *name, *text, *end; /* what is not read yet */
    int line;
    ini_visit visit;
    void *context;
    diagnostics *d;
    size_t mistakes;

    const char *section; /* NULL: its header is wrong, so nothing is visited */
    map seen;            /* "section" and "section\nkey" to the line where they stand */

    ini_item item;    /* being gathered; key NULL: none */
    bool continuable; /* the line before belongs to it */
    str key, value, unsent;
    size_t sent; /* bytes of `unsent` that inih has had */
    arena memory;
} reader;

static const char shielded[] = " \t;#", shield[] = "\x01\x02\x03\x04";

static void swap_characters(char *text, size_t size, const char *from, const char *to)
{
    for (size_t i = 0; i < size; i++) {
        const char *at = text[i] ? strchr(from, text[i]) : NULL;
        if (at)
            text[i] = to[at - from];
    }
}

LTH_PRINTF(2, 3) static void mistake(reader *r, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    diagnostics_error(r->d, r->name, r->line, "%s", arena_format_v(&r->memory, format, a));
    va_end(a);
    if (++r->mistakes == MISTAKE_LIMIT) {
        diagnostics_error(r->d, r->name, r->line, "too many mistakes; the rest of the file was not read");
        r->text = r->end;
    }
}

/* Hands the gathered item on, now that no continuation can follow. */
static void finish_item(reader *r)
{
    if (r->item.key && r->section) {
        r->item.section = r->section;
        r->item.value = r->value.at ? str_trim(r->value.at) : "";
        r->visit(r->context, &r->item);
    }
    r->item.key = NULL;
    r->continuable = false;
}

/* Remembers a section or key; false, with a message, where it stands in the file already. */
static bool first_time(reader *r, const char *what, const char *id)
{
    int before = (int)(intptr_t)map_get(&r->seen, id);
    if (!before) {
        map_put(&r->seen, id, (void *)(intptr_t)r->line);
        return true;
    }
    mistake(r, "%s is in this file twice: also in line %d", what, before);
    return false;
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static char *skip_blanks(char *at)
{
    while (str_is_blank(*at))
        at++;
    return at;
}

/* The '=' of a line that begins like "key =", else NULL. */
static char *equals_sign(char *line)
{
    char *at = line;
    while (is_key_character(*at))
        at++;
    char *sign = skip_blanks(at);
    return at > line && *sign == '=' ? sign : NULL;
}

/* Cuts the comment off a value and answers where it was, or NULL. */
static char *cut_comment(char *text)
{
    quote_scan scan = { 0 };
    for (char *at = text; *at; at++) {
        if (quote_inside(&scan, at) || (*at != ';' && *at != '#') || at == text || !str_is_blank(at[-1]))
            continue;
        *at = 0;
        return at + 1;
    }
    return NULL;
}

/* `[name]`, and nothing after it but a comment. */
static void read_section(reader *r, char *line)
{
    finish_item(r);
    r->section = NULL;
    char *end = strchr(line, ']');
    if (!end) {
        mistake(r, "a section's line ends in ']': '%.*s'", str_shown(line, SHOWN), line);
        return;
    }
    *end = 0;
    char *name = str_trim(line + 1), *rest = skip_blanks(end + 1);
    if (!*name)
        mistake(r, "a section needs a name between '[' and ']'");
    else if (strlen(name) > INI_NAME_LIMIT)
        mistake(r, "the section's name is longer than %d bytes", INI_NAME_LIMIT);
    else if (*rest && *rest != ';' && *rest != '#')
        mistake(r, "'%.*s' follows the section [%s]; a key belongs on a line of its own", str_shown(rest, SHOWN), rest, name);
    else {
        ini_item begin = { .section = name, .line = r->line };
        r->section = arena_copy_text(&r->memory, name);
        if (first_time(r, arena_format(&r->memory, "the section [%s]", name), name))
            r->visit(r->context, &begin);
    }
}

/* Begins an item; false where the line is wrong. What inih is to get of the value lies in r->unsent. */
static bool read_key(reader *r, char *line, char *sign)
{
    finish_item(r);
    *sign = 0;
    char *key = str_trim(line);
    if (strlen(key) > INI_NAME_LIMIT) {
        mistake(r, "the key's name is longer than %d bytes", INI_NAME_LIMIT);
        return false;
    }
    if (r->section &&
        !first_time(r, arena_format(&r->memory, "the key '%s'", key), arena_format(&r->memory, "%s\n%s", r->section, key)))
        return false;
    char *comment = cut_comment(sign + 1);
    char *value = str_trim(sign + 1);
    if (!*value && comment && !*str_trim(comment))
        mistake(r, "'%s' has no value, as ; and # begin a comment: in quotes (\";\") they do not", key);
    str_clear(&r->key);
    str_append(&r->key, key);
    str_append(&r->unsent, value);
    return true;
}

/* True where the line's bytes are text. */
static bool check_bytes(reader *r, const char *line, size_t size)
{
    size_t good = str_utf8_prefix(line, size), at = 0;
    while (at < good && ((unsigned char)line[at] >= 0x20 || line[at] == '\t') && line[at] != 0x7f)
        at++;
    if (at == size)
        return true;
    mistake(r, "byte %zu (0x%02x) is %s; the rest of the file was not read", at + 1, (unsigned char)line[at],
            at < good ? "a control character" : "not UTF-8");
    r->text = r->end; /* not a text file at all, most likely */
    return false;
}

/* The next line of the file, terminated, in `memory`; NULL at the end. */
static char *take_line(reader *r)
{
    if (r->text == r->end)
        return NULL;
    const char *begin = r->text, *stop = memchr(begin, '\n', (size_t)(r->end - begin));
    size_t size = (size_t)((stop ? stop : r->end) - begin);
    r->text = stop ? stop + 1 : r->end;
    r->line++;
    if (size && begin[size - 1] == '\r')
        size--;
    return check_bytes(r, begin, size) ? arena_copy_part(&r->memory, begin, size) : NULL;
}

/* As much of the unsent value as inih's line takes, behind `head`. */
static char *feed(reader *r, const char *head, char *line, int room)
{
    size_t used = strlen(head), left = (size_t)room - used - INIH_LINE_END, n = r->unsent.length - r->sent;
    if (n > left)
        n = left;
    memcpy(line, head, used);
    if (n)
        memcpy(line + used, r->unsent.at + r->sent, n);
    swap_characters(line + used, n, shielded, shield);
    line[used + n] = '\n';
    line[used + n + 1] = 0;
    r->sent += n;
    return line;
}

/* inih's reader: fgets for lines that inih understands. */
static char *next_line(char *line, int room, void *stream)
{
    reader *r = stream;
    if (room < LEAST_LINE) {
        mistake(r, "inih was built for lines of %d bytes, too few for names of %d", room, INI_NAME_LIMIT);
        return NULL;
    }
    if (r->sent < r->unsent.length)
        return feed(r, " ", line, room);
    str_clear(&r->unsent);
    r->sent = 0;

    char *whole = take_line(r);
    if (!whole)
        return NULL;
    char *text = skip_blanks(whole), *sign = equals_sign(text);
    if (*text == ';' || *text == '#')
        return feed(r, "", line, room); /* an empty line; a list may go on after a comment */
    if (*text == '[')
        read_section(r, text);
    else if (sign) {
        if (read_key(r, text, sign)) {
            char head[INI_NAME_LIMIT + 4];
            snprintf(head, sizeof head, "%s = ", str_text(&r->key));
            return feed(r, head, line, room);
        }
    } else if (*text && text > whole && r->continuable) {
        cut_comment(text);
        str_printf(&r->unsent, " %s", str_trim(text));
        return feed(r, " ", line, room);
    } else {
        finish_item(r);
        if (*text)
            mistake(r, "expected 'key = value' or '[section]' and not '%.*s'", str_shown(text, SHOWN), text);
    }
    return feed(r, "", line, room);
}

/* inih's handler: a piece of the current value. `section` and, in a further piece, `key` may be cut: ours are not. */
static int take_piece(void *context, const char *section, const char *key, const char *piece)
{
    (void)section;
    reader *r = context;
    if (!r->item.key) {
        str_clear(&r->key);
        str_append(&r->key, key);
        str_clear(&r->value);
        r->item = (ini_item) { .key = str_text(&r->key), .line = r->line };
        r->continuable = true;
    }
    size_t before = r->value.length;
    str_append(&r->value, piece);
    swap_characters(r->value.at + before, r->value.length - before, shield, shielded);
    return 1;
}

lth_status ini_read_text(const char *name, const char *text, size_t size, ini_visit visit, void *context, diagnostics *d)
{
    size_t mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    reader r = {
        .name = name, .text = text + mark, .end = text + size, .visit = visit, .context = context, .d = d, .section = ""
    };
    int wrong = size ? ini_parse_stream(next_line, &r, take_piece, &r) : 0;
    finish_item(&r);
    if (wrong && !r.mistakes) { /* inih and the reader disagree: still a place, never silence */
        r.line = wrong < 0 ? 0 : wrong;
        mistake(&r, "this line is not understood");
    }
    map_free(&r.seen);
    str_free(&r.key);
    str_free(&r.value);
    str_free(&r.unsent);
    arena_free(&r.memory);
    return r.mistakes ? LTH_INVALID : LTH_OK;
}

lth_status ini_read(const char *path, ini_visit visit, void *context, diagnostics *d)
{
    char *text;
    size_t size;
    error e = { 0 };
    if (file_read(path, INI_FILE_LIMIT, &text, &size, &e))
        return diagnostics_add(d, NULL, 0, &e);
    lth_status s = ini_read_text(path, text, size, visit, context, d);
    free(text);
    return s;
}
