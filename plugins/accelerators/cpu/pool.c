/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

/* libgomp's own interface, as compilers call it; declared here since no header does. */
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
void omp_set_num_threads(int threads);

/* libgomp is not built for the thread sanitizer: it must be told that threads see what was written before a call, and the
 * caller what they wrote. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define GIVES(call) __tsan_release(call)
#define TAKES(call) __tsan_acquire(call)
#else
#define GIVES(call)
#define TAKES(call)
#endif

struct pool_call {
    void (*task)(void *context, int32_t thread, int32_t threads);
    void *context;
};

static void pool_body(void *data)
{
    const struct pool_call *call = data;
    TAKES(data);
    /* The runtime may grant fewer threads than were asked for: what it granted decides the shares. */
    call->task(call->context, omp_get_thread_num(), omp_get_num_threads());
    GIVES(data);
}

void pool_run(int32_t threads, void (*task)(void *, int32_t, int32_t), void *context)
{
    struct pool_call call = { task, context };
    if (threads <= 1) {
        task(context, 0, 1);
        return;
    }
    GIVES(&call);
    GOMP_parallel(pool_body, &call, (unsigned)threads, 0);
    TAKES(&call);
}

void pool_set_threads(int32_t threads) { omp_set_num_threads(threads); }
