/* SPDX-License-Identifier: Apache-2.0
 * engine/eager.c: a graph run a node at a time, each node as a plan of its own.
 *
 * The one-node plans are shared by all programs of the engine: a relu of the same shape is compiled once. Assignments come
 * last, after every check, as in a whole plan. */
#include "engine/internal.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* A node with its operands as inputs and its results as outputs. */
typedef struct eager_op {
    graph graph;
    uint64_t hash;
    lth_plan *plan;
    uint32_t users;
} eager_op;

typedef struct eager_program {
    const graph *graph;  /* the plan's */
    eager_op **ops;      /* by node; NULL for INPUT and OUTPUT, which move no data of their own */
    void **values;       /* by value; of INPUT nodes: what is bound */
    const void **inputs; /* scratch: operands of a node */
    void **outputs;
} eager_program;

/* ---- One-node plans ---- */

/* The node alone into `out`. */
static void isolate(const graph *in, uint32_t node, graph *out)
{
    const lth_node *n = &in->nodes[node];
    uint32_t site = graph_site(out, in->sites[n->site].file, in->sites[n->site].line);
    uint32_t *map = memory_new(in->value_count * sizeof *map + 1);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t operand = in->operands[n->first_operand + i];
        lth_attr_slot at = { i, 0 };
        map[operand] = graph_append(out, LTH_OP_INPUT, NULL, 0, &at, sizeof at, site, graph_shape(in, operand), 1);
    }
    uint32_t first = out->value_count;
    graph_copy_node(in, node, out, map);
    lth_node *copy = &out->nodes[out->node_count - 1];
    copy->site = site;
    copy->flags &= LTH_NODE_GUARD;
    for (uint32_t i = 0; i < n->value_count; i++) {
        lth_attr_slot at = { i, 0 };
        uint32_t value = first + i;
        graph_append(out, LTH_OP_OUTPUT, &value, 1, &at, sizeof at, site, NULL, 0);
    }
    free(map);
}

static eager_op *find_op(engine *g, const graph *one, uint64_t hash)
{
    for (size_t i = 0; i < g->eager_op_count; i++)
        if (g->eager_ops[i]->hash == hash && graphs_equal(&g->eager_ops[i]->graph, one))
            return g->eager_ops[i];
    return NULL;
}

static eager_op *make_op(engine *g, graph *one, uint64_t key, error *e)
{
    const lth_accelerator *a = g->options.accelerator;
    lth_graph view;
    graph_view(one, &view);
    lth_compile_args args = { .struct_size = sizeof args, .flags = LTH_COMPILE_NO_FUSION, .graph = &view };
    lth_plan *compiled = NULL;
    lth_status status = a->compile(g->options.accelerator_self, &args, &compiled);
    if (status) {
        error_set(e, status, "accelerator '%s' cannot compile one op", a->id);
        return NULL;
    }
    eager_op *op = memory_new(sizeof *op);
    *op = (eager_op) { *one, key, compiled, 0 };
    graph_init(one);
    g->eager_ops = memory_grow(g->eager_ops, &g->eager_op_capacity, g->eager_op_count + 1, sizeof *g->eager_ops);
    g->eager_ops[g->eager_op_count++] = op;
    return op;
}

static eager_op *op_of(engine *g, const graph *in, uint32_t node, error *e)
{
    graph one;
    graph_init(&one);
    one.arenas = in->arenas;
    one.arena_count = in->arena_count;
    isolate(in, node, &one);
    hash h;
    hash_start(&h, 0);
    graph_hash(&one, &h);
    uint64_t key = hash_value(&h);
    eager_op *op = find_op(g, &one, key);
    if (!op)
        op = make_op(g, &one, key, e);
    if (op)
        op->users++;
    graph_free(&one);
    return op;
}

static void release_op(engine *g, eager_op *op)
{
    if (!op || --op->users)
        return;
    for (size_t i = 0; i < g->eager_op_count; i++)
        if (g->eager_ops[i] == op)
            g->eager_ops[i] = g->eager_ops[--g->eager_op_count];
    if (g->options.accelerator->release)
        g->options.accelerator->release(g->options.accelerator_self, op->plan);
    graph_free(&op->graph);
    free(op);
}

