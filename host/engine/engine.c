/* SPDX-License-Identifier: Apache-2.0
 * engine/engine.c: the life of the engine and of a step. */
#include "engine/expand.h"
#include "engine/internal.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

engine *engine_new(const engine_options *options, error *e)
{
    if (options->floating != LTH_F32 && options->floating != LTH_F64) {
        error_set(e, LTH_UNSUPPORTED, "the engine computes in f32 or f64, not in %s", lth_dtype_name(options->floating));
        return NULL;
    }
    if (options->lower && (options->floating != LTH_F32 || (options->lower != LTH_BF16 && options->lower != LTH_F16))) {
        error_set(e, LTH_UNSUPPORTED, "beside %s the engine cannot compute in %s; beside f32 it can in bf16 and f16",
                  lth_dtype_name(options->floating), lth_dtype_name(options->lower));
        return NULL;
    }
    if (options->stored && options->stored != options->lower) {
        error_set(e, LTH_UNSUPPORTED, "parameters cannot be of %s in a run that does not compute in it",
                  lth_dtype_name(options->stored));
        return NULL;
    }
    engine *g = memory_new(sizeof *g);
    g->options = *options;
    g->cache.hash_mask = UINT64_MAX;
    g->cache.memory_limit = (uint64_t)sysconf(_SC_PHYS_PAGES) / 4 * (uint64_t)sysconf(_SC_PAGESIZE);
    if (options->accelerator)
        str_append(&g->fingerprint, options->accelerator->fingerprint(options->accelerator_self));
    if (options->accelerator && options->precision)
        str_printf(&g->fingerprint, " precision=%s", options->precision);
    trace_init_step(&g->trace, g);
    trace_init_rule(&g->rule, g);
    graph_init(&g->records[0]);
    graph_init(&g->records[1]);
    g->trace.graph = &g->records[0];
    return g;
}

void engine_free(engine *g)
{
    if (!g)
        return;
    plan_cache_free(g);
    free(g->eager_ops);
    plan_times_free(&g->times);
    state_free(g);
    trace_free(&g->trace);
    trace_free(&g->rule);
    graph_free(&g->records[0]);
    graph_free(&g->records[1]);
    free(g->step.fields);
    free(g->step.outputs);
    free(g->step.segments);
    for (int i = 0; i < ENGINE_RING; i++) {
        free(g->ring[i].outputs);
        free(g->ring[i].pointers);
        free(g->ring[i].memory);
    }
    str_free(&g->cause);
    str_free(&g->fingerprint);
    free(g);
}

void engine_say(engine *g, const char *format, ...)
{
    str text = { 0 };
    va_list a;
    va_start(a, format);
    str_vprintf(&text, format, a);
    va_end(a);
    if (g->options.print)
        g->options.print(g->options.print_context, str_text(&text));
    else
        fprintf(stderr, "%s\n", str_text(&text));
    str_free(&text);
}

/* ---- Recording ---- */

static void forget_values(engine *g, uint32_t field_count)
{
    engine_step *s = &g->step;
    s->fields = memory_grow(s->fields, &s->field_capacity, field_count, sizeof *s->fields);
    for (uint32_t i = 0; i < field_count; i++)
        s->fields[i] = LTH_NO_VALUE;
    size_t entries = g->state.parameters.count + g->state.buffers.count;
    for (size_t i = 0; i < entries && s->parameters; i++)
        s->parameters[i] = LTH_NO_VALUE;
    s->output_count = s->segment_count = s->reads = 0;
}

lth_trace *engine_begin(engine *g, const engine_step_args *args)
{
    trace *t = &g->trace;
    uint32_t next = (t->generation + 1) & 1;
    plan_cache_trim(g);
    g->step.args = *args;
    graph_reset(&g->records[next]);
    trace_begin(t, &g->records[next], args->training);
    t->past = &g->records[next ^ 1];
    recall_begin(&t->recall, t->generation);
    t->random_count = 0;
    snprintf(g->past[next].hook, sizeof g->past[next].hook, "%s", args->hook);
    g->past[next].step = args->step;
    forget_values(g, args->field_count);
    if (!g->state.allocated)
        error_set(&t->error, LTH_INVALID, "%s: no step can be recorded before engine_allocate", args->hook);
    return &t->head;
}

static lth_tensor no_field(engine *g, const char *name, const char *file, uint32_t line)
{
    str list = { 0 };
    for (uint32_t i = 0; i < g->step.args.field_count; i++)
        str_printf(&list, "%s'%s'", i ? ", " : "", g->step.args.fields[i].name);
    lth_tensor poison =
        trace_fail(&g->trace, file, line, "the batch has no field '%s'; it has %s", name, list.length ? str_text(&list) : "none");
    str_free(&list);
    return poison;
}

lth_tensor engine_input(engine *g, const char *name, const char *file, uint32_t line)
{
    trace *t = &g->trace;
    engine_step *s = &g->step;
    if (!t->recording)
        return trace_fail(t, file, line, "the batch can be looked at only while a step is recorded");
    if (!name)
        return no_field(g, "", file, line);
    for (uint32_t i = 0; i < s->args.field_count; i++) {
        if (strcmp(s->args.fields[i].name, name) != 0)
            continue;
        return trace_tensor(t, trace_field(t, i, graph_site(t->graph, file, line)));
    }
    return no_field(g, name, file, line);
}

