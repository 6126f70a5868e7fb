/* SPDX-License-Identifier: Apache-2.0
 * util/memory.c */
#include "memory.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void (*memory_last_words)(void);

_Noreturn void memory_exhausted(size_t size)
{
    char line[80];
    int n = snprintf(line, sizeof line, "lthost: out of memory (%zu bytes asked for)\n", size);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
    if (memory_last_words)
        memory_last_words();
    _exit(MEMORY_EXHAUSTED);
}

void *memory_new(size_t size)
{
    void *at = calloc(1, size ? size : 1);
    if (!at)
        memory_exhausted(size);
    return at;
}

void *memory_resize(void *at, size_t size)
{
    void *moved = realloc(at, size ? size : 1);
    if (!moved)
        memory_exhausted(size);
    return moved;
}

void *memory_grow(void *at, size_t *capacity, size_t needed, size_t item)
{
    if (needed <= *capacity)
        return at;
    size_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < needed && grown <= SIZE_MAX / 2)
        grown *= 2;
    size_t size;
    if (grown < needed || __builtin_mul_overflow(grown, item, &size))
        memory_exhausted(SIZE_MAX);
    *capacity = grown;
    return memory_resize(at, size);
}
