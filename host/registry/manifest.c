/* SPDX-License-Identifier: Apache-2.0
 * What both directions share, and the comparison. */
#include "registry/manifest.h"
#include "registry/manifest_words.h"

#include <stdio.h>
#include <string.h>

const manifest_word manifest_types[] = {
    { "int", LTH_OPTION_INT },           { "float", LTH_OPTION_FLOAT },           { "bool", LTH_OPTION_BOOL },
    { "string", LTH_OPTION_STRING },     { "int_list", LTH_OPTION_INT_LIST },     { "float_list", LTH_OPTION_FLOAT_LIST },
    { "string_list", LTH_OPTION_STRING_LIST }, { NULL, 0 },
};
const manifest_word manifest_option_flags[] = {
    { "hyper", LTH_OPTION_HYPER },   { "required", LTH_OPTION_REQUIRED }, { "path", LTH_OPTION_PATH },
    { "secret", LTH_OPTION_SECRET }, { "removed", LTH_OPTION_REMOVED },   { NULL, 0 },
};
const manifest_word manifest_component_flags[] = { { "default_on", LTH_DEFAULT_ON }, { NULL, 0 } };

const char *manifest_type_word(uint32_t type)
{
    const manifest_word *w = manifest_types;
    while (w->word && w->value != type)
        w++;
    return w->word;
}

bool manifest_id_is_right(const char *id)
{
    size_t n = strlen(id);
    return n >= 1 && n <= MANIFEST_ID_LIMIT && id[0] >= 'a' && id[0] <= 'z' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

bool manifest_api_serves(uint16_t host_major, uint16_t host_minor, uint16_t major, uint16_t min_minor)
{
    return major == host_major && (major == 0 ? min_minor == host_minor : min_minor <= host_minor);
}

lth_status manifest_check_api(const char *id, const char *version, uint16_t major, uint16_t min_minor, error *e)
{
    if (manifest_api_serves(LTH_API_MAJOR, LTH_API_MINOR, major, min_minor))
        return LTH_OK;
    const char *why = major == 0 && LTH_API_MAJOR == 0 ? " (while the first number is 0, both must be equal)" : "";
    bool newer = major > LTH_API_MAJOR || (major == LTH_API_MAJOR && min_minor > LTH_API_MINOR);
    return error_set(e, LTH_UNSUPPORTED,
                     "plugin '%s' %s was built for plugin API %u.%u, this lthost has %u.%u%s: %s, or build the plugin again "
                     "with this lthost's SDK",
                     id, version, major, min_minor, LTH_API_MAJOR, LTH_API_MINOR, why,
                     newer ? "install a newer lthost" : "install a newer version of the plugin");
}

static bool differ(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a != b;
    return strcmp(a, b) != 0;
}

static lth_status different(error *e, const char *what, const char *file, const char *library)
{
    return error_set(e, LTH_INVALID, "%s is '%s' in the manifest and '%s' in the library", what, file ? file : "(none)",
                     library ? library : "(none)");
}

static lth_status same_option(const lth_option *file, const lth_option *library, error *e)
{
    const struct {
        const char *what, *file, *library;
    } texts[] = {
        { "its name", file->name, library->name },       { "its default", file->initial, library->initial },
        { "its range", file->range, library->range },    { "its help", file->help, library->help },
        { "its old name", file->old_name, library->old_name },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (differ(texts[i].file, texts[i].library))
            return different(e, texts[i].what, texts[i].file, texts[i].library);
    if (file->type != library->type || file->flags != library->flags)
        return error_set(e, LTH_INVALID, "its type or flags in the manifest are not the library's");
    return LTH_OK;
}

static lth_status same_component(const manifest_component *file, const manifest_component *library, error *e)
{
    if (differ(file->interface, library->interface))
        return different(e, "its interface", file->interface, library->interface);
    if (differ(file->id, library->id))
        return different(e, "its id", file->id, library->id);
    if (differ(file->summary, library->summary))
        return different(e, "its summary", file->summary, library->summary);
    if (file->flags != library->flags || file->score != library->score)
        return error_set(e, LTH_INVALID, "its flags or score in the manifest are not the library's");
    if (file->options.count != library->options.count)
        return error_set(e, LTH_INVALID, "the manifest lists %u options, the library has %u", file->options.count,
                         library->options.count);
    for (uint32_t i = 0; i < file->options.count; i++) {
        const lth_option *a = &file->options.at[i], *b = &library->options.at[i];
        if (same_option(a, b, e) != LTH_OK)
            return error_prefix(e, "option '%s': ", b->name);
    }
    return LTH_OK;
}

lth_status manifest_same(const manifest *file, const manifest *library, error *e)
{
    if (differ(file->id, library->id))
        return different(e, "the plugin's id", file->id, library->id);
    if (differ(file->version, library->version))
        return different(e, "the plugin's version", file->version, library->version);
    if (file->api_major != library->api_major || file->api_min_minor != library->api_min_minor)
        return error_set(e, LTH_INVALID, "the manifest's API version is not the library's");
    if (file->component_count != library->component_count)
        return error_set(e, LTH_INVALID, "the manifest lists %u components, the library has %u", file->component_count,
                         library->component_count);
    for (uint32_t i = 0; i < file->component_count; i++)
        if (same_component(&file->components[i], &library->components[i], e) != LTH_OK)
            return error_prefix(e, "%s '%s': ", library->components[i].interface, library->components[i].id);
    return LTH_OK;
}
