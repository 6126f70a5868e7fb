/* SPDX-License-Identifier: Apache-2.0
 * Discovery and look-up. Loading is in load.c. */
#include "registry/registry_private.h"
#include "registry/library.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/nearest.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>

static void first_text(const diagnostics *d, arena *memory, const char **out)
{
    for (size_t i = 0; i < d->count && !*out; i++) {
        const diagnostic *m = &d->at[i];
        if (m->severity != DIAGNOSTIC_ERROR)
            continue;
        *out = m->line   ? arena_format(memory, "%s:%d: %s", m->file, m->line, m->text)
               : m->file ? arena_format(memory, "%s: %s", m->file, m->text)
                         : arena_copy_text(memory, m->text);
    }
}

/* What can be said against a plugin without loading it; NULL: nothing. */
static const char *find_problem(registry_plugin *p, const char *path, arena *memory)
{
    error e = { 0 };
    if (library_check_trust(p->dir, &e) != LTH_OK || library_check_trust(path, &e) != LTH_OK)
        return arena_copy_text(memory, e.text); /* not even read */

    diagnostics d = { 0 };
    manifest m;
    const char *problem = NULL;
    if (manifest_read(path, &m, memory, &d) != LTH_OK)
        first_text(&d, memory, &problem);
    diagnostics_free(&d);
    if (problem)
        return problem;
    p->manifest = m;

    if (manifest_check_api(m.id, m.version, m.api_major, m.api_min_minor, &e) != LTH_OK)
        return arena_copy_text(memory, e.text);
    if (strcmp(m.arch, library_host_arch()) != 0)
        return arena_format(memory, "plugin '%s' is for %s, this machine is %s", m.id, m.arch, library_host_arch());
    char *library = path_join(p->dir, m.library);
    if (!path_exists(library))
        problem = arena_format(memory, "its library '%s' is missing", library);
    else if (library_check_trust(library, &e) != LTH_OK)
        problem = arena_copy_text(memory, e.text);
    free(library);
    return problem;
}

static const registry_plugin *winner(const registry *r, const char *id)
{
    for (size_t i = 0; i < r->plugin_count; i++)
        if (strcmp(r->plugins[i]->manifest.id, id) == 0)
            return r->plugins[i];
    return NULL;
}

static void add_components(registry *r, registry_plugin *p)
{
    for (uint32_t i = 0; i < p->manifest.component_count; i++) {
        const manifest_component *m = &p->manifest.components[i];
        if (!m->kind)
            continue; /* of a later host's kind */
        registry_component *c = arena_alloc(&r->memory, sizeof(struct own_component));
        *c = (registry_component) { p, m->kind, m->id, m->summary, m->flags, m->score, m->options, NULL };
        const registry_component *earlier = registry_find(r, m->kind->name, m->id);
        c->shadowed_by = p->shadowed_by ? p->shadowed_by : earlier ? earlier->plugin : NULL;
        ((struct own_component *)c)->index = r->component_count;
        r->components = memory_grow(r->components, &r->component_capacity, r->component_count + 1, sizeof *r->components);
        r->components[r->component_count++] = c;
    }
}

static void add_plugin(registry *r, registry_place *place, const char *name)
{
    char *dir = path_join(place->dir, name), *path = path_join(dir, MANIFEST_FILE);
    if (path_exists(path)) {
        registry_plugin *p = arena_alloc(&r->memory, sizeof(struct own_plugin));
        p->dir = arena_copy_text(&r->memory, dir);
        p->place = place;
        p->manifest.id = arena_copy_text(&r->memory, name);
        p->problem = find_problem(p, path, &r->memory);
        p->shadowed_by = winner(r, p->manifest.id);
        add_components(r, p);
        r->plugins = memory_grow(r->plugins, &r->plugin_capacity, r->plugin_count + 1, sizeof *r->plugins);
        r->plugins[r->plugin_count++] = p;
        place->plugin_count++;
    }
    free(dir);
    free(path);
}

registry *registry_open(const registry_paths *paths, diagnostics *d)
{
    registry *r = memory_new(sizeof *r);
    search_path(&r->places, paths, &r->memory, d);
    for (size_t i = 0; i < r->places.count; i++) {
        registry_place *place = r->places.at[i];
        file_names names = { 0 };
        error e = { 0 };
        if (place->problem)
            continue;
        if (file_list(place->dir, &names, &e) != LTH_OK)
            place->problem = arena_copy_text(&r->memory, e.text);
        for (size_t n = 0; n < names.count; n++)
            if (names.at[n][0] != '.')
                add_plugin(r, place, names.at[n]);
        file_names_free(&names);
    }
    return r;
}

