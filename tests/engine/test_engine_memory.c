/* SPDX-License-Identifier: Apache-2.0
 * A steady step allocates nothing: every allocation of the process is counted. */
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#ifndef SANITIZED /* a sanitizer has the allocator to itself: the plain build counts */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static volatile int counting, calls;

static void count(void)
{
    if (counting)
        calls++;
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
    count();
    return __libc_realloc(at, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

Test(engine_memory, a_steady_step_allocates_nothing)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .accumulate = true });
    const rig_recipe recipes[] = { { .accumulate = true, .divisor = 2, .count_seen = true },
                                   { .add_accumulated = true, .divisor = 2, .guard = true, .clip_norm = 1, .clip_value = 2 },
                                   { .evaluate = true, .hook = "validation_step" },
                                   { .batch = 5, .guard = true } };
    for (int i = 0; i < 4 * ENGINE_RING; i++) { /* every plan, both records, every place of the ring */
        r.sgd[0].lr = 0.1 / (i + 1);
        rig_train(&r, &recipes[i % 4]);
    }
    counting = 1;
    void *(*volatile allocate)(size_t) = malloc; /* a compiler may drop a plain call */
    free(allocate(1));
    counting = 0;
    cr_assert_eq(calls, 1, "the net does not hold");
    calls = 0;
    counting = 1;
    for (int i = 0; i < 40; i++) {
        r.sgd[0].lr = 0.1 / (i + 1);
        rig_train(&r, &recipes[i % 4]);
    }
    counting = 0;
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}

Test(engine_memory, a_steady_step_that_reads_values_allocates_nothing)
{
    static rig r;
    rig_open(&r, NULL);
    for (int i = 0; i < 60; i++) {
        if (i == 20) {
            calls = 0;
            counting = 1;
        }
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t);
        if (lth_item(loss) > 0)
            engine_output(r.g, lth_mul(loss, 2), RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    }
    counting = 0;
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}
#endif
