/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_dir.c: the folder of a run's checkpoints: names, links, order, removal. */
#include "checkpoint_parts.h"

#include "util/file.h"
#include "util/memory.h"
#include "util/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LIMIT = 200 }; /* leaves room for ".writing-" and ".corrupt-99" in a file name's 255 bytes */

lth_status checkpoint_check_name(const char *name, error *e)
{
    if (!*name || strlen(name) > NAME_LIMIT || strchr(name, '/') || *name == '.' || strstr(name, ".corrupt") ||
        strcmp(name, "last") == 0 || strcmp(name, "best") == 0)
        return error_set(
            e, LTH_INVALID,
            "'%s' cannot be a checkpoint's name: one path component of 1 to %d bytes, not beginning with '.', without "
            "'.corrupt', not 'last' or 'best'",
            name, NAME_LIMIT);
    return LTH_OK;
}

/* ---- Links and renames ---- */

char *checkpoint_link_target(const char *dir, const char *link)
{
    char target[PATH_MAX], *path = path_join(dir, link);
    ssize_t n = readlink(path, target, sizeof target - 1);
    free(path);
    if (n <= 0)
        return NULL;
    target[n] = 0;
    return checkpoint_check_name(target, NULL) ? NULL : str_dup(target);
}

lth_status checkpoint_link(const char *dir, const char *link, const char *name, error *e)
{
    char *path = path_join(dir, link), *beside = str_format("%s/.link-%s", dir, link);
    lth_status status = file_remove_tree(beside, e);
    if (!status && (symlink(name, beside) || rename(beside, path)))
        status = file_failed(e, "replace the link", path);
    if (status)
        unlink(beside);
    free(path);
    free(beside);
    return status;
}

lth_status checkpoint_rename(const char *from, const char *to, error *e)
{
    int failed = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    /* Some network file systems have no such rename; theirs still replaces no folder that has files in it. */
    if (failed && (errno == EINVAL || errno == ENOSYS)) {
        struct stat st;
        errno = EEXIST;
        failed = lstat(to, &st) == 0 || rename(from, to);
    }
    if (!failed)
        return LTH_OK;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return file_failed(e, "rename to", to);
    return error_set(e, LTH_INVALID, "cannot rename '%s' to '%s': %s", from, to, strerror(errno));
}

/* ---- The folder ---- */

static void drop_names(file_names *names, lth_status *status, const char *dir, error *e)
{
    for (size_t i = 0; i < names->count && !*status; i++) {
        const char *n = names->at[i];
        if (!str_starts(n, ".writing-") && !str_starts(n, ".removing-") && !str_starts(n, ".link-"))
            continue;
        char *path = path_join(dir, n);
        *status = file_remove_tree(path, e);
        free(path);
    }
}

lth_status checkpoint_dir_open(const char *path, checkpoint_dir **out, error *e)
{
    file_names names = { 0 };
    checkpoint_scan scan = { 0 };
    *out = NULL;
    lth_status status = file_make_dirs(path, e);
    if (!status && access(path, W_OK | X_OK)) /* better now than after the first steps */
        status = file_failed(e, "write in", path);
    if (!status)
        status = file_list(path, &names, e);
    if (!status)
        drop_names(&names, &status, path, e);
    file_names_free(&names);
    if (!status)
        status = checkpoint_scan_dir(path, &scan, e);
    if (!status) {
        checkpoint_dir *d = memory_new(sizeof *d);
        d->path = str_dup(path);
        d->next_sequence = 1;
        for (size_t i = 0; i < scan.count; i++)
            if (!scan.at[i].status && scan.at[i].manifest.sequence >= d->next_sequence)
                d->next_sequence = scan.at[i].manifest.sequence + 1;
        *out = d;
    }
    checkpoint_scan_free(&scan);
    return status;
}

void checkpoint_dir_close(checkpoint_dir *d)
{
    if (d)
        free(d->path);
    free(d);
}

bool checkpoint_exists(const checkpoint_dir *d, const char *name)
{
    struct stat st;
    char *path = path_join(d->path, name);
    bool exists = !checkpoint_check_name(name, NULL) && lstat(path, &st) == 0;
    free(path);
    return exists;
}

static lth_status set_link(checkpoint_dir *d, const char *link, const char *name, error *e)
{
    if (!checkpoint_exists(d, name))
        return error_set(e, LTH_INVALID, "there is no checkpoint '%s' in '%s'", name, d->path);
    return checkpoint_link(d->path, link, name, e);
}

lth_status checkpoint_set_best(checkpoint_dir *d, const char *name, error *e) { return set_link(d, "best", name, e); }

