/* SPDX-License-Identifier: Apache-2.0
 * engine/internal.h: the engine's own struct, shared by its files. Nobody else includes this (tests may). */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "engine/plan.h"
#include "engine/plan_times.h"
#include "engine/state.h"
#include "engine/trace.h"
#include "util/str.h"

/* What a stale tensor can still be told about. */
typedef struct engine_past {
    char hook[48];
    uint32_t step;
} engine_past;

/* The host's copy of a step's outputs. */
typedef struct engine_ring_entry {
    uint64_t ticket; /* 0: empty */
    uint32_t count, capacity;
    plan_output *outputs;
    void **pointers;
    void *memory;
    uint64_t memory_capacity;
} engine_ring_entry;

/* A value that was read in the middle of the running step, and the plan that computed it. */
typedef struct engine_segment {
    plan_boundary boundary;
    plan *plan;
} engine_segment;

/* The step being recorded. */
typedef struct engine_step {
    engine_step_args args;
    uint32_t *fields; /* value of each, LTH_NO_VALUE: not read yet */
    size_t field_capacity;
    uint32_t *parameters, *buffers; /* current values, by index */
    uint32_t *outputs;              /* values marked, by slot */
    size_t output_count, output_capacity;
    engine_segment *segments;
    size_t segment_count, segment_capacity;
    uint32_t reads; /* of a step that is only recorded */
} engine_step;

struct engine {
    engine_options options;
    state state;
    trace trace;      /* of the step */
    trace rule;       /* of an optimizer's rule, while a plan is made */
    graph records[2]; /* this step's and the one before: a stale tensor's place is still known */
    engine_past past[2];
    engine_step step;
    plan_cache cache;
    plan *last_plan; /* of the last step ended; NULL: none */
    engine_ring_entry ring[ENGINE_RING];
    uint64_t ticket;
    struct eager_op **eager_ops; /* plans of one node, shared by all programs */
    size_t eager_op_count, eager_op_capacity;
    engine_stats stats;
    plan_times times; /* where they are profiled */
    str cause, fingerprint;
};

static inline graph *engine_record(engine *g) { return &g->records[g->trace.generation & 1]; }

/* Shows a line to the user. */
LTH_PRINTF(2, 3) void engine_say(engine *g, const char *format, ...);

/* What lth_print shows of a value; the `print` of a plan's bindings. context: the engine. */
void engine_print(void *context, const char *text, const lth_shape *shape, const void *data);

/* Element i of dense data as a double. */
double engine_element(const void *data, lth_dtype dtype, int64_t i);

/* segment.c: trace_api.read of a step. */
lth_status engine_read(engine *g, uint32_t value, void *out, uint64_t size, const char *file, uint32_t line);

/* strategy.c: the strategy's pass, from `in` to `out` (empty). */
bool engine_transform(engine *g, const graph *in, graph *out, error *e);

#endif
