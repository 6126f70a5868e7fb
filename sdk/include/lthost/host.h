/* SPDX-License-Identifier: Apache-2.0
 * lthost/host.h: what the host offers to every component instance.
 *
 * Each instance gets its own `lth_host`, so that the host knows which section of the run file speaks. It lives as long
 * as the instance. The host exports no symbol: all is reached through tables. */
#ifndef LTHOST_HOST_H
#define LTHOST_HOST_H

#include "base.h"
#include <stdarg.h>
#include <stdio.h>

LTH_BEGIN_C

typedef struct lth_host lth_host;

enum { LTH_LEVEL_DEBUG = 0, LTH_LEVEL_INFO = 1, LTH_LEVEL_WARNING = 2 };

typedef struct lth_host_api {
    uint32_t struct_size;
    uint16_t api_major, api_minor;
    /* Reports an error of the running call; the first one of a call is shown to the user, with the section's name.
     * Returns `status`. file may be NULL. This slot's place and type are frozen for ever. [any] */
    lth_status (*fail)(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *message);
    /* A line for the user, prefixed with the section's name. [any] */
    void (*message)(const lth_host *host, uint32_t level, const char *text);
    /* An optional service by id and version ("lth.profiler/1"); NULL when this host has none. The table starts with
     * struct_size and lives as long as the process. [main] */
    const void *(*get_interface)(const lth_host *host, const char *id);
    /* The name of the instance's section: "callback.best". Lives as long as the instance. [any] */
    const char *(*section)(const lth_host *host);
    /* The run's folder, absolute; "" while a run file is only checked. [any] */
    const char *(*run_dir)(const lth_host *host);
    /* The folder of the plugin's own files (where its plugin.ini lies), absolute. [any] */
    const char *(*plugin_dir)(const lth_host *host);
    /* Compute threads that the run may use, at least 1. [any] */
    int32_t (*threads)(const lth_host *host);
    /* The run's seed. [any] */
    uint64_t (*seed)(const lth_host *host);
} lth_host_api;

struct lth_host {
    const lth_host_api *api;
};

/* Reports an error and returns its status: `return lth_fail(h, LTH_IO, "cannot open %s: %s", path, strerror(errno));` */
LTH_PRINTF(5, 6)
static inline lth_status lth_fail_(const lth_host *h, lth_status status, const char *file, uint32_t line, const char *format, ...)
{
    char text[1024];
    va_list a;
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    return h->api->fail(h, status, file, line, text);
}
#define lth_fail(h, status, ...) lth_fail_((h), (status), LTH_HERE, __VA_ARGS__)

LTH_PRINTF(3, 4)
static inline void lth_message_(const lth_host *h, uint32_t level, const char *format, ...)
{
    char text[1024];
    va_list a;
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    h->api->message(h, level, text);
}
#define lth_info(h, ...) lth_message_((h), LTH_LEVEL_INFO, __VA_ARGS__)
#define lth_warn(h, ...) lth_message_((h), LTH_LEVEL_WARNING, __VA_ARGS__)

LTH_END_C
#endif
