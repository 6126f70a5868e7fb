/* SPDX-License-Identifier: Apache-2.0
 * attention.h: what a call of attention reads and writes, for the kernels of attention_float.h. */
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include <lthost/base.h>

/* (B, heads, length, channels), the channels side by side; strides in elements. */
typedef struct cpu_heads {
    char *data;
    int64_t batch, head, row;
} cpu_heads;

typedef struct cpu_attention {
    int64_t B, H, G, queries, keys, D, E; /* H heads of D channels, G groups of them that share keys; E channels of values */
    bool narrow;                          /* heads are of bf16; all else is f32 */
    bool causal, dropout;
    cpu_heads q, k, v, y;         /*  */
    cpu_heads d_y, d_q, d_k, d_v; /* the gradient's */
    void *l;                      /* log-sum-exp (B, H, queries): the gradient reads it */
    double scale, p;              /* p: of dropout */
    uint64_t seed;                /* of its random numbers */
    uint32_t id, step, stream;
    const void *mask; /* NULL: none */
    lth_dtype mask_type;
    int64_t mask_stride[4]; /* by sequence, head, query and key; 0 where it repeats */
} cpu_attention;

enum { CPU_ATTENTION_BLOCK = 64 }; /* queries that a thread takes at a time: whole panels on each instruction set */

#endif
