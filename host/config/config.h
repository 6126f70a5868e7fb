/* SPDX-License-Identifier: Apache-2.0
 * config/config.h: the run description: what the run files and the command line say, each value with its place.
 *
 * Sections are `[kind]` or `[kind.name]`: "callback.best" is of kind "callback" with the name "best". Several files are
 * layers: a later one's key replaces an earlier one's, and has its own file and line. `section.key=value` from the
 * command line comes last. Then ${NAME} in values becomes the environment's value; ${NAME:-text} has a default, $${
 * stands for ${ itself. Inside double quotes the environment's text stays one value, whatever it contains.
 *
 * Where a later layer changes `use`, what earlier layers gave for the other component still holds so far as the new one
 * (or the host) has a key of that name, such as lr or batch_size; the other component's own keys are left out.
 *
 * Two keys belong to every section: `use` names the component, `enabled = false` switches the section off.
 * A config is built once, on [main], and read-only afterwards but for the marks. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "util/arena.h"
#include "util/diagnostics.h"

#define CONFIG_COMMAND_LINE "command line" /* `file` of an override; its line is 0 */

typedef struct config_entry {
    const char *key;
    const char *value;   /* after ${NAME}; quotes still in place: value.h reads it */
    const char *written; /* before */
    const char *file;
    int line;
    const char *base_dir; /* what a relative path in it is taken from: the file's folder, absolute */
    bool used;            /* some table has this key */
    bool for_other;       /* an earlier layer gave it, for another component than `use` names now */
    bool broken;          /* a ${NAME} in it is wrong, which was reported: not to be judged again */
} config_entry;

typedef struct config_section {
    const char *title; /* "callback.best" */
    const char *kind;  /* "callback" */
    const char *name;  /* "best"; "" for [callback] */
    const char *file;  /* where it appeared first */
    int line;
    bool enabled;
    bool used;             /* somebody reads it */
    config_entry *entries; /* in order of first appearance */
    size_t count, capacity;
} config_section;

typedef struct config {
    config_section **sections; /* in order of first appearance */
    size_t count, capacity;
    const char *file;     /* the first run file as it was given; CONFIG_COMMAND_LINE where there is none */
    const char *base_dir; /* its folder, absolute: what relative paths in defaults are taken from */
    arena memory;
} config;

/* Reads the files from left to right, then the overrides. Always answers a config, whole but for what is wrong, so
 * that the caller can go on and find the other mistakes; diagnostics_status(d) tells. Free with config_free. */
config *config_load(const char *const *files, size_t file_count, const char *const *overrides, size_t override_count,
                    diagnostics *d);

/* The same for one run file that is already in memory; `name` stands for its path. */
config *config_load_text(const char *name, const char *text, size_t size, const char *const *overrides, size_t override_count,
                         diagnostics *d);

void config_free(config *c);

/* The section with this title, or NULL. */
config_section *config_find(const config *c, const char *title);

/* The next section of a kind in the files' order, those with enabled = false too; NULL at the end:
 *     config_section *s = NULL; while ((s = config_next(c, "callback", s))) ... */
config_section *config_next(const config *c, const char *kind, const config_section *after);

/* An entry, marked as used; NULL where the section (may be NULL) has no such key. */
config_entry *config_take(config_section *s, const char *key);
/* Its value as plain text, unquoted, or `otherwise`; lives as long as the config. */
const char *config_text(config *c, config_section *s, const char *key, const char *otherwise);

/* The component that a section means: `use`, else the section's name; "" where it has neither. */
const char *config_component(config *c, config_section *s);

/* The section's place, for messages; where it is absent the first run file's. */
const char *config_section_file(const config *c, const config_section *s);
int config_section_line(const config_section *s);

/* Reports every section whose kind is none of `kinds`, with the nearest right name. */
void config_check_kinds(const config *c, const char *const *kinds, size_t count, diagnostics *d);

/* Reports every section that is on and that nobody read (config_take and schema_fill mark): nothing is silently
 * ignored. After config_check_kinds; a section of an unknown kind is not reported twice. */
void config_check_used(const config *c, const char *const *kinds, size_t count, diagnostics *d);

#endif
