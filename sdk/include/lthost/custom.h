/* SPDX-License-Identifier: Apache-2.0
 * lthost/custom.h: an author's own op: a kernel on host memory, and a gradient written in ops.
 *
 *     static bool cube_shape(const lth_custom_shapes *s)
 *     {
 *         s->results[0] = *s->operands[0];
 *         return s->operands[0]->dtype == LTH_F32 || lth_custom_fail(s, "it is of f32 alone");
 *     }
 *     static bool cube_run(const lth_custom_call *c)
 *     {
 *         const float *x = c->operands[0];
 *         float *y = c->results[0];
 *         for (int64_t i = 0, n = lth_shape_count(c->operand_shapes[0]); i < n; i++) y[i] = x[i] * x[i] * x[i];
 *         return true;
 *     }
 *     static void cube_gradient(lth_custom_gradient *g)
 *     {
 *         g->d_operands[0] = lth_mul(g->d_results[0], lth_mul(lth_square(g->operands[0]), 3));
 *     }
 *     LTH_CUSTOM_OP(cube, .version = 1, .name = "acme.cube", .result_count = 1, .operand_count = 1, .shape = cube_shape,
 *                   .run = cube_run, .gradient = cube_gradient);
 *
 *     lth_tensor y = lth_custom(&cube, &x, 1, NULL, 0);
 *
 * The table is constant and lives as long as the plugin. An op is known by its table, name, version and attributes: what is
 * equal in them and has equal operands is computed once, so the kernel must be a pure function of operands and attributes: no
 * state, no random numbers of its own (they come as an operand, lth_uniform), no clock. Operands do not broadcast. Every
 * number that varies from step to step is an operand, too: other attributes are another plan.
 *
 * `reference` and `cpu` run custom ops; an accelerator whose memory the host cannot reach refuses them. */
#ifndef LTHOST_CUSTOM_H
#define LTHOST_CUSTOM_H

#include "tensor.h"

#include <stdarg.h>
#include <stdio.h>

LTH_BEGIN_C

enum { LTH_CUSTOM_OPERANDS = 16, LTH_CUSTOM_RESULTS = 4, LTH_CUSTOM_ATTRIBUTES = 192 /* bytes */, LTH_CUSTOM_NAME = 48 };

/* What `shape` sees. It fills results[0..result_count). */
typedef struct lth_custom_shapes {
    uint32_t struct_size, operand_count, result_count, attributes_size;
    const lth_shape *const *operands;
    const void *attributes;
    lth_shape *results;
    char *message; /* for lth_custom_fail */
    uint64_t message_size;
} lth_custom_shapes;

/* What `run` sees. All memory is dense, row-major, of the shapes given, aligned to its elements; results overlap nothing.
 * A tensor without elements may be NULL. */
typedef struct lth_custom_call {
    uint32_t struct_size, operand_count, result_count, attributes_size;
    const lth_shape *const *operand_shapes;
    const lth_shape *const *result_shapes;
    const void *const *operands;
    void *const *results;
    const void *attributes;
    char *message; /* for lth_custom_fail */
    uint64_t message_size;
    int32_t threads, reserved; /* threads: that it may use, this one counted */
} lth_custom_call;

/* What `gradient` sees: tensors, and ops may be recorded on them (custom ones, too; then there are gradients of gradients).
 * d_results[i] is the loss's derivative by result i, 0 where none reaches it, lth_none() where it is of integers or bool. To
 * be set are d_operands, one an operand and of its shape and type; one that is left lth_none() gets no gradient. */
typedef struct lth_custom_gradient {
    uint32_t struct_size, operand_count, result_count, attributes_size;
    const lth_tensor *operands;
    const lth_tensor *results;
    const lth_tensor *d_results;
    lth_tensor *d_operands;
    const void *attributes;
} lth_custom_gradient;

/* LTH_CUSTOM_HALF: operands and results may be of f16 and bf16; without it they are refused. */
enum { LTH_CUSTOM_HALF = 1 };

typedef struct lth_custom_op {
    uint32_t struct_size;
    uint32_t version LTH_ZERO;       /* another one where the numbers become others */
    const char *name LTH_ZERO;       /* shorter than LTH_CUSTOM_NAME, as plans and messages show it: "acme.cube". Required */
    uint32_t result_count LTH_ZERO;  /* 1..LTH_CUSTOM_RESULTS */
    uint32_t operand_count LTH_ZERO; /* 1..LTH_CUSTOM_OPERANDS; 0: as many as `shape` accepts */
    uint32_t flags LTH_ZERO;         /* LTH_CUSTOM_HALF */
    uint32_t reserved LTH_ZERO;
    /* Whether the operands' shapes and types serve, and what the results' are. False: lth_custom_fail has said what is wrong.
     * [main], when the op is recorded. Required. */
    bool (*shape)(const lth_custom_shapes *s) LTH_ZERO;
    /* Fills the results. False: the run fails with the message, and nothing of the step is committed. It allocates nothing.
     * [main], in every run. Required. */
    bool (*run)(const lth_custom_call *c) LTH_ZERO;
    /* [main], when a plan is made, never in the steady state. NULL: to ask for a gradient through the op is an error. */
    void (*gradient)(lth_custom_gradient *g) LTH_ZERO;
} lth_custom_op;

#define LTH_CUSTOM_OP(variable, ...) static const lth_custom_op variable = { .struct_size = sizeof(lth_custom_op), __VA_ARGS__ }

/* CUSTOM's attributes in a graph: this, then `size` bytes of the author's, filled up with zeros to a multiple of 8. */
typedef struct lth_attr_custom {
    char name[48];
    uint32_t version, index; /* index: in graph->customs */
    uint32_t size, reserved;
} lth_attr_custom;

/* In `shape` and `run`: keeps the message (as printf) and returns false. */
#define lth_custom_fail(c, ...) lth_custom_fail_((c)->message, (c)->message_size, __VA_ARGS__)
LTH_PRINTF(3, 4)
static inline bool lth_custom_fail_(char *message, uint64_t size, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    vsnprintf(message, (size_t)size, format, a);
    va_end(a);
    return false;
}

/* Records the op on `count` tensors. attributes: a struct of `size` bytes without holes and pointers, or NULL; borrowed for
 * the call. Returns the first result; lth_custom_result(y, 1) gives the second. */
#define lth_custom(op, operands, count, attributes, size)                                                                  \
    lth_custom_((op), (operands), (uint32_t)(count), (attributes), (uint32_t)(size), LTH_HERE)
static inline lth_tensor lth_custom_(const lth_custom_op *op, const lth_tensor *x, uint32_t count, const void *attributes, uint32_t size,
                                     const char *file, uint32_t line)
{
    for (uint32_t i = 0; i < count; i++)
        if (x[i].trace)
            return x[i].trace->api->custom(x[i].trace, op, x, count, attributes, size, file, line);
    return lth_none();
}
static inline lth_tensor lth_custom_result(lth_tensor x, uint32_t index) { return x.trace ? x.trace->api->result(x.trace, x, index) : x; }

LTH_END_C
#endif
