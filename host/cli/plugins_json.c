/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plugins_json.h"
#include "registry/manifest_words.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *text_or_null(const char *text) { return text ? json_string(text) : json_null(); }

static void set_text(json_t *object, const char *key, const char *text) { json_object_set_new(object, key, text_or_null(text)); }

static json_t *option_value(const lth_option *o)
{
    json_t *v = json_object();
    set_text(v, "name", o->name);
    set_text(v, "type", manifest_type_word(o->type));
    set_text(v, "default", o->initial);
    set_text(v, "range", o->range);
    set_text(v, "help", o->help);
    set_text(v, "old_name", o->old_name);
    json_object_set_new(v, "required", json_boolean(o->flags & LTH_OPTION_REQUIRED));
    json_object_set_new(v, "hyper", json_boolean(o->flags & LTH_OPTION_HYPER));
    return v;
}

static json_t *options_value(const lth_options *options)
{
    json_t *v = json_array();
    for (uint32_t i = 0; i < options->count; i++)
        if (!(options->at[i].flags & LTH_OPTION_REMOVED))
            json_array_append_new(v, option_value(&options->at[i]));
    return v;
}

static json_t *plugin_value(const registry_plugin *p)
{
    const manifest *m = &p->manifest;
    json_t *v = json_object();
    set_text(v, "id", m->id);
    set_text(v, "version", m->version);
    set_text(v, "license", m->license);
    char *api = m->version ? str_format("%u.%u", m->api_major, m->api_min_minor) : NULL;
    set_text(v, "api", api);
    free(api);
    set_text(v, "dir", p->dir);
    set_text(v, "problem", p->problem);
    return v;
}

json_t *plugins_json_component(const registry_component *c, bool with_options)
{
    json_t *v = json_object();
    set_text(v, "kind", c->kind->name);
    set_text(v, "name", c->id);
    set_text(v, "summary", c->summary);
    set_text(v, "status", c->shadowed_by ? "shadowed" : c->plugin->problem ? "unusable" : "ok");
    set_text(v, "shadowed_by", c->shadowed_by ? c->shadowed_by->dir : NULL);
    json_object_set_new(v, "default_on", json_boolean(c->flags & LTH_DEFAULT_ON));
    json_object_set_new(v, "score", json_integer(c->score));
    json_object_set_new(v, "plugin", plugin_value(c->plugin));
    if (with_options)
        json_object_set_new(v, "options", options_value(&c->options));
    return v;
}

json_t *plugins_json_section(const cli_host_section *section)
{
    json_t *v = json_object();
    set_text(v, "kind", "host");
    set_text(v, "name", section->name);
    set_text(v, "section", section->title);
    json_object_set_new(v, "options", options_value(section->options));
    return v;
}

json_t *plugins_json_place(const registry_place *place, json_t *candidates)
{
    json_t *v = json_object();
    set_text(v, "dir", place->dir);
    set_text(v, "origin", place->origin);
    set_text(v, "problem", place->problem);
    json_object_set_new(v, "candidates", candidates);
    return v;
}

json_t *plugins_json_candidate(const registry_plugin *p, const char *result)
{
    json_t *v = plugin_value(p);
    set_text(v, "result", result);
    return v;
}

int plugins_json_list(const registry *r)
{
    size_t count;
    json_t *components = json_array(), *unusable = json_array(), *answer = json_object();
    const registry_component *const *all = registry_components(r, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(components, plugins_json_component(all[i], false));
    const registry_plugin *const *plugins = registry_plugins(r, &count);
    for (size_t i = 0; i < count; i++)
        if (plugins[i]->problem)
            json_array_append_new(unusable, plugin_value(plugins[i]));
    json_object_set_new(answer, "components", components);
    json_object_set_new(answer, "unusable", unusable);
    int status = plugins_json_print(answer);
    json_decref(answer);
    return status;
}

int plugins_json_print(const json_t *value)
{
    size_t size;
    char *text = json_render(value, &size);
    if (!text)
        return CLI_ERROR;
    size_t written = fwrite(text, 1, size, stdout);
    free(text);
    return written == size && fflush(stdout) == 0 ? CLI_OK : CLI_ERROR;
}
