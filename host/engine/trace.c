/* SPDX-License-Identifier: Apache-2.0
 * engine/trace.c: lth_trace_api, twice: for the steps and for the optimizers' rules. */
#include "engine/trace.h"

#include "engine/internal.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static trace *of(lth_trace *t) { return (trace *)t; }

static lth_tensor poison(trace *t) { return trace_tensor(t, LTH_NO_VALUE); }

bool trace_is_mine(const trace *t, const char *call, const char *file, uint32_t line)
{
    if (pthread_equal(t->owner, pthread_self()))
        return true;
    const engine_options *o = &t->engine->options;
    if (o->wrong_thread)
        o->wrong_thread(o->wrong_thread_context, call, file, line);
    return false;
}

lth_tensor trace_fail(trace *t, const char *file, uint32_t line, const char *format, ...)
{
    error *e = t->recording ? &t->error : &t->outside;
    if (e->status == LTH_OK) {
        va_list a;
        va_start(a, format);
        error_set_v(e, LTH_INVALID, format, a);
        va_end(a);
        error_prefix(e, "%s:%u: ", file ? file : "?", line);
    }
    return poison(t);
}

/* Whether an op may be recorded now. */
bool trace_ready(trace *t, const char *file, uint32_t line)
{
    if (!trace_is_mine(t, "an op", file, line))
        return false;
    if (t->recording)
        return t->error.status == LTH_OK;
    trace_fail(t, file, line, "an op outside of a step: tensors can be used only while a step function or a recorded hook runs");
    return false;
}

/* Says what is wrong with a tensor that is not of this step. */
static void refuse(trace *t, lth_tensor x, const char *what, const char *file, uint32_t line)
{
    if (!x.trace) {
        trace_fail(t, file, line, "%s has no value: it was never assigned, or an op without a result made it", what);
        return;
    }
    if (x.trace != &t->head) {
        trace_fail(
            t, file, line,
            "%s belongs to another trace: a rule (an optimizer's, or a custom op's gradient) and a step cannot share tensors",
            what);
        return;
    }
    const char *advice = "a tensor lives for one step; keep what must outlive it in a buffer (lth_buffer_new, lth_assign)";
    const engine *g = t->engine;
    uint32_t slot = x.generation & 1;
    const graph *past = &g->records[slot];
    if (t->constants)
        trace_fail(t, file, line,
                   "%s is of an earlier use of a rule (an optimizer's, or a custom op's gradient); a tensor lives for one "
                   "recording of it",
                   what);
    else if (x.generation + 1 == t->generation && x.node < past->value_count) {
        const lth_site *s = &past->sites[past->nodes[past->values[x.node].node].site];
        trace_fail(t, file, line, "%s is of an earlier step: it was made at %s:%u in %s of step %u; %s", what, s->file, s->line,
                   g->past[slot].hook, g->past[slot].step, advice);
    } else
        trace_fail(t, file, line, "%s is of an earlier step, %u recordings ago; %s", what, t->generation - x.generation, advice);
}

/* Whether the value can be read where the trace is now. Poison can; it is told where it was made. */
static bool sees(const trace *t, uint32_t value)
{
    const graph *g = t->graph;
    if (value >= g->value_count)
        return value == LTH_NO_VALUE;
    return g->region_count == 1 || graph_sees(g, value, g->region);
}

static void refuse_inner(trace *t, uint32_t value, const char *what, const char *file, uint32_t line)
{
    const graph *g = t->graph;
    if (value >= g->value_count) {
        trace_fail(t, file, line, "%s is damaged: the step has made no such tensor; its memory was overwritten", what);
        return;
    }
    uint32_t own = graph_region_of_kind(g, g->nodes[g->values[value].node].region, LTH_REGION_LOOP);
    const lth_site *s = &g->sites[g->nodes[g->regions[own].first_node].site];
    trace_fail(t, file, line,
               "%s was made in the body of the loop at %s:%u, and it is of one turn: carry it (lth_loop_last) or stack it "
               "(lth_loop_stack)",
               what, s->file, s->line);
}

uint32_t trace_value(trace *t, lth_tensor x, const char *what, const char *file, uint32_t line)
{
    if (x.trace != &t->head || x.generation != t->generation)
        refuse(t, x, what, file, line);
    else if (sees(t, x.node))
        return x.node;
    else
        refuse_inner(t, x.node, what, file, line);
    return LTH_NO_VALUE;
}

