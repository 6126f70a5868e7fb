/* SPDX-License-Identifier: Apache-2.0
 * Reads plugin.ini in two strokes: the visitor files each key where its section says, then `finish` checks that what
 * must be there is there. */
#include "config/ini.h"
#include "config/quote.h"
#include "registry/manifest.h"
#include "registry/manifest_words.h"
#include "util/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef enum place { PLACE_NOWHERE, PLACE_PLUGIN, PLACE_COMPONENT, PLACE_OPTION } place;

/* A component while its options arrive. */
typedef struct growing_component {
    manifest_component component;
    int line;
    long long promised; /* its `options` key */
    lth_option *options;
    size_t option_count, option_capacity;
} growing_component;

typedef struct reader {
    const char *path;
    arena *memory;
    diagnostics *d;
    manifest *out;
    place place;
    long long format, promised; /* the keys of [plugin] */
    bool api_given;
    growing_component *components;
    size_t count, capacity;
} reader;

/* One key: a text field, or a function for anything else. */
typedef struct manifest_key {
    const char *key;
    size_t offset; /* of a const char * */
    void (*read)(reader *r, void *at, const char *text, int line);
} manifest_key;

static bool whole_number(reader *r, const char *text, int line, long long lowest, long long highest, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= lowest && *out <= highest)
        return true;
    diagnostics_error(r->d, r->path, line, "'%s' is not a whole number between %lld and %lld", text, lowest, highest);
    *out = 0;
    return false;
}

static void unknown_word(reader *r, const manifest_word *words, const char *part, size_t length, int line)
{
    str known = { 0 };
    for (const manifest_word *w = words; w->word; w++)
        str_printf(&known, "%s%s", w == words ? "" : ", ", w->word);
    diagnostics_error(r->d, r->path, line, "'%.*s' is not known here; known are: %s", (int)length, part, str_text(&known));
    str_free(&known);
}

static uint32_t read_words(reader *r, const manifest_word *words, const char *text, int line)
{
    uint32_t all = 0;
    const char *rest = text, *part;
    size_t length;
    while (str_split(&rest, ',', &part, &length)) {
        while (length && str_is_blank(*part))
            part++, length--;
        while (length && str_is_blank(part[length - 1]))
            length--;
        const manifest_word *w = words;
        while (w->word && !(strlen(w->word) == length && memcmp(w->word, part, length) == 0))
            w++;
        if (!w->word)
            unknown_word(r, words, part, length, line);
        all |= w->value;
    }
    return all;
}

static void read_format(reader *r, void *at, const char *text, int line)
{
    (void)at;
    whole_number(r, text, line, 1, INT32_MAX, &r->format);
}

static void read_api(reader *r, void *at, const char *text, int line)
{
    manifest *m = at;
    char *end;
    errno = 0;
    unsigned long major = strtoul(text, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, &end, 10) : ULONG_MAX;
    if (errno || *end || text[0] < '0' || text[0] > '9' || major > UINT16_MAX || minor > UINT16_MAX) {
        diagnostics_error(r->d, r->path, line, "api = '%s' is not of the form MAJOR.MINOR", text);
        return;
    }
    m->api_major = (uint16_t)major;
    m->api_min_minor = (uint16_t)minor;
    r->api_given = true;
}

static void read_component_count(reader *r, void *at, const char *text, int line)
{
    (void)at;
    whole_number(r, text, line, 0, UINT32_MAX, &r->promised);
}

static void read_component_flags(reader *r, void *at, const char *text, int line)
{
    ((growing_component *)at)->component.flags = read_words(r, manifest_component_flags, text, line);
}

static void read_score(reader *r, void *at, const char *text, int line)
{
    long long score;
    if (whole_number(r, text, line, INT32_MIN, INT32_MAX, &score))
        ((growing_component *)at)->component.score = (int32_t)score;
}

