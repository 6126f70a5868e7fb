/* SPDX-License-Identifier: Apache-2.0
 * lthost/threads.h: service "lth.threads/1", for plugins whose libraries start threads: a pool that computes, say.
 *
 *     const lth_threads_api *threads = host->api->get_interface(host, LTH_THREADS);
 *     if (threads)
 *         threads->begin(host, "pool");    on each of those threads
 */
#ifndef LTHOST_THREADS_H
#define LTHOST_THREADS_H

#include "host.h"

LTH_BEGIN_C

#define LTH_THREADS "lth.threads/1"

typedef struct lth_threads_api {
    uint32_t struct_size, reserved;
    /* The calling thread, which the host did not start, works for this instance: a crash on it is reported, after a stack
     * overflow, too. `name`: what the report and debuggers call it, at most 15 bytes; the caller's main thread keeps its own.
     * Once a thread; again does nothing. [any] */
    void (*begin)(const lth_host *host, const char *name);
} lth_threads_api;

LTH_END_C
#endif