/* The same for operand i of an op; the text is made only where it is needed. */
static uint32_t operand_value(trace *t, uint32_t op, const lth_tensor *x, uint32_t i, const char *file, uint32_t line)
{
    if (x[i].trace == &t->head && x[i].generation == t->generation && sees(t, x[i].node))
        return x[i].node;
    char what[64];
    const op_info *info = op_find(op);
    snprintf(what, sizeof what, "%s: operand %u", info ? info->name : "op", i + 1);
    return trace_value(t, x[i], what, file, line);
}

uint32_t *trace_ids(trace *t, size_t n)
{
    t->ids = memory_grow(t->ids, &t->id_capacity, n, sizeof *t->ids);
    return t->ids;
}

/* ---- Leaves ---- */

uint32_t trace_scalar(trace *t, double value, lth_dtype dtype, uint32_t site)
{
    uint32_t slot = t->graph->scalar_count;
    lth_attr_slot at = { slot, 0 };
    lth_shape shape = { dtype ? dtype : t->engine->options.floating, 0, { 0 } };
    t->scalars = memory_grow(t->scalars, &t->scalar_capacity, (size_t)slot + 1, sizeof *t->scalars);
    t->scalars[slot] = value;
    return graph_append_leaf(t->graph, LTH_OP_SCALAR, &at, sizeof at, site, &shape);
}

uint32_t trace_state(graph *g, uint32_t arena, int64_t offset, const lth_shape *shape, uint32_t site)
{
    lth_attr_state at = { arena, 0, offset };
    return graph_append_leaf(g, LTH_OP_STATE, &at, sizeof at, site, shape);
}

static uint32_t current(trace *t, const state_entry *entry, uint32_t *value, uint32_t site)
{
    if (*value == LTH_NO_VALUE)
        *value = trace_state(t->graph, entry->place.arena, entry->place.offset, &entry->shape, site);
    return *value;
}

uint32_t trace_parameter(trace *t, uint32_t index, uint32_t site)
{
    engine *g = t->engine;
    return current(t, &g->state.parameters.at[index], &g->step.parameters[index], site);
}

uint32_t trace_buffer(trace *t, uint32_t index, uint32_t site)
{
    engine *g = t->engine;
    return current(t, &g->state.buffers.at[index], &g->step.buffers[index], site);
}

uint32_t trace_field(trace *t, uint32_t index, uint32_t site)
{
    engine_step *s = &t->engine->step;
    lth_attr_slot at = { index, 0 };
    if (s->fields[index] == LTH_NO_VALUE)
        s->fields[index] = graph_append_leaf(t->graph, LTH_OP_INPUT, &at, sizeof at, site, &s->args.fields[index].shape);
    return s->fields[index];
}

/* ---- The table ---- */

/* What authors may write themselves: the rest is for the host. */
static bool authors_op(uint32_t op)
{
    if (op < LTH_OP_NEG)
        return op == LTH_OP_IOTA || op == LTH_OP_UNIFORM || op == LTH_OP_NORMAL || op == LTH_OP_INTEGER;
    if (op == LTH_OP_LOOP || op == LTH_OP_LOOP_END)
        return false; /* control.h */
    return op < LTH_OP_ASSIGN || op == LTH_OP_PRINT || op == LTH_OP_ASSERT || op == LTH_OP_GRAD;
}

/* Within a loop's body derivatives are by what is of the turn: others would hang on the turns before. */
static bool grad_is_inside(trace *t, const uint32_t *ids, uint32_t count, const char *file, uint32_t line)
{
    const graph *g = t->graph;
    uint32_t loop = g->region ? graph_region_of_kind(g, g->region, LTH_REGION_LOOP) : 0;
    for (uint32_t i = 1; loop && i < count; i++)
        if (!graph_encloses(g, loop, g->nodes[g->values[ids[i]].node].region)) {
            trace_fail(t, file, line,
                       "grad: tensor %u was made outside of the loop's body; within it derivatives are taken by what the body "
                       "makes or carries",
                       i);
            return false;
        }
    return true;
}

