/* SPDX-License-Identifier: Apache-2.0
 * channels_last_writer.h: what channels_last.c and its rules share: the new graph while it is written. */
#ifndef CPU_CHANNELS_LAST_WRITER_H
#define CPU_CHANNELS_LAST_WRITER_H

#include "channels_last.h"

#include <lthost/accel/ops.h>
#include <string.h>

/* How a value of the given graph is made anew. IMAGE: (N, C, ...) as (N, ..., C). GROUPED: (N, G, each), rows made of the G
 * groups of an image's channels, which is what lies there. */
typedef enum native_kind { NATIVE_NONE, NATIVE_IMAGE, NATIVE_GROUPED } native_kind;

typedef struct writer {
    const lth_graph *g; /* the given one */
    channels_last *out;
    lth_node *nodes;
    lth_value *values;
    uint32_t *operands;
    uint8_t *attributes;
    uint32_t nodes_most, values_most, operands_most, attributes_most;
    uint32_t *plain, *last; /* by the given graph's value: the new one that lies in the usual order, and channels last */
    uint32_t *image;        /* by the given graph's value: of a GROUPED one, the image of which it is */
    uint8_t *native;        /* by the given graph's value */
    uint32_t node;          /* the given graph's that is being written */
    bool alone, failed;     /* failed: out of memory */
} writer;

static inline const lth_shape *writer_shape(const writer *w, uint32_t v) { return &lth_graph_value(w->g, v)->shape; }

/* A node like `like`, of which `operands` are the new graph's; its first result. */
uint32_t writer_node(writer *w, lth_node like, const uint32_t *operands, const void *attributes, const lth_shape *shapes);
/* One of one operand and one result, whose dimensions are its attribute. */
uint32_t writer_dims(writer *w, uint32_t op, uint32_t x, const lth_shape *to);
/* A sum over some axes, which stay with length 1; x: of that shape. */
uint32_t writer_sum(writer *w, uint32_t op, uint32_t x, const lth_shape *shape, uint32_t axes);

/* Where axis i of a shape lies when it is channels last; and such a shape. */
static inline int32_t last_axis(int32_t rank, int32_t axis) { return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1; }
static inline lth_shape last_shape(const lth_shape *s)
{
    lth_shape t = *s;
    for (int32_t i = 0; i < s->rank; i++)
        t.dim[last_axis(s->rank, i)] = s->dim[i];
    return t;
}

/* The new value for one of the given graph's, in one order or the other. like: the image that a row of groups is to be of. */
uint32_t plain_of(writer *w, uint32_t v);
uint32_t last_of(writer *w, uint32_t v);
uint32_t grouped_of(writer *w, uint32_t v, uint32_t like);

static inline void set_last(writer *w, uint32_t v, uint32_t to, native_kind kind, uint32_t image)
{
    w->last[v] = to;
    w->native[v] = (uint8_t)kind;
    w->image[v] = image;
}

/* Whether the op's kernel for images that lie channels last is why a graph is written anew. */
bool channels_last_gains(const lth_graph *g, const lth_node *n);
/* Writes the node for images that lie so. False: it is to be written as it is. */
bool channels_last_write(writer *w, const lth_node *n);

#endif
