/* SPDX-License-Identifier: Apache-2.0
 * The memory planner against its own rule, written down as plainly as can be: from the largest to the smallest, each buffer into
 * the tightest gap that is free during its life. And what else compilation looks up. */
#include "accel_fixture.h"
#include "engine/op_table.h"

#include <criterion/criterion.h>
#include <lthost/accel/ops.h>
#include <lthost/accel/plan_memory.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 700 };

static bool comes_first(const accel_buffer *a, const accel_buffer *b)
{
    return a->size != b->size ? a->size > b->size : a->first != b->first ? a->first < b->first : a < b;
}

static bool meet(const accel_buffer *a, const accel_buffer *b) { return a->first <= b->last && b->first <= a->last; }

/* The place for b among those that are placed, which rise by offset. */
static int64_t place(accel_buffer *const *placed, uint32_t count, const accel_buffer *b)
{
    int64_t end = 0, best = -1, tightest = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!meet(placed[i], b))
            continue;
        int64_t gap = placed[i]->offset - end;
        if (gap >= accel_align(b->size) && gap < tightest)
            best = end, tightest = gap;
        if (placed[i]->offset + accel_align(placed[i]->size) > end)
            end = placed[i]->offset + accel_align(placed[i]->size);
    }
    return best >= 0 ? best : end;
}

static int64_t plan_plainly(accel_buffer *buffers, uint32_t count)
{
    static accel_buffer *placed[MOST];
    static bool done[MOST];
    uint32_t n = 0;
    int64_t planned = 0;
    memset(done, 0, sizeof done);
    while (true) {
        accel_buffer *b = NULL;
        for (uint32_t i = 0; i < count; i++)
            if (!done[i] && buffers[i].size && (!b || comes_first(&buffers[i], b)))
                b = &buffers[i];
        if (!b)
            return planned;
        done[b - buffers] = true;
        b->offset = place(placed, n, b);
        uint32_t at = n++;
        for (; at > 0 && placed[at - 1]->offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        planned = b->offset + accel_align(b->size) > planned ? b->offset + accel_align(b->size) : planned;
    }
}

Test(plan_memory, places_are_those_of_the_plain_rule_for_short_and_for_long_lives)
{
    static accel_buffer buffers[MOST], plain[MOST];
    uint64_t s = 5;
    for (int trial = 0; trial < 300; trial++) {
        uint32_t count = 1 + bench_random(&s) % (trial % 20 ? 60 : MOST - 1), steps = 1 + bench_random(&s) % (2 * count),
                 lives = trial % 3;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t first = bench_random(&s) % steps,
                     life = bench_random(&s) % (lives == 0 || (lives == 1 && i % 9) ? 6 : steps);
            buffers[i] =
                (accel_buffer) { .size = bench_random(&s) % (trial % 2 ? 400 : 100000), .first = first, .last = first + life };
        }
        memcpy(plain, buffers, sizeof plain);
        accel_memory memory;
        cr_assert_eq(accel_plan_memory(buffers, count, &memory), LTH_OK);
        cr_assert_eq(memory.planned, plan_plainly(plain, count), "trial %d", trial);
        for (uint32_t i = 0; i < count; i++)
            cr_assert_eq(buffers[i].offset, plain[i].offset, "trial %d: buffer %u lies at %lld", trial, i,
                         (long long)buffers[i].offset);
    }
}

Test(plan_memory, nothing_needs_no_room)
{
    accel_memory memory = { 1, 1 };
    accel_buffer empty = { .size = 0, .first = 3, .last = 9 };
    cr_assert_eq(accel_plan_memory(NULL, 0, &memory), LTH_OK);
    cr_assert_eq(accel_plan_memory(&empty, 1, &memory), LTH_OK);
    cr_assert(memory.planned == 0 && memory.unshared == 0);
}

Test(accel_ops, every_primitive_has_its_row)
{
    for (uint32_t code = 0; code < OP_CODES; code++) {
        const op_info *info = op_find(code);
        const accel_op *op = accel_op_find(code);
        cr_assert(op || !info || info->kind != OP_PRIMITIVE, "%s", info ? info->name : "");
        cr_assert(!op || (op->code == code && info && strcmp(op->name, info->name) == 0), "row of %u", code);
    }
}
