/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

static const lth_attr_loop *attributes_of(const lth_graph *g, const accel_loop *l)
{
    return lth_node_attributes(g, lth_graph_node(g, l->begin));
}

static int64_t bytes_of(const lth_shape *s) { return lth_shape_count(s) * lth_dtype_size(s->dtype); }

static void copy(void *to, const void *from, int64_t bytes)
{
    if (bytes && to != from)
        memcpy(to, from, (size_t)bytes);
}

static const lth_shape *slot_shape(const lth_graph *g, const accel_loop *l, uint32_t i)
{
    return lth_node_shape(g, lth_graph_node(g, l->begin), 1 + i);
}

/* ---- A turn ---- */

static int64_t index_of(const lth_graph *g, const accel_loop *l)
{
    return attributes_of(g, l)->reverse ? l->turns - 1 - l->done : l->done;
}

static void store_row(const accel_loop_memory *m, uint32_t stack, int64_t row, const void *from, int64_t bytes)
{
    char *to = m->result(m->context, true, stack);
    if (to)
        copy(to + row * bytes, from, bytes);
}

/* The index, the sequences' parts, and a note of what is carried in. */
static void begin_turn(const accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream)
{
    const lth_attr_loop *a = attributes_of(g, l);
    int64_t index = index_of(g, l);
    memcpy(m->result(m->context, false, 0), &index, sizeof index);
    for (uint32_t i = 0; i < a->sequences; i++) {
        uint32_t part = 1 + a->carried + i;
        int64_t bytes = bytes_of(lth_node_shape(g, lth_graph_node(g, l->begin), part));
        copy(m->result(m->context, false, part), (const char *)m->operand(m->context, false, part) + index * bytes, bytes);
    }
    for (uint32_t i = 0; i < a->carried; i++)
        store_row(m, a->carried + a->stacked + i, index, m->result(m->context, false, 1 + i), bytes_of(slot_shape(g, l, i)));
    *stream = lth_random_stream(l->stream, index);
}

static void leave(const accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream)
{
    for (uint32_t i = 0; i < attributes_of(g, l)->carried; i++)
        copy(m->result(m->context, true, i), m->result(m->context, false, 1 + i), bytes_of(slot_shape(g, l, i)));
    *stream = l->stream;
}

/* Rows of turns that are not taken are 0. */
static void clear_rows(const accel_loop *l, const lth_graph *g, const accel_loop_memory *m)
{
    const lth_attr_loop *a = attributes_of(g, l);
    const lth_node *end = lth_graph_node(g, l->end);
    for (uint32_t i = a->carried; i < end->value_count && l->turns < a->length; i++) {
        int64_t bytes = bytes_of(lth_node_shape(g, end, i)), row = bytes / a->length;
        char *to = m->result(m->context, true, i);
        if (to && bytes)
            memset(to + l->turns * row, 0, (size_t)(bytes - l->turns * row));
    }
}

bool accel_loop_begin(accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream)
{
    const lth_attr_loop *a = attributes_of(g, l);
    int64_t turns;
    memcpy(&turns, m->operand(m->context, false, 0), sizeof turns);
    l->turns = turns < 0 ? 0 : turns > a->length ? a->length : turns;
    l->done = 0;
    l->stream = *stream;
    for (uint32_t i = 0; i < a->carried; i++)
        copy(m->result(m->context, false, 1 + i), m->operand(m->context, false, 1 + i), bytes_of(slot_shape(g, l, i)));
    clear_rows(l, g, m);
    if (l->turns > 0)
        begin_turn(l, g, m, stream);
    else
        leave(l, g, m, stream);
    return l->turns > 0;
}

/* ---- From turn to turn ---- */

/* Whether what lies there is (in) the slot of another value that is carried, which is about to be overwritten. */
static bool is_in_another_slot(const accel_loop *l, const lth_graph *g, const accel_loop_memory *m, const char *at, uint32_t own)
{
    for (uint32_t k = 0; k < attributes_of(g, l)->carried; k++) {
        const char *slot = m->result(m->context, false, 1 + k);
        if (k != own && at >= slot && at < slot + bytes_of(slot_shape(g, l, k)))
            return true;
    }
    return false;
}

