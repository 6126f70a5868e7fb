/* SPDX-License-Identifier: Apache-2.0
 * engine/engine.h: state, and steps that are recorded, compiled once and run. What the trainer uses.
 *
 * Life: engine_new; engine_configure (the model makes parameters); optimizers and groups; engine_allocate; then steps:
 *   engine_begin -> ops are recorded through the lth_trace -> engine_gradients, engine_update ... -> engine_end.
 * All of it on one thread. In the steady state no call allocates. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "util/error.h"

#include <lthost/accelerator.h>
#include <lthost/optimizer.h>
#include <lthost/setup.h>
#include <lthost/step.h>
#include <lthost/strategy.h>
#include <lthost/trainer.h>

typedef struct engine engine;

typedef struct engine_options {
    const lth_accelerator *accelerator; /* NULL: steps can be recorded and expanded, not run (`lthost check`) */
    void *accelerator_self;
    const lth_strategy *strategy; /* NULL: as single */
    void *strategy_self;
    lth_dtype floating; /* F32 or F64: of what is recorded, and of parameters, gradients' sums and optimizer state */
    lth_dtype lower;    /* NONE, or BF16 or F16 beside F32: what gains by it computes in it (precision.h) */
    lth_dtype stored;   /* NONE: as floating; or `lower`, for parameters: updates still compute in f32 and are rounded once */
    uint32_t growth_interval; /* F16: good updates in a row that double the loss scale; 0: 2,000 */
    const char *precision;    /* what the two are called together, for the fingerprint; NULL: nothing */
    bool eager;               /* each node of a step as a plan of its own */
    bool no_fusion;
    bool profile; /* launches are timed: engine_profile */
    uint64_t seed;
    /* Where lth_print and warnings go, a text without its last newline; NULL: stderr. */
    void (*print)(void *context, const char *text);
    void *print_context;
    /* Told of a call that is for the engine's own thread alone and came on another one; the call does nothing. NULL: nobody. */
    void (*wrong_thread)(void *context, const char *call, const char *file, uint32_t line);
    void *wrong_thread_context;
} engine_options;

engine *engine_new(const engine_options *options, error *e);
void engine_free(engine *g);

/* ---- State ---- */

/* Runs a model's configure against the data's fields (shapes of one sample, borrowed for the call). */
lth_status engine_configure(engine *g, const lth_field_info *fields, uint32_t field_count,
                            lth_status (*configure)(void *self, lth_setup *setup), void *self, error *e);

/* Parameters first, then buffers, in the order they were made; ids of lth_parameter are index + 1. */
uint32_t engine_parameters(engine *g, const lth_parameter_info **out);

/* An optimizer, then its groups: `self` is the group's own instance, `parameters` ids (lth_parameter.id). Its setup is called
 * here. A parameter may be in one group only; frozen ones in none. name: unique, prefixes the state's names. */
int32_t engine_add_optimizer(engine *g, const lth_optimizer *optimizer, const char *name, error *e);
lth_status engine_add_group(engine *g, int32_t optimizer, void *self, const uint32_t *parameters, uint32_t count, error *e);

/* The parameter is not trained: it stays in checkpoints, and no optimizer may have it. Before optimizers are added. */
void engine_freeze(engine *g, uint32_t parameter);

/* Makes the arenas and fills them with initial values. accumulate: gradient accumulators are wanted. */
lth_status engine_allocate(engine *g, bool accumulate, error *e);

typedef enum engine_tensor_kind {
    ENGINE_PARAMETER,
    ENGINE_BUFFER,
    ENGINE_OPTIMIZER_STATE,
    ENGINE_ACCUMULATOR
} engine_tensor_kind;
typedef struct engine_tensor {
    const char *name; /* "fc1.weight"; "adamw/fc1.weight/exp_avg"; "adamw/group0/step"; "adamw/fc1.weight/accumulated" */
    engine_tensor_kind kind;
    uint32_t flags;
    lth_shape shape;
} engine_tensor;
/* All state as named dense tensors, in an order that the model and the optimizers alone determine. */
uint32_t engine_tensor_count(const engine *g);
const engine_tensor *engine_tensor_at(const engine *g, uint32_t index);
lth_status engine_tensor_get(engine *g, uint32_t index, void *out, error *e);
lth_status engine_tensor_set(engine *g, uint32_t index, const void *data, error *e);

/* ---- A step ---- */

typedef struct engine_field {
    const char *name;
    lth_shape shape;  /* with the batch axis */
    const void *data; /* NULL while only recording */
} engine_field;

/* RECORD_ONLY: the step is recorded and expanded (gradients, updates), so that shape errors come out; nothing runs, and a value
 * that the author reads in between (lth_item) is zero. A step that goes on reading, as a loop may that waits for a value, ends
 * with LTH_UNSUPPORTED: it cannot be looked at without running it. */
typedef enum engine_run_mode { ENGINE_RUN, ENGINE_RECORD_ONLY } engine_run_mode;

typedef struct engine_step_args {
    const char *hook;           /* "training_step": for messages and the count of plans */
    const engine_field *fields; /* borrowed until engine_end */
    uint32_t field_count;
    bool training;
    engine_run_mode mode;
    uint32_t step, stream; /* of the random counter: optimizer step and micro-batch, or LTH_STREAM_EVAL */
} engine_step_args;

/* Begins a step; one that was begun and not ended is dropped. Errors, also of the calls below, are kept until engine_end. */
lth_trace *engine_begin(engine *g, const engine_step_args *args);
lth_tensor engine_input(engine *g, const char *name, const char *file, uint32_t line);

