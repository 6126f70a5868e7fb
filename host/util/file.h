/* SPDX-License-Identifier: Apache-2.0
 * util/file.h: reading and changing the disk.
 *
 * Every failure names the path and the system's reason. Interrupted calls are taken up again and short writes go on, so
 * a full disk is reported as what it is. An fsync that fails is final: what it wrote is deleted, as the kernel may have
 * dropped the data. [any] */
#ifndef UTIL_FILE_H
#define UTIL_FILE_H

#include "error.h"

/* The whole file, terminated by a NUL that `size` does not count; the caller frees *data. A folder or a file larger
 * than `limit` bytes (0: none) is refused. Reads pipes and /proc too. LTH_IO, LTH_NO_MEMORY or LTH_INVALID (limit). */
lth_status file_read(const char *path, size_t limit, char **data, size_t *size, error *e);

/* Writes beside, syncs, renames over `path`, syncs the folder: a reader or a crash sees the old file or the new one.
 * Mode 0644 less the umask. */
lth_status file_write_atomic(const char *path, const void *data, size_t size, error *e);

/* All of it to an open descriptor; `path` is for the message. */
lth_status file_write_all(int fd, const void *data, size_t size, const char *path, error *e);

/* Makes a new file or folder itself survive a crash. */
lth_status file_sync_dir(const char *path, error *e);

/* The folder and those above it; one that exists already is fine. */
lth_status file_make_dirs(const char *path, error *e);

/* A file, or a folder with all in it; links are removed, never followed. Absent is fine. */
lth_status file_remove_tree(const char *path, error *e);

/* Names in a folder without "." and "..", sorted by byte. Free with file_names_free. */
typedef struct file_names {
    char **at;
    size_t count, capacity;
} file_names;
lth_status file_list(const char *dir, file_names *out, error *e);
void file_names_free(file_names *names);

/* Why a call failed on a file, and what helps: "No space left on device (make room there)". `code` is an errno. */
const char *file_reason(int code, char text[160]);
/* "cannot <what> '<path>': <reason of errno>", as LTH_IO. */
lth_status file_failed(error *e, const char *what, const char *path);

/* Takes a lock file for this process (flock; made where absent, never deleted, ends with the process however that
 * ends). LTH_STOPPED where another holds it; the message names its process. */
typedef struct file_lock_held {
    int fd;
    bool left_behind; /* the last holder never gave it back: it was killed, or crashed */
} file_lock_held;
lth_status file_lock(const char *path, file_lock_held *out, error *e);
void file_unlock(file_lock_held *lock);

#endif
