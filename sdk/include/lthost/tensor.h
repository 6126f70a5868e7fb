/* SPDX-License-Identifier: Apache-2.0
 * lthost/tensor.h: the tensor, and recording ops on it.
 *
 * A tensor is a 16-byte value that names a node of the step being recorded: nothing to free, nothing to leak. Nothing is
 * computed when an op is written; the host compiles the whole step and runs it. Errors are sticky: a bad op records the
 * first message with the author's file and line and returns a poison tensor, which later ops pass on, so that no check is
 * needed after each call. A tensor kept from an earlier step is caught and reported with both places.
 *
 * All functions of this header: [main], during a step function or a recorded hook. */
#ifndef LTHOST_TENSOR_H
#define LTHOST_TENSOR_H

#include "base.h"
#include "op.h"
#include <math.h>
#include <stdio.h>

LTH_BEGIN_C

typedef struct lth_trace lth_trace;
struct lth_custom_op;

typedef struct lth_tensor {
    lth_trace *trace;
    uint32_t node, generation;
} lth_tensor;

/* A parameter and a buffer are named state of the model, made in `configure` (setup.h): other types than a tensor, so
 * that mixing them does not compile. 0 is none. */
typedef struct lth_parameter { uint32_t id, reserved; } lth_parameter;
typedef struct lth_buffer { uint32_t id, reserved; } lth_buffer;

typedef struct lth_trace_api {
    uint32_t struct_size, reserved;
    /* Records an op; returns its first result. attributes may be NULL where the op has none. */
    lth_tensor (*emit)(lth_trace *t, uint32_t op, const lth_tensor *operands, uint32_t count, const void *attributes,
                       uint32_t attributes_size, const char *file, uint32_t line);
    /* Result `index` of the node whose first result is x. */
    lth_tensor (*result)(lth_trace *t, lth_tensor x, uint32_t index);
    /* x's shape; a poison tensor has rank 0. Valid until the step ends. */
    const lth_shape *(*shape)(lth_trace *t, lth_tensor x);
    /* A run-time scalar of rank 0. dtype NONE: the run's floating type. */
    lth_tensor (*scalar)(lth_trace *t, double value, lth_dtype dtype, const char *file, uint32_t line);
    lth_tensor (*parameter)(lth_trace *t, lth_parameter p, const char *file, uint32_t line);
    lth_tensor (*buffer)(lth_trace *t, lth_buffer b, const char *file, uint32_t line);
    /* The buffer's value from the end of this step on; reads after it in the same step see it. */
    void (*assign)(lth_trace *t, lth_buffer b, lth_tensor value, const char *file, uint32_t line);
    /* Computes x now and copies its elements to `out` (size bytes, of x's dtype). Ends a segment: what was recorded so
     * far runs as a plan of its own. Returns 0 when poisoned; the message is kept. */
    lth_status (*read)(lth_trace *t, lth_tensor x, void *out, uint64_t size, const char *file, uint32_t line);
    /* Records the author's own error; returns poison. */
    lth_tensor (*fail)(lth_trace *t, const char *file, uint32_t line, const char *message);
    /* LTH_OK, or the status of the first error. */
    lth_status (*status)(lth_trace *t);
    /* Whether dropout and the like are active: true in a training step. */
    bool (*training)(lth_trace *t);
    /* An id for one more random op of this step. */
    uint32_t (*random_id)(lth_trace *t);
    /* The run's floating type: F32, or F64 under `precision = 64-true`. */
    lth_dtype (*floating)(lth_trace *t);
    /* Control flow, by control.h. loop_begin opens a loop's body and returns the index (the LOOP's first result); count none:
     * all `length` turns. loop_end closes the body that was opened last and returns LOOP_END's first result. */
    lth_tensor (*loop_begin)(lth_trace *t, lth_tensor count, const lth_attr_loop *loop, const lth_tensor *carried,
                             const lth_tensor *sequences, const char *file, uint32_t line);
    lth_tensor (*loop_end)(lth_trace *t, lth_tensor index, const lth_tensor *next, uint32_t next_count, const lth_tensor *parts,
                           uint32_t part_count, const char *file, uint32_t line);
    /* Records an author's own op (custom.h); returns its first result. */
    lth_tensor (*custom)(lth_trace *t, const struct lth_custom_op *op, const lth_tensor *operands, uint32_t count,
                         const void *attributes, uint32_t attributes_size, const char *file, uint32_t line);
    /* begin 1: what follows is computed again in the backward pass; 0: up to here (control.h). */
    void (*checkpoint)(lth_trace *t, uint32_t begin, const char *file, uint32_t line);
} lth_trace_api;

