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
    LTH_OP_ABS = 25,  /* P, any numeric type; gradient 0 at 0, NaN at NaN */
    LTH_OP_SIGN = 26, /* P, any numeric type; NaN of NaN */
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
    LTH_OP_GELU_SLOPE = 44,      /* C, GELU's derivative: Phi(x) + x phi(x) */
    LTH_OP_GELU_TANH_SLOPE = 45, /* C, GELU_TANH's */

    /* Binary, pointwise. Operands broadcast as in NumPy (recorded as explicit EXPANDs, so that in a graph shapes are equal). */
    LTH_OP_ADD = 64, /* P, any numeric type */
    LTH_OP_SUB = 65,
    LTH_OP_MUL = 66,
    LTH_OP_DIV = 67, /* P, float; integers: towards zero, a zero divisor gives 0 */
    LTH_OP_POW = 68, /* P, float */
    LTH_OP_MAXIMUM = 69, /* P; NaN wins; on a tie both operands get half the gradient, where one is NaN all of it */
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
    LTH_OP_MAX = 114, /* P, numeric; ties share the gradient equally, which is NaN where the result is; an empty reduction is an error */
    LTH_OP_MIN = 115, /* P */
    LTH_OP_PROD = 116, /* P, float; gradient: the product of all others, also at zeros, infinities and NaN */
    LTH_OP_ARGMAX = 117, /* P, lth_attr_axis -> i64, the axis removed; the first of equals; NaN counts as greatest */
    LTH_OP_ARGMIN = 118, /* P */
    LTH_OP_ALL_FINITE = 119, /* P: float, any shape -> bool of rank 0 */
    LTH_OP_LOGSUMEXP = 120, /* C, lth_attr_reduce; of -inf alone -inf, with gradient 0 */

    /* Linear algebra and indexing. */
    LTH_OP_MATMUL = 128, /* P, lth_attr_matmul: (..., M, K) (..., K, N) -> (..., M, N); equal batch dimensions (recorded with EXPAND) */
    LTH_OP_GATHER = 129, /* P: (table (V, rest...), i32/i64 index (any)) -> index.shape + rest; out of range: the run fails and names it */
    LTH_OP_SCATTER_ADD = 130, /* P, lth_attr_axis (axis = V): (rows (index.shape + rest), index) -> (V, rest...); summed in index order */
    LTH_OP_GATHER_ALONG = 131, /* P, lth_attr_axis: (x, index): x at index along the axis; the other dimensions are equal */
    LTH_OP_SCATTER_ALONG = 132, /* P, lth_attr_scatter: (values, index) -> zeros of `length` on `axis`, += at index */

    /* Images and signals: x is (N, C, in...) with 1 to 3 spatial axes. */
    LTH_OP_CONV = 144, /* P, lth_attr_conv: (x (N, C, in...), w (K, C / groups, kernel...)) -> (N, K, out...): cross-correlation */
    LTH_OP_CONV_DATA_GRAD = 145, /* P, lth_attr_conv, size = in...: (d (N, K, out...), w) -> (N, C, in...): also the transposed convolution */
    LTH_OP_CONV_WEIGHT_GRAD = 146, /* P, lth_attr_conv, size = kernel...: (x, d (N, K, out...)) -> (K, C / groups, kernel...) */
    LTH_OP_MAX_POOL = 147, /* P, lth_attr_pool: x -> (N, C, out...), and where it was found: i64, counted through in...; the first of equals; NaN wins; padding never does */
    LTH_OP_AVG_POOL = 148, /* C, lth_attr_pool: x -> (N, C, out...) */
    LTH_OP_AVG_POOL_GRAD = 149, /* C, lth_attr_pool, size = in...: (N, C, out...) -> (N, C, in...) */
    LTH_OP_RESIZE = 150,   /* C, lth_attr_resize: x -> (N, C, size...) */
    LTH_OP_RESIZE_GRAD = 151, /* C, lth_attr_resize, from = in...: (N, C, size...) -> (N, C, in...) */

    /* Neural networks. */
    LTH_OP_SOFTMAX = 160,     /* C, lth_attr_axis */
    LTH_OP_LOG_SOFTMAX = 161, /* C, lth_attr_axis */
    LTH_OP_CROSS_ENTROPY = 162, /* C: (logits (N, C), i32/i64 target (N)) -> loss (N), log-sum-exp (N) */
    LTH_OP_CROSS_ENTROPY_GRAD = 163, /* C: (logits, target, log-sum-exp, d loss (N)) -> (N, C) */
    LTH_OP_LAYER_NORM = 164, /* C, lth_attr_axis (axis = number of trailing axes): (x, eps of rank 0) -> (x - mean) / sqrt(var + eps), 1 / sqrt(var + eps) of the leading axes */
    LTH_OP_DROPOUT = 165,    /* C, lth_attr_random: (x, p of rank 0) -> x / (1 - p) where uniform >= p, else 0 */

    LTH_OP_BATCH_NORM = 176, /* C, lth_attr_axis (of the channels): (x, eps) -> (x - mean) / sqrt(var + eps), mean (C), var (C): over all other axes, biased */
    LTH_OP_RMS_NORM = 177, /* C, lth_attr_axis (number of trailing axes): (x, eps) -> x / sqrt(mean(x^2) + eps), 1 / sqrt(...) of the leading axes */
    LTH_OP_ATTENTION = 178, /* C, lth_attr_attention: (q (B, H, T, D), k (B, G, S, D), v (B, G, S, E), scale of rank 0, [dropout p of rank 0], [mask]) -> (B, H, T, E), log-sum-exp (B, H, T); H a multiple of G. Where q is of 16 bits scores, probabilities and log-sum-exp are f32, and scale, p and an added mask may be. A query that sees no key: 0, -inf, and it passes no gradient */
    LTH_OP_ATTENTION_GRAD = 179, /* C, the same operands, then the two results, then d of the first: -> d q, d k, d v */
    LTH_OP_ROTARY = 180,   /* C, lth_attr_rotary: (x (..., T, D), cos (T, R / 2), sin (T, R / 2)): rotates the first R of the D channels pairwise */
    LTH_OP_CUMSUM = 181,   /* P, lth_attr_cumulative, numeric */
    LTH_OP_ARGSORT = 182,  /* P, lth_attr_sort, numeric -> i64: the indices of the first `length` in order, stable; NaN is the greatest */
    LTH_OP_RNN = 183,      /* C, lth_attr_rnn: (x (T, B, I), h0 (B, H), c0 (B, H) of an LSTM else none, w_ih (G H, I), w_hh (G H, H), b_ih (G H), b_hh (G H)) -> y (T, B, H), h (B, H), c (B, H) of an LSTM else of h */
    LTH_OP_RNN_STEPS = 184, /* C, lth_attr_rnn: what RNN makes of its product with w_ih: (x w_ih' (T, B, G H), f32 where the rest is of 16 bits, h0, c0 of an LSTM else none, w_hh, b_ih, b_hh) -> y (T, B, H), h (B, H), c (B, H) of an LSTM else (0, H), what its gradient wants (T, B, S H; lth_attr_rnn), f32 where the rest is of 16 bits */
    LTH_OP_RNN_STEPS_GRAD = 185, /* C, lth_attr_rnn: (what was saved, h0, c0 of an LSTM else none, w_hh, y, d y, d h, d c of an LSTM else none) -> d by x w_ih' + b_ih (T, B, G H), d by h w_hh' + b_hh of a GRU (T, B, G H) else (0, B, G H): it is the same, d h0, d c0 of an LSTM else (0, H) */

    /* Control. LOOP is the first node of a region and LOOP_END follows its last (lth_region in graph.h). */
    LTH_OP_LOOP = 192, /* P, lth_attr_loop: (i64 trip count of rank 0, initial values of what is carried..., sequences (T, ...)...) -> i64 index of rank 0, what is carried..., the sequences' parts at the index... */
    LTH_OP_LOOP_END = 193, /* P, lth_attr_loop: (the LOOP's index, next values of what is carried..., parts to be stacked...) -> last values..., stacks (T, ...)..., what was carried into each turn (T, ...)...; rows of turns that were not taken are 0 */
    LTH_OP_CUSTOM = 194, /* P, lth_attr_custom: an author's own kernel (custom.h); an accelerator may decline it */

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
typedef struct lth_attr_matmul {
    uint32_t transpose_a, transpose_b; /* of the last two axes */
    lth_dtype result; /* NONE: of the operands; F32 where they are of 16 bits */
    uint32_t reserved;
} lth_attr_matmul;
typedef struct lth_attr_random { lth_shape shape; uint32_t id, reserved; } lth_attr_random; /* id: which random op of the step; UNIFORM and NORMAL take their shape from here */
typedef struct lth_attr_conv {
    int64_t stride[3], low[3], high[3], dilation[3]; /* of the spatial axes, first ones first; low, high: zeros before and after */
    int64_t size[3]; /* of the gradients' results; 0 in CONV */
    int64_t groups;
    lth_dtype result; /* NONE: of the operands; F32 where they are of 16 bits */
    uint32_t reserved;
} lth_attr_conv;
/* ADAPTIVE: size = out..., and window o covers floor(o in / out) .. ceil((o + 1) in / out); the rest of the attributes is 0.
 * In AVG_POOL_GRAD size = in..., and out... is the operand's. */
