/* SPDX-License-Identifier: Apache-2.0
 * registry/manifest.h: plugin.ini, what is known of a plugin without loading it.
 *
 *     [plugin]                              [model.mlp]                          [model.mlp.hidden]
 *     format = 1                            interface = model/1                  type = int
 *     id = mlp                              summary = multi-layer perceptron     default = 128
 *     version = 0.1.0                       flags = default_on                   range = 1..65536
 *     license = Apache-2.0                  score = 50 (accelerators)            help = width of the hidden layer
 *     api = 0.1                                                                  old_name = width
 *     library = mlp.so                                                           flags = hyper
 *     arch = x86_64
 *     sha256 = ...
 *
 * `lthost manifest` writes it from the library's descriptor (descriptor.h), so that it cannot drift. Keys and sections
 * that this host does not know are passed over: a later host may have written them. */
#ifndef REGISTRY_MANIFEST_H
#define REGISTRY_MANIFEST_H

#include "registry/kinds.h"
#include "util/arena.h"
#include "util/diagnostics.h"
#include "util/str.h"

#define MANIFEST_FILE "plugin.ini"
enum { MANIFEST_FORMAT = 1, MANIFEST_ID_LIMIT = 40 };

typedef struct manifest_component {
    const char *interface; /* "model/1" */
    const kind *kind;      /* NULL: this host does not know the interface */
    const char *id;
    const char *summary; /* "" if none */
    uint32_t flags;      /* LTH_DEFAULT_ON */
    int32_t score;
    lth_options options; /* rows without offsets: offset is 0 in each */
} manifest_component;

typedef struct manifest {
    const char *id, *version, *license;
    const char *library; /* a file name without a folder, ends in ".so" */
    const char *arch;    /* "x86_64" */
    const char *sha256;  /* of the library, 64 digits */
    uint16_t api_major, api_min_minor;
    uint32_t component_count;
    manifest_component *components;
} manifest;

/* Reads the file; strings are made in `memory`. What is wrong is in `d` with its line. LTH_OK, LTH_INVALID or LTH_IO. [any] */
lth_status manifest_read(const char *path, manifest *out, arena *memory, diagnostics *d);

/* Appends the manifest as text, which reads back to the same. [any] */
void manifest_write(str *out, const manifest *m);

/* LTH_OK where both describe the same plugin, else LTH_INVALID and the first difference: "model 'mlp': option 'hidden': ...". */
lth_status manifest_same(const manifest *file, const manifest *library, error *e);

/* [a-z][a-z0-9_]*, at most 40 bytes: what components and plugins may be called. */
bool manifest_id_is_right(const char *id);

/* The rule: equal majors, and a minor that the plugin needs of at most the host's; while the major is 0, an equal one. [any] */
bool manifest_api_serves(uint16_t host_major, uint16_t host_minor, uint16_t major, uint16_t min_minor);

/* Whether a plugin of this API version may be loaded; the message names the plugin, both versions and the remedy. [any] */
lth_status manifest_check_api(const char *id, const char *version, uint16_t api_major, uint16_t api_min_minor, error *e);

#endif
