/* SPDX-License-Identifier: Apache-2.0
 * engine/ops.h: what the rules of ops are written with.
 *
 * A file ops_*.c holds the rules of one family, and at its end the family's table: an op a line, shape rule, gradient and
 * decomposition side by side. The tables are in order of code and without gaps, so that op_find is an index. */
#ifndef ENGINE_OPS_H
#define ENGINE_OPS_H

#include "engine/op_table.h"

extern const op_info ops_leaves[], ops_unary[], ops_binary[], ops_shape[], ops_reduce[], ops_linear[], ops_conv[], ops_nn[],
    ops_sequence[], ops_control[], ops_effects[], ops_symbolic[];

/* Rules that stand in another file than their table. */
bool shape_layer_norm(op_shapes *s); /* of RMS norm, too */
void grad_layer_norm(op_rule *r);
void decompose_layer_norm(op_rule *r);
void grad_rms_norm(op_rule *r);
void decompose_rms_norm(op_rule *r);
bool shape_batch_norm(op_shapes *s);
void grad_batch_norm(op_rule *r);
void decompose_batch_norm(op_rule *r);
bool shape_attention(op_shapes *s);
void grad_attention(op_rule *r);
void decompose_attention(op_rule *r);
bool shape_attention_grad(op_shapes *s);
void decompose_attention_grad(op_rule *r);
bool shape_rotary(op_shapes *s);
void grad_rotary(op_rule *r);
void decompose_rotary(op_rule *r);
bool shape_cumsum(op_shapes *s);
void grad_cumsum(op_rule *r);
bool shape_argsort(op_shapes *s);
bool shape_rnn(op_shapes *s);
void decompose_rnn(op_rule *r);
bool shape_rnn_steps(op_shapes *s);
void grad_rnn_steps(op_rule *r);
void decompose_rnn_steps(op_rule *r);
bool shape_rnn_steps_grad(op_shapes *s);
void decompose_rnn_steps_grad(op_rule *r);
void grad_custom(op_rule *r);

/* ---- For shape rules ---- */

typedef struct shape_text {
    char text[200];
} shape_text;
/* "(64, 784)"; "()" for a scalar. */
shape_text op_shape_text(const lth_shape *s);

/* Records why the op is refused (its name is put in front later). Returns false. */
LTH_PRINTF(2, 3) bool op_refuse(op_shapes *s, const char *format, ...);

/* Whether operands first.. have one dtype; if not, says so and names lth_cast. */
bool op_same_dtypes(op_shapes *s, uint32_t first);
/* Whether operand i is of the kind of types; if not, says what it is. */
bool op_needs_float(op_shapes *s, uint32_t i);
bool op_needs_number(op_shapes *s, uint32_t i); /* float or integer */
bool op_needs_bool(op_shapes *s, uint32_t i);
bool op_needs_index(op_shapes *s, uint32_t i); /* i32 or i64 */
/* Whether operand i is a scalar of rank 0, called `name` in the message. */
bool op_needs_scalar(op_shapes *s, uint32_t i, const char *name);
/* Resolves an axis counted from the end and checks it against the rank. */
bool op_axis(op_shapes *s, int64_t *axis, int32_t rank);
/* Whether a shape is one: known dtype, rank, no negative dimension, a size in bytes that 64 bits hold. */
bool op_checks_size(op_shapes *s, const lth_shape *shape);

static inline lth_shape op_scalar_shape(lth_dtype dtype) { return (lth_shape) { dtype, 0, { 0 } }; }
static inline bool op_same_dims(const lth_shape *a, const lth_shape *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

/* ---- For gradients and decompositions: each appends nodes and returns a value, LTH_NO_VALUE where an operand is none ---- */

uint32_t op_emit(op_rule *r, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size);

/* Pointwise, broadcast as in NumPy. */
uint32_t op_1(op_rule *r, uint32_t op, uint32_t a);
uint32_t op_2(op_rule *r, uint32_t op, uint32_t a, uint32_t b);
uint32_t op_where(op_rule *r, uint32_t c, uint32_t a, uint32_t b);
/* The same with a number of x's dtype on the right. */
uint32_t op_2n(op_rule *r, uint32_t op, uint32_t x, double number);
static inline uint32_t op_neg(op_rule *r, uint32_t a) { return op_1(r, LTH_OP_NEG, a); }
static inline uint32_t op_add(op_rule *r, uint32_t a, uint32_t b) { return op_2(r, LTH_OP_ADD, a, b); }
static inline uint32_t op_sub(op_rule *r, uint32_t a, uint32_t b) { return op_2(r, LTH_OP_SUB, a, b); }
static inline uint32_t op_mul(op_rule *r, uint32_t a, uint32_t b) { return op_2(r, LTH_OP_MUL, a, b); }
static inline uint32_t op_div(op_rule *r, uint32_t a, uint32_t b) { return op_2(r, LTH_OP_DIV, a, b); }
static inline uint32_t op_scale(op_rule *r, uint32_t x, double number) { return op_2n(r, LTH_OP_MUL, x, number); }
static inline uint32_t op_plus(op_rule *r, uint32_t x, double number) { return op_2n(r, LTH_OP_ADD, x, number); }
uint32_t op_cast(op_rule *r, uint32_t x, lth_dtype dtype);

/* The sum of two gradients, either of which may be none. */
uint32_t op_accumulate(op_rule *r, uint32_t a, uint32_t b);

/* A number of x's dtype: of rank 0, or filling a shape (its dtype). */
uint32_t op_number_like(op_rule *r, uint32_t x, double number);
uint32_t op_filled(op_rule *r, const lth_shape *shape, double number);

uint32_t op_reshape(op_rule *r, uint32_t x, const lth_shape *to);
uint32_t op_expand(op_rule *r, uint32_t x, const lth_shape *to);
uint32_t op_slice_axis(op_rule *r, uint32_t x, int64_t axis, int64_t start, int64_t length);
uint32_t op_concat(op_rule *r, const uint32_t *parts, uint32_t count, int64_t axis);
uint32_t op_reduce(op_rule *r, uint32_t op, uint32_t x, uint32_t axes, bool keep);
/* Undoes a reduction of `from` over axes: y with its axes back, of length 1, so that it broadcasts against `from`. */
uint32_t op_restore_axes(op_rule *r, uint32_t y, const lth_shape *from, uint32_t axes);
/* Sums x over what broadcasting had widened, so that it has the shape `to`. */
uint32_t op_sum_to(op_rule *r, uint32_t x, const lth_shape *to);
uint32_t op_matmul(op_rule *r, uint32_t a, uint32_t b, bool transpose_a, bool transpose_b);
/* True where the class (last axis of logits) is the target's: bool (N, C). */
uint32_t op_one_hot(op_rule *r, uint32_t target, const lth_shape *logits);

/* 1 / (1 + exp(-x)) and log(1 + exp(x)) of primitives, without overflow. */
uint32_t op_stable_sigmoid(op_rule *r, uint32_t x);
uint32_t op_stable_softplus(op_rule *r, uint32_t x);

static inline const lth_shape *op_shape_of(const op_rule *r, uint32_t value) { return graph_shape(r->g, value); }
static inline const lth_shape *op_operand_shape(const op_rule *r, uint32_t i) { return graph_shape(r->g, r->operands[i]); }
static inline lth_dtype op_dtype_of(const op_rule *r, uint32_t value) { return graph_shape(r->g, value)->dtype; }

#endif
