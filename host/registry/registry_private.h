/* SPDX-License-Identifier: Apache-2.0
 * registry/registry_private.h: what registry.c and load.c share. */
#ifndef REGISTRY_REGISTRY_PRIVATE_H
#define REGISTRY_REGISTRY_PRIVATE_H

#include "registry/registry.h"
#include "registry/search.h"

/* The public structs begin these; only the registry sees the rest. */
struct own_plugin {
    registry_plugin plugin;
    const lth_plugin *descriptor; /* NULL until it is loaded */
};

struct own_component {
    registry_component component;
    size_t index;
    const lth_component_head *table; /* NULL until it is loaded */
};

struct registry {
    search places;
    registry_plugin **plugins;
    size_t plugin_count, plugin_capacity;
    registry_component **components;
    size_t component_count, component_capacity;
    arena memory;
};

#endif