/* A trace begins with the table that serves it, so that a tensor is all that an op needs. */
struct lth_trace { const lth_trace_api *api; };

/* An operand: a tensor, or a plain number that becomes a run-time scalar of the other operand's dtype. */
typedef struct lth_operand { lth_tensor tensor; double number; uint32_t is_number, reserved; } lth_operand;
static inline lth_operand lth_operand_tensor_(lth_tensor t) { lth_operand o = { t, 0, 0, 0 }; return o; }
static inline lth_operand lth_operand_number_(double x) { lth_operand o = { { NULL, 0, 0 }, x, 1, 0 }; return o; }
#ifdef __cplusplus
LTH_END_C
static inline lth_operand lth_operand_(lth_tensor t) { return lth_operand_tensor_(t); }
static inline lth_operand lth_operand_(double x) { return lth_operand_number_(x); }
#define LTH_OPERAND_(x) lth_operand_(x)
LTH_BEGIN_C
#else
#define LTH_OPERAND_(x) _Generic((x), lth_tensor: lth_operand_tensor_, default: lth_operand_number_)(x)
#endif

static inline lth_tensor lth_none(void) { lth_tensor t = { NULL, 0, 0 }; return t; }
static inline bool lth_is_none(lth_tensor t) { return t.trace == NULL; }

/* The shape of x; never NULL. */
static inline const lth_shape *lth_shape_of(lth_tensor x)
{
    static const lth_shape nothing = { LTH_DTYPE_NONE, 0, { 0 } };
    return x.trace ? x.trace->api->shape(x.trace, x) : &nothing;
}
static inline int32_t lth_rank(lth_tensor x) { return lth_shape_of(x)->rank; }
static inline lth_dtype lth_dtype_of(lth_tensor x) { return lth_shape_of(x)->dtype; }
/* Dimension `axis`, negative from the end; 0 when out of range. */
static inline int64_t lth_dim(lth_tensor x, int32_t axis)
{
    const lth_shape *s = lth_shape_of(x);
    int32_t a = axis < 0 ? axis + s->rank : axis;
    return a >= 0 && a < s->rank ? s->dim[a] : 0;
}
static inline int64_t lth_count(lth_tensor x) { return lth_shape_count(lth_shape_of(x)); }
static inline bool lth_training(lth_tensor x) { return x.trace && x.trace->api->training(x.trace); }

/* n operands; an uninitialised one (no trace) is reported at the caller's place through the first that has a trace. */
static inline lth_tensor lth_op_(uint32_t op, const lth_tensor *x, uint32_t n, const void *attributes, uint32_t size, const char *file,
                                 uint32_t line)
{
    for (uint32_t i = 0; i < n; i++)
        if (x[i].trace)
            return x[i].trace->api->emit(x[i].trace, op, x, n, attributes, size, file, line);
    return lth_none();
}
static inline lth_tensor lth_op1_(uint32_t op, lth_tensor x, const void *attributes, uint32_t size, const char *file, uint32_t line)
{
    return lth_op_(op, &x, 1, attributes, size, file, line);
}
static inline lth_tensor lth_operand_resolve_(lth_operand o, lth_tensor like, const char *file, uint32_t line)
{
    return !o.is_number ? o.tensor : like.trace ? like.trace->api->scalar(like.trace, o.number, lth_dtype_of(like), file, line) : lth_none();
}
static inline lth_tensor lth_op2_(uint32_t op, lth_operand a, lth_operand b, const char *file, uint32_t line)
{
    lth_tensor x[2] = { lth_operand_resolve_(a, b.tensor, file, line), lth_operand_resolve_(b, a.tensor, file, line) };
    return lth_op_(op, x, 2, NULL, 0, file, line);
}
static inline lth_tensor lth_op3_(uint32_t op, lth_tensor c, lth_operand a, lth_operand b, const char *file, uint32_t line)
{
    lth_tensor like = !a.is_number ? a.tensor : b.tensor;
    if (a.is_number && b.is_number && c.trace)
        like = c.trace->api->scalar(c.trace, 0, LTH_DTYPE_NONE, file, line);
    lth_tensor x[3] = { c, lth_operand_resolve_(a, like, file, line), lth_operand_resolve_(b, like, file, line) };
    return lth_op_(op, x, 3, NULL, 0, file, line);
}

