/* SPDX-License-Identifier: Apache-2.0
 * util/file_tree.c: folders: made, listed, removed. */
#include "file.h"
#include "memory.h"
#include "path.h"
#include "str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So that a folder is there after a power cut, too. */
static lth_status sync_parent(const char *path, error *e)
{
    char *parent = path_dir(path);
    lth_status s = file_sync_dir(parent, e);
    free(parent);
    return s;
}

lth_status file_make_dirs(const char *path, error *e)
{
    lth_status s = LTH_OK;
    char *part = str_dup(path);
    for (char *at = part; *at && !s;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char cut = *at;
        *at = 0;
        struct stat found;
        int made = *part ? mkdir(part, 0777) : -1;
        if (made == 0)
            s = sync_parent(part, e);
        else if (*part && (errno != EEXIST || stat(part, &found) || !S_ISDIR(found.st_mode)))
            s = errno == EEXIST ? error_set(e, LTH_IO, "cannot make the folder '%s': a file of that name is in the way", part)
                                : file_failed(e, "make the folder", part);
        *at = cut;
    }
    free(part);
    return s;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names in an open folder. Takes the stream over. */
static lth_status list_stream(DIR *stream, const char *path, file_names *out, error *e)
{
    struct dirent *entry;
    *out = (file_names) { 0 };
    for (errno = 0; (entry = readdir(stream)); errno = 0) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        out->at = memory_grow(out->at, &out->capacity, out->count + 1, sizeof *out->at);
        out->at[out->count++] = str_dup(entry->d_name);
    }
    int reason = errno;
    closedir(stream);
    if (reason) {
        file_names_free(out);
        return error_set(e, LTH_IO, "cannot list '%s': %s", path, strerror(reason));
    }
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, by_bytes);
    return LTH_OK;
}

lth_status file_list(const char *dir, file_names *out, error *e)
{
    *out = (file_names) { 0 };
    DIR *stream = opendir(dir);
    return stream ? list_stream(stream, dir, out, e) : file_failed(e, "list", dir);
}

void file_names_free(file_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
    *names = (file_names) { 0 };
}

static lth_status remove_failed(const char *path, error *e) { return errno == ENOENT ? LTH_OK : file_failed(e, "remove", path); }

/* Removes `name` in the folder behind `at`. Each folder is entered by descriptor and without following links, so that
 * one who swaps a folder for a link meanwhile leads nowhere. `path` is for messages. */
static lth_status remove_at(int at, const char *name, const char *path, error *e)
{
    if (!unlinkat(at, name, 0))
        return LTH_OK;
    if (errno != EISDIR && errno != EPERM)
        return remove_failed(path, e);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return remove_failed(path, e);
    DIR *stream = fdopendir(dup(fd));
    file_names names = { 0 };
    lth_status s = stream ? list_stream(stream, path, &names, e) : remove_failed(path, e);
    for (size_t i = 0; i < names.count && !s; i++) {
        char *below = str_format("%s/%s", path, names.at[i]);
        s = remove_at(fd, names.at[i], below, e);
        free(below);
    }
    file_names_free(&names);
    close(fd);
    if (!s && unlinkat(at, name, AT_REMOVEDIR))
        s = remove_failed(path, e);
    return s;
}

lth_status file_remove_tree(const char *path, error *e) { return remove_at(AT_FDCWD, path, path, e); }
