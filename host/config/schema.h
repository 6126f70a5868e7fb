/* SPDX-License-Identifier: Apache-2.0
 * config/schema.h: fills structs from a section by their tables of options (<lthost/option.h>), the host's own and a
 * plugin's alike, and reports all that is wrong at once.
 *
 * One section may serve several tables: [data] has the host's loader keys and the datamodule's own:
 *     const schema_part parts[] = { { &loader_options, &loader }, { &component->options, instance } };
 *     schema_fill(c, config_find(c, "data"), "data", parts, 2, memory, d);
 * A key is unknown when none of the tables has it. `use` and `enabled` are known everywhere.
 *
 *     run.ini:12: error: [model] has no option 'hiden' (did you mean 'hidden'?)
 *     run.ini:14: error: [optimizer] lr = 'fast' is not a number; lr: learning rate, 0.., default 1e-3 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config.h"
#include <lthost/option.h>

typedef struct schema_part {
    const lth_options *options;
    void *instance; /* NULL: check only */
} schema_part;

/* Fills each part's instance from the section: what it gives, else the defaults. `s` may be NULL: all defaults;
 * `title` then still names it in messages. Marks entries as used. Strings and lists are made in `memory`, which must
 * live as long as the instances. A field whose value is wrong gets its default. LTH_OK or LTH_INVALID. [main] */
lth_status schema_fill(const config *c, config_section *s, const char *title, const schema_part *parts, size_t count,
                       arena *memory, diagnostics *d);

/* The i-th row, copied out: a plugin's rows may be shorter or longer than this host's. */
lth_option schema_option(const lth_options *options, uint32_t i);

/* The row with this name (or old name) among the tables; false where there is none. */
bool schema_find(const schema_part *parts, size_t count, const char *key, lth_option *option, void **field);

/* Is the table itself right: names ([a-z][a-z0-9_]*, at most 60 bytes, once each, none of `taken`), types, offsets
 * inside `instance_size` and aligned, ranges, defaults that parse and lie in range? For manifests. Messages carry no
 * place; they begin with `owner`: "model 'mlp'". */
lth_status schema_check_table(const lth_options *options, size_t instance_size, const char *owner, const char *const *taken,
                              size_t taken_count, diagnostics *d);

#endif