/* Pointwise, one operand. */
#define lth_neg(x) lth_op1_(LTH_OP_NEG, (x), NULL, 0, LTH_HERE)
#define lth_exp(x) lth_op1_(LTH_OP_EXP, (x), NULL, 0, LTH_HERE)
#define lth_ln(x) lth_op1_(LTH_OP_LOG, (x), NULL, 0, LTH_HERE) /* natural; `lth_log` logs a value (step.h) */
#define lth_sqrt(x) lth_op1_(LTH_OP_SQRT, (x), NULL, 0, LTH_HERE)
#define lth_rsqrt(x) lth_op1_(LTH_OP_RSQRT, (x), NULL, 0, LTH_HERE)
#define lth_sin(x) lth_op1_(LTH_OP_SIN, (x), NULL, 0, LTH_HERE)
#define lth_cos(x) lth_op1_(LTH_OP_COS, (x), NULL, 0, LTH_HERE)
#define lth_tanh(x) lth_op1_(LTH_OP_TANH, (x), NULL, 0, LTH_HERE)
#define lth_erf(x) lth_op1_(LTH_OP_ERF, (x), NULL, 0, LTH_HERE)
#define lth_abs(x) lth_op1_(LTH_OP_ABS, (x), NULL, 0, LTH_HERE)
#define lth_sign(x) lth_op1_(LTH_OP_SIGN, (x), NULL, 0, LTH_HERE)
#define lth_floor(x) lth_op1_(LTH_OP_FLOOR, (x), NULL, 0, LTH_HERE)
#define lth_ceil(x) lth_op1_(LTH_OP_CEIL, (x), NULL, 0, LTH_HERE)
#define lth_round(x) lth_op1_(LTH_OP_ROUND, (x), NULL, 0, LTH_HERE)
#define lth_log1p(x) lth_op1_(LTH_OP_LOG1P, (x), NULL, 0, LTH_HERE)
#define lth_expm1(x) lth_op1_(LTH_OP_EXPM1, (x), NULL, 0, LTH_HERE)
#define lth_reciprocal(x) lth_op1_(LTH_OP_RECIPROCAL, (x), NULL, 0, LTH_HERE)
#define lth_square(x) lth_op1_(LTH_OP_SQUARE, (x), NULL, 0, LTH_HERE)
#define lth_sigmoid(x) lth_op1_(LTH_OP_SIGMOID, (x), NULL, 0, LTH_HERE)
#define lth_relu(x) lth_op1_(LTH_OP_RELU, (x), NULL, 0, LTH_HERE)
#define lth_gelu(x) lth_op1_(LTH_OP_GELU, (x), NULL, 0, LTH_HERE)
#define lth_gelu_tanh(x) lth_op1_(LTH_OP_GELU_TANH, (x), NULL, 0, LTH_HERE)
#define lth_silu(x) lth_op1_(LTH_OP_SILU, (x), NULL, 0, LTH_HERE)
#define lth_softplus(x) lth_op1_(LTH_OP_SOFTPLUS, (x), NULL, 0, LTH_HERE)
#define lth_not(x) lth_op1_(LTH_OP_NOT, (x), NULL, 0, LTH_HERE)
#define lth_isfinite(x) lth_op1_(LTH_OP_ISFINITE, (x), NULL, 0, LTH_HERE)
#define lth_stop_gradient(x) lth_op1_(LTH_OP_STOP_GRADIENT, (x), NULL, 0, LTH_HERE)
#define lth_cast(x, type) lth_op1_(LTH_OP_CAST, (x), LTH_REF(lth_attr_dtype, (type), 0), sizeof(lth_attr_dtype), LTH_HERE)

