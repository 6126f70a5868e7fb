/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_save.c: the protocol that makes a checkpoint whole or absent. */
#include "checkpoint_parts.h"

#include "util/file.h"
#include "util/json.h"
#include "util/path.h"
#include "util/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file on its way to the disk, hashed as it goes. It stays open until all files of the folder are written: the first sync
 * then carries the others' data and names too, and a checkpoint waits for the disk about once rather than five times. */
typedef struct sink {
    int fd;
    char *path;
    sha256 hash;
    int64_t size;
} sink;

enum { SINKS = 5 };
typedef struct sinks {
    sink at[SINKS];
    size_t count;
} sinks;

static sink *sink_open(sinks *all, const char *folder, const char *name, error *e)
{
    sink *s = &all->at[all->count];
    *s = (sink) { .path = path_join(folder, name) };
    sha256_start(&s->hash);
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    all->count++;
    if (s->fd < 0)
        file_failed(e, "create", s->path);
    return s->fd < 0 ? NULL : s;
}

static lth_status sink_put(void *context, const void *data, size_t size, error *e)
{
    sink *s = context;
    sha256_bytes(&s->hash, data, size);
    s->size += (int64_t)size;
    return file_write_all(s->fd, data, size, s->path, e);
}

static void sink_tell(sink *s, checkpoint_file *f)
{
    f->size = s->size;
    sha256_finish(&s->hash, f->sha256);
}

/* Syncs all files in the order in which they were written, where all went well so far, and closes them always. */
static lth_status sinks_close(sinks *all, lth_status status, error *e)
{
    for (size_t i = 0; i < all->count; i++) {
        sink *s = &all->at[i];
        if (!status && fsync(s->fd))
            status = file_failed(e, "sync", s->path);
        if (s->fd >= 0 && close(s->fd) && !status)
            status = file_failed(e, "close", s->path);
        free(s->path);
    }
    return status;
}

static lth_status write_text(sinks *all, const char *folder, const char *name, const char *text, size_t size, checkpoint_file *f,
                             error *e)
{
    sink *s = sink_open(all, folder, name, e);
    lth_status status = s ? sink_put(s, text, size, e) : LTH_IO;
    if (!status && f)
        sink_tell(s, f);
    return status;
}

static lth_status write_tensors(sinks *all, const char *folder, const char *name, const snapshot_part *p, checkpoint_file *f,
                                error *e)
{
    sink *s = sink_open(all, folder, name, e);
    lth_status status = s ? safetensors_write(p->tensors, (uint32_t)p->count, NULL, 0, sink_put, s, e) : LTH_IO;
    if (!status)
        sink_tell(s, f);
    return status;
}

static lth_status write_state(sinks *all, const char *folder, const json_t *state, checkpoint_file *f, error *e)
{
    size_t size;
    char *text = json_render(state, &size);
    if (!text)
        return error_set(e, LTH_ERROR, "the run's state cannot be written as JSON");
    lth_status status = write_text(all, folder, CHECKPOINT_STATE_FILE, text, size, f, e);
    free(text);
    return status;
}

static lth_status write_manifest(sinks *all, const char *folder, const checkpoint_manifest *m, error *e)
{
    char *text = NULL;
    size_t size = 0;
    lth_status status = checkpoint_manifest_render(m, &text, &size, e);
    if (!status)
        status = write_text(all, folder, CHECKPOINT_MANIFEST_FILE, text, size, NULL, e);
    free(text);
    return status;
}

static checkpoint_file *next_file(checkpoint_manifest *m, const char *name)
{
    m->files[m->file_count].name = name;
    return &m->files[m->file_count++];
}

/* All files, the manifest last, and the folder itself, on disk. */
static lth_status write_folder(const char *folder, const checkpoint_snapshot *s, int64_t sequence, error *e)
{
    checkpoint_manifest m = { .facts = s->facts, .sequence = sequence };
    sinks all = { .count = 0 };
    lth_status status =
        write_tensors(&all, folder, CHECKPOINT_MODEL_FILE, &s->parts[CHECKPOINT_MODEL], next_file(&m, CHECKPOINT_MODEL_FILE), e);
    if (!status && !s->facts.weights_only)
        status = write_tensors(&all, folder, CHECKPOINT_OPTIMIZER_FILE, &s->parts[CHECKPOINT_OPTIMIZER],
                               next_file(&m, CHECKPOINT_OPTIMIZER_FILE), e);
    if (!status && !s->facts.weights_only)
        status = write_state(&all, folder, s->state, next_file(&m, CHECKPOINT_STATE_FILE), e);
    if (!status)
        status = write_text(&all, folder, CHECKPOINT_RUN_FILE, s->facts.run_ini, strlen(s->facts.run_ini),
                            next_file(&m, CHECKPOINT_RUN_FILE), e);
    if (!status)
        status = write_manifest(&all, folder, &m, e);
    status = sinks_close(&all, status, e);
    return status ? status : file_sync_dir(folder, e);
}

/* Makes the written folder a checkpoint. From the rename on it is one; before, it is nothing. */
static lth_status commit(checkpoint_dir *d, const char *temporary, const char *name, bool resume_point, error *e)
{
    char *path = path_join(d->path, name);
    lth_status status = checkpoint_rename(temporary, path, e);
    if (!status) {
        if (resume_point)
            status = checkpoint_link(d->path, "last", name, e);
        if (!status)
            status = file_sync_dir(d->path, e); /* one wait for both */
        if (status) /* not surely on disk: not there at all */
            checkpoint_remove(d, name, NULL);
    }
    free(path);
    return status;
}

static lth_status not_saved(const char *name, error *e) { return error_prefix(e, "checkpoint '%s' was not saved: ", name); }

static char *temporary_of(const checkpoint_dir *d, const char *name) { return str_format("%s/.writing-%s", d->path, name); }

lth_status checkpoint_write(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e)
{
    lth_status status = checkpoint_check_name(name, e);
    if (status)
        return status;
    if (checkpoint_exists(d, name))
        return error_set(e, LTH_INVALID, "the checkpoint '%s' exists already in '%s'", name, d->path);
    char *temporary = temporary_of(d, name);
    status = file_remove_tree(temporary, e);
    if (!status && mkdir(temporary, 0777))
        status = file_failed(e, "make the folder", temporary);
    if (!status)
        status = write_folder(temporary, s, d->next_sequence, e);
    if (status)
        file_remove_tree(temporary, NULL);
    free(temporary);
    return status ? not_saved(name, e) : LTH_OK;
}

lth_status checkpoint_commit(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e)
{
    char *temporary = temporary_of(d, name);
    lth_status status = commit(d, temporary, name, !s->facts.weights_only, e);
    if (status)
        file_remove_tree(temporary, NULL);
    else
        d->next_sequence++;
    free(temporary);
    return status ? not_saved(name, e) : LTH_OK;
}

lth_status checkpoint_save(checkpoint_dir *d, const char *name, const checkpoint_snapshot *s, error *e)
{
    lth_status status = checkpoint_write(d, name, s, e);
    return status ? status : checkpoint_commit(d, name, s, e);
}
