/* SPDX-License-Identifier: Apache-2.0
 * trainer/run_dir.c: a run's folder, <dir>/<name>/version_N: made, locked for this process, found again.
 *
 *   run.ini          the resolved run file
 *   run.json         the run's id, and when it began
 *   checkpoints/     see checkpoint.h
 *   ...              what loggers and callbacks write */
#include "trainer/session.h"

#include "util/clock.h"
#include "util/json.h"
#include "util/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of "version_12"; -1 for another name. */
static int64_t version_of(const char *name)
{
    char *end;
    if (!str_starts(name, "version_"))
        return -1;
    const char *digits = name + strlen("version_");
    errno = 0;
    long long n = strtoll(digits, &end, 10);
    return digits[0] >= '0' && digits[0] <= '9' && !*end && !errno ? n : -1;
}

/* All numbers of versions in the name's folder, greatest first, by repeated search: there are few. */
static int64_t greatest_version(const file_names *names, int64_t below)
{
    int64_t greatest = -1;
    for (size_t i = 0; i < names->count; i++) {
        int64_t n = version_of(names->at[i]);
        greatest = n > greatest && n < below ? n : greatest;
    }
    return greatest;
}

/* run.json: the id is the same after a resume. */
static lth_status read_id(session *s, error *e)
{
    char *path = path_join(s->run_dir, "run.json"), stamp[CLOCK_TEXT_SIZE];
    unsigned char bytes[8] = { 0 };
    json_t *root = NULL;
    error ignored = { 0 };
    const char *id = NULL;
    if (path_exists(path) && json_read(path, &root, &ignored) == LTH_OK)
        id = json_string_value(json_object_get(root, "id"));
    if (id) {
        s->run_id = arena_copy_text(&s->memory, id);
    } else {
        if (getrandom(bytes, sizeof bytes, 0) < 0)
            memcpy(bytes, &(int64_t) { clock_nanoseconds() }, sizeof bytes);
        s->run_id = arena_format(&s->memory, "%02x%02x%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                                 bytes[5], bytes[6], bytes[7]);
        json_decref(root);
        root = json_pack("{s:s, s:s, s:s}", "id", s->run_id, "name", s->run.name, "created", clock_iso(stamp));
        json_write(path, root, e);
    }
    json_decref(root);
    free(path);
    return e->status;
}

static lth_status lock(session *s, const char *path, error *e)
{
    char *file = path_join(path, ".lock");
    lth_status status = file_lock(file, &s->lock, e);
    free(file);
    return status == LTH_STOPPED ? error_prefix(e, "the run in '%s' is going on: ", path) : status;
}

/* What a process that was killed had begun to write in place of a file (file_write_atomic). */
static void remove_half_written(const char *path)
{
    file_names names = { 0 };
    error ignored = { 0 };
    file_list(path, &names, &ignored);
    for (size_t i = 0; i < names.count; i++)
        if (names.at[i][0] == '.' && str_ends(names.at[i], ".new")) {
            char *file = path_join(path, names.at[i]);
            unlink(file);
            free(file);
        }
    file_names_free(&names);
}

/* Takes over a folder whose lock is held. */
static lth_status use_locked(session *s, const char *path, error *e)
{
    s->run_dir = arena_copy_text(&s->memory, path);
    s->checkpoint_path = arena_format(&s->memory, "%s/checkpoints", path);
    s->scope.run_dir = s->run_dir;
    remove_half_written(path);
    return read_id(s, e);
}

lth_status run_dir_use(session *s, const char *path, error *e)
{
    return lock(s, path, e) == LTH_OK ? use_locked(s, path, e) : e->status;
}

lth_status run_dir_use_killed(session *s, error *e)
{
    char *parent = path_join(s->run.dir, s->run.name);
    file_names names = { 0 };
    if (path_is_dir(parent))
        file_list(parent, &names, e);
    int64_t newest = greatest_version(&names, INT64_MAX);
    file_names_free(&names);
    char *path = str_format("%s/version_%lld", parent, (long long)newest), *about = path_join(path, "run.json");
    if (e->status == LTH_OK && newest >= 0 && lock(s, path, e) == LTH_OK) {
        s->made_run_dir = s->lock.left_behind || !path_exists(about);
        if (s->made_run_dir) /* as good as new: nothing in it is worth keeping yet */
            use_locked(s, path, e);
        else
            file_unlock(&s->lock);
    }
    free(about);
    free(path);
    free(parent);
    return e->status;
}

lth_status run_dir_make(session *s, error *e)
{
    char *parent = path_join(s->run.dir, s->run.name);
    file_names names = { 0 };
    if (file_make_dirs(parent, e) == LTH_OK)
        file_list(parent, &names, e);
    for (int64_t n = greatest_version(&names, INT64_MAX) + 1; e->status == LTH_OK; n++) {
        const char *path = arena_format(&s->memory, "%s/version_%lld", parent, (long long)n);
        if (mkdir(path, 0777) == 0) {
            s->made_run_dir = true;
            s->run_dir = arena_copy_text(&s->memory, path); /* to be removed, where the rest fails */
            s->version = n;
            if (file_sync_dir(parent, e) == LTH_OK)
                run_dir_use(s, path, e);
            break;
        }
        if (errno != EEXIST)
            file_failed(e, "make the folder", path);
    }
    file_names_free(&names);
    free(parent);
    return e->status;
}

/* Damaged ones count: a run that has no other is not passed over without a word. */
static bool has_checkpoints(const char *run_dir)
{
    char *dir = path_join(run_dir, "checkpoints");
    checkpoint_list list = { 0 };
    error ignored = { 0 };
    str corrupt = { 0 };
    bool any = path_is_dir(dir) && checkpoint_list_read(dir, &list, &ignored) == LTH_OK && list.count > 0;
    any = any || checkpoint_corrupt(dir, &corrupt) > 0;
    str_free(&corrupt);
    checkpoint_list_free(&list);
    free(dir);
    return any;
}

char *run_dir_newest(session *s, error *e)
{
    char *parent = path_join(s->run.dir, s->run.name), *found = NULL;
    file_names names = { 0 };
    if (path_is_dir(parent))
        file_list(parent, &names, e);
    for (int64_t n = greatest_version(&names, INT64_MAX); n >= 0 && !found; n = greatest_version(&names, n)) {
        char *path = str_format("%s/version_%lld", parent, (long long)n);
        if (has_checkpoints(path))
            found = path;
        else
            free(path);
    }
    file_names_free(&names);
    free(parent);
    return found;
}

void run_dir_close(session *s, bool keep)
{
    error ignored = { 0 };
    if (s->checkpoints)
        checkpoint_dir_close(s->checkpoints);
    s->checkpoints = NULL;
    if (s->made_run_dir && !keep && !s->keep_run_dir)
        file_remove_tree(s->run_dir, &ignored);
    if (s->lock.fd >= 0)
        file_unlock(&s->lock);
    s->lock.fd = -1;
}
