/* SPDX-License-Identifier: Apache-2.0
 * engine/eager.c: a graph run an op at a time, each as a plan of its own: a node, or a whole loop, whose body has no values to
 * show after it.
 *
 * The plans are shared by all programs of the engine: a relu of the same shape is compiled once. Assignments come
 * last, after every check, as in a whole plan. */
#include "engine/internal.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* An op with what it reads as inputs and its results as outputs. */
typedef struct eager_op {
    graph graph;
    uint64_t hash;
    lth_plan *plan;
    uint32_t users, launch_count;
    lth_launch_time *times; /* NULL: not profiled */
} eager_op;

/* One of a program. */
typedef struct eager_step {
    eager_op *op;               /* NULL for INPUT and OUTPUT, which move no data of their own */
    uint32_t node, count;       /* its nodes */
    uint32_t reads, read_count; /* in program->reads: values */
} eager_step;

typedef struct eager_program {
    const graph *graph; /* the plan's */
    eager_step *steps;
    uint32_t *reads;
    uint32_t step_count, read_count;
    uint32_t running;    /* node */
    void **values;       /* by value; of INPUT nodes: what is bound; of a loop's body: NULL */
    const void **inputs; /* scratch: of a step */
    void **outputs;
} eager_program;

/* ---- Plans of one op ---- */

/* The nodes after `first` that make one op with it: a loop's, or none. */
static uint32_t nodes_of_op(const graph *in, uint32_t first)
{
    const lth_node *n = &in->nodes[first];
    return n->op == LTH_OP_LOOP ? graph_loop_end_node(in, n->region) - first + 1 : 1;
}

/* The op alone into `out`; `inputs` gets the values that it reads. Returns how many they are. */
static uint32_t isolate(const graph *in, uint32_t first, uint32_t count, graph *out, uint32_t *inputs)
{
    uint32_t read = 0, *map = memory_new(in->value_count * sizeof *map + 1);
    memset(map, 0xff, in->value_count * sizeof *map); /* LTH_NO_VALUE */
    graph_copy_frame(in, out);
    out->site_count = out->input_count = out->output_count = out->scalar_count = 0;
    uint32_t site = graph_site(out, in->sites[in->nodes[first].site].file, in->sites[in->nodes[first].site].line);
    for (uint32_t i = first; i < first + count; i++)
        for (uint32_t k = 0; k < in->nodes[i].operand_count; k++) {
            uint32_t operand = in->operands[in->nodes[i].first_operand + k];
            lth_attr_slot at = { read, 0 };
            if (map[operand] != LTH_NO_VALUE || in->values[operand].node >= first)
                continue;
            inputs[read++] = operand;
            map[operand] = graph_append(out, LTH_OP_INPUT, NULL, 0, &at, sizeof at, site, graph_shape(in, operand), 1);
        }
    for (uint32_t i = first; i < first + count; i++) {
        graph_copy_node(in, i, out, map);
        lth_node *copy = &out->nodes[out->node_count - 1];
        copy->site = site;
        copy->flags &= LTH_NODE_GUARD;
    }
    const lth_node *last = &in->nodes[first + count - 1];
    out->region = 0;
    for (uint32_t i = 0; i < last->value_count; i++) {
        lth_attr_slot at = { i, 0 };
        graph_append(out, LTH_OP_OUTPUT, &map[last->first_value + i], 1, &at, sizeof at, site, NULL, 0);
    }
    graph_keep_loops(out);
    free(map);
    return read;
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
    *op = (eager_op) { .graph = *one, .hash = key, .plan = compiled };
    if (g->options.profile)
        op->times = plan_times_new(g, compiled, &op->launch_count);
    graph_init(one);
    g->eager_ops = memory_grow(g->eager_ops, &g->eager_op_capacity, g->eager_op_count + 1, sizeof *g->eager_ops);
    g->eager_ops[g->eager_op_count++] = op;
    return op;
}

