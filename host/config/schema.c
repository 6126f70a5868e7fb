/* SPDX-License-Identifier: Apache-2.0
 * config/schema.c: a section's keys against the tables that it serves. Checking a table itself: schema_table.c. */
#include "schema.h"
#include "option_show.h"
#include "quote.h"
#include "util/memory.h"
#include "util/nearest.h"
#include "value.h"
#include <stdlib.h>
#include <string.h>

/* One section while it is filled. */
typedef struct fill {
    const config *c;
    config_section *s; /* NULL: absent */
    const char *title;
    const schema_part *parts;
    size_t count;
    arena *memory;
    diagnostics *d;
} fill;

enum { SHOWN = 60 /* bytes of a value in a message */ };

lth_option schema_option(const lth_options *options, uint32_t i)
{
    lth_option option = { 0 };
    size_t size = options->stride < sizeof option ? options->stride : sizeof option;
    memcpy(&option, (const char *)options->at + (size_t)i * options->stride, size);
    return option;
}

static void *field_of(const schema_part *part, const lth_option *o)
{
    return part->instance ? (char *)part->instance + o->offset : NULL;
}

bool schema_find(const schema_part *parts, size_t count, const char *key, lth_option *option, void **field)
{
    for (size_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < parts[p].options->count; i++) {
            lth_option o = schema_option(parts[p].options, i);
            if (strcmp(o.name, key) != 0 && (!o.old_name || strcmp(o.old_name, key) != 0))
                continue;
            *option = o;
            if (field)
                *field = field_of(&parts[p], &o);
            return true;
        }
    return false;
}

/* "; lr: learning rate, 0.., default 1e-3" */
static const char *explained(const fill *f, const lth_option *o)
{
    str text = { 0 };
    str_printf(&text, "; %s: ", o->name);
    option_describe(&text, o);
    const char *kept = arena_copy_text(&f->d->memory, str_text(&text));
    str_free(&text);
    return kept;
}

static void report_value(const fill *f, const config_entry *entry, const lth_option *o, const char *why)
{
    bool secret = o->flags & LTH_OPTION_SECRET;
    int shown = str_shown(entry->value, SHOWN);
    diagnostics_error(f->d, entry->file, entry->line, "[%s] %s = '%.*s%s' %s%s", f->title, entry->key, secret ? 3 : shown,
                      secret ? "***" : entry->value, !secret && entry->value[shown] ? "..." : "",
                      secret ? "is not a right value" : why, explained(f, o));
    const char *word = secret ? NULL : value_nearest_word(o, entry->value, &f->d->memory);
    if (word)
        diagnostics_hint(f->d, "did you mean '%s'?", word);
}

/* The entry that gives the option its value, by its name or its old one; NULL where none does. */
static config_entry *given(const fill *f, const lth_option *o)
{
    config_entry *entry = config_take(f->s, o->name), *old = o->old_name ? config_take(f->s, o->old_name) : NULL;
    if (entry && old)
        diagnostics_error(f->d, old->file, old->line, "[%s] '%s' is the old name of '%s', which is given too (%s:%d)", f->title,
                          old->key, o->name, entry->file, entry->line);
    else if (old)
        diagnostics_warning(f->d, old->file, old->line, "[%s] '%s' is now called '%s'", f->title, old->key, o->name);
    return entry ? entry : old;
}

static void fill_option(const fill *f, const schema_part *part, const lth_option *o)
{
    union {
        lth_int_list list;
        int64_t number;
    } unseen;
    void *field = part->instance ? field_of(part, o) : &unseen;
    error e = { 0 };
    value_clear(o, field);
    if (o->initial && value_read(o, o->initial, f->c->base_dir, field, f->memory, &e))
        diagnostics_error(f->d, NULL, 0, "[%s] the default of '%s' is wrong: '%s' %s; this is the plugin's mistake", f->title,
                          o->name, o->initial, e.text);
    const config_entry *entry = given(f, o);
    error_clear(&e);
    if (entry && !entry->broken && value_read(o, entry->value, entry->base_dir, field, f->memory, &e))
        report_value(f, entry, o, e.text);
    if (!entry && o->flags & LTH_OPTION_REQUIRED)
        diagnostics_error(f->d, config_section_file(f->c, f->s), config_section_line(f->s), "[%s] needs '%s'%s", f->title,
                          o->name, explained(f, o));
}

/* "plateau " where the section says so; else its title tells enough. */
static const char *component_of(const fill *f)
{
    const config_entry *use = config_take(f->s, "use");
    const char *plain = use ? use->value : "";
    if (!use || use->broken || !*plain || quote_remove(use->value, &f->d->memory, &plain, NULL))
        return "";
    return arena_format(&f->d->memory, "%s ", plain);
}

/* A key that no table takes: one that was removed, or a mistyped one. */
static void report_key(const fill *f, const config_entry *entry)
{
    const char *section = f->title;
    lth_option o;
    if (schema_find(f->parts, f->count, entry->key, &o, NULL)) {
        diagnostics_error(f->d, entry->file, entry->line, "[%s] %s: %s", section, entry->key,
                          o.help ? o.help : "no longer an option");
        return;
    }
    size_t count = 2, capacity = 0;
    const char **names = memory_grow(NULL, &capacity, count, sizeof *names);
    names[0] = "use";
    names[1] = "enabled";
    for (size_t p = 0; p < f->count; p++)
        for (uint32_t i = 0; i < f->parts[p].options->count; i++) {
            o = schema_option(f->parts[p].options, i);
            names = memory_grow(names, &capacity, count + 1, sizeof *names);
            names[count++] = o.flags & LTH_OPTION_REMOVED ? NULL : arena_copy_text(&f->d->memory, o.name);
        }
    diagnostics_error(f->d, entry->file, entry->line, "[%s] %shas no option '%s'", section, component_of(f),
                      entry->key);
    const char *meant = nearest(entry->key, names, count);
    if (meant)
        diagnostics_hint(f->d, "did you mean '%s'?", meant);
    free(names);
}

lth_status schema_fill(const config *c, config_section *s, const char *title, const schema_part *parts, size_t count,
                       arena *memory, diagnostics *d)
{
    const fill f = { c, s, title, parts, count, memory, d };
    size_t before = d->error_count;
    config_take(s, "use");
    config_take(s, "enabled");
    for (size_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < parts[p].options->count; i++) {
            lth_option o = schema_option(parts[p].options, i);
            if (!(o.flags & LTH_OPTION_REMOVED))
                fill_option(&f, &parts[p], &o);
        }
    for (size_t i = 0; s && i < s->count; i++)
        if (!s->entries[i].used && !s->entries[i].for_other)
            report_key(&f, &s->entries[i]);
    return d->error_count > before ? LTH_INVALID : LTH_OK;
}
