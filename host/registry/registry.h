/* SPDX-License-Identifier: Apache-2.0
 * registry/registry.h: which plugins there are, and their loading.
 *
 * Opening reads the manifests along the search path and loads nothing, so everything about components and their options
 * is known in a millisecond. Loading is per component, when it is used. The host knows no plugin by name: what is on by
 * default and which accelerator `auto` means stand in the manifests.
 *
 * A registry, what it answers and what it loaded live until registry_free; libraries stay in the process. [main] */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "registry/manifest.h"

typedef struct registry registry;

/* Folders that come before those of the environment and the system. Relative ones are taken from the current folder. */
typedef struct registry_paths {
    const char *const *plugin_dirs; /* --plugin-dir, in order */
    size_t plugin_dir_count;
    const char *const *run_dirs; /* `plugin_path` of the run file; absolute */
    size_t run_dir_count;
    const char *run_file; /* where that key stands, for messages */
    int run_line;
} registry_paths;

/* A folder of the search path. */
typedef struct registry_place {
    const char *dir;     /* absolute */
    const char *origin;  /* "--plugin-dir", "LTHOST_PLUGIN_PATH", ...: who named it */
    const char *problem; /* "does not exist"; NULL: it was searched */
    uint32_t plugin_count;
} registry_place;

/* A folder with a manifest. */
typedef struct registry_plugin {
    manifest manifest; /* of an unreadable one only the id is known: the folder's name */
    const char *dir;   /* absolute */
    const registry_place *place;
    const char *problem;                       /* why it cannot be used; NULL: nothing known against it */
    const struct registry_plugin *shadowed_by; /* the one of the same id that comes first; NULL: none */
} registry_plugin;

typedef struct registry_component {
    const registry_plugin *plugin;
    const kind *kind;
    const char *id, *summary;
    uint32_t flags; /* LTH_DEFAULT_ON */
    int32_t score;  /* of an accelerator */
    lth_options options; /* from the manifest: for checking and help, without offsets */
    const registry_plugin *shadowed_by; /* the earlier plugin that wins: by its own id, or by this kind and id; NULL: none */
} registry_component;

/* Always answers a registry. `d` gets folders that the user named and that cannot be searched; trouble with a single
 * plugin is kept in `problem` until somebody wants that plugin. */
registry *registry_open(const registry_paths *paths, diagnostics *d);
void registry_free(registry *r);

/* The component that a run gets for this kind ("model") and id, usable or not; NULL where there is none. */
const registry_component *registry_find(const registry *r, const char *kind, const char *id);

/* The same for a name in a run file: what is missing or cannot be used is reported at file:line, with the nearest right
 * name. Answers the component also where its plugin cannot be used, so that its options can still be checked. */
const registry_component *registry_require(const registry *r, const char *kind, const char *id, const char *file, int line,
                                           diagnostics *d);

/* Walks the components that are not shadowed, of one kind or of all (NULL), in search order:
 *     const registry_component *c = NULL; while ((c = registry_next(r, "callback", c))) ... */
const registry_component *registry_next(const registry *r, const char *kind, const registry_component *after);

/* Everything, shadowed and unusable ones too, in search order. */
const registry_place *const *registry_places(const registry *r, size_t *count);
const registry_plugin *const *registry_plugins(const registry *r, size_t *count);
const registry_component *const *registry_components(const registry *r, size_t *count);

/* Loads the component's library, once, after its hash, processor and version were checked, and checks that the library is
 * what its manifest says. *table is the component's table in a zeroed struct of this host's size (cast it by the kind),
 * its options with their offsets; it lives as long as the registry. LTH_INVALID, LTH_IO or LTH_UNSUPPORTED. */
lth_status registry_load(registry *r, const registry_component *c, const lth_component_head **table, error *e);

#endif
