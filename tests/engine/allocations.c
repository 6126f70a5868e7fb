/* SPDX-License-Identifier: Apache-2.0 */
#include "allocations.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
bool allocations_poison(bool on) { return on && false; }
int allocations_check_guards(const char *what)
{
    (void)what;
    return 1;
}
#else
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *at);

/* Visible, so that the libraries' and the plugins' calls come here, too. */
#define HERE __attribute__((visibility("default")))

static volatile int counting, calls;

static void count(void)
{
    if (counting)
        calls++;
}

HERE void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

HERE void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

HERE void *realloc(void *at, size_t size)
{
    count();
    return __libc_realloc(at, size);
}

/* ---- Guarded blocks ---- */

enum { GUARD = 64, BLOCKS = 256 };

typedef struct block {
    unsigned char *at;
    size_t size;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block blocks[BLOCKS]; /* those that live */
static volatile int block_count, poisoning;

static void remember(unsigned char *at, size_t size)
{
    memset(at, 0xFF, size + GUARD);
    pthread_mutex_lock(&lock);
    if (block_count < BLOCKS)
        blocks[block_count++] = (block) { at, size };
    pthread_mutex_unlock(&lock);
}

static void forget(const void *at)
{
    pthread_mutex_lock(&lock);
    for (int i = block_count - 1; i >= 0; i--)
        if (blocks[i].at == at)
            blocks[i] = blocks[--block_count];
    pthread_mutex_unlock(&lock);
}

HERE void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    unsigned char *at = __libc_memalign(alignment, size + (poisoning ? GUARD : 0));
    if (at && poisoning)
        remember(at, size);
    return at;
}

HERE void free(void *at)
{
    if (at && block_count)
        forget(at);
    __libc_free(at);
}

bool allocations_poison(bool on)
{
    poisoning = on;
    return on;
}

int allocations_check_guards(const char *what)
{
    cr_assert_lt(block_count, BLOCKS, "%s: too many blocks to be guarded", what);
    for (int i = 0; i < block_count; i++)
        for (int k = 0; k < GUARD; k++)
            cr_assert_eq(blocks[i].at[blocks[i].size + (size_t)k], 0xFF, "%s: written past the end of a block of %zu bytes", what,
                         blocks[i].size);
    return block_count;
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
