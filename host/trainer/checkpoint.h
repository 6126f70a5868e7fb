/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint.h: checkpoints as folders that are whole or absent.
 *
 *   <run>/checkpoints/<name>/model.safetensors      parameters and persistent buffers under their own names
 *                            optimizer.safetensors  optimizer states, accumulators, tensors of components
 *                            state.json             everything else: loops, data position, callbacks, ...
 *                            run.ini                the resolved run file
 *                            manifest.json          what the run was; size and SHA-256 of each file above
 *   <run>/checkpoints/last, best                    links to the newest resume point and to the best one
 *
 * manifest.json ends with the line `"manifest_sha256": "<hex>"` and a brace; the hash is that of all bytes before the
 * line. A checkpoint of weights only has no optimizer.safetensors and no state.json.
 *
 * A save writes into a hidden folder beside, syncs each file, the manifest last, then the folder, renames it without
 * replacing anything, and syncs the parent: after a crash at any moment a checkpoint is there as a whole or not at all.
 * What the process left behind is a hidden folder, which checkpoint_dir_open removes.
 *
 * All of it [main], between steps. */
#ifndef TRAINER_CHECKPOINT_H
#define TRAINER_CHECKPOINT_H

#include "engine/engine.h"
#include "safetensors.h"
#include "state_io.h"
#include "util/str.h"

enum { CHECKPOINT_SCHEMA = 1 };

/* ---- Taking one ---- */

/* What a checkpoint will hold, copied from the run. One snapshot serves a run's checkpoints one after the other: its
 * memory is used again, so that it grows to the largest and no further. */
typedef struct checkpoint_snapshot checkpoint_snapshot;

typedef struct checkpoint_plugin {
    const char *id, *version, *sha256;
} checkpoint_plugin;

/* What the manifest tells; texts are copied. */
typedef struct checkpoint_facts {
    int64_t global_step, epoch;
    bool weights_only;
    int32_t world;
    const char *host_version; /* "0.1.0" */
    const char *fingerprint;  /* engine_fingerprint */
    const char *run_ini;      /* text of the resolved run file */
    const checkpoint_plugin *plugins;
    uint32_t plugin_count;
} checkpoint_facts;

checkpoint_snapshot *checkpoint_snapshot_new(void);
void checkpoint_snapshot_free(checkpoint_snapshot *s);
/* Forgets what it holds and begins another. */
void checkpoint_snapshot_begin(checkpoint_snapshot *s, const checkpoint_facts *facts);
/* Copies the engine's tensors: parameters and persistent buffers, and unless weights_only all the rest. */
lth_status checkpoint_snapshot_engine(checkpoint_snapshot *s, engine *g, error *e);
/* The root of state.json, an object; the trainer sets its own keys in it (not "components"). Lives until the next begin.
 * Doubles: json_from_f64 (util/json.h). */
json_t *checkpoint_snapshot_state(checkpoint_snapshot *s);
/* A writer for one component, whose state will be below "components" / section (unique: "callback.best"), its tensors in
 * optimizer.safetensors as "components/<section>/<key>"; state_version is given back on load. Then
 * checkpoint_snapshot_component_end, before another one begins. */
lth_writer *checkpoint_snapshot_component(checkpoint_snapshot *s, const char *section, uint32_t state_version);
lth_status checkpoint_snapshot_component_end(checkpoint_snapshot *s, error *e);
/* The parts that these are made of: a tensor into one of the two files; where its bytes are to be written, 64-byte aligned.
 * Valid until checkpoint_snapshot_begin; NULL, with the reason in e, where there is no memory. */
typedef enum checkpoint_part { CHECKPOINT_MODEL, CHECKPOINT_OPTIMIZER } checkpoint_part;
void *checkpoint_snapshot_tensor(checkpoint_snapshot *s, checkpoint_part part, const char *name, const lth_shape *shape,
                                 error *e);
/* Bytes of memory that it holds. */
size_t checkpoint_snapshot_size(const checkpoint_snapshot *s);

/* ---- The folder of a run's checkpoints ---- */

typedef struct checkpoint_dir checkpoint_dir;

/* For the process that owns the run: makes the folder where it is absent, and removes what an earlier process left
 * half-written or half-removed. */
lth_status checkpoint_dir_open(const char *path, checkpoint_dir **out, error *e);
void checkpoint_dir_close(checkpoint_dir *d);

