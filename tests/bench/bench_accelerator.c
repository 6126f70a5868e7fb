/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_accelerator.h"

#include <dlfcn.h>
#include <lthost/component.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bench_accelerator *current;

static lth_status host_fail(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *message)
{
    (void)host;
    fprintf(stderr, "%s:%u: %s\n", file ? file : "", line, message);
    return status;
}

static void host_message(const lth_host *host, uint32_t level, const char *text)
{
    (void)host, (void)level;
    fprintf(stderr, "%s\n", text);
}

/* There are no services here. */
static const void *host_interface(const lth_host *host, const char *id)
{
    (void)host, (void)id;
    return NULL;
}

static int32_t host_threads(const lth_host *host)
{
    (void)host;
    return current->threads;
}

static const lth_host_api host_api = { .struct_size = sizeof host_api,
                                       .api_major = LTH_API_MAJOR,
                                       .api_minor = LTH_API_MINOR,
                                       .fail = host_fail,
                                       .message = host_message,
                                       .get_interface = host_interface,
                                       .threads = host_threads };

bool bench_open_accelerator(bench_accelerator *a, const char *plugin, int32_t threads)
{
    char path[1024];
    *a = (bench_accelerator) { .host = { &host_api }, .threads = threads };
    current = a;
    snprintf(path, sizeof path, "%s/%s/%s.so", LTHOST_TEST_PLUGINS, plugin, plugin);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const lth_plugin *(*entry)(void) = NULL;
    if (library)
        *(void **)&entry = dlsym(library, "lth_plugin_entry_v1");
    if (!entry) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    a->accelerator = entry()->components->vtable;
    a->self = calloc(1, a->accelerator->instance_size);
    return a->self && a->accelerator->init(a->self, &a->host) == LTH_OK;
}

static lth_status timed_run(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    double start = bench_now();
    lth_status status = current->accelerator->run(self, plan, bindings, result);
    current->last_run = bench_now() - start;
    return status;
}

const lth_accelerator *bench_timed(bench_accelerator *a)
{
    a->timed = *a->accelerator;
    a->timed.run = timed_run;
    return &a->timed;
}

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(bench_times *t)
{
    qsort(t->seconds, (size_t)t->count, sizeof *t->seconds, ascending);
    return t->count ? 1e6 * t->seconds[t->count / 2] : 0;
}

double bench_least(bench_times *t)
{
    qsort(t->seconds, (size_t)t->count, sizeof *t->seconds, ascending);
    return t->count ? 1e6 * t->seconds[0] : 0;
}
