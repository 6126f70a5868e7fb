/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_open.c: finding a checkpoint, checking every byte of it, reading it. */
#include "checkpoint_parts.h"

#include "util/file.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct checkpoint {
    char *path;
    checkpoint_manifest manifest;
    char *run_ini;
    json_t *state;
    safetensors_file *tensors[2];
};

static lth_status read_files(checkpoint *c, error *e)
{
    size_t size = 0;
    char *run = path_join(c->path, CHECKPOINT_RUN_FILE), *state = path_join(c->path, CHECKPOINT_STATE_FILE);
    char *model = path_join(c->path, CHECKPOINT_MODEL_FILE), *optimizer = path_join(c->path, CHECKPOINT_OPTIMIZER_FILE);
    lth_status status = file_read(run, 0, &c->run_ini, &size, e);
    c->manifest.facts.run_ini = c->run_ini;
    if (!status)
        status = safetensors_open(model, &c->tensors[CHECKPOINT_MODEL], e);
    if (!status && !c->manifest.facts.weights_only)
        status = safetensors_open(optimizer, &c->tensors[CHECKPOINT_OPTIMIZER], e);
    if (!status && !c->manifest.facts.weights_only)
        status = json_read(state, &c->state, e);
    free(run);
    free(state);
    free(model);
    free(optimizer);
    return status;
}

/* Opens one folder. Any byte that is not as it was written is LTH_INVALID. */
static lth_status open_folder(const char *path, bool resume, checkpoint **out, error *e)
{
    checkpoint *c = memory_new(sizeof *c);
    lth_status status = path_real(path, &c->path, e);
    if (!status)
        status = checkpoint_manifest_read(c->path, &c->manifest, e);
    if (!status && resume && c->manifest.facts.weights_only)
        status = error_set(e, LTH_INVALID,
                           "'%s' has weights only: a run cannot go on from it (`weights = ` starts a new one from it)", path);
    if (!status)
        status = checkpoint_manifest_verify(&c->manifest, c->path, e);
    if (!status)
        status = read_files(c, e);
    if (status) {
        checkpoint_close(c);
        c = NULL;
    }
    *out = c;
    return status;
}

/* ---- Which one ---- */

/* Renames a damaged checkpoint so that it is no candidate again; returns its new name, or NULL where it could not. */
static char *quarantine(const checkpoint_found *f)
{
    for (int i = 1; i < 100; i++) {
        char *to = i == 1 ? str_format("%s.corrupt", f->path) : str_format("%s.corrupt-%d", f->path, i);
        lth_status status = checkpoint_rename(f->path, to, NULL);
        if (!status)
            return to;
        free(to);
        if (status != LTH_INVALID)
            break;
    }
    return NULL;
}

static void pass_over(const checkpoint_open_args *args, const checkpoint_found *f, const error *why)
{
    char *to = args->quarantine ? quarantine(f) : NULL;
    char *text = str_format("the checkpoint '%s' is damaged and is passed over%s%s%s: %s", f->name, to ? "; it is now '" : "",
                            to ? path_base(to) : "", to ? "'" : "", why->text);
    if (args->warn)
        args->warn(args->context, text);
    free(text);
    free(to);
}

/* The newest that is whole. */
static lth_status open_last(const checkpoint_open_args *args, checkpoint **out, error *e)
{
    checkpoint_scan scan;
    lth_status status = checkpoint_scan_dir(args->dir, &scan, e);
    size_t damaged = 0;
    for (size_t i = 0; i < scan.count && !status && !*out; i++) {
        const checkpoint_found *f = &scan.at[i];
        error why = f->why;
        if (!f->status && args->resume && f->manifest.facts.weights_only)
            continue;
        lth_status one = f->status ? f->status : open_folder(f->path, args->resume, out, &why);
        if (one == LTH_INVALID) {
            pass_over(args, f, &why);
            damaged++;
        } else if (one) {
            status = error_set(e, one, "%s", why.text);
        }
    }
    checkpoint_scan_free(&scan);
    if (status || *out)
        return status;
    if (damaged)
        return error_set(e, LTH_INVALID, "no checkpoint in '%s' is whole: %zu %s damaged; remove %s to start from the beginning",
                         args->dir, damaged, damaged == 1 ? "is" : "are", damaged == 1 ? "it" : "them");
    str corrupt = { 0 };
    if (checkpoint_corrupt(args->dir, &corrupt) > 0)
        error_set(e, LTH_INVALID, "'%s' has damaged checkpoints alone: %s; remove them to start from the beginning", args->dir,
                  str_text(&corrupt));
    else
        error_set(e, LTH_END, "there is no checkpoint in '%s'", args->dir);
    str_free(&corrupt);
    return e->status;
}

