/* SPDX-License-Identifier: Apache-2.0
 * lthost/op.h: the codes and attributes of the ops. They cross the ABI as data.
 *
 * A code's meaning, operands and attributes are frozen for ever; a change is a new code that decomposes into old ones.
 * No attribute is a floating-point number: those are operands (scalars of the step), so that a changed value never means
 * another plan. Unless an op says otherwise its operands have one dtype, which is that of its result.
 *
 * `kind` below: P primitive (every accelerator must run it), C composite (has a decomposition into primitives, which an
 * accelerator that does not support it receives instead), L leaf, E effect, S symbolic (expanded before compilation). */
#ifndef LTHOST_OP_H
#define LTHOST_OP_H

#include "base.h"

LTH_BEGIN_C

enum {
    LTH_OP_NONE = 0,

    /* Leaves. */
    LTH_OP_INPUT = 1,    /* L  lth_attr_slot: what the caller binds to input `slot` (a batch's field, a kept value) */
    LTH_OP_STATE = 2,    /* L  lth_attr_state: a dense slice of an arena (parameter, buffer, optimizer state) */
    LTH_OP_SCALAR = 3,   /* L  lth_attr_slot: rank 0; value `slot` of the step's block of run-time scalars (f64, rounded) */
    LTH_OP_IOTA = 4,     /* L  lth_attr_shape + axis: index along `axis`, any dtype */
    LTH_OP_UNIFORM = 5,  /* L  lth_attr_random: uniform in [0, 1), Philox (random.h) */
    LTH_OP_NORMAL = 6,   /* L  lth_attr_random: standard normal (Box-Muller on Philox) */
    LTH_OP_INTEGER = 7,  /* L  lth_attr_integer: rank 0, an integer of the graph itself, any dtype */

    /* Unary, pointwise: one floating operand unless noted. */
    LTH_OP_NEG = 16, /* P, any numeric type */
    LTH_OP_EXP = 17,
    LTH_OP_LOG = 18,
    LTH_OP_SQRT = 19,
    LTH_OP_RSQRT = 20,
    LTH_OP_SIN = 21,
    LTH_OP_COS = 22,
    LTH_OP_TANH = 23,
    LTH_OP_ERF = 24,
    LTH_OP_ABS = 25,  /* P, any numeric type; gradient 0 at 0 */
    LTH_OP_SIGN = 26, /* P, any numeric type */
    LTH_OP_FLOOR = 27,
    LTH_OP_CEIL = 28,
    LTH_OP_ROUND = 29, /* P, half to even */
    LTH_OP_LOG1P = 30,
    LTH_OP_EXPM1 = 31,
    LTH_OP_RECIPROCAL = 32,  /* C */
    LTH_OP_SQUARE = 33,      /* C */
    LTH_OP_SIGMOID = 34,     /* C */
    LTH_OP_RELU = 35,        /* C, gradient 0 at 0 */
    LTH_OP_GELU = 36,        /* C, x Phi(x) by erf (Hendrycks & Gimpel 2016) */
    LTH_OP_GELU_TANH = 37,   /* C, its tanh approximation */
    LTH_OP_SILU = 38,        /* C, x sigmoid(x) */
    LTH_OP_SOFTPLUS = 39,    /* C, log(1 + exp(x)) without overflow */
    LTH_OP_NOT = 40,         /* P, bool */
    LTH_OP_ISFINITE = 41,    /* P, float -> bool */
    LTH_OP_CAST = 42,        /* P, lth_attr_dtype: any -> any; float to integer truncates, anything non-zero is true */
    LTH_OP_STOP_GRADIENT = 43, /* P: the value, with no gradient */

    /* Binary, pointwise. Operands broadcast as in NumPy (recorded as explicit EXPANDs, so that in a graph shapes are equal). */
    LTH_OP_ADD = 64, /* P, any numeric type */
    LTH_OP_SUB = 65,
    LTH_OP_MUL = 66,
    LTH_OP_DIV = 67, /* P, float; integers: towards zero, a zero divisor gives 0 */
    LTH_OP_POW = 68, /* P, float */
    LTH_OP_MAXIMUM = 69, /* P; NaN wins; on a tie both operands get half the gradient */
    LTH_OP_MINIMUM = 70,
    LTH_OP_EQ = 71, /* P, any type -> bool */
    LTH_OP_NE = 72,
    LTH_OP_LT = 73,
    LTH_OP_LE = 74,
    LTH_OP_GT = 75,
    LTH_OP_GE = 76,
    LTH_OP_AND = 77, /* P, bool */
    LTH_OP_OR = 78,
    LTH_OP_WHERE = 79, /* P: (bool c, a, b) -> c ? a : b */

    /* Shape. */
    LTH_OP_RESHAPE = 96,  /* P, lth_attr_dims: same count; one dimension may be -1 when recorded (stored resolved) */
    LTH_OP_PERMUTE = 97,  /* P, lth_attr_dims: dim[i] = the operand's axis that becomes axis i */
    LTH_OP_EXPAND = 98,   /* P, lth_attr_dims: NumPy's broadcast_to */
    LTH_OP_SLICE = 99,    /* P, lth_attr_slice: x[start:start+length*step:step] in every axis; step >= 1 */
    LTH_OP_PAD = 100,     /* P, lth_attr_pad: (x, value of rank 0): low and high elements added in every axis */
    LTH_OP_CONCAT = 101,  /* P, lth_attr_axis: n >= 1 operands along one axis */
    LTH_OP_SLICE_AT = 102,  /* P, lth_attr_window: (x, i64 start of rank 0): `length` elements of `axis` from a run-time index, clamped into range */
    LTH_OP_UPDATE_AT = 103, /* P, lth_attr_window: (x, part, i64 start): x with `part` written there */
    LTH_OP_FLIP = 104,    /* P, lth_attr_axis */

