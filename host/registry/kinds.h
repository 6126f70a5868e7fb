/* SPDX-License-Identifier: Apache-2.0
 * registry/kinds.h: what the host knows of each kind of component, as one table. */
#ifndef REGISTRY_KINDS_H
#define REGISTRY_KINDS_H

#include <lthost/lthost.h>

enum { KIND_MAX_REQUIRED = 13 };

/* A slot that a table must fill. */
typedef struct kind_slot {
    const char *name;
    uint32_t offset;
} kind_slot;

typedef struct kind {
    const char *name;        /* "model": in messages, on the command line */
    const char *interface;   /* "model/1": in descriptors and manifests */
    const char *section;     /* of the run file: "model", "data", "callback" */
    bool many;               /* a run may have several: [callback.NAME] */
    const char *trainer_key; /* the key of [trainer] that names it; NULL: its section does, by `use` */
    uint32_t size;           /* of this host's table */
    uint32_t hooks;          /* offset of the table's `const lth_hooks *`; 0: none */
    uint32_t score;          /* offset of the table's int32_t score; 0: none */
    kind_slot required[KIND_MAX_REQUIRED]; /* ends with a name of NULL */
} kind;

/* All kinds, in the order in which they are listed. */
extern const kind kinds[];
extern const size_t kind_count;

/* By name ("model") or by interface ("model/1"); NULL where there is none. [any] */
const kind *kind_by_name(const char *name);
const kind *kind_by_interface(const char *interface);

#endif
