/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/search.h"
#include "registry/library.h"
#include "util/memory.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BELOW_DATA "lthost/plugins"

typedef struct builder {
    search *out;
    arena *memory;
    diagnostics *d;
} builder;

static bool is_known(const search *s, const char *dir)
{
    struct stat a, b;
    bool exists = stat(dir, &a) == 0;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->at[i]->dir, dir) == 0)
            return true;
        if (exists && stat(s->at[i]->dir, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return true;
    }
    return false;
}

/* Takes over `dir`, an absolute path from the heap. */
static registry_place *add(builder *b, char *dir, const char *origin)
{
    registry_place *place = NULL;
    if (!is_known(b->out, dir)) {
        place = arena_alloc(b->memory, sizeof *place);
        place->origin = origin;
        place->dir = arena_copy_text(b->memory, dir);
        error e = { 0 };
        char *real = NULL;
        if (path_real(dir, &real, &e) == LTH_OK)
            place->dir = arena_copy_text(b->memory, real);
        free(real);
        if (!path_exists(dir))
            place->problem = "does not exist";
        else if (!path_is_dir(dir))
            place->problem = "is no folder";
        else if (library_check_trust(place->dir, &e) != LTH_OK)
            place->problem = arena_copy_text(b->memory, e.text);
        b->out->at = memory_grow(b->out->at, &b->out->capacity, b->out->count + 1, sizeof *b->out->at);
        b->out->at[b->out->count++] = place;
    }
    free(dir);
    return place;
}

/* Folders that a person named for this run: one that cannot be searched is that person's mistake. */
static void add_named(builder *b, const char *const *dirs, size_t count, const char *origin, const char *file, int line)
{
    char *here = path_current();
    for (size_t i = 0; i < count; i++) {
        const registry_place *place = add(b, path_expand(dirs[i], here), origin);
        if (place && place->problem)
            diagnostics_error(b->d, file, line, "%s: the folder '%s' cannot be searched: %s", origin, place->dir, place->problem);
    }
    free(here);
}

/* A list with colons. Empty parts would mean the current folder, as in PATH: they are passed over. */
static void add_list(builder *b, const char *list, const char *origin)
{
    const char *rest = list, *part;
    size_t length;
    while (str_split(&rest, ':', &part, &length)) {
        if (!length)
            continue;
        if (part[0] == '/')
            add(b, str_dup_part(part, length), origin);
        else
            diagnostics_warning(b->d, NULL, 0, "%s: '%.*s' is not absolute and is passed over", origin, (int)length, part);
    }
}

static void add_system(builder *b)
{
    const char *data = secure_getenv("XDG_DATA_HOME"), *home = secure_getenv("HOME");
    if (data && data[0] == '/')
        add(b, path_join(data, BELOW_DATA), "the user's data folder");
    else if (home && home[0] == '/')
        add(b, path_join(home, ".local/share/" BELOW_DATA), "the user's data folder");

    char *program = NULL;
    error e = { 0 };
    if (path_of_program(&program, &e) == LTH_OK) {
        char *bin = path_dir(program), *prefix = path_dir(bin);
        add(b, path_join(prefix, "lib/" BELOW_DATA), "beside the program");
        free(bin);
        free(prefix);
    }
    free(program);
    add(b, str_dup(LTHOST_PLUGIN_INSTALL_DIR), "built in");
}

void search_path(search *out, const registry_paths *paths, arena *memory, diagnostics *d)
{
    builder b = { out, memory, d };
    memset(out, 0, sizeof *out);
    add_named(&b, paths->plugin_dirs, paths->plugin_dir_count, "--plugin-dir", NULL, 0);
    add_named(&b, paths->run_dirs, paths->run_dir_count, "plugin_path", paths->run_file, paths->run_line);
    const char *more = secure_getenv("LTHOST_PLUGIN_PATH"), *instead = secure_getenv("LTHOST_PLUGIN_SYSTEM_PATH");
    if (more)
        add_list(&b, more, "LTHOST_PLUGIN_PATH");
    if (instead)
        add_list(&b, instead, "LTHOST_PLUGIN_SYSTEM_PATH");
    else
        add_system(&b);
}

void search_free(search *s)
{
    free(s->at);
    memset(s, 0, sizeof *s);
}
