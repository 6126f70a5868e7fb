/* SPDX-License-Identifier: Apache-2.0
 * engine/describe.c: steps and plans for a reader. */
#include "engine/internal.h"
#include "engine/op_table.h"
#include "engine/ops.h"
#include "engine/trace.h"

#include <string.h>

void describe_shape(const lth_shape *shape, char *out, size_t size)
{
    snprintf(out, size, "%s %s", lth_dtype_name(shape->dtype), op_shape_text(shape).text);
}

static const char *op_name(uint32_t op)
{
    const op_info *info = op_find(op);
    return info ? info->name : op == TRACE_OP_TOTAL ? "sum of gradients" : op == TRACE_OP_CLIP ? "clipping" : "accumulation";
}

void describe_node(const graph *in, uint32_t node, char *out, size_t size)
{
    const lth_node *n = &in->nodes[node];
    const lth_site *s = &in->sites[n->site];
    char shape[220] = "";
    if (n->value_count)
        describe_shape(graph_shape(in, n->first_value), shape, sizeof shape);
    snprintf(out, size, "%s%s%s at %s:%u", op_name(n->op), *shape ? " " : "", shape, s->file, s->line);
}

/* ---- Why a plan was made ---- */

/* Nodes that two records have in common at their beginning: the same op on the same operands, of the same shapes. */
static uint32_t common_nodes(const graph *a, const graph *b)
{
    uint32_t i = 0;
    for (; i < a->node_count && i < b->node_count; i++) {
        const lth_node *x = &a->nodes[i], *y = &b->nodes[i];
        if (memcmp(x, y, offsetof(lth_node, site)) != 0 || x->flags != y->flags ||
            memcmp(a->operands + x->first_operand, b->operands + y->first_operand, x->operand_count * sizeof *a->operands) != 0 ||
            memcmp(a->attributes + x->attributes, b->attributes + y->attributes, x->attributes_size) != 0)
            break;
        for (uint32_t k = 0; k < x->value_count; k++)
            if (memcmp(&a->values[x->first_value + k].shape, &b->values[y->first_value + k].shape, sizeof(lth_shape)) != 0)
                return i;
    }
    return i;
}

static void tell_difference(engine *g, const graph *now, const graph *before, uint32_t node)
{
    char is[400] = "nothing more", was[400] = "nothing more";
    if (node < now->node_count)
        describe_node(now, node, is, sizeof is);
    if (node < before->node_count)
        describe_node(before, node, was, sizeof was);
    if (strcmp(is, was) == 0) /* the difference is in operands or attributes */
        str_printf(&g->cause, "%s takes other operands or attributes than before", is);
    else
        str_printf(&g->cause, "%s; before it was %s", is, was);
}

void describe_cause(engine *g, const plan *p)
{
    const plan *nearest = NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < g->cache.count; i++) {
        const plan *q = g->cache.plans[i];
        if (strcmp(q->hook, p->hook) != 0 || q->segment != p->segment)
            continue;
        uint32_t common = common_nodes(&p->record, &q->record);
        if (!nearest || common > most || (common == most && q->used > nearest->used)) {
            nearest = q;
            most = common;
        }
    }
    str_clear(&g->cause);
    if (!nearest)
        str_printf(&g->cause, p->segment ? "first value read in %s" : "first step of %s", p->hook);
    else if (most == p->record.node_count && most == nearest->record.node_count)
        str_printf(&g->cause, p->training != nearest->training ? "%s is %s" : "%s reads values at other places%s", p->hook,
                   p->training == nearest->training ? "" : p->training ? "a training step now" : "no training step now");
    else
        tell_difference(g, &p->record, &nearest->record, most);
}

const char *engine_compile_cause(const engine *g) { return str_text(&g->cause); }

/* ---- A plan for a reader ---- */