void registry_free(registry *r)
{
    if (!r)
        return;
    search_free(&r->places);
    free(r->plugins);
    free(r->components);
    arena_free(&r->memory);
    free(r);
}

const registry_component *registry_find(const registry *r, const char *kind, const char *id)
{
    for (size_t i = 0; i < r->component_count; i++) {
        const registry_component *c = r->components[i];
        if (!c->shadowed_by && strcmp(c->kind->name, kind) == 0 && strcmp(c->id, id) == 0)
            return c;
    }
    return NULL;
}

const registry_component *registry_next(const registry *r, const char *kind, const registry_component *after)
{
    for (size_t i = after ? ((const struct own_component *)after)->index + 1 : 0; i < r->component_count; i++) {
        const registry_component *c = r->components[i];
        if (!c->shadowed_by && (!kind || strcmp(c->kind->name, kind) == 0))
            return c;
    }
    return NULL;
}

const registry_place *const *registry_places(const registry *r, size_t *count)
{
    *count = r->places.count;
    return (const registry_place *const *)r->places.at;
}

const registry_plugin *const *registry_plugins(const registry *r, size_t *count)
{
    *count = r->plugin_count;
    return (const registry_plugin *const *)r->plugins;
}

const registry_component *const *registry_components(const registry *r, size_t *count)
{
    *count = r->component_count;
    return (const registry_component *const *)r->components;
}

/* Names of the kind's components for "did you mean". */
static const char *nearest_id(const registry *r, const char *kind, const char *id)
{
    const char **ids = memory_new((r->component_count + 1) * sizeof *ids);
    size_t count = 0;
    for (const registry_component *c = NULL; (c = registry_next(r, kind, c));)
        ids[count++] = c->id;
    const char *found = nearest(id, ids, count);
    free(ids);
    return found;
}

/* The component of this kind and id that a plugin has in another version of the kind than this host knows; NULL: none. */
static const manifest_component *of_another_version(const registry *r, const char *kind, const char *id)
{
    for (size_t i = 0; i < r->plugin_count; i++)
        for (uint32_t k = 0; k < r->plugins[i]->manifest.component_count; k++) {
            const manifest_component *m = &r->plugins[i]->manifest.components[k];
            size_t n = strlen(kind);
            if (!m->kind && strcmp(m->id, id) == 0 && strncmp(m->interface, kind, n) == 0 && m->interface[n] == '/')
                return m;
        }
    return NULL;
}

static void report_missing(const registry *r, const char *kind, const char *id, const char *file, int line, diagnostics *d)
{
    /* A plugin whose manifest could not be read is known by its folder's name alone. */
    const registry_plugin *p = winner(r, id);
    if (p && p->problem && !p->manifest.component_count) {
        diagnostics_error(d, file, line, "the plugin '%s' cannot be used: %s", id, p->problem);
        return;
    }
    diagnostics_error(d, file, line, "there is no %s '%s'", kind, id);
    const manifest_component *m = of_another_version(r, kind, id);
    if (m) {
        diagnostics_hint(d, "a plugin has one as %s, which this lthost does not know", m->interface);
        return;
    }
    const char *close = nearest_id(r, kind, id);
    const registry_component *other = NULL;
    while ((other = registry_next(r, NULL, other)) && strcmp(other->id, id) != 0)
        ;
    if (close)
        diagnostics_hint(d, "did you mean '%s'?", close);
    else if (other)
        diagnostics_hint(d, "'%s' is %s %s", id, strchr("aeiou", other->kind->name[0]) ? "an" : "a", other->kind->name);
    else
        diagnostics_hint(d, "`lthost plugins why %s` shows where it was looked for", id);
}

const registry_component *registry_require(const registry *r, const char *kind, const char *id, const char *file, int line,
                                           diagnostics *d)
{
    const registry_component *c = registry_find(r, kind, id);
    if (!c)
        report_missing(r, kind, id, file, line, d);
    else if (c->plugin->problem)
        diagnostics_error(d, file, line, "the %s '%s' cannot be used: %s", kind, id, c->plugin->problem);
    return c;
}
