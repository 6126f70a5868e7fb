/* SPDX-License-Identifier: Apache-2.0
 * winograd.h: convolutions of 3 x 3 without stride, and their gradients, of images that lie channels last, by Winograd's
 * F(4 x 4, 3 x 3): a quarter of the products of the sum term by term, at about twice its error (winograd_tiles.h).
 *
 * A tile of 6 x 6 pixels of the source becomes 36 numbers a channel, each a row of one of 36 products by transformed weights;
 * 36 numbers of the result become 4 x 4 pixels. The weight gradient is 36 products over tiles. */
#ifndef CPU_WINOGRAD_H
#define CPU_WINOGRAD_H

#include <lthost/accel/plain/image.h>

typedef struct winograd winograd;

/* Whether it is the faster way, and v one that last_conv_takes. */
bool winograd_takes(uint32_t op, const plain_conv *v);
/* As last_conv.h's. half: the operands are bf16, which is computed in f32. */
lth_status winograd_new(uint32_t op, const plain_conv *v, bool half, int32_t threads, winograd **out);
void winograd_free(winograd *w);
int64_t winograd_workspace(const winograd *w);
void winograd_run(const winograd *w, const void *first, const void *second, float *result, void *workspace);
void winograd_text(const winograd *w, char *text, size_t size);

#endif
