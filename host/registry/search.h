/* SPDX-License-Identifier: Apache-2.0
 * registry/search.h: the folders in which plugins are looked for.
 *
 *     1. --plugin-dir, in order            4. $XDG_DATA_HOME/lthost/plugins (~/.local/share/...)
 *     2. `plugin_path` of the run file     5. lib/lthost/plugins beside the program's bin/
 *     3. LTHOST_PLUGIN_PATH                6. the folder compiled in
 *
 * LTHOST_PLUGIN_SYSTEM_PATH, where it is set, stands for 4 to 6. The current folder is never searched unless it is
 * named; relative folders in the environment are passed over. */
#ifndef REGISTRY_SEARCH_H
#define REGISTRY_SEARCH_H

#include "registry/registry.h"

typedef struct search {
    registry_place **at;
    size_t count, capacity;
} search;

/* The places in order, each folder once; those that cannot be searched have their `problem`. Places and texts are made
 * in `memory`; free the list with search_free. */
void search_path(search *out, const registry_paths *paths, arena *memory, diagnostics *d);
void search_free(search *s);

#endif
