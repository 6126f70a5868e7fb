/* SPDX-License-Identifier: Apache-2.0
 * config/config.c: layers of run files and the command line become one description. Environment values: expand.c. */
#include "config.h"
#include "expand.h"
#include "ini.h"
#include "quote.h"
#include "util/memory.h"
#include "util/nearest.h"
#include "util/path.h"
#include "value.h"
#include <stdlib.h>
#include <string.h>

/* One run file, or the command line, while it is read. */
typedef struct layer {
    config *c;
    const char *file, *base_dir;
    config_section *section; /* NULL: its title is wrong, or none has begun */
    diagnostics *d;
} layer;

static const char title_form[] = "a section is [kind] or [kind.name]: kind of a-z, 0-9 and _; name of letters, digits, _ - and .";

static bool is_title(const char *title)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
    size_t kind = strspn(title, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (!kind || !strchr(lower, title[0]))
        return false;
    const char *name = title + kind;
    size_t n = strlen(name);
    return !n || (n > 1 && name[0] == '.' && name[1] != '.' && name[n - 1] != '.' &&
                  strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n);
}

static config_section *find_or_add(layer *l, const char *title, int line)
{
    config *c = l->c;
    config_section *s = config_find(c, title);
    if (s)
        return s;
    c->sections = memory_grow(c->sections, &c->capacity, c->count + 1, sizeof *c->sections);
    s = c->sections[c->count++] = arena_alloc(&c->memory, sizeof *s);
    const char *dot = strchr(title, '.');
    *s = (config_section) { .title = arena_copy_text(&c->memory, title),
                            .kind = arena_copy_part(&c->memory, title, dot ? (size_t)(dot - title) : strlen(title)),
                            .name = arena_copy_text(&c->memory, dot ? dot + 1 : ""),
                            .file = l->file,
                            .line = line,
                            .enabled = true };
    return s;
}

static config_entry *find_entry(const config_section *s, const char *key)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (!strcmp(s->entries[i].key, key))
            return &s->entries[i];
    return NULL;
}

/* A layer that names another component tells what earlier layers' keys were not meant for. */
static void change_use(const layer *l, config_section *s, const char *use)
{
    const config_entry *entry = find_entry(s, "use");
    const char *before = entry ? entry->value : s->name;
    if (!*before || strcmp(before, use) == 0)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->entries[i].file != l->file)
            s->entries[i].for_other = true;
}

/* Sets a key; an earlier layer's value and place go. */
static void set_entry(layer *l, config_section *s, const char *key, const char *value, int line)
{
    config_entry *entry = find_entry(s, key);
    if (strcmp(key, "use") == 0)
        change_use(l, s, value);
    if (!entry) {
        s->entries = memory_grow(s->entries, &s->capacity, s->count + 1, sizeof *s->entries);
        entry = &s->entries[s->count++];
        entry->key = arena_copy_text(&l->c->memory, key);
    }
    const char *copy = arena_copy_text(&l->c->memory, value);
    *entry = (config_entry) {
        .key = entry->key, .value = copy, .written = copy, .file = l->file, .line = line, .base_dir = l->base_dir
    };
}

static void take_item(void *context, const ini_item *item)
{
    layer *l = context;
    if (item->key && l->section)
        set_entry(l, l->section, item->key, item->value, item->line);
    else if (item->key && !*item->section)
        diagnostics_error(l->d, l->file, item->line, "'%s' stands before the first section", item->key);
    if (item->key)
        return;
    l->section = is_title(item->section) ? find_or_add(l, item->section, item->line) : NULL;
    if (!l->section) {
        diagnostics_error(l->d, l->file, item->line, "[%s] is not the name of a section", item->section);
        diagnostics_hint(l->d, "%s", title_form);
    }
}

/* `section.key=value`: the key follows the last dot before the '='. */
static void take_override(layer *l, const char *text)
{
    const char *sign = strchr(text, '=');
    char *left = sign ? str_dup_part(text, (size_t)(sign - text)) : str_dup(""), *path = str_trim(left);
    char *dot = strrchr(path, '.');
    if (dot)
        *dot = 0;
    size_t good = str_utf8_prefix(text, strlen(text));
    if (good < strlen(text)) {
        diagnostics_error(l->d, l->file, 0, "'%.*s' goes on with bytes that are not UTF-8", (int)good, text);
    } else if (!dot || !dot[1] || !is_title(path)) {
        diagnostics_error(l->d, l->file, 0, "'%s' is not understood", text);
        diagnostics_hint(l->d, "an override is section.key=value, such as trainer.max_epochs=3");
    } else {
        char *value = str_dup(sign + 1);
        set_entry(l, find_or_add(l, path, 0), dot + 1, str_trim(value), 0);
        free(value);
    }
    free(left);
}

