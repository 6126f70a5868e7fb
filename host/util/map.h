/* SPDX-License-Identifier: Apache-2.0
 * util/map.h: names to pointers, walked in the order in which the names came.
 *
 * Zero-initialised is empty. Keys are copied, values are the caller's. One thread at a time. */
#ifndef UTIL_MAP_H
#define UTIL_MAP_H

#include <lthost/base.h>

typedef struct map_entry {
    char *key; /* NULL: removed */
    void *value;
    uint64_t hash;
} map_entry;

typedef struct map {
    map_entry *entries; /* in order of insertion */
    size_t used, entry_capacity;
    uint32_t *slots; /* open addressing; index into entries + 1, 0: free */
    size_t slot_count;
    size_t count; /* of entries not removed */
} map;

/* The value, or NULL where the key is absent (or its value is NULL: map_has tells). */
void *map_get(const map *m, const char *key);
bool map_has(const map *m, const char *key);

/* Sets; returns the value that the key had before, NULL if none. */
void *map_put(map *m, const char *key, void *value);

/* Forgets the key; returns its value, NULL if it was absent. */
void *map_remove(map *m, const char *key);

/* Walks: size_t i = 0; while (map_next(&m, &i, &key, &value)) ... The map may not grow meanwhile. */
bool map_next(const map *m, size_t *cursor, const char **key, void **value);

void map_free(map *m);

#endif
