/* SPDX-License-Identifier: Apache-2.0 */
#include "wide.h"

#include "../ops.h"
#include "../plan_memory.h"
#include "convert.h"

lth_graph *plain_wide_graph(const lth_graph *g)
{
    lth_graph *wide = accel_graph_copy(g);
    lth_value *values = wide ? (lth_value *)wide->values : NULL; /* the copy is ours */
    for (uint32_t i = 0; values && i < wide->value_count; i++)
        if (plain_is_16_bit(values[i].shape.dtype))
            values[i].shape.dtype = LTH_F32;
    return wide;
}

plain_kernel plain_find_wide(uint32_t code, lth_dtype dtype)
{
    plain_kernel own = plain_find(code, dtype);
    return own || !plain_is_16_bit(dtype) ? own : plain_find(code, LTH_F32);
}

bool plain_is_wide(const lth_graph *g, const lth_node *n)
{
    lth_dtype dtype = accel_node_dtype(g, n);
    return plain_is_16_bit(dtype) && !plain_find(n->op, dtype) && n->operand_count <= PLAIN_WIDE_OPERANDS &&
           n->value_count <= PLAIN_WIDE_RESULTS;
}

static int64_t wide_bytes(const lth_shape *s)
{
    return plain_is_16_bit(s->dtype) ? accel_align(lth_shape_count(s) * (int64_t)sizeof(float)) : 0;
}

int64_t plain_wide_bytes(const lth_graph *g, const lth_node *n)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        bytes += wide_bytes(lth_node_operand_shape(g, n, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        bytes += wide_bytes(lth_node_shape(g, n, i));
    return bytes;
}

void plain_wide_enter(const lth_graph *g, const lth_node *n, const void *const *in, void *const *out, void *scratch,
                      plain_wide_call *c)
{
    char *at = scratch;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const lth_shape *s = lth_node_operand_shape(g, n, i);
        c->in[i] = in[i];
        if (!plain_is_16_bit(s->dtype))
            continue;
        c->in[i] = at;
        plain_widen(s->dtype, in[i], (float *)(void *)at, lth_shape_count(s));
        at += wide_bytes(s);
    }
    for (uint32_t i = 0; i < n->value_count; i++) {
        const lth_shape *s = lth_node_shape(g, n, i);
        c->out[i] = plain_is_16_bit(s->dtype) ? (void *)at : out[i];
        at += wide_bytes(s);
    }
}

void plain_wide_leave(const lth_graph *g, const lth_node *n, const plain_wide_call *c, void *const *out)
{
    for (uint32_t i = 0; i < n->value_count; i++) {
        const lth_shape *s = lth_node_shape(g, n, i);
        if (plain_is_16_bit(s->dtype))
            plain_narrow(s->dtype, c->out[i], out[i], lth_shape_count(s));
    }
}
