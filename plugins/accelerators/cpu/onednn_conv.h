/* SPDX-License-Identifier: Apache-2.0
 * onednn_conv.h: a convolution in f32, or one of its gradients, by oneDNN.
 *
 * Tensors lie row-major outside. Inside they lie as oneDNN's fastest kernel wants them, channels in blocks mostly: convolving
 * row-major images takes twice the time. What differs is reordered on the way in and out, in the caller's workspace. Primitives
 * are made once, for one number of threads; a run makes nothing. */
#ifndef CPU_ONEDNN_CONV_H
#define CPU_ONEDNN_CONV_H

#include <lthost/accel/plain/image.h>

typedef struct onednn_conv onednn_conv;

/* op: LTH_OP_CONV or one of its gradients. LTH_UNSUPPORTED: oneDNN has no fast kernel for it. */
lth_status onednn_conv_new(uint32_t op, const plain_conv *v, int32_t threads, onednn_conv **out);
void onednn_conv_free(onednn_conv *c);
/* Bytes, to be aligned to 64. */
int64_t onednn_conv_workspace(const onednn_conv *c);
/* The op's operands and its result. False when oneDNN fails. */
bool onednn_conv_run(onednn_conv *c, const void *first, const void *second, void *result, void *workspace);
/* oneDNN's name of the kernel: "brgconv:avx512_core". How many of the three tensors are reordered. */
const char *onednn_conv_name(const onednn_conv *c, int32_t *reordered);

#endif
