/* SPDX-License-Identifier: Apache-2.0
 * cli/plugins_json.h: plugins for programs: the answers of `lthost plugins ... --json`. */
#ifndef CLI_PLUGINS_JSON_H
#define CLI_PLUGINS_JSON_H

#include "cli/cli.h"
#include "util/json.h"

/* A component; with its options where asked. */
json_t *plugins_json_component(const registry_component *c, bool with_options);
/* The host's own keys of a section. */
json_t *plugins_json_section(const cli_host_section *section);
/* A folder of the search path with its candidates for a name (taken over), and one of those. */
json_t *plugins_json_place(const registry_place *place, json_t *candidates);
json_t *plugins_json_candidate(const registry_plugin *p, const char *result);

/* Everything, to stdout; returns the exit status. */
int plugins_json_list(const registry *r);
int plugins_json_print(const json_t *value);

#endif
