/* SPDX-License-Identifier: Apache-2.0
 * accel/plain: every op as a plain loop over dense operands, in f32, f64 and the integer types: what `reference` is made of, and
 * what another accelerator falls back on where it has nothing faster. A kernel is a function that runs one node; a table per
 * family maps {op, dtype} to kernels. */
#ifndef ACCEL_PLAIN_KERNEL_H
#define ACCEL_PLAIN_KERNEL_H

#include <lthost/accelerator.h>

typedef struct plain_call {
    const lth_graph *graph;
    const lth_node *node;
    const void *const *in; /* the operands' elements, dense */
    void *const *out;      /* the results' elements, dense */
    const lth_bindings *bindings;
    char *message; /* PLAIN_MESSAGE bytes: why it failed */
    int32_t threads; /* that it may use; the loops here use one */
} plain_call;

enum { PLAIN_MESSAGE = sizeof((lth_run_result){ 0 }.message) };

/* Fills the results. False: a check failed, and `message` says which. */
typedef bool (*plain_kernel)(const plain_call *c);

typedef struct plain_op {
    uint32_t code;
    plain_kernel by_dtype[LTH_DTYPE_COUNT]; /* NULL: not for this type */
} plain_op;

typedef struct plain_family {
    const plain_op *ops;
    uint32_t count;
} plain_family;
#define PLAIN_FAMILY(ops) { ops, sizeof(ops) / sizeof *(ops) }

extern const plain_family plain_leaf_ops, plain_pointwise_ops, plain_shape_ops, plain_reduce_ops, plain_index_ops, plain_network_ops,
    plain_attention_ops, plain_order_ops;
extern const plain_family plain_conv_ops, plain_pool_ops, plain_resize_ops, plain_norm_ops, plain_custom_ops;

/* The kernel for an op on a dtype (accel_node_dtype), or NULL. */
plain_kernel plain_find(uint32_t code, lth_dtype dtype);

/* A family's row: one function a type, or one function for all of them. */
#define PLAIN_FLOATS(f) { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64 }
#define PLAIN_NUMBERS(f)                                                                                                   \
    { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64, [LTH_I64] = f##_i64, [LTH_I32] = f##_i32, [LTH_U8] = f##_u8, [LTH_I8] = f##_i8 }
#define PLAIN_NUMBERS_AND_BOOL(f, bool_)                                                                                    \
    { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64, [LTH_I64] = f##_i64, [LTH_I32] = f##_i32, [LTH_U8] = f##_u8,             \
      [LTH_I8] = f##_i8,   [LTH_BOOL] = bool_ }
#define PLAIN_ANY_FLOAT(f) { [LTH_F32] = f, [LTH_F64] = f, [LTH_BF16] = f, [LTH_F16] = f }
#define PLAIN_ANY(f)                                                                                                       \
    { [LTH_F32] = f, [LTH_F64] = f, [LTH_BF16] = f, [LTH_F16] = f, [LTH_I64] = f, [LTH_I32] = f, [LTH_U8] = f, [LTH_BOOL] = f, [LTH_I8] = f }

static inline const lth_shape *plain_in(const plain_call *c, uint32_t i) { return lth_node_operand_shape(c->graph, c->node, i); }
static inline const lth_shape *plain_out(const plain_call *c, uint32_t i) { return lth_node_shape(c->graph, c->node, i); }
static inline const void *plain_attributes(const plain_call *c) { return lth_node_attributes(c->graph, c->node); }
static inline int64_t plain_count(const plain_call *c) { return lth_shape_count(plain_out(c, 0)); }

/* Writes the message and returns false. */
LTH_PRINTF(2, 3)
static inline bool plain_fail(const plain_call *c, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    vsnprintf(c->message, PLAIN_MESSAGE, format, a);
    va_end(a);
    return false;
}

#endif
