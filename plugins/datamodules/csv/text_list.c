/* SPDX-License-Identifier: Apache-2.0 */
#include "text_list.h"

#include <stdlib.h>
#include <string.h>

/* The text's slot, or the empty one where it would be (FNV-1a, then one slot after the other). */
static text_slot *slot_of(const text_list *l, const char *text)
{
    uint64_t hash = 0xcbf29ce484222325, mask = 4 * (uint64_t)l->capacity - 1;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
    uint64_t i = (hash ^ hash >> 32) & mask;
    while (l->slots[i].first && strcmp(l->at[l->slots[i].first - 1], text) != 0)
        i = (i + 1) & mask;
    return &l->slots[i];
}

static void enter(text_list *l, int64_t i)
{
    text_slot *slot = slot_of(l, l->at[i]);
    if (!slot->first)
        slot->first = i + 1;
    else if (!slot->second)
        slot->second = i + 1;
}

static void enter_all(text_list *l)
{
    memset(l->slots, 0, 4 * (size_t)l->capacity * sizeof *l->slots);
    for (int64_t i = 0; i < l->count; i++)
        enter(l, i);
}

static bool grow(text_list *l)
{
    int64_t capacity = l->capacity ? 2 * l->capacity : 16; /* a power of two */
    char **at = realloc(l->at, (size_t)capacity * sizeof *at);
    l->at = at ? at : l->at;
    text_slot *slots = at ? realloc(l->slots, 4 * (size_t)capacity * sizeof *slots) : NULL;
    if (!slots)
        return false;
    l->slots = slots;
    l->capacity = capacity;
    enter_all(l);
    return true;
}

bool text_list_add(text_list *l, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = l->count < l->capacity || grow(l) ? malloc(size) : NULL;
    if (!copy)
        return false;
    l->at[l->count++] = memcpy(copy, text, size);
    enter(l, l->count - 1);
    return true;
}

int64_t text_list_find(const text_list *l, const char *text, int64_t *second)
{
    const text_slot none = { 0, 0 }, *slot = l->count ? slot_of(l, text) : &none;
    if (second)
        *second = slot->second - 1;
    return slot->first - 1;
}

void text_list_sort(text_list *l, int (*compare)(const void *a, const void *b))
{
    if (l->count == 0)
        return;
    qsort(l->at, (size_t)l->count, sizeof *l->at, compare);
    enter_all(l);
}

void text_list_free(text_list *l)
{
    for (int64_t i = 0; i < l->count; i++)
        free(l->at[i]);
    free(l->at);
    free(l->slots);
    memset(l, 0, sizeof *l);
}
