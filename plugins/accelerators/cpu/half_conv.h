/* SPDX-License-Identifier: Apache-2.0
 * half_conv.h: convolutions, and their gradients, of bf16 images that lie channels last, by products of bf16 with sums in f32.
 *
 * As last_conv.h's, term by term: there is no Winograd's, whose intermediate numbers bf16 would round. Two channels that lie side
 * by side are a pair of terms; the weight gradient's are two pixels, which are put side by side for each tap. */
#ifndef CPU_HALF_CONV_H
#define CPU_HALF_CONV_H

#include <lthost/accel/plain/image.h>

typedef struct half_conv half_conv;

/* Whether there is a kernel, of processor and shape: v is one that last_conv_takes, of whole vectors of channels. */
bool half_conv_takes(uint32_t op, const plain_conv *v);
/* As last_conv.h's. narrow: the result is bf16, else f32. */
lth_status half_conv_new(uint32_t op, const plain_conv *v, bool narrow, int32_t threads, half_conv **out);
void half_conv_free(half_conv *c);
int64_t half_conv_workspace(const half_conv *c);
void half_conv_run(const half_conv *c, const uint16_t *first, const uint16_t *second, void *result, void *workspace);
void half_conv_text(const half_conv *c, char *text, size_t size);

#endif
