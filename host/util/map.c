/* SPDX-License-Identifier: Apache-2.0
 * util/map.c: entries in order of insertion, and an index of them by open addressing, at most half full. A removed
 * entry keeps its place (key NULL) until the index is made anew. */
#include "map.h"
#include "hash.h"
#include "memory.h"
#include "str.h"
#include <stdlib.h>
#include <string.h>

/* The slot that holds the key, or the free one where it would go. Removed entries are walked over. */
static size_t find_slot(const map *m, const char *key, uint64_t hash)
{
    size_t mask = m->slot_count - 1, slot = (size_t)hash & mask;
    while (m->slots[slot]) {
        const map_entry *e = &m->entries[m->slots[slot] - 1];
        if (e->key && e->hash == hash && !strcmp(e->key, key))
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static map_entry *find(const map *m, const char *key)
{
    if (!m->slot_count)
        return NULL;
    size_t slot = find_slot(m, key, hash_of(key, strlen(key)));
    return m->slots[slot] ? &m->entries[m->slots[slot] - 1] : NULL;
}

/* Drops removed entries and makes the index for the rest and as many again. */
static void rebuild(map *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->used; i++)
        if (m->entries[i].key)
            m->entries[kept++] = m->entries[i];
    m->used = kept;
    m->slot_count = 16;
    while (m->slot_count < kept * 4)
        m->slot_count *= 2;
    free(m->slots);
    m->slots = memory_new(m->slot_count * sizeof *m->slots);
    for (size_t i = 0; i < kept; i++)
        m->slots[find_slot(m, m->entries[i].key, m->entries[i].hash)] = (uint32_t)(i + 1);
}

void *map_get(const map *m, const char *key)
{
    const map_entry *e = find(m, key);
    return e ? e->value : NULL;
}

bool map_has(const map *m, const char *key) { return find(m, key) != NULL; }

void *map_put(map *m, const char *key, void *value)
{
    map_entry *e = find(m, key);
    if (e) {
        void *former = e->value;
        e->value = value;
        return former;
    }
    if (m->used * 2 >= m->slot_count)
        rebuild(m);
    uint64_t hash = hash_of(key, strlen(key));
    m->entries = memory_grow(m->entries, &m->entry_capacity, m->used + 1, sizeof *m->entries);
    m->entries[m->used++] = (map_entry) { .key = str_dup(key), .value = value, .hash = hash };
    m->slots[find_slot(m, key, hash)] = (uint32_t)m->used;
    m->count++;
    return NULL;
}

void *map_remove(map *m, const char *key)
{
    map_entry *e = find(m, key);
    if (!e)
        return NULL;
    void *value = e->value;
    free(e->key);
    *e = (map_entry) { 0 };
    m->count--;
    return value;
}

bool map_next(const map *m, size_t *cursor, const char **key, void **value)
{
    while (*cursor < m->used) {
        const map_entry *e = &m->entries[(*cursor)++];
        if (!e->key)
            continue;
        *key = e->key;
        if (value)
            *value = e->value;
        return true;
    }
    return false;
}

void map_free(map *m)
{
    for (size_t i = 0; i < m->used; i++)
        free(m->entries[i].key);
    free(m->entries);
    free(m->slots);
    *m = (map) { 0 };
}
