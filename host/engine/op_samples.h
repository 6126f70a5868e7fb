/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples.h: operands and attributes to try an op with, as data.
 *
 * One table drives the tests of gradients, of kernels against decompositions, and of each accelerator against the
 * reference: broadcast, sizes 0 and 1, operands that are not contiguous, integers, extreme values. Values are multiples of
 * 1/4096 (unless listed), so they are the same in f32 and f64; drawn ones are never 0, never whole, and never equal in two
 * neighbouring operands, so that no drawn sample sits on a kink. */
#ifndef ENGINE_OP_SAMPLES_H
#define ENGINE_OP_SAMPLES_H

#include "engine/graph.h"

enum { OP_SAMPLE_OPERANDS = 9 };

typedef enum op_layout {
    OP_DENSE,
    OP_PERMUTED, /* made by a permute that reverses the axes */
    OP_SLICED    /* made by a slice that takes every second element of the last axis, from 1 on */
} op_layout;

typedef struct op_operand {
    lth_dtype dtype; /* NONE: the floating type that the test asks for */
    int32_t rank;
    int64_t dim[LTH_MAX_RANK];
    double low, high;   /* drawn within; both 0: -2 to 2. Integers: whole numbers, both ends included, 0 too */
    const double *list; /* else these, over and over */
    uint32_t list_count;
    op_layout layout;
} op_operand;

typedef union op_attributes {
    lth_attr_dtype cast;
    lth_attr_axis axis;
    lth_attr_dims dims;
    lth_attr_shape shape;
    lth_attr_slice slice;
    lth_attr_pad pad;
    lth_attr_window window;
    lth_attr_scatter scatter;
    lth_attr_reduce reduce;
    lth_attr_matmul matmul;
    lth_attr_random random;
    lth_attr_attention attention;
    lth_attr_rotary rotary;
    lth_attr_cumulative cumulative;
    lth_attr_sort sort;
    lth_attr_rnn rnn;
    lth_attr_conv conv;
    lth_attr_pool pool;
    lth_attr_resize resize;
} op_attributes;

enum {
    OP_SAMPLE_KINK = 1,    /* on a kink, a tie or a step: no finite differences here */
    OP_SAMPLE_EXTREME = 2, /* infinities, NaN, values near the ends of exp: compare by class, not by error */
    OP_SAMPLE_DISTINCT = 4 /* drawn values all differ by 1/2 at least: no ties among them */
};

typedef struct op_sample {
    uint32_t op, count, flags;
    const char *name; /* "a row and a column" */
    op_operand operands[OP_SAMPLE_OPERANDS];
    op_attributes attributes; /* a shape's dtype NONE: the test's floating type */
} op_sample;

/* Number of samples of an op, and one of them. Effects, symbols and leaves that only the host makes have none. [any] */
uint32_t op_sample_count(uint32_t op);
op_sample op_sample_at(uint32_t op, uint32_t index);

/* The shape of what has to be bound to input `operand`: not the operand's own where a layout makes it. */
lth_shape op_sample_input(const op_sample *s, uint32_t operand, lth_dtype floating);
/* Its elements, dense, as doubles that its dtype holds exactly (but for a few listed ones in f32). */
void op_sample_values(const op_sample *s, uint32_t operand, lth_dtype floating, double *out);
/* Appends what layouts want, and the op. inputs: values of the shapes of op_sample_input. Returns the first result,
 * LTH_NO_VALUE with the message in `e`. */
uint32_t op_sample_emit(const op_sample *s, graph *g, lth_dtype floating, const uint32_t *inputs, error *e);

#endif