/* Pointwise, two operands: each a tensor or a number, broadcast as in NumPy. */
#define lth_add(a, b) lth_op2_(LTH_OP_ADD, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_sub(a, b) lth_op2_(LTH_OP_SUB, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_mul(a, b) lth_op2_(LTH_OP_MUL, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_div(a, b) lth_op2_(LTH_OP_DIV, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_pow(a, b) lth_op2_(LTH_OP_POW, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_maximum(a, b) lth_op2_(LTH_OP_MAXIMUM, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_minimum(a, b) lth_op2_(LTH_OP_MINIMUM, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_eq(a, b) lth_op2_(LTH_OP_EQ, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_ne(a, b) lth_op2_(LTH_OP_NE, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_lt(a, b) lth_op2_(LTH_OP_LT, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_le(a, b) lth_op2_(LTH_OP_LE, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_gt(a, b) lth_op2_(LTH_OP_GT, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_ge(a, b) lth_op2_(LTH_OP_GE, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_and(a, b) lth_op2_(LTH_OP_AND, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_or(a, b) lth_op2_(LTH_OP_OR, LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)
#define lth_where(c, a, b) lth_op3_(LTH_OP_WHERE, (c), LTH_OPERAND_(a), LTH_OPERAND_(b), LTH_HERE)

