/* SPDX-License-Identifier: Apache-2.0 */
#include "allocations.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#ifdef SANITIZED
void allocations_begin(void) {}
int allocations_end(void) { return 0; }
#else
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

void allocations_begin(void)
{
    void *(*volatile allocate)(size_t) = malloc; /* a compiler may drop a plain call */
    calls = 0;
    counting = 1;
    free(allocate(1));
    cr_assert_eq(calls, 1, "the net does not hold");
    calls = 0;
}

int allocations_end(void)
{
    counting = 0;
    return calls;
}
#endif