    /* Reductions: lth_attr_reduce. */
    LTH_OP_SUM = 112, /* P, numeric; integers sum in their own type (wrapping), bool as `or` */
    LTH_OP_MEAN = 113, /* C, float */
    LTH_OP_MAX = 114, /* P, numeric; ties share the gradient equally; an empty reduction is an error */
    LTH_OP_MIN = 115, /* P */
    LTH_OP_PROD = 116, /* P, float */
    LTH_OP_ARGMAX = 117, /* P, lth_attr_axis -> i64, the axis removed; the first of equals; NaN counts as greatest */
    LTH_OP_ARGMIN = 118, /* P */
    LTH_OP_ALL_FINITE = 119, /* P: float, any shape -> bool of rank 0 */
    LTH_OP_LOGSUMEXP = 120, /* C, lth_attr_reduce */

    /* Linear algebra and indexing. */
    LTH_OP_MATMUL = 128, /* P, lth_attr_matmul: (..., M, K) (..., K, N) -> (..., M, N); equal batch dimensions (recorded with EXPAND) */
    LTH_OP_GATHER = 129, /* P: (table (V, rest...), i32/i64 index (any)) -> index.shape + rest; out of range: the run fails and names it */
    LTH_OP_SCATTER_ADD = 130, /* P, lth_attr_axis (axis = V): (rows (index.shape + rest), index) -> (V, rest...); summed in index order */
    LTH_OP_GATHER_ALONG = 131, /* P, lth_attr_axis: (x, index): x at index along the axis; the other dimensions are equal */
    LTH_OP_SCATTER_ALONG = 132, /* P, lth_attr_scatter: (values, index) -> zeros of `length` on `axis`, += at index */

    /* Neural networks. */
    LTH_OP_SOFTMAX = 160,     /* C, lth_attr_axis */
    LTH_OP_LOG_SOFTMAX = 161, /* C, lth_attr_axis */
    LTH_OP_CROSS_ENTROPY = 162, /* C: (logits (N, C), i32/i64 target (N)) -> loss (N), log-sum-exp (N) */
    LTH_OP_CROSS_ENTROPY_GRAD = 163, /* C: (logits, target, log-sum-exp, d loss (N)) -> (N, C) */
    LTH_OP_LAYER_NORM = 164, /* C, lth_attr_axis (axis = number of trailing axes): (x, eps of rank 0) -> (x - mean) / sqrt(var + eps), 1 / sqrt(var + eps) of the leading axes */
    LTH_OP_DROPOUT = 165,    /* C, lth_attr_random: (x, p of rank 0) -> x / (1 - p) where uniform >= p, else 0 */

    /* Effects: no result (but UPDATE); they take place at the plan's commit point, after every check. */
    LTH_OP_ASSIGN = 224, /* E, lth_attr_state: (value): becomes the slice's new content */
    LTH_OP_OUTPUT = 225, /* E, lth_attr_slot: (value): is written to output `slot` */
    LTH_OP_PRINT = 226,  /* E, lth_attr_text: (value): shown to the user, in order */
    LTH_OP_ASSERT = 227, /* E, lth_attr_text: (bool of any shape): false anywhere fails the run before anything is committed */

    /* Symbolic: the engine expands them; no accelerator sees one. */
    LTH_OP_GRAD = 240,  /* S: (loss of rank 0, wrt...) -> d loss / d wrt_i each */
    LTH_OP_UPDATE = 241 /* S, lth_attr_update: (gradients...) -> the new values of the group's parameters */
};

typedef struct lth_attr_slot { uint32_t slot, reserved; } lth_attr_slot;
typedef struct lth_attr_state { uint32_t arena, reserved; int64_t offset; } lth_attr_state; /* offset in elements */
typedef struct lth_attr_integer { int64_t value; } lth_attr_integer;
typedef struct lth_attr_dtype { lth_dtype dtype; uint32_t reserved; } lth_attr_dtype;
typedef struct lth_attr_axis { int64_t axis; } lth_attr_axis; /* negative when recorded: from the end; stored resolved */
typedef struct lth_attr_dims { int32_t rank; uint32_t reserved; int64_t dim[LTH_MAX_RANK]; } lth_attr_dims;
typedef struct lth_attr_shape { lth_shape shape; int64_t axis; } lth_attr_shape;
typedef struct lth_attr_slice { int64_t start[LTH_MAX_RANK], length[LTH_MAX_RANK], step[LTH_MAX_RANK]; } lth_attr_slice;
typedef struct lth_attr_pad { int64_t low[LTH_MAX_RANK], high[LTH_MAX_RANK]; } lth_attr_pad;
typedef struct lth_attr_window { int64_t axis, length; } lth_attr_window;
typedef struct lth_attr_scatter { int64_t axis, length; } lth_attr_scatter;
typedef struct lth_attr_reduce { uint32_t axes; /* bit i = axis i; stored resolved, never 0 unless the rank is 0 */ uint32_t keep; } lth_attr_reduce;
typedef struct lth_attr_matmul { uint32_t transpose_a, transpose_b; } lth_attr_matmul; /* of the last two axes */
typedef struct lth_attr_random { lth_shape shape; uint32_t id, reserved; } lth_attr_random; /* id: which random op of the step; UNIFORM and NORMAL take their shape from here */
typedef struct lth_attr_text { char text[64]; } lth_attr_text; /* NUL-terminated, cut */
typedef struct lth_attr_update { uint32_t optimizer, group; } lth_attr_update;

LTH_END_C
#endif
