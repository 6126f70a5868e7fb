/* SPDX-License-Identifier: Apache-2.0 */
#include "config/quote.h"
#include "registry/manifest.h"
#include "registry/manifest_words.h"

#include <string.h>

/* In quotes only where it must be: manifests are also read by people. */
static void put(str *out, const char *key, const char *text)
{
    if (!text)
        return;
    size_t n = strlen(text);
    if (n == 0 || str_is_blank(text[0]) || str_is_blank(text[n - 1]) || strpbrk(text, "\"\\;#")) {
        str_printf(out, "%s = \"", key);
        quote_escape(out, text);
        str_append(out, "\"\n");
    } else {
        str_printf(out, "%s = %s\n", key, text);
    }
}

static void put_flags(str *out, const manifest_word *words, uint32_t flags)
{
    const char *separator = "flags = ";
    for (; words->word; words++) {
        if (!(flags & words->value))
            continue;
        str_printf(out, "%s%s", separator, words->word);
        separator = ", ";
    }
    if (separator[0] == ',')
        str_append_char(out, '\n');
}

static void put_option(str *out, const char *kind, const char *id, const lth_option *o)
{
    str_printf(out, "\n[%s.%s.%s]\n", kind, id, o->name);
    put(out, "type", manifest_type_word(o->type));
    put(out, "default", o->initial);
    put(out, "range", o->range);
    put(out, "help", o->help);
    put(out, "old_name", o->old_name);
    put_flags(out, manifest_option_flags, o->flags);
}

void manifest_write(str *out, const manifest *m)
{
    str_append(out, "; Written by `lthost manifest` from the library beside it. Do not edit: build the plugin again.\n[plugin]\n");
    str_printf(out, "format = %d\n", MANIFEST_FORMAT);
    put(out, "id", m->id);
    put(out, "version", m->version);
    put(out, "license", m->license);
    str_printf(out, "api = %u.%u\n", m->api_major, m->api_min_minor);
    put(out, "library", m->library);
    put(out, "arch", m->arch);
    put(out, "sha256", m->sha256);
    str_printf(out, "components = %u\n", m->component_count);
    for (uint32_t i = 0; i < m->component_count; i++) {
        const manifest_component *c = &m->components[i];
        str_printf(out, "\n[%s.%s]\n", c->kind->name, c->id);
        put(out, "interface", c->interface);
        put(out, "summary", c->summary);
        put_flags(out, manifest_component_flags, c->flags);
        if (c->score)
            str_printf(out, "score = %d\n", c->score);
        str_printf(out, "options = %u\n", c->options.count);
        for (uint32_t k = 0; k < c->options.count; k++)
            put_option(out, c->kind->name, c->id, &c->options.at[k]);
    }
}
