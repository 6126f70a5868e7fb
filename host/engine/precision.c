/* SPDX-License-Identifier: Apache-2.0
 * engine/precision.c: operands in the type that an op's policy wants. */
#include "engine/precision.h"

#include "engine/internal.h"

#include <string.h>

static lth_dtype type_of(const expansion *x, uint32_t value) { return graph_shape(x->out, value)->dtype; }

uint32_t expand_cast(expansion *x, uint32_t value, lth_dtype dtype, uint32_t site)
{
    if (value == LTH_NO_VALUE || type_of(x, value) == dtype)
        return value;
    lth_attr_dtype to = { dtype, 0 };
    const lth_node *n = &x->out->nodes[x->out->values[value].node];
    if (n->op != LTH_OP_EXPAND)
        return expand_emit(x, LTH_OP_CAST, &value, 1, &to, sizeof to, site);
    lth_attr_dims dims; /* before it is repeated there is less to cast */
    memcpy(&dims, x->out->attributes + n->attributes, sizeof dims);
    uint32_t few = expand_cast(x, x->out->operands[n->first_operand], dtype, site);
    return expand_emit(x, LTH_OP_EXPAND, &few, 1, &dims, sizeof dims, site);
}

uint32_t expand_recorded(expansion *x, uint32_t value, uint32_t site)
{
    return expand_cast(x, x->map[value], graph_shape(x->record, value)->dtype, site);
}

/* Numbers, parameters and masks made of booleans do not decide an op's type, however they are reshaped and repeated: a bias
 * follows the activation that it is added to. */
static bool follows(const graph *record, uint32_t value)
{
    while (graph_shape(record, value)->rank > 0) {
        const lth_node *n = &record->nodes[record->values[value].node];
        switch (n->op) {
        case LTH_OP_STATE:
        case LTH_OP_UPDATE:
            return true;
        case LTH_OP_CAST:
            return graph_shape(record, record->operands[n->first_operand])->dtype == LTH_BOOL;
        case LTH_OP_RESHAPE:
        case LTH_OP_PERMUTE:
        case LTH_OP_EXPAND:
        case LTH_OP_SLICE:
        case LTH_OP_FLIP:
        case LTH_OP_STOP_GRADIENT:
            value = record->operands[n->first_operand];
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Whether an op on these operands computes in the lower type: by its policy, or because all that decide are of it. */
static bool computes_lower(const expansion *x, const lth_node *n, const uint32_t *operands)
{
    op_precision policy = op_precision_of(n->op);
    bool decided = false, lower = true;
    if (policy != OP_PRECISION_WIDEST)
        return policy == OP_PRECISION_LOWER;
    if (n->op == LTH_OP_GATHER && x->engine->options.stored) /* rows of a table that is stored so */
        return follows(x->record, x->record->operands[n->first_operand]);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t value = x->record->operands[n->first_operand + i];
        if (graph_shape(x->record, value)->dtype != x->engine->options.floating || follows(x->record, value))
            continue;
        decided = true;
        lower = lower && type_of(x, operands[i]) == x->engine->options.lower;
    }
    return decided && lower;
}

/* A leaf of state: as the arena holds it, and from there on as it is recorded. A product's cast down takes that cast back
 * (simplify.c), and a gradient by it is f32. */
static bool expand_state_leaf(expansion *x, const lth_node *n, uint32_t site)
{
    const lth_attr_state *at = (const void *)(x->record->attributes + n->attributes);
    lth_shape shape = x->record->values[n->first_value].shape;
    lth_dtype recorded = shape.dtype;
    shape.dtype = x->out->arenas[at->arena].dtype;
    uint32_t value = trace_state(x->out, at->arena, at->offset, &shape, site);
    x->map[n->first_value] = expand_cast(x, value, recorded, site);
    return x->error->status == LTH_OK;
}

/* Whether the op casts its own operand, of whatever type it comes. */
static bool takes_any(const lth_node *n) { return n->op == LTH_OP_CAST; }

bool expand_in_precision(expansion *x, const lth_node *n, uint32_t site)
{
    if (n->op == LTH_OP_STATE)
        return expand_state_leaf(x, n, site);
    const engine_options *o = &x->engine->options;
    const op_info *info = op_find(n->op);
    uint32_t *operands = arena_array(&x->memory, n->operand_count, sizeof *operands);
    lth_shape *shapes = arena_array(&x->memory, n->value_count, sizeof *shapes);
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = x->map[x->record->operands[n->first_operand + i]];
    bool lower = info && info->shape && computes_lower(x, n, operands);
    for (uint32_t i = 0; i < n->operand_count && !takes_any(n); i++) {
        lth_dtype recorded = graph_shape(x->record, x->record->operands[n->first_operand + i])->dtype;
        operands[i] = expand_cast(x, operands[i], lower && recorded == o->floating ? o->lower : recorded, site);
    }
    if (x->error->status)
        return false;
    const void *attributes = x->record->attributes + n->attributes;
    uint32_t first;
    if (lower && !takes_any(n)) {
        first = expand_emit(x, n->op, operands, n->operand_count, attributes, n->attributes_size, site);
    } else {
        for (uint32_t i = 0; i < n->value_count; i++)
            shapes[i] = x->record->values[n->first_value + i].shape;
        first =
            graph_append(x->out, n->op, operands, n->operand_count, attributes, n->attributes_size, site, shapes, n->value_count);
    }
    for (uint32_t i = 0; i < n->value_count; i++)
        x->map[n->first_value + i] = first + i;
    return x->error->status == LTH_OK;
}