/* ---- Programs ---- */

static bool moves_nothing(uint32_t op) { return op == LTH_OP_INPUT || op == LTH_OP_OUTPUT; }

static uint64_t value_bytes(const graph *in, uint32_t value)
{
    const lth_shape *s = graph_shape(in, value);
    return (uint64_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
}

static bool allocate_values(eager_program *p, error *e)
{
    const graph *in = p->graph;
    for (uint32_t i = 0; i < in->value_count; i++) {
        if (in->nodes[in->values[i].node].op == LTH_OP_INPUT)
            continue;
        uint64_t bytes = (value_bytes(in, i) + 63) / 64 * 64;
        p->values[i] = aligned_alloc(64, bytes ? bytes : 64);
        if (!p->values[i]) {
            error_set(e, LTH_NO_MEMORY, "no memory for a value of %llu bytes", (unsigned long long)bytes);
            return false;
        }
    }
    return true;
}

eager_program *eager_compile(engine *g, const graph *in, error *e)
{
    eager_program *p = memory_new(sizeof *p);
    uint32_t widest = 1;
    p->graph = in;
    p->ops = memory_new(in->node_count * sizeof *p->ops + 1);
    p->values = memory_new(in->value_count * sizeof *p->values + 1);
    bool ok = allocate_values(p, e);
    for (uint32_t i = 0; ok && i < in->node_count; i++) {
        const lth_node *n = &in->nodes[i];
        widest = n->operand_count > widest ? n->operand_count : widest;
        widest = n->value_count > widest ? n->value_count : widest;
        if (!moves_nothing(n->op))
            ok = (p->ops[i] = op_of(g, in, i, e)) != NULL;
    }
    p->inputs = memory_new(widest * sizeof *p->inputs);
    p->outputs = memory_new(widest * sizeof *p->outputs);
    if (ok)
        return p;
    eager_free(g, p);
    return NULL;
}

static lth_status run_node(engine *g, eager_program *p, uint32_t node, const lth_bindings *bindings, lth_run_result *result)
{
    const graph *in = p->graph;
    const lth_node *n = &in->nodes[node];
    const lth_attr_slot *at = (const void *)(in->attributes + n->attributes);
    if (n->op == LTH_OP_INPUT) {
        p->values[n->first_value] = (void *)(uintptr_t)bindings->inputs[at->slot];
        return LTH_OK;
    }
    if (n->op == LTH_OP_OUTPUT) {
        uint32_t value = in->operands[n->first_operand];
        memcpy(bindings->outputs[at->slot], p->values[value], value_bytes(in, value));
        return LTH_OK;
    }
    for (uint32_t i = 0; i < n->operand_count; i++)
        p->inputs[i] = p->values[in->operands[n->first_operand + i]];
    for (uint32_t i = 0; i < n->value_count; i++)
        p->outputs[i] = p->values[n->first_value + i];
    lth_bindings own = *bindings;
    own.inputs = p->inputs;
    own.outputs = p->outputs;
    lth_status status = g->options.accelerator->run(g->options.accelerator_self, p->ops[node]->plan, &own, result);
    if (status)
        result->failed_node = node;
    return status;
}

lth_status eager_run(engine *g, eager_program *p, const lth_bindings *bindings, lth_run_result *result)
{
    for (int assigns = 0; assigns < 2; assigns++)
        for (uint32_t i = 0; i < p->graph->node_count; i++) {
            if ((p->graph->nodes[i].op == LTH_OP_ASSIGN) != (assigns == 1))
                continue;
            lth_status status = run_node(g, p, i, bindings, result);
            if (status)
                return status;
        }
    return LTH_OK;
}

const void *eager_value(const eager_program *p, uint32_t value) { return p->values[value]; }

void eager_free(engine *g, eager_program *p)
{
    for (uint32_t i = 0; i < p->graph->node_count; i++)
        release_op(g, p->ops[i]);
    for (uint32_t i = 0; i < p->graph->value_count; i++)
        if (p->graph->nodes[p->graph->values[i].node].op != LTH_OP_INPUT)
            free(p->values[i]);
    free(p->ops);
    free(p->values);
    free(p->inputs);
    free(p->outputs);
    free(p);
}