enum { LTH_POOL_ADAPTIVE = 1, LTH_POOL_EXCLUDE_PADDING = 2 /* the mean is of elements of x alone */, LTH_POOL_CEIL = 4 /* a last window may reach beyond the padding */ };
typedef struct lth_attr_pool {
    int64_t kernel[3], stride[3], low[3], high[3], dilation[3], size[3];
    uint32_t flags, reserved;
} lth_attr_pool;
/* Element o of `size` comes from nearest: floor(o from / size); nearest exact: floor((o + 1/2) from / size); linear:
 * between its two neighbours at (o + 1/2) from / size - 1/2, or at o (from - 1) / (size - 1) with aligned corners. */
enum { LTH_RESIZE_NEAREST = 0, LTH_RESIZE_NEAREST_EXACT = 1, LTH_RESIZE_LINEAR = 2, LTH_RESIZE_LINEAR_ALIGNED = 3 };
typedef struct lth_attr_resize { int64_t size[3], from[3]; uint32_t mode, reserved; } lth_attr_resize; /* from: stored resolved in RESIZE */
/* MASK: bool (true: looked at) or of q's type (added), broadcast against (B, H, T, S). The added mask, scale and p are differentiated by, too. CAUSAL: query t sees keys up to t + S - T. */
enum { LTH_ATTENTION_CAUSAL = 1, LTH_ATTENTION_DROPOUT = 2, LTH_ATTENTION_MASK = 4 };
typedef struct lth_attr_attention { uint32_t flags, id; /* of the dropout, as in lth_attr_random */ } lth_attr_attention;
typedef struct lth_attr_rotary { uint32_t interleaved, reserved; } lth_attr_rotary; /* pairs (2i, 2i + 1), else (i, i + R / 2) */
typedef struct lth_attr_cumulative { int64_t axis; uint32_t exclusive, reverse; } lth_attr_cumulative;
typedef struct lth_attr_sort { int64_t axis, length; /* 0 when recorded: all */ uint32_t descending, reserved; } lth_attr_sort;
enum { LTH_RNN_TANH = 0, LTH_RNN_RELU = 1, LTH_RNN_LSTM = 2, LTH_RNN_GRU = 3 }; /* gates in PyTorch's order: i f g o; r z n */
typedef struct lth_attr_rnn { uint32_t cell, reverse; /* from the last step to the first */ } lth_attr_rnn;
/* What RNN_STEPS saves of each step, in units of H: tanh h'; relu its argument; LSTM i f g o, after their functions, and c'; GRU
 * r z n, after theirs, and h w_hn' + b_hn. */
typedef struct lth_attr_loop { int64_t length; /* T: as many turns at most */ uint32_t carried, sequences, stacked, reverse; /* the index runs down */ } lth_attr_loop;
typedef struct lth_attr_text { char text[64]; } lth_attr_text; /* NUL-terminated, cut */
typedef struct lth_attr_update { uint32_t optimizer, group; } lth_attr_update;

LTH_END_C
#endif
