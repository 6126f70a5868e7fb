/* SPDX-License-Identifier: Apache-2.0
 * Authors' own ops: what their tables say. */
#include "kernel.h"

#include <lthost/custom.h>

static bool run_custom(const plain_call *c)
{
    const lth_attr_custom *a = plain_attributes(c);
    const lth_custom_op *op = c->graph->customs[a->index];
    const lth_shape *operands[LTH_CUSTOM_OPERANDS], *results[LTH_CUSTOM_RESULTS];
    for (uint32_t i = 0; i < c->node->operand_count; i++)
        operands[i] = plain_in(c, i);
    for (uint32_t i = 0; i < c->node->value_count; i++)
        results[i] = plain_out(c, i);
    const lth_custom_call call = { .struct_size = sizeof call,
                                   .operand_count = c->node->operand_count,
                                   .result_count = c->node->value_count,
                                   .attributes_size = a->size,
                                   .operand_shapes = operands,
                                   .result_shapes = results,
                                   .operands = c->in,
                                   .results = c->out,
                                   .attributes = a + 1,
                                   .message = c->message,
                                   .message_size = PLAIN_MESSAGE,
                                   .threads = c->threads > 1 ? c->threads : 1 };
    if (op->run(&call))
        return true;
    return c->message[0] ? false : plain_fail(c, "its kernel failed and does not say why");
}

static const plain_op ops[] = { { LTH_OP_CUSTOM, PLAIN_ANY(run_custom) } };

const plain_family plain_custom_ops = PLAIN_FAMILY(ops);
