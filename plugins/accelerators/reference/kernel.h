/* SPDX-License-Identifier: Apache-2.0
 * What a kernel is: a plain function that runs one node. A table per family maps {op, dtype} to kernels. */
#ifndef REFERENCE_KERNEL_H
#define REFERENCE_KERNEL_H

#include <lthost/accelerator.h>

typedef struct ref_call {
    const lth_graph *graph;
    const lth_node *node;
    const void *const *in; /* the operands' elements, dense */
    void *const *out;      /* the results' elements, dense */
    const lth_bindings *bindings;
    char *message; /* REF_MESSAGE bytes: why it failed */
} ref_call;

enum { REF_MESSAGE = sizeof((lth_run_result){ 0 }.message) };

/* Fills the results. False: a check failed, and `message` says which. */
typedef bool (*ref_kernel)(const ref_call *c);

typedef struct ref_op {
    uint32_t code;
    ref_kernel by_dtype[LTH_DTYPE_COUNT]; /* NULL: not for this type */
} ref_op;

typedef struct ref_family {
    const ref_op *ops;
    uint32_t count;
} ref_family;
#define REF_FAMILY(ops) { ops, sizeof(ops) / sizeof *(ops) }

extern const ref_family ref_leaf_ops, ref_pointwise_ops, ref_shape_ops, ref_reduce_ops, ref_index_ops, ref_network_ops;

/* The kernel for an op on a dtype (accel_node_dtype), or NULL. */
ref_kernel ref_find(uint32_t code, lth_dtype dtype);

/* A family's row: one function a type, or one function for all of them. */
#define REF_FLOATS(f) { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64 }
#define REF_NUMBERS(f)                                                                                                   \
    { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64, [LTH_I64] = f##_i64, [LTH_I32] = f##_i32, [LTH_U8] = f##_u8, [LTH_I8] = f##_i8 }
#define REF_NUMBERS_AND_BOOL(f, bool_)                                                                                    \
    { [LTH_F32] = f##_f32, [LTH_F64] = f##_f64, [LTH_I64] = f##_i64, [LTH_I32] = f##_i32, [LTH_U8] = f##_u8,             \
      [LTH_I8] = f##_i8,   [LTH_BOOL] = bool_ }
#define REF_ANY_FLOAT(f) { [LTH_F32] = f, [LTH_F64] = f }
#define REF_ANY(f)                                                                                                       \
    { [LTH_F32] = f, [LTH_F64] = f, [LTH_BF16] = f, [LTH_F16] = f, [LTH_I64] = f, [LTH_I32] = f, [LTH_U8] = f, [LTH_BOOL] = f, [LTH_I8] = f }

static inline const lth_shape *ref_in(const ref_call *c, uint32_t i) { return lth_node_operand_shape(c->graph, c->node, i); }
static inline const lth_shape *ref_out(const ref_call *c, uint32_t i) { return lth_node_shape(c->graph, c->node, i); }
static inline const void *ref_attributes(const ref_call *c) { return lth_node_attributes(c->graph, c->node); }
static inline int64_t ref_count(const ref_call *c) { return lth_shape_count(ref_out(c, 0)); }

/* Writes the message and returns false. */
LTH_PRINTF(2, 3)
static inline bool ref_fail(const ref_call *c, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    vsnprintf(c->message, REF_MESSAGE, format, a);
    va_end(a);
    return false;
}

#endif
