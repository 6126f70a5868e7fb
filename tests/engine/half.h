/* SPDX-License-Identifier: Apache-2.0
 * Numbers of 16 bits: the bench hands their bits in and out. */
#ifndef TEST_HALF_H
#define TEST_HALF_H

#include "accel_fixture.h"

static inline bool half_is(lth_dtype t) { return t == LTH_BF16 || t == LTH_F16; }
/* How far rounding to nearest moves a number, relative to it. */
static inline double half_roundoff(lth_dtype t) { return t == LTH_BF16 ? 0x1p-8 : 0x1p-11; }

/* x as the floating type holds it. */
double half_rounded(lth_dtype dtype, double x);
/* What bench_fill takes for a number of the type: the bits of one of 16, else the number; and back, of bench_element. */
double half_to_bench(lth_dtype dtype, double x);
double half_of_bench(lth_dtype dtype, double x);

/* An input of numbers in [-1, 2) that bf16 holds, whatever the shape's type: the same for the same seed. */
uint32_t half_drawn(bench *b, lth_shape s, uint64_t seed);
/* The root of what the squares of the errors of an output of b sum up to, relative to that of the reference's output. */
double half_error(const bench *b, const bench *reference, uint32_t slot);
/* Whether the plan of b tells of `words` in how it runs; the text, for a message, goes to out. */
bool half_plan_tells(const bench *b, const char *words, char out[4096]);

#endif