uint32_t engine_output(engine *g, lth_tensor x, const char *file, uint32_t line)
{
    trace *t = &g->trace;
    engine_step *s = &g->step;
    uint32_t value = t->error.status || !t->recording ? LTH_NO_VALUE : trace_value(t, x, "an output", file, line);
    if (value == LTH_NO_VALUE || !trace_outside_loops(t, "an output", file, line))
        return 0; /* the step fails at its end; no slot of it will be read */
    for (uint32_t i = 0; i < s->output_count; i++)
        if (s->outputs[i] == value)
            return i;
    lth_attr_slot at = { (uint32_t)s->output_count, 0 };
    graph_append(t->graph, LTH_OP_OUTPUT, &value, 1, &at, sizeof at, graph_site(t->graph, file, line), NULL, 0);
    s->outputs = memory_grow(s->outputs, &s->output_capacity, s->output_count + 1, sizeof *s->outputs);
    s->outputs[s->output_count] = value;
    return (uint32_t)s->output_count++;
}

void engine_abandon(engine *g) { g->trace.recording = false; }

/* ---- The end of a step ---- */

/* Expands the record for the errors that come out. */
static lth_status expand_only(engine *g, error *e)
{
    const graph *record = g->trace.graph;
    constants c = { .first_slot = record->scalar_count };
    uint32_t *map = memory_new(record->value_count * sizeof *map + 1);
    graph out;
    graph_init(&out);
    error first = { 0 };
    expand(g, record, true, &out, map, &c, &first);
    graph_free(&out);
    constants_free(&c);
    free(map);
    return first.status ? error_set(e, first.status, "%s", first.text) : LTH_OK;
}

/* Room for a plan's outputs in the ring's next place, which keeps its memory from step to step. */
static engine_ring_entry *prepare_outputs(engine *g, const plan *p, error *e)
{
    engine_ring_entry *r = &g->ring[(g->ticket + 1) % ENGINE_RING];
    uint32_t count = p->graph.output_count;
    r->ticket = 0;
    r->count = count;
    if (count > r->capacity) {
        r->outputs = memory_resize(r->outputs, count * sizeof *r->outputs);
        r->pointers = memory_resize(r->pointers, count * sizeof *r->pointers);
        r->capacity = count;
    }
    if (p->output_bytes > r->memory_capacity) {
        free(r->memory);
        r->memory = aligned_alloc(64, p->output_bytes);
        r->memory_capacity = r->memory ? p->output_bytes : 0;
        if (!r->memory) {
            error_set(e, LTH_NO_MEMORY, "no memory for the outputs of %s (%llu bytes)", p->hook,
                      (unsigned long long)p->output_bytes);
            return NULL;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        r->outputs[i] = p->outputs[i];
        r->pointers[i] = (char *)r->memory + p->outputs[i].offset;
    }
    return r;
}

static lth_status run_step(engine *g, uint64_t *ticket, error *e)
{
    plan *p = plan_find(g, false, e);
    engine_ring_entry *r = p ? prepare_outputs(g, p, e) : NULL;
    if (!r)
        return e->status;
    g->last_plan = p;
    lth_status status = plan_run(g, p, r->pointers, e);
    if (status)
        return status;
    g->stats.steps++;
    r->ticket = *ticket = ++g->ticket;
    return LTH_OK;
}

lth_status engine_end(engine *g, uint64_t *ticket, error *e)
{
    trace *t = &g->trace;
    error local = { 0 };
    e = e ? e : &local;
    if (!t->recording)
        return error_set(e, LTH_INVALID, "no step is being recorded");
    trace_close(t);
    lth_status status = t->error.status                           ? error_set(e, t->error.status, "%s", t->error.text)
                        : g->step.args.mode == ENGINE_RECORD_ONLY ? expand_only(g, e)
                                                                  : run_step(g, ticket, e);
    t->recording = false;
    return status;
}

/* ---- Outputs and numbers ---- */

const void *engine_output_data(engine *g, uint64_t ticket, uint32_t slot, lth_shape *shape)
{
    const engine_ring_entry *r = &g->ring[ticket % ENGINE_RING];
    if (ticket == 0 || r->ticket != ticket || slot >= r->count)
        return NULL;
    if (ticket == g->ticket)
        g->stats.waits++;
    if (shape)
        *shape = r->outputs[slot].shape;
    return r->pointers[slot];
}

double engine_output_value(engine *g, uint64_t ticket, uint32_t slot)
{
    lth_shape shape;
    const void *data = engine_output_data(g, ticket, slot, &shape);
    return data && lth_shape_count(&shape) > 0 ? engine_element(data, shape.dtype, 0) : NAN;
}

void engine_get_stats(const engine *g, engine_stats *out) { *out = g->stats; }

const char *engine_fingerprint(const engine *g) { return str_text(&g->fingerprint); }
