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

/* The tightest gap between the buffers of `placed` (by rising offset) that live while `b` does; else the end of them. */
static int64_t best_gap(const accel_buffer *const *placed, uint32_t count, const accel_buffer *b)
{
    int64_t size = accel_align(b->size), end = 0, best = -1, best_length = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const accel_buffer *p = placed[i];
        if (p->last < b->first || p->first > b->last)
            continue;
        int64_t gap = p->offset - end;
        if (gap >= size && gap < best_length) {
            best = end;
            best_length = gap;
        }
        if (p->offset + accel_align(p->size) > end)
            end = p->offset + accel_align(p->size);
    }
    return best >= 0 ? best : end;
}

/* Keeps `placed` in order of offset. */
static void insert(const accel_buffer **placed, uint32_t count, const accel_buffer *b)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (placed[middle]->offset <= b->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(placed + low + 1, placed + low, (count - low) * sizeof *placed);
    placed[low] = b;
}

lth_status accel_plan_memory(accel_buffer *buffers, uint32_t count, accel_memory *out)
{
    accel_buffer **order = malloc((2 * (size_t)count + 1) * sizeof *order);
    if (!order)
        return LTH_NO_MEMORY;
    const accel_buffer **placed = (const accel_buffer **)(order + count);
    uint32_t sized = 0;
    *out = (accel_memory){ 0, 0 };
    for (uint32_t i = 0; i < count; i++) {
        buffers[i].offset = 0;
        if (buffers[i].size)
            order[sized++] = &buffers[i];
    }
    qsort(order, sized, sizeof *order, by_size);
    for (uint32_t i = 0; i < sized; i++) {
        accel_buffer *b = order[i];
        b->offset = best_gap(placed, i, b);
        insert(placed, i, b);
        int64_t end = b->offset + accel_align(b->size);
        out->planned = end > out->planned ? end : out->planned;
        out->unshared += accel_align(b->size);
    }
    free(order);
    return LTH_OK;
}
