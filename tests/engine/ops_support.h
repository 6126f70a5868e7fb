/* SPDX-License-Identifier: Apache-2.0
 * Samples of ops (engine/op_samples.h) as graphs on a bench. */
#ifndef TEST_OPS_SUPPORT_H
#define TEST_OPS_SUPPORT_H

#include "accel_fixture.h"
#include "engine/op_samples.h"
#include "engine/passes.h"

typedef struct op_case {
    bench *b;
    op_sample sample;
    constants constants;
    uint32_t inputs[OP_SAMPLE_OPERANDS];
    uint32_t results[OP_MAX_RESULTS], result_count;
    uint32_t slots[OP_MAX_RESULTS]; /* outputs that the results are written to */
    char name[120];                 /* "softmax, long rows" */
} op_case;

/* An empty bench, the sample's inputs and its op; results become outputs. */
void op_case_begin(op_case *c, bench *b, const op_sample *sample, lth_dtype floating);
/* The same with floating operands rounded to a narrower type first, so that the two have equal numbers in. */
void op_case_begin_rounded(op_case *c, bench *b, const op_sample *sample, lth_dtype floating, lth_dtype rounded_to);
void op_case_end(op_case *c);

/* Compiles, after decomposing what the accelerator does not support and entering the constants among the scalars. */
void op_case_compile(op_case *c, uint32_t flags);
void op_case_run(op_case *c);

/* sum over the floating results of sum(result * weight): the weights are new inputs, drawn. LTH_NO_VALUE where no result is
 * floating. weights: the inputs' slots, one a result (UINT32_MAX: none). */
uint32_t op_case_weighted_sum(op_case *c, uint32_t *weights);
/* sum(a * b) of two values of equal shapes. */
uint32_t op_case_dot(op_case *c, uint32_t a, uint32_t b);
/* A new input like `value`, drawn in (-1, 1); its slot. */
uint32_t op_case_drawn_like(op_case *c, uint32_t value, uint32_t *slot);

/* Puts `next` in place of the bench's graph, whose memory it takes in exchange. */
void op_case_swap(op_case *c, graph *next);

bool op_case_is_float(const op_case *c, uint32_t value);
int64_t op_case_count(const op_case *c, uint32_t value);

#endif