/* Shape. Dimensions and axes are given as a list: lth_reshape(x, B, T, 3, -1); lth_permute(x, 0, 2, 1). */
typedef struct lth_dims { int32_t rank; int32_t reserved; int64_t dim[LTH_MAX_RANK]; } lth_dims;
static inline lth_tensor lth_op_dims_(uint32_t op, lth_tensor x, const int64_t *dim, uint64_t rank, const char *file, uint32_t line)
{
    lth_attr_dims a = { (int32_t)rank, 0, { 0 } };
    if (rank > LTH_MAX_RANK)
        return x.trace ? x.trace->api->fail(x.trace, file, line, "more than 8 dimensions") : x;
    for (uint64_t i = 0; i < rank; i++)
        a.dim[i] = dim[i];
    return lth_op1_(op, x, &a, sizeof a, file, line);
}
#ifdef __cplusplus
LTH_END_C
template <class... D> static inline lth_tensor lth_op_list_(uint32_t op, lth_tensor x, const char *file, uint32_t line, D... d)
{
    const int64_t dim[] = { static_cast<int64_t>(d)..., 0 };
    return lth_op_dims_(op, x, dim, sizeof...(d), file, line);
}
#define LTH_DIMS_(op, x, ...) lth_op_list_(op, (x), LTH_HERE, __VA_ARGS__)
LTH_BEGIN_C
#else
#define LTH_DIMS_(op, x, ...)                                                                                            \
    lth_op_dims_(op, (x), (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / 8, LTH_HERE)
#endif
#define lth_reshape(x, ...) LTH_DIMS_(LTH_OP_RESHAPE, x, __VA_ARGS__)
#define lth_permute(x, ...) LTH_DIMS_(LTH_OP_PERMUTE, x, __VA_ARGS__)
#define lth_expand(x, ...) LTH_DIMS_(LTH_OP_EXPAND, x, __VA_ARGS__)
/* The same with a shape at hand (its dtype is not looked at). */
#define lth_reshape_to(x, shape) lth_op_dims_(LTH_OP_RESHAPE, (x), (shape)->dim, (uint64_t)(shape)->rank, LTH_HERE)
#define lth_expand_to(x, shape) lth_op_dims_(LTH_OP_EXPAND, (x), (shape)->dim, (uint64_t)(shape)->rank, LTH_HERE)

/* All axes from `start` on become one: (B, C, H, W) -> lth_flatten(x, 1) -> (B, C H W). */
static inline lth_tensor lth_flatten_(lth_tensor x, int32_t start, const char *file, uint32_t line)
{
    const lth_shape *s = lth_shape_of(x);
    int64_t dim[LTH_MAX_RANK] = { 0 };
    if (start < 0 || start > s->rank)
        return x.trace ? x.trace->api->fail(x.trace, file, line, "lth_flatten: no such axis") : x;
    int64_t n = 1;
    for (int32_t i = 0; i < s->rank; i++)
        if (i < start) dim[i] = s->dim[i];
        else n *= s->dim[i];
    if (start == LTH_MAX_RANK) return x;
    dim[start] = n;
    return lth_op_dims_(LTH_OP_RESHAPE, x, dim, (uint64_t)start + 1, file, line);
}
#define lth_flatten(x, start) lth_flatten_((x), (start), LTH_HERE)

static inline lth_tensor lth_transpose_(lth_tensor x, int32_t a, int32_t b, const char *file, uint32_t line)
{
    int32_t rank = lth_rank(x);
    int64_t dim[LTH_MAX_RANK] = { 0 };
    a += a < 0 ? rank : 0;
    b += b < 0 ? rank : 0;
    if (a < 0 || b < 0 || a >= rank || b >= rank)
        return x.trace ? x.trace->api->fail(x.trace, file, line, "lth_transpose: no such axis") : x;
    for (int32_t i = 0; i < rank; i++)
        dim[i] = i == a ? b : i == b ? a : i;
    return lth_op_dims_(LTH_OP_PERMUTE, x, dim, (uint64_t)rank, file, line);
}
#define lth_transpose(x, a, b) lth_transpose_((x), (a), (b), LTH_HERE)

/* x[..., start:stop, ...] on one axis; negative start and stop count from the end, stop = INT64_MAX is the end. */
static inline lth_tensor lth_slice_(lth_tensor x, int32_t axis, int64_t start, int64_t stop, const char *file, uint32_t line)
{
    const lth_shape *s = lth_shape_of(x);
    lth_attr_slice at = { { 0 }, { 0 }, { 0 } };
    int32_t a = axis < 0 ? axis + s->rank : axis;
    for (int32_t i = 0; i < s->rank; i++)
        at.start[i] = 0, at.length[i] = s->dim[i], at.step[i] = 1;
    if (a < 0 || a >= s->rank)
        return x.trace ? x.trace->api->fail(x.trace, file, line, "lth_slice: no such axis") : x;
    if (start < 0) start += s->dim[a];
    if (stop < 0) stop += s->dim[a];
    if (stop > s->dim[a]) stop = s->dim[a];
    at.start[a] = start;
    at.length[a] = start < 0 || stop < 0 ? -1 : stop - start; /* -1: refused */
    return lth_op1_(LTH_OP_SLICE, x, &at, sizeof at, file, line);
}
#define lth_slice(x, axis, start, stop) lth_slice_((x), (axis), (start), (stop), LTH_HERE)
/* `length` elements from a run-time index (i64, rank 0): one plan for every index. */
#define lth_slice_at(x, axis, start, length)                                                                             \
    lth_op_(LTH_OP_SLICE_AT, LTH_TENSORS_((x), (start)), 2, LTH_REF(lth_attr_window, (axis), (length)), sizeof(lth_attr_window), LTH_HERE)
#define lth_update_at(x, axis, start, part)                                                                              \
    lth_op_(LTH_OP_UPDATE_AT, LTH_TENSORS_((x), (part), (start)), 3, LTH_REF(lth_attr_window, (axis), lth_dim((part), (axis))),   \
            sizeof(lth_attr_window), LTH_HERE)
#define lth_flip(x, axis) lth_op1_(LTH_OP_FLIP, (x), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)

typedef struct lth_tensor_list_ { lth_tensor at[4]; } lth_tensor_list_;
#define LTH_TENSORS_(...) (LTH_REF(lth_tensor_list_, { __VA_ARGS__ })->at)

/* Concatenates `count` tensors along an axis; lth_stack makes the axis. */
#define lth_concat(tensors, count, axis)                                                                                 \
    lth_op_(LTH_OP_CONCAT, (tensors), (uint32_t)(count), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)

/* Reductions over all axes, lth_sum(x), or over one, lth_sum_axis(x, -1, 0); over several: lth_sum_axes (statistics.h). */
typedef struct lth_reduce_args { uint32_t axes LTH_ZERO; int32_t keep LTH_ZERO; } lth_reduce_args; /* not used any more */
static inline lth_tensor lth_reduce_(uint32_t op, lth_tensor x, int32_t axis, int32_t all, int32_t keep, const char *file, uint32_t line)
{
    int32_t rank = lth_rank(x), a = axis < 0 ? axis + rank : axis;
    lth_attr_reduce at = { all ? (uint32_t)((1u << rank) - 1) : 1u << (a & 31), (uint32_t)(keep > 0) };
    if (!all && (a < 0 || a >= rank))
        return x.trace ? x.trace->api->fail(x.trace, file, line, "a reduction over an axis that the tensor does not have") : x;
    return lth_op1_(op, x, &at, sizeof at, file, line);
}
#define lth_sum(x) lth_reduce_(LTH_OP_SUM, (x), 0, 1, 0, LTH_HERE)
#define lth_mean(x) lth_reduce_(LTH_OP_MEAN, (x), 0, 1, 0, LTH_HERE)
#define lth_max(x) lth_reduce_(LTH_OP_MAX, (x), 0, 1, 0, LTH_HERE)
#define lth_min(x) lth_reduce_(LTH_OP_MIN, (x), 0, 1, 0, LTH_HERE)
/* Over one axis (negative from the end); keep = 1 leaves it with length 1. */
#define lth_sum_axis(x, axis, keep) lth_reduce_(LTH_OP_SUM, (x), (axis), 0, (keep), LTH_HERE)
#define lth_mean_axis(x, axis, keep) lth_reduce_(LTH_OP_MEAN, (x), (axis), 0, (keep), LTH_HERE)
#define lth_max_axis(x, axis, keep) lth_reduce_(LTH_OP_MAX, (x), (axis), 0, (keep), LTH_HERE)
#define lth_min_axis(x, axis, keep) lth_reduce_(LTH_OP_MIN, (x), (axis), 0, (keep), LTH_HERE)
#define lth_prod_axis(x, axis, keep) lth_reduce_(LTH_OP_PROD, (x), (axis), 0, (keep), LTH_HERE)
#define lth_logsumexp(x, axis, keep) lth_reduce_(LTH_OP_LOGSUMEXP, (x), (axis), 0, (keep), LTH_HERE)
#define lth_argmax(x, axis) lth_op1_(LTH_OP_ARGMAX, (x), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)
#define lth_argmin(x, axis) lth_op1_(LTH_OP_ARGMIN, (x), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)
#define lth_all_finite(x) lth_op1_(LTH_OP_ALL_FINITE, (x), NULL, 0, LTH_HERE)

/* (..., M, K) x (..., K, N) -> (..., M, N); batch axes broadcast. lth_matmul_t takes b as (..., N, K). */
#define lth_matmul(a, b)                                                                                                 \
    lth_op_(LTH_OP_MATMUL, LTH_TENSORS_((a), (b)), 2, LTH_REF(lth_attr_matmul, 0, 0, LTH_DTYPE_NONE, 0), sizeof(lth_attr_matmul), LTH_HERE)
#define lth_matmul_t(a, b)                                                                                               \
    lth_op_(LTH_OP_MATMUL, LTH_TENSORS_((a), (b)), 2, LTH_REF(lth_attr_matmul, 0, 1, LTH_DTYPE_NONE, 0), sizeof(lth_attr_matmul), LTH_HERE)
#define lth_gather(table, index) lth_op_(LTH_OP_GATHER, LTH_TENSORS_((table), (index)), 2, NULL, 0, LTH_HERE)
#define lth_scatter_add(rows, index, length)                                                                             \
    lth_op_(LTH_OP_SCATTER_ADD, LTH_TENSORS_((rows), (index)), 2, LTH_REF(lth_attr_axis, (length)), sizeof(lth_attr_axis), LTH_HERE)
#define lth_gather_along(x, index, axis)                                                                                 \
    lth_op_(LTH_OP_GATHER_ALONG, LTH_TENSORS_((x), (index)), 2, LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)
#define lth_scatter_along(values, index, axis, length)                                                                   \
    lth_op_(LTH_OP_SCATTER_ALONG, LTH_TENSORS_((values), (index)), 2, LTH_REF(lth_attr_scatter, (axis), (length)),       \
            sizeof(lth_attr_scatter), LTH_HERE)
#define lth_softmax(x, axis) lth_op1_(LTH_OP_SOFTMAX, (x), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)
#define lth_log_softmax(x, axis) lth_op1_(LTH_OP_LOG_SOFTMAX, (x), LTH_REF(lth_attr_axis, (axis)), sizeof(lth_attr_axis), LTH_HERE)

/* A run-time scalar of rank 0 and of the run's floating type. `near` is any tensor of the step. */
#define lth_scalar(near_, value) lth_scalar_((near_), (value), LTH_HERE)
static inline lth_tensor lth_scalar_(lth_tensor near_, double value, const char *file, uint32_t line)
{
    return near_.trace ? near_.trace->api->scalar(near_.trace, value, LTH_DTYPE_NONE, file, line) : near_;
}
/* 0, 1, 2, ... along `axis`, in the shape given; its dtype NONE (LTH_SHAPE): of near_'s type. */
static inline lth_tensor lth_iota_(lth_tensor near_, const lth_shape *shape, int64_t axis, const char *file, uint32_t line)
{
    if (!near_.trace) return near_;
    lth_attr_shape a = { *shape, axis };
    if (a.shape.dtype == LTH_DTYPE_NONE) a.shape.dtype = lth_dtype_of(near_);
    return near_.trace->api->emit(near_.trace, LTH_OP_IOTA, NULL, 0, &a, sizeof a, file, line);
}
#define lth_iota(near_, shape, axis) lth_iota_((near_), (shape), (axis), LTH_HERE)

/* Uniform in [0, 1) and standard normal numbers of the shape given; fresh in every step, the same after a resume. Its dtype
 * NONE (LTH_SHAPE): of near_'s type if that is floating, else of the run's. */
static inline lth_tensor lth_random_(uint32_t op, lth_tensor near_, const lth_shape *shape, const char *file, uint32_t line)
{
    if (!near_.trace) return near_;
    lth_attr_random a = { *shape, near_.trace->api->random_id(near_.trace), 0 };
    if (a.shape.dtype == LTH_DTYPE_NONE)
        a.shape.dtype = lth_dtype_is_float(lth_dtype_of(near_)) ? lth_dtype_of(near_) : near_.trace->api->floating(near_.trace);
    return near_.trace->api->emit(near_.trace, op, NULL, 0, &a, sizeof a, file, line);
}
#define lth_uniform(near_, shape) lth_random_(LTH_OP_UNIFORM, (near_), (shape), LTH_HERE)
#define lth_normal(near_, shape) lth_random_(LTH_OP_NORMAL, (near_), (shape), LTH_HERE)

/* Zeroes elements with probability p and scales the rest by 1 / (1 - p) in training; the identity elsewhere. */
static inline lth_tensor lth_dropout_(lth_tensor x, double p, const char *file, uint32_t line)
{
    if (!x.trace || !x.trace->api->training(x.trace) || p == 0) return x;
    if (!(p > 0 && p < 1)) return x.trace->api->fail(x.trace, file, line, "dropout: the probability must be in [0, 1)");
    lth_attr_random a = { *lth_shape_of(x), x.trace->api->random_id(x.trace), 0 };
    lth_tensor in[2] = { x, x.trace->api->scalar(x.trace, p, lth_dtype_of(x), file, line) };
    return lth_op_(LTH_OP_DROPOUT, in, 2, &a, sizeof a, file, line);
}
#define lth_dropout(x, p) lth_dropout_((x), (p), LTH_HERE)

/* (x - mean) / sqrt(var + eps) over the last `axes` axes, biased variance, no affine part (nn/norm.h adds it). */
static inline lth_tensor lth_standardize_(lth_tensor x, int64_t axes, double eps, const char *file, uint32_t line)
{
    if (!x.trace) return x;
    lth_attr_axis a = { axes };
    lth_tensor in[2] = { x, x.trace->api->scalar(x.trace, eps, lth_dtype_of(x), file, line) };
    return lth_op_(LTH_OP_LAYER_NORM, in, 2, &a, sizeof a, file, line);
}
#define lth_standardize(x, axes, eps) lth_standardize_((x), (axes), (eps), LTH_HERE)

/* State. */
static inline lth_tensor lth_parameter_value_(lth_tensor near_, lth_parameter p, const char *file, uint32_t line)
{
    return near_.trace ? near_.trace->api->parameter(near_.trace, p, file, line) : near_;
}
#define lth_parameter_value(near_, p) lth_parameter_value_((near_), (p), LTH_HERE)
static inline lth_tensor lth_buffer_value_(lth_tensor near_, lth_buffer b, const char *file, uint32_t line)
{
    return near_.trace ? near_.trace->api->buffer(near_.trace, b, file, line) : near_;
}
#define lth_buffer_value(near_, b) lth_buffer_value_((near_), (b), LTH_HERE)
#define lth_assign(b, value) lth_assign_((b), (value), LTH_HERE)
static inline void lth_assign_(lth_buffer b, lth_tensor value, const char *file, uint32_t line)
{
    if (value.trace) value.trace->api->assign(value.trace, b, value, file, line);
}

/* d loss / d wrt[i] into gradient[i], symbolic, differentiable again. */
static inline void lth_grad_(lth_tensor loss, const lth_tensor *wrt, uint32_t count, lth_tensor *gradient, const char *file, uint32_t line)
{
    lth_tensor in[1 + 64];
    if (!loss.trace || count > 64) {
        for (uint32_t i = 0; i < count; i++)
            gradient[i] = loss.trace ? loss.trace->api->fail(loss.trace, file, line, "lth_grad: more than 64 tensors") : loss;
        return;
    }
    in[0] = loss;
    for (uint32_t i = 0; i < count; i++)
        in[1 + i] = wrt[i];
    lth_tensor first = loss.trace->api->emit(loss.trace, LTH_OP_GRAD, in, 1 + count, NULL, 0, file, line);
    for (uint32_t i = 0; i < count; i++)
        gradient[i] = loss.trace->api->result(loss.trace, first, i);
}
#define lth_grad(loss, wrt, count, gradient) lth_grad_((loss), (wrt), (count), (gradient), LTH_HERE)

/* Shows x's elements on the terminal when the step runs, in order, under `text`. */
static inline void lth_text_(uint32_t op, lth_tensor x, const char *text, const char *file, uint32_t line)
{
    lth_attr_text a = { { 0 } };
    snprintf(a.text, sizeof a.text, "%s", text);
    (void)lth_op1_(op, x, &a, sizeof a, file, line);
}
#define lth_print(text, x) lth_text_(LTH_OP_PRINT, (x), (text), LTH_HERE)
/* Fails the step, before anything is committed, if any element of the bool tensor is false. */
#define lth_assert(condition, text) lth_text_(LTH_OP_ASSERT, (condition), (text), LTH_HERE)

/* Waits for x's value: ends a segment (see lth_trace_api.read). Returns the element of a scalar as a double, NaN if poisoned. */
#define lth_item(x) lth_item_((x), LTH_HERE)
static inline double lth_item_(lth_tensor x, const char *file, uint32_t line)
{
    union { double f64; float f32; int64_t i64; int32_t i32; uint8_t u8; int8_t i8; unsigned char bytes[8]; } v = { 0 };
    lth_dtype t = lth_dtype_of(x);
    if (!x.trace) return NAN;
    lth_tensor y = x;
    if (t == LTH_BF16 || t == LTH_F16) {
        lth_attr_dtype a = { LTH_F32, 0 };
        y = lth_op1_(LTH_OP_CAST, x, &a, sizeof a, file, line);
        t = LTH_F32;
    }
    if (x.trace->api->read(x.trace, y, v.bytes, (uint64_t)lth_dtype_size(t), file, line) != LTH_OK) return NAN;
    return t == LTH_F64 ? v.f64 : t == LTH_F32 ? (double)v.f32 : t == LTH_I64 ? (double)v.i64 : t == LTH_I32 ? (double)v.i32
           : t == LTH_I8 ? (double)v.i8 : (double)v.u8;
}

LTH_END_C
#endif
