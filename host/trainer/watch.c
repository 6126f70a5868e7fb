/* SPDX-License-Identifier: Apache-2.0
 * trainer/watch.c */
#include "trainer/watch.h"

#include "trainer/crash.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct watch {
    watch_args args;
    double interval; /* seconds between two looks */
    double passed;   /* since the last one */
    thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
};

static void say_seconds(double seconds)
{
    char text[40];
    snprintf(text, sizeof text, "%g", seconds);
    crash_say(text);
}

static void say_call(const crumb *c)
{
    char name[17] = "";
    crash_say("  in ");
    crash_say_crumb(c);
    if (!crash_is_main(c) && pthread_getname_np(c->thread, name, sizeof name) == 0) {
        crash_say(" on the thread ");
        crash_say(name);
    }
    crash_say("\n");
}

/* ---- Hooks that do not return ---- */

static void hung(const watch *w, const crumb *c)
{
    crash_say("\nlthost: a hook has not returned for ");
    say_seconds(w->args.hook_timeout);
    crash_say(" s, the [trainer] hook_timeout: leaving at once, without a checkpoint\n");
    say_call(c);
    crash_say_place(crash_is_main(c));
    crash_say_checkpoint();
    _exit(WATCH_HUNG);
}

static void look_at_call(void *context, crumb *c)
{
    const watch *w = context;
    uint32_t entered = atomic_load_explicit(&c->entered, memory_order_acquire);
    bool inside = atomic_load_explicit(&c->hook, memory_order_relaxed) != NULL;
    if (!inside || entered != c->watched) {
        c->watched = entered;
        c->watched_for = 0;
        return;
    }
    c->watched_for += w->passed;
    if (c->watched_for >= w->args.hook_timeout)
        hung(w, c);
}

/* ---- Memory ---- */

/* Of the process's own: what is in memory but not from files. 0: the system does not tell. */
static uint64_t memory_held(void)
{
    char text[160];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    unsigned long long resident, shared;
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void say_if_running(void *context, crumb *c)
{
    (void)context;
    if (c->hook)
        say_call(c);
}

static void look_at_memory(const watch *w)
{
    uint64_t held = memory_held();
    if (held <= w->args.max_memory)
        return;
    crash_say("\nlthost: the process holds ");
    crash_say_number((int64_t)(held >> 20));
    crash_say(" MiB of memory, more than the [trainer] max_memory of ");
    crash_say_number((int64_t)(w->args.max_memory >> 20));
    crash_say(" MiB: leaving at once, without a checkpoint\n");
    crash_each(say_if_running, NULL);
    crash_say_place(true);
    crash_say_checkpoint();
    _exit(WATCH_MEMORY);
}

/* ---- The thread ---- */

static void sleep_a_while(watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double at = (double)until.tv_nsec * 1e-9 + w->interval;
    until.tv_sec += (time_t)at;
    until.tv_nsec = (long)((at - (double)(time_t)at) * 1e9);
    pthread_cond_timedwait(&w->wake, &w->mutex, &until);
}

static void body(void *argument)
{
    watch *w = argument;
    pthread_mutex_lock(&w->mutex);
    for (double before = clock_seconds(), now; !w->stopping; before = now) {
        sleep_a_while(w);
        now = clock_seconds();
        w->passed = now - before < 2 * w->interval ? now - before : 2 * w->interval; /* else we were stopped */
        if (w->stopping)
            break;
        if (w->args.hook_timeout > 0)
            crash_each(look_at_call, w);
        if (w->args.max_memory > 0)
            look_at_memory(w);
    }
    pthread_mutex_unlock(&w->mutex);
}

lth_status watch_start(const watch_args *args, watch **out, error *e)
{
    *out = NULL;
    if (args->hook_timeout <= 0 && args->max_memory == 0)
        return LTH_OK;
    watch *w = memory_new(sizeof *w);
    w->args = *args;
    w->interval = 0.5;
    if (args->hook_timeout > 0 && args->hook_timeout / 8 < w->interval)
        w->interval = args->hook_timeout / 8;
    if (args->max_memory > 0 && w->interval > 0.01) /* memory can be taken at some GB a second */
        w->interval = 0.01;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&w->mutex, NULL);
    lth_status status = thread_start(&w->thread, "watch", body, w, e);
    if (status == LTH_OK)
        *out = w;
    else
        watch_stop(w);
    return status;
}

void watch_stop(watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    thread_join(&w->thread);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}
