/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_conv.h: what the rules of images and signals share. x is (N, C, in...) with 1 to 3 spatial axes. */
#ifndef ENGINE_OPS_CONV_H
#define ENGINE_OPS_CONV_H

#include "engine/ops.h"

enum {
    OP_IMAGE_LEAD = 2, /* N and C */
    OP_IMAGE_AXES = 3,
    OP_IMAGE_MOST = 1 << 30, /* of what counts elements of one axis */
    OP_IMAGE_APART = 1 << 24 /* of padding and dilation: rules look at each window that begins in the padding */
};

/* A window along one axis. */
typedef struct op_window {
    int64_t kernel, stride, low, high, dilation;
} op_window;

/* Number of spatial axes of operand i; 0 with the refusal. `name`: "x". */
int32_t op_image_axes(op_shapes *s, uint32_t i, const char *name);
/* Whether the window is one that axis `axis` of `in` elements can have. ceil: a last one may reach beyond the padding.
 * *out: how many there are. */
bool op_windows(op_shapes *s, const op_window *w, int32_t axis, int64_t in, bool ceil, int64_t *out);

/* For maps that are linear along each spatial axis alone: x (N, C, in...) through the matrix (in, out) of every axis in turn,
 * transposed: from out to in. `matrix` appends the one of spatial axis `axis`, of a floating type. */
typedef uint32_t op_axis_matrix(op_rule *r, int32_t axis, int64_t in, int64_t out, lth_dtype dtype);
/* to: the result's shape. */
uint32_t op_through_axes(op_rule *r, op_axis_matrix *matrix, const lth_shape *to, bool transposed);
/* 0, 1, 2, ... along `axis` (0 or 1) of (in, out): i64. */
uint32_t op_matrix_iota(op_rule *r, int32_t axis, int64_t in, int64_t out);

/* The rules of the table in ops_conv.c. */
bool op_shape_max_pool(op_shapes *s);
bool op_shape_avg_pool(op_shapes *s);
bool op_shape_avg_pool_grad(op_shapes *s);
bool op_shape_resize(op_shapes *s);
bool op_shape_resize_grad(op_shapes *s);
void op_grad_max_pool(op_rule *r);
void op_grad_avg_pool(op_rule *r);
void op_grad_avg_pool_grad(op_rule *r);
void op_grad_resize(op_rule *r);
void op_grad_resize_grad(op_rule *r);
void op_decompose_avg_pool(op_rule *r);
void op_decompose_avg_pool_grad(op_rule *r);
void op_decompose_resize(op_rule *r);
void op_decompose_resize_grad(op_rule *r);

#endif
