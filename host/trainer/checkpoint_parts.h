/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_parts.h: what the files of checkpoint_*.c share; the rest of the host sees checkpoint.h. */
#ifndef TRAINER_CHECKPOINT_PARTS_H
#define TRAINER_CHECKPOINT_PARTS_H

#include "checkpoint.h"
#include "util/arena.h"

#define CHECKPOINT_MODEL_FILE "model.safetensors"
#define CHECKPOINT_OPTIMIZER_FILE "optimizer.safetensors"
#define CHECKPOINT_STATE_FILE "state.json"
#define CHECKPOINT_RUN_FILE "run.ini"
#define CHECKPOINT_MANIFEST_FILE "manifest.json"

/* ---- A snapshot ---- */

/* Tensors of one file. The i-th one's memory is kept for the i-th one of the next snapshot. */
typedef struct snapshot_part {
    safetensors_tensor *tensors;
    struct snapshot_room {
        void *at;
        size_t size;
    } * rooms;
    size_t count, room_count, tensor_capacity, room_capacity;
} snapshot_part;

struct checkpoint_snapshot {
    checkpoint_facts facts;
    arena memory; /* of this snapshot's texts */
    snapshot_part parts[2];
    json_t *state, *components;
    state_writer writer;
    const char *section;
};

/* ---- A manifest ---- */

typedef struct checkpoint_file {
    const char *name;
    int64_t size;
    char sha256[65];
} checkpoint_file;

typedef struct checkpoint_manifest {
    checkpoint_facts facts;
    int64_t sequence;
    checkpoint_file files[8];
    uint32_t file_count;
    json_t *tree; /* of one that was read: owns the texts */
    checkpoint_plugin *plugins;
} checkpoint_manifest;

/* The manifest's text with its own hash at the end; the caller frees. */
lth_status checkpoint_manifest_render(const checkpoint_manifest *m, char **text, size_t *size, error *e);
/* Reads a folder's manifest. LTH_INVALID: damaged or absent; LTH_UNSUPPORTED: of a newer schema; LTH_IO: the system. */
lth_status checkpoint_manifest_read(const char *folder, checkpoint_manifest *out, error *e);
void checkpoint_manifest_free(checkpoint_manifest *m);
/* Compares sizes and hashes of all files of a folder. The same statuses. */
lth_status checkpoint_manifest_verify(const checkpoint_manifest *m, const char *folder, error *e);

/* ---- A folder of checkpoints ---- */

struct checkpoint_dir {
    char *path;
    int64_t next_sequence;
};

/* A checkpoint, or what could be one, of a folder. */
typedef struct checkpoint_found {
    char *name, *path;
    lth_status status; /* of reading its manifest */
    error why;
    checkpoint_manifest manifest;
} checkpoint_found;
typedef struct checkpoint_scan {
    checkpoint_found *at;
    size_t count, capacity;
} checkpoint_scan;
/* Newest first, damaged ones before all. An absent folder has none. */
lth_status checkpoint_scan_dir(const char *dir, checkpoint_scan *out, error *e);
void checkpoint_scan_free(checkpoint_scan *s);

/* The name that <dir>/<link> points to, for the caller to free; NULL where there is no such link. */
char *checkpoint_link_target(const char *dir, const char *link);
/* Makes <dir>/<link> point to name, by a rename. */
/* Not synced: a link that a power cut undid is made again by the resume, which knows better than any link what is last and best. */
lth_status checkpoint_link(const char *dir, const char *link, const char *name, error *e);
/* Renames a file, never over another: LTH_INVALID where `to` exists. */
lth_status checkpoint_rename(const char *from, const char *to, error *e);

#endif