static lth_tensor emit_grad(trace *t, const uint32_t *ids, uint32_t count, const char *file, uint32_t line)
{
    if (t->constants)
        return trace_fail(t, file, line,
                          "grad: a rule (an optimizer's, or a custom op's gradient) gets its gradients, it cannot ask for more");
    if (!grad_is_inside(t, ids, count, file, line))
        return poison(t);
    const lth_shape *loss = graph_shape(t->graph, ids[0]);
    if (loss->rank != 0 || !lth_dtype_is_float(loss->dtype)) {
        char text[128];
        describe_shape(loss, text, sizeof text);
        return trace_fail(t, file, line,
                          "grad: the loss must be one floating number (rank 0); it is %s: reduce it, with lth_mean say", text);
    }
    lth_shape *shapes = arena_array(&t->memory, count, sizeof *shapes);
    for (uint32_t i = 1; i < count; i++) {
        shapes[i - 1] = *graph_shape(t->graph, ids[i]);
        if (!lth_dtype_is_float(shapes[i - 1].dtype))
            return trace_fail(t, file, line, "grad: tensor %u is of type %s; only floating ones have a gradient", i,
                              lth_dtype_name(shapes[i - 1].dtype));
    }
    uint32_t site = graph_site(t->graph, file, line);
    return trace_tensor(t, graph_append(t->graph, LTH_OP_GRAD, ids, count, NULL, 0, site, shapes, count - 1));
}

static lth_tensor result_of(trace *t, uint32_t op, uint32_t value)
{
    return op == LTH_OP_PRINT || op == LTH_OP_ASSERT ? lth_none() : trace_tensor(t, value);
}

static lth_tensor emit(lth_trace *h, uint32_t op, const lth_tensor *x, uint32_t count, const void *attributes, uint32_t size,
                       const char *file, uint32_t line)
{
    trace *t = of(h);
    if (!trace_ready(t, file, line))
        return poison(t);
    uint32_t few[4], *ids = count <= 4 ? few : trace_ids(t, count);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = operand_value(t, op, x, i, file, line);
        if (ids[i] == LTH_NO_VALUE)
            return poison(t);
    }
    uint32_t site = graph_site(t->graph, file, line);
    if (t->past) {
        uint32_t known = recall_again(&t->recall, t->past, t->graph, op, ids, count, attributes, size, site);
        if (known != LTH_NO_VALUE)
            return result_of(t, op, known);
    }
    if (!authors_op(op))
        return trace_fail(t, file, line, "op %u is not one that a plugin records", op);
    if (op >= LTH_OP_ASSIGN && op != LTH_OP_GRAD && !trace_outside_loops(t, op_find(op)->name, file, line))
        return poison(t);
    if (op == LTH_OP_GRAD && count > 1)
        return emit_grad(t, ids, count, file, line);
    const recall_mark before = recall_mark_of(t->graph);
    uint32_t value = graph_emit_broadcast(t->graph, op, ids, count, attributes, size, site, &t->error);
    if (value == LTH_NO_VALUE) {
        error_prefix(&t->error, "%s:%u: ", file, line);
        return poison(t);
    }
    if (t->past)
        recall_keep(&t->recall, t->graph, &before, op, ids, count, attributes, size, site, value);
    return result_of(t, op, value);
}

static lth_tensor result(lth_trace *h, lth_tensor x, uint32_t index)
{
    trace *t = of(h);
    if (!trace_is_mine(t, "an op", NULL, 0))
        return poison(t);
    if (!x.trace || x.generation != t->generation || x.node >= t->graph->value_count)
        return poison(t); /* poison stays poison; a stale one is reported where it is used */
    const lth_node *n = &t->graph->nodes[t->graph->values[x.node].node];
    if (index < n->value_count)
        return trace_tensor(t, n->first_value + index);
    const lth_site *s = &t->graph->sites[n->site];
    return trace_fail(t, s->file, s->line, "result %u was asked of `%s`, which has %u", index, op_find(n->op)->name,
                      n->value_count);
}

static const lth_shape *shape(lth_trace *h, lth_tensor x)
{
    static const lth_shape nothing = { LTH_DTYPE_NONE, 0, { 0 } };
    trace *t = of(h);
    if (!trace_is_mine(t, "lth_shape_of", NULL, 0))
        return &nothing;
    if (x.generation != t->generation || !t->recording || x.node >= t->graph->value_count)
        return &nothing;
    if (t->past && x.node < t->recall.same) /* the one of the record before, which stays as it is during this one */
        return graph_shape(t->past, x.node);
    /* A copy: the graph's own may move as it grows. */
    return arena_copy(&t->memory, graph_shape(t->graph, x.node), sizeof(lth_shape));
}

