/* SPDX-License-Identifier: Apache-2.0
 * Run files, a later one over an earlier one, then overrides, a line each: parts of the input. */
#include "target.h"
#include "unit/config/tables.h"

#include "config/resolved.h"
#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

enum { OVERRIDES = 16 };

static const char *const kinds[] = { "data", "callback" };

/* What is said of it, and what it comes to. */
typedef struct outcome {
    str said, resolved;
    bool right;
} outcome;

static void outcome_free(outcome *o)
{
    str_free(&o->said);
    str_free(&o->resolved);
}

static outcome resolve(const char *const *files, size_t file_count, const char *const *overrides, size_t override_count)
{
    struct loader loader;
    struct table table;
    const schema_part parts[] = { { &loader_options, &loader }, { &table_options, &table } };
    arena memory = { 0 };
    diagnostics d = { 0 };
    outcome o = { .right = true };
    config *c = config_load(files, file_count, overrides, override_count, &d);
    config_section *s = config_find(c, "data");
    config_check_kinds(c, kinds, 2, &d);
    schema_fill(c, s, "data", parts, 2, &memory, &d);
    for (config_section *more = NULL; (more = config_next(c, "callback", more));)
        config_text(c, more, "monitor", config_component(c, more));
    config_check_used(c, kinds, 2, &d);
    diagnostics_render(&d, &o.said);
    o.right = !d.error_count;
    resolved_begin(&o.resolved);
    resolved_section(&o.resolved, "data", s && s->enabled ? config_component(c, s) : NULL, s, parts, 2);
    for (config_section *more = NULL; (more = config_next(c, "callback", more));)
        if (!more->enabled)
            resolved_disabled(&o.resolved, more->title, config_component(c, more));
    config_free(c);
    arena_free(&memory);
    diagnostics_free(&d);
    return o;
}

/* Cuts the part into lines; the caller frees them. */
static size_t lines_of(const uint8_t *part, size_t size, char *out[OVERRIDES])
{
    size_t count = 0;
    const char *rest = size ? (const char *)part : NULL, *end = (const char *)part + size;
    while (rest && count < OVERRIDES) {
        const char *stop = memchr(rest, '\n', (size_t)(end - rest));
        out[count++] = str_dup_part(rest, strnlen(rest, (size_t)((stop ? stop : end) - rest)));
        rest = stop ? stop + 1 : NULL;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts rest = { data, size, 0 };
    const char *files[2];
    char *overrides[OVERRIDES];
    const uint8_t *part;
    size_t part_size, file_count = 0, override_count = 0;
    setenv("HOME", "/home/me", 1);
    unsetenv("LTHOST_NONE");
    for (int i = 0; i < 3 && fuzz_next(&rest, &part, &part_size); i++)
        if (i < 2)
            files[file_count++] = fuzz_file(i, part, part_size);
        else
            override_count = lines_of(part, part_size, overrides);
    outcome o = resolve(files, file_count, (const char *const *)overrides, override_count);
    FUZZ_CHECK(str_utf8_prefix(str_text(&o.said), o.said.length) == o.said.length);
    FUZZ_CHECK(strlen(str_text(&o.said)) == o.said.length);
    FUZZ_CHECK(o.right || o.said.length > 0);
    if (o.right) { /* what it comes to is a run file that comes to itself */
        const char *again[] = { fuzz_file(2, str_text(&o.resolved), o.resolved.length) };
        outcome second = resolve(again, 1, NULL, 0);
        FUZZ_CHECK(second.right);
        FUZZ_CHECK(!strcmp(str_text(&o.resolved), str_text(&second.resolved)));
        outcome_free(&second);
    }
    for (size_t i = 0; i < override_count; i++)
        free(overrides[i]);
    outcome_free(&o);
    return 0;
}
