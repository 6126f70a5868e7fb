/* SPDX-License-Identifier: Apache-2.0
 * registry/descriptor.h: a loaded plugin's descriptor: checked in every detail, and told as a manifest. */
#ifndef REGISTRY_DESCRIPTOR_H
#define REGISTRY_DESCRIPTOR_H

#include "registry/manifest.h"

/* A kind's section of the run file has keys of the host's own; an option may not take their names. */
typedef struct descriptor_host_keys {
    const char *kind; /* "datamodule" */
    const lth_options *options;
} descriptor_host_keys;

typedef struct descriptor_args {
    const lth_plugin *descriptor;
    const char *library; /* the file's name, without a folder */
    const char *arch, *sha256;
    const descriptor_host_keys *host_keys; /* may be NULL */
    size_t host_key_count;
} descriptor_args;

/* Checks versions, sizes, texts, names, required slots and options; all that is wrong goes into `d`. `out` then borrows
 * the descriptor's strings, which live as long as the process. LTH_OK or LTH_INVALID. [main] */
lth_status descriptor_read(const descriptor_args *args, manifest *out, arena *memory, diagnostics *d);

/* The component's row, by interface and id; its table, whatever its size; NULL where there is none. */
const lth_component_head *descriptor_find(const lth_plugin *descriptor, const char *interface, const char *id);

/* A copy of a component's table in a zeroed struct of this host's size, so that slots that the plugin does not know are
 * NULL; its hooks likewise. */
const lth_component_head *descriptor_copy_table(const lth_component_head *table, const kind *k, arena *memory);

#endif
