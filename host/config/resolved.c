/* SPDX-License-Identifier: Apache-2.0
 * config/resolved.c */
#include "resolved.h"
#include "expand.h"
#include "quote.h"
#include "value.h"
#include <string.h>

void resolved_begin(str *out)
{
    str_append(out, "; Resolved by lthost: every option of this run, defaults too. It runs again as it is.\n");
}

static void begin_section(str *out, const char *title, const char *use)
{
    str_printf(out, "\n[%s]\n", title);
    if (use) {
        str_append(out, "use = ");
        quote_write(out, use, false);
        str_append_char(out, '\n');
    }
}

/* The ${NAME} that the option came from, or NULL. */
static const char *reference_of(const config_section *s, const lth_option *o)
{
    for (size_t i = 0; s && i < s->count; i++) {
        const config_entry *entry = &s->entries[i];
        bool named = !strcmp(entry->key, o->name) || (o->old_name && !strcmp(entry->key, o->old_name));
        if (named && expand_is_reference(entry->written))
            return entry->written;
    }
    return NULL;
}

static void write_option(str *out, const config_section *s, const schema_part *part, const lth_option *o)
{
    if (!(o->flags & LTH_OPTION_SECRET)) {
        str_printf(out, "%s = ", o->name);
        value_write(out, o, (const char *)part->instance + o->offset);
    } else if (reference_of(s, o)) {
        str_printf(out, "%s = %s", o->name, reference_of(s, o));
    } else {
        str_printf(out, "; %s is a secret and not written here; give it as %s = ${NAME}", o->name, o->name);
    }
    while (str_ends(str_text(out), " ")) /* an empty value leaves "key = " */
        out->at[--out->length] = 0;
    str_append_char(out, '\n');
}

void resolved_section(str *out, const char *title, const char *use, const config_section *s, const schema_part *parts,
                      size_t count)
{
    begin_section(out, title, use);
    for (size_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < parts[p].options->count; i++) {
            lth_option o = schema_option(parts[p].options, i);
            if (!(o.flags & LTH_OPTION_REMOVED))
                write_option(out, s, &parts[p], &o);
        }
}

void resolved_disabled(str *out, const char *title, const char *use)
{
    begin_section(out, title, use);
    str_append(out, "enabled = false\n");
}
