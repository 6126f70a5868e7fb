/* SPDX-License-Identifier: Apache-2.0
 * The training step of the bench's perceptron as one writes it by hand in C: plain loops, no library, one thread. */
#ifndef BENCH_HAND_H
#define BENCH_HAND_H

#include <stdint.h>

enum { HAND_LAYERS = 3 };

typedef struct hand hand;

/* widths: inputs, then what each layer makes. NULL: no memory. */
hand *hand_new(int64_t batch, const int64_t widths[HAND_LAYERS + 1]);
void hand_free(hand *h);
/* Forward, backward, Adam. x: (batch, inputs); returns the mean cross entropy. */
float hand_step(hand *h, const float *x, const int64_t *y);

#endif
