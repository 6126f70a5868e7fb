/* SPDX-License-Identifier: Apache-2.0
 * config/expand.c */
#include "expand.h"
#include "quote.h"
#include <stdlib.h>
#include <string.h>

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

enum { SHOWN = 60 /* bytes of a wrong reference in a message */ };

typedef struct reference {
    const char *otherwise; /* after ":-"; NULL: none */
    const char *end;       /* its '}' */
    size_t name_length;
} reference;

/* Reads the reference whose name begins at `name`; false where it is none. */
static bool read_reference(const char *name, reference *r)
{
    size_t length = strspn(name, name_characters);
    const char *after = name + length;
    bool has_default = str_starts(after, ":-");
    *r = (reference) { .otherwise = has_default ? after + 2 : NULL, .name_length = length, .end = strchr(after, '}') };
    return length && (*name < '0' || *name > '9') && r->end && (has_default || r->end == after);
}

bool expand_is_reference(const char *written)
{
    reference r;
    return str_starts(written, "${") && read_reference(written + 2, &r) && !r.otherwise && !r.end[1];
}

static void broken(config_entry *entry, diagnostics *d, const char *what, const char *name, const char *hint)
{
    entry->broken = true;
    diagnostics_error(d, entry->file, entry->line, "%s: %s '%.*s'", entry->key, what, str_shown(name, SHOWN), name);
    diagnostics_hint(d, "%s", hint);
}

/* Appends what the reference stands for; between quotes in a form that stays there. */
static void append_variable(str *out, config_entry *entry, const char *name, const reference *r, bool quoted, arena *memory,
                            diagnostics *d)
{
    char *variable = arena_copy_part(memory, name, r->name_length);
    const char *value = getenv(variable);
    if (r->otherwise && (!value || !*value)) {
        str_append_bytes(out, r->otherwise, (size_t)(r->end - r->otherwise));
        return;
    }
    if (!value)
        broken(entry, d, "the environment has no", variable,
               arena_format(memory, "set it, or give a default: ${%s:-text}", variable));
    else if (str_utf8_prefix(value, strlen(value)) < strlen(value))
        broken(entry, d, "not UTF-8 is the environment's", variable, "only text can stand in a run file");
    else if (quoted)
        quote_escape(out, value);
    else
        str_append(out, value);
}

void expand_entry(config_entry *entry, arena *memory, diagnostics *d)
{
    if (!strstr(entry->written, "${"))
        return;
    str out = { 0 };
    quote_scan scan = { 0 };
    for (const char *at = entry->written; *at; at++) {
        bool quoted = quote_inside(&scan, at);
        reference r;
        if (str_starts(at, "$${")) {
            str_append(&out, "${");
            at += 2;
        } else if (!str_starts(at, "${")) {
            str_append_char(&out, *at);
        } else if (read_reference(at + 2, &r)) {
            append_variable(&out, entry, at + 2, &r, quoted, memory, d);
            at = r.end;
        } else {
            broken(entry, d, "not a reference to the environment:", at, "${NAME} or ${NAME:-text}; $${ stands for ${ itself");
            break;
        }
    }
    entry->value = arena_copy_text(memory, str_text(&out));
    str_free(&out);
}