static void describe_operands(const graph *in, const lth_node *n, str *text)
{
    const void *at = in->attributes + n->attributes;
    for (uint32_t i = 0; i < n->operand_count && i < 6; i++)
        str_printf(text, "%s%%%u", i ? ", " : " ", in->operands[n->first_operand + i]);
    if (n->operand_count > 6)
        str_printf(text, ", ... (%u)", n->operand_count);
    if (n->op == LTH_OP_INPUT || n->op == LTH_OP_SCALAR || n->op == LTH_OP_OUTPUT)
        str_printf(text, " #%u", ((const lth_attr_slot *)at)->slot);
    if (n->op == LTH_OP_PRINT || n->op == LTH_OP_ASSERT)
        str_printf(text, " \"%.64s\"", ((const lth_attr_text *)at)->text);
}

static void describe_line(engine *g, const graph *in, uint32_t node, str *text)
{
    const lth_node *n = &in->nodes[node];
    const lth_site *s = &in->sites[n->site];
    char shape[220];
    str_clear(text);
    str_append(text, "  ");
    if (n->value_count)
        str_printf(text, "%%%u = ", n->first_value);
    str_append(text, op_name(n->op));
    describe_operands(in, n, text);
    if (n->op == LTH_OP_STATE || n->op == LTH_OP_ASSIGN) {
        const lth_attr_state *at = (const void *)(in->attributes + n->attributes);
        const char *name = state_name_at(g, at->arena, at->offset);
        str_printf(text, " '%s'", name ? name : g->state.arenas[at->arena].name);
    }
    for (uint32_t i = 0; i < n->value_count; i++) {
        describe_shape(graph_shape(in, n->first_value + i), shape, sizeof shape);
        str_printf(text, "%s %s", i ? "," : " ->", shape);
    }
    str_printf(text, "  %s%s:%u", n->flags & LTH_NODE_GRADIENT ? "gradient of " : "", s->file, s->line);
}

static void describe_totals(const plan *p, void (*line)(void *context, const char *text), void *context, str *text)
{
    const lth_plan_info *i = &p->info;
    str_clear(text);
    str_printf(text, "%s: %u ops in %u kernels (%u ops share one), %.3g MFLOP, %.3g MB moved", p->hook, p->graph.node_count, i->kernel_count,
               i->fused_nodes, i->flops * 1e-6, (double)i->bytes_moved * 1e-6);
    line(context, str_text(text));
    str_clear(text);
    str_printf(text, "working memory %.3g MB (%.3g MB without sharing)", (double)i->memory * 1e-6, (double)i->memory_unshared * 1e-6);
    line(context, str_text(text));
}

void engine_describe(engine *g, void (*line)(void *context, const char *text), void *context)
{
    const plan *p = g->last_plan;
    if (!p) {
        line(context, "no step has run yet");
        return;
    }
    str text = { 0 };
    int64_t trained = 0, all = 0;
    for (size_t i = 0; i < g->state.parameters.count; i++) {
        int64_t n = lth_shape_count(&g->state.parameters.at[i].shape);
        all += n;
        trained += g->state.parameters.at[i].optimizer >= 0 ? n : 0;
    }
    if (p->eager) {
        str_printf(&text, "%s: %u ops, run one by one (eager)", p->hook, p->graph.node_count);
        line(context, str_text(&text));
    } else
        describe_totals(p, line, context, &text);
    str_clear(&text);
    str_printf(&text, "%lld parameters, %lld of them trained; state %.3g MB", (long long)all, (long long)trained,
               (double)g->stats.state_memory * 1e-6);
    line(context, str_text(&text));
    line(context, "ops:");
    for (uint32_t i = 0; i < p->graph.node_count; i++) {
        describe_line(g, &p->graph, i, &text);
        line(context, str_text(&text));
    }
    if (p->compiled && g->options.accelerator->describe) {
        line(context, "kernels:");
        g->options.accelerator->describe(g->options.accelerator_self, p->compiled, line, context);
    }
    str_free(&text);
}
