/* SPDX-License-Identifier: Apache-2.0
 * last_conv.h: convolutions, and their gradients, of f32 images that lie channels last: (N, H, W, C).
 *
 * An image, or a band of its rows, is copied with its padding into scratch that the second cache holds; there every pixel of the
 * result finds its terms at the same distances, and a convolution is a product of pixels by weights (isa.h: conv_rows). The data
 * gradient is one of the gradient by turned weights; with a stride, one for each rest of the division by it, which see weights
 * of their own. The weight gradient is a product over pixels (conv_sums).
 *
 * Weights come and go as (K, C, kernel...), as everywhere else. Everything that depends on shapes alone is made once. */
#ifndef CPU_LAST_CONV_H
#define CPU_LAST_CONV_H

#include <lthost/accel/plain/image.h>

typedef struct last_conv last_conv;

/* Whether there is a kernel: images of one or two spatial axes, in one group, with something in them. */
bool last_conv_takes(const plain_conv *v);
/* op: LTH_OP_CONV or one of its gradients. threads: that a run will use. LTH_NO_MEMORY. */
lth_status last_conv_new(uint32_t op, const plain_conv *v, int32_t threads, last_conv **out);
void last_conv_free(last_conv *c);
/* Bytes, to be aligned to 64. */
int64_t last_conv_workspace(const last_conv *c);
/* The op's operands and its result. */
void last_conv_run(const last_conv *c, const float *first, const float *second, float *result, void *workspace);
void last_conv_text(const last_conv *c, char *text, size_t size);

#endif