/* A name is one path component; "last", "best", a leading "." and a trailing ".corrupt" are the folder's own. */
lth_status checkpoint_check_name(const char *name, error *e);

/* Writes the snapshot as <dir>/<name>. LTH_INVALID where that name exists already (checkpoint_exists). On return it is safe
 * on disk, and `last` points to it unless it is of weights only. On an error nothing of it is left. In two halves: what it is
 * made of is on disk after checkpoint_write, and a checkpoint from checkpoint_commit on. */
lth_status checkpoint_write(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e);
lth_status checkpoint_commit(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e);
lth_status checkpoint_save(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e);
bool checkpoint_exists(const checkpoint_dir *d, const char *name);
/* Makes `best`, or `last`, point to a checkpoint. A save sets `last` by itself; a crash right after one may have kept it from
 * that, and a damaged one that was put aside leaves `last` pointing nowhere. */
lth_status checkpoint_set_best(checkpoint_dir *d, const char *name, error *e);
lth_status checkpoint_set_last(checkpoint_dir *d, const char *name, error *e);
/* Removes one; absent is fine. It is renamed away first, so that a half-removed one is never taken for whole. A link to it
 * goes too. What may be removed is the trainer's to decide. */
lth_status checkpoint_remove(checkpoint_dir *d, const char *name, error *e);

/* ---- Looking ---- */

typedef struct checkpoint_entry {
    const char *name;
    char *path;
    int64_t global_step, epoch, sequence; /* sequence: order of writing in this folder */
    bool weights_only, is_last, is_best;
} checkpoint_entry;
typedef struct checkpoint_list {
    checkpoint_entry *at;
    size_t count, capacity;
} checkpoint_list;

/* Those whose manifest can be read (its own hash is checked, the files' are not), by global_step, then sequence. An absent
 * folder has none. Any process may look. */
lth_status checkpoint_list_read(const char *dir, checkpoint_list *out, error *e);
void checkpoint_list_free(checkpoint_list *l);
/* Damaged ones that were put aside: how many; their names are added to `names`. */
uint32_t checkpoint_corrupt(const char *dir, str *names);

/* ---- Loading ---- */

/* A checkpoint whose files all have their sizes and hashes. */
typedef struct checkpoint checkpoint;

typedef struct checkpoint_open_args {
    const char *dir;   /* <run>/checkpoints */
    const char *which; /* "last", "best", or a path: of the folder, of a run's folder (its last one) or of a file in it */
    bool resume;       /* loops and optimizers are wanted: those of weights only do not count */
    bool quarantine;   /* damaged ones may be renamed to <name>.corrupt: this process owns the run */
    void (*warn)(void *context, const char *text); /* each damaged one that was passed over */
    void *context;
} checkpoint_open_args;

/* "last": the newest that is whole; damaged ones are passed over, with a warning each. "best" and a path: that one or an
 * error. LTH_END where there is none at all (`--resume auto` then starts anew); LTH_INVALID: damaged, all that there are;
 * LTH_UNSUPPORTED: of a newer lthost; LTH_IO: the system. */
lth_status checkpoint_open(const checkpoint_open_args *args, checkpoint **out, error *e);
void checkpoint_close(checkpoint *c);

const char *checkpoint_path(const checkpoint *c);
const char *checkpoint_name(const checkpoint *c);
/* As it was given to the save; texts live as long as the checkpoint. run_ini is read from the folder. */
const checkpoint_facts *checkpoint_facts_of(const checkpoint *c);
/* What differs between the checkpoint's fingerprint and the run's, as text for the user: "threads: 2 then, 4 now; ...".
 * "" where they are equal. */
void checkpoint_fingerprint_difference(const char *then, const char *now, str *out);
/* state.json, and NULL in one of weights only. */
const json_t *checkpoint_state(const checkpoint *c);
/* Files of the checkpoint; the second is NULL in one of weights only. */
safetensors_file *checkpoint_tensors(checkpoint *c, checkpoint_part part);

/* Sets the engine's tensors: parameters and buffers, and (all) optimizer states and accumulators too. Names, shapes and types
 * must be the run's own; with `all` false floating types are converted. Nothing is set unless all of it fits. */
lth_status checkpoint_restore_engine(checkpoint *c, engine *g, bool all, error *e);
/* Begins a reader for a component's state; false where the checkpoint has none for that section. End it with
 * state_reader_end. */
bool checkpoint_read_component(checkpoint *c, const char *section, state_reader *r, uint32_t *state_version);

#endif
