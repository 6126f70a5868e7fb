/* SPDX-License-Identifier: Apache-2.0
 * engine/trace.h: where ops are recorded: the face that the ABI's lth_trace has for the host.
 *
 * There are two: the step's, into which the author and the trainer record, and the rules', into which an optimizer's rule
 * and a custom op's gradient record while a plan is made. Both live as long as the engine, so that looking at a stale tensor is always safe. */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "engine/graph.h"
#include "engine/passes.h"
#include "engine/recall.h"
#include "util/arena.h"

#include <lthost/control.h>
#include <lthost/custom.h>
#include <pthread.h>

struct engine;

/* LTH_OP_GRAD has a trace_sums where it is an optimizer's (engine_gradients), and no attributes where it is the author's.
 * Symbolic ops of the engine's own; they never leave a record. */
enum {
    TRACE_OP_TOTAL = 0x10001, /* trace_sums: (gradients..., [divisor]) -> gradients / divisor + accumulated */
    TRACE_OP_CLIP =
        0x10002, /* trace_sums: (totals..., [norm], [value]) -> clipped ones; guarded first, or tested for the loss scale */
    TRACE_OP_ACCUMULATE = 0x10003 /* trace_sums: (gradients..., [divisor]): the accumulators' new content */
};
enum { TRACE_FIRST_RULE_RANDOM = 0x40000000 }; /* random ops of rules are never those of the author */
enum { TRACE_DIVIDE = 1, TRACE_ADD = 2, TRACE_GUARD = 4, TRACE_CLIP_NORM = 8, TRACE_CLIP_VALUE = 16, TRACE_SCALED = 32 };
typedef struct trace_sums {
    uint32_t optimizer, flags;
} trace_sums;

typedef struct trace {
    lth_trace head; /* first, so that an lth_trace is a trace */
    struct engine *engine;
    graph *graph;         /* grows */
    graph *past;          /* the record before this one; NULL in a rule */
    recall recall;
    constants *constants; /* rules: numbers are fixed for the plan; NULL in a step */
    error error;          /* the first of the step */
    error outside;        /* of an op that was written while no step was being recorded; the next step reports it */
    uint32_t generation;  /* of the tensors made now; another one at each step */
    uint32_t random_count;
    lth_site checkpoint; /* where the open one begins that was opened last */
    bool recording, training;
    pthread_t owner; /* the thread that may record */
    arena memory;    /* shapes and lists that live until the step ends */
    double *scalars; /* by slot */
    size_t scalar_capacity;
    uint32_t *ids; /* scratch */
    size_t id_capacity;
} trace;

void trace_init_step(trace *t, struct engine *g);
void trace_init_rule(trace *t, struct engine *g);
void trace_free(trace *t);

/* Begins to record into `g`: a new generation of tensors. */
void trace_begin(trace *t, graph *g, bool training);

/* A tensor for a value of the graph, and back: LTH_NO_VALUE where it is none, stale or foreign (the error is kept). */
static inline lth_tensor trace_tensor(trace *t, uint32_t value) { return (lth_tensor) { &t->head, value, t->generation }; }
uint32_t trace_value(trace *t, lth_tensor x, const char *what, const char *file, uint32_t line);

/* Keeps the first error, with its place in front. Returns poison. */
LTH_PRINTF(4, 5) lth_tensor trace_fail(trace *t, const char *file, uint32_t line, const char *format, ...);

/* Leaves. The slice's shape is dense from the place on. */
uint32_t trace_scalar(trace *t, double value, lth_dtype dtype, uint32_t site);
uint32_t trace_state(graph *g, uint32_t arena, int64_t offset, const lth_shape *shape, uint32_t site);

/* The current value of a parameter or a buffer, by index: the step's first read, then what an update or assign made. */
uint32_t trace_parameter(trace *t, uint32_t index, uint32_t site);
uint32_t trace_buffer(trace *t, uint32_t index, uint32_t site);
/* Field `index` of the batch. */
uint32_t trace_field(trace *t, uint32_t index, uint32_t site);

/* Where the loop begins whose body is being recorded; NULL: none is. */
const lth_site *trace_open_loop(const trace *t);
/* False, with an error, within a loop's body. what: "lth_print". */
bool trace_outside_loops(trace *t, const char *what, const char *file, uint32_t line);
/* Fails where a loop or a checkpoint is open. */
void trace_close(trace *t);

/* trace_control.c: of lth_trace_api. */
lth_tensor trace_loop_begin(lth_trace *h, lth_tensor count, const lth_attr_loop *loop, const lth_tensor *carried,
                            const lth_tensor *sequences, const char *file, uint32_t line);
lth_tensor trace_loop_end(lth_trace *h, lth_tensor index, const lth_tensor *next, uint32_t next_count, const lth_tensor *parts,
                          uint32_t part_count, const char *file, uint32_t line);
void trace_checkpoint(lth_trace *h, uint32_t begin, const char *file, uint32_t line);

/* Whether this thread may touch the trace; if not, engine_options.wrong_thread is told, and nothing is to be touched. */
bool trace_is_mine(const trace *t, const char *call, const char *file, uint32_t line);

/* Whether an op may be recorded now; if not, the error is kept. */
bool trace_ready(trace *t, const char *file, uint32_t line);

/* custom.c: of lth_trace_api. */
lth_tensor trace_custom(lth_trace *h, const lth_custom_op *op, const lth_tensor *x, uint32_t count, const void *attributes,
                        uint32_t size, const char *file, uint32_t line);

/* Scratch for n value ids, until the next call. */
uint32_t *trace_ids(trace *t, size_t n);

#endif