/* Two rounds: what comes from another's slot is put aside first. */
static void hand_on(const accel_loop *l, const lth_graph *g, const accel_loop_memory *m)
{
    for (int put_aside = 1; put_aside >= 0; put_aside--) {
        char *aside = m->staging;
        for (uint32_t i = 0; i < attributes_of(g, l)->carried; i++) {
            const char *from = m->operand(m->context, true, 1 + i);
            int64_t bytes = bytes_of(slot_shape(g, l, i));
            bool moved = bytes && is_in_another_slot(l, g, m, from, i);
            if (moved && put_aside)
                copy(aside, from, bytes);
            else if (!put_aside)
                copy(m->result(m->context, false, 1 + i), moved ? aside : from, bytes);
            aside += moved ? bytes : 0;
        }
    }
}

bool accel_loop_next(accel_loop *l, const lth_graph *g, const accel_loop_memory *m, uint32_t *stream)
{
    const lth_attr_loop *a = attributes_of(g, l);
    for (uint32_t i = 0; i < a->stacked; i++) {
        uint32_t part = 1 + a->carried + i;
        store_row(m, a->carried + i, index_of(g, l), m->operand(m->context, true, part),
                  bytes_of(lth_node_operand_shape(g, lth_graph_node(g, l->end), part)));
    }
    hand_on(l, g, m);
    if (++l->done < l->turns)
        begin_turn(l, g, m, stream);
    else
        leave(l, g, m, stream);
    return l->done < l->turns;
}

/* ---- While a plan is made ---- */

int64_t accel_loop_staging(const lth_graph *g, const accel_loop *l, uint32_t (*memory_of)(void *context, uint32_t value),
                           void *context)
{
    int64_t bytes = 0;
    const lth_node *end = lth_graph_node(g, l->end);
    uint32_t first = lth_graph_node(g, l->begin)->first_value + 1, carried = attributes_of(g, l)->carried;
    for (uint32_t i = 0; i < carried; i++) {
        uint32_t next = lth_node_operand(g, end, 1 + i), at = memory_of ? memory_of(context, next) : next;
        if (at != first + i && at >= first && at < first + carried)
            bytes += bytes_of(slot_shape(g, l, i));
    }
    return bytes;
}

accel_loop *accel_loops_of(const lth_graph *g)
{
    accel_loop *loops = calloc(g->region_count + 1, sizeof *loops);
    for (uint32_t i = 1; loops && i < g->region_count; i++) {
        const lth_region *r = lth_graph_region(g, i);
        if (r->node_count)
            loops[i] = (accel_loop) { .begin = r->first_node, .end = r->first_node + r->node_count };
    }
    return loops;
}

double accel_loop_runs(const lth_graph *g, uint32_t region)
{
    double runs = 1;
    for (; region; region = lth_graph_region(g, region)->parent) {
        const lth_attr_loop *a = lth_node_attributes(g, lth_graph_node(g, lth_graph_region(g, region)->first_node));
        runs *= (double)a->length;
    }
    return runs;
}

uint32_t accel_loop_region(const lth_graph *g, const lth_node *n)
{
    const lth_node *begin = n->op == LTH_OP_LOOP ? n : lth_graph_node(g, lth_graph_value(g, lth_node_operand(g, n, 0))->node);
    return begin->region;
}

static bool encloses(const lth_graph *g, uint32_t outer, uint32_t inner)
{
    while (inner != outer && inner != 0)
        inner = lth_graph_region(g, inner)->parent;
    return inner == outer;
}

uint32_t accel_loop_last_read(const lth_graph *g, uint32_t value, uint32_t node)
{
    uint32_t home = lth_graph_node(g, lth_graph_value(g, value)->node)->region, last = node;
    for (uint32_t r = lth_graph_node(g, node)->region; !encloses(g, r, home); r = lth_graph_region(g, r)->parent)
        last = lth_graph_region(g, r)->first_node + lth_graph_region(g, r)->node_count;
    return last;
}

bool accel_loop_is_stack(const lth_graph *g, const lth_node *n, uint32_t index)
{
    return n->op == LTH_OP_LOOP_END && index >= ((const lth_attr_loop *)lth_node_attributes(g, n))->carried;
}