static eager_op *op_of(engine *g, const graph *in, eager_step *step, uint32_t *inputs, error *e)
{
    graph one;
    graph_init(&one);
    step->read_count = isolate(in, step->node, step->count, &one, inputs);
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

/* The ops are of no hook: they are shared. */
static void collect_times(engine *g, eager_op *op)
{
    plan_times_collect_launches(g, "one by one", &op->graph, op->plan, op->times, op->launch_count);
}

void eager_profile(engine *g)
{
    for (size_t i = 0; i < g->eager_op_count; i++)
        collect_times(g, g->eager_ops[i]);
}

static void release_op(engine *g, eager_op *op)
{
    if (!op || --op->users)
        return;
    for (size_t i = 0; i < g->eager_op_count; i++)
        if (g->eager_ops[i] == op)
            g->eager_ops[i] = g->eager_ops[--g->eager_op_count];
    collect_times(g, op);
    if (g->options.accelerator->release)
        g->options.accelerator->release(g->options.accelerator_self, op->plan);
    graph_free(&op->graph);
    free(op->times);
    free(op);
}

/* ---- Programs ---- */

static bool moves_nothing(uint32_t op) { return op == LTH_OP_INPUT || op == LTH_OP_OUTPUT; }

static uint64_t value_bytes(const graph *in, uint32_t value)
{
    const lth_shape *s = graph_shape(in, value);
    return (uint64_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
}

/* What there is memory for: results of steps. */
static bool allocate_values(eager_program *p, const eager_step *step, error *e)
{
    const lth_node *last = &p->graph->nodes[step->node + step->count - 1];
    for (uint32_t v = last->first_value; v < last->first_value + last->value_count; v++) {
        uint64_t bytes = (value_bytes(p->graph, v) + 63) / 64 * 64;
        p->values[v] = aligned_alloc(64, bytes ? bytes : 64);
        if (!p->values[v]) {
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
    p->steps = memory_new(in->node_count * sizeof *p->steps + 1);
    p->reads = memory_new(in->operand_count * sizeof *p->reads + 1);
    p->values = memory_new(in->value_count * sizeof *p->values + 1);
    bool ok = true;
    for (uint32_t i = 0; ok && i < in->node_count; i += p->steps[p->step_count - 1].count) {
        eager_step *step = &p->steps[p->step_count++];
        *step = (eager_step) { NULL, i, nodes_of_op(in, i), p->read_count, 0 };
        if (moves_nothing(in->nodes[i].op))
            continue;
        step->op = op_of(g, in, step, p->reads + step->reads, e);
        ok = step->op && allocate_values(p, step, e);
        uint32_t results = in->nodes[i + step->count - 1].value_count;
        p->read_count += step->read_count;
        widest = step->read_count > widest ? step->read_count : widest;
        widest = results > widest ? results : widest;
    }
    p->inputs = memory_new(widest * sizeof *p->inputs);
    p->outputs = memory_new(widest * sizeof *p->outputs);
    if (ok)
        return p;
    eager_free(g, p);
    return NULL;
}

static lth_status run_step(engine *g, eager_program *p, const eager_step *step, const lth_bindings *bindings,
                           lth_run_result *result)
{
    const graph *in = p->graph;
    const lth_node *n = &in->nodes[step->node], *last = &in->nodes[step->node + step->count - 1];
    const lth_attr_slot *at = (const void *)(in->attributes + n->attributes);
    if (n->op == LTH_OP_INPUT) {
        p->values[n->first_value] = (void *)(uintptr_t)bindings->inputs[at->slot];
        return LTH_OK;
    }
    if (n->op == LTH_OP_OUTPUT) {
        uint32_t value = in->operands[n->first_operand];
        size_t bytes = value_bytes(in, value);
        if (bytes > 0) /* else either may be NULL */
            memcpy(bindings->outputs[at->slot], p->values[value], bytes);
        return LTH_OK;
    }
    for (uint32_t i = 0; i < step->read_count; i++)
        p->inputs[i] = p->values[p->reads[step->reads + i]];
    for (uint32_t i = 0; i < last->value_count; i++)
        p->outputs[i] = p->values[last->first_value + i];
    *(volatile uint32_t *)&p->running = step->node;
    lth_bindings own = *bindings;
    own.inputs = p->inputs;
    own.outputs = p->outputs;
    own.times = step->op->times;
    lth_status status = g->options.accelerator->run(g->options.accelerator_self, step->op->plan, &own, result);
    if (status) { /* the op's inputs stand before its nodes there */
        uint32_t node = result->failed_node - step->read_count;
        result->failed_node = step->node + (node < step->count ? node : 0);
    }
    return status;
}

lth_status eager_run(engine *g, eager_program *p, const lth_bindings *bindings, lth_run_result *result)
{
    for (int assigns = 0; assigns < 2; assigns++)
        for (uint32_t i = 0; i < p->step_count; i++) {
            if ((p->graph->nodes[p->steps[i].node].op == LTH_OP_ASSIGN) != (assigns == 1))
                continue;
            lth_status status = run_step(g, p, &p->steps[i], bindings, result);
            if (status)
                return status;
        }
    return LTH_OK;
}

const void *eager_value(const eager_program *p, uint32_t value) { return p->values[value]; }
const uint32_t *eager_running_node(const eager_program *p) { return &p->running; }

void eager_free(engine *g, eager_program *p)
{
    for (uint32_t i = 0; i < p->step_count; i++)
        release_op(g, p->steps[i].op);
    for (uint32_t i = 0; i < p->graph->value_count; i++)
        if (p->graph->nodes[p->graph->values[i].node].op != LTH_OP_INPUT)
            free(p->values[i]);
    free(p->steps);
    free(p->reads);
    free(p->values);
    free(p->inputs);
    free(p->outputs);
    free(p);
}
