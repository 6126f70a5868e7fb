/* SPDX-License-Identifier: Apache-2.0
 * config/schema_table.c: is a table of options itself right? Asked once, when a plugin's manifest is made. */
#include "schema.h"
#include "value.h"
#include <string.h>

enum { NAME_LIMIT = 60 };

/* What is said of one row. */
typedef struct row {
    const lth_options *options;
    lth_option o;
    uint32_t index;
    size_t instance_size;
    const char *owner;
    diagnostics *d;
} row;

static bool is_name(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n && n <= NAME_LIMIT && name[0] >= 'a' && name[0] <= 'z' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static void check_name(const row *r, const char *const *taken, size_t taken_count)
{
    const char *names[] = { r->o.name, r->o.old_name };
    for (size_t k = 0; k < 2 && names[k]; k++) {
        if (!is_name(names[k]))
            diagnostics_error(r->d, NULL, 0, "%s: the option's name '%s' is not [a-z][a-z0-9_]* of at most %d bytes", r->owner,
                              names[k], NAME_LIMIT);
        for (size_t i = 0; i < taken_count; i++)
            if (!strcmp(names[k], taken[i]))
                diagnostics_error(r->d, NULL, 0, "%s: the option's name '%s' is the host's own", r->owner, names[k]);
        for (uint32_t i = 0; i < r->index; i++) {
            lth_option other = schema_option(r->options, i);
            if (other.name && (!strcmp(names[k], other.name) || (other.old_name && !strcmp(names[k], other.old_name))))
                diagnostics_error(r->d, NULL, 0, "%s: two options are called '%s'", r->owner, names[k]);
        }
    }
}

static void check_place(const row *r)
{
    bool list = r->o.type >= LTH_OPTION_INT_LIST;
    size_t size = list ? sizeof(lth_int_list) : r->o.type == LTH_OPTION_BOOL ? sizeof(bool) : sizeof(int64_t);
    size_t alignment = r->o.type == LTH_OPTION_BOOL ? 1 : 8;
    if (r->o.offset > r->instance_size || size > r->instance_size - r->o.offset || r->o.offset % alignment)
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s' does not lie in the instance of %zu bytes", r->owner, r->o.name,
                          r->instance_size);
}

static void check_default(const row *r)
{
    error e = { 0 };
    if (value_check_range(&r->o, &e)) {
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s': %s", r->owner, r->o.name, e.text);
        return;
    }
    bool required = r->o.flags & LTH_OPTION_REQUIRED;
    if (required == (r->o.initial != NULL)) {
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s' %s", r->owner, r->o.name,
                          required ? "is required and has a default: it is one or the other" : "needs a default");
        return;
    }
    union {
        lth_int_list list;
        int64_t number;
    } unseen;
    arena memory = { 0 };
    if (!required && value_read(&r->o, r->o.initial, NULL, &unseen, &memory, &e))
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s': its default '%s' %s", r->owner, r->o.name, r->o.initial, e.text);
    arena_free(&memory);
}

static void check_flags(const row *r)
{
    lth_option_type t = r->o.type;
    bool text = t == LTH_OPTION_STRING || t == LTH_OPTION_STRING_LIST, real = t == LTH_OPTION_FLOAT || t == LTH_OPTION_FLOAT_LIST;
    if ((r->o.flags & LTH_OPTION_PATH && !text) || (r->o.flags & LTH_OPTION_HYPER && !real))
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s' has a flag that does not go with its type", r->owner, r->o.name);
    if (!r->o.help || !*r->o.help || strchr(r->o.help, '\n'))
        diagnostics_error(r->d, NULL, 0, "%s: the option '%s' needs one line of help", r->owner, r->o.name);
}

lth_status schema_check_table(const lth_options *options, size_t instance_size, const char *owner, const char *const *taken,
                              size_t taken_count, diagnostics *d)
{
    size_t before = d->error_count;
    if (options->count && (!options->at || options->stride < offsetof(lth_option, old_name)))
        return diagnostics_error(d, NULL, 0, "%s: the table of options is not one: its rows have %u bytes", owner,
                                 options->stride);
    for (uint32_t i = 0; i < options->count; i++) {
        const row r = { options, schema_option(options, i), i, instance_size, owner, d };
        if (!r.o.name) {
            diagnostics_error(d, NULL, 0, "%s: option %u has no name", owner, i + 1);
            continue;
        }
        check_name(&r, taken, taken_count);
        if (r.o.type < LTH_OPTION_INT || r.o.type > LTH_OPTION_STRING_LIST) {
            diagnostics_error(d, NULL, 0, "%s: the option '%s' has the unknown type %u", owner, r.o.name, r.o.type);
            continue;
        }
        check_flags(&r);
        if (r.o.flags & LTH_OPTION_REMOVED)
            continue;
        check_place(&r);
        check_default(&r);
    }
    return d->error_count > before ? LTH_INVALID : LTH_OK;
}
