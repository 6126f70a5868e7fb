/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "util/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn void fuzz_finding(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: finding: this must hold: %s\n", file, line, condition);
    abort();
}

static void fill(int fd, const void *data, size_t size)
{
    error e = { 0 };
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    FUZZ_CHECK(file_write_all(fd, data, size, "input", &e) == LTH_OK);
}

const char *fuzz_file(int slot, const void *data, size_t size)
{
    static int files[FUZZ_SLOTS];
    static char paths[FUZZ_SLOTS][32];
    if (!files[slot]) {
        files[slot] = memfd_create("input", MFD_CLOEXEC);
        snprintf(paths[slot], sizeof paths[slot], "/proc/self/fd/%d", files[slot]);
    }
    fill(files[slot], data, size);
    return paths[slot];
}

static char folder[64];

static void remove_folder(void)
{
    error ignored = { 0 };
    file_remove_tree(folder, &ignored);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/lthost-fuzz-XXXXXX" : "/tmp/lthost-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(folder) != NULL);
        atexit(remove_folder);
    }
    return folder;
}

void fuzz_write(const char *name, const void *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    fill(fd, data, size);
    close(fd);
}

int fuzz_next(fuzz_parts *rest, const uint8_t **part, size_t *size)
{
    static const char separator[] = "\n====\n";
    if (rest->ended)
        return 0;
    const uint8_t *cut = rest->size ? memmem(rest->at, rest->size, separator, sizeof separator - 1) : NULL;
    *part = rest->at;
    *size = cut ? (size_t)(cut - rest->at) : rest->size;
    rest->ended = !cut;
    if (cut) {
        rest->size -= *size + sizeof separator - 1;
        rest->at = cut + sizeof separator - 1;
    }
    return 1;
}