static lth_status open_best(const checkpoint_open_args *args, checkpoint **out, error *e)
{
    char *name = checkpoint_link_target(args->dir, "best");
    if (!name)
        return error_set(e, LTH_END, "no checkpoint in '%s' is known as the best one", args->dir);
    char *path = path_join(args->dir, name);
    lth_status status = open_folder(path, args->resume, out, e);
    free(path);
    free(name);
    return status ? error_prefix(e, "the best checkpoint cannot be used: ") : LTH_OK;
}

static bool holds(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool exists = path_exists(path);
    free(path);
    return exists;
}

static lth_status open_path(const checkpoint_open_args *args, checkpoint **out, error *e)
{
    struct stat st;
    if (stat(args->which, &st))
        return error_set(e, LTH_INVALID, "there is no checkpoint '%s': %s", args->which, strerror(errno));
    char *folder = S_ISDIR(st.st_mode) ? str_dup(args->which) : path_dir(args->which);
    char *checkpoints = path_join(folder, "checkpoints");
    lth_status status;
    if (!holds(folder, CHECKPOINT_MANIFEST_FILE) && path_is_dir(checkpoints)) { /* a run's folder */
        checkpoint_open_args last = *args;
        last.dir = checkpoints;
        last.quarantine = false; /* that run may be another process's */
        status = open_last(&last, out, e);
    } else if (!holds(folder, CHECKPOINT_MANIFEST_FILE) && !holds(folder, CHECKPOINT_MODEL_FILE)) {
        status = error_set(e, LTH_INVALID, "'%s' is no checkpoint, nor a run's folder: '%s' has no " CHECKPOINT_MANIFEST_FILE,
                           args->which, folder);
    } else {
        status = open_folder(folder, args->resume, out, e);
    }
    free(checkpoints);
    free(folder);
    return status;
}

lth_status checkpoint_open(const checkpoint_open_args *args, checkpoint **out, error *e)
{
    *out = NULL;
    if (strcmp(args->which, "last") == 0)
        return open_last(args, out, e);
    return strcmp(args->which, "best") == 0 ? open_best(args, out, e) : open_path(args, out, e);
}

void checkpoint_close(checkpoint *c)
{
    if (!c)
        return;
    safetensors_close(c->tensors[0]);
    safetensors_close(c->tensors[1]);
    json_decref(c->state);
    checkpoint_manifest_free(&c->manifest);
    free(c->run_ini);
    free(c->path);
    free(c);
}

/* ---- What is in it ---- */

const char *checkpoint_path(const checkpoint *c) { return c->path; }

const char *checkpoint_name(const checkpoint *c) { return path_base(c->path); }

const checkpoint_facts *checkpoint_facts_of(const checkpoint *c) { return &c->manifest.facts; }

const json_t *checkpoint_state(const checkpoint *c) { return c->state; }

safetensors_file *checkpoint_tensors(checkpoint *c, checkpoint_part part) { return c->tensors[part]; }

bool checkpoint_read_component(checkpoint *c, const char *section, state_reader *r, uint32_t *state_version)
{
    const json_t *entry = json_object_get(json_object_get(c->state, "components"), section);
    const json_t *values = json_object_get(entry, "values");
    if (!json_is_object(values))
        return false;
    *state_version = (uint32_t)json_integer_value(json_object_get(entry, "version"));
    state_reader_begin(r, values, c->tensors[CHECKPOINT_OPTIMIZER]);
    return true;
}
