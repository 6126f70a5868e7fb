/* SPDX-License-Identifier: Apache-2.0
 * config/option_show.c */
#include "option_show.h"
#include "quote.h"
#include "schema.h"
#include "value.h"

/* "1..65536" stands for itself; words are listed. */
static void describe_range(str *out, const lth_option *o)
{
    bool words = o->type == LTH_OPTION_STRING || o->type == LTH_OPTION_STRING_LIST;
    if (!words) {
        str_append(out, o->range);
        return;
    }
    const char *rest = o->range, *word;
    str_append(out, "one of ");
    for (size_t n, i = 0; str_split(&rest, '|', &word, &n); i++)
        str_printf(out, "%s%.*s", i ? ", " : "", (int)n, word);
}

void option_describe(str *out, const lth_option *o)
{
    str_append(out, o->help ? o->help : "");
    if (o->range) {
        str_append(out, ", ");
        describe_range(out, o);
    }
    if (o->flags & LTH_OPTION_REQUIRED)
        str_append(out, ", required");
    else if (o->initial && *o->initial && !(o->flags & LTH_OPTION_SECRET))
        str_printf(out, ", default %s", o->initial);
}

static void show_one(str *out, const lth_option *o)
{
    str_printf(out, "\n; %s", o->help ? o->help : "");
    if (o->range) {
        str_append(out, " (");
        describe_range(out, o);
        str_append(out, ")");
    }
    if (o->flags & LTH_OPTION_REQUIRED)
        str_append(out, "; required");
    str_printf(out, "\n%s =", o->name);
    if (o->initial && *o->initial)
        str_printf(out, " %s", o->initial);
    str_append_char(out, '\n');
}

void option_show(str *out, const char *title, const char *use, const lth_options *options)
{
    str_printf(out, "[%s]\n", title);
    if (use)
        str_printf(out, "use = %s\n", use);
    for (uint32_t i = 0; i < options->count; i++) {
        lth_option o = schema_option(options, i);
        if (!(o.flags & LTH_OPTION_REMOVED))
            show_one(out, &o);
    }
}