/* A number beside a tensor of whole numbers takes its type, which must not change it: y * 0.5 would be y * 0. */
static bool fits_whole_numbers(double value, lth_dtype dtype)
{
    if (lth_dtype_is_float(dtype) || dtype == LTH_BOOL || dtype == LTH_DTYPE_NONE)
        return true;
    const double end = ldexp(1, (int)lth_dtype_size(dtype) * 8 - (dtype != LTH_U8)), low = dtype == LTH_U8 ? 0 : -end;
    return value == floor(value) && value >= low && value < end;
}

static lth_tensor step_scalar(lth_trace *h, double value, lth_dtype dtype, const char *file, uint32_t line)
{
    trace *t = of(h);
    if (!trace_ready(t, file, line))
        return poison(t);
    if (!fits_whole_numbers(value, dtype))
        return trace_fail(t, file, line, "%g is no number of type %s, as the tensor beside it is: lth_cast that to LTH_F32, say",
                          value, lth_dtype_name(dtype));
    return trace_tensor(t, trace_scalar(t, value, dtype, graph_site(t->graph, file, line)));
}

static lth_tensor rule_scalar(lth_trace *h, double value, lth_dtype dtype, const char *file, uint32_t line)
{
    trace *t = of(h);
    if (!trace_ready(t, file, line))
        return poison(t);
    uint32_t site = graph_site(t->graph, file, line);
    return trace_tensor(
        t, constants_value(t->constants, t->graph, value, dtype ? dtype : t->engine->options.floating, site, &t->error));
}

static lth_tensor parameter(lth_trace *h, lth_parameter p, const char *file, uint32_t line)
{
    trace *t = of(h);
    if (!trace_ready(t, file, line))
        return poison(t);
    const state *s = &t->engine->state;
    if (p.id == 0 || p.id > s->parameters.count)
        return trace_fail(t, file, line, "%s",
                          p.id == 0 ? "a parameter that was never made (lth_parameter_new in configure)"
                                    : "a parameter of another model");
    return trace_tensor(t, trace_parameter(t, p.id - 1, graph_site(t->graph, file, line)));
}

static const state_entry *find_buffer(trace *t, lth_buffer b, const char *file, uint32_t line)
{
    const state *s = &t->engine->state;
    if (b.id >= 1 && b.id <= s->buffers.count)
        return &s->buffers.at[b.id - 1];
    trace_fail(t, file, line, "%s",
               b.id == 0 ? "a buffer that was never made (lth_buffer_new in configure)" : "a buffer of another model");
    return NULL;
}

static lth_tensor buffer(lth_trace *h, lth_buffer b, const char *file, uint32_t line)
{
    trace *t = of(h);
    const state_entry *entry = trace_ready(t, file, line) ? find_buffer(t, b, file, line) : NULL;
    if (!entry)
        return poison(t);
    return trace_tensor(t, trace_buffer(t, b.id - 1, graph_site(t->graph, file, line)));
}

static void assign(lth_trace *h, lth_buffer b, lth_tensor x, const char *file, uint32_t line)
{
    trace *t = of(h);
    const state_entry *entry = trace_ready(t, file, line) ? find_buffer(t, b, file, line) : NULL;
    uint32_t value =
        entry && trace_outside_loops(t, "assign", file, line) ? trace_value(t, x, "assign: the value", file, line) : LTH_NO_VALUE;
    if (value == LTH_NO_VALUE)
        return;
    const lth_shape *s = graph_shape(t->graph, value);
    if (memcmp(s, &entry->shape, sizeof *s) != 0) {
        char is[128], wanted[128];
        describe_shape(s, is, sizeof is);
        describe_shape(&entry->shape, wanted, sizeof wanted);
        trace_fail(t, file, line, "assign: buffer '%s' is %s, the value is %s", entry->name, wanted, is);
        return;
    }
    lth_attr_state at = { entry->place.arena, 0, entry->place.offset };
    graph_append(t->graph, LTH_OP_ASSIGN, &value, 1, &at, sizeof at, graph_site(t->graph, file, line), NULL, 0);
    t->engine->step.buffers[b.id - 1] = value;
}