/* What all layers together say about each section's `enabled`, now that values are final. */
static void read_enabled(config *c, config_section *s, diagnostics *d)
{
    static const lth_option option = { .name = "enabled", .type = LTH_OPTION_BOOL };
    const config_entry *entry = config_take(s, "enabled");
    error e = { 0 };
    if (entry && !entry->broken && value_read(&option, entry->value, NULL, &s->enabled, &c->memory, &e))
        diagnostics_error(d, entry->file, entry->line, "[%s] enabled = '%s' %s", s->title, entry->value, e.text);
    s->used = false; /* that was not somebody who needs it */
}

static void finish(config *c, const char *const *overrides, size_t count, diagnostics *d)
{
    char *here = path_current();
    layer l = { .c = c, .file = CONFIG_COMMAND_LINE, .base_dir = arena_copy_text(&c->memory, here), .d = d };
    free(here);
    if (!c->file) {
        c->file = l.file;
        c->base_dir = l.base_dir;
    }
    for (size_t i = 0; i < count; i++)
        take_override(&l, overrides[i]);
    for (size_t i = 0; i < c->count; i++) {
        config_section *s = c->sections[i];
        for (size_t k = 0; k < s->count; k++)
            expand_entry(&s->entries[k], &c->memory, d);
        read_enabled(c, s, d);
    }
}

/* The layer of a run file. The first one's name and folder are the config's own. */
static layer begin_file(config *c, const char *file, diagnostics *d)
{
    char *here = path_current(), *dir = path_dir(file), *base = path_expand(dir, here);
    layer l = { .c = c, .file = arena_copy_text(&c->memory, file), .base_dir = arena_copy_text(&c->memory, base), .d = d };
    free(base);
    free(dir);
    free(here);
    if (!c->file) {
        c->file = l.file;
        c->base_dir = l.base_dir;
    }
    return l;
}

config *config_load(const char *const *files, size_t file_count, const char *const *overrides, size_t override_count,
                    diagnostics *d)
{
    config *c = memory_new(sizeof *c);
    for (size_t i = 0; i < file_count; i++) {
        layer l = begin_file(c, files[i], d);
        ini_read(files[i], take_item, &l, d);
    }
    finish(c, overrides, override_count, d);
    return c;
}

config *config_load_text(const char *name, const char *text, size_t size, const char *const *overrides, size_t override_count,
                         diagnostics *d)
{
    config *c = memory_new(sizeof *c);
    layer l = begin_file(c, name, d);
    ini_read_text(name, text, size, take_item, &l, d);
    finish(c, overrides, override_count, d);
    return c;
}

void config_free(config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->sections[i]->entries);
    free(c->sections);
    arena_free(&c->memory);
    free(c);
}

config_section *config_find(const config *c, const char *title)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->sections[i]->title, title))
            return c->sections[i];
    return NULL;
}

config_section *config_next(const config *c, const char *kind, const config_section *after)
{
    bool passed = !after;
    for (size_t i = 0; i < c->count; i++) {
        if (passed && !strcmp(c->sections[i]->kind, kind))
            return c->sections[i];
        passed = passed || c->sections[i] == after;
    }
    return NULL;
}

config_entry *config_take(config_section *s, const char *key)
{
    config_entry *entry = find_entry(s, key);
    if (entry)
        entry->used = true;
    if (s)
        s->used = true;
    return entry;
}

const char *config_text(config *c, config_section *s, const char *key, const char *otherwise)
{
    const config_entry *entry = config_take(s, key);
    const char *plain;
    if (!entry || entry->broken)
        return otherwise;
    return quote_remove(entry->value, &c->memory, &plain, NULL) ? entry->value : plain;
}

const char *config_component(config *c, config_section *s) { return s ? config_text(c, s, "use", s->name) : ""; }

const char *config_section_file(const config *c, const config_section *s) { return s ? s->file : c->file; }

int config_section_line(const config_section *s) { return s ? s->line : 0; }

static bool is_among(const char *kind, const char *const *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(kind, kinds[i]))
            return true;
    return false;
}

void config_check_kinds(const config *c, const char *const *kinds, size_t count, diagnostics *d)
{
    for (size_t i = 0; i < c->count; i++) {
        const config_section *s = c->sections[i];
        if (is_among(s->kind, kinds, count))
            continue;
        const char *meant = nearest(s->kind, kinds, count);
        diagnostics_error(d, s->file, s->line, "there is no kind of section '%s' for [%s]", s->kind, s->title);
        if (meant)
            diagnostics_hint(d, "did you mean [%s%s]?", meant, s->title + strlen(s->kind));
    }
}

void config_check_used(const config *c, const char *const *kinds, size_t count, diagnostics *d)
{
    for (size_t i = 0; i < c->count; i++) {
        const config_section *s = c->sections[i];
        if (s->enabled && !s->used && is_among(s->kind, kinds, count))
            diagnostics_error(d, s->file, s->line, "nothing reads the section [%s]", s->title);
    }
}
