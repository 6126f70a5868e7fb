/* SPDX-License-Identifier: Apache-2.0
 * Authors' own ops for tests, and a step to try them in. */
#ifndef TEST_CUSTOM_OPS_H
#define TEST_CUSTOM_OPS_H

#include "engine_fixture.h"

#include <lthost/custom.h>
#include <math.h>

/* x sigma(beta x) and sigma(beta x); its backward kernel: (x, d) -> d (s + beta x s (1 - s)), with a gradient of its own. */
struct swish {
    double beta;
};
extern const lth_custom_op custom_swish, custom_swish_back;
extern int custom_calls; /* of swish's kernel, in this process */
lth_tensor custom_swish_of(lth_tensor x, double beta);
lth_tensor custom_swish_back_of(lth_tensor x, lth_tensor d, double beta);

/* (a (N, K), b (N, K)...) -> the sums of products (N), how many of them are positive (N) i64; a gradient for two operands. */
extern const lth_custom_op custom_dots;
lth_tensor custom_dots_of(lth_tensor a, lth_tensor b);

/* Kernels' parts: all of one floating shape; element i of an operand. */
bool custom_like_first(const lth_custom_shapes *s);
double custom_in(const lth_custom_call *c, uint32_t operand, int64_t i);

/* Every way to run a step, in f32 and in f64. */
rig_setup custom_way(size_t i);
enum { CUSTOM_WAYS = 12 };
#define EACH_WAY(i, setup)                                                                                                 \
    for (size_t i = 0; i < CUSTOM_WAYS; i++)                                                                               \
        for (rig_setup setup = custom_way(i), *once_ = &setup;                                                             \
             once_ && rig_has(setup.accelerator ? setup.accelerator : "reference"); once_ = NULL)

/* Begins a step; the recipe may be NULL: an evaluation. The field x (8, 3) in the run's floating type. */
lth_tensor custom_begin(rig *r, const rig_recipe *recipe);
/* Ends it; it must succeed. */
void custom_finish(rig *r);
/* Element i of an output of the last step. */
double custom_output(rig *r, uint32_t slot, int64_t i);
/* A training step of the rig's model whose activation is swish: as an author's op, or the same in ops. The loss is output 0. */
void custom_train(rig *r, bool custom);

/* max |x|. */
lth_tensor custom_largest(lth_tensor x);

#endif
