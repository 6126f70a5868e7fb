/* SPDX-License-Identifier: Apache-2.0
 * The samples themselves: every op is tried with nothing, with one element, with operands that do not lie densely, and with as
 * many axes as a tensor can have. What an op's form rules out is listed here. */
#include "engine/op_samples.h"
#include "engine/op_table.h"

#include <criterion/criterion.h>

enum {
    EMPTY = 1,   /* an operand or a result without elements */
    SINGLE = 2,  /* all operands have one element, or there are none */
    STRIDED = 4, /* an operand made by a permute or a slice */
    DEEP = 8     /* an operand or a result of LTH_MAX_RANK axes */
};

/* What a sample tries. */
static uint32_t kinds_of(const op_sample *s)
{
    error e = { 0 };
    graph g;
    uint32_t inputs[OP_SAMPLE_OPERANDS], kinds = SINGLE;
    graph_init(&g);
    for (uint32_t i = 0; i < s->count; i++) {
        lth_shape shape = op_sample_input(s, i, LTH_F64);
        lth_attr_slot at = { i, 0 };
        inputs[i] = graph_append(&g, LTH_OP_INPUT, NULL, 0, &at, sizeof at, 0, &shape, 1);
        kinds |= s->operands[i].layout != OP_DENSE ? STRIDED : 0;
    }
    uint32_t first = op_sample_emit(s, &g, LTH_F64, inputs, &e);
    cr_assert_neq(first, LTH_NO_VALUE, "%s: %s", s->name, e.text);
    const lth_node *n = &g.nodes[g.values[first].node];
    for (uint32_t v = 0; v < n->operand_count + n->value_count; v++) {
        bool operand = v < n->operand_count;
        const lth_shape *shape =
            graph_shape(&g, operand ? g.operands[n->first_operand + v] : n->first_value + v - n->operand_count);
        kinds |= lth_shape_count(shape) == 0 ? EMPTY : 0;
        kinds |= shape->rank == LTH_MAX_RANK ? DEEP : 0;
        kinds &= operand && lth_shape_count(shape) != 1 ? ~(uint32_t)SINGLE : ~0u;
    }
    graph_free(&g);
    return kinds;
}

typedef struct exemption {
    uint32_t op, kinds; /* that its form rules out */
} exemption;

/* Images have five axes at most, attention four, recurrent layers three, logits two; a pair is rotated. */
static const exemption exemptions[] = {
    { LTH_OP_CONV, DEEP },
    { LTH_OP_CONV_DATA_GRAD, DEEP },
    { LTH_OP_CONV_WEIGHT_GRAD, DEEP },
    { LTH_OP_MAX_POOL, DEEP },
    { LTH_OP_AVG_POOL, DEEP },
    { LTH_OP_AVG_POOL_GRAD, DEEP },
    { LTH_OP_RESIZE, DEEP },
    { LTH_OP_RESIZE_GRAD, DEEP },
    { LTH_OP_CROSS_ENTROPY, DEEP },
    { LTH_OP_CROSS_ENTROPY_GRAD, DEEP },
    { LTH_OP_ATTENTION, DEEP },
    { LTH_OP_ATTENTION_GRAD, DEEP },
    { LTH_OP_ROTARY, SINGLE },
    { LTH_OP_RNN, DEEP },
    { LTH_OP_RNN_STEPS, DEEP },
    { LTH_OP_RNN_STEPS_GRAD, DEEP },
    { LTH_OP_IOTA, STRIDED },
    { LTH_OP_UNIFORM, STRIDED },
    { LTH_OP_NORMAL, STRIDED },
};

/* Loops and authors' ops are tried by tests of their own. */
static bool has_samples(const op_info *info)
{
    bool host_only =
        info->kind == OP_LEAF && info->code != LTH_OP_IOTA && info->code != LTH_OP_UNIFORM && info->code != LTH_OP_NORMAL;
    return !host_only && info->kind != OP_EFFECT && info->kind != OP_SYMBOLIC && info->code != LTH_OP_LOOP &&
           info->code != LTH_OP_LOOP_END && info->code != LTH_OP_CUSTOM;
}

Test(op_samples, every_op_is_tried_at_its_edges)
{
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        uint32_t kinds = 0;
        for (uint32_t i = 0; i < op_sample_count(op); i++) {
            op_sample s = op_sample_at(op, i);
            kinds |= kinds_of(&s);
        }
        for (size_t i = 0; i < sizeof exemptions / sizeof *exemptions; i++)
            kinds |= exemptions[i].op == op ? exemptions[i].kinds : 0;
        if (info && has_samples(info))
            cr_expect(kinds == (EMPTY | SINGLE | STRIDED | DEEP), "%s is not tried with%s%s%s%s", info->name,
                      kinds & EMPTY ? "" : " nothing", kinds & SINGLE ? "" : " one element", kinds & STRIDED ? "" : " strides",
                      kinds & DEEP ? "" : " eight axes");
    }
}
