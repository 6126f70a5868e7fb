/* SPDX-License-Identifier: Apache-2.0
 * engine/decompose.c: composites as primitives. */
#include "engine/ops.h"
#include "engine/passes.h"
#include "engine/precision.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct pass {
    const graph *in;
    graph *out;
    constants *c;
    uint32_t *map; /* a value of in -> its value in out */
    error *error;
} pass;

static uint32_t constant(op_rule *r, double value, lth_dtype dtype)
{
    pass *p = r->constant_context;
    return constants_value(p->c, p->out, value, dtype, r->site, p->error);
}

static bool is_16_bit(lth_dtype t) { return t == LTH_BF16 || t == LTH_F16; }

/* A composite of 16 bits is computed in f32 and rounded at its end, as a kernel of its own would. */
static bool replace(pass *p, const lth_node *n, const op_info *info)
{
    uint32_t operands[OP_MAX_COMPOSITE], results[OP_MAX_RESULTS];
    memset(results, 0xff, sizeof results); /* LTH_NO_VALUE */
    for (uint32_t i = 0; i < n->operand_count; i++)
        operands[i] = p->map[p->in->operands[n->first_operand + i]];
    p->out->region = n->region;
    op_rule r = { .g = p->out,
                  .operands = operands,
                  .outputs = results,
                  .attributes = p->in->attributes + n->attributes,
                  .count = n->operand_count,
                  .result_count = n->value_count,
                  .site = n->site,
                  .constant = constant,
                  .constant_context = p,
                  .error = p->error };
    bool wide = op_precision_of(n->op) != OP_PRECISION_LOWER; /* products lower their operands themselves */
    for (uint32_t i = 0; i < n->operand_count && wide; i++)
        if (is_16_bit(graph_shape(p->out, operands[i])->dtype))
            operands[i] = op_cast(&r, operands[i], LTH_F32);
    info->decompose(&r);
    for (uint32_t i = 0; i < n->value_count; i++) {
        const lth_shape *wanted = &p->in->values[n->first_value + i].shape;
        if (wide && is_16_bit(wanted->dtype))
            results[i] = op_cast(&r, results[i], wanted->dtype);
        p->map[n->first_value + i] = results[i];
        if (p->error->status == LTH_OK && (results[i] == LTH_NO_VALUE || !op_same_dims(op_shape_of(&r, results[i]), wanted)))
            error_set(p->error, LTH_ERROR, "the decomposition of %s gives another shape than %s", info->name,
                      op_shape_text(wanted).text);
    }
    return p->error->status == LTH_OK;
}

bool decompose(const graph *in, graph *out, constants *c, bool (*supports)(void *context, uint32_t op, lth_dtype dtype),
               void *context, uint32_t *map, error *e)
{
    error own = { 0 };
    pass p = { .in = in, .out = out, .c = c, .error = e ? e : &own };
    p.map = map ? map : memory_new(in->value_count * sizeof *map);
    graph_copy_frame(in, out);
    bool ok = true;
    for (uint32_t i = 0; ok && i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        const op_info *info = op_find(n->op);
        if (n->op == LTH_OP_STOP_GRADIENT)
            p.map[n->first_value] = p.map[in->operands[n->first_operand]];
        else if (info && info->decompose &&
                 !(supports && supports(context, n->op, in->values[in->operands[n->first_operand]].shape.dtype)))
            ok = replace(&p, n, info);
        else
            graph_copy_node(in, i, out, p.map);
    }
    if (!map)
        free(p.map);
    return ok;
}
