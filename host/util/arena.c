/* SPDX-License-Identifier: Apache-2.0
 * util/arena.c: a list of blocks; each is filled from its beginning. */
#include "arena.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used; /* of the bytes that follow */
};

enum { FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20, ALIGNMENT = 16 };

/* The address sanitizer is told where an allocation ends: what is not given out, and a gap behind each, is poison to it. */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
enum { GAP = 16, LEAST_ALIGNMENT = 8 };
#else
enum { GAP = 0, LEAST_ALIGNMENT = 1 };
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

static char *block_bytes(struct arena_block *b) { return (char *)(b + 1); }

/* Where an allocation would begin in the block. The block's own address need not be aligned to more than 16. */
static size_t aligned_start(struct arena_block *b, size_t alignment)
{
    uintptr_t at = (uintptr_t)block_bytes(b) + b->used;
    return b->used + (size_t)(-at & ((alignment > LEAST_ALIGNMENT ? alignment : LEAST_ALIGNMENT) - 1));
}

static bool fits(struct arena_block *b, size_t size, size_t alignment)
{
    size_t start = aligned_start(b, alignment);
    return start <= b->size && size <= b->size - start;
}

/* A block with room for `size` aligned bytes, put after the current one. Blocks double up to 1 MiB. */
static struct arena_block *add_block(arena *a, size_t size, size_t alignment)
{
    size_t step = a->current ? a->current->size * 2 : FIRST_BLOCK;
    if (step > LARGEST_STEP)
        step = LARGEST_STEP;
    size_t room;
    if (__builtin_add_overflow(size, alignment + GAP + LEAST_ALIGNMENT - 1 + sizeof(struct arena_block), &room))
        memory_exhausted(size);
    room = (room > step ? room : step) - sizeof(struct arena_block);
    struct arena_block *b = malloc(sizeof *b + room);
    if (!b)
        memory_exhausted(room);
    *b = (struct arena_block) { .next = a->current ? a->current->next : NULL, .size = room };
    ASAN_POISON_MEMORY_REGION(block_bytes(b), room);
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    return b;
}

/* Goes on to a block that has room. */
static struct arena_block *find_block(arena *a, size_t size, size_t alignment)
{
    struct arena_block *b = a->current;
    while (b && !fits(b, size, alignment)) {
        b = b->next;
        if (b)
            a->current = b;
    }
    return b ? b : (a->current = add_block(a, size, alignment));
}

/* What is not cleared yet. */
static inline void *take(arena *a, size_t size, size_t alignment)
{
    struct arena_block *b = a->current;
    if (!b || !fits(b, size, alignment))
        b = find_block(a, size, alignment);
    size_t start = aligned_start(b, alignment);
    b->used = start + size + GAP < b->size ? start + size + GAP : b->size;
    ASAN_UNPOISON_MEMORY_REGION(block_bytes(b) + start, size);
    return block_bytes(b) + start;
}

void *arena_aligned(arena *a, size_t size, size_t alignment) { return memset(take(a, size, alignment), 0, size); }

void *arena_alloc(arena *a, size_t size) { return arena_aligned(a, size, ALIGNMENT); }

void *arena_array(arena *a, size_t count, size_t item)
{
    size_t size;
    if (__builtin_mul_overflow(count, item, &size))
        memory_exhausted(SIZE_MAX);
    return arena_alloc(a, size);
}

void *arena_copy(arena *a, const void *data, size_t size)
{
    void *copy = take(a, size, ALIGNMENT);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *arena_copy_part(arena *a, const char *text, size_t length)
{
    char *copy = arena_aligned(a, length + 1, 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_copy_text(arena *a, const char *text) { return text ? arena_copy_part(a, text, strlen(text)) : NULL; }

char *arena_format_v(arena *a, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    char brief[128]; /* most texts are: then they are formatted once */
    int n = vsnprintf(brief, sizeof brief, format, arguments);
    size_t length = n < 0 ? 0 : (size_t)n;
    char *text = length < sizeof brief ? arena_copy_part(a, brief, length) : arena_aligned(a, length + 1, 1);
    if (length >= sizeof brief)
        vsnprintf(text, length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_format(arena *a, const char *format, ...)
{
    va_list v;
    va_start(v, format);
    char *text = arena_format_v(a, format, v);
    va_end(v);
    return text;
}

void arena_reset(arena *a)
{
    for (struct arena_block *b = a->first; b; b = b->next) {
        b->used = 0;
        ASAN_POISON_MEMORY_REGION(block_bytes(b), b->size);
    }
    a->current = a->first;
}

void arena_free(arena *a)
{
    for (struct arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (arena) { 0 };
}

size_t arena_size(const arena *a)
{
    size_t size = 0;
    for (const struct arena_block *b = a->first; b; b = b->next)
        size += sizeof *b + b->size;
    return size;
}