static void read_option_count(reader *r, void *at, const char *text, int line)
{
    whole_number(r, text, line, 0, UINT32_MAX, &((growing_component *)at)->promised);
}

static void read_type(reader *r, void *at, const char *text, int line)
{
    ((lth_option *)at)->type = read_words(r, manifest_types, text, line);
}

static void read_option_flags(reader *r, void *at, const char *text, int line)
{
    ((lth_option *)at)->flags = read_words(r, manifest_option_flags, text, line);
}

static const manifest_key plugin_keys[] = {
    { "format", 0, read_format },
    { "id", offsetof(manifest, id), NULL },
    { "version", offsetof(manifest, version), NULL },
    { "license", offsetof(manifest, license), NULL },
    { "api", 0, read_api },
    { "library", offsetof(manifest, library), NULL },
    { "arch", offsetof(manifest, arch), NULL },
    { "sha256", offsetof(manifest, sha256), NULL },
    { "components", 0, read_component_count },
    { NULL, 0, NULL },
};
static const manifest_key component_keys[] = {
    { "interface", offsetof(growing_component, component.interface), NULL },
    { "summary", offsetof(growing_component, component.summary), NULL },
    { "flags", 0, read_component_flags },
    { "score", 0, read_score },
    { "options", 0, read_option_count },
    { NULL, 0, NULL },
};
static const manifest_key option_keys[] = {
    { "type", 0, read_type },
    { "default", offsetof(lth_option, initial), NULL },
    { "range", offsetof(lth_option, range), NULL },
    { "help", offsetof(lth_option, help), NULL },
    { "old_name", offsetof(lth_option, old_name), NULL },
    { "flags", 0, read_option_flags },
    { NULL, 0, NULL },
};

static void begin_section(reader *r, const char *title, int line)
{
    r->place = PLACE_NOWHERE;
    const char *kind_end = strchr(title, '.');
    const char *id_end = kind_end ? strchr(kind_end + 1, '.') : NULL;
    if (strcmp(title, "plugin") == 0) {
        r->place = PLACE_PLUGIN;
    } else if (kind_end && !id_end) {
        r->components = memory_grow(r->components, &r->capacity, r->count + 1, sizeof *r->components);
        growing_component *c = &r->components[r->count++];
        memset(c, 0, sizeof *c);
        c->line = line;
        c->component.id = arena_copy_text(r->memory, kind_end + 1);
        c->component.summary = "";
        r->place = PLACE_COMPONENT;
        if (!manifest_id_is_right(c->component.id))
            diagnostics_error(r->d, r->path, line, "'%s' is no name for a component", c->component.id);
    } else if (id_end && r->count) {
        growing_component *c = &r->components[r->count - 1];
        size_t length = (size_t)(id_end - kind_end - 1);
        if (strlen(c->component.id) != length || memcmp(c->component.id, kind_end + 1, length) != 0) {
            diagnostics_error(r->d, r->path, line, "[%s] does not follow its component", title);
            return;
        }
        c->options = memory_grow(c->options, &c->option_capacity, c->option_count + 1, sizeof *c->options);
        lth_option *o = &c->options[c->option_count++];
        memset(o, 0, sizeof *o);
        o->name = arena_copy_text(r->memory, id_end + 1);
        r->place = PLACE_OPTION;
    }
}

/* The struct that the running section fills, and its keys; NULL: a section that is passed over. */
static void *where(reader *r, const manifest_key **keys)
{
    *keys = plugin_keys;
    if (r->place == PLACE_PLUGIN)
        return r->out;
    if (r->place == PLACE_NOWHERE || !r->count)
        return NULL;
    growing_component *last = &r->components[r->count - 1];
    *keys = component_keys;
    if (r->place == PLACE_COMPONENT)
        return last;
    *keys = option_keys;
    return last->option_count ? &last->options[last->option_count - 1] : NULL;
}

