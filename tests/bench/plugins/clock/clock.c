/* SPDX-License-Identifier: Apache-2.0
 * bench_clock: writes down when each training step ended, by the clock that all processes share, and what the first losses
 * were. Where a library that counts allocations is preloaded (tests/integration/allocations), it counts between two steps.
 *
 * The file: "loss V" a line for the first `losses` steps, "resident BYTES" (the most so far), "ends NS NS ...". */
#include <lthost/callback.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench_clock {
    const char *path;
    int64_t losses, count_from, count_to;
    bool save;
    const lth_host *host;
    void (*begin)(void), (*end)(void);
    int64_t steps, room, *ends;
    double *loss;
};

static const lth_option options[] = {
    LTH_OPTION(struct bench_clock, path, "", NULL, "the file to write; none: nothing is written", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct bench_clock, losses, "0", "0..", "write so many losses; the run waits for each"),
    LTH_OPTION(struct bench_clock, save, "false", NULL, "write the checkpoint `initial` before the first step"),
    LTH_OPTION(struct bench_clock, count_from, "0", "0..", "step after which allocations are counted"),
    LTH_OPTION(struct bench_clock, count_to, "0", "0..", "the last step whose allocations are counted; 0: none are"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct bench_clock *c = self;
    c->host = host;
    *(void **)&c->begin = dlsym(RTLD_DEFAULT, "count_begin");
    *(void **)&c->end = dlsym(RTLD_DEFAULT, "count_end");
    if (c->count_to && (!c->begin || !c->end))
        return lth_fail(host, LTH_ERROR, "the library that counts allocations is not preloaded");
    return LTH_OK;
}

static void destroy(void *self)
{
    struct bench_clock *c = self;
    free(c->ends);
    free(c->loss);
}

static lth_status on_train_start(void *self, lth_trainer *t)
{
    struct bench_clock *c = self;
    c->room = lth_trainer_progress(t).stepping_batches;
    c->room = c->room < 1 ? 1 : c->room;
    c->ends = calloc((size_t)c->room, sizeof *c->ends);
    c->loss = calloc((size_t)c->losses + 1, sizeof *c->loss);
    if (!c->ends || !c->loss)
        return lth_fail(c->host, LTH_NO_MEMORY, "no memory for the times of %lld steps", (long long)c->room);
    return c->save ? t->api->save_checkpoint(t, "initial", 1) : LTH_OK;
}

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    struct bench_clock *c = self;
    struct timespec now;
    if (c->steps < c->losses && !lth_trainer_metric(t, "train_loss", &c->loss[c->steps]))
        return lth_fail(c->host, LTH_INVALID, "the model logs no train_loss");
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (c->steps < c->room)
        c->ends[c->steps++] = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (c->count_to && c->steps == c->count_from)
        c->begin();
    if (c->count_to && c->steps == c->count_to)
        c->end();
    return LTH_OK;
}

static long resident(void)
{
    char line[128];
    long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %ld", &kilobytes);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static lth_status on_train_end(void *self, lth_trainer *t)
{
    struct bench_clock *c = self;
    (void)t;
    if (!c->path[0])
        return LTH_OK;
    FILE *file = fopen(c->path, "w");
    if (!file)
        return lth_fail(c->host, LTH_IO, "cannot write %s", c->path);
    for (int64_t i = 0; i < c->losses && i < c->steps; i++)
        fprintf(file, "loss %.9g\n", c->loss[i]);
    fprintf(file, "resident %ld\nends", resident());
    for (int64_t i = 0; i < c->steps; i++)
        fprintf(file, " %lld", (long long)c->ends[i]);
    fputc('\n', file);
    return fclose(file) ? lth_fail(c->host, LTH_IO, "cannot write %s", c->path) : LTH_OK;
}

LTH_CALLBACK(bench_clock, .summary = "when each step ended, and the first losses", .options = LTH_OPTIONS(options), .init = init,
             .destroy = destroy, .on_train_start = on_train_start, .on_train_batch_end = on_train_batch_end,
             .on_train_end = on_train_end);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(bench_clock));
