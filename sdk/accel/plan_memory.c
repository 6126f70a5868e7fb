/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_memory.h"

#include <stdlib.h>
#include <string.h>

/* Larger first; among equals the earlier, then the one of lower index, so that the order is total. */
static int by_size(const void *a, const void *b)
{
    const accel_buffer *x = *(const accel_buffer *const *)a, *y = *(const accel_buffer *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* ---- Which placed buffers live while another does ----
 *
 * Most buffers live for a few steps and meet few others, though a plan may have tens of thousands of both. So they are found by
 * time: a buffer begins at a step, and is noted at the nodes of a binary tree over the steps that make up its life, so that a
 * walk from a step's leaf to the root meets all that live then. Only where too many are met are all of them looked through, in
 * the order of their offsets. */

/* A buffer that has its place. */
typedef struct placed {
    int64_t offset, end;
    uint32_t first, last;
} placed;

typedef struct note {
    uint32_t buffer, next; /* next: index of a note, 0: none */
} note;

typedef struct placing {
    accel_buffer **order; /* from the largest to the smallest: how they are placed */
    placed *placed;       /* by rising offset: copies, as all of them may be looked through again and again */
    placed *met;
    uint32_t count, most; /* most: that are looked for by time */
    uint32_t leaves;      /* a power of two above the last step */
    uint32_t *begin;      /* by step: notes of buffers that begin there */
    uint32_t *tree;       /* by node, the root being 1 and leaf s leaves + s: notes */
    note *notes;
    uint32_t note_count, note_capacity;
} placing;

static bool add_note(placing *p, uint32_t *list, uint32_t buffer)
{
    if (p->note_count == p->note_capacity) {
        uint32_t capacity = p->note_capacity ? 2 * p->note_capacity : 256;
        note *notes = realloc(p->notes, capacity * sizeof *notes);
        if (!notes)
            return false;
        p->notes = notes;
        p->note_capacity = capacity;
        if (p->note_count == 0)
            p->note_count = 1; /* 0 is none */
    }
    p->notes[p->note_count] = (note) { buffer, *list };
    *list = p->note_count++;
    return true;
}

static bool note_life(placing *p, uint32_t buffer)
{
    const accel_buffer *b = p->order[buffer];
    bool ok = add_note(p, &p->begin[b->first], buffer);
    uint32_t low = p->leaves + b->first, high = p->leaves + b->last + 1;
    for (; ok && low < high; low /= 2, high /= 2) {
        if (low & 1)
            ok = add_note(p, &p->tree[low++], buffer);
        if (ok && (high & 1))
            ok = add_note(p, &p->tree[--high], buffer);
    }
    return ok;
}

static placed place_of(const accel_buffer *b)
{
    return (placed) { b->offset, b->offset + accel_align(b->size), b->first, b->last };
}

/* Appends a list to the buffers met; false where they become too many. */
static bool meet(const placing *p, uint32_t list, uint32_t *count)
{
    for (; list; list = p->notes[list].next) {
        if (*count == p->most)
            return false;
        p->met[(*count)++] = place_of(p->order[p->notes[list].buffer]);
    }
    return true;
}

static bool meet_all(const placing *p, const accel_buffer *b, uint32_t *count)
{
    *count = 0;
    if (b->last - b->first > p->most)
        return false;
    for (uint32_t node = p->leaves + b->first; node; node /= 2)
        if (!meet(p, p->tree[node], count))
            return false;
    for (uint32_t step = b->first + 1; step <= b->last; step++)
        if (!meet(p, p->begin[step], count))
            return false;
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* ---- Gaps ---- */

typedef struct gap {
    int64_t size, end, best, length; /* size: wanted; end: of what was looked at */
} gap;

/* The next in order of offset. */
static inline void look_before(gap *g, const placed *p)
{
    int64_t length = p->offset - g->end;
    if (length >= g->size && length < g->length) {
        g->best = g->end;
        g->length = length;
    }
    g->end = p->end > g->end ? p->end : g->end;
}

/* The tightest gap between the buffers that live while b does; else the end of them. */
static int64_t best_gap(placing *p, const accel_buffer *b)
{
    gap g = { accel_align(b->size), 0, -1, INT64_MAX };
    uint32_t met;
    if (meet_all(p, b, &met)) {
        qsort(p->met, met, sizeof *p->met, by_offset);
        for (uint32_t i = 0; i < met; i++)
            look_before(&g, &p->met[i]);
    } else {
        for (uint32_t i = 0; i < p->count; i++)
            if (p->placed[i].last >= b->first && p->placed[i].first <= b->last)
                look_before(&g, &p->placed[i]);
    }
    return g.best >= 0 ? g.best : g.end;
}

/* Keeps `placed` in order of offset. */
static void insert(placing *p, const accel_buffer *b)
{
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (p->placed[middle].offset <= b->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(p->placed + low + 1, p->placed + low, (p->count - low) * sizeof *p->placed);
    p->placed[low] = place_of(b);
    p->count++;
}

/* Room for `count` buffers that live up to step `last`. */
static bool open_placing(placing *p, uint32_t count, uint32_t last)
{
    for (p->leaves = 1; p->leaves <= last;)
        p->leaves *= 2;
    p->most = 64 + count / 64;
    p->placed = malloc((count + 1) * sizeof *p->placed);
    p->begin = calloc((size_t)last + 1, sizeof *p->begin);
    p->tree = calloc(2 * (size_t)p->leaves, sizeof *p->tree);
    p->met = malloc(p->most * sizeof *p->met);
    return p->placed && p->begin && p->tree && p->met;
}

static void close_placing(placing *p)
{
    free(p->order);
    free(p->placed);
    free(p->begin);
    free(p->tree);
    free(p->notes);
    free(p->met);
}

lth_status accel_plan_memory(accel_buffer *buffers, uint32_t count, accel_memory *out)
{
    placing p = { .order = malloc(((size_t)count + 1) * sizeof *p.order) };
    uint32_t sized = 0, last = 0;
    *out = (accel_memory) { 0, 0 };
    if (!p.order)
        return LTH_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        buffers[i].offset = 0;
        if (buffers[i].size) {
            p.order[sized++] = &buffers[i];
            last = buffers[i].last > last ? buffers[i].last : last;
        }
    }
    bool ok = open_placing(&p, sized, last);
    qsort(p.order, sized, sizeof *p.order, by_size);
    for (uint32_t i = 0; ok && i < sized; i++) {
        accel_buffer *b = p.order[i];
        b->offset = best_gap(&p, b);
        insert(&p, b);
        ok = note_life(&p, i);
        int64_t end = b->offset + accel_align(b->size);
        out->planned = end > out->planned ? end : out->planned;
        out->unshared += accel_align(b->size);
    }
    close_placing(&p);
    return ok ? LTH_OK : LTH_NO_MEMORY;
}
