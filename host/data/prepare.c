/* SPDX-License-Identifier: Apache-2.0
 * data/prepare.c: prepare_data once, also where several processes start at once.
 *
 * The lock keeps them apart; a note beside it, prepare.done, tells what was prepared and when. A process that finds a note
 * younger than itself takes that work for its own: so ranks that start together prepare once, and tomorrow's run looks
 * after its data again. Times are of CLOCK_BOOTTIME, and the note names the boot, so that no clock can be set wrong. */
#include "module.h"

#include "util/file.h"
#include "util/path.h"
#include "util/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NANOSECONDS = 20000000, POLLS_BEFORE_A_WORD = 50 };

static int64_t boot_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t loaded;
__attribute__((constructor)) static void note_loaded(void) { loaded = boot_nanoseconds(); }

/* When this process began: when the program was loaded, or, where it was forked since, field 22 of /proc/self/stat, counted after
 * the program's name, which may hold anything. That one is of the clock's tick before: by it alone a run would take for its own
 * what the one before it did in its last hundredth of a second. */
static int64_t process_began(void)
{
    char *text = NULL;
    size_t size;
    unsigned long long ticks = 0;
    if (!file_read("/proc/self/stat", 0, &text, &size, NULL)) {
        const char *at = strrchr(text, ')');
        for (int field = 2; at && field < 22; field++)
            at = strchr(at + 1, ' ');
        if (at)
            ticks = strtoull(at, NULL, 10);
    }
    free(text);
    long per_second = sysconf(_SC_CLK_TCK);
    int64_t forked = ticks && per_second > 0 ? (int64_t)ticks * (1000000000 / per_second) : loaded;
    return forked > loaded ? forked : loaded;
}

/* The first line of a note: what was prepared, in which boot. The second is when it was done. */
static char *note_of(const data_module *m)
{
    char *boot = NULL;
    size_t size = 0;
    if (file_read("/proc/sys/kernel/random/boot_id", 0, &boot, &size, NULL))
        boot = NULL;
    char *note = str_format("%s %s %.36s\n", m->args.module->id, m->args.identity ? m->args.identity : "-", boot ? boot : "-");
    free(boot);
    return note;
}

static bool done_since(const char *path, const char *note, int64_t began)
{
    char *text = NULL;
    size_t size = 0;
    bool done = path_exists(path) && !file_read(path, 0, &text, &size, NULL) && str_starts(text, note) &&
                strtoll(text + strlen(note), NULL, 10) >= began;
    free(text);
    return done;
}

/* Waits as long as it takes: a download may be long. */
static lth_status take_lock(const data_module *m, const char *path, file_lock_held *lock, error *e)
{
    for (int polls = 0;; polls++) {
        error held = { 0 };
        lth_status status = file_lock(path, lock, &held);
        if (status != LTH_STOPPED)
            return status ? error_set(e, status, "%s", held.text) : LTH_OK;
        if (polls == POLLS_BEFORE_A_WORD && m->args.host)
            m->args.host->api->message(m->args.host, LTH_LEVEL_INFO, "waiting for another process, which prepares the data");
        nanosleep(&(struct timespec) { 0, POLL_NANOSECONDS }, NULL);
    }
}

static lth_status prepare_locked(data_module *m, const char *done_path, error *e)
{
    char *note = note_of(m);
    lth_status status = LTH_OK;
    if (!done_since(done_path, note, process_began())) {
        status = m->args.module->prepare_data(m->args.self, m->args.host);
        if (status) {
            error_set(e, status, "the datamodule's prepare_data failed");
        } else {
            char *text = str_format("%s%lld\n", note, (long long)boot_nanoseconds());
            status = file_write_atomic(done_path, text, strlen(text), e);
            free(text);
        }
    }
    free(note);
    return status;
}

lth_status data_prepare(data_module *m, const char *lock_dir, error *e)
{
    if (!m->args.module->prepare_data)
        return LTH_OK;
    char *lock_path = path_join(lock_dir, "prepare.lock"), *done_path = path_join(lock_dir, "prepare.done");
    file_lock_held lock = { .fd = -1 };
    lth_status status = file_make_dirs(lock_dir, e);
    if (!status)
        status = take_lock(m, lock_path, &lock, e);
    if (!status) {
        status = prepare_locked(m, done_path, e);
        file_unlock(&lock);
    }
    free(done_path);
    free(lock_path);
    return status;
}