lth_status checkpoint_set_last(checkpoint_dir *d, const char *name, error *e) { return set_link(d, "last", name, e); }

static void unlink_if(const char *dir, const char *link, const char *name)
{
    char *target = checkpoint_link_target(dir, link), *path = path_join(dir, link);
    if (target && strcmp(target, name) == 0)
        unlink(path);
    free(target);
    free(path);
}

lth_status checkpoint_remove(checkpoint_dir *d, const char *name, error *e)
{
    lth_status status = checkpoint_check_name(name, e);
    if (status || !checkpoint_exists(d, name))
        return status;
    char *path = path_join(d->path, name), *away = str_format("%s/.removing-%s", d->path, name);
    status = file_remove_tree(away, e);
    if (!status)
        status = checkpoint_rename(path, away, e);
    if (!status) {
        unlink_if(d->path, "last", name);
        unlink_if(d->path, "best", name);
        status = file_remove_tree(away, e);
    }
    free(path);
    free(away);
    return status;
}

/* ---- What there is ---- */

static int newest_first(const void *a, const void *b)
{
    const checkpoint_found *x = a, *y = b;
    if (!x->status != !y->status)
        return !x->status - !y->status;
    int64_t i = x->manifest.sequence, j = y->manifest.sequence;
    return i != j ? (i < j) - (i > j) : strcmp(y->name, x->name);
}

lth_status checkpoint_scan_dir(const char *dir, checkpoint_scan *out, error *e)
{
    *out = (checkpoint_scan) { 0 };
    if (!path_exists(dir))
        return LTH_OK;
    file_names names = { 0 };
    lth_status status = file_list(dir, &names, e);
    for (size_t i = 0; i < names.count; i++) {
        char *path = path_join(dir, names.at[i]);
        if (checkpoint_check_name(names.at[i], NULL) || !path_is_dir(path)) {
            free(path);
            continue;
        }
        out->at = memory_grow(out->at, &out->capacity, out->count + 1, sizeof *out->at);
        checkpoint_found *f = &out->at[out->count++];
        *f = (checkpoint_found) { .name = str_dup(names.at[i]), .path = path };
        f->status = checkpoint_manifest_read(path, &f->manifest, &f->why);
    }
    file_names_free(&names);
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, newest_first);
    return status;
}

void checkpoint_scan_free(checkpoint_scan *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->at[i].name);
        free(s->at[i].path);
        checkpoint_manifest_free(&s->at[i].manifest);
    }
    free(s->at);
    *s = (checkpoint_scan) { 0 };
}

static int by_step(const void *a, const void *b)
{
    const checkpoint_entry *x = a, *y = b;
    if (x->global_step != y->global_step)
        return (x->global_step > y->global_step) - (x->global_step < y->global_step);
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

lth_status checkpoint_list_read(const char *dir, checkpoint_list *out, error *e)
{
    checkpoint_scan scan;
    *out = (checkpoint_list) { 0 };
    lth_status status = checkpoint_scan_dir(dir, &scan, e);
    char *best = checkpoint_link_target(dir, "best");
    bool have_last = false;
    for (size_t i = 0; i < scan.count; i++) {
        checkpoint_found *f = &scan.at[i];
        if (f->status)
            continue;
        const checkpoint_facts *facts = &f->manifest.facts;
        bool last = !have_last && !facts->weights_only;
        have_last |= last;
        out->at = memory_grow(out->at, &out->capacity, out->count + 1, sizeof *out->at);
        out->at[out->count++] = (checkpoint_entry) { path_base(f->path),
                                                     f->path,
                                                     facts->global_step,
                                                     facts->epoch,
                                                     f->manifest.sequence,
                                                     facts->weights_only,
                                                     last,
                                                     best && strcmp(best, f->name) == 0 };
        f->path = NULL; /* the entry's now */
    }
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, by_step);
    free(best);
    checkpoint_scan_free(&scan);
    return status;
}

void checkpoint_list_free(checkpoint_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->at[i].path);
    free(l->at);
    *l = (checkpoint_list) { 0 };
}

uint32_t checkpoint_corrupt(const char *dir, str *names)
{
    file_names all = { 0 };
    error ignored = { 0 };
    uint32_t count = 0;
    if (path_is_dir(dir))
        file_list(dir, &all, &ignored);
    for (size_t i = 0; i < all.count; i++)
        if (strstr(all.at[i], ".corrupt"))
            str_printf(names, "%s%s", count++ ? ", " : "", all.at[i]);
    file_names_free(&all);
    return count;
}
