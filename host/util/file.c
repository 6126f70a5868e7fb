/* SPDX-License-Identifier: Apache-2.0
 * util/file.c: files read and written whole, and the lock. Folders are in file_tree.c. */
#include "file.h"
#include "memory.h"
#include "path.h"
#include "str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *file_reason(int code, char text[160])
{
    static const struct {
        int code;
        const char *remedy;
    } remedies[] = {
        { ENOSPC, "make room there, or write to another disk" },
        { EDQUOT, "make room within the quota, or have it raised" },
        { EIO, "the disk or its connection fails: see the system's log, and write to another disk" },
        { EROFS, "it is mounted read-only: mount it otherwise, or write elsewhere" },
        { EACCES, "this user may not: change owner or mode, or write elsewhere" },
        { EPERM, "this user may not: change owner or mode, or write elsewhere" },
        { EMFILE, "this process has too many files open: raise the limit (ulimit -n)" },
        { ENAMETOOLONG, "choose a shorter name" },
    };
    snprintf(text, 160, "%s", strerror(code));
    for (size_t i = 0, used = strlen(text); i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].code == code)
            snprintf(text + used, 160 - used, " (%s)", remedies[i].remedy);
    return text;
}

lth_status file_failed(error *e, const char *what, const char *path)
{
    char reason[160];
    return error_set(e, LTH_IO, "cannot %s '%s': %s", what, path, file_reason(errno, reason));
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* A first guess at how much there is; /proc and pipes say 0. */
static lth_status read_size(int fd, const char *path, size_t limit, size_t *size, error *e)
{
    struct stat s;
    if (fstat(fd, &s))
        return file_failed(e, "read", path);
    if (S_ISDIR(s.st_mode))
        return error_set(e, LTH_IO, "cannot read '%s': it is a folder", path);
    *size = s.st_size > 0 ? (size_t)s.st_size : 0;
    if (limit && *size > limit)
        return error_set(e, LTH_INVALID, "'%s' has %zu bytes; at most %zu are allowed", path, *size, limit);
    return LTH_OK;
}

static lth_status read_rest(int fd, const char *path, size_t limit, size_t room, str *out, error *e)
{
    for (;;) {
        char *grown = out->capacity > room ? out->at : realloc(out->at, room + 1);
        if (!grown)
            return error_set(e, LTH_NO_MEMORY, "no memory for the %zu bytes of '%s'", room, path);
        out->at = grown;
        out->capacity = room + 1;
        size_t ask = room - out->length < SSIZE_MAX ? room - out->length : SSIZE_MAX;
        ssize_t n = read(fd, out->at + out->length, ask);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_failed(e, "read", path);
        if (n == 0)
            break;
        out->length += (size_t)n;
        if (limit && out->length > limit)
            return error_set(e, LTH_INVALID, "'%s' has more than the %zu bytes allowed", path, limit);
        if (out->length == room)
            room += room / 2 + 4096;
    }
    out->at[out->length] = 0;
    return LTH_OK;
}

lth_status file_read(const char *path, size_t limit, char **data, size_t *size, error *e)
{
    *data = NULL;
    *size = 0;
    int fd = open_retrying(path, O_RDONLY, 0);
    if (fd < 0)
        return file_failed(e, "open", path);
    str text = { 0 };
    size_t room = 0;
    lth_status s = read_size(fd, path, limit, &room, e);
    if (!s) /* one byte more, so that the end is seen without growing */
        s = read_rest(fd, path, limit, room + 1, &text, e);
    close(fd);
    if (s) {
        free(text.at);
        return s;
    }
    *data = text.at;
    *size = text.length;
    return LTH_OK;
}

lth_status file_write_all(int fd, const void *data, size_t size, const char *path, error *e)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(fd, p, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_failed(e, "write", path);
        p += n;
        size -= (size_t)n;
    }
    return LTH_OK;
}

/* Writes, syncs and closes a new file. close can be the first to tell of a full disk on network file systems. */
static lth_status write_new(const char *path, const void *data, size_t size, error *e)
{
    int fd = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL, 0666 & ~0022);
    if (fd < 0)
        return file_failed(e, "create", path);
    lth_status s = file_write_all(fd, data, size, path, e);
    if (!s && fsync(fd))
        s = file_failed(e, "sync", path);
    if (close(fd) && !s && errno != EINTR)
        s = file_failed(e, "write", path);
    return s;
}

lth_status file_write_atomic(const char *path, const void *data, size_t size, error *e)
{
    char *dir = path_dir(path);
    char *beside = str_format("%s/.%s.%ld.new", dir, path_base(path), (long)gettid());
    unlink(beside); /* left by a thread that had this number and was killed */
    lth_status s = write_new(beside, data, size, e);
    if (!s && rename(beside, path))
        s = file_failed(e, "replace", path);
    if (s)
        unlink(beside);
    else
        s = file_sync_dir(dir, e);
    free(beside);
    free(dir);
    return s;
}

lth_status file_sync_dir(const char *path, error *e)
{
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) /* who may write in it but not read it cannot sync it */
        return errno == EACCES ? LTH_OK : file_failed(e, "open", path);
    lth_status s = LTH_OK;
    if (fsync(fd) && errno != EINVAL && errno != ENOTSUP) /* some file systems cannot, and need not */
        s = file_failed(e, "sync", path);
    close(fd);
    return s;
}

/* The number that the holder wrote into the lock file; 0 where it cannot be read. */
static long lock_holder(int fd)
{
    char text[24] = { 0 };
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

lth_status file_lock(const char *path, file_lock_held *out, error *e)
{
    out->fd = -1;
    int fd = open_retrying(path, O_RDWR | O_CREAT, 0644), rc;
    if (fd < 0)
        return file_failed(e, "open", path);
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc && errno == EINTR);
    if (rc) {
        lth_status s = errno == EWOULDBLOCK
                           ? error_set(e, LTH_STOPPED, "'%s' is locked by another process (%ld)", path, lock_holder(fd))
                           : file_failed(e, "lock", path);
        close(fd);
        return s;
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    out->left_behind = lock_holder(fd) != 0;
    lth_status s = file_write_all(fd, text, (size_t)n, path, e); /* over the number before: one is there at any moment */
    if (!s && ftruncate(fd, n))
        s = file_failed(e, "write", path);
    if (s) {
        close(fd);
        return s;
    }
    out->fd = fd;
    return LTH_OK;
}

void file_unlock(file_lock_held *lock)
{
    if (lock->fd >= 0) {
        int ignored = ftruncate(lock->fd, 0); /* whose number stays, was killed */
        (void)ignored;
        close(lock->fd);
    }
    lock->fd = -1;
}
