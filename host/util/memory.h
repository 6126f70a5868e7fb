/* SPDX-License-Identifier: Apache-2.0
 * util/memory.h: small heap allocations of the control plane (names, lists, texts).
 *
 * These never return NULL: when the system has no memory left for a few bytes, nothing sensible can follow, so the
 * program says so and leaves. Anything whose size comes from a user's data (tensors, batches, files) uses malloc and
 * reports LTH_NO_MEMORY instead. */
#ifndef UTIL_MEMORY_H
#define UTIL_MEMORY_H

#include <stddef.h>

/* `size` zeroed bytes; the caller frees. [any] */
void *memory_new(size_t size);

/* realloc that cannot fail. New bytes are not cleared. [any] */
void *memory_resize(void *at, size_t size);

/* Makes room for `needed` items of `item` bytes in a growing array and answers where it lies now:
 *     list->at = memory_grow(list->at, &list->capacity, list->count + 1, sizeof *list->at);
 * The capacity doubles, so that appending is O(1) on average. New bytes are not cleared. [any] */
void *memory_grow(void *at, size_t *capacity, size_t needed, size_t item);

enum { MEMORY_EXHAUSTED = 71 }; /* EX_OSERR */
/* What the others do at the end of memory: prints one line, calls memory_last_words where it is set (it may not allocate),
 * and leaves with status MEMORY_EXHAUSTED. [any] */
_Noreturn void memory_exhausted(size_t size);
extern void (*memory_last_words)(void);

#endif
