/* SPDX-License-Identifier: Apache-2.0
 * util/arena.h: many small allocations that end together.
 *
 * Zero-initialised is empty. What is allocated lives until `arena_reset` or `arena_free`; addresses never move. After a
 * reset the blocks are used again, so that a phase which repeats with the same needs calls malloc no more. One thread at
 * a time. Never returns NULL (memory.h says why). */
#ifndef UTIL_ARENA_H
#define UTIL_ARENA_H

#include <lthost/base.h>
#include <stdarg.h>

typedef struct arena {
    struct arena_block *first, *current; /* a list in order of use; those after `current` are free */
} arena;

/* `size` zeroed bytes, aligned to 16. */
void *arena_alloc(arena *a, size_t size);

/* The same for `count` items of `item` bytes; the product is checked. */
void *arena_array(arena *a, size_t count, size_t item);

/* The same aligned to `alignment`, a power of two up to 4096. */
void *arena_aligned(arena *a, size_t size, size_t alignment);

/* Copies of memory and of text (terminated). `arena_copy_text(a, NULL)` is NULL. */
void *arena_copy(arena *a, const void *data, size_t size);
char *arena_copy_text(arena *a, const char *text);
char *arena_copy_part(arena *a, const char *text, size_t length);
LTH_PRINTF(2, 3) char *arena_format(arena *a, const char *format, ...);
char *arena_format_v(arena *a, const char *format, va_list arguments);

/* Forgets all, keeps the memory. */
void arena_reset(arena *a);

/* Gives the memory back; the arena is empty and may be used again. */
void arena_free(arena *a);

/* Bytes taken from the system so far. */
size_t arena_size(const arena *a);

#endif