static void visit(void *context, const ini_item *item)
{
    reader *r = context;
    if (!item->key) {
        begin_section(r, item->section, item->line);
        return;
    }
    const manifest_key *k;
    void *at = where(r, &k);
    if (!at)
        return;
    while (k->key && strcmp(k->key, item->key) != 0)
        k++;
    if (!k->key)
        return;
    error e = { 0 };
    const char *text;
    if (quote_remove(item->value, r->memory, &text, &e) != LTH_OK) {
        diagnostics_error(r->d, r->path, item->line, "%s %s", item->key, e.text);
        return;
    }
    if (k->read)
        k->read(r, at, text, item->line);
    else
        memcpy((char *)at + k->offset, &text, sizeof text);
}

static void check_plugin(reader *r)
{
    manifest *m = r->out;
    if (r->format != MANIFEST_FORMAT) {
        diagnostics_error(r->d, r->path, 0, "is no manifest of format %d, the one that this lthost reads", MANIFEST_FORMAT);
        return;
    }
    const struct {
        const char *key, *value;
    } needed[] = { { "id", m->id },           { "version", m->version }, { "library", m->library }, { "arch", m->arch },
                   { "sha256", m->sha256 },   { "license", m->license }, { "api", r->api_given ? "" : NULL } };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!needed[i].value)
            diagnostics_error(r->d, r->path, 0, "[plugin] has no '%s'", needed[i].key);
    if (m->id && !manifest_id_is_right(m->id))
        diagnostics_error(r->d, r->path, 0, "id = '%s' is no name for a plugin", m->id);
    if (m->library && (strchr(m->library, '/') || !str_ends(m->library, ".so")))
        diagnostics_error(r->d, r->path, 0, "library = '%s' is not the name of a .so beside the manifest", m->library);
    if (m->sha256 && (strlen(m->sha256) != 64 || strspn(m->sha256, "0123456789abcdef") != 64))
        diagnostics_error(r->d, r->path, 0, "sha256 is not 64 hexadecimal digits");
    if ((size_t)r->promised != r->count)
        diagnostics_error(r->d, r->path, 0, "promises %lld components and has %zu: it is cut off", r->promised, r->count);
}

static void finish_component(reader *r, growing_component *g)
{
    manifest_component *c = &g->component;
    if (!c->interface)
        diagnostics_error(r->d, r->path, g->line, "the component '%s' has no 'interface'", c->id);
    else
        c->kind = kind_by_interface(c->interface);
    if ((size_t)g->promised != g->option_count)
        diagnostics_error(r->d, r->path, g->line, "'%s' promises %lld options and has %zu: the manifest is cut off", c->id,
                          g->promised, g->option_count);
    for (size_t i = 0; i < g->option_count; i++)
        if (!g->options[i].type)
            diagnostics_error(r->d, r->path, g->line, "the option '%s' of '%s' has no type", g->options[i].name, c->id);
    if (g->option_count)
        c->options.at = arena_copy(r->memory, g->options, g->option_count * sizeof *g->options);
    c->options.count = (uint32_t)g->option_count;
    c->options.stride = sizeof(lth_option);
    free(g->options);
}

lth_status manifest_read(const char *path, manifest *out, arena *memory, diagnostics *d)
{
    size_t errors_before = d->error_count;
    memset(out, 0, sizeof *out);
    reader r = { .path = arena_copy_text(memory, path), .memory = memory, .d = d, .out = out };
    lth_status status = ini_read(path, visit, &r, d);
    if (status != LTH_IO)
        check_plugin(&r);
    out->component_count = (uint32_t)r.count;
    out->components = arena_array(memory, r.count, sizeof *out->components);
    for (size_t i = 0; i < r.count; i++) {
        finish_component(&r, &r.components[i]);
        out->components[i] = r.components[i].component;
    }
    free(r.components);
    return d->error_count == errors_before ? LTH_OK : status != LTH_OK ? status : LTH_INVALID;
}
