/* SPDX-License-Identifier: Apache-2.0
 * lthost plugins: what there is, and why. All of it comes from manifests; nothing is loaded. */
#include "cli/cli.h"
#include "cli/plugins_json.h"
#include "config/option_show.h"
#include "util/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int order(const void *left, const void *right)
{
    const registry_component *a = *(const registry_component *const *)left, *b = *(const registry_component *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int names = strcmp(a->id, b->id);
    return names ? names : (a->shadowed_by != NULL) - (b->shadowed_by != NULL);
}

static const char *status_of(const registry_component *c)
{
    return c->shadowed_by ? "shadowed" : c->plugin->problem ? "unusable" : c->flags & LTH_DEFAULT_ON ? "on" : "ok";
}

static void print_unusable(const registry *r)
{
    size_t count;
    const registry_plugin *const *plugins = registry_plugins(r, &count);
    const char *title = "\nunusable:\n";
    for (size_t i = 0; i < count; i++) {
        if (!plugins[i]->problem)
            continue;
        printf("%s  %s: %s\n", title, plugins[i]->dir, plugins[i]->problem);
        title = "";
    }
}

static int list(const registry *r)
{
    size_t count;
    const registry_component *const *all = registry_components(r, &count);
    const registry_component **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return CLI_ERROR;
    memcpy(sorted, all, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, order);
    printf("%-12s %-20s %-10s %-5s %-9s %s\n", "KIND", "NAME", "VERSION", "API", "STATUS", "PLACE");
    for (size_t i = 0; i < count; i++) {
        const manifest *m = &sorted[i]->plugin->manifest;
        char api[16];
        snprintf(api, sizeof api, "%u.%u", m->api_major, m->api_min_minor);
        printf("%-12s %-20s %-10s %-5s %-9s %s\n", sorted[i]->kind->name, sorted[i]->id, m->version, api, status_of(sorted[i]),
               sorted[i]->plugin->dir);
    }
    free(sorted);
    print_unusable(r);
    return CLI_OK;
}

/* NAME is a component's id, a plugin's id, or both apart from others by its kind: "model.mlp". */
static bool means(const char *name, const registry_component *c)
{
    size_t length = strlen(c->kind->name);
    return strcmp(name, c->id) == 0 || strcmp(name, c->plugin->manifest.id) == 0 ||
           (strncmp(name, c->kind->name, length) == 0 && name[length] == '.' && strcmp(name + length + 1, c->id) == 0);
}

/* A folder that could have held the name: by its plugin's id, or by a component's. */
static bool could_be(const registry *r, const registry_plugin *p, const char *name)
{
    size_t count;
    const registry_component *const *all = registry_components(r, &count);
    bool found = strcmp(p->manifest.id, name) == 0;
    for (size_t i = 0; i < count; i++)
        found = found || (all[i]->plugin == p && means(name, all[i]));
    return found;
}

/* Why there is nothing to show: it cannot be used, or is not there. */
static int not_found(const registry *r, const char *name)
{
    size_t count, plugin_count, choice_count = 0;
    const registry_component *const *all = registry_components(r, &count);
    const registry_plugin *const *plugins = registry_plugins(r, &plugin_count);
    for (size_t i = 0; i < plugin_count; i++)
        if (plugins[i]->problem && could_be(r, plugins[i], name)) {
            fprintf(stderr, "lthost: '%s' cannot be used: %s\n", name, plugins[i]->problem);
            return CLI_ERROR;
        }
    const char **choices = malloc((count + 1) * sizeof *choices);
    for (size_t i = 0; choices && i < count; i++)
        choices[choice_count++] = all[i]->id;
    const char *close = nearest(name, choices, choice_count);
    fprintf(stderr, "lthost: there is no plugin '%s'", name);
    if (close)
        fprintf(stderr, " (did you mean '%s'?)", close);
    fputs("\n`lthost plugins` lists all\n", stderr);
    free(choices);
    return CLI_ERROR;
}

static void show_one(const registry_component *c, str *out)
{
    const manifest *m = &c->plugin->manifest;
    str_printf(out, "; %s '%s': %s\n; plugin %s %s (%s), %s\n", c->kind->name, c->id, c->summary, m->id, m->version,
               m->license[0] ? m->license : "no licence given", c->plugin->dir);
    if (c->plugin->problem)
        str_printf(out, "; it cannot be used: %s\n", c->plugin->problem);
    if (c->kind->trainer_key) {
        str_printf(out, "[trainer]\n%s = %s\n", c->kind->trainer_key, c->id);
        if (!c->options.count)
            return;
        str_append_char(out, '\n');
    }
    char *title = c->kind->many ? str_format("%s.%s", c->kind->section, c->id) : str_dup(c->kind->section);
    option_show(out, title, c->kind->many || c->kind->trainer_key ? NULL : c->id, &c->options);
    free(title);
}

static int show(const registry *r, const char *name, bool json)
{
    str out = { 0 };
    json_t *found = json_array();
    const cli_host_section *own;
    for (size_t i = 0; (own = cli_host_section_of(name, i)); i++) {
        str_printf(&out, "%s; the host's own keys of [%s]\n", i ? "\n" : "", own->title);
        option_show(&out, own->title, NULL, own->options);
        json_array_append_new(found, plugins_json_section(own));
    }
    for (const registry_component *c = NULL; (c = registry_next(r, NULL, c));) {
        if (!means(name, c))
            continue;
        if (out.length)
            str_append_char(&out, '\n');
        show_one(c, &out);
        json_array_append_new(found, plugins_json_component(c, true));
    }
    int status = out.length == 0 ? not_found(r, name) : CLI_OK;
    if (status == CLI_OK && json)
        plugins_json_print(found);
    else
        fputs(str_text(&out), stdout);
    json_decref(found);
    str_free(&out);
    return status;
}

static bool is_shadowed(const registry *r, const registry_plugin *p, const char *name)
{
    size_t count;
    const registry_component *const *all = registry_components(r, &count);
    bool shadowed = p->shadowed_by != NULL;
    for (size_t i = 0; i < count; i++)
        shadowed = shadowed || (all[i]->plugin == p && means(name, all[i]) && all[i]->shadowed_by);
    return shadowed;
}

static int why(const registry *r, const char *name, bool json)
{
    size_t place_count, plugin_count, found = 0;
    const registry_place *const *places = registry_places(r, &place_count);
    const registry_plugin *const *plugins = registry_plugins(r, &plugin_count);
    json_t *answer = json_array();
    for (size_t i = 0; i < place_count; i++) {
        const registry_place *place = places[i];
        json_t *candidates = json_array();
        if (!json)
            printf("%zu. %s (%s): %s\n", i + 1, place->dir, place->origin, place->problem ? place->problem : "searched");
        for (size_t k = 0; k < plugin_count; k++) {
            const registry_plugin *p = plugins[k];
            if (p->place != place || !could_be(r, p, name))
                continue;
            bool shadowed = is_shadowed(r, p, name);
            const char *result = shadowed ? "shadowed by an earlier one" : p->problem ? p->problem : "used";
            if (!json)
                printf("   %s %s\n      %s\n", p->dir, p->manifest.version ? p->manifest.version : "", result);
            json_array_append_new(candidates, plugins_json_candidate(p, shadowed     ? "shadowed"
                                                                        : p->problem ? "unusable"
                                                                                     : "used"));
            found += !shadowed && !p->problem;
        }
        json_array_append_new(answer, plugins_json_place(place, candidates));
    }
    if (json)
        plugins_json_print(answer);
    json_decref(answer);
    if (found)
        return CLI_OK;
    return json ? CLI_ERROR : not_found(r, name);
}

int cmd_plugins(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "plugin-dir", required_argument, NULL, 'd' },
                                             { NULL, 0, NULL, 0 } };
    bool json = false;
    cli_list dirs = { 0 };
    int c, status = CLI_USAGE;
    while ((c = cli_getopt(argc, argv, "", options)) != -1 && c != '?') {
        if (c == 'j')
            json = true;
        else
            cli_list_add(&dirs, optarg);
    }
    const char *verb = optind < argc ? argv[optind] : "list", *name = optind + 1 < argc ? argv[optind + 1] : NULL;
    bool is_list = optind == argc, is_show = strcmp(verb, "show") == 0, is_why = strcmp(verb, "why") == 0;
    diagnostics d = { 0 };
    registry *r = NULL;
    if (c == '?') {
        free(dirs.at);
        return status;
    }
    if (!is_list && !is_show && !is_why)
        cli_usage_error("plugins", "there is no 'plugins %s'; there are 'show' and 'why'", verb);
    else if (!is_list && (!name || optind + 2 < argc))
        cli_usage_error("plugins", "'%s' needs one name", verb);
    else {
        const registry_paths paths = { .plugin_dirs = dirs.at, .plugin_dir_count = dirs.count };
        r = registry_open(&paths, &d);
        diagnostics_print(&d, stderr);
        status = is_show ? show(r, name, json) : is_why ? why(r, name, json) : json ? plugins_json_list(r) : list(r);
        if (diagnostics_status(&d) != LTH_OK)
            status = CLI_ERROR;
    }
    registry_free(r);
    diagnostics_free(&d);
    free(dirs.at);
    return status;
}