static lth_status read(lth_trace *h, lth_tensor x, void *out, uint64_t size, const char *file, uint32_t line)
{
    trace *t = of(h);
    if (trace_ready(t, file, line) && trace_outside_loops(t, "read", file, line)) {
        uint32_t value = trace_value(t, x, "read: the tensor", file, line);
        if (value != LTH_NO_VALUE)
            return engine_read(t->engine, value, out, size, file, line);
    }
    memset(out, 0, size);
    return LTH_INVALID;
}

static lth_tensor fail(lth_trace *h, const char *file, uint32_t line, const char *message)
{
    trace *t = of(h);
    return trace_is_mine(t, "an op", file, line) ? trace_fail(t, file, line, "%s", message) : poison(t);
}

static lth_status status(lth_trace *h) { return trace_is_mine(of(h), "an op", NULL, 0) ? of(h)->error.status : LTH_INVALID; }
static bool training(lth_trace *h) { return of(h)->training; }
static uint32_t random_id(lth_trace *h) { return trace_is_mine(of(h), "a random op", NULL, 0) ? of(h)->random_count++ : 0; }
static lth_dtype floating(lth_trace *h) { return of(h)->engine->options.floating; }

static lth_tensor no_parameter(lth_trace *h, lth_parameter p, const char *file, uint32_t line)
{
    (void)p;
    return trace_fail(of(h), file, line,
                      "a rule reads no parameters by name: an optimizer's gets its own from lth_update_parameter, a custom op's "
                      "gradient its operands");
}

static lth_tensor no_buffer(lth_trace *h, lth_buffer b, const char *file, uint32_t line)
{
    (void)b;
    return trace_fail(of(h), file, line, "a rule has no buffers; an optimizer's state is made in setup (lth_state_new)");
}

static void no_assign(lth_trace *h, lth_buffer b, lth_tensor x, const char *file, uint32_t line)
{
    (void)x;
    no_buffer(h, b, file, line);
}

static lth_status no_read(lth_trace *h, lth_tensor x, void *out, uint64_t size, const char *file, uint32_t line)
{
    (void)x;
    trace_fail(of(h), file, line,
               "a rule (an optimizer's, or a custom op's gradient) is recorded once a plan; it cannot read values");
    memset(out, 0, size);
    return LTH_INVALID;
}

static const lth_trace_api step_api = {
    .struct_size = sizeof(lth_trace_api),
    .emit = emit,
    .result = result,
    .shape = shape,
    .scalar = step_scalar,
    .parameter = parameter,
    .buffer = buffer,
    .assign = assign,
    .read = read,
    .fail = fail,
    .status = status,
    .training = training,
    .random_id = random_id,
    .floating = floating,
    .loop_begin = trace_loop_begin,
    .loop_end = trace_loop_end,
    .custom = trace_custom,
    .checkpoint = trace_checkpoint,
};

static const lth_trace_api rule_api = {
    .struct_size = sizeof(lth_trace_api),
    .emit = emit,
    .result = result,
    .shape = shape,
    .scalar = rule_scalar,
    .parameter = no_parameter,
    .buffer = no_buffer,
    .assign = no_assign,
    .read = no_read,
    .fail = fail,
    .status = status,
    .training = training,
    .random_id = random_id,
    .floating = floating,
    .loop_begin = trace_loop_begin,
    .loop_end = trace_loop_end,
    .custom = trace_custom,
    .checkpoint = trace_checkpoint,
};

/* ---- Life ---- */

void trace_init_step(trace *t, engine *g) { *t = (trace) { .head = { &step_api }, .engine = g, .owner = pthread_self() }; }

void trace_init_rule(trace *t, engine *g) { *t = (trace) { .head = { &rule_api }, .engine = g, .owner = pthread_self() }; }

void trace_free(trace *t)
{
    arena_free(&t->memory);
    recall_free(&t->recall);
    free(t->scalars);
    free(t->ids);
}

void trace_begin(trace *t, graph *g, bool is_training)
{
    t->graph = g;
    t->generation++;
    t->training = is_training;
    t->recording = true;
    error_clear(&t->error);
    if (t->outside.status) {
        t->error = t->outside;
        error_clear(&t->outside);
    }
    arena_reset(&t->memory);
}