/* Marks a value for the host; returns its slot of this step. A value that was marked before keeps its slot. */
uint32_t engine_output(engine *g, lth_tensor x, const char *file, uint32_t line);

/* Where a tensor of the running step was made: the author's place for what the trainer records because of it; "(host)":0 for
 * any other tensor. */
lth_site engine_place(engine *g, lth_tensor x);

/* The op that a plan is at, for the report of a crash: async-signal-safe. False: no plan runs in this process, or its
 * accelerator does not tell. [any] */
typedef struct engine_running {
    const char *name, *file;
    uint32_t line;
} engine_running;
bool engine_running_op(engine_running *out);

/* Symbolic gradients of loss for all parameters of the optimizer, group by group; *out lives until engine_end. A parameter
 * that is not on a path from the loss has zeros: its update is that of a zero gradient (weight decay and momentum go on),
 * where PyTorch would skip a parameter whose grad is None. A loss that depends on none of them fails the step. */
lth_status engine_gradients(engine *g, int32_t optimizer, lth_tensor loss, const lth_tensor **out, uint32_t *count,
                            const char *file, uint32_t line);

typedef struct engine_update_args {
    double divisor;       /* gradients are divided by it first (accumulate_grad_batches); 1, or 0: not recorded */
    bool add_accumulated; /* what engine_accumulate left is added */
    bool guard;           /* a non-finite gradient fails the step (in engine_accumulate, too) */
    double clip_norm;     /* > 0: over all of the optimizer's gradients, as torch.nn.utils.clip_grad_norm_ */
    double clip_value;    /* > 0: each element into [-v, v], after clip_norm */
} engine_update_args;
/* gradients: one a parameter, in the order of engine_gradients. In two halves, so that hooks can look at the sums between:
 * engine_total gives gradients / divisor + accumulated (symbolic; the same array type), engine_update clips and updates. */
lth_status engine_total(engine *g, int32_t optimizer, const lth_tensor *gradients, const engine_update_args *args,
                        const lth_tensor **out, const char *file, uint32_t line);
lth_status engine_update(engine *g, int32_t optimizer, const lth_tensor *totals, const engine_update_args *args, const char *file,
                         uint32_t line);
/* The accumulators become (add_accumulated ? accumulators : 0) + gradients / divisor. */
lth_status engine_accumulate(engine *g, int32_t optimizer, const lth_tensor *gradients, const engine_update_args *args,
                             const char *file, uint32_t line);

/* Finds or compiles the plan of what was recorded, and runs it. On an error nothing of the step was committed, and the
 * message names op, file and line. LTH_CHECK: a check failed (non-finite gradient: the step was run again, node by node, to
 * find the first op that made one; lth_assert). The ticket names the step's outputs. */
lth_status engine_end(engine *g, uint64_t *ticket, error *e);
/* Drops a step that is being recorded. */
void engine_abandon(engine *g);

/* Outputs of one of the last ENGINE_RING steps, by slot; waits for the device. Scalars as doubles (bool: 0 or 1), others by
 * data; NaN and NULL for a step that is too old or a slot that there is not. */
enum { ENGINE_RING = 4 };
double engine_output_value(engine *g, uint64_t ticket, uint32_t slot);
const void *engine_output_data(engine *g, uint64_t ticket, uint32_t slot, lth_shape *shape);

/* ---- Looking in ---- */

/* segments: values read in the middle of a step. waits: those, and outputs asked for of the step that was run last. */
typedef struct engine_stats {
    uint64_t plans_compiled, plan_hits, segments, steps, waits;
    double compile_seconds;
    uint64_t plan_memory, state_memory; /* bytes */
} engine_stats;
void engine_get_stats(const engine *g, engine_stats *out);
/* Why the last plan was compiled: "first step of training_step", or the first node that differs from the nearest plan, with
 * its file and line. */
const char *engine_compile_cause(const engine *g);
/* Where the time of plans has gone, where engine_options.profile asked for it: a row for all launches that are alike and come of
 * one place of the author's. Texts live as long as the engine. */
typedef struct engine_launch {
    const char *hook;   /* "training_step" */
    const char *ops;    /* "matmul"; of several ops in one launch "mul, add x2, relu" */
    const char *result; /* "f32 (64, 128)"; "": none */
    const char *how;    /* "onednn, B transposed"; "" */
    const char *file;
    uint32_t line, node_count;
    bool gradient; /* of the op at that place */
    int32_t threads;
    uint64_t runs, nanoseconds;
    double flops, bytes; /* of all runs */
} engine_launch;
/* All plans of a hook: steps that ended in one, and nanoseconds within the accelerator's run; `reading`: those of plans in the
 * middle of steps, for values that are read there. */
typedef struct engine_hook_time {
    const char *hook;
    uint64_t steps, nanoseconds, reading;
} engine_hook_time;
typedef struct engine_profile {
    const engine_launch *launches;
    const engine_hook_time *hooks;
    size_t launch_count, hook_count;
} engine_profile;
/* Of all plans that have run so far. */
void engine_get_profile(engine *g, engine_profile *out);
/* Writes the plan of the last step ended: ops, fusions, memory, FLOPs; a line a call. */
void engine_describe(engine *g, void (*line)(void *context, const char *text), void *context);
/* The accelerator's, and the precision: what decides bits besides graph and shapes. "" without an accelerator. */
const char *engine_fingerprint(const engine *g);

#endif
