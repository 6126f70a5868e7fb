/* SPDX-License-Identifier: Apache-2.0
 * config/resolved.h: writes the resolved run file: every section with every option, defaults too.
 *
 * It runs again as it is and resolves to itself, byte for byte: numbers keep their bits, paths are absolute, the order
 * is the caller's and the tables'. A SECRET option is written only as the ${NAME} that it came from; otherwise a
 * comment stands in its place. Values are read from the filled instances, not from the run files. */
#ifndef CONFIG_RESOLVED_H
#define CONFIG_RESOLVED_H

#include "schema.h"

/* The comment at the head of the file. Call once, first. */
void resolved_begin(str *out);

/* One section. `use`: the component's id, or NULL for sections without one. `s` may be NULL (nothing was given). */
void resolved_section(str *out, const char *title, const char *use, const config_section *s, const schema_part *parts,
                      size_t count);

/* A section with enabled = false: that, and its component. */
void resolved_disabled(str *out, const char *title, const char *use);

#endif
