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

const char *describe_op(const graph *in, const lth_node *n)
{
    const op_info *info = op_find(n->op);
    if (n->op == LTH_OP_CUSTOM)
        return ((const lth_attr_custom *)(const void *)(in->attributes + n->attributes))->name;
    return info ? info->name : n->op == TRACE_OP_TOTAL ? "sum of gradients" : n->op == TRACE_OP_CLIP ? "clipping" : "accumulation";
}

static const char *base_name(const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    return slash ? slash + 1 : file ? file : "?";
}

void describe_node(const graph *in, uint32_t node, char *out, size_t size)
{
    const lth_node *n = &in->nodes[node];
    const lth_site *s = &in->sites[n->site];
    char shape[220] = "";
    if (n->value_count)
        describe_shape(graph_shape(in, n->first_value), shape, sizeof shape);
    snprintf(out, size, "%s%s%s at %s:%u", describe_op(in, n), *shape ? " " : "", shape, base_name(s->file), s->line);
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
    char is[400], was[400];
    bool has = node < now->node_count, had = node < before->node_count;
    if (has)
        describe_node(now, node, is, sizeof is);
    if (had)
        describe_node(before, node, was, sizeof was);
    if (!has)
        str_printf(&g->cause, "the step ends before %s", was);
    else if (!had)
        str_printf(&g->cause, "%s, where the step ended before", is);
    else if (strcmp(is, was) == 0)
        str_printf(&g->cause, "%s has other operands or attributes than before", is);
    else
        str_printf(&g->cause, "%s, before it was %s", is, was);
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
                   p->training == nearest->training ? ""
                   : p->training                    ? "a training step now"
                                                    : "no training step now");
    else
        tell_difference(g, &p->record, &nearest->record, most);
}

const char *engine_compile_cause(const engine *g) { return str_text(&g->cause); }

/* ---- A plan for a reader ---- */

/* "704 B", "1.2 MB", "3.4 GFLOP". */
static void amount(str *text, double value, const char *unit)
{
    static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
    size_t i = 0;
    for (; value >= 999.5 && i < 5; i++)
        value /= 1000;
    str_printf(text, "%.3g %s%s", value, prefixes[i], unit);
}

/* The tensors in a slice of an arena: "'fc1.weight'", "'fc1.weight' and 3 more". */
static void describe_slice(const engine *g, const lth_attr_state *at, const lth_shape *shape, str *text)
{
    int64_t end = at->offset + lth_shape_count(shape);
    size_t more = 0;
    const char *first = state_name_at(g, at->arena, at->offset);
    for (size_t i = 0; i < g->state.tensor_count; i++) {
        const state_place *p = &g->state.tensors[i].place;
        more += p->arena == at->arena && p->offset > at->offset && p->offset < end;
    }
    str_printf(text, " '%s'", first ? first : g->state.arenas[at->arena].name);
    if (more)
        str_printf(text, " and %zu more", more);
}

static void describe_operands(const engine *g, const plan *p, const lth_node *n, str *text)
{
    const graph *in = &p->graph;
    const void *at = in->attributes + n->attributes;
    for (uint32_t i = 0; i < n->operand_count && i < 6; i++)
        str_printf(text, "%s%%%u", i ? ", " : " ", in->operands[n->first_operand + i]);
    if (n->operand_count > 6)
        str_printf(text, ", ... (%u)", n->operand_count);
    uint32_t slot = n->attributes_size ? ((const lth_attr_slot *)at)->slot : 0;
    if (n->op == LTH_OP_INPUT && slot < p->field_count)
        str_printf(text, " '%s'", p->field_names[slot]);
    else if (n->op == LTH_OP_INPUT || n->op == LTH_OP_SCALAR || n->op == LTH_OP_OUTPUT)
        str_printf(text, " #%u", slot);
    else if (n->op == LTH_OP_LOOP)
        str_printf(text, " up to %lld turns%s", (long long)((const lth_attr_loop *)at)->length,
                   ((const lth_attr_loop *)at)->reverse ? ", backwards" : "");
    else if (n->op == LTH_OP_PRINT || n->op == LTH_OP_ASSERT)
        str_printf(text, " \"%.64s\"", ((const lth_attr_text *)at)->text);
    else if (n->op == LTH_OP_STATE || n->op == LTH_OP_ASSIGN)
        describe_slice(g, at, graph_shape(in, n->op == LTH_OP_STATE ? n->first_value : in->operands[n->first_operand]), text);
}

static void describe_line(const engine *g, const plan *p, uint32_t node, str *text)
{
    const lth_node *n = &p->graph.nodes[node];
    const lth_site *s = &p->graph.sites[n->site];
    char shape[220];
    str_clear(text);
    str_append(text, "  ");
    for (uint32_t r = n->op == LTH_OP_LOOP ? p->graph.regions[n->region].parent : n->region; r; r = p->graph.regions[r].parent)
        str_append(text, "  "); /* a body */
    if (n->value_count)
        str_printf(text, "%%%u = ", n->first_value);
    str_append(text, describe_op(&p->graph, n));
    describe_operands(g, p, n, text);
    for (uint32_t i = 0; i < n->value_count; i++) {
        describe_shape(graph_shape(&p->graph, n->first_value + i), shape, sizeof shape);
        str_printf(text, "%s %s", i ? "," : " ->", shape);
    }
    str_printf(text, "  %s%s:%u", n->flags & LTH_NODE_GRADIENT ? "gradient of " : "", base_name(s->file), s->line);
}

static void describe_totals(const plan *p, str *text)
{
    const lth_plan_info *i = &p->info;
    if (p->eager) {
        str_printf(text, "%s: %u ops, run one by one (eager)\n", p->hook, p->graph.node_count);
        return;
    }
    str_printf(text, "%s: %u ops in %u kernels (%u ops share one), ", p->hook, p->graph.node_count, i->kernel_count,
               i->fused_nodes);
    amount(text, i->flops, "FLOP");
    str_append(text, ", ");
    amount(text, (double)i->bytes_moved, "B");
    str_append(text, " moved\nworking memory ");
    amount(text, (double)i->memory, "B");
    str_append(text, " (");
    amount(text, (double)i->memory_unshared, "B");
    str_append(text, " without sharing)\n");
}

static void describe_parameters(const engine *g, str *text)
{
    int64_t trained = 0, all = 0;
    for (size_t i = 0; i < g->state.parameters.count; i++) {
        int64_t n = lth_shape_count(&g->state.parameters.at[i].shape);
        all += n;
        trained += g->state.parameters.at[i].optimizer >= 0 ? n : 0;
    }
    str_printf(text, "%lld parameters, %lld of them trained; state ", (long long)all, (long long)trained);
    amount(text, (double)g->stats.state_memory, "B");
    str_append(text, "\nops:");
}

void engine_describe(engine *g, void (*line)(void *context, const char *text), void *context)
{
    const plan *p = g->last_plan;
    if (!p) {
        line(context, "no step has run yet");
        return;
    }
    str text = { 0 };
    describe_totals(p, &text);
    describe_parameters(g, &text);
    char *rest = text.at;
    for (char *next; rest; rest = next) { /* a line a call */
        next = strchr(rest, '\n');
        if (next)
            *next++ = '\0';
        line(context, rest);
    }
    for (uint32_t i = 0; i < p->graph.node_count; i++) {
        describe_line(g, p, i, &text);
        line(context, str_text(&text));
    }
    if (p->compiled && g->options.accelerator->describe) {
        line(context, "kernels:");
        g->options.accelerator->describe(g->options.accelerator_self, p->compiled, line, context);
    }
    str_free(&text);
}
