/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

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

/* ---- A team ---- */

typedef struct team {
    void (*body)(void *context);
    void *body_context;
    struct pool_call call; /* the task at hand, and its threads; none: the team parts */
    int32_t call_threads, threads;
    _Alignas(64) atomic_uint given; /* tasks, so far */
    _Alignas(64) atomic_int busy;   /* threads beside the lead that have not ended the last one */
} team;

/* The team that this thread leads; NULL inside a task. */
static _Thread_local team *led;

enum { SPINS = 2000 }; /* looks at a word before the processor is offered to others */

static void pause_for(int32_t *looks)
{
    if (++*looks > SPINS) {
        sched_yield();
        return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void give(team *t, struct pool_call call, int32_t threads)
{
    t->call = call;
    t->call_threads = threads;
    atomic_store_explicit(&t->busy, t->threads - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->given, 1, memory_order_release);
}

static void await_others(team *t)
{
    for (int32_t looks = 0; atomic_load_explicit(&t->busy, memory_order_acquire);)
        pause_for(&looks);
}

static void follow(team *t, int32_t thread)
{
    for (unsigned taken = 1;; taken++) {
        for (int32_t looks = 0; atomic_load_explicit(&t->given, memory_order_acquire) != taken;)
            pause_for(&looks);
        bool more = t->call.task != NULL;
        if (more && thread < t->call_threads)
            t->call.task(t->call.context, thread, t->call_threads);
        atomic_fetch_sub_explicit(&t->busy, 1, memory_order_release);
        if (!more)
            return;
    }
}

static void team_task(void *context, int32_t thread, int32_t threads)
{
    team *t = context;
    if (thread) {
        follow(t, thread);
        return;
    }
    t->threads = threads;
    led = t;
    t->body(t->body_context);
    led = NULL;
    give(t, (struct pool_call) { NULL, NULL }, 0);
}

void pool_team(int32_t threads, void (*body)(void *), void *context)
{
    team t = { .body = body, .body_context = context };
    if (threads <= 1)
        body(context);
    else
        pool_run(threads, team_task, &t);
}

static void run_in_team(team *t, int32_t threads, struct pool_call call)
{
    led = NULL; /* a task gives out none */
    threads = threads < t->threads ? threads : t->threads;
    give(t, call, threads);
    call.task(call.context, 0, threads);
    await_others(t);
    led = t;
}

void pool_run(int32_t threads, void (*task)(void *, int32_t, int32_t), void *context)
{
    struct pool_call call = { task, context };
    if (threads <= 1) {
        task(context, 0, 1);
        return;
    }
    if (led) {
        run_in_team(led, threads, call);
        return;
    }
    GIVES(&call);
    GOMP_parallel(pool_body, &call, (unsigned)threads, 0);
    TAKES(&call);
}

void pool_set_threads(int32_t threads) { omp_set_num_threads(threads); }
