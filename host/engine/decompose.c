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

typedef bool supports_function(void *context, uint32_t op, lth_dtype dtype);

/* Whether the node is a composite that the accelerator declines. */
static bool is_declined(const graph *g, const lth_node *n, supports_function *supports, void *context)
{
    const op_info *info = op_find(n->op);
    return info && info->decompose &&
           !(supports && supports(context, n->op, g->values[g->operands[n->first_operand]].shape.dtype));
}

/* A decomposition may itself name composites; *again: one of `out` is declined. */
static bool decompose_once(pass *p, supports_function *supports, void *context, bool *again)
{
    const graph *in = p->in;
    bool ok = true, any = false;
    graph_copy_frame(in, p->out);
    for (uint32_t i = 0; ok && i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        if (n->op == LTH_OP_STOP_GRADIENT)
            p->map[n->first_value] = p->map[in->operands[n->first_operand]];
        else if (is_declined(in, n, supports, context))
            any = true, ok = replace(p, n, op_find(n->op));
        else
            graph_copy_node(in, i, p->out, p->map);
    }
    *again = false;
    for (uint32_t i = 0; ok && any && !*again && i < p->out->node_count; i++)
        *again = is_declined(p->out, &p->out->nodes[i], supports, context);
    return ok;
}

/* What was decomposed once, once more: p->map goes on to where its values are now. */
static bool decompose_again(pass *p, supports_function *supports, void *context, bool *again)
{
    graph first = *p->out;
    pass next = { .in = &first, .out = p->out, .c = p->c, .error = p->error };
    next.map = memory_new(first.value_count * sizeof *next.map);
    graph_init(p->out);
    bool ok = decompose_once(&next, supports, context, again);
    for (uint32_t i = 0; ok && i < p->in->value_count; i++)
        p->map[i] = next.map[p->map[i]];
    free(next.map);
    graph_free(&first);
    return ok;
}

bool decompose(const graph *in, graph *out, constants *c, bool (*supports)(void *context, uint32_t op, lth_dtype dtype),
               void *context, uint32_t *map, error *e)
{
    error own = { 0 };
    pass p = { .in = in, .out = out, .c = c, .error = e ? e : &own };
    p.map = map ? map : memory_new(in->value_count * sizeof *map);
    bool again, ok = decompose_once(&p, supports, context, &again);
    while (ok && again)
        ok = decompose_again(&p, supports, context, &again);
    if (!map)
        free(p.map);
    return ok;
}
